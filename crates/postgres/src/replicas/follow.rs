//! Looking how far the primary and each replica are, again and again.
//!
//! Invariant: a replica is read from only while it answers, replays the log of this primary, and takes no writes of its own. A look that
//! gets no answer in the time that rows may be old takes it out; the next one that does takes it back.

use std::time::Instant;

use futures_util::future::join_all;
use kernel::{Error, Result};

use super::standing::{Ends, Out};
use super::{LogPosition, Replica, Replicas};
use crate::error::from_wire;
use crate::pool::{Pool, Use};
use crate::row::Row;
use crate::wire::{Part, Step};

/// Where the log ends, and whose it is. A new page begins with a header, behind which nothing was written yet: it ends before that.
const END: &str = "select (e.place - case when (e.place - '0/0') % 8192 = 24 then 24
                          when (e.place - '0/0') % pg_catalog.pg_size_bytes(pg_catalog.current_setting('wal_segment_size')) = 40 then 40
                          else 0 end)::text,
       case when pg_catalog.has_function_privilege('pg_catalog.pg_control_system()', 'execute')
            then (select c.system_identifier::text from pg_catalog.pg_control_system() c) end
  from (select pg_catalog.pg_current_wal_insert_lsn()) e (place)";

/// How far a replica is, and whose it is.
const REPLAYED: &str =
    "select case when pg_catalog.pg_is_in_recovery() then coalesce(pg_catalog.pg_last_wal_replay_lsn()::text, '0/0') end,
       case when pg_catalog.has_function_privilege('pg_catalog.pg_control_system()', 'execute')
            then (select c.system_identifier::text from pg_catalog.pg_control_system() c) end";

/// Where the log ends, without anything else: shown to who wrote.
const POSITION: &str = "select pg_catalog.pg_current_wal_insert_lsn()::text, null::text";

/// What a server says of its log.
struct Said {
    place: Option<LogPosition>,
    system: Option<String>,
}

impl Replicas {
    /// Looks for ever.
    pub(crate) async fn follow(&self, primary: &Pool) {
        let mut ends = Ends::default();
        let mut ticks = tokio::time::interval(self.look_interval);
        ticks.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Delay);
        loop {
            ticks.tick().await;
            self.look(primary, &mut ends).await;
        }
    }

    async fn look(&self, primary: &Pool, ends: &mut Ends) {
        let asked = Instant::now();
        let system = match tokio::time::timeout(self.lag_max, said(primary, END)).await {
            Ok(Ok(Said { place: Some(place), system })) => {
                ends.note(asked, place);
                system
            }
            // Without the primary nobody can be asked about; what replicas have grows old meanwhile.
            Ok(Ok(_) | Err(_)) | Err(_) => None,
        };
        let (ends, system) = (&*ends, system.as_deref());
        join_all(self.all.iter().map(|replica| async move {
            match tokio::time::timeout(self.lag_max, said(&replica.pool, REPLAYED)).await {
                Ok(Ok(said)) => replica.stands(&said, ends, system),
                Ok(Err(error)) => replica.leave(Out::Away, error.message()),
                Err(_elapsed) => replica.leave(Out::Away, "it did not answer in time"),
            }
        }))
        .await;
        for status in self.status() {
            let lag = status.lag.ok().flatten().map_or(f64::INFINITY, |lag| lag.as_secs_f64());
            metrics::gauge!("database_replica_lag_seconds", "replica" => status.name.clone()).set(lag);
            metrics::gauge!("database_replica_used", "replica" => status.name).set(f64::from(u8::from(status.is_used)));
        }
    }
}

impl Replica {
    fn stands(&self, said: &Said, ends: &Ends, system: Option<&str>) {
        let Some(replayed) = said.place else {
            return self.leave(Out::Promoted, "it takes writes of its own");
        };
        if let (Some(own), Some(primary)) = (said.system.as_deref(), system)
            && own != primary
        {
            return self.leave(Out::Foreign, "it is a copy of another database");
        }
        if let Some(why) = self.standing.note(ends, replayed) {
            tracing::info!(replica = self.name, before = why.name(), "a replica is read from");
        }
    }

    fn leave(&self, why: Out, message: &str) {
        if self.standing.leave(why) {
            tracing::warn!(replica = self.name, why = why.name(), "a replica is no longer read from: {message}");
            // Who waits for it gets his answer elsewhere.
            self.left.notify_waiters();
        }
    }
}

/// Asks the primary where its log ends: what was committed before can be read where it was replayed until there.
pub(crate) async fn end_of_log(primary: &Pool) -> Result<LogPosition> {
    said(primary, POSITION).await?.place.ok_or_else(|| Error::internal("the log has no end"))
}

async fn said(pool: &Pool, text: &'static str) -> Result<Said> {
    let connection = pool.acquire(Use::Together).await?;
    let step = Step { role: "", text, values: &[], kept: true };
    let parts = match connection.ask(&[step]) {
        Ok(reply) => reply.parts().await,
        Err(fault) => Err(fault),
    };
    let parts = parts.map_err(from_wire).inspect_err(|error| connection.note(error))?;
    let rows = parts.into_iter().next().map(Part::rows).unwrap_or_default();
    let text = |row: &Row, index: usize| row.try_get::<_, Option<String>>(index).map_err(Error::internal);
    let row = rows.first().ok_or_else(|| Error::internal("a server said nothing of its log"))?;
    Ok(Said { place: text(row, 0)?.map(|place| place.parse()).transpose()?, system: text(row, 1)? })
}
