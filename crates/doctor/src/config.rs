//! From where on something is a finding, and what one look may take.
//!
//! Invariant: every number that a check compares with, and every limit of the examination itself, has its name here; a unit stands
//! last in the name.

use serde::{Deserialize, Serialize};

/// The settings of the doctor.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct DoctorConfig {
    /// Milliseconds that connecting may take.
    pub connect_ms: u64,
    /// Milliseconds that one check may run; a longer one is skipped.
    pub statement_ms: u64,
    /// Milliseconds that a check waits for a lock.
    pub lock_ms: u64,
    /// Findings of one check that are shown; the others are counted.
    pub findings_max: usize,
    /// Bytes of a baseline or of an earlier report that is read.
    pub file_bytes_max: u64,
    /// From where on something is a finding.
    pub thresholds: Thresholds,
}

/// From where on something is a finding.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Thresholds {
    /// Rows from which on a table is large.
    pub large_table_rows: u64,
    /// Days that figures of use must be old to prove that something is not used.
    pub statistics_days: u64,
    /// Bytes from which on an unused index is a finding.
    pub index_unused_bytes: u64,
    /// Bytes without use from which on a table or index is bloated.
    pub bloat_bytes: u64,
    /// Percent without use from which on a table or index is bloated.
    pub bloat_percent: u64,
    /// Dead rows from which on a table waits for a vacuum.
    pub dead_rows: u64,
    /// Rows from which on a table must have been analyzed.
    pub unanalyzed_rows: u64,
    /// Percent of the transaction numbers that may be used.
    pub wraparound_percent: u64,
    /// Percent of a counter that may be used.
    pub sequence_percent: u64,
    /// Days for which partitions must be there.
    pub partition_days: u64,
    /// Bytes from which on a table that only grows is to be partitioned.
    pub append_only_bytes: u64,
    /// Rows from which on a table that only grows is to be partitioned.
    pub append_only_rows: u64,
    /// Milliseconds on average from which on a statement is slow.
    pub slow_ms: u64,
    /// Calls from which on a slow statement is a finding.
    pub slow_calls: u64,
    /// Percent of the pages that are to be found in memory.
    pub cache_hit_percent: u64,
    /// Pages that must have been read before that is judged.
    pub cache_reads: u64,
    /// Bytes of temporary files.
    pub temporary_bytes: u64,
    /// Deadlocks.
    pub deadlocks: u64,
    /// Seconds that a transaction may be open.
    pub transaction_seconds: u64,
    /// Seconds that nobody may work in an open transaction.
    pub idle_seconds: u64,
    /// Seconds that a session may wait for a lock.
    pub blocked_seconds: u64,
    /// Percent of the connections that may be in use.
    pub connections_percent: u64,
    /// Seconds that a copy may be behind.
    pub lag_seconds: u64,
    /// Bytes that a copy may be behind.
    pub lag_bytes: u64,
    /// Bytes of the log that a slot may keep.
    pub slot_bytes: u64,
}

impl Default for DoctorConfig {
    fn default() -> Self {
        Self {
            connect_ms: 10_000,
            statement_ms: 15_000,
            lock_ms: 1000,
            findings_max: 500,
            file_bytes_max: 64 * 1024 * 1024,
            thresholds: Thresholds::default(),
        }
    }
}

impl Default for Thresholds {
    fn default() -> Self {
        const MIB: u64 = 1024 * 1024;
        const GIB: u64 = 1024 * MIB;
        Self {
            large_table_rows: 10_000,
            statistics_days: 7,
            index_unused_bytes: 10 * MIB,
            bloat_bytes: 100 * MIB,
            bloat_percent: 50,
            dead_rows: 10_000,
            unanalyzed_rows: 10_000,
            wraparound_percent: 50,
            sequence_percent: 50,
            partition_days: 7,
            append_only_bytes: 10 * GIB,
            append_only_rows: 50_000_000,
            slow_ms: 100,
            slow_calls: 100,
            cache_hit_percent: 99,
            cache_reads: 1_000_000,
            temporary_bytes: GIB,
            deadlocks: 1,
            transaction_seconds: 300,
            idle_seconds: 60,
            blocked_seconds: 30,
            connections_percent: 70,
            lag_seconds: 5,
            lag_bytes: 256 * MIB,
            slot_bytes: 10 * GIB,
        }
    }
}

impl DoctorConfig {
    /// Returns the settings that are impossible, each with what is allowed.
    pub fn faults(&self) -> Vec<(&'static str, &'static str)> {
        let within = |milliseconds: u64| (1..=600_000).contains(&milliseconds);
        [
            (!within(self.connect_ms), "connect_ms", "1 to 600000"),
            (!within(self.statement_ms), "statement_ms", "1 to 600000"),
            (!within(self.lock_ms), "lock_ms", "1 to 600000"),
            (!(1..=100_000).contains(&self.findings_max), "findings_max", "1 to 100000"),
            (!(1..=1_073_741_824).contains(&self.file_bytes_max), "file_bytes_max", "1 to 1073741824"),
        ]
        .into_iter()
        .filter_map(|(impossible, key, allowed)| impossible.then_some((key, allowed)))
        .collect()
    }
}

#[cfg(test)]
mod tests {
    use super::DoctorConfig;

    #[test]
    fn what_is_impossible_is_named() {
        assert_eq!(DoctorConfig::default().faults(), []);
        let config = DoctorConfig { statement_ms: 0, findings_max: 0, ..DoctorConfig::default() };
        assert_eq!(config.faults(), [("statement_ms", "1 to 600000"), ("findings_max", "1 to 100000")]);
    }
}
