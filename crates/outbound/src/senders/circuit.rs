//! Whether a provider is asked at all: one that is down is left alone for a while, so that messages go by the next without waiting.
//!
//! Invariant: of a provider that was left alone one message tries first; only when it is taken do the others follow.

use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use jiff::{SignedDuration, Timestamp};

use crate::config::FailoverConfig;

/// The longest that one is left alone for its failures.
const PAUSE_MAX: Duration = Duration::from_mins(10);

/// What is known of one provider.
pub(crate) struct Circuit {
    config: FailoverConfig,
    state: Mutex<State>,
}

#[derive(Clone, Copy, Default)]
struct State {
    failures: u32,
    shut_until: Option<Timestamp>,
}

impl Circuit {
    pub(crate) fn new(config: &FailoverConfig) -> Self {
        Self { config: config.clone(), state: Mutex::default() }
    }

    /// Returns until when nothing is sent this way. Who is the first after a pause takes the way for himself for as long as it was.
    pub(crate) fn shut_until(&self, now: Timestamp) -> Option<Timestamp> {
        let mut state = self.state.lock().unwrap_or_else(PoisonError::into_inner);
        let until = state.shut_until?;
        if until > now {
            return Some(until);
        }
        state.shut_until = later(now, Duration::from_secs(self.config.pause_seconds.into()));
        None
    }

    /// A message was taken, or refused for its own sake.
    pub(crate) fn works(&self) {
        *self.state.lock().unwrap_or_else(PoisonError::into_inner) = State::default();
    }

    /// Nothing was taken; the provider may have said for how long.
    pub(crate) fn fails(&self, told: Option<Duration>, now: Timestamp) {
        let mut state = self.state.lock().unwrap_or_else(PoisonError::into_inner);
        state.failures = state.failures.saturating_add(1);
        if let Some(told) = told {
            let longest = Duration::from_secs(self.config.retry_after_seconds_max.into());
            state.shut_until = later(now, told.min(longest));
        } else if let Some(more) = state.failures.checked_sub(self.config.failures_max) {
            let pause = Duration::from_secs(self.config.pause_seconds.into());
            state.shut_until = later(now, pause.saturating_mul(1_u32 << more.min(10)).min(PAUSE_MAX.max(pause)));
        }
    }
}

fn later(now: Timestamp, pause: Duration) -> Option<Timestamp> {
    now.checked_add(SignedDuration::try_from(pause).unwrap_or(SignedDuration::MAX)).ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(seconds: i64) -> Timestamp {
        Timestamp::from_second(seconds).unwrap()
    }

    #[test]
    fn one_that_fails_again_and_again_is_left_alone_and_one_tries_first() {
        let circuit = Circuit::new(&FailoverConfig { failures_max: 2, pause_seconds: 30, retry_after_seconds_max: 100 });
        circuit.fails(None, at(0));
        assert_eq!(circuit.shut_until(at(0)), None);
        circuit.fails(None, at(0));
        assert_eq!(circuit.shut_until(at(29)), Some(at(30)));
        assert_eq!(circuit.shut_until(at(30)), None, "one tries");
        assert_eq!(circuit.shut_until(at(30)), Some(at(60)), "the others wait for it");
        circuit.fails(None, at(31));
        assert_eq!(circuit.shut_until(at(31)), Some(at(91)), "longer");
        circuit.works();
        assert_eq!(circuit.shut_until(at(31)), None);
    }

    #[test]
    fn what_the_provider_says_holds_at_once_and_not_for_ever() {
        let circuit = Circuit::new(&FailoverConfig { failures_max: 5, pause_seconds: 30, retry_after_seconds_max: 100 });
        circuit.fails(Some(Duration::from_secs(7)), at(0));
        assert_eq!(circuit.shut_until(at(0)), Some(at(7)));
        circuit.works();
        circuit.fails(Some(Duration::from_secs(100_000)), at(0));
        assert_eq!(circuit.shut_until(at(0)), Some(at(100)));
    }
}
