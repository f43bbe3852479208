//! Answers at even moments: what may not tell whether an account is there is answered a whole number of steps after it was asked for.
//!
//! Invariant: the work itself takes as long as it takes, with an imported hash longer than with one of ours, for a new account longer than
//! for one that is there; whoever waits for the answer sees steps. While somebody waits nothing is held for him, neither the database nor a
//! turn to hash.

use std::time::Duration;

use tokio::time::{Instant, sleep_until};

/// When something was asked for, and in which steps it is answered.
#[derive(Clone, Copy)]
pub(crate) struct Even {
    begun: Instant,
    step: Duration,
}

impl Even {
    /// Begins now; a step of nothing answers at once.
    pub(crate) fn begin(step_ms: u32) -> Self {
        Self { begun: Instant::now(), step: Duration::from_millis(step_ms.into()) }
    }

    /// Waits for the next moment at which an answer is given.
    pub(crate) async fn reach(self) {
        let waited = after(self.begun.elapsed(), self.step);
        if !waited.is_zero() {
            sleep_until(self.begun + waited).await;
        }
    }
}

/// Returns how long after the beginning an answer is given that took so long.
fn after(took: Duration, step: Duration) -> Duration {
    if step.is_zero() {
        return Duration::ZERO;
    }
    let steps = took.as_nanos().div_ceil(step.as_nanos()).max(1);
    step.saturating_mul(u32::try_from(steps).unwrap_or(u32::MAX))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn whatever_it_took_it_is_a_whole_number_of_steps() {
        let ms = Duration::from_millis;
        for (took, answered) in [(0, 250), (1, 250), (249, 250), (250, 250), (251, 500), (700, 750)] {
            assert_eq!(after(ms(took), ms(250)), ms(answered), "{took}");
        }
        assert_eq!(after(ms(700), ms(0)), ms(0), "without a step at once");
    }
}
