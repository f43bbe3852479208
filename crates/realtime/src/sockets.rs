//! The sockets of this process, so that whatever changes about a caller reaches those that speak for him.
//!
//! Invariant: a socket notes a caller before it is asked what he may, so that no change falls between.

use std::collections::HashMap;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use tokio::sync::Notify;

use crate::caller::{Caller, Touched};

/// All of them.
#[derive(Debug, Default)]
pub(crate) struct Sockets {
    known: Mutex<HashMap<u64, Arc<Handle>>>,
    next: AtomicU64,
}

/// One of them, as others see it.
#[derive(Debug, Default)]
pub(crate) struct Handle {
    id: u64,
    callers: Mutex<Vec<Arc<Caller>>>,
    is_touched: AtomicBool,
    changed: Notify,
}

impl Sockets {
    /// Notes a socket, until it is let go.
    pub(crate) fn add(&self) -> Arc<Handle> {
        let handle = Arc::new(Handle { id: self.next.fetch_add(1, Ordering::Relaxed), ..Handle::default() });
        self.known().insert(handle.id, Arc::clone(&handle));
        handle
    }

    /// Lets it go.
    pub(crate) fn remove(&self, handle: &Handle) {
        self.known().remove(&handle.id);
    }

    /// Has those ask anew that speak for somebody about whom something changed.
    pub(crate) fn touch(&self, touched: &Touched) {
        for handle in self.known().values() {
            if handle.callers().iter().any(|caller| caller.is_touched_by(touched)) {
                handle.touch();
            }
        }
    }

    /// Returns everybody for whom a socket speaks that can become somebody else, each once.
    pub(crate) fn callers(&self) -> Vec<Arc<Caller>> {
        let mut seen = HashMap::new();
        for handle in self.known().values() {
            for caller in handle.callers().iter().filter(|caller| caller.is_touched_by(&Touched::Everybody)) {
                seen.entry(caller.key()).or_insert_with(|| Arc::clone(caller));
            }
        }
        seen.into_values().collect()
    }

    fn known(&self) -> MutexGuard<'_, HashMap<u64, Arc<Handle>>> {
        self.known.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Handle {
    /// Notes whom the socket speaks for, too.
    pub(crate) fn speaks_for(&self, caller: &Arc<Caller>) {
        let mut callers = self.callers();
        if !callers.iter().any(|known| Arc::ptr_eq(known, caller)) {
            callers.push(Arc::clone(caller));
        }
    }

    /// Notes that these are all.
    pub(crate) fn speaks_only_for(&self, callers: Vec<Arc<Caller>>) {
        *self.callers() = callers;
    }

    /// Has it ask anew.
    pub(crate) fn touch(&self) {
        self.is_touched.store(true, Ordering::Release);
        self.changed.notify_one();
    }

    /// Waits until it has to.
    pub(crate) async fn touched(&self) {
        loop {
            let changed = self.changed.notified();
            if self.is_touched.swap(false, Ordering::AcqRel) {
                return;
            }
            changed.await;
        }
    }

    fn callers(&self) -> MutexGuard<'_, Vec<Arc<Caller>>> {
        self.callers.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
