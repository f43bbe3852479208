//! Accounts at providers that people sign in with.

pub(crate) mod config;
