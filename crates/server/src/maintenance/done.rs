//! When each work was last done, and how it went, for whoever asks how the server is.
//!
//! Invariant: a work is done only when this server did all of it. What another server was at when this one came is not known to be done,
//! and a work that failed is named until it succeeds.

use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

use arc_swap::ArcSwapOption;

use super::Work;
use crate::config::Settings;

/// A pass that is late by less than this is not late.
pub(super) const PATIENCE: Duration = Duration::from_secs(30);

/// How all works are.
#[derive(Debug)]
pub(crate) struct Done {
    started: Instant,
    works: [State; Work::ALL.len()],
}

#[derive(Debug)]
struct State {
    work: Work,
    interval: Duration,
    /// Milliseconds after the start.
    last_ms: AtomicU64,
    /// Why the last pass failed, if it did.
    failure: ArcSwapOption<String>,
}

impl Done {
    pub(crate) fn new(settings: &Settings) -> Self {
        let state = |work: Work| State {
            work,
            interval: work.interval(&settings.maintenance),
            last_ms: AtomicU64::new(0),
            failure: ArcSwapOption::empty(),
        };
        Self { started: Instant::now(), works: Work::ALL.map(state) }
    }

    /// Returns what was not done in time, and what failed, in sentences.
    pub(crate) fn overdue(&self) -> Vec<String> {
        let now = self.started.elapsed();
        self.works.iter().filter_map(|state| state.sentence(now)).collect()
    }

    pub(super) fn note(&self, work: Work) {
        if let Some(state) = self.state(work) {
            state.last_ms.store(u64::try_from(self.started.elapsed().as_millis()).unwrap_or(u64::MAX), Ordering::Relaxed);
            state.failure.store(None);
        }
    }

    pub(super) fn note_failure(&self, work: Work, why: String) {
        if let Some(state) = self.state(work) {
            state.failure.store(Some(why.into()));
        }
    }

    fn state(&self, work: Work) -> Option<&State> {
        self.works.iter().find(|state| state.work == work)
    }
}

impl State {
    fn sentence(&self, now: Duration) -> Option<String> {
        let name = self.work.name();
        let since = now.saturating_sub(Duration::from_millis(self.last_ms.load(Ordering::Relaxed)));
        let is_late = since > self.interval.saturating_mul(2).saturating_add(PATIENCE);
        match (self.failure.load_full(), is_late) {
            (Some(why), _) => Some(format!("{name}: not done for {} s, the last time failed: {why}", since.as_secs())),
            (None, true) => Some(format!("{name}: not done for {} s", since.as_secs())),
            (None, false) => None,
        }
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "tests")]
    use super::*;

    #[test]
    fn what_failed_is_named_until_it_succeeds() {
        let done = Done::new(&Settings::default());
        assert_eq!(done.overdue(), [""; 0]);
        done.note_failure(Work::Retention, "no space".to_owned());
        let told = done.overdue();
        assert!(told.len() == 1 && told[0].starts_with("retention:") && told[0].ends_with("failed: no space"), "{told:?}");
        done.note(Work::Figures);
        assert_eq!(done.overdue().len(), 1);
        done.note(Work::Retention);
        assert_eq!(done.overdue(), [""; 0]);
    }

    #[test]
    fn what_was_not_done_in_time_is_named() {
        let done = Done::new(&Settings::default());
        let state = done.state(Work::Seal).unwrap();
        assert_eq!(state.sentence(Duration::from_secs(32)), None);
        assert_eq!(state.sentence(Duration::from_secs(33)).unwrap(), "seals over the audit: not done for 33 s");
    }
}
