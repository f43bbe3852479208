//! What can be set about background work.
//!
//! Invariant: every limit of this crate has its name here; a unit stands last in the name.

use serde::{Deserialize, Serialize};

use crate::cron::CronConfig;

/// The settings of the queue.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct QueueConfig {
    /// Whether this server does tasks; it puts them in all the same.
    pub worker: bool,
    /// Tasks that one process does at the same time.
    pub running_max: usize,
    /// Tasks beside those, of companies of which this process does nothing yet: whose tasks take long keeps nobody from beginning.
    pub running_spare_max: usize,
    /// Tasks that are taken at once.
    pub claim_rows_max: usize,
    /// Tasks that are taken beside those for companies that just put some in, so that they do not wait for what others have here.
    pub claim_new_rows_max: usize,
    /// Companies that are taken from at once.
    pub claim_companies_max: usize,
    /// Companies that one process knows to have tasks.
    pub companies_max: usize,
    /// Milliseconds after which a task that was taken and could not begin is given back.
    pub held_ms: u64,
    /// Milliseconds between two looks for tasks that nobody told of.
    pub poll_interval_ms: u64,
    /// Milliseconds at least between two times that other processes are told of new tasks.
    pub bell_interval_ms: u64,
    /// Milliseconds that the end of a task waits for others, to be written with them.
    pub finish_wait_ms: u64,
    /// Ends that are written at once.
    pub finish_rows_max: usize,
    /// Milliseconds between two times that a process says that it lives, and asks what it should stop.
    pub beat_interval_ms: u64,
    /// Milliseconds of silence after which a process is dead and its tasks are done by others.
    pub dead_after_ms: u64,
    /// Processes that may die of a task before nobody tries it any more.
    pub crashes_max: u32,
    /// Milliseconds between two times that lost, due and waiting tasks are looked after.
    pub tend_interval_ms: u64,
    /// Tasks that are looked after at once.
    pub tend_rows_max: u32,
    /// Milliseconds between two times that tasks are counted for `/metrics`.
    pub measure_interval_ms: u64,
    /// Tasks of one state that are counted; where there are more, this many are shown.
    pub measure_rows_max: u32,
    /// Milliseconds that a handler may take to end by itself when it was cancelled, took too long, or the process stops.
    pub stop_grace_ms: u64,
    /// Callers that may wait for a task to be put in outside of a transaction.
    pub enqueue_waiting_max: usize,
    /// Tasks that are put in together for several callers.
    pub enqueue_rows_max: usize,
    /// Bytes of a payload.
    pub payload_bytes_max: usize,
    /// Days that tasks are kept that were done or cancelled; they go by the week.
    pub done_kept_days: u32,
    /// Days that tasks are kept that nobody tries any more; they go by the week.
    pub dead_kept_days: u32,
    /// What comes again and again.
    pub cron: CronConfig,
}

impl Default for QueueConfig {
    fn default() -> Self {
        Self {
            worker: true,
            running_max: 64,
            running_spare_max: 8,
            claim_rows_max: 500,
            claim_new_rows_max: 50,
            claim_companies_max: 25,
            companies_max: 5000,
            held_ms: 1000,
            poll_interval_ms: 250,
            bell_interval_ms: 5,
            finish_wait_ms: 2,
            finish_rows_max: 500,
            beat_interval_ms: 5000,
            dead_after_ms: 30_000,
            crashes_max: 5,
            tend_interval_ms: 1000,
            tend_rows_max: 1000,
            measure_interval_ms: 30_000,
            measure_rows_max: 100_000,
            stop_grace_ms: 5000,
            enqueue_waiting_max: 10_000,
            enqueue_rows_max: 500,
            payload_bytes_max: 262_144,
            done_kept_days: 30,
            dead_kept_days: 90,
            cron: CronConfig::default(),
        }
    }
}

impl QueueConfig {
    /// Returns the settings that are impossible, each with what is allowed.
    pub fn faults(&self) -> Vec<(&'static str, &'static str)> {
        [
            (!(1..=10_000).contains(&self.running_max), "running_max", "1 to 10000"),
            (self.running_spare_max > 1000, "running_spare_max", "0 to 1000"),
            (!(1..=1000).contains(&self.claim_rows_max), "claim_rows_max", "1 to 1000"),
            (self.claim_new_rows_max > 1000, "claim_new_rows_max", "0 to 1000"),
            (!(1..=100).contains(&self.claim_companies_max), "claim_companies_max", "1 to 100"),
            (!(1..=100_000).contains(&self.companies_max), "companies_max", "1 to 100000"),
            (!(10..=60_000).contains(&self.held_ms), "held_ms", "10 to 60000"),
            (!(10..=60_000).contains(&self.poll_interval_ms), "poll_interval_ms", "10 to 60000"),
            (!(1..=60_000).contains(&self.bell_interval_ms), "bell_interval_ms", "1 to 60000"),
            (self.finish_wait_ms > 1000, "finish_wait_ms", "0 to 1000"),
            (!(1..=1000).contains(&self.finish_rows_max), "finish_rows_max", "1 to 1000"),
            (!(100..=60_000).contains(&self.beat_interval_ms), "beat_interval_ms", "100 to 60000"),
            (
                self.dead_after_ms < self.beat_interval_ms.saturating_mul(3) || self.dead_after_ms > 3_600_000,
                "dead_after_ms",
                "three beat intervals to 3600000",
            ),
            (!(1..=100).contains(&self.crashes_max), "crashes_max", "1 to 100"),
            (!(10..=60_000).contains(&self.tend_interval_ms), "tend_interval_ms", "10 to 60000"),
            (!(1..=10_000).contains(&self.tend_rows_max), "tend_rows_max", "1 to 10000"),
            (!(1000..=3_600_000).contains(&self.measure_interval_ms), "measure_interval_ms", "1000 to 3600000"),
            (!(1..=10_000_000).contains(&self.measure_rows_max), "measure_rows_max", "1 to 10000000"),
            (self.stop_grace_ms > 600_000, "stop_grace_ms", "0 to 600000"),
            (!(1..=1_000_000).contains(&self.enqueue_waiting_max), "enqueue_waiting_max", "1 to 1000000"),
            (!(1..=5000).contains(&self.enqueue_rows_max), "enqueue_rows_max", "1 to 5000"),
            (!(1..=1_000_000).contains(&self.payload_bytes_max), "payload_bytes_max", "1 to 1000000"),
            (!(1..=3650).contains(&self.done_kept_days), "done_kept_days", "1 to 3650"),
            (!(1..=3650).contains(&self.dead_kept_days), "dead_kept_days", "1 to 3650"),
        ]
        .into_iter()
        .filter_map(|(impossible, key, allowed)| impossible.then_some((key, allowed)))
        .chain(self.cron.faults())
        .collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_defaults_are_possible_and_a_process_is_not_dead_between_two_beats() {
        assert_eq!(QueueConfig::default().faults(), []);
        let hasty = QueueConfig { dead_after_ms: 14_999, ..QueueConfig::default() };
        assert_eq!(hasty.faults(), [("dead_after_ms", "three beat intervals to 3600000")]);
    }
}
