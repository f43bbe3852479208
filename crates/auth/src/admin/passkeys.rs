//! `/admin/users/{id}/passkeys`: the passkeys of an account, for whoever helps a person who lost a device.

use axum::Json;
use axum::extract::{Path, State};
use http::StatusCode;
use kernel::Result;
use postgres::Access;
use serde_json::Value;

use super::{read, user_id};
use crate::Auth;
use crate::input::Administrator;
use crate::passkeys::{list_of, not_found, passkey_id, remove};

pub(crate) async fn list(State(auth): State<Auth>, admin: Administrator, Path(id): Path<String>) -> Result<Json<Value>> {
    let id = user_id(&id)?;
    let tx = auth.begin_as(&admin.0, Access::Read).await?;
    read(&tx, id).await?;
    let list = list_of(&tx, id).await?;
    tx.commit().await?;
    Ok(Json(list))
}

pub(crate) async fn delete(
    State(auth): State<Auth>,
    admin: Administrator,
    Path((id, passkey)): Path<(String, String)>,
) -> Result<StatusCode> {
    let (id, passkey) = (user_id(&id)?, passkey_id(&passkey)?);
    let tx = auth.begin_as(&admin.0, Access::Write).await?;
    read(&tx, id).await?;
    if !remove(&tx, id, passkey).await? {
        return Err(not_found());
    }
    tx.commit().await?;
    tracing::info!(user_id = %id, passkey_id = %passkey, "a passkey was removed with the service key");
    Ok(StatusCode::NO_CONTENT)
}
