//! `POST /oauth/token`: a session for a code, and a new one for a refresh token.
//!
//! Invariant: a code is good once, for the program, the address and the proof that it was made for. Whoever presents a code that was
//! used ends what it was exchanged for: either he or the first one stole it.

use aws_lc_rs::digest;
use axum::Json;
use axum::extract::State;
use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use http::HeaderMap;
use kernel::{Error, Secret};
use postgres::{Access, Tx};
use serde::Deserialize;
use serde_json::{Map, Value, json};
use subtle::ConstantTimeEq;

use super::authorizations::{self, Used};
use super::clients::{Client, GRANTS, hash};
use super::refusal::Refusal;
use super::sent::Sent;
use super::{client_auth, person, required};
use crate::Auth;
use crate::errors::object;
use crate::input::Device;
use crate::sessions::{self, Holder, NewHeld, Session};

/// The members of all grants' bodies that are looked at.
#[derive(Debug, Default, Deserialize)]
#[serde(default)]
pub(crate) struct Presented {
    grant_type: String,
    code: Option<Secret<String>>,
    code_verifier: Option<Secret<String>>,
    redirect_uri: Option<String>,
    resource: Option<String>,
    refresh_token: Option<Secret<String>>,
    scope: Option<String>,
    client_id: Option<String>,
    client_secret: Option<Secret<String>>,
}

pub(crate) async fn token(
    State(auth): State<Auth>,
    headers: HeaderMap,
    device: Device,
    Sent(presented): Sent<Presented>,
) -> Result<Json<Value>, Refusal> {
    required(&auth)?;
    let answer = Box::pin(grant(&auth, &headers, device, presented)).await;
    let result = match &answer {
        Ok(_) => "success",
        Err(Refusal::Said { error, .. }) => error,
        Err(Refusal::Failed(_)) => "failed",
    };
    metrics::counter!("auth_oauth_tokens_total", "result" => result).increment(1);
    answer.map(Json)
}

async fn grant(auth: &Auth, headers: &HeaderMap, device: Device, presented: Presented) -> Result<Value, Refusal> {
    if presented.grant_type.is_empty() {
        return Err(Refusal::invalid_request("grant_type is required"));
    }
    let tx = auth.begin(Access::Write, "a program asks for a session").await?;
    let client = client_auth::prove(&tx, headers, presented.client_id.as_deref(), presented.client_secret.as_ref()).await?;
    if !GRANTS.contains(&presented.grant_type.as_str()) {
        return Err(Refusal::bad("unsupported_grant_type", "The grant types are authorization_code and refresh_token"));
    }
    if !client.grant_types.contains(&presented.grant_type) {
        return Err(Refusal::bad("unauthorized_client", "The program is not registered for this grant type"));
    }
    if presented.grant_type == "authorization_code" {
        by_code(tx, auth, &client, device, presented).await
    } else {
        tx.commit().await?;
        by_refresh_token(auth, &client, presented).await
    }
}

async fn by_code(tx: Tx, auth: &Auth, client: &Client, device: Device, presented: Presented) -> Result<Value, Refusal> {
    let given = |text: Option<Secret<String>>| text.filter(|text| !text.expose().is_empty());
    let code = given(presented.code).ok_or_else(|| Refusal::invalid_request("code is required"))?;
    let verifier = given(presented.code_verifier).ok_or_else(|| Refusal::invalid_request("code_verifier is required"))?;
    let code_hash = hash(code.expose());
    let Some(used) = authorizations::use_up(&tx, &code_hash, auth.now()).await? else {
        if let Some(session_id) = authorizations::exchanged(&tx, &code_hash).await? {
            sessions::queries::revoke(&tx, session_id, auth.now()).await?;
            tx.commit().await?;
            tracing::warn!(%session_id, client_id = %client.id, "a used code was presented again: its session is ended");
        }
        return Err(not_good());
    };
    let fits = used.client_id == client.id
        && used.in_time
        && presented.redirect_uri.as_ref().is_none_or(|uri| *uri == used.redirect_uri)
        && is_proof(verifier.expose(), &used.code_challenge);
    let same_resource = presented.resource.as_ref().is_none_or(|resource| Some(resource) == used.resource.as_ref());
    if !fits || !same_resource {
        // It stays used up: nobody tries twice.
        tx.commit().await?;
        tracing::warn!(client_id = %client.id, "a code was presented that is not for this program, address or proof, or is over");
        return Err(if fits { Refusal::bad("invalid_target", "The code is for another resource") } else { not_good() });
    }
    let answer = exchange(&tx, auth, client, device, used).await?;
    tx.commit().await?;
    answer.ok_or_else(not_good)
}

/// Opens the session that a code stands for; none when the one in which its user agreed is over.
async fn exchange(tx: &Tx, auth: &Auth, client: &Client, device: Device, used: Used) -> Result<Option<Value>, Error> {
    let holder = Holder { client_id: client.id, scopes: used.scopes, resource: used.resource };
    let new = NewHeld { user_id: used.user_id, approved_in: used.approved_in, holder: &holder, device };
    let Some(session) = sessions::open_held(auth, tx, new).await? else { return Ok(None) };
    authorizations::note(tx, used.id, session.id).await?;
    let tokens = session.answer(auth)?;
    tracing::info!(user_id = %used.user_id, session_id = %session.id, client_id = %client.id, "a program got a session");
    answer(auth, client, &session, &tokens, used.nonce.as_deref()).map(Some)
}

async fn by_refresh_token(auth: &Auth, client: &Client, presented: Presented) -> Result<Value, Refusal> {
    let text = presented.refresh_token.filter(|text| !text.expose().is_empty());
    let text = text.ok_or_else(|| Refusal::invalid_request("refresh_token is required"))?;
    let (session, tokens) = sessions::refresh(auth, &text, Some(client.id)).await.map_err(|error| match error.code() {
        "refresh_token_not_found" | "refresh_token_already_used" | "session_expired" | "user_banned" => {
            Refusal::invalid_grant("The refresh token is none, was used, or its session is over")
        }
        _ => Refusal::Failed(error),
    })?;
    let allowed = session.holder.as_ref().map(|holder| holder.scopes.as_slice()).unwrap_or_default();
    let mut wanted = presented.scope.as_deref().unwrap_or_default().split_ascii_whitespace().filter(|scope| *scope != "offline_access");
    if wanted.any(|scope| !allowed.iter().any(|known| known == scope)) {
        return Err(Refusal::bad("invalid_scope", "A refresh does not give more than was allowed"));
    }
    Ok(answer(auth, client, &session, &tokens, None)?)
}

/// Returns what a program gets: tokens, what they are good for, and who the person is, if it asked.
fn answer(auth: &Auth, client: &Client, session: &Session, tokens: &Value, nonce: Option<&str>) -> Result<Value, Error> {
    let scopes = session.holder.as_ref().map(|holder| holder.scopes.as_slice()).unwrap_or_default();
    let mut answer = object([("scope", json!(scopes.join(" ")))]);
    for name in ["access_token", "token_type", "expires_in", "refresh_token"] {
        if name != "refresh_token" || client.grant_types.iter().any(|grant| grant == name) {
            answer.insert(name.to_owned(), tokens.get(name).cloned().unwrap_or_default());
        }
    }
    if scopes.iter().any(|scope| scope == "openid") {
        let claims = id_claims(auth, client, session, scopes, nonce)?;
        let id_token = auth.keys().ring.sign_publicly(&claims).map_err(Error::internal)?;
        answer.insert("id_token".to_owned(), json!(id_token));
    }
    Ok(Value::Object(answer))
}

/// The claims of an id token. Its audience is the program, so that it is never taken for an access token.
fn id_claims(auth: &Auth, client: &Client, session: &Session, scopes: &[String], nonce: Option<&str>) -> Result<Map<String, Value>, Error> {
    let now = auth.now().as_second();
    let mut claims = person::claims(&session.user, scopes)?;
    claims.extend(object([
        ("iss", json!(auth.issuer())),
        ("aud", json!(client.id)),
        ("iat", json!(now)),
        ("exp", json!(now + i64::from(auth.config().access_token_seconds))),
    ]));
    // When the person proved who he is: the first entry is the program's.
    let proofs = session.amr.as_array().map(Vec::as_slice).unwrap_or_default();
    if let Some(at) = proofs.iter().skip(1).filter_map(|proof| proof.get("timestamp")?.as_i64()).max() {
        claims.insert("auth_time".to_owned(), json!(at));
    }
    if let Some(nonce) = nonce {
        claims.insert("nonce".to_owned(), json!(nonce));
    }
    Ok(claims)
}

/// Tells whether a word is the one whose hash began the request (RFC 7636), in the same time for any.
fn is_proof(verifier: &str, challenge: &str) -> bool {
    let letters = verifier.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"-._~".contains(&byte));
    let made = URL_SAFE_NO_PAD.encode(digest::digest(&digest::SHA256, verifier.as_bytes()));
    (43..=128).contains(&verifier.len()) && letters && bool::from(made.as_bytes().ct_eq(challenge.as_bytes()))
}

/// The one answer for a code that is none, was used, is over, or is another's.
fn not_good() -> Refusal {
    Refusal::invalid_grant("The authorization code is none, was used, is over, or is not for this program, address and verifier")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_proof_is_the_word_of_its_hash() {
        // RFC 7636, appendix B.
        let (verifier, challenge) = ("dBjftJeZ4CVP-mB92K27uhbUJU1p1r_wW1gFWFOEjXk", "E9Melhoa2OwvFrEMTJguCHaoeK1t8URWbuGJSstw-cM");
        assert!(is_proof(verifier, challenge));
        assert!(!is_proof(challenge, challenge), "the hash is no proof of itself");
        assert!(!is_proof(&verifier[1..], challenge));
        assert!(!is_proof("", challenge));
        let padded = format!("{verifier}=");
        assert!(!is_proof(&padded, &URL_SAFE_NO_PAD.encode(digest::digest(&digest::SHA256, padded.as_bytes()))));
    }
}
