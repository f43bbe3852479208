//! `/api/v1/exports`: asking for a file, looking how far it is, fetching it, taking it back.
//!
//! Invariant: a file is handed to whoever has its link; everything else is asked for as a member.

use axum::extract::{Path, Query, State};
use axum::response::Response;
use axum::routing::{get, post};
use axum::{Extension, Json, Router};
use http::{HeaderMap, StatusCode};
use jiff::Timestamp;
use kernel::{Can, Capability, Demand, Error, Grant, Kind, RequestContext, Result};
use limits::{Class, Meter};
use postgres::{Sql, Tx};
use serde::Deserialize;
use serde_json::{Value, json};
use uuid::Uuid;

use super::made::{LINKED, url};
use super::rows::Format;
use super::{Exporting, FORMATS, Wanted, columns, exportable};
use crate::links::{self, Linked};
use crate::reports::{self, Reporting};
use crate::{Transfers, files};
use data_api::Selection;

/// Exports that one answer lists.
const LISTED_MAX: i64 = 200;

/// What is shown of an export.
const SHOWN: &str =
    "to_jsonb(e) - 'blob_key'::text as shown, e.expires_at, e.blob_key is not null as is_there, app.company_id() as company_id";

struct ReadExports;
impl Capability for ReadExports {
    const DEMAND: Demand = Demand::Permission("exports:read");
}

/// Returns the routes, to be mounted at `/api/v1/exports` behind the auth layer.
pub fn router(transfers: Transfers) -> Router {
    Router::new()
        .route("/", get(list).post(create))
        .route("/reports", post(report))
        .route("/{id}", get(one).delete(revoke))
        .route("/{id}/file", get(file))
        .with_state(transfers)
}

#[derive(Deserialize)]
struct Shown {
    #[serde(default)]
    token: String,
}

async fn create(
    State(transfers): State<Transfers>,
    can: Can<Exporting>,
    Extension(context): Extension<RequestContext>,
    meter: Option<Extension<Meter>>,
    body: bytes::Bytes,
) -> Result<(StatusCode, Json<Value>)> {
    let grant = can.into_grant().needing_company();
    let wanted: Wanted = serde_json::from_slice(&body).map_err(|error| {
        Error::new(Kind::BadRequest, "validation_failed", "The body is no JSON of the shape that this takes")
            .with_hint(r#"Send {"table": "customers", "format": "csv", "columns": ["id"], "filter": "status=eq.active"}."#)
            .with_source(error)
    })?;
    Format::parse(&wanted.format, FORMATS)?;
    let table = exportable(&transfers, &wanted.table).await?;
    let columns = columns(&table, &wanted.columns)?;
    let selection = Selection { table: &table.name, columns: &columns, filter: &wanted.filter };
    transfers.data_api().check_selection(grant.principal(), selection).await?;
    if let Some(Extension(meter)) = meter {
        meter.operation(Class::Export, 1).await?;
    }
    let id = Uuid::now_v7();
    let tx = transfers.begin_as(&grant, &context).await?;
    let mut sql = Sql::new("select app.demand(");
    sql.bind(format!("{}:read", table.noun))
        .text("::text)::text as a, app.open_export(app.company_id(), ")
        .bind(id)
        .text("::uuid, auth.uid(), 'table', ");
    sql.bind(table.name.as_str()).text("::text, ").bind(wanted.format.as_str()).text("::text, array(select jsonb_array_elements_text(");
    sql.bind(json!(wanted.columns))
        .text("::jsonb)), ")
        .bind(wanted.filter.as_str())
        .text("::text)::text as b, app.enqueue_as_caller('data_export', ");
    sql.bind(serde_json::to_value(&wanted).map_err(Error::internal)?).text("::jsonb, null, null, null, ").bind(table.name.as_str());
    sql.text("::text, ").bind(id).text("::uuid) as c");
    tx.query(sql).await?;
    let shown = shown(&transfers, &tx, id).await?;
    let company_id = tx.opened().company_id;
    tx.commit().await?;
    transfers.queue().ring(company_id);
    Ok((StatusCode::ACCEPTED, Json(json!({ "data": shown }))))
}

/// Has a report made.
async fn report(
    State(transfers): State<Transfers>,
    can: Can<Reporting>,
    Extension(context): Extension<RequestContext>,
    meter: Option<Extension<Meter>>,
    body: bytes::Bytes,
) -> Result<(StatusCode, Json<Value>)> {
    let grant = can.into_grant().needing_company();
    let wanted: reports::Wanted = serde_json::from_slice(&body).map_err(|error| {
        Error::new(Kind::BadRequest, "validation_failed", "The body is no JSON of the shape that this takes")
            .with_hint(r#"Send {"report": "company_kpis", "format": "csv"}."#)
            .with_source(error)
    })?;
    reports::format(&wanted.format)?;
    let _known = reports::statement(&wanted.report, 1)?;
    if let Some(Extension(meter)) = meter {
        meter.operation(Class::ReportGeneration, 1).await?;
    }
    let id = Uuid::now_v7();
    let tx = transfers.begin_as(&grant, &context).await?;
    let mut sql = Sql::new("select app.open_export(app.company_id(), ");
    sql.bind(id).text("::uuid, auth.uid(), 'report', ").bind(wanted.report.as_str()).text("::text, ").bind(wanted.format.as_str());
    sql.text("::text, '{}'::text[], '')::text as a, app.enqueue_as_caller('generate_report', ");
    sql.bind(serde_json::to_value(&wanted).map_err(Error::internal)?).text("::jsonb, null, null, null, ").bind(wanted.report.as_str());
    sql.text("::text, ").bind(id).text("::uuid) as b");
    tx.query(sql).await?;
    let shown = shown(&transfers, &tx, id).await?;
    let company_id = tx.opened().company_id;
    tx.commit().await?;
    transfers.queue().ring(company_id);
    Ok((StatusCode::ACCEPTED, Json(json!({ "data": shown }))))
}

async fn list(
    State(transfers): State<Transfers>,
    can: Can<ReadExports>,
    Extension(context): Extension<RequestContext>,
) -> Result<Json<Value>> {
    let tx = transfers.begin_as(&can.into_grant().needing_company(), &context).await?;
    let mut sql = Sql::new("select ");
    sql.text(SHOWN)
        .text(" from public.data_exports e where e.company_id = app.company_id() order by e.created_at desc, e.id limit ")
        .amount(LISTED_MAX);
    let rows = tx.query(sql).await?;
    let shown: Vec<Value> = rows.iter().map(|row| linked(&transfers, row)).collect::<Result<_>>()?;
    tx.commit().await?;
    Ok(Json(json!({ "data": shown })))
}

async fn one(
    State(transfers): State<Transfers>,
    can: Can<ReadExports>,
    Extension(context): Extension<RequestContext>,
    Path(id): Path<String>,
) -> Result<Json<Value>> {
    let tx = transfers.begin_as(&can.into_grant().needing_company(), &context).await?;
    let mut shown = shown(&transfers, &tx, parse(&id)?).await?;
    let mut sql = Sql::new("select app.transfer_progress(");
    sql.bind(parse(&id)?).text("::uuid) as progress");
    let progress: Option<Value> = tx.query_one(sql).await?.try_get("progress").map_err(Error::internal)?;
    tx.commit().await?;
    if let (Some(shown), Some(progress)) = (shown.as_object_mut(), progress) {
        shown.insert("progress".to_owned(), progress);
    }
    Ok(Json(json!({ "data": shown })))
}

async fn revoke(
    State(transfers): State<Transfers>,
    can: Can<ReadExports>,
    Extension(context): Extension<RequestContext>,
    Path(id): Path<String>,
) -> Result<StatusCode> {
    let grant: Grant = can.into_grant().needing_company();
    let tx = transfers.begin_as(&grant, &context).await?;
    let mut sql = Sql::new("select app.revoke_export(");
    sql.bind(parse(&id)?).text("::uuid) as was_there");
    let was_there: bool = tx.query_one(sql).await?.try_get("was_there").map_err(Error::internal)?;
    tx.commit().await?;
    if was_there { Ok(StatusCode::NO_CONTENT) } else { Err(not_found()) }
}

/// Hands a file to whoever has its link.
async fn file(
    State(transfers): State<Transfers>,
    Path(id): Path<String>,
    Query(Shown { token }): Query<Shown>,
    headers: HeaderMap,
) -> Result<Response> {
    let id = parse(&id)?;
    let keys = transfers.auth().derived_keys(links::PURPOSE);
    let company = links::verify(&keys, LINKED, id, &token, transfers.now())?;
    let tx = transfers.begin("hands out an export").await?;
    let mut sql = Sql::new(
        "select e.blob_key, e.name, e.format, e.created_at from public.data_exports e where e.status = 'completed' and e.expires_at > ",
    );
    sql.bind(transfers.now()).text("::timestamptz and e.company_id = ").bind(company).text("::uuid and e.id = ").bind(id).text("::uuid");
    let row = tx.query_opt(sql).await?.ok_or_else(not_found)?;
    tx.commit().await?;
    let text = |name: &str| row.try_get::<_, Option<String>>(name).map_err(Error::internal);
    let (Some(key), Some(name), Some(format)) = (text("blob_key")?, text("name")?, text("format")?) else { return Err(not_found()) };
    let made_at: Timestamp = row.try_get("created_at").map_err(Error::internal)?;
    let name = format!("{name}-{}.{format}", made_at.strftime("%Y-%m-%d"));
    files::hand_out(transfers.blobs(), &key.parse()?, &name, &headers).await
}

async fn shown(transfers: &Transfers, tx: &Tx, id: Uuid) -> Result<Value> {
    let mut sql = Sql::new("select ");
    sql.text(SHOWN).text(" from public.data_exports e where e.company_id = app.company_id() and e.id = ").bind(id).text("::uuid");
    let row = tx.query_opt(sql).await?.ok_or_else(not_found)?;
    linked(transfers, &row)
}

/// Returns what is shown of a row, with the link where there is a file.
fn linked(transfers: &Transfers, row: &postgres::Row) -> Result<Value> {
    let mut shown: Value = row.try_get("shown").map_err(Error::internal)?;
    let (is_there, end): (bool, Option<Timestamp>) = (value(row, "is_there")?, value(row, "expires_at")?);
    let id = shown.get("id").and_then(Value::as_str).and_then(|id| id.parse().ok());
    if let (true, Some(end), Some(id), Some(object)) = (is_there, end.filter(|end| *end > transfers.now()), id, shown.as_object_mut()) {
        let company = kernel::CompanyId(value(row, "company_id")?);
        let token = links::sign(&transfers.auth().derived_keys(links::PURPOSE), Linked { what: LINKED, company, id }, end)?;
        object.insert("url".to_owned(), json!(url(transfers, &token, id)));
    }
    Ok(shown)
}

fn value<'a, T: postgres::FromSql<'a>>(row: &'a postgres::Row, name: &str) -> Result<T> {
    row.try_get(name).map_err(Error::internal)
}

fn parse(id: &str) -> Result<Uuid> {
    id.parse().map_err(|error: uuid::Error| not_found().with_source(error))
}

fn not_found() -> Error {
    Error::new(Kind::NotFound, "export_not_found", "There is no such export, or it was taken away")
}
