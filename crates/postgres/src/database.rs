//! The database as the floors above see it: a grant goes in, an answer comes out.
//!
//! Invariant: there is no way to a connection but [`Database::begin`] and [`Database::run`], and both take a grant.

use std::sync::Arc;
use std::time::Duration;

use kernel::{Grant, RequestContext, Result};
use tokio_postgres::Row;

use crate::error::from_driver;
use crate::opening::{Opened, Opening};
use crate::pool::{self, Pool, PoolOptions, PoolStatus};
use crate::sql::Sql;
use crate::tx::{self, Access, Tx};

/// The pool of the server login's connections. Cheap to clone.
#[derive(Clone)]
pub struct Database {
    pool: Pool,
    limits: Arc<Limits>,
}

#[derive(Debug)]
struct Limits {
    statement_timeout: Duration,
    idle: Duration,
}

/// What one statement gave, and for whom it ran.
#[derive(Debug)]
pub struct Answer {
    /// What the opening statement found.
    pub opened: Opened,
    /// The statement's rows.
    pub rows: Vec<Row>,
}

impl Database {
    /// Makes the pool. Connects at first use.
    pub fn new(options: PoolOptions) -> Result<Self> {
        let limits = Limits { statement_timeout: options.statement_timeout, idle: options.idle };
        Ok(Self { pool: pool::pool(options)?, limits: Arc::new(limits) })
    }

    /// Runs one statement in a transaction of its own, in one round trip when it is warm. An error leaves nothing behind.
    pub async fn run(&self, grant: &Grant, context: &RequestContext, access: Access, statement: Sql) -> Result<Answer> {
        let connection = pool::acquire(&self.pool).await?;
        let (opened, rows) = Box::pin(tx::run(connection, self.opening(grant, context), access, statement)).await?;
        Ok(Answer { opened, rows })
    }

    /// Opens a transaction for several statements.
    pub async fn begin(&self, grant: &Grant, context: &RequestContext, access: Access) -> Result<Tx> {
        let connection = pool::acquire(&self.pool).await?;
        Box::pin(Tx::open(connection, self.opening(grant, context), access)).await
    }

    /// Asks PostgreSQL for an answer, without a caller and without a right.
    pub async fn ping(&self) -> Result<()> {
        let connection = pool::acquire(&self.pool).await?;
        connection.client.simple_query("select 1").await.map_err(from_driver)?;
        Ok(())
    }

    /// Returns how the pool is.
    pub fn pool_status(&self) -> PoolStatus {
        let status = self.pool.status();
        PoolStatus { size: status.size, size_max: status.max_size, available: status.available, waiting: status.waiting }
    }

    /// Closes connections that nobody used for longer than the idle time. To be called now and then.
    pub fn reap_idle(&self) {
        pool::reap(&self.pool, self.limits.idle);
    }

    /// Closes all connections; later calls fail.
    pub fn close(&self) {
        self.pool.close();
    }

    fn opening(&self, grant: &Grant, context: &RequestContext) -> Opening {
        Opening::of(grant, context, self.limits.statement_timeout.as_millis())
    }
}

impl std::fmt::Debug for Database {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Database").field("pool", &self.pool_status()).finish_non_exhaustive()
    }
}
