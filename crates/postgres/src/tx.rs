//! The transaction: the only way to the database.
//!
//! Invariant: nothing runs before the opening statement has set role, claims, company and permissions from the session's and the member's
//! rows as they are at this moment. Where it refuses, PostgreSQL refuses every statement behind it. All settings end with the transaction,
//! so that a connection never carries one caller's context into another's request.

use std::sync::atomic::{AtomicBool, Ordering};

use futures_util::FutureExt as _;
use kernel::{CompanyId, Error, Grant, RequestContext, Result, Subject};
use tokio_postgres::Row;
use tokio_postgres::types::{ToSql, Type};

use crate::error::{from_driver, unavailable};
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

/// What the opening statement found.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Opened {
    /// The active company.
    pub company_id: Option<CompanyId>,
    /// What the user is in it.
    pub member_role: Option<String>,
}

/// A transaction that is open for one caller. Dropped without [`Tx::commit`], it is rolled back.
pub struct Tx {
    connection: Option<Pooled>,
    role: &'static str,
    opened: Opened,
    /// A statement failed: PostgreSQL would answer a commit with a silent rollback.
    failed: AtomicBool,
}

const OPENING: &str = "select o.company_id, o.member_role,
       set_config('request.jwt.claims', o.claims, true),
       set_config('app.company_id', coalesce(o.company_id::text, ''), true),
       set_config('app.current_tenant_id', '', true),
       set_config('app.user_id', coalesce(o.user_id::text, ''), true),
       set_config('app.member_role', coalesce(o.member_role, ''), true),
       set_config('app.permissions', o.permissions, true),
       set_config('request.method', $8::text, true),
       set_config('request.path', $9::text, true),
       set_config('request.headers', $10::text, true),
       set_config('request.cookies', $11::text, true),
       set_config('statement_timeout', $12::text, true),
       set_config('search_path', 'public, extensions', true),
       set_config('role', o.role, true)
  from app.open_request($1::text, $2::uuid, $3::uuid, $4::uuid, $5::jsonb, $6::text, $7::boolean) o";

impl Tx {
    /// Begins and opens in one round trip.
    pub(crate) async fn open(connection: Pooled, opening: Opening, access: Access) -> Result<Self> {
        let mut tx = Self {
            connection: Some(connection),
            role: opening.role,
            opened: Opened { company_id: None, member_role: None },
            failed: AtomicBool::new(false),
        };
        let connection = tx.connection()?;
        let (begun, opened) = futures_util::join!(connection.client.batch_execute(begin(access)), opening.send(connection));
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
    let role = opening.role;
    let known = if connection.prepares() { connection.known(role, &text) } else { None };
    if connection.prepares() && (known.is_none() || connection.known("", OPENING).is_none()) {
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
        opening.send(&connection),
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

/// The opening statement's values.
pub(crate) struct Opening {
    role: &'static str,
    values: Vec<Param>,
}

impl Opening {
    pub(crate) fn of(grant: &Grant, context: &RequestContext, statement_timeout_ms: u128) -> Self {
        let principal = grant.principal();
        let kind = match principal.subject() {
            Subject::Anonymous => "anon",
            Subject::User { .. } => "user",
            Subject::Service => "service",
            Subject::System { .. } => "system",
        };
        let values = vec![
            Param::from(kind),
            principal.user_id().into(),
            principal.session_id().into(),
            principal.requested_company().into(),
            Param::from(principal.claims().as_ref()),
            grant.permission().into(),
            grant.company_required().into(),
            Param::from(context.method.as_ref()),
            Param::from(context.path.as_ref()),
            Param::from(context.headers_json.as_ref()),
            Param::from(context.cookies_json.as_ref()),
            Param::from(statement_timeout_ms.to_string()),
        ];
        Self { role: principal.database_role(), values }
    }

    async fn send(&self, connection: &Connection) -> Result<Opened> {
        let row = if connection.prepares() {
            let statement = prepared(connection, "", OPENING.to_owned()).await?;
            connection.client.query(&statement, &plain(&self.values)).await
        } else {
            connection.client.query_typed(OPENING, &untyped(&self.values)).await
        };
        let row = row.map_err(from_driver).map_err(kept_role)?.pop().ok_or_else(|| Error::internal("the opening statement gave no row"))?;
        let company_id: Option<uuid::Uuid> = row.try_get(0).map_err(from_driver)?;
        let member_role = row.try_get(1).map_err(from_driver)?;
        Ok(Opened { company_id: company_id.map(CompanyId), member_role })
    }
}

/// Every caller may have the opening statement run. Where that is refused, the connection still has a role that somebody gave it beyond his
/// transaction, and is good for nobody.
fn kept_role(refusal: Error) -> Error {
    if refusal.code() == "42501" { unavailable(refusal) } else { refusal }
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
