//! `POST /api-keys` and `POST /api-keys/{id}/rotate`: keys with which programs work for a company.
//!
//! Invariant: the text of a key is in one answer and nowhere else. What a key may do is checked by the database when it is made, and
//! again whenever it is used. The rest of a key's life is changed through the data API, as a row of the company.

mod config;
mod lent;
mod ranges;
mod uses;

use axum::Json;
use axum::extract::{Path, State};
pub use config::ApiKeyConfig;
use http::StatusCode;
use jiff::Timestamp;
use kernel::{Capability, Demand, Error, Kind, PassKind, Result};
use postgres::{Access, Sql, Tx};
use serde::Deserialize;
use serde_json::{Map, Value, json};
pub(crate) use uses::Uses;
use uuid::Uuid;

use crate::Auth;
use crate::errors::{bad_request, object};
use crate::input::{Body, Holder};
use crate::passes::NewPass;

/// A key that was rotated works on for thirty days at most.
const OVERLAP_SECONDS_MAX: u32 = 30 * 24 * 3600;
const NAME_CHARACTERS_MAX: usize = 200;
const PERMISSIONS_MAX: usize = 100;
const PER_MINUTE_MAX: u32 = 100_000;

/// The capability to make API keys.
pub(crate) struct MakeKeys;

impl Capability for MakeKeys {
    const DEMAND: Demand = Demand::Permission("api_keys:create");
}

/// What a member wants of a key.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Wish {
    name: String,
    permissions: Vec<String>,
    #[serde(default)]
    expires_at: Option<Timestamp>,
    #[serde(default)]
    allowed_addresses: Vec<String>,
    #[serde(default)]
    requests_per_minute: Option<u32>,
}

/// What a member wants of a rotation.
#[derive(Default, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Rotation {
    #[serde(default)]
    overlap_seconds: Option<u32>,
}

pub(crate) async fn make(State(auth): State<Auth>, who: Holder<MakeKeys>, Body(wish): Body<Wish>) -> Result<(StatusCode, Json<Value>)> {
    let wanted = wish.checked()?;
    let tx = auth.begin_as(who.grant(), Access::Write).await?;
    let new = new_key(&tx)?;
    let key = as_made(&new, wanted);
    let mut sql = Sql::new("select app.make_api_key(");
    sql.bind(&key).text("::jsonb, ").bind(auth.config().api_keys.per_company_max).text("::integer)::text");
    answer(tx, sql, &new).await
}

pub(crate) async fn rotate(
    State(auth): State<Auth>,
    who: Holder<MakeKeys>,
    Path(id): Path<String>,
    body: Option<Body<Rotation>>,
) -> Result<(StatusCode, Json<Value>)> {
    let unknown = || Error::new(Kind::NotFound, "api_key_not_found", "There is no such API key");
    let id: Uuid = id.parse().map_err(|error: uuid::Error| unknown().with_source(error))?;
    let overlap = body.and_then(|Body(rotation)| rotation.overlap_seconds).unwrap_or(auth.config().api_keys.overlap_seconds);
    if overlap > OVERLAP_SECONDS_MAX {
        return Err(bad_request("validation_failed", "overlap_seconds is at most 2592000"));
    }
    let tx = auth.begin_as(who.grant(), Access::Write).await?;
    let new = new_key(&tx)?;
    let key = as_made(&new, Map::new());
    let mut sql = Sql::new("select app.rotate_api_key(");
    sql.bind(id).text("::uuid, ").bind(&key).text("::jsonb, ").bind(overlap).text("::integer, ");
    sql.bind(auth.config().api_keys.per_company_max).text("::integer)::text");
    answer(tx, sql, &new).await
}

fn new_key(tx: &Tx) -> Result<NewPass> {
    let company = tx.opened().company_id.ok_or_else(|| Error::internal("a permission was found outside of a company"))?;
    NewPass::make(PassKind::ApiKey, company)
}

/// Returns the columns of a key: what is wanted of it, and what the server made.
fn as_made(new: &NewPass, mut wanted: Map<String, Value>) -> Value {
    for (column, value) in [("id", new.id.to_string()), ("key_hash", new.digest.clone()), ("key_prefix", new.prefix.clone())] {
        wanted.insert(column.to_owned(), Value::String(value));
    }
    Value::Object(wanted)
}

async fn answer(tx: Tx, sql: Sql, new: &NewPass) -> Result<(StatusCode, Json<Value>)> {
    let rows = tx.query(sql).await?;
    let row = rows.first().ok_or_else(|| Error::internal("a key was made and not told"))?;
    let mut shown: Map<String, Value> =
        serde_json::from_str(row.try_get::<_, &str>(0).map_err(Error::internal)?).map_err(Error::internal)?;
    tx.commit().await?;
    tracing::info!(api_key = %new.id, "an API key was made");
    shown.insert("key".to_owned(), Value::String(new.text.expose().clone()));
    Ok((StatusCode::CREATED, Json(Value::Object(shown))))
}

impl Wish {
    /// Returns the columns, once nothing is wrong with them that the database would not say so well.
    fn checked(self) -> Result<Map<String, Value>> {
        let name = self.name.trim().to_owned();
        if name.is_empty() || name.chars().count() > NAME_CHARACTERS_MAX || name.contains('\0') {
            return Err(bad_request("validation_failed", "name has 1 to 200 characters"));
        }
        if self.permissions.is_empty() || self.permissions.len() > PERMISSIONS_MAX || self.permissions.iter().any(|p| p.contains('\0')) {
            return Err(bad_request("validation_failed", "permissions lists 1 to 100 of them, each noun:verb"));
        }
        if self.requests_per_minute.is_some_and(|count| !(1..=PER_MINUTE_MAX).contains(&count)) {
            return Err(bad_request("validation_failed", "requests_per_minute is 1 to 100000"));
        }
        Ok(object([
            ("name", json!(name)),
            ("permissions", json!(self.permissions)),
            ("expires_at", json!(self.expires_at.map(|at| at.to_string()))),
            ("allowed_addresses", json!(ranges::read(&self.allowed_addresses)?)),
            ("requests_per_minute", json!(self.requests_per_minute)),
        ]))
    }
}
