//! Entries that come again and again: by a schedule of five fields, on the clock of a zone.
//!
//! Invariant: of an entry there is one run for each of its times, on any number of processes; the run's row and its task are written
//! together, and the key over entry and time makes the second one impossible.

mod config;
mod expression;
mod firing;
mod overview;
mod times;

#[cfg(test)]
mod tests;

pub use config::CronConfig;
pub use expression::{Expression, InvalidSchedule};
pub use firing::{Cron, SystemEntry};
pub use overview::{Scheduled, ScheduledRun};
pub use times::{Due, Missed, Reach, due};
