//! The transaction: the only way to the database.
//!
//! Invariant: nothing runs before the opening statement has set role, claims, company and permissions from the session's and the member's
//! rows as they are at this moment. Where it refuses, PostgreSQL refuses every statement behind it. All settings end with the transaction,
//! so that a connection never carries one caller's context into another's request.

use std::sync::atomic::{AtomicBool, Ordering};

use futures_util::FutureExt as _;
use kernel::{Error, Result};
use tokio_postgres::Row;
use tokio_postgres::types::{ToSql, Type};

use crate::error::from_driver;
use crate::opening::{Opened, Opening};
use crate::pool::{Connection, Pooled};
use crate::sql::{Param, Sql};

/// Whether a transaction may write.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Access {
    /// `READ ONLY`.
    Read,
    /// `READ WRITE`.
    Write,
}

/// A transaction that is open for one caller. Dropped without [`Tx::commit`], it is rolled back.
pub struct Tx {
    connection: Option<Pooled>,
    role: &'static str,
    opened: Opened,
    /// A statement failed: PostgreSQL would answer a commit with a silent rollback.
    failed: AtomicBool,
}

impl Tx {
    /// Begins and opens in one round trip.
    pub(crate) async fn open(connection: Pooled, opening: Opening, access: Access) -> Result<Self> {
        let mut tx = Self { connection: Some(connection), role: opening.role(), opened: Opened::default(), failed: AtomicBool::new(false) };
        let connection = tx.connection()?;
        let (begun, opened) = futures_util::join!(connection.client.batch_execute(begin(access)), open(connection, &opening));
        let opened = begun.map_err(from_driver).and(opened);
        tx.opened = tx.noting(opened)?;
        Ok(tx)
    }

    /// Returns what the opening statement found.
    pub fn opened(&self) -> &Opened {
        &self.opened
    }

    /// Runs a statement and returns its rows.
    pub async fn query(&self, sql: Sql) -> Result<Vec<Row>> {
        let (text, values) = sql.render();
        self.noting(query(self.connection()?, self.role, text, &values).await)
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
        let (text, values) = sql.render();
        let connection = self.connection()?;
        if !connection.prepares() {
            return self.noting(connection.client.execute_typed(&text, &untyped(&values)).await.map_err(from_driver));
        }
        let statement = self.noting(prepared(connection, self.role, text).await)?;
        self.noting(connection.client.execute(&statement, &plain(&values)).await.map_err(from_driver))
    }

    /// Commits. Only an answer from here makes a write done.
    pub async fn commit(mut self) -> Result<()> {
        if self.failed.load(Ordering::Relaxed) {
            return Err(Error::internal("a statement failed and its transaction was to be committed all the same"));
        }
        self.connection()?.client.batch_execute("commit").await.map_err(from_driver)?;
        self.connection = None;
        Ok(())
    }

    /// Rolls back.
    pub async fn rollback(mut self) -> Result<()> {
        if let Some(connection) = &self.connection {
            connection.client.batch_execute("rollback").await.map_err(from_driver)?;
        }
        self.connection = None;
        Ok(())
    }

    fn noting<T>(&self, outcome: Result<T>) -> Result<T> {
        if let Err(error) = &outcome {
            self.failed.store(true, Ordering::Relaxed);
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
            // The first poll sends it; the connection reads the answer before anything that is sent later.
            let _sent = connection.client.batch_execute("rollback").now_or_never();
        }
    }
}

impl std::fmt::Debug for Tx {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Tx").field("role", &self.role).field("opened", &self.opened).finish_non_exhaustive()
    }
}

/// Runs one statement in a transaction of its own: begin, opening, statement and commit are sent together, one round trip when the
/// connection knows the statement.
pub(crate) async fn run(connection: Pooled, opening: Opening, access: Access, sql: Sql) -> Result<(Opened, Vec<Row>)> {
    let (text, values) = sql.render();
    let role = opening.role();
    let known = if connection.prepares() { connection.known(role, &text) } else { None };
    if connection.prepares() && (known.is_none() || connection.known("", opening.text()).is_none()) {
        // Not seen here before: prepare inside the transaction, as the role that will run it.
        let tx = Tx::open(connection, opening, access).await?;
        let rows = query(tx.connection()?, role, text, &values).await?;
        let opened = tx.opened.clone();
        tx.commit().await?;
        return Ok((opened, rows));
    }
    // A cancelled request still ends its transaction: all four are on their way after the first poll.
    let client = &connection.client;
    let (begun, opened, rows, committed) = futures_util::join!(
        client.batch_execute(begin(access)),
        open(&connection, &opening),
        async {
            match &known {
                Some(statement) => client.query(statement, &plain(&values)).await,
                None => client.query_typed(&text, &untyped(&values)).await,
            }
        },
        client.batch_execute("commit"),
    );
    // The first that failed says why; those behind it only say that it did.
    let outcome = begun.map_err(from_driver).and(opened).and_then(|opened| {
        let rows = rows.map_err(from_driver)?;
        committed.map_err(from_driver).map(|()| (opened, rows))
    });
    outcome.inspect_err(|error| connection.note(error))
}

async fn open(connection: &Connection, opening: &Opening) -> Result<Opened> {
    let rows = if connection.prepares() {
        let statement = prepared(connection, "", opening.text().to_owned()).await?;
        connection.client.query(&statement, &plain(opening.values())).await
    } else {
        connection.client.query_typed(opening.text(), &untyped(opening.values())).await
    };
    let rows = rows.map_err(from_driver).map_err(Opening::refused)?;
    Opening::opened(rows.first())
}

async fn query(connection: &Connection, role: &'static str, text: String, values: &[Param]) -> Result<Vec<Row>> {
    if !connection.prepares() {
        return connection.client.query_typed(&text, &untyped(values)).await.map_err(from_driver);
    }
    let statement = prepared(connection, role, text).await?;
    connection.client.query(&statement, &plain(values)).await.map_err(from_driver)
}

async fn prepared(connection: &Connection, role: &'static str, text: String) -> Result<tokio_postgres::Statement> {
    if let Some(statement) = connection.known(role, &text) {
        return Ok(statement);
    }
    let statement = connection.client.prepare(&text).await.map_err(from_driver)?;
    connection.keep(role, text, &statement);
    Ok(statement)
}

fn plain(values: &[Param]) -> Vec<&(dyn ToSql + Sync)> {
    values.iter().map(by_reference).collect()
}

/// PostgreSQL takes a parameter of type `unknown` for one whose type it is to find out itself.
fn untyped(values: &[Param]) -> Vec<(&(dyn ToSql + Sync), Type)> {
    values.iter().map(|value| (by_reference(value), Type::UNKNOWN)).collect()
}

fn by_reference(value: &Param) -> &(dyn ToSql + Sync) {
    value
}

fn begin(access: Access) -> &'static str {
    match access {
        Access::Read => "begin read only",
        Access::Write => "begin read write",
    }
}
