//! Proves that companies are apart: every table, every caller, every operation, against what `db/permissions.toml` says.
//!
//! Invariant: what is expected comes from that file, which is written by hand, and never from the policies; what is found comes from
//! PostgreSQL, asked through the same transactions that requests run in. A table that the file does not know is a finding.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::missing_panics_doc, reason = "a proof fails loudly")]
#![allow(clippy::indexing_slicing, reason = "a field that is not in a row's JSON reads as null")]

mod attempt;
mod bare;
mod calls;
mod expectation;
mod lent;
mod matrix;
mod pointing;
mod report;
mod rules;
mod structure;
mod tables;
mod target;
mod world;

pub use expectation::{Permissions, Verb};
pub use matrix::{Scope, run, run_everything};
pub use report::Report;
pub use structure::examine;
pub use world::World;
