//! Writing a company into an archive.
//!
//! Invariant: rows are of one snapshot and go by in pieces of a bounded size; the manifest is written when everything else was.

use std::collections::BTreeMap;
use std::path::Path;
use std::sync::Arc;

use bytes::Bytes;
use futures_util::TryStreamExt as _;
use kernel::{Blobs, Error, Result};
use postgres::migrate::company::{Archived, CompanyReader, LEFT_OUT};

use crate::config::ArchiveConfig;
use crate::files;
use crate::manifest::{ACCOUNTS, HEADER, Header, MANIFEST, Manifest, TableSum};
use crate::packing::Packer;
use crate::sums::{Sums, sha256};

/// Writes an archive; returns what is in it and how many bytes it has.
pub async fn export(
    reader: &CompanyReader,
    blobs: &Arc<dyn Blobs>,
    path: &Path,
    with_passwords: bool,
    config: &ArchiveConfig,
) -> Result<(Manifest, u64)> {
    let mut packer = Packer::create(path, config.compression_level)?;
    let header = Header::of(reader.company(), reader.schema());
    packer.put(HEADER, json(&header)?).await?;
    let people = reader.accounts(with_passwords).await?;
    let accounts = json(&people)?;
    let accounts_sha256 = sha256(&accounts);
    packer.put(ACCOUNTS, accounts).await?;
    let mut tables = BTreeMap::new();
    for table in reader.tables() {
        tables.insert(table.name.clone(), rows(reader, table, &mut packer, config).await?);
    }
    let mut kept = Vec::new();
    for (number, key) in reader.files().await?.into_iter().enumerate() {
        kept.push(files::pack(blobs, key, &entry_of_file(number), &mut packer).await?);
    }
    let manifest = Manifest {
        header,
        with_passwords,
        accounts: people.len(),
        accounts_sha256,
        tables,
        files: kept,
        left_out: LEFT_OUT.iter().map(|left| (left.table.to_owned(), left.why.to_owned())).collect(),
        to_make_again: reader.to_make_again().await?.into_iter().map(|(table, rows)| (table.to_owned(), rows)).collect(),
    };
    packer.put(MANIFEST, json(&manifest)?).await?;
    Ok((manifest, packer.finish().await?))
}

/// Returns the name of the entry of a file.
pub(crate) fn entry_of_file(number: usize) -> String {
    format!("files/{number:08}")
}

async fn rows(reader: &CompanyReader, table: &Archived, packer: &mut Packer, config: &ArchiveConfig) -> Result<TableSum> {
    let (mut sums, mut chunk, mut number) = (Sums::new(), Vec::new(), 0);
    let mut lines = reader.rows(table).await?;
    while let Some(line) = lines.try_next().await? {
        sums.add(&line);
        chunk.extend_from_slice(&line);
        if chunk.len() >= config.chunk_bytes {
            packer.put(&entry_of_rows(table, number), Bytes::from(std::mem::take(&mut chunk))).await?;
            number += 1;
        }
    }
    if !chunk.is_empty() {
        packer.put(&entry_of_rows(table, number), Bytes::from(chunk)).await?;
    }
    let rows = sums.rows;
    let (sha256, sum) = sums.end();
    Ok(TableSum { columns: table.columns.clone(), rows, sha256, sum })
}

fn entry_of_rows(table: &Archived, number: usize) -> String {
    format!("rows/{}/{number:06}", table.name)
}

fn json(value: &impl serde::Serialize) -> Result<Bytes> {
    serde_json::to_vec_pretty(value).map(Bytes::from).map_err(Error::internal)
}
