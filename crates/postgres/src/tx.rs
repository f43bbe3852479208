//! The transaction: the only way to the database.
//!
//! Invariant: nothing runs before the opening statement has set role, claims, company and permissions from the session's and the member's
//! rows as they are at this moment. Where it refuses, PostgreSQL refuses every statement behind it. All settings end with the transaction,
//! so that a connection never carries one caller's context into another's request.

use std::borrow::Cow;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Mutex, PoisonError};

use kernel::{Error, Result};
use tracing::{Instrument, Span};

use crate::error::from_wire;
use crate::opening::{Opened, Opening};
use crate::pool::Lease;
use crate::row::Row;
use crate::spans;
use crate::sql::Sql;
use crate::wire::{Connection, Fault, Part, Rows, Step};
use crate::writes::Noted;

/// Whether a transaction may write.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Access {
    /// `READ ONLY`.
    Read,
    /// `READ WRITE`.
    Write,
}

impl Access {
    /// Returns the word for it.
    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::Read => "read",
            Self::Write => "write",
        }
    }
}

/// A transaction that is open for one caller. Dropped without [`Tx::commit`], it is rolled back.
pub struct Tx {
    connection: Option<Lease>,
    role: Cow<'static, str>,
    opened: Opened,
    /// A statement failed: PostgreSQL would answer a commit with a silent rollback.
    failed: AtomicBool,
    noted: Noted,
    /// What is done when it is committed.
    afterwards: Mutex<Vec<Box<dyn FnOnce() + Send>>>,
    span: Span,
}

impl Tx {
    /// Begins and opens in one round trip.
    pub(crate) async fn open(connection: Lease, opening: Opening, access: Access) -> Result<Self> {
        let mut tx = Self {
            connection: Some(connection),
            role: opening.role(),
            opened: Opened::default(),
            failed: AtomicBool::new(false),
            noted: Noted::default(),
            afterwards: Mutex::default(),
            span: spans::transaction(access),
        };
        let steps = [Step::once(opening.begin(access)), opening.step()];
        let parts = match answer(tx.connection()?, &steps).instrument(tx.span.clone()).await {
            Ok(parts) => Ok(parts),
            Err(Fault::Refused(refusal)) if refusal.passed == 1 => Err(opening.refused(from_wire(Fault::Refused(refusal)))),
            Err(fault) => Err(from_wire(fault)),
        };
        let rows = tx.noting(parts.and_then(last))?;
        tx.opened = opening.opened(rows.rows().first())?;
        Ok(tx)
    }

    /// Returns what the opening statement found.
    pub fn opened(&self) -> &Opened {
        &self.opened
    }

    /// Runs a statement and returns its rows.
    pub async fn query(&self, sql: Sql) -> Result<Vec<Row>> {
        self.part(sql).await.map(Part::rows)
    }

    /// Runs a statement and returns its row, if there is one. More than one is our fault.
    pub async fn query_opt(&self, sql: Sql) -> Result<Option<Row>> {
        let mut rows = self.query(sql).await?;
        let row = rows.pop();
        if rows.is_empty() { Ok(row) } else { Err(Error::internal("one row was expected and several came")) }
    }

    /// Runs a statement and returns its only row.
    pub async fn query_one(&self, sql: Sql) -> Result<Row> {
        self.query_opt(sql).await?.ok_or_else(|| Error::internal("a row was expected and none came"))
    }

    /// Runs a statement and returns how many rows it touched.
    pub async fn execute(&self, sql: Sql) -> Result<u64> {
        self.part(sql).await.map(|part| part.affected)
    }

    /// Runs what may fail without an end of the transaction: what it wrote is undone then, and what was before it stays. The inner result
    /// is its own; the outer one says that the transaction itself is lost.
    pub async fn attempt<T>(&self, work: impl Future<Output = Result<T>>) -> Result<Result<T>> {
        self.execute(Sql::new("savepoint thorbis_attempt")).await?;
        match work.await {
            Ok(done) => {
                self.execute(Sql::new("release savepoint thorbis_attempt")).await?;
                Ok(Ok(done))
            }
            Err(error) => {
                self.several(&["rollback to savepoint thorbis_attempt", "release savepoint thorbis_attempt"]).await?;
                self.failed.store(false, Ordering::Relaxed);
                Ok(Err(error))
            }
        }
    }

    /// Returns the PostgreSQL role that its statements run as.
    pub fn role(&self) -> &str {
        &self.role
    }

    /// Runs statements without values that are said once, in one round trip, and returns the rows of each. Whoever sends them sees to it
    /// that the transaction is good after an error.
    pub(crate) async fn several(&self, texts: &[&str]) -> Result<Vec<Vec<Row>>> {
        let steps: Vec<Step<'_>> = texts.iter().map(|text| Step::once(text)).collect();
        let parts = answer(self.connection()?, &steps).await.map_err(from_wire);
        Ok(parts?.into_iter().map(Part::rows).collect())
    }

    /// Commits. Only an answer from here makes a write done.
    pub async fn commit(mut self) -> Result<()> {
        if self.failed.load(Ordering::Relaxed) {
            return Err(Error::internal("a statement failed and its transaction was to be committed all the same"));
        }
        let mut noted = std::mem::take(&mut self.noted);
        if let Some(connection) = &self.connection {
            noted.sent(self.opened.company_id, connection);
        }
        let ended = self.end("commit").await;
        noted.ended(ended.as_ref().map(|()| self.opened.company_id));
        ended?;
        let afterwards = std::mem::take(self.afterwards.get_mut().unwrap_or_else(PoisonError::into_inner));
        for work in afterwards {
            work();
        }
        Ok(())
    }

    /// Has something short done as soon as it is known to be committed, and not at all where that is never known.
    pub fn afterwards(&self, work: impl FnOnce() + Send + 'static) {
        self.afterwards.lock().unwrap_or_else(PoisonError::into_inner).push(Box::new(work));
    }

    /// Says that no read of a caller shows what it writes, such as the counter of a session: none has to wait until replicas have it.
    #[must_use]
    pub fn not_read_back(mut self) -> Self {
        self.noted = Noted::default();
        self
    }

    /// Has its end noted.
    pub(crate) fn noted(mut self, noted: Noted) -> Self {
        self.noted = noted;
        self
    }

    /// Rolls back.
    pub async fn rollback(mut self) -> Result<()> {
        self.end("rollback").await
    }

    async fn part(&self, sql: Sql) -> Result<Part> {
        let (text, values) = sql.render();
        let connection = self.connection()?;
        let step = Step { role: &self.role, text: &text, values: &values, kept: true };
        let span = spans::within(&self.span, &text);
        let parts = answer(connection, &[step]).instrument(span.clone()).await.map_err(|fault| {
            if matches!(&fault, Fault::Refused(refusal) if refusal.is_stale()) {
                connection.forget(&self.role, &text);
            }
            from_wire(fault)
        });
        self.noting(parts.and_then(last).inspect_err(|error| spans::note_error(&span, error)))
    }

    /// Sends a statement whose rows are handed on as they come. It is not worth a name: those are for what runs often.
    pub(crate) fn rows(&self, sql: Sql, bytes_max: usize) -> Result<Rows> {
        let (text, values) = sql.render();
        let step = Step { role: &self.role, text: &text, values: &values, kept: false };
        let rows = self.connection().and_then(|connection| connection.stream(step, bytes_max).map_err(from_wire));
        self.noting(rows)
    }

    /// Its last statement failed.
    pub(crate) fn broke(self, error: &Error) {
        if let Some(connection) = &self.connection {
            connection.note(error);
        }
    }

    async fn end(&mut self, how: &'static str) -> Result<()> {
        let reply = self.connection()?.say(how).map_err(from_wire);
        let ended = match reply {
            Ok(reply) => reply.parts().await.map(drop).map_err(from_wire),
            Err(error) => Err(error),
        };
        self.noting(ended)?;
        self.connection = None;
        Ok(())
    }

    fn noting<T>(&self, outcome: Result<T>) -> Result<T> {
        if let Err(error) = &outcome {
            self.failed.store(true, Ordering::Relaxed);
            spans::note_error(&self.span, error);
            if let Some(connection) = &self.connection {
                connection.note(error);
            }
        }
        outcome
    }

    fn connection(&self) -> Result<&Connection> {
        self.connection.as_deref().ok_or_else(|| Error::internal("the transaction is over"))
    }
}

impl Drop for Tx {
    fn drop(&mut self) {
        if let Some(connection) = &self.connection {
            // On its way when this returns; the pool waits for the answer before it hands the connection out again.
            let _sent = connection.say("rollback");
        }
    }
}

impl std::fmt::Debug for Tx {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Tx").field("role", &self.role).field("opened", &self.opened).finish_non_exhaustive()
    }
}

/// Runs one statement in a transaction of its own: opening and statement are sent together with one end, which makes a transaction of
/// them that needs no begin and no commit. A statement that the connection does not know is prepared behind the opening, as the role that
/// will run it.
pub(crate) async fn run(connection: Lease, opening: Opening, access: Access, sql: Sql) -> Result<(Opened, Vec<Row>)> {
    if opening.needs_begin() || access == Access::Write && connection.is_read_only() {
        // Only an explicit begin may say that this one writes, or how it is kept apart.
        let tx = Tx::open(connection, opening, access).await?;
        let rows = tx.query(sql).await?;
        let opened = tx.opened.clone();
        tx.commit().await?;
        return Ok((opened, rows));
    }
    let (text, values) = sql.render();
    let role = opening.role();
    let steps = [opening.step(), Step { role: &role, text: &text, values: &values, kept: true }];
    let mut answered = answer(&connection, &steps).await;
    if matches!(&answered, Err(Fault::Refused(refusal)) if refusal.is_stale()) {
        // Nothing ran, and all was undone: prepared anew it is as if it had never been known.
        connection.forget("", opening.step().text);
        connection.forget(&role, &text);
        answered = answer(&connection, &steps).await;
    }
    let outcome = match answered {
        Ok(parts) => outcome(&opening, parts),
        Err(Fault::Refused(refusal)) if refusal.passed == 0 => Err(opening.refused(from_wire(Fault::Refused(refusal)))),
        Err(fault) => Err(from_wire(fault)),
    };
    outcome.inspect_err(|error| connection.note(error))
}

fn outcome(asked: &Opening, mut parts: Vec<Part>) -> Result<(Opened, Vec<Row>)> {
    let rows = parts.pop().map(Part::rows);
    let opening = parts.pop().map(Part::rows);
    let (Some(rows), Some(opening)) = (rows, opening) else { return Err(Error::internal("a statement was not answered")) };
    Ok((asked.opened(opening.first())?, rows))
}

fn last(mut parts: Vec<Part>) -> Result<Part> {
    parts.pop().ok_or_else(|| Error::internal("a statement was not answered"))
}

/// Everything is sent before the first wait: a request that is dropped from then on still ends its transaction.
async fn answer(connection: &Connection, steps: &[Step<'_>]) -> std::result::Result<Vec<Part>, Fault> {
    connection.ask(steps)?.parts().await
}
