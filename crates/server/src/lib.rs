//! The server: configuration, start and stop, the edge, and every mount on one page.
//!
//! Invariant: nothing imports this crate; it wires the floors below and holds no rule of the business.

pub mod config;
