//! `GET /user/security`, `GET /user/security/events`, `GET /admin/audit`: where somebody is signed in, by what, which programs act for him,
//! which keys he made, and what happened to his account.
//!
//! Invariant: everybody sees his own and nothing of others; what happened is written by the database beside the change itself, and only
//! a refused sign-in, which changes nothing, from here.

pub(crate) mod config;
mod queries;

use axum::Json;
use axum::extract::State;
use kernel::{Result, UserId};
use postgres::{Access, Tx};
use serde::Deserialize;
use serde_json::{Value, json};
use uuid::Uuid;

use crate::errors::{bad_request, session_not_found};
use crate::input::{Administrator, Caller, Device, Params, optional_number};
use crate::sessions::Lifetime;
use crate::sessions::queries as sessions;
use crate::users::queries as users;
use crate::{Auth, oauth_server, passkeys};

/// Events on a page, and at most.
const PAGE: i64 = 50;
const PAGE_MAX: i64 = 200;

/// The query of the history: what came before an event.
#[derive(Deserialize)]
pub(crate) struct Before {
    #[serde(default)]
    before: Option<Uuid>,
    #[serde(default, deserialize_with = "optional_number")]
    limit: Option<i64>,
}

/// The query of the operator's list.
#[derive(Deserialize)]
pub(crate) struct Page {
    #[serde(default, deserialize_with = "optional_number")]
    page: Option<i64>,
    #[serde(default, deserialize_with = "optional_number")]
    per_page: Option<i64>,
}

pub(crate) async fn overview(State(auth): State<Auth>, caller: Caller) -> Result<Json<Value>> {
    let tx = opened(&auth, caller).await?;
    let user = users::find_self_within(&tx, caller, auth.now()).await?.ok_or_else(session_not_found)?;
    let answer = json!({
        "sessions": sessions::list(&tx, caller, Lifetime::of(&auth)).await?,
        "factors": user.factors.unwrap_or_else(|| json!([])),
        "passkeys": passkeys::list_of(&tx, caller.user_id).await?,
        "programs": oauth_server::granted(&tx, caller.user_id).await?,
        "api_keys": queries::api_keys(&tx, caller.user_id).await?,
        "events": queries::events(&tx, caller.user_id, None, PAGE).await?,
    });
    tx.commit().await?;
    Ok(Json(answer))
}

pub(crate) async fn history(State(auth): State<Auth>, caller: Caller, Params(wanted): Params<Before>) -> Result<Json<Value>> {
    let limit = wanted.limit.unwrap_or(PAGE);
    if !(1..=PAGE_MAX).contains(&limit) {
        return Err(bad_request("validation_failed", "limit must be 1 to 200"));
    }
    let tx = opened(&auth, caller).await?;
    let events = queries::events(&tx, caller.user_id, wanted.before, limit).await?;
    tx.commit().await?;
    Ok(Json(events))
}

pub(crate) async fn audit(State(auth): State<Auth>, admin: Administrator, Params(wanted): Params<Page>) -> Result<Json<Value>> {
    let (number, size) = (wanted.page.unwrap_or(1), wanted.per_page.unwrap_or(PAGE));
    if !(1..=1_000_000).contains(&number) || !(1..=PAGE_MAX).contains(&size) {
        return Err(bad_request("validation_failed", "page must be at least 1, per_page 1 to 200"));
    }
    let tx = auth.begin_as(&admin.0, Access::Read).await?;
    let entries = queries::entries(&tx, size, (number - 1) * size).await?;
    tx.commit().await?;
    Ok(Json(entries))
}

/// Notes a sign-in that was refused, of an account or of none: the same work for both, so that nobody learns which it was.
pub(crate) async fn refused(auth: &Auth, user_id: Option<UserId>, device: &Device) {
    let noted = async {
        let tx = auth.begin(Access::Write, "note a refused sign-in").await?;
        queries::note_refused(&tx, user_id, device).await?;
        tx.commit().await
    };
    // Who is refused is refused all the same.
    if let Err(error) = noted.await {
        tracing::warn!(code = error.code(), "a refused sign-in could not be noted: {}", error.message());
    }
}

async fn opened(auth: &Auth, caller: Caller) -> Result<Tx> {
    let tx = auth.begin(Access::Write, "tell somebody what happened to his account").await?;
    if !sessions::lock_live(&tx, caller, Lifetime::of(auth)).await? {
        return Err(session_not_found());
    }
    Ok(tx)
}
