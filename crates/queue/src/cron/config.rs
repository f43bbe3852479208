//! What can be set about what comes again and again.
//!
//! Invariant: every limit of schedules has its name here; a unit stands last in the name.

use serde::{Deserialize, Serialize};

/// The settings of schedules.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct CronConfig {
    /// Milliseconds between two looks for entries whose time has come.
    pub tick_interval_ms: u64,
    /// Entries that one look deals with.
    pub due_rows_max: u32,
    /// Milliseconds by which a time may be late and was not missed.
    pub late_ms: u64,
    /// Hours back that missed times are made up for, where an entry wants each of them.
    pub catch_up_hours: u64,
    /// Missed times of an entry that are made up for at once.
    pub catch_up_runs_max: usize,
    /// Runs of an entry that may be unfinished; a time that comes then is a failed run.
    pub unfinished_max: u32,
    /// Milliseconds after which a time fails whose kind of task no process does.
    pub unknown_after_ms: u64,
    /// Runs whose end is written down at once.
    pub settle_rows_max: u32,
    /// Days that runs are kept.
    pub history_kept_days: u32,
    /// Schedules that a company may have.
    pub entries_per_company_max: u32,
    /// Schedules that the service may have, and as many a project that was brought.
    pub entries_of_service_max: u32,
    /// Minutes at least between two times of a schedule that a member makes.
    pub interval_minutes_min: u32,
    /// Milliseconds that SQL which is run by a schedule may take.
    pub command_time_ms: u64,
}

impl Default for CronConfig {
    fn default() -> Self {
        Self {
            tick_interval_ms: 1000,
            due_rows_max: 500,
            late_ms: 60_000,
            catch_up_hours: 24,
            catch_up_runs_max: 100,
            unfinished_max: 3,
            unknown_after_ms: 60_000,
            settle_rows_max: 5000,
            history_kept_days: 30,
            entries_per_company_max: 100,
            entries_of_service_max: 1000,
            interval_minutes_min: 1,
            command_time_ms: 600_000,
        }
    }
}

impl CronConfig {
    pub(crate) fn faults(&self) -> Vec<(&'static str, &'static str)> {
        [
            (!(100..=60_000).contains(&self.tick_interval_ms), "cron.tick_interval_ms", "100 to 60000"),
            (!(1..=10_000).contains(&self.due_rows_max), "cron.due_rows_max", "1 to 10000"),
            (!(1000..=3_600_000).contains(&self.late_ms), "cron.late_ms", "1000 to 3600000"),
            (!(1..=744).contains(&self.catch_up_hours), "cron.catch_up_hours", "1 to 744"),
            (!(1..=1000).contains(&self.catch_up_runs_max), "cron.catch_up_runs_max", "1 to 1000"),
            (!(1..=1000).contains(&self.unfinished_max), "cron.unfinished_max", "1 to 1000"),
            (!(1000..=86_400_000).contains(&self.unknown_after_ms), "cron.unknown_after_ms", "1000 to 86400000"),
            (!(1..=100_000).contains(&self.settle_rows_max), "cron.settle_rows_max", "1 to 100000"),
            (!(1..=3650).contains(&self.history_kept_days), "cron.history_kept_days", "1 to 3650"),
            (self.entries_per_company_max > 100_000, "cron.entries_per_company_max", "0 to 100000"),
            (self.entries_of_service_max > 100_000, "cron.entries_of_service_max", "0 to 100000"),
            (!(1..=60).contains(&self.interval_minutes_min), "cron.interval_minutes_min", "1 to 60"),
            (!(1..=86_000_000).contains(&self.command_time_ms), "cron.command_time_ms", "1 to 86000000"),
        ]
        .into_iter()
        .filter_map(|(impossible, key, allowed)| impossible.then_some((key, allowed)))
        .collect()
    }
}
