//! `/api/v1/webhooks`: the webhooks of a company, with what the data API cannot do: secrets, tests, and sending again.
//!
//! Invariant: a secret is in the answer that made it and in no other. Every route demands its permission; rows are reached under the
//! policies of whoever asks.

use axum::Json;
use axum::Router;
use axum::body::Bytes;
use axum::extract::{Path, State};
use axum::routing::{get, post};
use http::{Extensions, StatusCode};
use jiff::Timestamp;
use kernel::{Can, Capability, Demand, Error, Grant, Kind, RequestContext, Result};
use outbound::signing::SigningKey;
use postgres::{Sql, Tx};
use serde::Deserialize;
use serde::de::DeserializeOwned;
use serde_json::{Map, Value, json};
use uuid::Uuid;

use super::headers;
use crate::Messaging;

/// What is shown of a webhook.
const SHOWN: &str = " to_jsonb(w) - 'secret'::text as shown ";
/// A replaced secret signs on for thirty days at most.
const OVERLAP_SECONDS_MAX: u32 = 2_592_000;
/// What a client may say of a webhook itself.
const COLUMNS: &[&str] =
    &["name", "url", "events", "is_active", "retry_policy", "timeout_seconds", "ip_whitelist", "is_ordered", "version"];

/// Returns the routes, to be mounted at `/api/v1/webhooks` behind the auth layer.
pub fn router(messaging: Messaging) -> Router {
    Router::new()
        .route("/", get(list).post(create))
        .route("/events", get(events))
        .route("/{id}", get(one).patch(change).delete(delete))
        .route("/{id}/rotate-secret", post(rotate))
        .route("/{id}/test", post(test))
        .route("/{id}/replay", post(replay))
        .route("/{id}/deliveries/{delivery}/resend", post(resend))
        .with_state(messaging)
}

macro_rules! capability {
    ($name:ident, $permission:literal) => {
        struct $name;
        impl Capability for $name {
            const DEMAND: Demand = Demand::Permission($permission);
        }
    };
}
capability!(ReadWebhooks, "webhooks:read");
capability!(CreateWebhooks, "webhooks:create");
capability!(UpdateWebhooks, "webhooks:update");
capability!(DeleteWebhooks, "webhooks:delete");

/// A caller with what is known of his request.
struct Who<C>(Grant, RequestContext, std::marker::PhantomData<fn() -> C>);

impl<S: Send + Sync, C: Capability> axum::extract::FromRequestParts<S> for Who<C> {
    type Rejection = Error;

    async fn from_request_parts(parts: &mut http::request::Parts, state: &S) -> Result<Self> {
        let can = Can::<C>::from_request_parts(parts, state).await?;
        Ok(Self(can.into_grant(), context(&parts.extensions), std::marker::PhantomData))
    }
}

fn context(extensions: &Extensions) -> RequestContext {
    extensions.get().cloned().unwrap_or_default()
}

/// What a rotation may say.
#[derive(Default, Deserialize)]
#[serde(default, deny_unknown_fields)]
struct Rotation {
    overlap_seconds: Option<u32>,
}

/// What is to be sent again.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Replay {
    from: Timestamp,
    until: Timestamp,
}

type Answered = Result<(StatusCode, Json<Value>)>;

fn answer(data: &Value) -> (StatusCode, Json<Value>) {
    (StatusCode::OK, Json(json!({ "data": data })))
}

async fn list(State(messaging): State<Messaging>, Who(grant, context, _): Who<ReadWebhooks>) -> Answered {
    let tx = messaging.begin_as(&grant, &context).await?;
    let mut sql =
        Sql::new("select coalesce(jsonb_agg(n.shown order by n.shown ->> 'created_at', n.shown ->> 'id'), '[]') as shown from (select");
    sql.text(SHOWN).text("from public.webhooks w where w.company_id = app.company_id() limit 1000) n");
    let shown: Value = tx.query_one(sql).await?.try_get("shown").map_err(Error::internal)?;
    tx.commit().await?;
    Ok(answer(&shown))
}

async fn one(State(messaging): State<Messaging>, Who(grant, context, _): Who<ReadWebhooks>, Path(id): Path<String>) -> Answered {
    let id = parse(&id)?;
    let tx = messaging.begin_as(&grant, &context).await?;
    let shown = shown(&tx, id).await?;
    tx.commit().await?;
    Ok(answer(&shown))
}

async fn events(State(messaging): State<Messaging>, Who(grant, context, _): Who<ReadWebhooks>) -> Answered {
    let tx = messaging.begin_as(&grant, &context).await?;
    let sql = Sql::new("select coalesce(jsonb_agg(e.name order by e.name), '[]') as names from app.event_names() e");
    let names: Value = tx.query_one(sql).await?.try_get("names").map_err(Error::internal)?;
    tx.commit().await?;
    Ok(answer(&names))
}

async fn create(State(messaging): State<Messaging>, Who(grant, context, _): Who<CreateWebhooks>, body: Bytes) -> Answered {
    let mut said: Map<String, Value> = read(&body)?;
    let own_headers = take_headers(&mut said)?;
    said.remove("version");
    check(&said)?;
    let id = Uuid::now_v7();
    said.insert("id".to_owned(), json!(id));
    let tx = begin(&messaging, &grant, &context).await?;
    let mut sql = Sql::new("insert into public.webhooks (");
    columns(&mut sql, &said, "");
    sql.text(") select ");
    columns(&mut sql, &said, "r.");
    sql.text(" from jsonb_populate_record(null::public.webhooks, ").bind(Value::Object(said)).text("::jsonb) r");
    tx.execute(sql).await?;
    let secret = keep_secret(&messaging, &tx, id, 0).await?;
    if let Some(headers) = own_headers {
        keep_headers(&messaging, &tx, id, &headers).await?;
    }
    let mut made = shown(&tx, id).await?;
    tx.commit().await?;
    if let Some(made) = made.as_object_mut() {
        made.insert("secret".to_owned(), json!(secret));
    }
    Ok((StatusCode::CREATED, Json(json!({ "data": made }))))
}

async fn change(
    State(messaging): State<Messaging>,
    Who(grant, context, _): Who<UpdateWebhooks>,
    Path(id): Path<String>,
    body: Bytes,
) -> Answered {
    let id = parse(&id)?;
    let mut said: Map<String, Value> = read(&body)?;
    let own_headers = take_headers(&mut said)?;
    check(&said)?;
    let tx = begin(&messaging, &grant, &context).await?;
    if !said.is_empty() {
        let mut sql = Sql::new("update public.webhooks w set (");
        columns(&mut sql, &said, "");
        // The brackets are a row's, also of one column.
        sql.text(") = (select ");
        columns(&mut sql, &said, "r.");
        sql.text(" from jsonb_populate_record(w, ")
            .bind(Value::Object(said))
            .text("::jsonb) r) where w.company_id = app.company_id() and w.id = ");
        sql.bind(id).text("::uuid");
        if tx.execute(sql).await? == 0 {
            return Err(not_found());
        }
    }
    if let Some(headers) = own_headers {
        keep_headers(&messaging, &tx, id, &headers).await?;
    }
    let changed = shown(&tx, id).await?;
    tx.commit().await?;
    Ok(answer(&changed))
}

async fn delete(
    State(messaging): State<Messaging>,
    Who(grant, context, _): Who<DeleteWebhooks>,
    Path(id): Path<String>,
) -> Result<StatusCode> {
    let id = parse(&id)?;
    let tx = begin(&messaging, &grant, &context).await?;
    let mut sql = Sql::new("delete from public.webhooks w where w.company_id = app.company_id() and w.id = ");
    sql.bind(id).text("::uuid");
    if tx.execute(sql).await? == 0 {
        return Err(not_found());
    }
    tx.commit().await?;
    Ok(StatusCode::NO_CONTENT)
}

async fn rotate(
    State(messaging): State<Messaging>,
    Who(grant, context, _): Who<UpdateWebhooks>,
    Path(id): Path<String>,
    body: Bytes,
) -> Answered {
    let id = parse(&id)?;
    let rotation: Rotation = if body.is_empty() { Rotation::default() } else { read(&body)? };
    let overlap = rotation.overlap_seconds.unwrap_or(messaging.config().webhooks.secret_overlap_seconds);
    if overlap > OVERLAP_SECONDS_MAX {
        return Err(invalid("overlap_seconds is 0 to 2592000"));
    }
    let tx = begin(&messaging, &grant, &context).await?;
    let secret = keep_secret(&messaging, &tx, id, overlap).await?;
    tx.commit().await?;
    tracing::info!(webhook_id = %id, "the secret of a webhook was replaced");
    Ok(answer(&json!({ "id": id, "secret": secret, "overlap_seconds": overlap })))
}

async fn test(State(messaging): State<Messaging>, Who(grant, context, _): Who<UpdateWebhooks>, Path(id): Path<String>) -> Answered {
    let id = parse(&id)?;
    let mut sql = Sql::new("select jsonb_build_object('delivery_id', app.test_webhook(");
    sql.bind(id).text("::uuid, ").bind(messaging.now()).text("::timestamptz)) as answer");
    put(&messaging, &grant, &context, sql).await
}

async fn resend(
    State(messaging): State<Messaging>,
    Who(grant, context, _): Who<UpdateWebhooks>,
    Path((id, delivery)): Path<(String, String)>,
) -> Answered {
    let (id, delivery) = (parse(&id)?, parse(&delivery)?);
    let mut sql = Sql::new("select jsonb_build_object('delivery_id', app.resend_webhook_delivery(");
    sql.bind(id).text("::uuid, ").bind(delivery).text("::uuid, ").bind(messaging.now()).text("::timestamptz)) as answer");
    put(&messaging, &grant, &context, sql).await
}

async fn replay(
    State(messaging): State<Messaging>,
    Who(grant, context, _): Who<UpdateWebhooks>,
    Path(id): Path<String>,
    body: Bytes,
) -> Answered {
    let id = parse(&id)?;
    let Replay { from, until } = read(&body)?;
    if from >= until {
        return Err(invalid("from is before until"));
    }
    let mut sql = Sql::new("select jsonb_build_object('deliveries', app.replay_webhook(");
    sql.bind(id).text("::uuid, ").bind(from).text("::timestamptz, ").bind(until).text("::timestamptz, ");
    sql.bind(messaging.config().webhooks.replay_events_max).text("::integer, ").bind(messaging.now()).text("::timestamptz)) as answer");
    put(&messaging, &grant, &context, sql).await
}

/// Puts deliveries in; they go out after the commit.
async fn put(messaging: &Messaging, grant: &Grant, context: &RequestContext, sql: Sql) -> Answered {
    let tx = begin(messaging, grant, context).await?;
    let answer: Value = tx.query_one(sql).await?.try_get("answer").map_err(Error::internal)?;
    tx.commit().await?;
    messaging.wake();
    Ok((StatusCode::ACCEPTED, Json(json!({ "data": answer }))))
}

/// Opens a transaction that writes. A developer's receivers are on his own machine.
async fn begin(messaging: &Messaging, grant: &Grant, context: &RequestContext) -> Result<Tx> {
    let tx = messaging.begin_as(grant, context).await?;
    if messaging.config().webhooks.private_addresses_allowed {
        tx.query_one(Sql::new("select set_config('app.private_webhooks', 'on', true)")).await?;
    }
    Ok(tx)
}

async fn shown(tx: &Tx, id: Uuid) -> Result<Value> {
    let mut sql = Sql::new("select");
    sql.text(SHOWN).text("from public.webhooks w where w.company_id = app.company_id() and w.id = ").bind(id).text("::uuid");
    let row = tx.query_opt(sql).await?.ok_or_else(not_found)?;
    row.try_get("shown").map_err(Error::internal)
}

/// Makes a secret and returns it, this once.
async fn keep_secret(messaging: &Messaging, tx: &Tx, webhook: Uuid, overlap_seconds: u32) -> Result<String> {
    let (id, secret) = (Uuid::now_v7(), SigningKey::generate()?);
    let sealed = messaging.vault().seal(id, secret.expose().as_bytes())?;
    let mut sql = Sql::new("select app.keep_webhook_secret(");
    sql.bind(webhook).text("::uuid, ").bind(id).text("::uuid, ").bind(sealed).text("::text, ").bind(overlap_seconds).text("::integer)");
    tx.query_one(sql).await?;
    Ok(secret.expose().clone())
}

async fn keep_headers(messaging: &Messaging, tx: &Tx, webhook: Uuid, headers: &Map<String, Value>) -> Result<()> {
    let id = Uuid::now_v7();
    let plain = serde_json::to_vec(headers).map_err(Error::internal)?;
    let sealed = messaging.vault().seal(id, &plain)?;
    let names: Vec<&String> = headers.keys().collect();
    let mut sql = Sql::new("select app.keep_webhook_headers(");
    sql.bind(webhook).text("::uuid, ").bind(id).text("::uuid, ").bind(sealed).text("::text, array(select jsonb_array_elements_text(");
    sql.bind(json!(names)).text("::jsonb)))");
    tx.query_one(sql).await.map(|_row| ())
}

/// Takes the headers out of what was said, looked at.
fn take_headers(said: &mut Map<String, Value>) -> Result<Option<Map<String, Value>>> {
    match said.remove("custom_headers") {
        None => Ok(None),
        Some(Value::Object(wanted)) => headers::read(&wanted).map(|_good| Some(wanted)),
        Some(_) => Err(invalid("custom_headers is an object of texts")),
    }
}

/// Refuses what a webhook does not have.
fn check(said: &Map<String, Value>) -> Result<()> {
    match said.iter().find(|(name, value)| !COLUMNS.contains(&name.as_str()) || value.is_null()) {
        Some(_) => Err(invalid(
            "A webhook is said with name, url, events, is_active, retry_policy, timeout_seconds, ip_whitelist, custom_headers, is_ordered",
        )),
        None => Ok(()),
    }
}

fn columns(sql: &mut Sql, said: &Map<String, Value>, prefix: &'static str) {
    for (number, name) in said.keys().enumerate() {
        sql.text(if number > 0 { ", " } else { "" }).text(prefix).ident(name);
    }
}

fn read<T: DeserializeOwned>(body: &Bytes) -> Result<T> {
    serde_json::from_slice(body).map_err(|error| invalid("The body is no JSON of the shape that this takes").with_source(error))
}

fn parse(id: &str) -> Result<Uuid> {
    id.parse().map_err(|error: uuid::Error| not_found().with_source(error))
}

fn invalid(message: &'static str) -> Error {
    Error::new(Kind::BadRequest, "validation_failed", message)
}

fn not_found() -> Error {
    Error::new(Kind::NotFound, "webhook_not_found", "There is no such webhook")
}
