//! `/api/v1/imports`: sending a file, beginning, looking how far it is, cancelling, taking it back.
//!
//! Invariant: a file is read by nobody who may not make rows of its table, and stays the company's.

use axum::body::Body;
use axum::extract::{Path, Query, State};
use axum::response::Response;
use axum::routing::{get, post};
use axum::{Extension, Json, Router};
use futures_util::{StreamExt as _, TryStreamExt as _};
use http::{HeaderMap, StatusCode};
use jiff::Timestamp;
use kernel::{BlobKey, Can, Capability, CompanyId, Demand, Error, Grant, Kind, RequestContext, Result};
use postgres::{Row, Sql, Tx};
use serde::Deserialize;
use serde_json::{Map, Value, json};
use uuid::Uuid;

use super::begun::not_found;
use super::mapping::Mapping;
use super::reader::{Form, Reader};
use super::{Importing, Undoing, importable};
use crate::links::{self, Linked};
use crate::{Transfers, files};

/// Imports that one answer lists.
const LISTED_MAX: i64 = 200;
/// What links to the errors of an import are to.
const LINKED: &str = "import errors";
/// What is shown of an import.
const SHOWN: &str = "to_jsonb(i) - '{blob_key,errors_key}'::text[] as shown, i.errors_key is not null as has_errors, i.company_id";

struct ReadImports;
impl Capability for ReadImports {
    const DEMAND: Demand = Demand::Permission("imports:read");
}

/// Returns the routes, to be mounted at `/api/v1/imports` behind the auth layer.
pub fn router(transfers: Transfers) -> Router {
    Router::new()
        .route("/", get(list).post(upload))
        .route("/{id}", get(one))
        .route("/{id}/start", post(start))
        .route("/{id}/cancel", post(cancel))
        .route("/{id}/undo", post(undo))
        .route("/{id}/errors", get(errors))
        .with_state(transfers)
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Sent {
    table: String,
    format: String,
    file_name: Option<String>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Start {
    mapping: Option<Map<String, Value>>,
    mode: Option<String>,
    #[serde(default)]
    dry_run: bool,
    key: Option<String>,
}

#[derive(Deserialize)]
struct Shown {
    #[serde(default)]
    token: String,
}

type Answered = Result<(StatusCode, Json<Value>)>;

async fn upload(
    State(transfers): State<Transfers>,
    can: Can<Importing>,
    Extension(context): Extension<RequestContext>,
    Query(sent): Query<Sent>,
    body: Body,
) -> Answered {
    let grant = can.into_grant().needing_company();
    let form = Form::parse(&sent.format)?;
    let table = importable(&transfers, &sent.table).await?;
    // Before a byte of the file is taken.
    let tx = transfers.begin_as(&grant, &context).await?;
    demand(&tx, &format!("{}:create", table.noun)).await?;
    let company = tx.opened().company_id.ok_or_else(not_found)?;
    tx.rollback().await?;
    let id = Uuid::now_v7();
    let key = BlobKey::new(company, &format!("imports/{id}/file.{}", sent.format))?;
    let file =
        body.into_data_stream().map_err(|error| Error::new(Kind::BadRequest, "body_unreadable", "The file broke off").with_source(error));
    let info = transfers.blobs().put(&key, file.boxed(), transfers.config().import_bytes_max).await?;
    let noted = note(&transfers, (&grant, &context), (id, form, &sent), (&key, info.bytes)).await;
    match noted {
        Ok(mut shown) => {
            let names: Vec<String> = headers_of(&shown);
            if let Some(shown) = shown.as_object_mut() {
                shown.insert("suggested_mapping".to_owned(), Value::Object(Mapping::suggested(&names, &table)));
                let columns = table.columns.iter().filter(|column| column.is_writable);
                let columns = columns.map(|column| json!({ "name": column.name, "is_required": column.is_required }));
                shown.insert("columns".to_owned(), columns.collect());
            }
            Ok((StatusCode::CREATED, Json(json!({ "data": shown }))))
        }
        Err(error) => {
            // Nobody knows of it.
            let _gone = transfers.blobs().delete(&key).await.is_ok();
            Err(error)
        }
    }
}

/// Reads the names that a file gives, and notes that it is there.
async fn note(
    transfers: &Transfers,
    (grant, context): (&Grant, &RequestContext),
    (id, form, sent): (Uuid, Form, &Sent),
    (key, bytes): (&BlobKey, u64),
) -> Result<Value> {
    let blob = transfers.blobs().get(key, None).await?;
    let mut reader = Reader::open(form, blob.content, transfers.config()).await?;
    let mut names = reader.names().to_vec();
    if names.is_empty()
        && let Some(first) = reader.next().await?
    {
        names = first.values.map(|values| values.keys().take(transfers.config().import_columns_max).cloned().collect()).unwrap_or_default();
    }
    let tx = transfers.begin_as(grant, context).await?;
    let mut sql = Sql::new("select app.open_import(");
    let file_name: Option<String> = sent.file_name.as_ref().map(|name| name.chars().filter(|c| !c.is_control()).take(300).collect());
    sql.bind(id).text("::uuid, ").bind(sent.table.as_str()).text("::text, ").bind(sent.format.as_str()).text("::text, ").bind(file_name);
    sql.text("::text, ").bind(bytes).text("::bigint, ").bind(key.as_str()).text("::text, array(select jsonb_array_elements_text(");
    sql.bind(json!(names)).text("::jsonb)))");
    tx.query(sql).await?;
    let shown = shown(transfers, &tx, id).await?;
    tx.commit().await?;
    Ok(shown)
}

async fn start(
    State(transfers): State<Transfers>,
    can: Can<Importing>,
    Extension(context): Extension<RequestContext>,
    Path(id): Path<String>,
    body: bytes::Bytes,
) -> Answered {
    let id = parse(&id)?;
    let said: Start = serde_json::from_slice(if body.is_empty() { b"{}" } else { &body }).map_err(|error| {
        Error::new(Kind::BadRequest, "validation_failed", "The body is no JSON of the shape that this takes")
            .with_hint(
                r#"Send {"mapping": {"Name": "last_name"}, "mode": "skip_errors", "dry_run": true, "key": "email"}; each may be left out."#,
            )
            .with_source(error)
    })?;
    let mode = said.mode.as_deref().unwrap_or("all_or_nothing");
    if !["all_or_nothing", "skip_errors"].contains(&mode) {
        return Err(Error::new(Kind::BadRequest, "validation_failed", "A mode is all_or_nothing or skip_errors"));
    }
    let grant = can.into_grant().needing_company();
    let tx = transfers.begin_as(&grant, &context).await?;
    let before = shown(&transfers, &tx, id).await?;
    let table = importable(&transfers, text(&before, "table_name").unwrap_or_default()).await?;
    let names: Vec<String> = headers_of(&before);
    let mapping = said.mapping.unwrap_or_else(|| Mapping::suggested(&names, &table));
    let read = Mapping::read(&mapping, &table)?;
    if let Some(key) = &said.key
        && !read.columns().any(|column| column == key)
    {
        return Err(Error::new(Kind::BadRequest, "mapping_invalid", "The key is a column that a column of the file is mapped to"));
    }
    let mut sql = Sql::new("select app.begin_import(");
    sql.bind(id)
        .text("::uuid, ")
        .bind(table.noun.as_str())
        .text("::text, ")
        .bind(Value::Object(mapping))
        .text("::jsonb, array_remove(array[");
    sql.bind(said.key).text("::text], null), ").bind(mode).text("::text, ").bind(said.dry_run).text("::boolean)");
    tx.query(sql).await?;
    let after = shown(&transfers, &tx, id).await?;
    let company_id = tx.opened().company_id;
    tx.commit().await?;
    transfers.queue().ring(company_id);
    Ok((StatusCode::ACCEPTED, Json(json!({ "data": after }))))
}

async fn undo(
    State(transfers): State<Transfers>,
    can: Can<Undoing>,
    Extension(context): Extension<RequestContext>,
    Path(id): Path<String>,
) -> Answered {
    let id = parse(&id)?;
    let tx = transfers.begin_as(&can.into_grant().needing_company(), &context).await?;
    let before = shown(&transfers, &tx, id).await?;
    let table = importable(&transfers, text(&before, "table_name").unwrap_or_default()).await?;
    let mut sql = Sql::new("select app.begin_undo(");
    sql.bind(id).text("::uuid, ").bind(table.noun.as_str()).text("::text)");
    tx.query(sql).await?;
    let after = shown(&transfers, &tx, id).await?;
    let company_id = tx.opened().company_id;
    tx.commit().await?;
    transfers.queue().ring(company_id);
    Ok((StatusCode::ACCEPTED, Json(json!({ "data": after }))))
}

async fn cancel(
    State(transfers): State<Transfers>,
    can: Can<Undoing>,
    Extension(context): Extension<RequestContext>,
    Path(id): Path<String>,
) -> Answered {
    let id = parse(&id)?;
    let tx = transfers.begin_as(&can.into_grant().needing_company(), &context).await?;
    let mut sql = Sql::new("select app.cancel_import(");
    sql.bind(id).text("::uuid) as is_told");
    let is_told: bool = tx.query_one(sql).await?.try_get("is_told").map_err(Error::internal)?;
    let after = shown(&transfers, &tx, id).await?;
    tx.commit().await?;
    if is_told {
        Ok((StatusCode::ACCEPTED, Json(json!({ "data": after }))))
    } else {
        Err(Error::new(Kind::Conflict, "import_not_running", "Nothing of this import is under way"))
    }
}

async fn list(
    State(transfers): State<Transfers>,
    can: Can<ReadImports>,
    Extension(context): Extension<RequestContext>,
) -> Result<Json<Value>> {
    let tx = transfers.begin_as(&can.into_grant().needing_company(), &context).await?;
    let mut sql = Sql::new("select ");
    sql.text(SHOWN)
        .text(" from public.data_imports i where i.company_id = app.company_id() order by i.created_at desc, i.id limit ")
        .amount(LISTED_MAX);
    let shown: Vec<Value> = tx.query(sql).await?.iter().map(|row| linked(&transfers, row)).collect::<Result<_>>()?;
    tx.commit().await?;
    Ok(Json(json!({ "data": shown })))
}

async fn one(
    State(transfers): State<Transfers>,
    can: Can<ReadImports>,
    Extension(context): Extension<RequestContext>,
    Path(id): Path<String>,
) -> Result<Json<Value>> {
    let tx = transfers.begin_as(&can.into_grant().needing_company(), &context).await?;
    let mut shown = shown(&transfers, &tx, parse(&id)?).await?;
    let mut sql = Sql::new("select app.transfer_progress(");
    sql.bind(text(&shown, "task_id").map(str::to_owned)).text("::uuid) as progress");
    let progress: Option<Value> = tx.query_one(sql).await?.try_get("progress").map_err(Error::internal)?;
    tx.commit().await?;
    if let (Some(shown), Some(progress)) = (shown.as_object_mut(), progress) {
        shown.insert("progress".to_owned(), progress);
    }
    Ok(Json(json!({ "data": shown })))
}

/// Hands the file of all errors to whoever has its link.
async fn errors(
    State(transfers): State<Transfers>,
    Path(id): Path<String>,
    Query(Shown { token }): Query<Shown>,
    headers: HeaderMap,
) -> Result<Response> {
    let id = parse(&id)?;
    let keys = transfers.auth().derived_keys(links::PURPOSE);
    let company = links::verify(&keys, LINKED, id, &token, transfers.now())?;
    let tx = transfers.begin("hands out the errors of an import").await?;
    let mut sql = Sql::new("select i.errors_key from public.data_imports i where i.company_id = ");
    sql.bind(company).text("::uuid and i.id = ").bind(id).text("::uuid");
    let row = tx.query_opt(sql).await?.ok_or_else(not_found)?;
    tx.commit().await?;
    let key: Option<String> = row.try_get("errors_key").map_err(Error::internal)?;
    files::hand_out(transfers.blobs(), &key.ok_or_else(not_found)?.parse()?, "import-errors.csv", &headers).await
}

async fn demand(tx: &Tx, permission: &str) -> Result<()> {
    let mut sql = Sql::new("select app.demand(");
    sql.bind(permission).text("::text)");
    tx.query(sql).await.map(drop)
}

async fn shown(transfers: &Transfers, tx: &Tx, id: Uuid) -> Result<Value> {
    let mut sql = Sql::new("select ");
    sql.text(SHOWN).text(" from public.data_imports i where i.company_id = app.company_id() and i.id = ").bind(id).text("::uuid");
    let row = tx.query_opt(sql).await?.ok_or_else(not_found)?;
    linked(transfers, &row)
}

/// Returns what is shown of a row, with the link to its errors where there are some.
fn linked(transfers: &Transfers, row: &Row) -> Result<Value> {
    let mut shown: Value = row.try_get("shown").map_err(Error::internal)?;
    let has_errors: bool = row.try_get("has_errors").map_err(Error::internal)?;
    let id: Option<Uuid> = text(&shown, "id").and_then(|id| id.parse().ok());
    if let (true, Some(id), Some(object)) = (has_errors, id, shown.as_object_mut()) {
        let company = CompanyId(row.try_get("company_id").map_err(Error::internal)?);
        let until: Timestamp = transfers.link_end()?;
        let token = links::sign(&transfers.auth().derived_keys(links::PURPOSE), Linked { what: LINKED, company, id }, until)?;
        object.insert("errors_url".to_owned(), json!(format!("{}/api/v1/imports/{id}/errors?token={token}", transfers.public_url())));
    }
    Ok(shown)
}

fn parse(id: &str) -> Result<Uuid> {
    id.parse().map_err(|error: uuid::Error| not_found().with_source(error))
}

fn text<'v>(shown: &'v Value, name: &str) -> Option<&'v str> {
    shown.get(name).and_then(Value::as_str)
}

fn headers_of(shown: &Value) -> Vec<String> {
    let names = shown.get("headers").and_then(Value::as_array);
    names.into_iter().flatten().filter_map(|name| name.as_str().map(str::to_owned)).collect()
}
