//! Background work: tasks that are put in by the transaction that is their reason and done after its commit, by whichever process takes
//! them first.
//!
//! Invariant: a task that was committed is done at least once, whatever dies in between; what a handler writes with
//! [`Running::finish_within`] is written exactly once. A company with a million tasks does not hold up one with three.
//!
//! A kind of task is a type that implements [`Kind`]; [`Queue`] puts tasks in, [`Worker`] does them.

pub mod config;
pub mod cron;

mod bell;
mod claims;
mod coalesce;
mod doing;
mod figures;
mod finishing;
mod kinds;
mod overview;
mod queue;
mod ring;
mod running;
mod task;
mod tending;
mod waiting;
mod worker;

pub use config::QueueConfig;
pub use figures::Unfinished;
pub use kinds::{Field, FieldType, Kind, Kinds, Rules};
pub use overview::{Chosen, KindState, Limit, Listed};
pub use queue::{Queue, QueueOptions};
pub use running::{Failure, Running};
pub use task::{NewTask, OnConflict};
pub use worker::Worker;
