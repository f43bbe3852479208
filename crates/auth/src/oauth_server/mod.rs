//! The OAuth 2.1 server: programs of others that people let act for them.
//!
//! Invariant: a program gets a session only for a code that its user agreed to, once, with the proof that it began the request itself
//! (PKCE, S256 alone). Its session names the program and what it was allowed, is refreshed by that program alone, and reaches nothing of
//! the account but what it is called ([`crate::input::Caller`]).

mod admin;
mod clients;
mod config;
mod queries;
mod redirect_uri;
mod refusal;
mod register;

pub(crate) use admin::{create, delete, get, list, regenerate, update};
use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
pub use config::OauthServerConfig;
use kernel::{Error, Kind, Result};
pub(crate) use register::register;

use crate::{Auth, keys};

const RANDOM_BYTES: usize = 32;

/// Refuses everything where there is no OAuth server, and returns its settings where there is one.
fn required(auth: &Auth) -> Result<&OauthServerConfig> {
    let config = &auth.config().oauth_server;
    if config.enabled { Ok(config) } else { Err(Error::new(Kind::NotFound, "feature_disabled", "OAuth server is disabled")) }
}

/// Returns a text that nobody guesses.
fn random_text() -> Result<String> {
    Ok(URL_SAFE_NO_PAD.encode(keys::random(RANDOM_BYTES).map_err(Error::internal)?))
}
