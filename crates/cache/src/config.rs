//! What can be set about the cache.

use std::time::Duration;

use serde::{Deserialize, Serialize};

/// Tables that are never kept, whatever is set: what they say must be true at this moment.
const NEVER: &[&str] =
    &["schedules", "bookings", "jobs", "payments", "payment_methods", "audit_logs", "api_keys", "verification_tokens", "users"];

/// The settings of the cache.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct CacheConfig {
    /// Whether reads are kept at all.
    pub enabled: bool,
    /// Bytes that are kept at most.
    pub bytes_max: u64,
    /// Bytes of one answer that is kept; larger ones are read anew each time.
    pub entry_bytes_max: usize,
    /// Tables of companies whose changes are remembered; where there are more, everything is read anew.
    pub tags_max: usize,
    /// Milliseconds that the change feed may lag; while it lags more, everything is read anew.
    pub lag_max_ms: u64,
    /// Seconds that an answer which is too old is still given to others while one reads it anew.
    pub stale_s: u64,
    /// Milliseconds that somebody waits for another who reads the same.
    pub wait_max_ms: u64,
    /// Tables that are kept, and for how many seconds at most, as `customers=300`.
    pub tables: Vec<String>,
}

impl Default for CacheConfig {
    fn default() -> Self {
        let tables = [
            ("company_settings", 86_400),
            ("price_book_items", 3600),
            ("price_book_categories", 3600),
            ("labor_rates", 3600),
            ("service_packages", 3600),
            ("tags", 3600),
            ("team_members", 900),
            ("equipment", 600),
            ("companies", 600),
            ("customers", 300),
            ("inventory", 300),
        ];
        Self {
            enabled: true,
            bytes_max: 67_108_864,
            entry_bytes_max: 1_048_576,
            tags_max: 100_000,
            lag_max_ms: 1000,
            stale_s: 60,
            wait_max_ms: 1000,
            tables: tables.map(|(table, seconds)| format!("{table}={seconds}")).to_vec(),
        }
    }
}

impl CacheConfig {
    /// Returns how long reads of a table are kept, by its name; nothing of one that is not.
    pub fn lives(&self) -> impl Iterator<Item = (&str, Duration)> {
        self.tables.iter().filter_map(|text| life(text))
    }

    /// Returns the key and what is allowed of each setting that is out of bounds.
    pub fn faults(&self) -> Vec<(&'static str, &'static str)> {
        let are_tables = self.tables.iter().all(|text| life(text).is_some_and(|(table, _)| !NEVER.contains(&table)));
        [
            ("bytes_max", self.bytes_max <= 1_099_511_627_776, "0 to 1099511627776"),
            ("entry_bytes_max", self.entry_bytes_max <= 1_073_741_824, "0 to 1073741824"),
            ("tags_max", (100..=10_000_000).contains(&self.tags_max), "100 to 10000000"),
            ("lag_max_ms", (100..=10_000).contains(&self.lag_max_ms), "100 to 10000"),
            ("stale_s", self.stale_s <= 3600, "0 to 3600"),
            ("wait_max_ms", self.wait_max_ms <= 30_000, "0 to 30000"),
            (
                "tables",
                are_tables,
                "tables with seconds from 1 to 86400 such as customers=300, and no schedules, jobs, payments, audit or tokens",
            ),
        ]
        .into_iter()
        .filter(|(_, holds, _)| !holds)
        .map(|(key, _, allowed)| (key, allowed))
        .collect()
    }
}

fn life(text: &str) -> Option<(&str, Duration)> {
    let (table, seconds) = text.split_once('=')?;
    let seconds = seconds.parse().ok().filter(|seconds| (1..=86_400).contains(seconds))?;
    Some((table, Duration::from_secs(seconds)))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_must_be_true_now_is_never_kept() {
        let config =
            |tables: &[&str]| CacheConfig { tables: tables.iter().map(|text| (*text).to_owned()).collect(), ..CacheConfig::default() };
        assert!(CacheConfig::default().faults().is_empty());
        assert_eq!(config(&["customers=5"]).lives().collect::<Vec<_>>(), [("customers", Duration::from_secs(5))]);
        for bad in ["schedules=5", "jobs=5", "payments=5", "audit_logs=5", "api_keys=5", "customers", "customers=0", "customers=x"] {
            assert_eq!(config(&[bad]).faults().len(), 1, "{bad}");
        }
    }
}
