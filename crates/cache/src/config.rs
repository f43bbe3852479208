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
    /// Whether servers keep answers for each other in Redis, where one is configured.
    pub shared: bool,
    /// Bytes of one answer that is kept there, sealed.
    pub shared_bytes_max: usize,
    /// Answers that are on their way there at the same time; others are kept here alone.
    pub shared_writes_max: usize,
    /// Tables that are kept, and for how many seconds at most, as `customers=300`.
    pub tables: Vec<String>,
    /// Functions whose answers are kept, for how many seconds at most, and the tables whose changes end that, as
    /// `company_kpis=300:customers+jobs`. What one answers may depend on its arguments, those tables, and the caller's company, role in
    /// it and permissions, and on nothing else; it must be a `SECURITY DEFINER` function that does not write.
    pub functions: Vec<String>,
}

/// A function whose answers are kept.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct KeptFunction<'a> {
    /// Its name.
    pub name: &'a str,
    /// For how long at most.
    pub life: Duration,
    /// The tables that it reads.
    pub tables: Vec<&'a str>,
}

/// What sums are counted from.
const COUNTED: &str = "companies+customers+jobs+jobs_archive+invoices+payments+customer_reviews+team_members";
/// Tables that one function may read.
const TABLES_MAX: usize = 32;

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
            ("business_metrics", 600),
        ];
        // Figures of the moment, then statistics, then what is a report.
        let functions = [
            ("company_kpis", 300),
            ("metrics_today", 300),
            ("mv_technician_performance", 600),
            ("mv_customer_lifetime_value", 600),
            ("mv_monthly_revenue", 3600),
        ];
        Self {
            enabled: true,
            bytes_max: 67_108_864,
            entry_bytes_max: 1_048_576,
            tags_max: 100_000,
            lag_max_ms: 1000,
            stale_s: 60,
            wait_max_ms: 1000,
            shared: true,
            shared_bytes_max: 262_144,
            shared_writes_max: 64,
            tables: tables.map(|(table, seconds)| format!("{table}={seconds}")).to_vec(),
            functions: functions.map(|(function, seconds)| format!("{function}={seconds}:{COUNTED}")).to_vec(),
        }
    }
}

impl CacheConfig {
    /// Returns how long reads of a table are kept, by its name; nothing of one that is not.
    pub fn lives(&self) -> impl Iterator<Item = (&str, Duration)> {
        self.tables.iter().filter_map(|text| life(text))
    }

    /// Returns the functions whose answers are kept.
    pub fn functions(&self) -> impl Iterator<Item = KeptFunction<'_>> {
        self.functions.iter().filter_map(|text| function(text))
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
            ("shared_bytes_max", self.shared_bytes_max <= 16_777_216, "0 to 16777216"),
            ("shared_writes_max", (1..=10_000).contains(&self.shared_writes_max), "1 to 10000"),
            (
                "tables",
                are_tables,
                "tables with seconds from 1 to 86400 such as customers=300, and no schedules, jobs, payments, audit or tokens",
            ),
            (
                "functions",
                self.functions.iter().all(|text| function(text).is_some()),
                "functions with seconds from 1 to 86400 and 1 to 32 tables such as company_kpis=300:customers+jobs",
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

fn function(text: &str) -> Option<KeptFunction<'_>> {
    let (head, tables) = text.split_once(':')?;
    let (name, life) = life(head)?;
    let tables: Vec<&str> = tables.split('+').collect();
    let are_names = (1..=TABLES_MAX).contains(&tables.len()) && tables.iter().chain([&name]).all(|name| !name.is_empty());
    are_names.then_some(KeptFunction { name, life, tables })
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

    #[test]
    fn a_function_says_what_it_reads() {
        let config = |text: &str| CacheConfig { functions: vec![text.to_owned()], ..CacheConfig::default() };
        let good = config("jobs_today=60:jobs+payments");
        let kept = KeptFunction { name: "jobs_today", life: Duration::from_mins(1), tables: vec!["jobs", "payments"] };
        assert_eq!((good.faults().len(), good.functions().collect::<Vec<_>>()), (0, vec![kept]));
        for bad in ["jobs_today", "jobs_today=60", "jobs_today=60:", "jobs_today=60:jobs+", "=60:jobs", "jobs_today=0:jobs"] {
            assert_eq!(config(bad).faults().len(), 1, "{bad}");
        }
    }
}
