//! Changes many rows in many small transactions along a key, and goes on where it was stopped.
//!
//! Invariant: a batch and the note of how far it came are one transaction, so that no batch is done twice and none is left out,
//! however the run ends.

use std::error::Error as StdError;

use bytes::BytesMut;
use kernel::Result;
use tokio_postgres::types::{Format, IsNull, ToSql, Type, to_sql_checked};

use super::apply::rows_error;
use super::header::{Batch, Rows};
use super::options::Options;
use super::session::{Session, with_retries};
use super::source::Migration;
use super::split::Statement;
use super::{error, guard, history};

/// How a run ended.
pub(super) enum Progress {
    /// There is no batch left; the rows of all runs together.
    Finished { rows: u64 },
    /// The limit of batches of this run is reached.
    Stopped { rows: u64 },
}

/// One backfill.
pub(super) struct Job<'a> {
    pub(super) session: &'a Session,
    pub(super) options: &'a Options,
    pub(super) migration: &'a Migration,
    pub(super) batch: &'a Batch,
    pub(super) statement: &'a Statement,
    pub(super) expected: Rows,
}

enum Step {
    Done,
    End,
}

impl Job<'_> {
    /// Runs batches until there are none, or the limit of the options is reached.
    pub(super) async fn run(&self) -> Result<Progress> {
        self.start().await?;
        let mut batches = 0;
        loop {
            if self.options.batches_max.is_some_and(|max| batches >= max) {
                return Ok(Progress::Stopped { rows: self.rows_done().await? });
            }
            let (step, _) = with_retries(self.options, || {
                Box::pin(async move {
                    self.session.begin(self.options).await?;
                    let result = Box::pin(self.one_batch()).await;
                    let step = self.session.or_rollback(result).await?;
                    self.session.commit().await.map(|()| step)
                })
            })
            .await?;
            match step {
                Step::End => break,
                Step::Done => batches += 1,
            }
            tokio::time::sleep(self.options.batch_pause).await;
        }
        let rows = self.rows_done().await?;
        if rows < self.expected.min || rows > self.expected.max {
            return Err(rows_error(&self.migration.up.path, self.statement.line, rows, self.expected));
        }
        Ok(Progress::Finished { rows })
    }

    /// Writes the row that keeps the progress, or finds it; a changed statement does not go on where another one stopped.
    async fn start(&self) -> Result<()> {
        self.session.begin(self.options).await?;
        let checksum = history::statement_checksum(&self.statement.text);
        let result = self
            .session
            .client
            .query_one(
                "insert into app.backfills as b (version, table_name, statement) values ($1, $2, $3)
                 on conflict (version) do update set updated_at = now()
                 returning b.statement",
                &[&self.migration.version, &self.batch.table, &checksum],
            )
            .await
            .map_err(error::query);
        let known: String = self.session.or_rollback(result).await?.get(0);
        self.session.commit().await?;
        if known == checksum {
            return Ok(());
        }
        Err(error::refused(
            error::CHECKSUM,
            format!("{}: the statement was changed after some of its batches had run", self.migration.up.path),
            "Restore the statement; or delete the row of this version from app.backfills to begin again.",
        ))
    }

    async fn one_batch(&self) -> Result<Step> {
        let path = &self.migration.up.path;
        guard::owner_sees_all(self.session, path, self.statement.line).await?;
        let row = self
            .session
            .client
            .query_one("select last_key from app.backfills where version = $1 for update", &[&self.migration.version])
            .await
            .map_err(error::query)?;
        let Some((first, last)) = self.range(row.get(0)).await? else {
            self.note("update app.backfills set finished_at = now(), updated_at = now() where version = $1", &[]).await?;
            return Ok(Step::End);
        };
        let keys: Vec<AsText> = first.into_iter().chain(last.clone()).map(AsText).collect();
        let parameters: Vec<&(dyn ToSql + Sync)> = keys.iter().map(|key| -> &(dyn ToSql + Sync) { key }).collect();
        let changed = self.session.client.execute(&self.statement.text, &parameters).await;
        let changed = changed.map_err(|cause| error::statement(path, self.statement, cause))?;
        let changed = i64::try_from(changed).unwrap_or(i64::MAX);
        self.note(
            "update app.backfills set last_key = $2, rows_done = rows_done + $3, batches = batches + 1, updated_at = now() where version = $1",
            &[&last, &changed],
        )
        .await?;
        Ok(Step::Done)
    }

    /// Returns the first and the last key of the next batch.
    async fn range(&self, after: Option<Vec<String>>) -> Result<Option<(Vec<String>, Vec<String>)>> {
        let keys: Vec<AsText> = after.into_iter().flatten().map(AsText).collect();
        let parameters: Vec<&(dyn ToSql + Sync)> = keys.iter().map(|key| -> &(dyn ToSql + Sync) { key }).collect();
        let sql = self.range_sql(!keys.is_empty());
        let row = self.session.client.query_one(&sql, &parameters).await.map_err(error::query)?;
        Ok(row.get::<_, Option<Vec<String>>>(0).zip(row.get::<_, Option<Vec<String>>>(1)))
    }

    /// Table and columns passed the checks of the header line: lower-case letters, digits and underscores, here in quotes.
    fn range_sql(&self, has_start: bool) -> String {
        let key: Vec<String> = self.batch.key.iter().map(|column| format!("\"{column}\"")).collect();
        let table = self.batch.table.split('.').map(|part| format!("\"{part}\"")).collect::<Vec<_>>().join(".");
        let texts = key.iter().map(|column| format!("{column}::text")).collect::<Vec<_>>().join(", ");
        let descending = key.iter().map(|column| format!("{column} desc")).collect::<Vec<_>>().join(", ");
        let key = key.join(", ");
        let start = if has_start {
            let places = (1..=self.batch.key.len()).map(|number| format!("${number}")).collect::<Vec<_>>().join(", ");
            format!("where ({key}) > ({places})")
        } else {
            String::new()
        };
        format!(
            "with batch as (select {key} from {table} {start} order by {key} limit {size})
             select (select array[{texts}] from batch order by {key} limit 1), (select array[{texts}] from batch order by {descending} limit 1)",
            size = self.batch.size
        )
    }

    async fn note(&self, sql: &str, more: &[&(dyn ToSql + Sync)]) -> Result<()> {
        let mut parameters: Vec<&(dyn ToSql + Sync)> = vec![&self.migration.version];
        parameters.extend_from_slice(more);
        self.session.client.execute(sql, &parameters).await.map(|_| ()).map_err(error::query)
    }

    async fn rows_done(&self) -> Result<u64> {
        self.session.begin(self.options).await?;
        let result = self
            .session
            .client
            .query_one("select rows_done from app.backfills where version = $1", &[&self.migration.version])
            .await
            .map_err(error::query);
        let rows: i64 = self.session.or_rollback(result).await?.get(0);
        self.session.commit().await?;
        Ok(u64::try_from(rows).unwrap_or(0))
    }
}

/// A key as PostgreSQL wrote it, given back whatever the type of its column is.
#[derive(Debug)]
struct AsText(String);

impl ToSql for AsText {
    fn to_sql(&self, _: &Type, out: &mut BytesMut) -> Result<IsNull, Box<dyn StdError + Sync + Send>> {
        out.extend_from_slice(self.0.as_bytes());
        Ok(IsNull::No)
    }

    fn accepts(_: &Type) -> bool {
        true
    }

    fn encode_format(&self, _: &Type) -> Format {
        Format::Text
    }

    to_sql_checked!();
}
