//! `/api/v1/s3-keys`: keys to sign with, each of an API key of the company.
//!
//! Invariant: a secret is in one answer, and sealed in its row. Whoever makes one for an API key has made that key, so that nobody gets what
//! another one holds; what the API key may no longer do, or once it is revoked, its S3 keys may not either.

use auth::keys::S3_SECRET;
use aws_lc_rs::rand;
use axum::extract::{Path, State};
use axum::routing::{delete, get};
use axum::{Json, Router};
use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use http::StatusCode;
use kernel::{Can, Capability, Demand, Error, Kind, RequestContext, Result, Secret};
use postgres::Sql;
use serde::Deserialize;
use serde_json::{Value, json};
use uuid::Uuid;

use crate::objects::value;
use crate::{Caller, Storage};

/// Keys to sign with that one API key has.
const PER_API_KEY_MAX: i64 = 5;
const SECRET_BYTES: usize = 30;

/// The capability to make API keys, and what is of them.
struct MakeKeys;
impl Capability for MakeKeys {
    const DEMAND: Demand = Demand::Permission("api_keys:create");
}

/// The capability to see them.
struct ReadKeys;
impl Capability for ReadKeys {
    const DEMAND: Demand = Demand::Permission("api_keys:read");
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Wanted {
    api_key_id: Uuid,
}

/// Returns the routes, to be mounted at `/api/v1/s3-keys` behind the auth layer.
pub fn router(storage: Storage) -> Router {
    Router::new().route("/", get(list).post(make)).route("/{id}", delete(take_back)).with_state(storage)
}

fn caller<C: Capability>(can: Can<C>, context: Option<axum::Extension<RequestContext>>) -> Caller {
    Caller::of(can.into_grant().needing_company(), context.map(|axum::Extension(context)| context).unwrap_or_default())
}

async fn make(
    State(storage): State<Storage>,
    can: Can<MakeKeys>,
    context: Option<axum::Extension<RequestContext>>,
    body: bytes::Bytes,
) -> Result<(StatusCode, Json<Value>)> {
    let caller = caller(can, context);
    let wanted: Wanted = serde_json::from_slice(&body).map_err(|error| {
        Error::new(Kind::BadRequest, "validation_failed", "The body is no JSON of the shape that this takes")
            .with_hint(r#"Send {"api_key_id": "…"}."#)
            .with_source(error)
    })?;
    let mut sql = Sql::new("select k.company_id, k.created_by is not distinct from auth.uid() as is_own from public.api_keys k");
    sql.text(
        " where k.company_id = app.company_id() and k.revoked_at is null and (k.expires_at is null or k.expires_at > now()) and k.id = ",
    );
    sql.bind(wanted.api_key_id).text("::uuid");
    let rows = storage.read(&caller, sql).await?;
    let row = rows.first().ok_or_else(|| Error::new(Kind::NotFound, "api_key_not_found", "There is no such API key"))?;
    if !value::<bool>(row, "is_own")? {
        let message = "Whoever made the API key makes the keys to sign with that are of it";
        return Err(Error::new(Kind::Forbidden, "permission_denied", message).with_hint("Make an API key of your own, or rotate this one."));
    }
    let (id, company): (Uuid, Uuid) = (Uuid::new_v4(), value(row, "company_id")?);
    let mut bytes = [0_u8; SECRET_BYTES];
    rand::fill(&mut bytes).map_err(Error::internal)?;
    let secret = Secret::new(URL_SAFE_NO_PAD.encode(bytes));
    let sealed = storage.auth().seal_secret(S3_SECRET, id, secret.expose().as_bytes())?;
    let mut sql = Sql::new("insert into app.s3_keys (company_id, id, api_key_id, secret, created_by) select ");
    sql.bind(company).text("::uuid, ").bind(id).text("::uuid, ").bind(wanted.api_key_id).text("::uuid, ").bind(sealed).text("::text, ");
    sql.bind(caller.owner()).text("::uuid where (select count(*) from app.s3_keys s where s.company_id = ").bind(company);
    sql.text("::uuid and s.api_key_id = ").bind(wanted.api_key_id).text("::uuid) < ").amount(PER_API_KEY_MAX).text(" returning id");
    if storage.write(&storage.itself("makes a key to sign with"), sql).await?.is_empty() {
        let message = format!("An API key has at most {PER_API_KEY_MAX} keys to sign with");
        return Err(Error::new(Kind::Conflict, "s3_keys_too_many", message));
    }
    tracing::info!(s3_key = %id, api_key = %wanted.api_key_id, "a key to sign with was made");
    let shown = json!({
        "access_key_id": id.simple().to_string(),
        "secret_access_key": secret.expose(),
        "api_key_id": wanted.api_key_id,
        "endpoint": format!("{}/storage/v1/s3", storage.public_url()),
        "region": "auto",
    });
    Ok((StatusCode::CREATED, Json(json!({ "data": shown }))))
}

async fn list(State(storage): State<Storage>, can: Can<ReadKeys>, context: Option<axum::Extension<RequestContext>>) -> Result<Json<Value>> {
    let keys = readable(&storage, &caller(can, context)).await?;
    let mut sql = Sql::new("select s.id, s.api_key_id, s.created_by, s.created_at from app.s3_keys s where s.api_key_id = any (array(");
    sql.text("select jsonb_array_elements_text(").bind(json!(keys)).text("::jsonb)::uuid)) order by s.created_at, s.id limit 1000");
    let rows = storage.read(&storage.itself("lists keys to sign with"), sql).await?;
    let shown = rows.iter().map(|row| {
        Ok(json!({
            "access_key_id": value::<Uuid>(row, "id")?.simple().to_string(),
            "api_key_id": value::<Uuid>(row, "api_key_id")?,
            "created_by": value::<Option<Uuid>>(row, "created_by")?,
            "created_at": value::<jiff::Timestamp>(row, "created_at")?.to_string(),
        }))
    });
    Ok(Json(json!({ "data": shown.collect::<Result<Vec<_>>>()? })))
}

async fn take_back(
    State(storage): State<Storage>,
    can: Can<MakeKeys>,
    context: Option<axum::Extension<RequestContext>>,
    Path(id): Path<String>,
) -> Result<StatusCode> {
    let unknown = || Error::new(Kind::NotFound, "s3_key_not_found", "There is no such key to sign with");
    let keys = readable(&storage, &caller(can, context)).await?;
    let id: Uuid = id.parse().map_err(|error: uuid::Error| unknown().with_source(error))?;
    let mut sql = Sql::new("delete from app.s3_keys s where s.id = ");
    sql.bind(id).text("::uuid and s.api_key_id = any (array(select jsonb_array_elements_text(").bind(json!(keys));
    sql.text("::jsonb)::uuid)) returning s.id");
    let rows = storage.write(&storage.itself("takes a key to sign with back"), sql).await?;
    if rows.is_empty() { Err(unknown()) } else { Ok(StatusCode::NO_CONTENT) }
}

/// The API keys of the company that the caller may see.
async fn readable(storage: &Storage, caller: &Caller) -> Result<Vec<Uuid>> {
    let sql =
        Sql::new("select k.id from public.api_keys k where k.company_id = app.company_id() order by k.created_at desc, k.id limit 10000");
    storage.read(caller, sql).await?.iter().map(|row| value(row, "id")).collect()
}
