//! Who somebody is: users, sessions, tokens and keys, and which company a session works in.
//!
//! Invariant: only this crate vouches for a caller, from a token whose signature it checked; what a user may do in a company is
//! not decided here but by the database when a transaction opens.

pub mod config;
pub mod keys;
mod passwords;
mod sessions;
pub mod tokens;
