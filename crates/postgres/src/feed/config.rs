//! What can be set about the change feed.

use serde::{Deserialize, Serialize};

/// How changes come.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum FeedMode {
    /// As the database allows: streamed, else polled, else not at all.
    #[default]
    Auto,
    /// From PostgreSQL's log, or not at all.
    Stream,
    /// From the table that triggers write, or not at all.
    Poll,
    /// Not at all.
    Off,
}

/// The settings of the change feed.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct FeedConfig {
    /// How changes come: `auto`, `stream`, `poll` or `off`.
    pub mode: FeedMode,
    /// Milliseconds between two beats, by which is known how far the feed lags while nothing changes.
    pub beat_ms: u64,
    /// Milliseconds between two looks at the outbox of changes, where they are polled.
    pub poll_ms: u64,
    /// Changed rows that one look takes; where there are more, listeners begin anew.
    pub poll_rows_max: u32,
    /// Seconds that polled changes are kept for all servers.
    pub poll_kept_s: u32,
    /// Bytes of one transaction that are kept in memory; of a larger one listeners are told to begin anew.
    pub transaction_bytes_max: usize,
    /// Events that a listener may lag behind before it is told to begin anew.
    pub queue_max: usize,
    /// Milliseconds without a word from PostgreSQL after which the connection is given up.
    pub silence_ms: u64,
    /// Milliseconds between two tries to begin; they double with each one.
    pub pause_ms: u64,
    /// The longest pause, in milliseconds.
    pub pause_max_ms: u64,
}

impl Default for FeedConfig {
    fn default() -> Self {
        Self {
            mode: FeedMode::Auto,
            beat_ms: 250,
            poll_ms: 50,
            poll_rows_max: 10_000,
            poll_kept_s: 300,
            transaction_bytes_max: 16_777_216,
            queue_max: 10_000,
            silence_ms: 30_000,
            pause_ms: 500,
            pause_max_ms: 30_000,
        }
    }
}

impl FeedConfig {
    /// Returns the key and what is allowed of each setting that is out of bounds.
    pub fn faults(&self) -> Vec<(&'static str, &'static str)> {
        [
            ("beat_ms", (50..=10_000).contains(&self.beat_ms), "50 to 10000"),
            ("poll_ms", (10..=10_000).contains(&self.poll_ms), "10 to 10000"),
            ("poll_rows_max", (100..=1_000_000).contains(&self.poll_rows_max), "100 to 1000000"),
            ("poll_kept_s", (10..=86_400).contains(&self.poll_kept_s), "10 to 86400"),
            ("transaction_bytes_max", (65_536..=1_073_741_824).contains(&self.transaction_bytes_max), "65536 to 1073741824"),
            ("queue_max", (10..=1_000_000).contains(&self.queue_max), "10 to 1000000"),
            ("silence_ms", (1_000..=600_000).contains(&self.silence_ms), "1000 to 600000"),
            ("pause_ms", (10..=60_000).contains(&self.pause_ms), "10 to 60000"),
            ("pause_max_ms", (self.pause_ms..=600_000).contains(&self.pause_max_ms), "pause_ms to 600000"),
        ]
        .into_iter()
        .filter(|(_, holds, _)| !holds)
        .map(|(key, _, allowed)| (key, allowed))
        .collect()
    }
}
