//! `POST /oauth/register`: a program registers itself (RFC 7591), where the operator lets it.
//!
//! Invariant: what registers itself gets no right by it: people are asked before it may do anything, and one address, and all
//! together, register only so many.

use axum::Json;
use axum::extract::State;
use axum::response::{IntoResponse, Response};
use http::StatusCode;
use kernel::{Error, Kind, Result};
use postgres::Access;
use serde_json::{Value, json};

use super::clients::{Fault, Wish, hash, new_secret};
use super::queries::{self, NewClient};
use super::refusal::Refusal;
use super::required;
use crate::Auth;
use crate::input::{Body, Device};

pub(crate) async fn register(State(auth): State<Auth>, device: Device, Body(wish): Body<Wish>) -> Result<Response, Refusal> {
    let config = required(&auth)?;
    if !config.dynamic_registration {
        let message = "Dynamic client registration is not enabled";
        return Err(Error::new(Kind::Forbidden, "oauth_dynamic_client_registration_disabled", message).into());
    }
    wish.check(config)?;
    let auth_method = wish.auth_method()?;
    if wish.redirect_uris.is_none() {
        return Err(Fault::RedirectUri("redirect_uris is required").into());
    }
    let secret = if auth_method == "none" { None } else { Some(new_secret()?) };
    let secret_hash = secret.as_ref().map(|secret| hash(secret.expose()));
    let now = auth.now();
    let tx = auth.begin(Access::Write, "a program registers itself").await?;
    let network = device.network();
    if !queries::has_room(&tx, network.as_deref(), config, now).await? {
        let error =
            Error::new(Kind::TooManyRequests, "over_request_rate_limit", "Too many programs registered themselves. Try again later");
        return Err(error.with_retry_after(3600).into());
    }
    let new = NewClient { wish: &wish, auth_method, secret_hash, registration: "dynamic", registered_from: network, now };
    let client = queries::create(&tx, new).await?;
    tx.commit().await?;
    tracing::info!(client_id = %client.id, "a program registered itself");
    let mut document = client.document(secret.as_ref());
    if let Some(document) = document.as_object_mut() {
        document.insert("client_id_issued_at".to_owned(), json!(now.as_second()));
        if secret.is_some() {
            // Never.
            document.insert("client_secret_expires_at".to_owned(), Value::from(0));
        }
    }
    Ok((StatusCode::CREATED, Json(document)).into_response())
}
