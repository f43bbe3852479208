//! Accounts without an address: `POST /signup` with neither, and what becomes of them when somebody names one.
//!
//! Invariant: such an account has no way in but the session it was made with, so a password needs an address or number first. How many
//! one address makes, or one network of IPv6, is counted in the transaction that makes them.

use axum::Json;
use axum::response::{IntoResponse, Response};
use jiff::{SignedDuration, Timestamp};
use kernel::{Error, Kind, Result, UserId};
use postgres::{Access, Sql, Tx};
use serde_json::{Map, Value};

use crate::errors::unprocessable;
use crate::hooks::Newcomer;
use crate::input::{Device, check_metadata};
use crate::{Auth, sessions};

const HOUR_SECONDS: i64 = 3600;

/// Says that everybody has to say who he is.
pub(super) fn disabled() -> Error {
    unprocessable("anonymous_provider_disabled", "Anonymous sign-ins are disabled")
}

/// Says that a password alone lets nobody in.
pub(super) fn nothing_to_sign_in_with() -> Error {
    unprocessable("validation_failed", "Updating password of an anonymous user without an email or phone is not allowed")
}

/// Makes an account that is known by nothing, and a session in it.
pub(super) async fn sign_up(auth: &Auth, device: Device, user_metadata: Map<String, Value>) -> Result<Response> {
    check_metadata(&user_metadata, auth.config().user_metadata_bytes_max)?;
    let tx = auth.begin(Access::Write, "sign-up without an address").await?;
    if let Some(network) = device.network() {
        count(&tx, &network, auth.config().anonymous.client_hour_max, auth.now()).await?;
    }
    let id = UserId::new_v7();
    let newcomer = Newcomer { id, provider: "", email: "", phone: "", user_metadata: &user_metadata };
    auth.before_user(&tx, &device, newcomer).await?;
    create(&tx, id, user_metadata, auth.now()).await?;
    let about = device.clone();
    let new =
        sessions::NewSession { user_id: id, verified_hash: None, renewed_hash: None, device, method: "anonymous", provider: "anonymous" };
    let answer = sessions::open(auth, &tx, new).await?.answer(auth)?;
    tx.commit().await?;
    auth.after_user(&about, id);
    tracing::info!(user_id = %id, "signed up without an address");
    Ok(Json(answer).into_response())
}

async fn create(tx: &Tx, id: UserId, user_metadata: Map<String, Value>, now: Timestamp) -> Result<()> {
    let mut sql = Sql::new("insert into auth.users (id, is_anonymous, raw_user_meta_data, raw_app_meta_data, created_at, updated_at) ");
    sql.text("select ")
        .bind(id)
        .text("::uuid, true, ")
        .bind(Value::Object(user_metadata))
        .text("::jsonb, '{}', g.now, g.now from (select ");
    sql.bind(now).text("::timestamptz as now) g");
    tx.execute(sql).await?;
    Ok(())
}

/// Counts one more account of this hour. Two from one network wait for each other here.
async fn count(tx: &Tx, network: &str, hour_max: u32, now: Timestamp) -> Result<()> {
    let begun = now.as_second().div_euclid(HOUR_SECONDS) * HOUR_SECONDS;
    let start = Timestamp::from_second(begun).map_err(Error::internal)?;
    let end = start.checked_add(SignedDuration::from_secs(HOUR_SECONDS)).map_err(Error::internal)?;
    let mut sql = Sql::new("insert into public.api_rate_limits as l ");
    sql.text("(identifier_type, identifier_value, endpoint, request_count, window_start, window_end, rate_limit) select 'ip', ");
    sql.bind(network).text("::text, 'auth/signup/anonymous', 1, ").bind(start).text("::timestamptz, ").bind(end);
    sql.text("::timestamptz, ").bind(hour_max).text(
        "::integer on conflict (identifier_type, identifier_value, endpoint, window_start) do update
            set request_count = l.request_count + 1, rate_limit = excluded.rate_limit, updated_at = now()
         returning l.request_count",
    );
    let count: i32 = tx.query_one(sql).await?.try_get("request_count").map_err(Error::internal)?;
    if i64::from(count) > i64::from(hour_max) {
        let wait = u32::try_from(end.as_second() - now.as_second()).unwrap_or(60);
        let message = "Too many accounts were made from this address; come back later";
        return Err(Error::new(Kind::TooManyRequests, "over_request_rate_limit", message).with_retry_after(wait));
    }
    Ok(())
}
