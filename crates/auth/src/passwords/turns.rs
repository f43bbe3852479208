//! Who has a password looked at now, who waits, and when the others are to come back.
//!
//! Invariant: never more are at work than there are workers, and never more wait than the queue holds. Whoever is told to come back is told
//! another moment than the one before him, so that a storm comes back as fast as it is worked off and no faster.

use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use kernel::{Error, Kind, Result};
use tokio::sync::{OwnedSemaphorePermit, Semaphore};

use super::memory::Memory;

/// A quarter of what a hash took counts for the next guess, so that one that was interrupted does not count for all.
const WEIGHT: u32 = 4;

/// The workers, the places before them, and the moments that were given out.
pub(super) struct Turns {
    workers: Arc<Semaphore>,
    workers_max: u32,
    /// Those who wait, and those whose turn it is.
    places_max: usize,
    taken: AtomicUsize,
    come_back_max: Duration,
    pace: Mutex<Pace>,
    /// Theirs, as long as there is one who has a place.
    pub(super) memory: Memory,
}

struct Pace {
    /// What one hash takes a worker.
    hash: Duration,
    /// The moment that was given out last.
    last: Instant,
}

/// A place among those whose password is looked at or waits for it. Who goes away while he waits gives it back; a hash that has begun goes on
/// without him, and has its place until it is done.
pub(crate) struct Place(Arc<Turns>);

impl Turns {
    /// Sets up `workers` and a queue of `queue_max`. `hash` is what one hash took.
    pub(super) fn new(workers: usize, queue_max: usize, come_back_max: Duration, hash: Duration) -> Self {
        Self {
            workers: Arc::new(Semaphore::new(workers)),
            workers_max: u32::try_from(workers).unwrap_or(u32::MAX).max(1),
            places_max: queue_max.saturating_add(workers),
            taken: AtomicUsize::new(0),
            come_back_max,
            pace: Mutex::new(Pace { hash, last: Instant::now() }),
            memory: Memory::default(),
        }
    }

    /// Takes a place; where there is none, the refusal says when to come back.
    pub(super) fn place(self: &Arc<Self>) -> Result<Place> {
        let place = Place(Arc::clone(self));
        if self.taken.fetch_add(1, Ordering::AcqRel) >= self.places_max {
            metrics::counter!("auth_password_queue_full_total").increment(1);
            let error = Error::new(Kind::TooManyRequests, "over_request_rate_limit", "Too many sign-ins at once. Try again in a moment");
            return Err(error.with_retry_after(self.come_back(Instant::now())));
        }
        Ok(place)
    }

    /// Waits for a worker, who is busy as long as this is held.
    pub(super) async fn turn(&self) -> Result<OwnedSemaphorePermit> {
        Arc::clone(&self.workers).acquire_owned().await.map_err(Error::internal)
    }

    /// Notes what a hash took, from which the next moments are guessed.
    pub(super) fn took(&self, hash: Duration) {
        let mut pace = self.pace.lock().unwrap_or_else(PoisonError::into_inner);
        pace.hash = (pace.hash * (WEIGHT - 1) + hash) / WEIGHT;
    }

    /// Those who wait, and those whose turn it is.
    #[cfg(test)]
    pub(super) fn taken(&self) -> usize {
        self.taken.load(Ordering::Acquire)
    }

    /// Workers who have nothing to do.
    #[cfg(test)]
    pub(super) fn idle(&self) -> usize {
        self.workers.available_permits()
    }

    /// Gives out the next moment, in seconds from now. Where there are more than can be worked off in the longest time, the moments begin
    /// anew: all of them are spread over it.
    fn come_back(&self, now: Instant) -> u32 {
        let mut pace = self.pace.lock().unwrap_or_else(PoisonError::into_inner);
        let next = pace.last.max(now) + pace.hash / self.workers_max;
        pace.last = if next > now + self.come_back_max { now } else { next };
        let seconds = pace.last.duration_since(now).as_millis().div_ceil(1000);
        u32::try_from(seconds).unwrap_or(u32::MAX).max(1)
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        if self.0.taken.fetch_sub(1, Ordering::AcqRel) == 1 {
            self.0.memory.give_back();
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn turns() -> Arc<Turns> {
        Arc::new(Turns::new(2, 1, Duration::from_secs(10), Duration::from_millis(500)))
    }

    /// Two workers, half a second each: four a second.
    #[tokio::test]
    async fn those_who_are_refused_come_back_as_fast_as_others_are_done() {
        let (turns, now) = (turns(), Instant::now() + Duration::from_secs(1));
        let told: Vec<u32> = (0..12).map(|_| turns.come_back(now)).collect();
        assert_eq!(told, [1, 1, 1, 1, 2, 2, 2, 2, 3, 3, 3, 3]);
        // Whoever is refused later is told no later moment than there is work.
        assert_eq!(turns.come_back(now + Duration::from_secs(2)), 2);
        assert_eq!(turns.come_back(now + Duration::from_mins(1)), 1);
    }

    #[tokio::test]
    async fn more_than_the_longest_time_holds_are_spread_over_it() {
        let (turns, now) = (turns(), Instant::now() + Duration::from_secs(1));
        let mut told = [0_u32; 11];
        for _ in 0..400 {
            told[usize::try_from(turns.come_back(now)).unwrap()] += 1;
        }
        assert_eq!(told[0], 0);
        assert!(told[1..].iter().all(|count| (36..=50).contains(count)), "{told:?}");
    }

    #[tokio::test]
    async fn a_slower_machine_tells_later_moments() {
        let (turns, now) = (turns(), Instant::now() + Duration::from_secs(1));
        for _ in 0..40 {
            turns.took(Duration::from_secs(4));
        }
        // Two seconds each now.
        assert_eq!([turns.come_back(now), turns.come_back(now), turns.come_back(now)], [2, 4, 6]);
    }

    #[tokio::test]
    async fn a_place_is_given_back() {
        let turns = turns();
        let places: Vec<Place> = (0..3).map(|_| turns.place().unwrap()).collect();
        let error = turns.place().map(|_| ()).unwrap_err();
        assert_eq!((error.status().as_u16(), error.code(), error.retry_after_seconds()), (429, "over_request_rate_limit", Some(1)));
        drop(places);
        assert_eq!(turns.taken(), 0);
        assert!(turns.place().is_ok());
    }
}
