//! When a delivery is tried again. Pure.
//!
//! Invariant: a delivery ends: it has a last try, and no pause is longer than a week.

use std::time::Duration;

use serde::Deserialize;

use crate::config::WebhookConfig;

/// The longest pause between two tries.
const PAUSE_SECONDS_MAX: u64 = 604_800;
/// What a policy begins with that names no delay.
const DELAY_SECONDS: u64 = 60;

/// What a company wants of the tries of a webhook; whatever it leaves open is the server's to say.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default, Deserialize)]
#[serde(default)]
pub(super) struct RetryPolicy {
    max_retries: Option<usize>,
    backoff: Option<Backoff>,
    delay_seconds: Option<u64>,
}

#[derive(Clone, Copy, PartialEq, Eq, Debug, Deserialize)]
#[serde(rename_all = "lowercase")]
enum Backoff {
    Exponential,
    Linear,
    Fixed,
}

impl RetryPolicy {
    /// Returns how long to wait after so many attempts that failed; none where that was the last. `dice` is between 0 and 1 and moves it by
    /// up to a fifth.
    pub(super) fn pause(&self, attempts: usize, retry_after: Option<u64>, dice: f64, config: &WebhookConfig) -> Option<Duration> {
        let retries_max = self.max_retries.unwrap_or(if self.is_own() { 9 } else { config.retry_seconds.len() });
        if attempts > retries_max {
            return None;
        }
        let moved = Duration::from_secs(self.seconds(attempts, config)).mul_f64(0.8 + 0.4 * dice.clamp(0.0, 1.0));
        let asked = Duration::from_secs(retry_after.unwrap_or(0).min(config.retry_after_seconds_max.into()));
        Some(moved.max(asked))
    }

    /// Tells whether the pauses are of the company's own making.
    fn is_own(&self) -> bool {
        self.delay_seconds.is_some() || matches!(self.backoff, Some(Backoff::Linear | Backoff::Fixed))
    }

    fn seconds(&self, attempts: usize, config: &WebhookConfig) -> u64 {
        let before = attempts.saturating_sub(1);
        if !self.is_own() {
            let listed = config.retry_seconds.get(before).or(config.retry_seconds.last());
            return listed.copied().map_or(DELAY_SECONDS, u64::from);
        }
        let delay = self.delay_seconds.unwrap_or(DELAY_SECONDS);
        let times = match self.backoff {
            Some(Backoff::Fixed) => 1,
            Some(Backoff::Linear) => u64::try_from(attempts).unwrap_or(u64::MAX),
            Some(Backoff::Exponential) | None => 2_u64.saturating_pow(u32::try_from(before).unwrap_or(u32::MAX)),
        };
        delay.saturating_mul(times).min(PAUSE_SECONDS_MAX)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn seconds(policy: &str, attempts: usize) -> Option<u64> {
        let policy: RetryPolicy = serde_json::from_str(policy).unwrap();
        policy.pause(attempts, None, 0.5, &WebhookConfig::default()).map(|pause| pause.as_secs())
    }

    #[test]
    fn tries_go_over_three_days_and_end() {
        let all: Vec<u64> = (1..=10).map_while(|attempts| seconds("{}", attempts)).collect();
        assert_eq!(all, [5, 300, 1800, 7200, 18_000, 36_000, 50_400, 72_000, 86_400]);
        assert_eq!(all.iter().sum::<u64>() / 3600, 75);
    }

    #[test]
    fn a_company_has_it_otherwise() {
        let documented = r#"{"max_retries": 3, "backoff": "exponential"}"#;
        assert_eq!((1..=4).map(|n| seconds(documented, n)).collect::<Vec<_>>(), [Some(5), Some(300), Some(1800), None]);
        assert_eq!(seconds(r#"{"max_retries": 0}"#, 1), None);
        let fixed = r#"{"backoff": "fixed", "delay_seconds": 10, "max_retries": 20}"#;
        assert_eq!((seconds(fixed, 1), seconds(fixed, 20), seconds(fixed, 21)), (Some(10), Some(10), None));
        let linear = r#"{"backoff": "linear", "delay_seconds": 10}"#;
        assert_eq!((seconds(linear, 1), seconds(linear, 3), seconds(linear, 10)), (Some(10), Some(30), None));
        let doubled = r#"{"delay_seconds": 99999, "max_retries": 20}"#;
        assert_eq!((seconds(doubled, 1), seconds(doubled, 2), seconds(doubled, 20)), (Some(99_999), Some(199_998), Some(604_800)));
    }

    #[test]
    fn a_pause_is_moved_a_little_and_a_receiver_may_ask_for_a_longer_one() {
        let config = WebhookConfig::default();
        let pause = |retry_after, dice| RetryPolicy::default().pause(2, retry_after, dice, &config).unwrap().as_secs();
        assert_eq!((pause(None, 0.0), pause(None, 1.0)), (240, 360));
        assert_eq!((pause(Some(10), 0.5), pause(Some(4000), 0.5), pause(Some(u64::MAX), 0.5)), (300, 4000, 86_400));
    }
}
