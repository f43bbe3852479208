//! The OAuth 2.1 server: programs of others that people let act for them.
//!
//! Invariant: a program gets a session only for a code that its user agreed to, once, with the proof that it began the request itself
//! (PKCE, S256 alone). Its session names the program and what it was allowed, is refreshed by that program alone, and reaches nothing of
//! the account but what it is called ([`crate::input::Caller`]).

mod admin;
mod authorizations;
mod authorize;
mod client_auth;
mod clients;
mod config;
mod consent;
mod discovery;
mod grants;
mod introspect;
mod person;
mod queries;
mod redirect_uri;
mod refusal;
mod register;
mod revoke;
mod sent;
mod token;

pub(crate) use admin::{create, delete, get, list, regenerate, update};
pub(crate) use authorize::authorize;
use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
pub use config::OauthServerConfig;
pub(crate) use consent::{consent, details};
pub use discovery::router as well_known;
pub(crate) use discovery::{oauth as metadata, openid};
pub(crate) use grants::{granted, grants, revoke_grant};
pub(crate) use introspect::introspect;
use kernel::{Error, Kind, Result};
pub(crate) use person::userinfo;
pub(crate) use register::register;
pub(crate) use revoke::revoke;
pub(crate) use token::token;

use crate::{Auth, keys};

const RANDOM_BYTES: usize = 32;
/// What a program may ask to know of a person. What it may do is what he may do.
const SCOPES: [&str; 4] = ["openid", "profile", "email", "phone"];

/// Refuses everything where there is no OAuth server, and returns its settings where there is one.
fn required(auth: &Auth) -> Result<&OauthServerConfig> {
    let config = &auth.config().oauth_server;
    if config.enabled { Ok(config) } else { Err(Error::new(Kind::NotFound, "feature_disabled", "OAuth server is disabled")) }
}

/// Returns a text that nobody guesses.
fn random_text() -> Result<String> {
    Ok(URL_SAFE_NO_PAD.encode(keys::random(RANDOM_BYTES).map_err(Error::internal)?))
}
