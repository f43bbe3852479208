//! Looking how far the primary and each replica are, again and again.
//!
//! Invariant: a replica is read from only while it answers, replays the log of this primary, and takes no writes of its own. A look that
//! gets no answer in its time takes it out; the next one that does takes it back. Each is looked at by itself and on a connection of its
//! own, so that neither a crowd of reads nor another replica that hangs makes a look late.

use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant};

use futures_util::future::{join, join_all};
use kernel::{Error, Result};

use super::standing::{Ends, Look, Out};
use super::{LogPosition, Replica, Replicas};
use crate::error::from_wire;
use crate::pool::{Pool, Use};
use crate::row::Row;
use crate::wire::{Part, Step};

/// Where the log ends, since when the server runs, and whether it tells whose it is. A new page begins with a header, behind which nothing was
/// written yet: it ends before that.
const END: &str = "select (e.place - case when (e.place - '0/0') % 8192 = 24 then 24
                          when (e.place - '0/0') % pg_catalog.pg_size_bytes(pg_catalog.current_setting('wal_segment_size')) = 40 then 40
                          else 0 end)::text,
       pg_catalog.pg_postmaster_start_time()::text,
       pg_catalog.has_function_privilege('pg_catalog.pg_control_system()', 'execute')
  from (select pg_catalog.pg_current_wal_insert_lsn()) e (place)";

/// The same of how far a replica is.
const REPLAYED: &str =
    "select case when pg_catalog.pg_is_in_recovery() then coalesce(pg_catalog.pg_last_wal_replay_lsn()::text, '0/0') end,
       pg_catalog.pg_postmaster_start_time()::text,
       pg_catalog.has_function_privilege('pg_catalog.pg_control_system()', 'execute')";

/// Whose a server is. Asked by itself: a statement that names it is refused where it may not be called, whatever its conditions.
const SYSTEM: &str = "select c.system_identifier::text from pg_catalog.pg_control_system() c";

/// Where the log ends, without anything else: shown to who wrote.
const POSITION: &str = "select pg_catalog.pg_current_wal_insert_lsn()::text, null::text, false";

/// A look may take as long as some intervals, or this long where they are shorter; never longer than rows may be old.
const INTERVALS: u32 = 4;
const LOOK_MIN: Duration = Duration::from_secs(2);

/// What a server says of its log.
struct Said {
    place: Option<LogPosition>,
    started: Option<String>,
    tells_system: bool,
}

/// Whose a server is, which does not change while it runs.
#[derive(Default)]
struct Whose {
    system: Option<String>,
    started: Option<String>,
}

/// What is known of the primary.
#[derive(Default)]
struct Primary {
    ends: Ends,
    system: Option<String>,
}

impl Replicas {
    /// Looks for ever.
    pub(crate) async fn follow(&self) {
        let primary = Mutex::new(Primary::default());
        join(self.follow_primary(&primary), join_all(self.all.iter().map(|replica| self.follow_replica(replica, &primary)))).await;
    }

    async fn follow_primary(&self, known: &Mutex<Primary>) {
        let (mut ticks, mut whose) = (self.ticks(), Whose::default());
        loop {
            ticks.tick().await;
            let asked = Instant::now();
            // Without the primary nobody can be asked about; what replicas have grows old meanwhile.
            let look = tokio::time::timeout(self.look_time(), whose.look(&self.primary, END));
            if let Ok(Ok(Said { place: Some(place), .. })) = look.await {
                let mut known = known.lock().unwrap_or_else(PoisonError::into_inner);
                known.ends.note(asked, place);
                known.system.clone_from(&whose.system);
            }
            for status in self.status() {
                let lag = status.lag.ok().flatten().map_or(f64::INFINITY, |lag| lag.as_secs_f64());
                metrics::gauge!("database_replica_lag_seconds", "replica" => status.name.clone()).set(lag);
                metrics::gauge!("database_replica_used", "replica" => status.name).set(f64::from(u8::from(status.is_used)));
            }
        }
    }

    async fn follow_replica(&self, replica: &Replica, known: &Mutex<Primary>) {
        let (mut ticks, mut whose) = (self.ticks(), Whose::default());
        loop {
            ticks.tick().await;
            match tokio::time::timeout(self.look_time(), whose.look(&replica.watch, REPLAYED)).await {
                Ok(Ok(said)) => replica.stands(&said, whose.system.as_deref(), &known.lock().unwrap_or_else(PoisonError::into_inner)),
                Ok(Err(error)) => replica.leave(Out::Away, error.message()),
                Err(_elapsed) => replica.leave(Out::Away, "it did not answer in time"),
            }
        }
    }

    fn ticks(&self) -> tokio::time::Interval {
        let mut ticks = tokio::time::interval(self.look_interval);
        ticks.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Delay);
        ticks
    }

    fn look_time(&self) -> Duration {
        self.look_interval.saturating_mul(INTERVALS).max(LOOK_MIN).min(self.lag_max)
    }
}

impl Replica {
    fn stands(&self, said: &Said, system: Option<&str>, primary: &Primary) {
        let Some(replayed) = said.place else {
            return self.leave(Out::Promoted, "it takes writes of its own");
        };
        if let (Some(own), Some(primary)) = (system, primary.system.as_deref())
            && own != primary
        {
            return self.leave(Out::Foreign, "it is a copy of another database");
        }
        let look = Look { at: Instant::now(), replayed, started: said.started.clone() };
        match self.standing.note(&primary.ends, look) {
            Ok(Some(why)) => tracing::info!(replica = self.name, before = why.name(), "a replica is read from"),
            Ok(None) => {}
            Err(why) => self.leave(why, "it has a log that this primary never wrote"),
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

impl Whose {
    /// Looks at a server, and asks whose it is where that is not known.
    async fn look(&mut self, pool: &Pool, text: &'static str) -> Result<Said> {
        let said = said(pool, text).await?;
        if self.started != said.started {
            *self = Self::default();
        }
        if self.system.is_none() && said.tells_system {
            let system = row(pool, SYSTEM).await?.try_get(0).map_err(Error::internal)?;
            *self = Self { system, started: said.started.clone() };
        }
        Ok(said)
    }
}

async fn said(pool: &Pool, text: &'static str) -> Result<Said> {
    let row = row(pool, text).await?;
    let text = |index: usize| row.try_get::<_, Option<String>>(index).map_err(Error::internal);
    let place = text(0)?.map(|place| place.parse()).transpose()?;
    Ok(Said { place, started: text(1)?, tells_system: row.try_get(2).map_err(Error::internal)? })
}

async fn row(pool: &Pool, text: &'static str) -> Result<Row> {
    let connection = pool.acquire(Use::Together).await?;
    let step = Step { role: "", text, values: &[], kept: true };
    let parts = match connection.ask(&[step]) {
        Ok(reply) => reply.parts().await,
        Err(fault) => Err(fault),
    };
    let parts = parts.map_err(from_wire).inspect_err(|error| connection.note(error))?;
    let rows = parts.into_iter().next().map(Part::rows).unwrap_or_default();
    rows.into_iter().next().ok_or_else(|| Error::internal("a server said nothing of its log"))
}
