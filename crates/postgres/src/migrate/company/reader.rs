//! Reading a company: one snapshot, only reading, row by row.
//!
//! Invariant: everything that one reader returns was true at one moment.

use std::pin::Pin;

use bytes::Bytes;
use futures_util::{Stream, TryStreamExt as _};
use kernel::{Error, Kind, Result};
use uuid::Uuid;

use super::super::error;
use super::super::options::Options;
use super::super::session::{Migrator, Session};
use super::tables::{self, Archived};
use super::{Account, CompanyName, SAME_TEXT, accounts, schema};

/// Rows as lines of PostgreSQL's copy format.
pub type Lines = Pin<Box<dyn Stream<Item = Result<Bytes>> + Send>>;

/// A snapshot of a company. It ends with this.
pub struct CompanyReader {
    session: Session,
    company: CompanyName,
    schema: String,
    tables: Vec<Archived>,
}

impl Migrator {
    /// Opens a snapshot of the company with this id or slug.
    pub async fn read_company(&self, id_or_slug: &str, options: &Options) -> Result<CompanyReader> {
        let session = self.connect().await?;
        session.client.batch_execute("set default_transaction_isolation = 'repeatable read'").await.map_err(error::query)?;
        session.begin(options).await?;
        session.client.batch_execute(SAME_TEXT).await.map_err(error::query)?;
        session.client.batch_execute("set transaction read only").await.map_err(error::query)?;
        let found = "select c.id, c.slug, c.name from public.companies c where c.id::text = $1 or c.slug = $1
                      order by c.id::text = $1 desc, c.deleted_at desc nulls first limit 1";
        let row = session.client.query_opt(found, &[&id_or_slug]).await.map_err(error::query)?;
        let Some(row) = row else {
            return Err(Error::new(Kind::NotFound, "company_not_found", format!("There is no company {id_or_slug}")));
        };
        let company = CompanyName { id: row.get(0), slug: row.get(1), name: row.get(2) };
        let (schema, tables) = (schema(&session).await?, tables::archived(&session).await?);
        Ok(CompanyReader { session, company, schema, tables })
    }
}

impl CompanyReader {
    /// Returns which company it is.
    pub fn company(&self) -> &CompanyName {
        &self.company
    }

    /// Returns the newest migration.
    pub fn schema(&self) -> &str {
        &self.schema
    }

    /// Returns the tables that are archived.
    pub fn tables(&self) -> &[Archived] {
        &self.tables
    }

    /// Returns the accounts that rows of the company name.
    pub async fn accounts(&self, with_passwords: bool) -> Result<Vec<Account>> {
        let names: Vec<String> = self.tables.iter().map(|table| table.name.clone()).collect();
        accounts::read(&self.session, &names, self.company.id, with_passwords).await
    }

    /// Returns the names of the files that versions of objects have.
    pub async fn files(&self) -> Result<Vec<String>> {
        let files = "select distinct v.blob_key from app.object_versions v where v.company_id = $1 order by 1";
        let rows = self.session.client.query(files, &[&self.company.id]).await.map_err(error::query)?;
        Ok(rows.iter().map(|row| row.get(0)).collect())
    }

    /// Returns what stays behind and has to be made again elsewhere, with how many rows.
    pub async fn to_make_again(&self) -> Result<Vec<(&'static str, i64)>> {
        tables::to_make_again(&self.session, self.company.id).await
    }

    /// Returns the rows of a table in the order of their key.
    pub async fn rows(&self, table: &Archived) -> Result<Lines> {
        lines(&self.session, table, self.company.id).await
    }
}

/// Reads the rows of a table, one line each.
pub(super) async fn lines(session: &Session, table: &Archived, company: Uuid) -> Result<Lines> {
    let rows = session.client.copy_out(table.read(company).as_str()).await.map_err(error::query)?;
    Ok(Box::pin(rows.map_err(error::query)))
}

impl std::fmt::Debug for CompanyReader {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("CompanyReader").field("company", &self.company).finish_non_exhaustive()
    }
}
