//! Reading an archive from its first byte to its last before anything of it is used.
//!
//! Invariant: what comes out is whole, as it was exported, and of this schema; everything else is refused with what is wrong with it.

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;

use kernel::{Error, Result};
use postgres::migrate::company::{Account, Archived};
use serde::de::DeserializeOwned;
use uuid::Uuid;

use crate::config::ArchiveConfig;
use crate::export::entry_of_file;
use crate::ids;
use crate::invalid;
use crate::manifest::{ACCOUNTS, HEADER, Header, MANIFEST, Manifest};
use crate::sums::{Sha256, Sums, sha256};
use crate::unpacking::{Part, Unpacker};

/// An archive that may be used.
pub(crate) struct Checked {
    pub(crate) manifest: Manifest,
    pub(crate) accounts: Vec<Account>,
    /// The ids of its rows, where they were asked for.
    pub(crate) ids: BTreeSet<Uuid>,
}

/// What was read of an archive until now.
#[derive(Default)]
struct Read {
    header: Option<Header>,
    accounts: Option<(Vec<Account>, String)>,
    tables: BTreeMap<String, Sums>,
    files: Vec<(u64, String)>,
    manifest: Option<Manifest>,
    ids: BTreeSet<Uuid>,
}

/// Reads an archive and compares it with its own manifest and with the tables of this installation.
pub(crate) async fn check(path: &Path, (schema, tables): (&str, &[Archived]), with_ids: bool, config: &ArchiveConfig) -> Result<Checked> {
    let mut unpacker = Unpacker::open(path)?;
    let mut read = Read::default();
    while let Some(part) = unpacker.next().await? {
        let Part::Entry(name, bytes) = part else { return Err(invalid("The archive is damaged")) };
        if read.manifest.is_some() {
            return Err(invalid("Something stands behind the manifest"));
        }
        if read.header.is_none() {
            if name != HEADER {
                return Err(invalid("This is no archive of a company"));
            }
            let header: Header = parsed(&name, &unpacker.whole(&name, bytes, config.manifest_bytes_max).await?)?;
            header.check(schema)?;
            read.header = Some(header);
        } else if name == ACCOUNTS {
            let content = unpacker.whole(&name, bytes, config.manifest_bytes_max).await?;
            read.accounts = Some((parsed(&name, &content)?, sha256(&content)));
        } else if name == MANIFEST {
            read.manifest = Some(parsed(&name, &unpacker.whole(&name, bytes, config.manifest_bytes_max).await?)?);
        } else if let Some(table) = table_of(&name, tables) {
            let lines = unpacker.whole(&name, bytes, config.chunk_bytes_max).await?;
            read.rows(table, &lines, with_ids, config)?;
        } else if name == entry_of_file(read.files.len()) && bytes <= config.file_bytes_max {
            let sum = file(&mut unpacker, &name, bytes).await?;
            read.files.push((bytes, sum));
        } else {
            return Err(invalid(format!("The archive has an entry that is not known or too large: {}", name.escape_debug())));
        }
    }
    read.compared(tables)
}

/// Returns the table whose rows an entry has.
pub(crate) fn table_of<'a>(entry: &str, tables: &'a [Archived]) -> Option<&'a Archived> {
    let (name, _) = entry.strip_prefix("rows/")?.split_once('/')?;
    tables.iter().find(|table| table.name == name)
}

impl Read {
    fn rows(&mut self, table: &Archived, lines: &[u8], with_ids: bool, config: &ArchiveConfig) -> Result<()> {
        if lines.last() != Some(&b'\n') {
            return Err(invalid(format!("A row of {} is cut", table.name)));
        }
        if let (true, Some(position)) = (with_ids, table.id) {
            let fields = lines.split(|byte| *byte == b'\n').filter_map(|line| line.split(|byte| *byte == b'\t').nth(position));
            self.ids.extend(fields.filter_map(ids::read));
            if self.ids.len() > config.ids_max {
                return Err(invalid(format!("The archive has more than {} ids; archives.ids_max allows that many", config.ids_max)));
            }
        }
        self.tables.entry(table.name.clone()).or_insert_with(Sums::new).add(lines);
        Ok(())
    }

    fn compared(mut self, tables: &[Archived]) -> Result<Checked> {
        let missing = || invalid("The archive has no manifest: it is cut, or its export never ended");
        let manifest = self.manifest.take().ok_or_else(missing)?;
        let (accounts, accounts_sha256) = self.accounts.take().ok_or_else(missing)?;
        if self.header.as_ref() != Some(&manifest.header)
            || accounts_sha256 != manifest.accounts_sha256
            || accounts.len() != manifest.accounts
        {
            return Err(invalid("The archive's manifest is of another archive"));
        }
        if !manifest.tables.keys().eq(tables.iter().map(|table| &table.name).collect::<BTreeSet<_>>()) {
            return Err(invalid("The archive's tables are not those of this installation"));
        }
        for table in tables {
            let Some(said) = manifest.tables.get(&table.name) else { continue };
            let sums = self.tables.remove(&table.name).unwrap_or_else(Sums::new);
            let rows = sums.rows;
            let (sha256, sum) = sums.end();
            if said.columns != table.columns {
                return Err(invalid(format!("The columns of {} are not those of this installation", table.name)));
            }
            if (said.rows, &said.sha256, &said.sum) != (rows, &sha256, &sum) {
                return Err(invalid(format!("The rows of {} are not those that were exported", table.name)));
            }
        }
        let is_same = manifest.files.iter().map(|file| (file.bytes, &file.sha256)).eq(self.files.iter().map(|(bytes, sum)| (*bytes, sum)));
        if !is_same {
            return Err(invalid("The files are not those that were exported"));
        }
        Ok(Checked { manifest, accounts, ids: self.ids })
    }
}

async fn file(unpacker: &mut Unpacker, name: &str, bytes: u64) -> Result<String> {
    let (mut sum, mut left) = (Sha256::new(), bytes);
    while left > 0 {
        let Some(Part::Piece(piece)) = unpacker.next().await? else { return Err(invalid(format!("{name} is cut"))) };
        sum.add(&piece);
        left = left.saturating_sub(u64::try_from(piece.len()).map_err(Error::internal)?);
    }
    Ok(sum.end())
}

fn parsed<T: DeserializeOwned>(name: &str, content: &[u8]) -> Result<T> {
    serde_json::from_slice(content).map_err(|cause| invalid(format!("{name} cannot be read")).with_source(cause))
}
