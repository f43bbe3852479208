//! `POST /oauth/revoke`: a program gives back what it holds (RFC 7009).
//!
//! Invariant: a program ends its own sessions alone, and learns nothing of a token that is not its own: the answer is always the same.

use axum::extract::State;
use http::{HeaderMap, StatusCode};
use kernel::{Secret, SessionId, Subject};
use postgres::Access;
use serde::Deserialize;

use super::refusal::Refusal;
use super::sent::Sent;
use super::{client_auth, required};
use crate::Auth;
use crate::sessions::{self, RefreshToken};

/// The body of the endpoint.
#[derive(Debug, Default, Deserialize)]
#[serde(default)]
pub(crate) struct Presented {
    token: Option<Secret<String>>,
    client_id: Option<String>,
    client_secret: Option<Secret<String>>,
}

pub(crate) async fn revoke(State(auth): State<Auth>, headers: HeaderMap, Sent(presented): Sent<Presented>) -> Result<StatusCode, Refusal> {
    required(&auth)?;
    let tx = auth.begin(Access::Write, "a program gives a session back").await?;
    let client = client_auth::prove(&tx, &headers, presented.client_id.as_deref(), presented.client_secret.as_ref()).await?;
    let token = presented.token.filter(|token| !token.expose().is_empty());
    let token = token.ok_or_else(|| Refusal::invalid_request("token is required"))?;
    if let Some(session_id) = session_of(&auth, token.expose()).await
        && sessions::revoke_held(&tx, session_id, client.id, &auth).await?
    {
        tx.commit().await?;
        tracing::info!(%session_id, client_id = %client.id, "a program gave a session back");
    }
    Ok(StatusCode::OK)
}

/// Returns the session that a refresh or access token speaks for.
async fn session_of(auth: &Auth, token: &str) -> Option<SessionId> {
    let keys = auth.keys();
    if let Some(refresh) = RefreshToken::decode(&keys.ring, token) {
        return Some(refresh.session_id);
    }
    match auth.verifier().verify(&keys, token, auth.now().as_second()).await.ok()?.subject {
        Subject::User { session_id, .. } => session_id,
        _ => None,
    }
}
