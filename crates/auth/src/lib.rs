//! Who somebody is: users, sessions, tokens and keys, and which company a session works in.
//!
//! Invariant: only this crate vouches for a caller, from a token whose signature it checked; what a user may do in a company is
//! not decided here but by the database when a transaction opens.
//!
//! The server mounts [`router`] at `/auth/v1` and puts [`layer`] (or [`Auth::authenticate`]) before everything else. The routes
//! under `/auth/v1` authenticate by themselves, because their errors have another shape.

#![cfg_attr(not(feature = "routes"), expect(unused_imports, reason = "the routes use it"))]
#![cfg_attr(all(not(feature = "routes"), not(test)), expect(dead_code, reason = "the routes use it"))]

pub mod config;
pub mod keys;
mod passwords;
pub mod tokens;

#[cfg(feature = "routes")]
mod admin;
#[cfg(feature = "routes")]
mod authenticate;
#[cfg(feature = "routes")]
mod companies;
#[cfg(feature = "routes")]
mod documents;
#[cfg(feature = "routes")]
mod errors;
#[cfg(feature = "routes")]
mod input;
#[cfg(feature = "routes")]
mod routes;
#[cfg(feature = "routes")]
mod sessions;
#[cfg(feature = "routes")]
mod state;
#[cfg(feature = "routes")]
mod unavailable;
#[cfg(feature = "routes")]
mod users;

#[cfg(feature = "routes")]
pub use authenticate::{Refusal, layer};
pub use config::AuthConfig;
#[cfg(feature = "routes")]
pub use routes::router;
#[cfg(feature = "routes")]
pub use state::{Auth, AuthOptions};
