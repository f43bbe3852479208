//! `GET /sessions` and `DELETE /sessions/{id}`: where somebody is signed in, and the end of one of these sign-ins.
//!
//! Invariant: everybody sees and ends his own sessions alone; another one's is not there.

use axum::Json;
use axum::extract::{Path, State};
use http::StatusCode;
use kernel::{Error, Kind, Result, SessionId};
use postgres::Access;
use serde_json::Value;

use super::{Lifetime, queries};
use crate::Auth;
use crate::errors::session_not_found;
use crate::input::Caller;

pub(crate) async fn list(State(auth): State<Auth>, caller: Caller) -> Result<Json<Value>> {
    let lifetime = Lifetime::of(&auth);
    let tx = auth.begin_unread("list one's own sessions").await?;
    if !queries::lock_live(&tx, caller, lifetime).await? {
        return Err(session_not_found());
    }
    let sessions = queries::list(&tx, caller, lifetime).await?;
    tx.commit().await?;
    Ok(Json(sessions))
}

pub(crate) async fn end(State(auth): State<Auth>, caller: Caller, Path(id): Path<String>) -> Result<StatusCode> {
    let unknown = || Error::new(Kind::NotFound, "session_not_found", "There is no such session of yours");
    let id: SessionId = id.parse().map_err(|error: uuid::Error| unknown().with_source(error))?;
    let lifetime = Lifetime::of(&auth);
    let tx = auth.begin(Access::Write, "end one of one's own sessions").await?;
    if !queries::lock_live(&tx, caller, lifetime).await? {
        return Err(session_not_found());
    }
    if !queries::revoke_own(&tx, caller, id, lifetime.now).await? {
        return Err(unknown());
    }
    tx.commit().await?;
    tracing::info!(user_id = %caller.user_id, session_id = %id, "ended a session");
    Ok(StatusCode::NO_CONTENT)
}
