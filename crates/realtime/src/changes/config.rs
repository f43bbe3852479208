//! What can be set about subscriptions to changed rows.

use serde::{Deserialize, Serialize};

/// The settings of subscriptions to changed rows.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct ChangesConfig {
    /// Subscriptions of this process at the same time.
    pub subscriptions_max: usize,
    /// What one subscription may want to hear: tables with their filters.
    pub wishes_max: usize,
    /// Bytes of one filter.
    pub filter_bytes_max: usize,
    /// Conditions of one filter.
    pub filter_conditions_max: usize,
    /// Values of a list in a filter.
    pub filter_values_max: usize,
    /// Bytes of the values of one row beyond which only its short ones are told.
    pub row_bytes_max: usize,
    /// Bytes of memory for changes that are kept for whoever comes back.
    pub kept_bytes_max: usize,
    /// Seconds that they are kept.
    pub kept_s: u64,
    /// Transactions that are told in one go.
    pub batch_max: usize,
    /// Events of the change feed that may wait to be told; where there are more, everybody is told to read anew.
    pub queue_max: usize,
    /// Changes that wait for one subscriber; who is behind by more is told to read anew.
    pub waiting_max: usize,
    /// Milliseconds between two looks at which sessions are over.
    pub sessions_ms: u64,
    /// Milliseconds between two looks at whether tables or policies changed.
    pub tables_ms: u64,
    /// Seconds after which somebody's rights are read again, though nothing was heard of them.
    pub rights_s: u64,
    /// Milliseconds that the change feed may lag before rights that are older are read again.
    pub lag_max_ms: u64,
    /// Questions about rights and rows that are asked at the same time.
    pub queries_max: usize,
    /// Milliseconds that one of them may take.
    pub query_ms: u64,
}

impl Default for ChangesConfig {
    fn default() -> Self {
        Self {
            subscriptions_max: 100_000,
            wishes_max: 100,
            filter_bytes_max: 8192,
            filter_conditions_max: 20,
            filter_values_max: 100,
            row_bytes_max: 1_048_576,
            kept_bytes_max: 67_108_864,
            kept_s: 300,
            batch_max: 256,
            queue_max: 10_000,
            waiting_max: 1000,
            sessions_ms: 500,
            tables_ms: 2000,
            rights_s: 60,
            lag_max_ms: 1000,
            queries_max: 4,
            query_ms: 2000,
        }
    }
}

impl ChangesConfig {
    /// Returns the key and what is allowed of each setting that is out of bounds.
    pub fn faults(&self) -> Vec<(&'static str, &'static str)> {
        [
            ("subscriptions_max", self.subscriptions_max <= 10_000_000, "0 to 10000000"),
            ("wishes_max", (1..=10_000).contains(&self.wishes_max), "1 to 10000"),
            ("filter_bytes_max", (64..=1_048_576).contains(&self.filter_bytes_max), "64 to 1048576"),
            ("filter_conditions_max", (1..=1000).contains(&self.filter_conditions_max), "1 to 1000"),
            ("filter_values_max", (1..=10_000).contains(&self.filter_values_max), "1 to 10000"),
            ("row_bytes_max", (1024..=1_073_741_824).contains(&self.row_bytes_max), "1024 to 1073741824"),
            ("kept_bytes_max", self.kept_bytes_max <= 1_099_511_627_776, "0 to 1099511627776"),
            ("kept_s", self.kept_s <= 86_400, "0 to 86400"),
            ("batch_max", (1..=100_000).contains(&self.batch_max), "1 to 100000"),
            ("queue_max", (10..=1_000_000).contains(&self.queue_max), "10 to 1000000"),
            ("waiting_max", (10..=1_000_000).contains(&self.waiting_max), "10 to 1000000"),
            ("sessions_ms", (100..=1000).contains(&self.sessions_ms), "100 to 1000"),
            ("tables_ms", (100..=60_000).contains(&self.tables_ms), "100 to 60000"),
            ("rights_s", (1..=3600).contains(&self.rights_s), "1 to 3600"),
            ("lag_max_ms", (100..=10_000).contains(&self.lag_max_ms), "100 to 10000"),
            ("queries_max", (1..=64).contains(&self.queries_max), "1 to 64"),
            ("query_ms", (10..=60_000).contains(&self.query_ms), "10 to 60000"),
        ]
        .into_iter()
        .filter(|(_, holds, _)| !holds)
        .map(|(key, _, allowed)| (key, allowed))
        .collect()
    }
}
