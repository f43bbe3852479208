//! Runs one migration file, forwards or back.
//!
//! Invariant: in a transaction, all of it and its row in the book, or nothing. Outside one, a failure leaves no invalid index
//! behind, and what did happen can happen again.

use std::time::Duration;

use kernel::Result;
use tokio::time::Instant;

use super::backfill::{self, Progress};
use super::header::{self, Header};
use super::options::Options;
use super::plan::{self, Step};
use super::session::{Session, with_retries};
use super::source::{File, Migration};
use super::split::{Sort, Statement};
use super::{error, guard, history};

/// What applying one file came to.
pub(super) struct Outcome {
    pub(super) duration: Duration,
    pub(super) tries: u32,
    /// Rows that statements of the file changed.
    pub(super) rows: u64,
    /// False when a backfill was stopped on the way.
    pub(super) finished: bool,
}

/// Applies a migration.
pub(super) async fn up(session: &Session, migration: &Migration, options: &Options) -> Result<Outcome> {
    let header = header::parse(&migration.up.path, &migration.up.text)?;
    let steps = plan::plan(&migration.up, &header)?;
    let work = &Work { session, options, file: &migration.up, steps: &steps, started: Instant::now() };
    if header.without_transaction {
        return Box::pin(work.outside(migration, &header)).await;
    }
    let (rows, tries) = with_retries(options, || {
        Box::pin(async move {
            session.begin(options).await?;
            let result = Box::pin(work.inside(Direction::Up(migration))).await;
            let rows = session.or_rollback(result).await?;
            session.commit().await.map(|()| rows)
        })
    })
    .await?;
    Ok(Outcome { duration: work.started.elapsed(), tries, rows, finished: true })
}

/// Takes a migration back.
pub(super) async fn down(session: &Session, version: &str, file: &File, options: &Options) -> Result<Outcome> {
    let header = header::parse(&file.path, &file.text)?;
    let steps = plan::plan(file, &header)?;
    let work = &Work { session, options, file, steps: &steps, started: Instant::now() };
    if header.without_transaction {
        Box::pin(work.statements_outside()).await?;
    }
    let (rows, tries) = with_retries(options, || {
        Box::pin(async move {
            session.begin(options).await?;
            let result = if header.without_transaction {
                history::forget(session, version).await.map(|()| 0)
            } else {
                Box::pin(work.inside(Direction::Down(version))).await
            };
            let rows = session.or_rollback(result).await?;
            session.commit().await.map(|()| rows)
        })
    })
    .await?;
    Ok(Outcome { duration: work.started.elapsed(), tries, rows, finished: true })
}

/// Runs the statements of a file that is no migration, in the transaction that is open.
pub(super) async fn plain(session: &Session, file: &File) -> Result<u64> {
    let mut rows = 0;
    for statement in plan::allowed(file)? {
        rows += session.run(&file.path, &statement).await?;
    }
    deferred(session, file).await?;
    Ok(rows)
}

#[derive(Clone, Copy)]
enum Direction<'a> {
    Up(&'a Migration),
    Down(&'a str),
}

struct Work<'a> {
    session: &'a Session,
    options: &'a Options,
    file: &'a File,
    steps: &'a [Step],
    started: Instant,
}

impl Work<'_> {
    async fn inside(&self, direction: Direction<'_>) -> Result<u64> {
        let path = &self.file.path;
        guard::owner_sees_all(self.session, path, 1).await?;
        let unforced = guard::unforced(self.session).await?;
        let mut rows = 0;
        for step in self.steps {
            if matches!(step.sort, Sort::ChangesRows | Sort::ChecksRows) {
                guard::owner_sees_all(self.session, path, step.statement.line).await?;
            }
            let changed = self.session.run(path, &step.statement).await?;
            expected(path, step, changed)?;
            rows += if step.rows.is_some() { changed } else { 0 };
        }
        deferred(self.session, self.file).await?;
        guard::owner_sees_all(self.session, path, 1).await?;
        guard::none_added(&unforced, &guard::unforced(self.session).await?, path)?;
        match direction {
            Direction::Up(migration) => history::record(self.session, migration, self.milliseconds()).await?,
            Direction::Down(version) => history::forget(self.session, version).await?,
        }
        Ok(rows)
    }

    async fn outside(&self, migration: &Migration, header: &Header) -> Result<Outcome> {
        let mut tries = 1;
        let mut rows = 0;
        for step in self.steps {
            match (&header.batch, step.rows) {
                (Some(batch), Some(expected)) => {
                    let job = backfill::Job {
                        session: self.session,
                        options: self.options,
                        migration,
                        batch,
                        statement: &step.statement,
                        expected,
                    };
                    match Box::pin(job.run()).await? {
                        Progress::Stopped { rows } => {
                            return Ok(Outcome { duration: self.started.elapsed(), tries, rows, finished: false });
                        }
                        Progress::Finished { rows: changed } => rows += changed,
                    }
                }
                _ => tries = tries.max(self.alone(step).await?),
            }
        }
        self.session.begin(self.options).await?;
        let recorded = async {
            guard::owner_sees_all(self.session, &self.file.path, 1).await?;
            history::record(self.session, migration, self.milliseconds()).await
        };
        let recorded = recorded.await;
        self.session.or_rollback(recorded).await?;
        self.session.commit().await?;
        Ok(Outcome { duration: self.started.elapsed(), tries, rows, finished: true })
    }

    async fn statements_outside(&self) -> Result<()> {
        for step in self.steps {
            self.alone(step).await?;
        }
        Ok(())
    }

    /// One statement outside a transaction; returns the number of tries.
    async fn alone(&self, step: &Step) -> Result<u32> {
        let path = &self.file.path;
        self.session.become_owner(self.options).await?;
        let result = with_retries(self.options, || {
            Box::pin(async move {
                guard::owner_sees_all(self.session, path, step.statement.line).await?;
                self.drop_invalid_index(&step.statement).await?;
                let result = self.session.run(path, &step.statement).await;
                if result.is_err() && !self.session.client.is_closed() {
                    self.drop_invalid_index(&step.statement).await?;
                }
                result
            })
        })
        .await;
        if !self.session.client.is_closed() {
            self.session.leave_owner().await?;
        }
        let (changed, tries) = result?;
        expected(path, step, changed)?;
        Ok(tries)
    }

    /// A concurrent build that failed leaves an index that is maintained and never used; `if not exists` would keep it.
    async fn drop_invalid_index(&self, statement: &Statement) -> Result<()> {
        let tokens = statement.tokens();
        let concurrently = tokens.iter().any(|token| token.is("concurrently")) && statement.begins_with(&["create"]);
        let Some(name) = plan::index_name(statement).filter(|_| concurrently) else { return Ok(()) };
        let rows = self
            .session
            .client
            .query(
                "select format('drop index concurrently if exists %s', i.indexrelid::regclass)
                   from pg_catalog.pg_index i
                   join pg_catalog.pg_class c on c.oid = i.indexrelid
                   join pg_catalog.pg_namespace n on n.oid = c.relnamespace
                  where c.relname = $1 and not i.indisvalid and pg_has_role(current_user, c.relowner, 'usage') and n.nspname !~ '^pg_'",
                &[&name],
            )
            .await
            .map_err(error::query)?;
        for row in rows {
            tracing::warn!(index = name, "an invalid index was left behind and is dropped");
            self.session.client.batch_execute(row.get(0)).await.map_err(error::query)?;
        }
        Ok(())
    }

    fn milliseconds(&self) -> i64 {
        i64::try_from(self.started.elapsed().as_millis()).unwrap_or(i64::MAX)
    }
}

/// Compares the rows a statement changed with what the file announced.
fn expected(path: &str, step: &Step, changed: u64) -> Result<()> {
    match step.rows {
        Some(rows) if changed < rows.min || changed > rows.max => Err(rows_error(path, step.statement.line, changed, rows)),
        _ => Ok(()),
    }
}

/// Makes the error for a number of rows that was not announced.
pub(super) fn rows_error(path: &str, line: usize, changed: u64, rows: header::Rows) -> kernel::Error {
    let announced = if rows.min == rows.max { rows.min.to_string() } else { format!("{} to {}", rows.min, rows.max) };
    error::at(error::ROWS, path, line, &format!("the statement changed {changed} rows; the file announces {announced}"))
        .with_hint("Look at the rows first; then correct the statement or the -- backfill: line.")
}

/// Has deferred constraints checked here, where the error still names the file.
async fn deferred(session: &Session, file: &File) -> Result<()> {
    let check = Statement { text: "set constraints all immediate".to_owned(), line: file.text.lines().count().max(1) };
    session.run(&file.path, &check).await.map(|_| ())
}
