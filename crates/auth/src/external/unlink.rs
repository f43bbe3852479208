//! `DELETE /user/identities/{id}`: an account is no longer entered by an identity.
//!
//! Invariant: one way in stays. What an account is known by follows what is left: with the identity of an address goes the password, and
//! the address becomes one that another identity verified, if there is one. What a company's provider says proves no address beyond the
//! sign-in with it.

use axum::Json;
use axum::extract::{Path, State};
use jiff::Timestamp;
use kernel::{Error, Kind, Result, UserId};
use postgres::{Access, Sql, Tx};
use serde_json::{Value, json};
use uuid::Uuid;

use super::authorize::linking_disabled;
use crate::errors::{session_not_found, unprocessable};
use crate::input::Caller;
use crate::users::queries::{find_self_within, name_providers};
use crate::users::{factor_required, taken};
use crate::{Auth, sessions};

pub(crate) async fn unlink(State(auth): State<Auth>, caller: Caller, Path(id): Path<String>) -> Result<Json<Value>> {
    if !auth.config().external.manual_linking_enabled {
        return Err(linking_disabled());
    }
    let not_one = |error: uuid::Error| Error::new(Kind::NotFound, "validation_failed", "identity_id must be an UUID").with_source(error);
    let id = Uuid::parse_str(&id).map_err(not_one)?;
    let now = auth.now();
    let tx = auth.begin(Access::Write, "take an identity away").await?;
    let user = find_self_within(&tx, caller, now).await?.ok_or_else(session_not_found)?;
    if user.has_second_factor() && !sessions::is_proved(&tx, caller, &auth).await? {
        return Err(factor_required());
    }
    if count(&tx, user.id).await? <= 1 {
        return Err(unprocessable("single_identity_not_deletable", "User must have at least 1 identity after unlinking"));
    }
    let unknown = || unprocessable("identity_not_found", "Identity doesn't exist");
    let removed = remove(&tx, user.id, id).await?.ok_or_else(unknown)?;
    settle(&tx, user.id, &removed, now).await.map_err(|error| match taken(error) {
        error if error.code() == "email_exists" => {
            unprocessable("email_conflict_identity_not_deletable", "Unable to unlink identity due to email conflict").with_source(error)
        }
        error => error,
    })?;
    name_providers(&tx, user.id).await?;
    tx.commit().await?;
    tracing::info!(user_id = %user.id, "an identity was taken away from an account");
    Ok(Json(json!({})))
}

/// Counts the identities of an account, and locks it: two who take the last ones wait for each other.
async fn count(tx: &Tx, user_id: UserId) -> Result<i64> {
    let mut lock = Sql::new("select u.id from auth.users u where u.id = ");
    lock.bind(user_id).text("::uuid for update");
    tx.query(lock).await?;
    let mut sql = Sql::new("select count(*) as known from auth.identities i where i.user_id = ");
    sql.bind(user_id).text("::uuid");
    tx.query_one(sql).await?.try_get("known").map_err(Error::internal)
}

/// Deletes an identity of an account. Returns its provider.
async fn remove(tx: &Tx, user_id: UserId, id: Uuid) -> Result<Option<String>> {
    let mut sql = Sql::new("delete from auth.identities i where i.user_id = ");
    sql.bind(user_id).text("::uuid and i.id = ").bind(id).text("::uuid returning i.provider");
    tx.query_opt(sql).await?.map(|row| row.try_get("provider").map_err(Error::internal)).transpose()
}

/// Makes the account what its identities say.
async fn settle(tx: &Tx, user_id: UserId, removed: &str, now: Timestamp) -> Result<()> {
    let mut sql = Sql::new("with given as (select ");
    sql.bind(user_id).text("::uuid as id, ").bind(removed).text("::text as removed, ").bind(now).text(
        "::timestamptz as now),
         known as (
           select coalesce(bool_or(i.provider = 'email'), false) as by_email, coalesce(bool_or(i.provider = 'phone'), false) as by_phone,
                  array_agg(lower(i.identity_data ->> 'email')) as emails,
                  (array_agg(i.identity_data ->> 'email' order by i.created_at, i.id)
                     filter (where i.provider <> 'email' and i.provider not like 'sso:%'
                                      and i.identity_data ->> 'email_verified' = 'true')) [1] as verified
             from auth.identities i join given g on g.id = i.user_id),
         kept as (
           select k.*, k.by_email or coalesce(u.email_key = any (k.emails), false) as keeps_email
             from known k, given g join auth.users u on u.id = g.id)
         update auth.users u
            set encrypted_password = case when k.by_phone or (k.keeps_email and g.removed <> 'email') then u.encrypted_password end,
                phone = case when k.by_phone then u.phone end,
                phone_confirmed_at = case when k.by_phone then u.phone_confirmed_at end,
                phone_proved_at = case when k.by_phone then u.phone_proved_at end,
                email = case when k.keeps_email then u.email else k.verified end,
                email_confirmed_at = case when k.keeps_email then u.email_confirmed_at when k.verified is not null then g.now end,
                email_proved_at = case when k.keeps_email then u.email_proved_at when k.verified is not null then g.now end,
                updated_at = g.now
           from given g, kept k where u.id = g.id",
    );
    tx.execute(sql).await?;
    Ok(())
}
