//! Kinds of tasks that only a measurement knows.

use std::future::Future;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use queue::{Failure, Kind, Kinds, Running};
use serde::{Deserialize, Serialize};
use serde_json::Value;
use tokio::sync::Notify;

/// What handlers of this process did.
#[derive(Debug)]
pub(crate) struct Seen {
    begun: Instant,
    count: AtomicU64,
    /// Microseconds that each clocked task waited.
    waited: Mutex<Vec<u64>>,
    /// A clocked task began.
    pub(crate) clocked: Notify,
}

impl Seen {
    pub(crate) fn new() -> Self {
        Self { begun: Instant::now(), count: AtomicU64::new(0), waited: Mutex::default(), clocked: Notify::new() }
    }

    /// Returns how many tasks were done.
    pub(crate) fn count(&self) -> u64 {
        self.count.load(Ordering::Relaxed)
    }

    /// Returns the microseconds since this process began.
    pub(crate) fn now(&self) -> u64 {
        u64::try_from(self.begun.elapsed().as_micros()).unwrap_or(u64::MAX)
    }

    /// Returns how long each clocked task waited until now.
    pub(crate) fn waited(&self) -> Vec<u64> {
        self.waited.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    fn note(&self) {
        self.count.fetch_add(1, Ordering::Relaxed);
    }
}

/// A task that does nothing, or nothing for a while.
#[derive(Clone, Copy, Debug, Serialize, Deserialize)]
pub(crate) struct Nothing {
    pub(crate) millis: u64,
}

/// A task that knows when it was wanted.
#[derive(Clone, Copy, Debug, Serialize, Deserialize)]
pub(crate) struct Since {
    pub(crate) micros: u64,
}

pub(crate) struct Noop(Arc<Seen>);

impl Kind for Noop {
    const NAME: &'static str = "load_noop";
    type Payload = Nothing;

    fn run(&self, _: Arc<Running>, payload: Nothing) -> impl Future<Output = Result<Value, Failure>> + Send {
        let seen = &self.0;
        async move {
            if payload.millis > 0 {
                tokio::time::sleep(Duration::from_millis(payload.millis)).await;
            }
            seen.note();
            Ok(Value::Null)
        }
    }
}

pub(crate) struct Clocked(Arc<Seen>);

impl Kind for Clocked {
    const NAME: &'static str = "load_clocked";
    type Payload = Since;

    fn run(&self, _: Arc<Running>, since: Since) -> impl Future<Output = Result<Value, Failure>> + Send {
        self.0.waited.lock().unwrap_or_else(PoisonError::into_inner).push(self.0.now().saturating_sub(since.micros));
        self.0.clocked.notify_one();
        std::future::ready(Ok(Value::Null))
    }
}

/// Returns all of them.
pub(crate) fn all(seen: &Arc<Seen>) -> Kinds {
    Kinds::default().with(Noop(Arc::clone(seen))).with(Clocked(Arc::clone(seen)))
}
