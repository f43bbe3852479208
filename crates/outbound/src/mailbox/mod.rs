//! The messages that a development server kept instead of sending them, as programs written for Mailpit read them.
//!
//! Invariant: whoever reads them holds the service key; a server that sends has no such routes.
//!
//! An SMS stands among the mails, with the tag `sms` and its number as the address; so does a message to a device, with the tag `push`.

mod query;
mod shape;

use axum::body::Bytes;
use axum::extract::{Path, Query, State};
use axum::routing::get;
use axum::{Json, Router};
use kernel::{Can, Error, Grant, Kind, RequestContext, Result, ServiceOnly};
use postgres::{Access, Sql, Tx};
use serde::Deserialize;
use serde_json::{Value, json};
use uuid::Uuid;

use crate::config::OutboundConfig;
use crate::senders::Letter;
use crate::{Channel, Outbound};

pub use shape::Captured;

const LIMIT: i64 = 50;
const LIMIT_MAX: i64 = 1000;

/// Returns the routes, to be mounted behind the auth layer.
pub fn router(outbound: Outbound) -> Router {
    Router::new()
        .route("/api/v1/messages", get(list).delete(delete))
        .route("/api/v1/search", get(list).delete(delete_found))
        .route("/api/v1/message/{id}", get(read))
        .with_state(outbound)
}

/// The query of a list.
#[derive(Debug, Default, Deserialize)]
#[serde(default)]
struct Wanted {
    query: String,
    start: i64,
    limit: Option<i64>,
}

/// Which messages are to go; all without any.
#[derive(Debug, Default, Deserialize)]
#[serde(default)]
struct Removal {
    #[serde(rename = "IDs")]
    ids: Vec<Uuid>,
}

async fn list(State(outbound): State<Outbound>, who: Can<ServiceOnly>, Query(wanted): Query<Wanted>) -> Result<Json<Value>> {
    let limit = wanted.limit.unwrap_or(LIMIT).clamp(0, LIMIT_MAX);
    let tx = begin(&outbound, who.grant(), Access::Read).await?;
    let (messages, counts) = found(&tx, &wanted.query, limit, wanted.start.max(0)).await?;
    tx.commit().await?;
    Ok(Json(shape::list(&messages, counts, wanted.start.max(0))))
}

async fn read(State(outbound): State<Outbound>, who: Can<ServiceOnly>, Path(id): Path<String>) -> Result<Json<Value>> {
    let tx = begin(&outbound, who.grant(), Access::Write).await?;
    let mut sql = Sql::new("update app.captured_messages m set is_read = true where m.id = ");
    if id == "latest" {
        sql.text("(select x.id from app.captured_messages x order by x.created_at desc, x.id desc limit 1)");
    } else {
        let id: Uuid = id.parse().map_err(|error: uuid::Error| not_found().with_source(error))?;
        sql.bind(id).text("::uuid");
    }
    sql.text(" returning ").text(shape::COLUMNS);
    let message = tx.query_opt(sql).await?.map(|row| Captured::from_row(&row)).transpose()?;
    tx.commit().await?;
    message.map(|message| Json(shape::whole(&message))).ok_or_else(not_found)
}

async fn delete(State(outbound): State<Outbound>, who: Can<ServiceOnly>, body: Bytes) -> Result<&'static str> {
    let unreadable = |error| Error::new(Kind::BadRequest, "body_invalid", "The body is an object with IDs, or nothing").with_source(error);
    let removal: Removal = if body.is_empty() { Removal::default() } else { serde_json::from_slice(&body).map_err(unreadable)? };
    let tx = begin(&outbound, who.grant(), Access::Write).await?;
    let mut sql = Sql::new("delete from app.captured_messages m");
    if !removal.ids.is_empty() {
        sql.text(" where m.id in (select e.id::uuid from jsonb_array_elements_text(").bind(json!(removal.ids)).text("::jsonb) e(id))");
    }
    tx.execute(sql).await?;
    tx.commit().await?;
    Ok("ok")
}

async fn delete_found(State(outbound): State<Outbound>, who: Can<ServiceOnly>, Query(wanted): Query<Wanted>) -> Result<&'static str> {
    let tx = begin(&outbound, who.grant(), Access::Write).await?;
    let mut sql = Sql::new("delete from app.captured_messages m where ");
    sql.append(query::condition(&wanted.query));
    tx.execute(sql).await?;
    tx.commit().await?;
    Ok("ok")
}

/// How many messages there are.
#[derive(Clone, Copy, Debug)]
struct Counts {
    total: i64,
    unread: i64,
    found: i64,
}

async fn found(tx: &Tx, wanted: &str, limit: i64, start: i64) -> Result<(Vec<Captured>, Counts)> {
    let mut sql = Sql::new("select count(*) as total, count(*) filter (where not m.is_read) as unread, count(*) filter (where ");
    sql.append(query::condition(wanted)).text(") as found from app.captured_messages m");
    let row = tx.query_one(sql).await?;
    let count = |name: &str| row.try_get(name).map_err(Error::internal);
    let counts = Counts { total: count("total")?, unread: count("unread")?, found: count("found")? };
    Ok((newest(tx, wanted, limit, start).await?, counts))
}

/// Returns messages that a query finds, the newest first.
pub async fn newest(tx: &Tx, wanted: &str, limit: i64, start: i64) -> Result<Vec<Captured>> {
    let mut sql = Sql::new("select ");
    sql.text(shape::COLUMNS).text(" from app.captured_messages m where ").append(query::condition(wanted));
    sql.text(" order by m.created_at desc, m.id desc limit ").bind(limit).text("::bigint offset ").bind(start).text("::bigint");
    tx.query(sql).await?.iter().map(Captured::from_row).collect()
}

/// Keeps a message, and of all only the newest.
pub(crate) async fn keep(tx: &Tx, letter: &Letter<'_>, config: &OutboundConfig) -> Result<()> {
    let message = letter.message;
    let sender = match letter.channel {
        Channel::Mail => format!("{} <{}>", message.sender_name, config.mail.from_address),
        Channel::Sms => config.sms.twilio_from.clone(),
        Channel::Push => message.sender_name.clone(),
    };
    // The page that a click on it opens.
    let opened = letter.push.and_then(|push| push.url.as_deref()).map(|url| format!("\n\n{url}")).unwrap_or_default();
    let text = format!("{}{opened}", message.text);
    let mut sql = Sql::new(
        "insert into app.captured_messages (channel, purpose, sender, recipient, subject, body_text, body_html, unsubscribe, created_at) ",
    );
    sql.text("values (").bind(letter.channel.as_str()).text("::text, ").bind(letter.purpose).text("::text, ").bind(sender);
    sql.text("::text, ").bind(letter.recipient).text("::text, ").bind(message.subject.as_str()).text("::text, ");
    sql.bind(text).text("::text, ").bind(message.html.as_str()).text("::text, ").bind(letter.unsubscribe.map(str::to_owned));
    sql.text("::text, ").bind(letter.now).text("::timestamptz)");
    tx.execute(sql).await?;
    let mut sql = Sql::new(
        "delete from app.captured_messages m where m.id in (
        select x.id from app.captured_messages x order by x.created_at desc, x.id desc offset ",
    );
    sql.bind(config.outbox.captured_max).text("::bigint)");
    tx.execute(sql).await?;
    Ok(())
}

async fn begin(outbound: &Outbound, grant: &Grant, access: Access) -> Result<Tx> {
    outbound.database().begin(grant, &RequestContext::default(), access).await
}

fn not_found() -> Error {
    Error::new(Kind::NotFound, "message_not_found", "There is no such message")
}
