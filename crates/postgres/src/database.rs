//! The database as the floors above see it: a grant goes in, an answer comes out.
//!
//! Invariant: there is no way to a connection but [`Database::begin`] and [`Database::run`], and both take a grant.

use std::sync::Arc;
use std::time::{Duration, Instant};

use arc_swap::ArcSwap;
use kernel::{CompanyId, Grant, RequestContext, Result};
use tracing::Instrument;

use crate::alone::Alone;
use crate::error::from_wire;
use crate::explain;
use crate::opening::{Opened, Opening};
use crate::options::{PoolOptions, PoolStatus};
use crate::pool::{Pool, Use};
use crate::replicas::{ReplicaOptions, Replicas};
use crate::row::Row;
use crate::spans;
use crate::sql::Sql;
use crate::tx::{self, Access, Tx};
use crate::writes::{Noted, OwnWrites};

/// The pool of the server login's connections. Cheap to clone.
#[derive(Clone)]
pub struct Database {
    pool: Pool,
    statement_timeout: Duration,
    alone: Option<Arc<ArcSwap<Alone>>>,
    writes: Arc<OwnWrites>,
    replicas: Option<Arc<Replicas>>,
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
        let statement_timeout = options.statement_timeout;
        let alone = options.alone.clone();
        Ok(Self { pool: Pool::new(options)?, statement_timeout, alone, writes: Arc::new(OwnWrites::new()), replicas: None })
    }

    /// Has reads that may be a little old go to replicas, whose pools are like this one's. They are used once they are followed.
    pub fn with_replicas(mut self, options: ReplicaOptions, like: &PoolOptions) -> Result<Self> {
        self.replicas = if options.servers.is_empty() { None } else { Some(Arc::new(Replicas::new(options, like)?)) };
        Ok(self)
    }

    /// Runs one statement in a transaction of its own, in one round trip. An error leaves nothing behind.
    pub async fn run(&self, grant: &Grant, context: &RequestContext, access: Access, statement: Sql) -> Result<Answer> {
        self.run_on(Use::Alone, self.usual(grant, context, access), access, statement).await
    }

    /// Runs one statement that only reads, and only a handful of rows that its keys find: others of its kind may be under way on the same
    /// connection, and wait for it.
    pub async fn run_short(&self, grant: &Grant, context: &RequestContext, statement: Sql) -> Result<Answer> {
        self.run_on(Use::Together, self.usual(grant, context, Access::Read), Access::Read, statement).await
    }

    /// Opens a transaction for several statements.
    pub async fn begin(&self, grant: &Grant, context: &RequestContext, access: Access) -> Result<Tx> {
        self.begin_with(self.usual(grant, context, access), access).await
    }

    /// Runs an EXPLAIN as the caller, in a transaction of its own, and returns what it says: lines, or one document.
    pub async fn explain(&self, grant: &Grant, context: &RequestContext, access: Access, explain: Sql) -> Result<String> {
        let answer = self.run_on(Use::Alone, self.usual(grant, context, access), access, explain).await?;
        explain::said(&answer.rows)
    }

    /// Asks PostgreSQL for an answer, without a caller and without a right.
    pub async fn ping(&self) -> Result<()> {
        let connection = self.pool.acquire(Use::Alone).await?;
        let answered = connection.say("select 1").map_err(from_wire)?.parts().await.map_err(from_wire);
        answered.map(drop).inspect_err(|error| connection.note(error))
    }

    /// Tells whether the database is not ours: nothing of our schema is in it.
    pub fn is_alone(&self) -> bool {
        self.alone.is_some()
    }

    /// Returns when a caller wrote last through this pool what may be about a company.
    pub fn last_write(&self, company: CompanyId) -> Option<Instant> {
        self.writes.last(company)
    }

    /// Returns how the pool is.
    pub fn pool_status(&self) -> PoolStatus {
        self.pool.status()
    }

    /// Closes connections that nobody used for longer than the idle time. To be called now and then.
    pub fn reap_idle(&self) {
        self.pool.reap();
        if let Some(replicas) = &self.replicas {
            replicas.reap();
        }
    }

    /// Closes all connections; later calls fail.
    pub fn close(&self) {
        self.pool.close();
        if let Some(replicas) = &self.replicas {
            replicas.close();
        }
    }

    pub(crate) fn pool(&self) -> &Pool {
        &self.pool
    }

    pub(crate) fn replicas(&self) -> Option<&Arc<Replicas>> {
        self.replicas.as_ref()
    }

    pub(crate) fn writes(&self) -> &OwnWrites {
        &self.writes
    }

    pub(crate) fn statement_timeout(&self) -> Duration {
        self.statement_timeout
    }

    async fn run_on(&self, purpose: Use, opening: Opening, access: Access, statement: Sql) -> Result<Answer> {
        let connection = self.pool.acquire(purpose).await?;
        let mut noted = Noted::of(&self.writes, &opening, access);
        noted.sent(opening.requested_company(), &connection);
        let span = spans::alone(access);
        spans::note_operation(&span, statement.as_text());
        let ran = Box::pin(tx::run(connection, opening, access, statement)).instrument(span.clone()).await;
        if let Err(error) = &ran {
            spans::note_error(&span, error);
        }
        noted.ended(ran.as_ref().map(|(opened, _)| opened.company_id));
        ran.map(|(opened, rows)| Answer { opened, rows })
    }

    pub(crate) async fn begin_with(&self, opening: Opening, access: Access) -> Result<Tx> {
        let connection = self.pool.acquire(Use::Alone).await?;
        let noted = Noted::of(&self.writes, &opening, access);
        Ok(Box::pin(Tx::open(connection, opening, access)).await?.noted(noted))
    }

    fn usual(&self, grant: &Grant, context: &RequestContext, access: Access) -> Opening {
        self.opening(grant, context, access, self.statement_timeout)
    }

    pub(crate) fn opening(&self, grant: &Grant, context: &RequestContext, access: Access, statement_timeout: Duration) -> Opening {
        match &self.alone {
            Some(alone) => Opening::alone(&alone.load(), grant, context, access),
            None => Opening::of(grant, context, statement_timeout.as_millis(), access),
        }
    }
}

impl std::fmt::Debug for Database {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Database").field("pool", &self.pool_status()).finish_non_exhaustive()
    }
}
