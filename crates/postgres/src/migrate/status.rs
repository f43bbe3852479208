//! How the database stands to the source. Reads only.

use kernel::Result;

use super::report::{Status, Unfinished};
use super::session::{Migrator, Session};
use super::source::{self, Source};
use super::{error, fingerprint, guard, history};

impl Migrator {
    /// Compares the database with the source.
    pub async fn status(&self, source: &Source) -> Result<Status> {
        let files = source.read()?;
        let session = self.connect().await?;
        let applied = history::read(&session).await?;
        let pending = files.migrations.iter().filter(|migration| applied.iter().all(|row| row.version != migration.version));
        let schema_drift = match fingerprint::kept(&session).await? {
            Some(kept) => fingerprint::take(&session).await?.differences(&kept),
            None => Vec::new(),
        };
        Ok(Status {
            pending: pending.map(|migration| (migration.version.clone(), migration.name.clone())).collect(),
            disagreements: history::disagreements(&applied, &files.migrations),
            code_current: history::code_is_applied(&session, &source::checksum_of_set(&files.code)).await?,
            schema_drift,
            unfinished: unfinished(&session).await?,
            invalid_indexes: invalid_indexes(&session).await?,
            unforced: guard::unforced(&session).await?,
            applied,
        })
    }
}

async fn unfinished(session: &Session) -> Result<Vec<Unfinished>> {
    if !history::exists(session, "app.backfills").await? {
        return Ok(Vec::new());
    }
    let rows = session
        .client
        .query("select version, table_name, rows_done from app.backfills where finished_at is null order by version", &[])
        .await
        .map_err(error::query)?;
    Ok(rows.iter().map(|row| Unfinished { version: row.get(0), table: row.get(1), rows_done: row.get(2) }).collect())
}

async fn invalid_indexes(session: &Session) -> Result<Vec<String>> {
    let rows = session
        .client
        .query(
            "select i.indexrelid::regclass::text
               from pg_catalog.pg_index i
               join pg_catalog.pg_class c on c.oid = i.indexrelid
               join pg_catalog.pg_namespace n on n.oid = c.relnamespace
              where not i.indisvalid and c.relkind = 'i' and n.nspname !~ '^pg_'
              order by 1",
            &[],
        )
        .await
        .map_err(error::query)?;
    Ok(rows.iter().map(|row| row.get(0)).collect())
}
