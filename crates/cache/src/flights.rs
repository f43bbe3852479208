//! Who reads something that others want at the same moment: one reads, the others wait for him for a while.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError, Weak};
use std::time::Duration;

use tokio::sync::{Mutex as AsyncMutex, OwnedMutexGuard};

use crate::entries::Key;

/// So many that are over are kept before they are looked through.
const OVER_MAX: usize = 1024;

/// What is being read.
#[derive(Debug, Default)]
pub(crate) struct Flights(Mutex<HashMap<Key, Weak<AsyncMutex<()>>>>);

/// Somebody reads; others wait until this is dropped.
#[derive(Debug)]
pub struct Flight(Option<OwnedMutexGuard<()>>);

impl Flight {
    /// Tells whether nobody else reads the same; false where the wait was over first.
    pub fn is_only(&self) -> bool {
        self.0.is_some()
    }
}

impl Flights {
    /// Begins to read, if nobody does.
    pub(crate) fn try_begin(&self, key: Key) -> Option<Flight> {
        self.at(key).try_lock_owned().ok().map(|guard| Flight(Some(guard)))
    }

    /// Begins to read when nobody else does any more, or when the wait was long enough.
    pub(crate) async fn begin(&self, key: Key, wait_max: Duration) -> Flight {
        Flight(tokio::time::timeout(wait_max, self.at(key).lock_owned()).await.ok())
    }

    fn at(&self, key: Key) -> Arc<AsyncMutex<()>> {
        let mut flights = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(known) = flights.get(&key).and_then(Weak::upgrade) {
            return known;
        }
        if flights.len() >= OVER_MAX {
            flights.retain(|_, flight| flight.strong_count() > 0);
        }
        let new = Arc::new(AsyncMutex::new(()));
        flights.insert(key, Arc::downgrade(&new));
        new
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn one_reads_and_the_others_wait_for_a_while() {
        let flights = Flights::default();
        let first = flights.begin([1; 32], Duration::from_secs(5)).await;
        assert!(first.is_only() && flights.try_begin([1; 32]).is_none() && flights.try_begin([2; 32]).is_some());
        assert!(!flights.begin([1; 32], Duration::from_millis(5)).await.is_only(), "he reads himself");
        drop(first);
        assert!(flights.try_begin([1; 32]).is_some());
    }
}
