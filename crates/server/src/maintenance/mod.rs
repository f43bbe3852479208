//! What has to be done again and again while the server runs: seals over the audit, their anchors outside of the database, partitions,
//! retention.
//!
//! Invariant: each pass is one or more bounded transactions under an advisory lock, so that of several servers one works; nothing is
//! remembered between passes that a restart would lose. What was not done in time is told by readiness.

mod anchors;
mod seal;
mod upkeep;
pub(crate) mod verify;

use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

use arc_swap::ArcSwap;
use kernel::Result;
use postgres::{Sql, Tx};
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

use crate::backend::Backend;
use crate::config::Settings;
use crate::health::Preparation;

use anchors::Anchors;
pub(crate) use anchors::{Anchor, FILE as ANCHOR_FILE, read as read_anchors};

/// A pass that is late by less than this is not late.
const PATIENCE: Duration = Duration::from_secs(30);

/// When each work was last done, for whoever asks how the server is.
#[derive(Debug)]
pub(crate) struct Done {
    started: Instant,
    works: [Work; 3],
}

#[derive(Debug)]
struct Work {
    name: &'static str,
    interval: Duration,
    /// Milliseconds after the start.
    last_ms: AtomicU64,
}

/// The works, as places in the list.
const SEAL: usize = 0;
const ANCHOR: usize = 1;
const UPKEEP: usize = 2;

impl Done {
    pub(crate) fn new(settings: &Settings) -> Self {
        let maintenance = &settings.maintenance;
        let work = |name, interval_ms| Work { name, interval: Duration::from_millis(interval_ms), last_ms: AtomicU64::new(0) };
        let works = [
            work("the seals over the audit", maintenance.seal_interval_ms),
            work("the anchors of the audit", maintenance.anchor_interval_ms),
            work("partitions and retention", maintenance.upkeep_interval_ms),
        ];
        Self { started: Instant::now(), works }
    }

    /// Returns what was not done in time, in sentences.
    pub(crate) fn overdue(&self) -> Vec<String> {
        let now = self.started.elapsed();
        let late = self.works.iter().filter_map(|work| {
            let since = now.saturating_sub(Duration::from_millis(work.last_ms.load(Ordering::Relaxed)));
            let allowed = work.interval.saturating_mul(2).saturating_add(PATIENCE);
            (since > allowed).then(|| format!("{} are overdue: not done for {} s", work.name, since.as_secs()))
        });
        late.collect()
    }

    fn note(&self, work: usize) {
        if let Some(work) = self.works.get(work) {
            work.last_ms.store(u64::try_from(self.started.elapsed().as_millis()).unwrap_or(u64::MAX), Ordering::Relaxed);
        }
    }
}

/// What the works need.
#[derive(Clone)]
pub(crate) struct Maintenance {
    backend: Backend,
    preparation: Arc<ArcSwap<Preparation>>,
    done: Arc<Done>,
    stop: CancellationToken,
}

impl Maintenance {
    pub(crate) fn new(backend: Backend, preparation: Arc<ArcSwap<Preparation>>, done: Arc<Done>, stop: CancellationToken) -> Self {
        Self { backend, preparation, done, stop }
    }

    /// Starts all works.
    pub(crate) fn begin(self, tasks: &TaskTracker, settings: &Settings, folder: &Path) {
        let intervals = &settings.maintenance;
        let (sealer, anchorer, upkeeper) = (self.clone(), self.clone(), self);
        let anchors = folder.join(ANCHOR_FILE);
        let interval = |ms| Duration::from_millis(ms);
        let (seal_interval, anchor_interval, upkeep_interval) =
            (interval(intervals.seal_interval_ms), interval(intervals.anchor_interval_ms), interval(intervals.upkeep_interval_ms));
        tasks.spawn(async move {
            while sealer.waits(seal_interval).await {
                sealer.tell(SEAL, Box::pin(seal::pass(&sealer.backend)).await);
            }
            // What was written until the end is sealed when the server goes, too.
            sealer.tell(SEAL, Box::pin(seal::pass(&sealer.backend)).await);
        });
        tasks.spawn(async move {
            let mut anchors = Anchors::open(anchors);
            while anchorer.waits(anchor_interval).await {
                anchorer.tell(ANCHOR, Box::pin(anchors.pass(&anchorer.backend)).await);
            }
        });
        tasks.spawn(async move {
            // At the start at once.
            upkeeper.tell(UPKEEP, Box::pin(upkeep::pass(&upkeeper)).await);
            while upkeeper.waits(upkeep_interval).await {
                upkeeper.tell(UPKEEP, Box::pin(upkeep::pass(&upkeeper)).await);
            }
        });
    }

    /// Waits until the next pass. Returns false when the server stops.
    async fn waits(&self, interval: Duration) -> bool {
        tokio::select! {
            () = self.stop.cancelled() => false,
            () = tokio::time::sleep(interval) => true,
        }
    }

    fn is_stopping(&self) -> bool {
        self.stop.is_cancelled()
    }

    fn tell(&self, work: usize, outcome: Result<()>) {
        match outcome {
            Ok(()) => self.done.note(work),
            // Before the database is prepared, there is nothing to work on; readiness says so.
            Err(_) if matches!(&**self.preparation.load(), Preparation::Pending { .. }) => {}
            Err(error) => {
                let name = self.done.works.get(work).map_or("", |work| work.name);
                let source = std::error::Error::source(&error).map(ToString::to_string);
                tracing::warn!(code = error.code(), source, work = name, "maintenance failed and will be tried again: {}", error.message());
            }
        }
    }
}

/// Opens a transaction for a work, unless another server is at it.
async fn locked(backend: &Backend, work: &'static str) -> Result<Option<Tx>> {
    let tx = backend.begin_own(work).await?;
    // A long pass has no client that waits for it.
    tx.query(Sql::new("select set_config('statement_timeout', '0', true)")).await?;
    let mut lock = Sql::new("select pg_try_advisory_xact_lock(hashtextextended(");
    lock.bind(work).text(", 0)) as taken");
    let taken: bool = tx.query_one(lock).await?.try_get("taken").map_err(kernel::Error::internal)?;
    Ok(taken.then_some(tx))
}
