//! `/user/oauth/grants`: which programs somebody lets act for him, and the end of that.
//!
//! Invariant: what is taken back is gone at the program's very next request: its sessions, its codes and what was agreed to.

use axum::Json;
use axum::extract::State;
use http::StatusCode;
use kernel::{Error, Kind, Result, UserId};
use postgres::{Access, Sql, Tx};
use serde::Deserialize;
use serde_json::Value;
use uuid::Uuid;

use super::required;
use crate::Auth;
use crate::errors::{bad_request, session_not_found};
use crate::input::{Caller, Params};
use crate::sessions::{self, Lifetime};

/// The query of the deletion.
#[derive(Deserialize)]
pub(crate) struct Which {
    #[serde(default)]
    client_id: String,
}

pub(crate) async fn grants(State(auth): State<Auth>, caller: Caller) -> Result<Json<Value>> {
    required(&auth)?;
    let tx = opened(&auth, caller, "list the programs that act for somebody").await?;
    let grants = granted(&tx, caller.user_id).await?;
    tx.commit().await?;
    Ok(Json(grants))
}

/// Returns the programs that act for somebody.
pub(crate) async fn granted(tx: &Tx, user_id: UserId) -> Result<Value> {
    let mut sql = Sql::new(
        "select coalesce(jsonb_agg(jsonb_build_object(
                  'client', jsonb_build_object('id', c.id, 'name', c.name, 'uri', coalesce(c.uri, ''), 'logo_uri', coalesce(c.logo_uri, '')),
                  'scopes', k.scopes,
                  'granted_at', to_char(k.granted_at at time zone 'UTC', 'YYYY-MM-DD\"T\"HH24:MI:SS.US\"Z\"'))
                order by k.granted_at desc, c.id), '[]') as grants
           from auth.oauth_consents k join auth.oauth_clients c on c.id = k.client_id where k.user_id = ",
    );
    sql.bind(user_id).text("::uuid");
    tx.query_one(sql).await?.try_get("grants").map_err(Error::internal)
}

pub(crate) async fn revoke_grant(State(auth): State<Auth>, Params(which): Params<Which>, caller: Caller) -> Result<StatusCode> {
    required(&auth)?;
    let invalid = || bad_request("validation_failed", "client_id must be a UUID");
    let client_id: Uuid = which.client_id.parse().map_err(|error: uuid::Error| invalid().with_source(error))?;
    let tx = opened(&auth, caller, "a program no longer acts for somebody").await?;
    let mut consent = Sql::new("delete from auth.oauth_consents k where k.user_id = ");
    consent.bind(caller.user_id).text("::uuid and k.client_id = ").bind(client_id).text("::uuid returning k.client_id");
    if tx.query_opt(consent).await?.is_none() {
        return Err(Error::new(Kind::NotFound, "oauth_consent_not_found", "No active grant found for this client"));
    }
    // Whoever exchanges a code at this moment is waited for, so that the next statement sees his session.
    let mut codes = Sql::new("delete from auth.oauth_authorizations a where a.user_id = ");
    codes.bind(caller.user_id).text("::uuid and a.client_id = ").bind(client_id).text("::uuid");
    tx.execute(codes).await?;
    sessions::revoke_held_of(&tx, caller.user_id, client_id, &auth).await?;
    tx.commit().await?;
    tracing::info!(user_id = %caller.user_id, %client_id, "a program no longer acts for somebody");
    Ok(StatusCode::NO_CONTENT)
}

async fn opened(auth: &Auth, caller: Caller, reason: &'static str) -> Result<Tx> {
    let tx = auth.begin(Access::Write, reason).await?;
    if !sessions::queries::lock_live(&tx, caller, Lifetime::of(auth)).await? {
        return Err(session_not_found());
    }
    Ok(tx)
}
