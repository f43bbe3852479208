//! `/admin/users/{id}/factors`: the second factors of an account, for whoever helps a person who lost his.

use axum::Json;
use axum::extract::{Path, State};
use kernel::Result;
use postgres::Access;
use serde::Deserialize;
use serde_json::{Value, json};

use super::{read, user_id};
use crate::Auth;
use crate::errors::bad_request;
use crate::factors::{check_name, factor_id, factor_not_found, name_taken, queries};
use crate::input::{Administrator, Body, Email, Phone};

/// What a factor is to be called, and where its codes are to go.
#[derive(Deserialize)]
pub(crate) struct Wish {
    #[serde(default)]
    friendly_name: Option<String>,
    #[serde(default)]
    phone: Option<String>,
    #[serde(default)]
    email: Option<String>,
}

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

pub(crate) async fn update(
    State(auth): State<Auth>,
    admin: Administrator,
    Path((id, factor)): Path<(String, String)>,
    Body(wish): Body<Wish>,
) -> Result<Json<Value>> {
    let (id, factor) = (user_id(&id)?, factor_id(&factor)?);
    let given = |text: Option<String>| text.filter(|text| !text.is_empty());
    let name = given(wish.friendly_name);
    check_name(name.as_deref().unwrap_or_default())?;
    let phone = given(wish.phone).as_deref().map(Phone::parse).transpose()?;
    let email = given(wish.email).as_deref().map(Email::parse).transpose()?;
    let tx = auth.begin_as(&admin.0, Access::Write).await?;
    let factors = read(&tx, id).await?.factors.unwrap_or_else(|| json!([]));
    let known = |wanted: &Value| factors.as_array().into_iter().flatten().find(|known| known["id"] == *wanted);
    let found = known(&json!(factor)).ok_or_else(factor_not_found)?;
    let has = |sort: &str| found["factor_type"] == sort;
    if (phone.is_some() && !has("phone")) || (email.is_some() && !has("email")) {
        return Err(bad_request("validation_failed", "Only a factor of this type has a phone number or an email address"));
    }
    if let Some(name) = &name {
        let mut others = factors.as_array().into_iter().flatten().filter(|known| known["id"] != found["id"]);
        if others.any(|other| other["friendly_name"] == name.as_str()) {
            return Err(name_taken(name));
        }
    }
    let change = queries::Change {
        friendly_name: name.as_deref(),
        phone: phone.as_ref().map(Phone::as_str),
        email: email.as_ref().map(Email::as_str),
    };
    queries::change(&tx, id, factor, &change, auth.now()).await?;
    let changed = read(&tx, id).await?.factors.unwrap_or_else(|| json!([]));
    tx.commit().await?;
    tracing::info!(user_id = %id, factor_id = %factor, "a second factor was changed with the service key");
    let changed = changed.as_array().into_iter().flatten().find(|known| known["id"] == json!(factor)).cloned();
    changed.map(Json).ok_or_else(factor_not_found)
}
