//! `/admin/users/{id}/factors`: the second factors of an account, for whoever helps a person who lost his.

use axum::Json;
use axum::extract::{Path, State};
use kernel::Result;
use postgres::Access;
use serde_json::{Value, json};

use super::{read, user_id};
use crate::Auth;
use crate::factors::{factor_id, factor_not_found, queries};
use crate::input::Administrator;

pub(crate) async fn list(State(auth): State<Auth>, admin: Administrator, Path(id): Path<String>) -> Result<Json<Value>> {
    let tx = auth.begin_as(&admin.0, Access::Read).await?;
    let user = read(&tx, user_id(&id)?).await?;
    tx.commit().await?;
    Ok(Json(user.factors.unwrap_or_else(|| json!([]))))
}

pub(crate) async fn delete(
    State(auth): State<Auth>,
    admin: Administrator,
    Path((id, factor)): Path<(String, String)>,
) -> Result<Json<Value>> {
    let (id, factor) = (user_id(&id)?, factor_id(&factor)?);
    let tx = auth.begin_as(&admin.0, Access::Write).await?;
    let factors = read(&tx, id).await?.factors.unwrap_or_else(|| json!([]));
    let found = factors.as_array().into_iter().flatten().find(|known| known["id"] == json!(factor)).cloned();
    let found = found.ok_or_else(factor_not_found)?;
    queries::delete(&tx, id, factor, auth.now()).await?;
    tx.commit().await?;
    tracing::info!(user_id = %id, factor_id = %factor, "a second factor was removed with the service key");
    Ok(Json(found))
}
