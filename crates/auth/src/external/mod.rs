//! Accounts at providers that people sign in with (OAuth 2.0, OpenID Connect).
//!
//! Invariant: an account here is entered only by whom the provider vouches for in an answer that was asked for: state, nonce, verifier
//! and audience belong to this sign-in and to no other. What is kept of a provider's tokens is sealed, and only until the session has them.

mod authorize;
mod callback;
pub(crate) mod company;
pub(crate) mod company_routes;
pub(crate) mod config;
pub(crate) mod custom;
mod discovery;
mod fault;
mod grant;
mod id_token;
mod profile;
mod provider;
mod queries;
mod settle;
mod trip;
mod unlink;

pub(crate) use authorize::{authorize, link as link_url};
pub(crate) use callback::{get as callback, of_company as company_callback, post as posted_callback};
pub(crate) use company::is_one as is_companys;
pub(crate) use discovery::Documents;
pub(crate) use grant::by_id_token;
use kernel::{Result, Secret, UserId};
use postgres::Tx;
use profile::Profile;
pub(crate) use provider::{Provider, configured};
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};
use trip::Tokens;
pub(crate) use unlink::unlink;
use uuid::Uuid;

use crate::Auth;
use crate::keys::FLOW_SECRETS;

/// What binds a sign-in to the browser that began it.
const COOKIE: &str = "thorbis-sign-in";

/// What is kept between the way back from a provider and the session.
#[derive(Default, Serialize, Deserialize)]
pub(crate) struct Kept {
    access: Option<String>,
    refresh: Option<String>,
    /// The identity that the account gets with the session.
    linked: Option<Profile>,
}

impl Kept {
    fn new(tokens: &Tokens, linked: Option<&Profile>) -> Self {
        let text = |token: &Option<Secret<String>>| token.as_ref().map(|token| token.expose().clone());
        Self { access: text(&tokens.access), refresh: text(&tokens.refresh), linked: linked.cloned() }
    }

    /// Opens what was kept.
    pub(crate) fn open(auth: &Auth, flow: Uuid, sealed: &str) -> Result<Self> {
        let opened = auth.keys().ring.unseal(FLOW_SECRETS, flow, sealed).map_err(kernel::Error::internal)?;
        serde_json::from_slice(opened.expose()).map_err(kernel::Error::internal)
    }

    /// Gives the account the identity that waited for its owner to come back.
    pub(crate) async fn link(&self, auth: &Auth, tx: &Tx, user_id: UserId, provider: &str) -> Result<()> {
        let Some(profile) = &self.linked else { return Ok(()) };
        settle::link(auth, tx, user_id, provider, profile).await.map(|_| ())
    }

    /// Adds the provider's tokens to a session.
    pub(crate) fn add_to(&self, answer: &mut Value) {
        let Some(answer) = answer.as_object_mut() else { return };
        for (name, token) in [("provider_token", &self.access), ("provider_refresh_token", &self.refresh)] {
            if let Some(token) = token {
                answer.insert(name.to_owned(), json!(token));
            }
        }
    }
}

/// Returns a provider that is on.
async fn find(auth: &Auth, name: &str) -> Result<Option<Provider>> {
    if company::is_one(name) {
        return company::provider(auth, name).await;
    }
    if name.starts_with(custom::PREFIX) {
        return custom::provider(auth, name).await;
    }
    Ok(auth.providers().iter().find(|provider| provider.name == name).cloned())
}

/// Returns the provider whose issuer and application these are.
fn find_by_issuer(auth: &Auth, issuer: &str, client_id: &str) -> Option<Provider> {
    let issuer = issuer.trim_end_matches('/');
    auth.providers().iter().find(|provider| provider.issuer == issuer && provider.takes_audience(client_id)).cloned()
}

/// Where the provider of this name sends browsers back to. Companies have addresses of their own, below which no other provider sends
/// anybody: what somebody brings there is for their providers, whatever else they made of his way.
fn callback_url(auth: &Auth, provider: &str) -> String {
    match company::of(provider) {
        Some(company) => company::callback_url(auth, company),
        None => format!("{}/callback", auth.issuer()),
    }
}
