//! `GET /passkeys`, `PATCH` and `DELETE /passkeys/{id}`: one's own passkeys; those of others are not there.

use axum::Json;
use axum::extract::{Path, State};
use http::StatusCode;
use kernel::Result;
use postgres::Access;
use serde::Deserialize;
use serde_json::Value;

use super::{locked, not_found, passkey_id, queries, site};
use crate::Auth;
use crate::errors::{bad_request, session_not_found};
use crate::input::{Body, Caller};
use crate::sessions::Lifetime;
use crate::sessions::queries::standing;

const NAME_CHARACTERS_MAX: usize = 120;

/// What a passkey is to be called.
#[derive(Deserialize)]
pub(crate) struct Wish {
    #[serde(default)]
    friendly_name: String,
}

pub(crate) async fn list(State(auth): State<Auth>, caller: Caller) -> Result<Json<Value>> {
    site(&auth)?;
    let tx = auth.begin_unread("list one's own passkeys").await?;
    standing(&tx, caller, Lifetime::of(&auth)).await?.ok_or_else(session_not_found)?;
    let list = queries::list(&tx, caller.user_id).await?;
    tx.commit().await?;
    Ok(Json(list))
}

pub(crate) async fn rename(
    State(auth): State<Auth>,
    caller: Caller,
    Path(id): Path<String>,
    Body(wish): Body<Wish>,
) -> Result<Json<Value>> {
    site(&auth)?;
    check_name(&wish.friendly_name)?;
    let id = passkey_id(&id)?;
    let tx = auth.begin(Access::Write, "rename a passkey").await?;
    // What it is called lets nobody in: no second factor is asked for.
    standing(&tx, caller, Lifetime::of(&auth)).await?.ok_or_else(session_not_found)?;
    let renamed = queries::rename(&tx, caller.user_id, id, &wish.friendly_name, auth.now()).await?.ok_or_else(not_found)?;
    tx.commit().await?;
    Ok(Json(renamed))
}

/// Refuses a name that is none.
fn check_name(name: &str) -> Result<()> {
    if name.is_empty() {
        return Err(bad_request("validation_failed", "friendly_name is required"));
    }
    if name.chars().count() > NAME_CHARACTERS_MAX {
        return Err(bad_request("validation_failed", "friendly_name must be 120 characters or less"));
    }
    if name.contains('\0') {
        return Err(bad_request("validation_failed", "The character U+0000 cannot be stored"));
    }
    Ok(())
}

pub(crate) async fn delete(State(auth): State<Auth>, caller: Caller, Path(id): Path<String>) -> Result<StatusCode> {
    site(&auth)?;
    let id = passkey_id(&id)?;
    let tx = auth.begin(Access::Write, "remove a passkey").await?;
    locked(&tx, &auth, caller).await?;
    if !queries::remove(&tx, caller.user_id, id).await? {
        return Err(not_found());
    }
    tx.commit().await?;
    tracing::info!(user_id = %caller.user_id, passkey_id = %id, "removed a passkey");
    Ok(StatusCode::NO_CONTENT)
}
