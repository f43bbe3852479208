//! `POST /token?grant_type=id_token`: a session for an ID token that an application got from a provider itself.
//!
//! Invariant: a token is taken only from a provider that is on, for an application that the operator named, and with the nonce that belongs
//! to it. What is wrong with it is told no further than clients know it.

use axum::Json;
use axum::response::{IntoResponse, Response};
use http::StatusCode;
use kernel::{Error, Result, Secret, UserId};
use postgres::Access;
use serde::Deserialize;
use serde_json::{Map, Value, json};

use super::authorize::linking_disabled;
use super::fault::Fault;
use super::id_token::{self, ANOTHER_AUDIENCE, ANOTHER_NONCE, NONCE_OF_ONE, Nonce};
use super::profile::Profile;
use super::provider::{Dialect, Provider};
use super::settle::{self, Settled};
use super::{company, find, find_by_issuer};
use crate::Auth;
use crate::errors::{bad_request, session_not_found};
use crate::input::{Caller, Device};
use crate::sessions::{self, NewSession};
use crate::users::factor_required;
use crate::users::queries::find_self_within;

/// What the body has for this grant.
#[derive(Default, Deserialize)]
#[serde(default)]
pub(crate) struct Presented {
    provider: Option<String>,
    id_token: Option<Secret<String>>,
    access_token: Option<Secret<String>>,
    nonce: Option<String>,
    link_identity: bool,
    client_id: Option<String>,
    issuer: Option<String>,
}

/// A refusal as clients of this grant know it, or any other error.
enum Refusal {
    OAuth(&'static str, &'static str),
    Ours(Error),
}

impl From<Error> for Refusal {
    fn from(error: Error) -> Self {
        Self::Ours(error)
    }
}

/// Answers a session; `caller` is who presented a session of his own, which only linking needs.
pub(crate) async fn by_id_token(auth: &Auth, device: Device, presented: Presented, caller: Result<Caller>) -> Result<Response> {
    let answer = Box::pin(answer(auth, device, presented, caller)).await;
    let (result, answer) = match answer {
        Ok(session) => ("success", Ok(Json(session).into_response())),
        Err(Refusal::OAuth(error, description)) => {
            let body = json!({ "error": error, "error_description": description });
            ("invalid", Ok((StatusCode::BAD_REQUEST, Json(body)).into_response()))
        }
        Err(Refusal::Ours(error)) => (sessions::label(error.code()), Err(error)),
    };
    metrics::counter!("auth_sign_ins_total", "result" => result).increment(1);
    answer
}

async fn answer(auth: &Auth, device: Device, presented: Presented, caller: Result<Caller>) -> std::result::Result<Value, Refusal> {
    let caller = if presented.link_identity { Some(may_link(auth, caller).await?) } else { None };
    let provider = wanted(auth, &presented).await?;
    let claims = verified(auth, &provider, &presented).await?;
    let issuer = claims.get("iss").and_then(Value::as_str).unwrap_or(&provider.issuer).to_owned();
    let profile = Profile::read(&provider, &issuer, &claims).map_err(|fault| bad_token(&provider, &fault))?;
    let tx = auth.begin(Access::Write, "sign-in with an ID token").await?;
    let settled = match caller {
        Some(user_id) => Settled::known(settle::link(auth, &tx, user_id, &provider.name, &profile).await?),
        None => settle::arrive(auth, &tx, &device, &provider, &profile).await?,
    };
    let (user_id, about) = (settled.user_id, device.clone());
    if !settled.is_let_in {
        return Err(settle::written_to(auth, tx, &device, &settled).await?.into());
    }
    let new = NewSession { user_id, verified_hash: None, renewed_hash: None, device, method: "oauth", provider: &provider.name };
    let session = sessions::open(auth, &tx, new).await?;
    let answer = session.answer(auth)?;
    tx.commit().await?;
    settled.tell(auth, &about);
    tracing::info!(%user_id, session_id = %session.id, provider = provider.name, "signed in with an ID token");
    Ok(answer)
}

/// Returns whose account gets the identity.
async fn may_link(auth: &Auth, caller: Result<Caller>) -> Result<UserId> {
    if !auth.config().external.manual_linking_enabled {
        return Err(linking_disabled());
    }
    let caller = caller?;
    let tx = auth.begin(Access::Write, "add an identity").await?;
    let user = find_self_within(&tx, caller, auth.now()).await?.ok_or_else(session_not_found)?;
    if user.has_second_factor() && !sessions::is_proved(&tx, caller, auth).await? {
        return Err(factor_required());
    }
    tx.commit().await?;
    Ok(user.id)
}

async fn wanted(auth: &Auth, presented: &Presented) -> std::result::Result<Provider, Refusal> {
    let present = |text: &Option<String>| text.clone().filter(|text| !text.is_empty());
    if presented.id_token.as_ref().is_none_or(|token| token.expose().is_empty()) {
        return Err(Refusal::OAuth("invalid request", "id_token required"));
    }
    let found = match (present(&presented.provider), present(&presented.issuer), present(&presented.client_id)) {
        // A company's provider is believed only of who was sent there.
        (Some(name), _, _) if company::is_one(&name) => None,
        (Some(name), _, _) => find(auth, &name).await?,
        (None, Some(issuer), Some(client_id)) => find_by_issuer(auth, &issuer, &client_id),
        _ => return Err(Refusal::OAuth("invalid request", "provider or client_id and issuer required")),
    };
    let found = found.filter(|provider| provider.dialect == Dialect::OpenId);
    found.ok_or_else(|| bad_request("provider_disabled", "The provider is not enabled").into())
}

async fn verified(auth: &Auth, provider: &Provider, presented: &Presented) -> std::result::Result<Map<String, Value>, Refusal> {
    let token = presented.id_token.clone().unwrap_or_default();
    let nonce = Nonce::HashOf(presented.nonce.as_deref().filter(|nonce| !nonce.is_empty()));
    let claims = id_token::verify(auth.documents(), provider, token.expose(), nonce, auth.now()).await;
    let claims = claims.map_err(|fault| bad_token(provider, &fault))?;
    if let Some(access_token) = presented.access_token.as_ref().filter(|token| !token.expose().is_empty()) {
        id_token::check_access_token(&claims, access_token.expose()).map_err(|fault| bad_token(provider, &fault))?;
    }
    Ok(claims)
}

fn bad_token(provider: &Provider, fault: &Fault) -> Refusal {
    tracing::info!(provider = provider.name, %fault, "an ID token was refused");
    match fault {
        Fault::Token(ANOTHER_NONCE) => Refusal::OAuth("invalid nonce", "Nonces mismatch"),
        Fault::Token(NONCE_OF_ONE) => {
            Refusal::OAuth("invalid request", "Passed nonce and nonce in id_token should either both exist or not.")
        }
        Fault::Token(ANOTHER_AUDIENCE) => Refusal::OAuth("invalid request", "Unacceptable audience in id_token"),
        Fault::Token(_) | Fault::Provider(_) => Refusal::OAuth("invalid request", "Bad ID token"),
    }
}
