//! `POST /oauth/introspect`: a program asks what a token is worth at this moment (RFC 7662).
//!
//! Invariant: a program that keeps a secret learns of the tokens that it holds itself and of no others: whatever it asks for beside them, it
//! is answered like nonsense. What is good is what the next request with it would be let in by.

use axum::Json;
use axum::extract::State;
use http::HeaderMap;
use kernel::{Error, Secret, SessionId, Subject};
use postgres::{Access, Tx};
use serde::Deserialize;
use serde_json::{Map, Value, json};

use super::clients::Client;
use super::refusal::Refusal;
use super::sent::Sent;
use super::{client_auth, required};
use crate::Auth;
use crate::errors::object;
use crate::input::Caller;
use crate::sessions::queries::{find, is_live};
use crate::sessions::{Lifetime, RefreshToken, Session};

/// The body of the endpoint; which sort of token it is, it says itself.
#[derive(Debug, Default, Deserialize)]
#[serde(default)]
pub(crate) struct Presented {
    token: Option<Secret<String>>,
    client_id: Option<String>,
    client_secret: Option<Secret<String>>,
}

pub(crate) async fn introspect(
    State(auth): State<Auth>,
    headers: HeaderMap,
    Sent(presented): Sent<Presented>,
) -> Result<Json<Value>, Refusal> {
    required(&auth)?;
    let tx = auth.begin(Access::Read, "a program asks what its token is worth").await?;
    let client = client_auth::prove(&tx, &headers, presented.client_id.as_deref(), presented.client_secret.as_ref()).await?;
    // Whoever cannot prove that he is the program could try tokens that he found.
    if client.is_public() {
        return Err(Refusal::invalid_client());
    }
    let token = presented.token.filter(|token| !token.expose().is_empty());
    let token = token.ok_or_else(|| Refusal::invalid_request("token is required"))?;
    let told = worth(&auth, &tx, &client, token.expose()).await?;
    tx.commit().await?;
    let mut answer = object([("active", json!(told.is_some()))]);
    answer.extend(told.unwrap_or_default());
    Ok(Json(Value::Object(answer)))
}

/// Returns what is told of a token that is good and the program's.
async fn worth(auth: &Auth, tx: &Tx, client: &Client, token: &str) -> Result<Option<Map<String, Value>>, Error> {
    let keys = auth.keys();
    if let Some(refresh) = RefreshToken::decode(&keys.ring, token) {
        let session = held(auth, tx, client, refresh.session_id).await?.filter(|session| session.refresh_counter == refresh.counter);
        return Ok(session.map(|session| of(auth, client, &session)));
    }
    let Ok(verified) = auth.verifier().verify(&keys, token, auth.now().as_second()).await else { return Ok(None) };
    let Subject::User { session_id: Some(session_id), .. } = verified.subject else { return Ok(None) };
    let Some(session) = held(auth, tx, client, session_id).await? else { return Ok(None) };
    let claims: Map<String, Value> = serde_json::from_str(&verified.claims).map_err(Error::internal)?;
    let mut told = of(auth, client, &session);
    told.insert("token_type".to_owned(), json!("Bearer"));
    told.extend(["exp", "iat", "aud"].iter().filter_map(|name| Some(((*name).to_owned(), claims.get(*name)?.clone()))));
    Ok(Some(told))
}

/// Returns a session that the program holds and that is live.
async fn held(auth: &Auth, tx: &Tx, client: &Client, id: SessionId) -> Result<Option<Session>, Error> {
    let session = find(tx, id).await?;
    let Some(session) = session.filter(|session| session.holder.as_ref().is_some_and(|holder| holder.client_id == client.id)) else {
        return Ok(None);
    };
    let caller = Caller { user_id: session.user.id, session_id: Some(id), is_assured: false };
    Ok(is_live(tx, caller, Lifetime::of(auth)).await?.then_some(session))
}

fn of(auth: &Auth, client: &Client, session: &Session) -> Map<String, Value> {
    let scopes = session.holder.as_ref().map(|holder| holder.scopes.join(" ")).unwrap_or_default();
    object([("iss", json!(auth.issuer())), ("sub", json!(session.user.id)), ("client_id", json!(client.id)), ("scope", json!(scopes))])
}
