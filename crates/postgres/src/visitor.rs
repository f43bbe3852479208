//! A visit to a database of anybody: one connection, one transaction that cannot write, one statement after the other.
//!
//! Invariant: nothing that is asked changes anything, waits for a lock longer than allowed, or finds a function or table of the
//! visited database by an unqualified name. A statement that is refused leaves the visit as it was.

use std::path::Path;
use std::time::Duration;

use kernel::Result;
use tokio::task::JoinHandle;
use tokio_postgres::types::Type;
use tokio_postgres::{Client, Config, NoTls, SimpleQueryMessage, SimpleQueryRow};

use crate::error::unavailable;
use crate::options::tls;

/// How long a broken connection may be silent after a statement should have ended.
const SILENCE: Duration = Duration::from_secs(5);
/// Where names are looked for: PostgreSQL's own first, what the session made last.
const PATH: &str = "pg_catalog, pg_temp";

/// What a visit may take.
#[derive(Clone, Copy, Debug)]
pub struct VisitLimits {
    /// How long connecting may take.
    pub connect: Duration,
    /// How long one statement may run.
    pub statement: Duration,
    /// How long a statement may wait for a lock.
    pub lock: Duration,
    /// Rows of an answer that are kept; the others are counted.
    pub rows_max: usize,
}

/// A connection in a transaction that only reads. It ends with this.
#[derive(Debug)]
pub struct Visitor {
    client: Client,
    connection: JoinHandle<()>,
    limits: VisitLimits,
}

/// What a statement answered.
#[derive(Debug, Default)]
pub struct Visited {
    /// Its rows, up to the limit.
    pub rows: Vec<VisitedRow>,
    /// Rows beyond the limit.
    pub more: usize,
}

/// A row, each value as text.
#[derive(Debug)]
pub struct VisitedRow(SimpleQueryRow);

/// Why a statement has no answer.
#[derive(Clone, PartialEq, Eq, Debug, thiserror::Error)]
pub enum VisitFault {
    /// The login may not.
    #[error("a right is missing: {0}")]
    Right(String),
    /// It ran or waited for longer than allowed.
    #[error("it took longer than allowed")]
    Time,
    /// The connection is gone.
    #[error("the connection is gone")]
    Gone,
    /// Anything else that PostgreSQL says.
    #[error("{message} ({state})")]
    Other {
        /// The SQLSTATE.
        state: String,
        /// What it says.
        message: String,
    },
}

impl VisitedRow {
    /// Returns a value as text; none where it is null or there is no such column.
    pub fn text(&self, column: &str) -> Option<&str> {
        self.0.columns().iter().position(|found| found.name() == column).and_then(|index| self.0.get(index))
    }
}

impl Visitor {
    /// Connects and begins the transaction.
    pub async fn connect(server: &Config, root_certificate_file: Option<&Path>, limits: VisitLimits) -> Result<Self> {
        let mut server = server.clone();
        server.application_name("thorbis doctor").connect_timeout(limits.connect);
        let connecting = async {
            match tls(&server, root_certificate_file)? {
                None => {
                    let (client, connection) = server.connect(NoTls).await.map_err(unavailable)?;
                    Ok::<_, kernel::Error>((client, tokio::spawn(async move { drop(connection.await) })))
                }
                Some(tls) => {
                    let (client, connection) = server.connect(tls).await.map_err(unavailable)?;
                    Ok((client, tokio::spawn(async move { drop(connection.await) })))
                }
            }
        };
        let (client, connection) = tokio::time::timeout(limits.connect, connecting).await.map_err(unavailable)??;
        let this = Self { client, connection, limits };
        this.begin().await.map_err(unavailable)?;
        Ok(this)
    }

    async fn begin(&self) -> std::result::Result<(), VisitFault> {
        self.within(self.client.batch_execute("begin transaction isolation level repeatable read, read only")).await?;
        let milliseconds = |duration: Duration| duration.as_millis().to_string();
        for (setting, value) in [
            ("statement_timeout", milliseconds(self.limits.statement)),
            ("lock_timeout", milliseconds(self.limits.lock)),
            ("search_path", PATH.to_owned()),
            // Rows that a policy would hide are a missing right, not an answer.
            ("row_security", "off".to_owned()),
        ] {
            self.set(setting, &value).await?;
        }
        Ok(())
    }

    /// Sets something for the time of the visit.
    pub async fn set(&self, setting: &str, value: &str) -> std::result::Result<(), VisitFault> {
        let values: [(&(dyn tokio_postgres::types::ToSql + Sync), Type); 2] = [(&setting, Type::TEXT), (&value, Type::TEXT)];
        // Not prepared, so that it works behind a pooler.
        self.within(self.client.query_typed("select pg_catalog.set_config($1, $2, true)", &values)).await.map(|_| ())
    }

    /// Looks for tables in one more schema, after PostgreSQL's own; none again without.
    pub async fn look_in(&self, schema: Option<&str>) -> std::result::Result<(), VisitFault> {
        let path = schema.map_or_else(|| PATH.to_owned(), |schema| format!("pg_catalog, \"{}\", pg_temp", schema.replace('"', "\"\"")));
        self.set("search_path", &path).await
    }

    /// Asks one statement. It is the caller's own text: nothing of a stranger may be part of it.
    pub async fn ask(&self, sql: &str) -> std::result::Result<Visited, VisitFault> {
        // In one trip: where the statement fails, its end is refused too, and is gone back to.
        let (begun, answer, ended) = tokio::join!(
            self.within(self.client.batch_execute("savepoint visited")),
            self.within(self.client.simple_query(sql)),
            self.within(self.client.batch_execute("release savepoint visited")),
        );
        begun?;
        match answer {
            Ok(messages) => {
                ended?;
                Ok(self.keep(messages))
            }
            Err(fault) => {
                if fault != VisitFault::Gone {
                    self.within(self.client.batch_execute("rollback to savepoint visited; release savepoint visited")).await?;
                }
                Err(fault)
            }
        }
    }

    fn keep(&self, messages: Vec<SimpleQueryMessage>) -> Visited {
        let mut visited = Visited::default();
        for message in messages {
            let SimpleQueryMessage::Row(row) = message else { continue };
            if visited.rows.len() < self.limits.rows_max {
                visited.rows.push(VisitedRow(row));
            } else {
                visited.more += 1;
            }
        }
        visited
    }

    async fn within<T>(
        &self,
        asked: impl Future<Output = std::result::Result<T, tokio_postgres::Error>>,
    ) -> std::result::Result<T, VisitFault> {
        match tokio::time::timeout(self.limits.statement + SILENCE, asked).await {
            Ok(answer) => answer.map_err(|cause| fault(&cause)),
            Err(_silent) => Err(VisitFault::Gone),
        }
    }

    /// Ends the visit.
    pub async fn leave(self) {
        // Nothing was written, so that it does not matter whether this arrives.
        drop(self.within(self.client.batch_execute("rollback")).await);
    }
}

impl Drop for Visitor {
    fn drop(&mut self) {
        self.connection.abort();
    }
}

fn fault(cause: &tokio_postgres::Error) -> VisitFault {
    let Some(said) = cause.as_db_error() else { return VisitFault::Gone };
    let (state, message) = (said.code().code(), said.message().to_owned());
    match state {
        "42501" => VisitFault::Right(message),
        "57014" | "55P03" => VisitFault::Time,
        "57P01" | "57P02" | "57P03" | "08P01" => VisitFault::Gone,
        _ => VisitFault::Other { state: state.to_owned(), message },
    }
}
