//! The way of a caller's statements to PostgreSQL: connections that speak its protocol in frames of our own.
//!
//! Invariant: whoever asks gets an answer only when PostgreSQL is ready again, so that what was answered is kept; answers are read to their
//! end by the connection itself, whether anybody still waits for them or not.

mod batch;
mod connection;
mod dial;
mod driver;
mod fault;
mod flow;
mod replication;
mod startup;
mod statements;
mod stream;

pub(crate) use batch::{Part, Step};
pub(crate) use connection::Connection;
pub(crate) use dial::Dialer;
pub(crate) use fault::{Fault, Refusal};
pub(crate) use flow::Rows;
pub(crate) use replication::{Replication, Sent};
