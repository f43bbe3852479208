//! What can be set about webhooks and notifications.
//!
//! Invariant: every limit of this crate has its name here; a unit stands last in the name.

use serde::{Deserialize, Serialize};

use crate::inbound::InboundConfig;
use crate::notifications::NotificationConfig;

/// The settings of what companies and other programs tell each other.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct MessagingConfig {
    /// Webhooks of companies.
    pub webhooks: WebhookConfig,
    /// Webhooks that come in.
    pub inbound: InboundConfig,
    /// Notifications to members.
    pub notifications: NotificationConfig,
}

/// The settings of webhooks of companies.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct WebhookConfig {
    /// Seconds before the second try of a delivery, the third and so on; afterwards it is given up. Each is moved by up to a fifth.
    pub retry_seconds: Vec<u32>,
    /// The longest that a receiver's `Retry-After` is waited for, in seconds.
    pub retry_after_seconds_max: u32,
    /// The longest that one attempt may take, in seconds, whatever the webhook says.
    pub attempt_seconds_max: u32,
    /// Bytes of a receiver's answer that are kept.
    pub answer_bytes_max: usize,
    /// Whether receivers may be at private addresses, and without TLS: for development and tests.
    pub private_addresses_allowed: bool,
    /// Attempts of one webhook that fail one after the other before it is left alone for a while, and one delivery then tries first.
    pub failures_max: u32,
    /// For how many seconds it is left alone; doubled with every attempt that fails then, up to an hour.
    pub pause_seconds: u32,
    /// Days after which a webhook is switched off whose every delivery failed.
    pub failing_days_max: u32,
    /// For how many seconds a replaced secret signs beside its successor, where nothing else is asked for.
    pub secret_overlap_seconds: u32,
    /// Events that one replay may have.
    pub replay_events_max: u32,
    /// Events that become deliveries in one transaction.
    pub batch_events: u32,
    /// Deliveries that one server tries at the same time.
    pub deliveries_max: u32,
    /// Deliveries of one webhook that are tried at the same time.
    pub deliveries_per_webhook_max: u32,
    /// Milliseconds between two looks for events and deliveries.
    pub poll_interval_ms: u64,
}

impl Default for WebhookConfig {
    fn default() -> Self {
        Self {
            // At once, and then over three days.
            retry_seconds: vec![5, 300, 1800, 7200, 18_000, 36_000, 50_400, 72_000, 86_400],
            retry_after_seconds_max: 86_400,
            attempt_seconds_max: 30,
            answer_bytes_max: 20_000,
            private_addresses_allowed: false,
            failures_max: 5,
            pause_seconds: 60,
            failing_days_max: 5,
            secret_overlap_seconds: 24 * 3600,
            replay_events_max: 10_000,
            batch_events: 500,
            deliveries_max: 32,
            deliveries_per_webhook_max: 4,
            poll_interval_ms: 500,
        }
    }
}

/// A value that cannot be used: its key below `messaging`, and what is allowed.
pub type Fault = (&'static str, &'static str);

impl MessagingConfig {
    /// Returns what is impossible about the values; nothing when they can be used.
    pub fn faults(&self) -> Vec<Fault> {
        let webhooks = &self.webhooks;
        [
            (
                webhooks.retry_seconds.len() > 20 || webhooks.retry_seconds.iter().any(|seconds| !(1..=604_800).contains(seconds)),
                ("webhooks.retry_seconds", "up to 20 numbers of 1 to 604800"),
            ),
            (webhooks.retry_after_seconds_max > 604_800, ("webhooks.retry_after_seconds_max", "0 to 604800")),
            (!(1..=30).contains(&webhooks.attempt_seconds_max), ("webhooks.attempt_seconds_max", "1 to 30")),
            (!(0..=20_000).contains(&webhooks.answer_bytes_max), ("webhooks.answer_bytes_max", "0 to 20000")),
            (!(1..=1000).contains(&webhooks.failures_max), ("webhooks.failures_max", "1 to 1000")),
            (!(1..=3600).contains(&webhooks.pause_seconds), ("webhooks.pause_seconds", "1 to 3600")),
            (!(1..=365).contains(&webhooks.failing_days_max), ("webhooks.failing_days_max", "1 to 365")),
            (webhooks.secret_overlap_seconds > 2_592_000, ("webhooks.secret_overlap_seconds", "0 to 2592000")),
            (!(1..=1_000_000).contains(&webhooks.replay_events_max), ("webhooks.replay_events_max", "1 to 1000000")),
            (!(1..=10_000).contains(&webhooks.batch_events), ("webhooks.batch_events", "1 to 10000")),
            (!(1..=1000).contains(&webhooks.deliveries_max), ("webhooks.deliveries_max", "1 to 1000")),
            (!(1..=100).contains(&webhooks.deliveries_per_webhook_max), ("webhooks.deliveries_per_webhook_max", "1 to 100")),
            (!(10..=60_000).contains(&webhooks.poll_interval_ms), ("webhooks.poll_interval_ms", "10 to 60000")),
        ]
        .into_iter()
        .chain(self.inbound.faults())
        .chain(self.notifications.faults())
        .filter_map(|(impossible, fault)| impossible.then_some(fault))
        .collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_defaults_can_be_used() {
        assert_eq!(MessagingConfig::default().faults(), []);
        let mut config = MessagingConfig::default();
        config.webhooks.retry_seconds = vec![0];
        config.webhooks.attempt_seconds_max = 31;
        let keys: Vec<_> = config.faults().into_iter().map(|(key, _)| key).collect();
        assert_eq!(keys, ["webhooks.retry_seconds", "webhooks.attempt_seconds_max"]);
    }
}
