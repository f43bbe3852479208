//! Checks of any PostgreSQL database: what leaks, what is slow, what will break, and how to mend it.
//!
//! Invariant: nothing here changes a database. What cannot be asked is skipped with the reason, and never counts as passed.

mod baseline;
mod check;
mod checks;
mod config;
mod diff;
mod document;
mod examine;
mod facts;
mod formats;
mod mend;
mod report;

pub use baseline::{Baseline, BaselineFault};
pub use check::{Check, Group, Lock, Need, Severity, Text};
pub use checks::{all, find};
pub use config::{DoctorConfig, Thresholds};
pub use diff::Diff;
pub use document::{explain, list, table};
pub use examine::{Wanted, examine, visit_limits};
pub use facts::{Asked, Facts};
pub use formats::{Format, write};
pub use mend::{Change, changes};
pub use report::{Accepted, FORMAT, Finding, GroupScore, Outcome, Report, Score, Status};
