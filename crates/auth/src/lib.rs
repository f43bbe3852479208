//! Who somebody is: users, sessions, tokens and keys, and which company a session works in.
//!
//! Invariant: only this crate vouches for a caller, from a token whose signature it checked; what a user may do in a company is
//! not decided here but by the database when a transaction opens.
//!
//! The server mounts [`router`] at `/auth/v1` and puts [`layer`] (or [`Auth::authenticate`]) before everything else. The routes
//! under `/auth/v1` authenticate by themselves, because their errors have another shape.

pub mod alone;
pub mod config;
pub mod keys;
mod passwords;
pub mod tokens;

mod admin;
pub mod api_keys;
mod authenticate;
mod companies;
mod documents;
mod errors;
mod even;
mod external;
mod factors;
mod flows;
mod hooks;
mod input;
mod issuers;
mod limits;
mod oauth_server;
mod one_time;
mod origin;
mod passes;
mod passkeys;
pub mod portal;
mod public_links;
mod routes;
mod scim;
mod security;
mod sessions;
mod state;
mod support;
mod unavailable;
mod users;
mod webauthn;

pub use authenticate::{Refusal, layer};
pub use config::AuthConfig;
pub use oauth_server::well_known;
pub use routes::router;
pub use scim::router as scim_router;
pub use state::{Auth, AuthOptions};
