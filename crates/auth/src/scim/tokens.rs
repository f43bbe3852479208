//! `/scim/tokens` under /auth/v1: a member makes the token of his company's directory, lists them, takes one back.
//!
//! Invariant: a token is shown once, when it is made. Everything is done with the member's own rights: who may make one, and how many, says
//! the database.

use axum::Json;
use axum::extract::{Path, State};
use http::StatusCode;
use jiff::SignedDuration;
use kernel::{Capability, CompanyId, Demand, Error, Kind, Result};
use postgres::{Access, Sql};
use serde::Deserialize;
use serde_json::{Value, json};
use uuid::Uuid;

use super::secret;
use crate::Auth;
use crate::errors::bad_request;
use crate::input::{Body, Holder};

/// To see the company's directory.
pub(crate) struct ReadDirectory;
/// To let a directory in.
pub(crate) struct CreateDirectory;
/// To take a directory's token back.
pub(crate) struct DeleteDirectory;

impl Capability for ReadDirectory {
    const DEMAND: Demand = Demand::Permission("directory:read");
}
impl Capability for CreateDirectory {
    const DEMAND: Demand = Demand::Permission("directory:create");
}
impl Capability for DeleteDirectory {
    const DEMAND: Demand = Demand::Permission("directory:delete");
}

#[derive(Debug, Deserialize)]
pub(crate) struct Wish {
    name: String,
    #[serde(default)]
    days: Option<u32>,
}

pub(crate) async fn create(
    State(auth): State<Auth>,
    member: Holder<CreateDirectory>,
    Body(wish): Body<Wish>,
) -> Result<(StatusCode, Json<Value>)> {
    let config = &auth.config().scim;
    let days = wish.days.unwrap_or(config.token_days);
    if !(1..=config.token_days_max).contains(&days) {
        let message = format!("days has to be 1 to {}", config.token_days_max);
        return Err(Error::new(Kind::BadRequest, "validation_failed", message));
    }
    let name = wish.name.trim();
    if !(1..=200).contains(&name.chars().count()) || name.contains('\0') {
        return Err(bad_request("validation_failed", "name has to have 1 to 200 characters"));
    }
    let expires = auth.now().checked_add(SignedDuration::from_hours(24 * i64::from(days))).map_err(Error::internal)?;
    let tx = auth.begin_as(member.grant(), Access::Write).await?;
    let company = company(&tx)?;
    let token = secret::make()?;
    let id = Uuid::now_v7();
    let mut sql = Sql::new("select app.make_scim_token(");
    sql.bind(id).text("::uuid, ").bind(name).text("::text, ").bind(secret::hash(token.expose())).text("::text, ");
    sql.bind(secret::beginning(token.expose())).text("::text, ").bind(expires).text("::timestamptz, ").bind(auth.now());
    sql.text("::timestamptz, ").bind(config.tokens_max).text("::integer)");
    tx.execute(sql).await?;
    tx.commit().await?;
    tracing::info!(company_id = %company, token_id = %id, "a directory's token was made");
    let answer = json!({ "id": id, "name": name, "token": token.expose(), "expires_at": expires, "url": super::base(&auth) });
    Ok((StatusCode::CREATED, Json(answer)))
}

pub(crate) async fn list(State(auth): State<Auth>, member: Holder<ReadDirectory>) -> Result<Json<Value>> {
    let tx = auth.begin_as(member.grant(), Access::Read).await?;
    let mut sql = Sql::new(
        "select coalesce(jsonb_agg(jsonb_build_object('id', t.id, 'name', t.name, 'token_prefix', t.token_prefix, 'expires_at', t.expires_at,
           'last_used_at', t.last_used_at, 'revoked_at', t.revoked_at, 'created_at', t.created_at) order by t.created_at desc, t.id), '[]')
           as tokens from public.scim_tokens t where t.company_id = ",
    );
    sql.bind(company(&tx)?).text("::uuid");
    let tokens: Value = tx.query_one(sql).await?.try_get("tokens").map_err(Error::internal)?;
    tx.commit().await?;
    Ok(Json(tokens))
}

pub(crate) async fn revoke(State(auth): State<Auth>, member: Holder<DeleteDirectory>, Path(id): Path<String>) -> Result<StatusCode> {
    let unknown = || Error::new(Kind::NotFound, "scim_token_not_found", "There is no such token of the company");
    let id: Uuid = id.parse().map_err(|error: uuid::Error| unknown().with_source(error))?;
    let tx = auth.begin_as(member.grant(), Access::Write).await?;
    let mut sql = Sql::new("delete from public.scim_tokens t where t.company_id = ");
    sql.bind(company(&tx)?).text("::uuid and t.id = ").bind(id).text("::uuid");
    if tx.execute(sql).await? == 0 {
        return Err(unknown());
    }
    tx.commit().await?;
    tracing::info!(token_id = %id, "a directory's token was taken back");
    Ok(StatusCode::NO_CONTENT)
}

/// Returns the member's active company; the demand for a permission has made sure of one.
fn company(tx: &postgres::Tx) -> Result<CompanyId> {
    let missing = || Error::new(Kind::Forbidden, "company_required", "No company is chosen");
    tx.opened().company_id.ok_or_else(missing)
}
