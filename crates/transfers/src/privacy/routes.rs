//! `/api/gdpr`: what is known of a person, erasing him, and what became of that.
//!
//! Invariant: a person asks for himself; for a customer, or somebody to speak with there, a member asks who holds `privacy:export` or
//! `privacy:erase`. Who that is says the database. A file is handed to whoever has its link, as long as the file is there.

use axum::body::Body;
use axum::extract::{Path, Query, State};
use axum::response::Response;
use axum::routing::{get, post};
use axum::{Extension, Json, Router};
use futures_util::{StreamExt as _, stream};
use http::{HeaderMap, HeaderValue, StatusCode, header};
use kernel::{AnyCaller, Can, Capability, Demand, Error, Kind, RequestContext, Result, Subject};
use limits::{Class, Meter};
use postgres::Sql;
use serde::Deserialize;
use serde_json::{Value, json};
use uuid::Uuid;

use super::export::{self, About, LINKED};
use super::packed;
use crate::{Transfers, files, links};

/// Erasures that one answer lists.
const LISTED_MAX: i32 = 200;

struct Erasing;
impl Capability for Erasing {
    const DEMAND: Demand = Demand::Permission("privacy:erase");
}

/// Returns the routes, to be mounted at `/api/gdpr` behind the auth layer.
pub fn router(transfers: Transfers) -> Router {
    Router::new()
        .route("/export", get(tell))
        .route("/erase", post(erase))
        .route("/erasures", get(list))
        .route("/erasures/{id}", get(one))
        .route("/erasures/{id}/decline", post(decline))
        .route("/files/{id}", get(file))
        .with_state(transfers)
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Told {
    customer_id: Option<String>,
    contact_id: Option<String>,
    /// Whether files come with it, in a ZIP.
    #[serde(default)]
    files: bool,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Wish {
    customer_id: Option<String>,
    contact_id: Option<String>,
    /// What is erased never comes back.
    #[serde(default)]
    confirm: bool,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Declined {
    reason: String,
}

#[derive(Deserialize)]
struct Shown {
    #[serde(default)]
    token: String,
}

/// Sends everything that is known of whoever asks, or of a customer.
async fn tell(
    State(transfers): State<Transfers>,
    can: Can<AnyCaller>,
    Extension(context): Extension<RequestContext>,
    meter: Option<Extension<Meter>>,
    told: Result<Query<Told>, axum::extract::rejection::QueryRejection>,
) -> Result<Response> {
    const HINT: &str = "?customer_id= or ?contact_id=, and files=true for a ZIP with files";
    let Query(Told { customer_id, contact_id, files }) = told.map_err(|error| unreadable(HINT).with_source(error))?;
    let about = about(customer_id.as_deref(), contact_id.as_deref(), HINT)?;
    let grant = signed_in(can)?;
    if let Some(Extension(meter)) = meter {
        meter.operation(Class::Export, 1).await?;
    }
    let opened = export::open(&transfers, grant, context, about, files).await?;
    let (body, kind, end) = if files {
        (Body::from_stream(packed::pieces(&transfers, opened.head, opened.rest)), "application/zip", "zip")
    } else {
        let pieces = stream::iter([Ok(opened.head)]).chain(opened.rest.into_stream());
        (Body::from_stream(pieces), "application/json; charset=utf-8", "json")
    };
    let mut response = Response::new(body);
    let name = format!("attachment; filename=\"user-data-{}.{end}\"", opened.id);
    let headers = response.headers_mut();
    headers.insert(header::CONTENT_TYPE, HeaderValue::from_static(kind));
    headers.insert(header::CONTENT_DISPOSITION, HeaderValue::from_str(&name).map_err(Error::internal)?);
    headers.insert(header::CACHE_CONTROL, HeaderValue::from_static("private, no-store"));
    Ok(response)
}

async fn erase(
    State(transfers): State<Transfers>,
    can: Can<AnyCaller>,
    Extension(context): Extension<RequestContext>,
    body: bytes::Bytes,
) -> Result<(StatusCode, Json<Value>)> {
    const HINT: &str = r#"{"confirm": true} for yourself, with "customer_id" or "contact_id" for others"#;
    let wish: Wish = serde_json::from_slice(&body).map_err(|error| unreadable(HINT).with_source(error))?;
    let about = about(wish.customer_id.as_deref(), wish.contact_id.as_deref(), HINT)?;
    let grant = signed_in(can)?;
    if !wish.confirm {
        let error = Error::new(Kind::Unprocessable, "confirmation_missing", "What is erased never comes back");
        return Err(error.with_hint(r#"Send "confirm": true if you are sure."#));
    }
    let tx = transfers.begin_as(&grant, &context).await?;
    let mut sql = Sql::new("select e.id, e.status from app.ask_erasure(");
    about.bind(&mut sql);
    sql.text(", ").bind(transfers.config().erasure_sign_in_minutes).text("::integer) e");
    let row = tx.query_one(sql).await?;
    let (id, status): (Uuid, String) = (export::get(&row, "id")?, export::get(&row, "status")?);
    let company_id = tx.opened().company_id;
    tx.commit().await?;
    transfers.queue().ring(company_id);
    let days = transfers.backups_kept_days();
    let horizon = match days {
        Some(days) => {
            format!("Backups of this server that still have the person go within {days} days; nobody restores one person from them.")
        }
        None => "Backups of this database are made by others, and keep the person as long as those keep them.".to_owned(),
    };
    let shown = json!({ "id": id, "status": status, "backups": { "kept_days": days, "note": horizon } });
    Ok((StatusCode::ACCEPTED, Json(json!({ "data": shown }))))
}

async fn list(
    State(transfers): State<Transfers>,
    can: Can<AnyCaller>,
    Extension(context): Extension<RequestContext>,
) -> Result<Json<Value>> {
    Ok(Json(json!({ "data": erasures(&transfers, can, &context, None).await? })))
}

async fn one(
    State(transfers): State<Transfers>,
    can: Can<AnyCaller>,
    Extension(context): Extension<RequestContext>,
    Path(id): Path<String>,
) -> Result<Json<Value>> {
    let id = erasure_id(&id)?;
    let found = erasures(&transfers, can, &context, Some(id)).await?.into_iter().next().ok_or_else(no_erasure)?;
    Ok(Json(json!({ "data": found })))
}

/// Tells a customer who asked in the portal that he is not erased, and why.
async fn decline(
    State(transfers): State<Transfers>,
    can: Can<Erasing>,
    Extension(context): Extension<RequestContext>,
    Path(id): Path<String>,
    body: bytes::Bytes,
) -> Result<StatusCode> {
    let id = erasure_id(&id)?;
    let Declined { reason } =
        serde_json::from_slice(&body).map_err(|error| unreadable(r#"{"reason": "why", which the customer is told}"#).with_source(error))?;
    let tx = transfers.begin_as(&can.into_grant().needing_company(), &context).await?;
    let mut sql = Sql::new("select app.decline_erasure(");
    sql.bind(id).text("::uuid, ").bind(reason).text("::text)");
    tx.query_one(sql).await?;
    tx.commit().await?;
    Ok(StatusCode::NO_CONTENT)
}

async fn erasures(transfers: &Transfers, can: Can<AnyCaller>, context: &RequestContext, id: Option<Uuid>) -> Result<Vec<Value>> {
    // A member needs the permission, a customer sees his own: the database says so.
    let tx = transfers.begin_as(&signed_in(can)?.needing_company(), context).await?;
    let mut sql = Sql::new("select e as shown from app.shown_erasures(");
    sql.bind(id).text("::uuid, ").bind(LISTED_MAX).text("::integer) e");
    let rows = tx.query(sql).await?;
    tx.commit().await?;
    rows.iter().map(|row| export::get(row, "shown")).collect()
}

/// Hands a person's file to whoever has its link.
async fn file(
    State(transfers): State<Transfers>,
    Path(id): Path<String>,
    Query(Shown { token }): Query<Shown>,
    headers: HeaderMap,
) -> Result<Response> {
    let missing = || Error::new(Kind::NotFound, "file_not_found", "There is no such file, or it was taken away");
    let id: Uuid = id.parse().map_err(|error: uuid::Error| missing().with_source(error))?;
    let keys = transfers.auth().derived_keys(links::PURPOSE);
    let company = links::verify(&keys, LINKED, id, &token, transfers.now())?;
    let tx = transfers.begin("hands out a file of a person").await?;
    let mut sql = Sql::new("select f.blob_key, f.name from app.person_file(");
    sql.bind(company).text("::uuid, ").bind(id).text("::uuid) f");
    let row = tx.query_opt(sql).await?.ok_or_else(missing)?;
    tx.commit().await?;
    let (key, name): (String, String) = (export::get(&row, "blob_key")?, export::get(&row, "name")?);
    files::hand_out(transfers.blobs(), &key.parse()?, name.rsplit('/').next().unwrap_or("file"), &headers).await
}

/// Refuses whoever is nobody in particular; what the others may is said by the database.
fn signed_in(can: Can<AnyCaller>) -> Result<kernel::Grant> {
    let grant = can.into_grant();
    match grant.principal().subject() {
        Subject::Anonymous | Subject::Role { .. } => Err(Error::new(Kind::Unauthenticated, "not_signed_in", "Sign in first")),
        Subject::User { .. } | Subject::Service | Subject::Pass(_) | Subject::System { .. } => Ok(grant),
    }
}

/// Whom a request names.
fn about(customer: Option<&str>, contact: Option<&str>, hint: &'static str) -> Result<About> {
    match (customer, contact) {
        (None, None) => Ok(About { subject: None, id: None }),
        (Some(id), None) => Ok(About { subject: Some("customer"), id: Some(parse(id)?) }),
        (None, Some(id)) => Ok(About { subject: Some("contact"), id: Some(parse(id)?) }),
        (Some(_), Some(_)) => Err(unreadable(hint)),
    }
}

fn erasure_id(id: &str) -> Result<Uuid> {
    id.parse().map_err(|error: uuid::Error| no_erasure().with_source(error))
}

fn no_erasure() -> Error {
    Error::new(Kind::NotFound, "erasure_not_found", "There is no such erasure in this company")
}

fn parse(id: &str) -> Result<Uuid> {
    let missing = |error: uuid::Error| Error::new(Kind::NotFound, "person_not_found", "There is no such person here").with_source(error);
    id.parse().map_err(missing)
}

fn unreadable(hint: &'static str) -> Error {
    Error::new(Kind::BadRequest, "validation_failed", "What was sent has not the shape that this takes").with_hint(hint)
}
