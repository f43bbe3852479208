//! Bringing a company in from an archive.
//!
//! Invariant: rows, accounts and files come all or none. Before the transaction ends everything is read back and compared with the
//! manifest, with new ids turned back into old ones.

use std::collections::BTreeSet;
use std::path::Path;
use std::sync::Arc;

use bytes::Bytes;
use futures_util::TryStreamExt as _;
use kernel::{BlobKey, Blobs, CompanyId, Error, Result};
use postgres::migrate::Migrator;
use postgres::migrate::company::{Archived, CompanyName, CompanyWriter, Rows};

use crate::checking::{self, Checked};
use crate::config::ArchiveConfig;
use crate::files::{self, Putting};
use crate::ids::Ids;
use crate::invalid;
use crate::manifest::{Manifest, is_slug};
use crate::sums::Sums;
use crate::unpacking::{Part, Unpacker};

/// What is brought, and how.
#[derive(Clone, Debug)]
pub struct Import<'a> {
    /// The archive.
    pub path: &'a Path,
    /// Whether its rows get new ids, so that they can stand beside those they were copied from.
    pub new_ids: bool,
    /// Another slug than the company had.
    pub slug: Option<&'a str>,
    /// Whether its files are looked at for viruses here, whatever was found where they come from.
    pub rescans: bool,
    /// Limits.
    pub config: &'a ArchiveConfig,
}

/// What an import brought.
#[derive(Clone, Debug)]
pub struct Imported {
    /// The company, as it is here.
    pub company: CompanyName,
    /// What was in the archive, and is here now.
    pub manifest: Manifest,
    /// Accounts that were here.
    pub accounts_found: usize,
    /// Accounts that were made.
    pub accounts_made: usize,
}

/// Brings a company in.
pub async fn import(
    migrator: &Migrator,
    blobs: &Arc<dyn Blobs>,
    wanted: &Import<'_>,
    options: &postgres::migrate::Options,
) -> Result<Imported> {
    let writer = migrator.write_company(options).await?;
    let checked = checking::check(wanted.path, (writer.schema(), writer.tables()), wanted.new_ids, wanted.config).await?;
    let mut put = Vec::new();
    let outcome = match Bringing::prepare(&writer, blobs, wanted, checked).await {
        Ok(bringing) => bringing.all(wanted, &mut put).await,
        Err(error) => Err(error),
    };
    let error = match outcome {
        Ok(imported) => match writer.commit().await {
            Ok(()) => return Ok(imported),
            // The answer may be lost and the company there: its files go only when it is known that it is not.
            Err(error) => match migrator.has_company(imported.company.id, options).await {
                Ok(true) => return Ok(imported),
                Ok(false) => error,
                Err(unknown) => {
                    tracing::warn!(code = unknown.code(), "whether the company came is not known; its files stay: {}", unknown.message());
                    return Err(error);
                }
            },
        },
        Err(error) => error,
    };
    files::undo(blobs, &put).await;
    Err(error)
}

/// An import at work.
struct Bringing<'a> {
    writer: &'a CompanyWriter,
    blobs: &'a Arc<dyn Blobs>,
    manifest: Manifest,
    /// What is taken over.
    tables: Vec<Archived>,
    ids: Ids,
    company: CompanyName,
    accounts_found: usize,
    accounts_made: usize,
}

impl<'a> Bringing<'a> {
    /// Chooses ids, refuses a company that is there, and settles whose accounts are meant.
    async fn prepare(writer: &'a CompanyWriter, blobs: &'a Arc<dyn Blobs>, wanted: &Import<'_>, checked: Checked) -> Result<Self> {
        let Checked { manifest, accounts, ids } = checked;
        let mut ids = if wanted.new_ids { Ids::for_all(&ids) } else { Ids::default() };
        let CompanyName { id, slug, name } = manifest.header.company.clone();
        let slug = wanted.slug.map_or(slug, str::to_owned);
        if !is_slug(&slug) {
            return Err(invalid("A slug has lower letters, digits and dashes"));
        }
        let company = CompanyName { id: ids.of(id), slug, name };
        writer.refuse_known(company.id, &company.slug).await?;
        let mut made = 0;
        for account in &accounts {
            let (here, is_new) = writer.account(account).await?;
            ids.add(account.id, here);
            made += usize::from(is_new);
        }
        let tables = writer.tables().iter().filter(|table| !(wanted.new_ids && table.keeps_ids())).cloned().collect();
        let found = accounts.len() - made;
        Ok(Self { writer, blobs, manifest, tables, ids, company, accounts_found: found, accounts_made: made })
    }

    async fn all(self, wanted: &Import<'_>, put: &mut Vec<BlobKey>) -> Result<Imported> {
        self.stage(wanted, put).await?;
        if wanted.slug.is_some() {
            self.writer.rename(&self.company.slug).await?;
        }
        self.writer.refuse_strangers(self.company.id, &self.tables).await?;
        self.writer.take_over(&self.tables).await?;
        for table in self.tables.iter().filter(|table| !table.is_shared()) {
            self.compare(table).await?;
        }
        for file in &self.manifest.files {
            files::compare(self.blobs, &self.renewed(&file.key)?, file).await?;
        }
        if wanted.rescans {
            self.writer.have_files_looked_at(self.company.id).await?;
        }
        self.writer.seal(self.company.id).await?;
        let Self { company, manifest, accounts_found, accounts_made, .. } = self;
        Ok(Imported { company, manifest, accounts_found, accounts_made })
    }

    /// Reads the archive a second time: rows go where nobody sees them, files to their place.
    async fn stage(&self, wanted: &Import<'_>, put: &mut Vec<BlobKey>) -> Result<()> {
        let mut unpacker = Unpacker::open(wanted.path)?;
        let (mut staged, mut begun): (Option<(String, Rows)>, BTreeSet<String>) = (None, BTreeSet::new());
        let mut files = self.manifest.files.iter();
        while let Some(part) = unpacker.next().await? {
            // Pieces of what is not taken.
            let Part::Entry(name, bytes) = part else { continue };
            if let Some(table) = checking::table_of(&name, &self.tables) {
                let lines = unpacker.whole(&name, bytes, wanted.config.chunk_bytes_max).await?;
                if staged.as_ref().is_none_or(|(name, _)| *name != table.name) {
                    if !begun.insert(table.name.clone()) {
                        return Err(invalid("The archive has the rows of a table in two places"));
                    }
                    finish(staged.take()).await?;
                    staged = Some((table.name.clone(), self.writer.stage(table).await?));
                }
                if let Some((_, rows)) = &mut staged {
                    rows.take(Bytes::from(self.ids.renew(&lines).into_owned())).await?;
                }
            } else if name.starts_with("files/") {
                finish(staged.take()).await?;
                let file = files.next().ok_or_else(|| invalid("The archive changed while it was read"))?;
                let key = self.renewed(&file.key)?;
                put.extend(self.put(&mut unpacker, &key, bytes).await?);
            }
        }
        finish(staged.take()).await?;
        for table in self.tables.iter().filter(|table| !begun.contains(&table.name)) {
            self.writer.stage(table).await?.finish().await?;
        }
        Ok(())
    }

    async fn put(&self, unpacker: &mut Unpacker, key: &str, bytes: u64) -> Result<Option<BlobKey>> {
        let putting = Putting::begin(self.blobs, key, CompanyId(self.company.id), bytes).await?;
        let mut left = bytes;
        while left > 0 {
            let Some(Part::Piece(piece)) = unpacker.next().await? else { return Err(invalid("The archive changed while it was read")) };
            left = left.saturating_sub(u64::try_from(piece.len()).map_err(Error::internal)?);
            putting.take(piece).await;
        }
        putting.finish().await
    }

    /// Reads the rows of a table back and compares them with what was exported.
    async fn compare(&self, table: &Archived) -> Result<()> {
        let Some(said) = self.manifest.tables.get(&table.name) else { return Ok(()) };
        let slug = table.columns.iter().position(|column| table.name == "public.companies" && column == "slug");
        let mut sums = Sums::new();
        let mut lines = self.writer.rows(table, self.company.id).await?;
        while let Some(line) = lines.try_next().await? {
            let line = self.ids.restore(&line);
            match slug {
                Some(position) => sums.add(&with_field(&line, position, self.manifest.header.company.slug.as_bytes())),
                None => sums.add(&line),
            }
        }
        let rows = sums.rows;
        let (_, sum) = sums.end();
        if rows == said.rows && sum == said.sum {
            return Ok(());
        }
        let message = format!("{}: {rows} rows are here and {} were exported, or they are not the same", table.name, said.rows);
        Err(invalid(message))
    }

    fn renewed(&self, key: &str) -> Result<String> {
        String::from_utf8(self.ids.renew(key.as_bytes()).into_owned()).map_err(Error::internal)
    }
}

async fn finish(staged: Option<(String, Rows)>) -> Result<()> {
    match staged {
        Some((_, rows)) => rows.finish().await.map(drop),
        None => Ok(()),
    }
}

/// Returns a line with another value in one of its fields.
fn with_field(line: &[u8], position: usize, value: &[u8]) -> Vec<u8> {
    let fields: Vec<&[u8]> =
        line.split(|byte| *byte == b'\t').enumerate().map(|(at, field)| if at == position { value } else { field }).collect();
    fields.join(&b'\t')
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_field_is_replaced_and_the_others_stay() {
        assert_eq!(with_field(b"a\tb\t\\N\n", 1, b"slug"), b"a\tslug\t\\N\n");
    }
}
