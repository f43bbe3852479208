//! Reads that a replica may answer.
//!
//! Invariant: the primary is asked first who the caller is, in a transaction of his own, and refuses him as it always does. What a replica
//! says counts only as a whole: a read that fails there begins anew at the primary.

use std::time::Duration;

use kernel::{Grant, RequestContext, Result};

use super::{LogPosition, Replica, ReplicaStatus, follow};
use crate::database::{Answer, Database};
use crate::opening::{Opening, RIGHTS};
use crate::pool::Use;
use crate::sql::Sql;
use crate::tx::{self, Access, Tx};

/// The replica at which a transaction is open.
#[derive(Debug)]
pub struct AtReplica<'a>(&'a Replica);

impl AtReplica<'_> {
    /// Waits for what is done in the transaction, as long as the replica is one. Returns none where it has to be done at the primary.
    pub async fn answer<T>(&self, work: impl Future<Output = Result<T>>) -> Result<Option<T>> {
        self.0.answer(work).await
    }
}

impl Database {
    /// Runs one statement that only reads, where it can be read: at a replica that has what the caller must find, else at the primary. With
    /// `is_short` it may share a connection, as with [`Database::run_short`].
    pub async fn read(&self, grant: &Grant, context: &RequestContext, statement: Sql, is_short: bool) -> Result<Answer> {
        let purpose = if is_short { Use::Together } else { Use::Alone };
        if let Some((replica, opening)) = self.carry(grant, context, self.statement_timeout()).await? {
            let statement = statement.clone();
            let asked = async {
                let connection = replica.pool.acquire(purpose).await?;
                let (opened, rows) = Box::pin(tx::run(connection, opening, Access::Read, statement)).await?;
                Ok(Answer { opened, rows })
            };
            if let Some(answer) = replica.answer(asked).await? {
                return Ok(answer);
            }
        }
        if is_short { self.run_short(grant, context, statement).await } else { self.run(grant, context, Access::Read, statement).await }
    }

    /// Opens a transaction that only reads at a replica; none where it is the primary's turn. `time` is how long one of its statements may
    /// run. What is done in it is waited for with [`AtReplica::answer`].
    pub async fn begin_at_replica(
        &self,
        grant: &Grant,
        context: &RequestContext,
        time: Option<Duration>,
    ) -> Result<Option<(Tx, AtReplica<'_>)>> {
        let time = time.unwrap_or_else(|| self.statement_timeout());
        let Some((replica, opening)) = self.carry(grant, context, time).await? else { return Ok(None) };
        let opened = async {
            let connection = replica.pool.acquire(Use::Alone).await?;
            Box::pin(Tx::open(connection, opening, Access::Read)).await
        };
        Ok(replica.stay(opened).await?.map(|tx| (tx, AtReplica(replica))))
    }

    /// Returns where the log ends, where there are replicas: what was written until now is read by whoever shows it.
    pub async fn position(&self) -> Result<Option<LogPosition>> {
        if self.replicas().is_none() {
            return Ok(None);
        }
        follow::end_of_log(self.pool()).await.map(Some)
    }

    /// Tells whether reads may go elsewhere.
    pub fn has_replicas(&self) -> bool {
        self.replicas().is_some()
    }

    /// Looks at replicas for ever; returns where there are none.
    pub async fn follow_replicas(&self) {
        if let Some(replicas) = self.replicas() {
            replicas.follow().await;
        }
    }

    /// Returns how each replica is.
    pub fn replica_status(&self) -> Vec<ReplicaStatus> {
        self.replicas().map(|replicas| replicas.status()).unwrap_or_default()
    }

    /// Finds a replica for a caller, and asks the primary who he is.
    async fn carry(&self, grant: &Grant, context: &RequestContext, time: Duration) -> Result<Option<(&Replica, Opening)>> {
        let Some(replicas) = self.replicas().filter(|_| !self.is_alone()) else { return Ok(None) };
        let position = context.position.map(LogPosition);
        let Some(drawn) = replicas.draw(position) else { return Ok(None) };
        let found = self.run_short(grant, context, Sql::new(RIGHTS)).await?;
        let Some(rights) = found.rows.first() else { return Ok(None) };
        // Asked only now: a write that was noted before is one that the caller may know of.
        let written = self.writes().last_for(found.opened.company_id);
        let Some((replica, position)) = replicas.with(drawn, written, position) else { return Ok(None) };
        let opening = self.opening(grant, context, Access::Read, time).carried(rights, position)?;
        Ok(Some((replica, opening)))
    }
}
