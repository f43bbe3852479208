//! What has to be done again and again while the server runs: seals over the audit, their anchors outside of the database, partitions,
//! retention, companies that are gone for good, figures, files whose time is over.
//!
//! Invariant: each pass is one or more bounded transactions under an advisory lock, so that of several servers one works; nothing is
//! remembered between passes that a restart would lose. No work hinders another: each is done, fails and is tried again for itself, and
//! what was not done in time or failed is told by readiness. A server that is told to stop waits for none of it longer than its grace.

mod anchors;
mod done;
mod redactions;
mod seal;
mod upkeep;
pub(crate) mod verify;

use std::path::Path;
use std::sync::{Arc, OnceLock};
use std::time::Duration;

use arc_swap::ArcSwap;
use kernel::{Error, Result};
use postgres::{Sql, Tx};
use tokio::sync::Mutex;
use tokio::time::Instant;
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

use crate::backend::Backend;
use crate::config::{Maintenance as Intervals, Settings};
use crate::health::Preparation;

use anchors::Anchors;
pub(crate) use anchors::{FILE as ANCHOR_FILE, Kept as KeptAnchors, read as read_anchors};
pub(crate) use done::Done;

/// How soon a work is tried again that failed or that another server was at; doubled with every time, up to its interval.
const AGAIN: Duration = Duration::from_secs(5);

/// What is done, each for itself.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum Work {
    Seal,
    Anchor,
    Partitions,
    Retention,
    Companies,
    Figures,
    Files,
}

/// How a pass ended that did not fail.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum Outcome {
    Done,
    /// Another server is at it: it may yet fail there.
    Elsewhere,
}

impl Work {
    const ALL: [Self; 7] = [Self::Seal, Self::Anchor, Self::Partitions, Self::Retention, Self::Companies, Self::Figures, Self::Files];
    /// What is also done at the start.
    const UPKEEP: [Self; 5] = [Self::Partitions, Self::Retention, Self::Companies, Self::Figures, Self::Files];

    fn name(self) -> &'static str {
        match self {
            Self::Seal => "seals over the audit",
            Self::Anchor => "anchors of the audit",
            Self::Partitions => "partitions",
            Self::Retention => "retention",
            Self::Companies => "removal of deleted companies",
            Self::Figures => "folding of figures",
            Self::Files => "removal of files",
        }
    }

    fn interval(self, intervals: &Intervals) -> Duration {
        Duration::from_millis(match self {
            Self::Seal => intervals.seal_interval_ms,
            Self::Anchor => intervals.anchor_interval_ms,
            Self::Partitions | Self::Retention | Self::Companies | Self::Figures | Self::Files => intervals.upkeep_interval_ms,
        })
    }
}

/// After how long everything that was written should be sealed and anchored.
pub(crate) fn settled_after(settings: &Settings) -> Duration {
    Work::Anchor.interval(&settings.maintenance).saturating_mul(2).saturating_add(done::PATIENCE)
}

/// What the works need.
#[derive(Clone)]
pub(crate) struct Maintenance {
    backend: Backend,
    preparation: Arc<ArcSwap<Preparation>>,
    done: Arc<Done>,
    stop: CancellationToken,
    stopped: Arc<OnceLock<Instant>>,
    intervals: Intervals,
    grace: Duration,
    anchors: Arc<Mutex<Anchors>>,
}

/// When a work's next pass is.
struct Turn {
    work: Work,
    due: Instant,
    /// Passes without success since the last that had some.
    vain: u32,
}

impl Turn {
    fn plan(&mut self, succeeded: bool, interval: Duration) {
        self.vain = if succeeded { 0 } else { self.vain.saturating_add(1) };
        self.due = Instant::now() + pause(self.vain, interval);
    }
}

/// How long to wait after so many passes in vain.
fn pause(vain: u32, interval: Duration) -> Duration {
    match vain.checked_sub(1) {
        None => interval,
        Some(doubled) => AGAIN.saturating_mul(2_u32.saturating_pow(doubled)).min(interval),
    }
}

/// What maintenance shares with the rest of the server.
pub(crate) struct Shared {
    pub(crate) backend: Backend,
    pub(crate) preparation: Arc<ArcSwap<Preparation>>,
    pub(crate) done: Arc<Done>,
    pub(crate) stop: CancellationToken,
}

impl Maintenance {
    pub(crate) fn new(shared: Shared, settings: &Settings, folder: &Path) -> Self {
        let Shared { backend, preparation, done, stop } = shared;
        let anchors = Arc::new(Mutex::new(Anchors::open(folder.join(ANCHOR_FILE))));
        let grace = Duration::from_millis(settings.listen.shutdown_grace_ms);
        let intervals = settings.maintenance.clone();
        Self { backend, preparation, done, stop, stopped: Arc::default(), intervals, grace, anchors }
    }

    /// Starts all works.
    pub(crate) fn begin(self, tasks: &TaskTracker) {
        let (sealer, anchorer, upkeeper) = (self.clone(), self.clone(), self);
        tasks.spawn(async move {
            sealer.keep(&[Work::Seal], sealer.interval(Work::Seal)).await;
            // What was written until the end is sealed and anchored when the server goes, too.
            sealer.does(Work::Seal).await;
            sealer.does(Work::Anchor).await;
        });
        tasks.spawn(async move { anchorer.keep(&[Work::Anchor], anchorer.interval(Work::Anchor)).await });
        tasks.spawn(async move { upkeeper.keep(&Work::UPKEEP, Duration::ZERO).await });
    }

    fn interval(&self, work: Work) -> Duration {
        work.interval(&self.intervals)
    }

    /// Does these works one after the other, each when it is due, until the server stops.
    async fn keep(&self, works: &[Work], first: Duration) {
        let begin = Instant::now() + first;
        let mut turns: Vec<Turn> = works.iter().map(|work| Turn { work: *work, due: begin, vain: 0 }).collect();
        while let Some(next) = turns.iter().map(|turn| turn.due).min() {
            tokio::select! {
                biased;
                () = self.stop.cancelled() => return,
                () = tokio::time::sleep_until(next) => {}
            }
            for turn in &mut turns {
                if turn.due <= Instant::now() && !self.is_stopping() {
                    let succeeded = Box::pin(self.does(turn.work)).await;
                    turn.plan(succeeded, self.interval(turn.work));
                }
            }
        }
    }

    fn is_stopping(&self) -> bool {
        self.stop.is_cancelled()
    }

    /// Ends when the grace of a server that is told to stop is over.
    async fn out_of_grace(&self) {
        self.stop.cancelled().await;
        let stopped = *self.stopped.get_or_init(Instant::now);
        tokio::time::sleep_until(stopped + self.grace).await;
    }

    /// Does a pass and notes how it went. Returns whether it is done.
    async fn does(&self, work: Work) -> bool {
        let pass = async {
            match work {
                Work::Seal => seal::pass(self).await,
                Work::Anchor => self.anchors.lock().await.pass(self).await,
                Work::Partitions => upkeep::partitions(self).await,
                Work::Retention => upkeep::retention(self).await,
                Work::Companies => upkeep::companies(self).await,
                Work::Figures => upkeep::figures(self).await,
                Work::Files => upkeep::files(self).await,
            }
        };
        let outcome = tokio::select! {
            outcome = Box::pin(pass) => outcome,
            // What it had begun is rolled back.
            () = self.out_of_grace() => Err(Error::internal("the server stopped before this was done")),
        };
        match outcome {
            Ok(Outcome::Done) => {
                self.done.note(work);
                true
            }
            Ok(Outcome::Elsewhere) => false,
            // Before the database is prepared, there is nothing to work on; readiness says so.
            Err(_) if matches!(&**self.preparation.load(), Preparation::Pending { .. }) => false,
            Err(error) => {
                let source = std::error::Error::source(&error).map(ToString::to_string);
                let name = work.name();
                tracing::warn!(code = error.code(), source, work = name, "maintenance failed and will be tried again: {}", error.message());
                self.done.note_failure(work, format!("{} ({})", error.message(), error.code()));
                false
            }
        }
    }

    /// Opens a transaction for a work, unless another server is at it.
    async fn locked(&self, work: &'static str) -> Result<Option<Tx>> {
        let tx = self.bounded(work).await?;
        let mut lock = Sql::new("select pg_try_advisory_xact_lock(hashtextextended(");
        lock.bind(work).text(", 0)) as taken");
        let taken: bool = tx.query_one(lock).await?.try_get("taken").map_err(Error::internal)?;
        Ok(taken.then_some(tx))
    }

    /// Opens a transaction whose statements may take longer than those that a client waits for, but not for ever, and that stands in
    /// nobody's way for long: whoever waits for a lock has others waiting behind him.
    async fn bounded(&self, work: &'static str) -> Result<Tx> {
        let tx = self.backend.begin_own(work).await?;
        let mut limits = Sql::new("select set_config('statement_timeout', ");
        limits.bind(format!("{}ms", self.intervals.statement_time_ms)).text(", true), set_config('lock_timeout', ");
        limits.bind(format!("{}ms", self.intervals.lock_time_ms)).text(", true)");
        tx.query(limits).await?;
        Ok(tx)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_failed_is_tried_again_soon_and_then_less_often() {
        let hour = Duration::from_hours(1);
        let seconds: Vec<u64> = (0..12).map(|vain| pause(vain, hour).as_secs()).collect();
        assert_eq!(seconds, [3600, 5, 10, 20, 40, 80, 160, 320, 640, 1280, 2560, 3600]);
        assert_eq!(pause(1, Duration::from_secs(1)), Duration::from_secs(1));
        assert_eq!(pause(u32::MAX, hour), hour);
    }
}
