//! The statements on notifications.

use jiff::Timestamp;
use kernel::{CompanyId, Error, Result};
use postgres::{Row, Sql, Tx};
use serde_json::{Value, json};
use uuid::Uuid;

use super::NotificationConfig;
use super::texts::Item;

/// An event that this server took.
#[derive(Clone, Copy, Debug)]
pub(super) struct Taken {
    pub(super) company_id: CompanyId,
    pub(super) id: Uuid,
    /// Which attempt this is, from 1 on.
    pub(super) attempt: i32,
}

/// What becomes of one way to one person.
pub(super) struct Planned {
    pub(super) topic: String,
    pub(super) event: String,
    pub(super) user_id: Uuid,
    /// None where he is told by no way at all.
    pub(super) channel: Option<String>,
    pub(super) decision: String,
    pub(super) reason: String,
    pub(super) window_end: Option<Timestamp>,
    pub(super) priority: String,
    pub(super) locale: String,
    pub(super) params: Value,
    pub(super) templates: Value,
}

/// What a task that delivers a notification has to do.
pub(super) enum Act {
    Nothing,
    Wait(Timestamp),
    Send(Box<Letter>),
}

/// A notification on its way.
pub(super) struct Letter {
    pub(super) channel: String,
    pub(super) user_id: Uuid,
    pub(super) recipient: String,
    /// None where it cannot be refused.
    pub(super) topic: Option<String>,
    /// What it is about, refusable or not.
    pub(super) kind: String,
    pub(super) priority: String,
    pub(super) entity: Option<(String, Uuid)>,
    pub(super) subject: String,
    pub(super) body: String,
    pub(super) html: String,
    pub(super) sender_name: String,
}

/// A digest whose window is over.
pub(super) struct Digest {
    pub(super) company_id: CompanyId,
    pub(super) id: Uuid,
    pub(super) locale: String,
    pub(super) company: String,
    pub(super) total: i64,
    pub(super) items: Vec<Item>,
}

/// Takes events that are due.
pub(super) async fn take(tx: &Tx, now: Timestamp, config: &NotificationConfig) -> Result<Vec<Taken>> {
    let mut sql = Sql::new("select t.company_id, t.id, t.attempt from app.take_notification_events(");
    sql.bind(now).text("::timestamptz, ").bind(config.lease_seconds).text("::integer, ").bind(config.batch_events).text("::integer) t");
    let read = |row: &Row| {
        Ok(Taken {
            company_id: CompanyId(row.try_get("company_id").map_err(Error::internal)?),
            id: row.try_get("id").map_err(Error::internal)?,
            attempt: row.try_get("attempt").map_err(Error::internal)?,
        })
    };
    tx.query(sql).await?.iter().map(read).collect()
}

/// Plans who is told of an event by which way; `sends` are the ways that leave this installation.
pub(super) async fn plan(tx: &Tx, taken: Taken, sends: &[&str], now: Timestamp, config: &NotificationConfig) -> Result<Vec<Planned>> {
    let rules = json!({
        "sends": sends,
        "hour_max": { "email": config.email_hour_max, "sms": config.sms_hour_max, "push": config.push_hour_max, "in_app": config.in_app_hour_max },
        "digest_hour": config.digest_hour,
        "hours_max": config.disturb_hours_max,
    });
    let mut sql =
        Sql::new("select p.topic, p.event, p.user_id, p.channel, p.decision, p.reason, p.window_end, p.priority, p.locale, p.params,");
    sql.text(" p.templates from app.plan_notifications(").bind(taken.company_id).text("::uuid, ").bind(taken.id).text("::uuid, ");
    sql.bind(rules).text("::jsonb, ").bind(now).text("::timestamptz) p");
    tx.query(sql).await?.iter().map(planned).collect()
}

fn planned(row: &Row) -> Result<Planned> {
    Ok(Planned {
        topic: row.try_get("topic").map_err(Error::internal)?,
        event: row.try_get("event").map_err(Error::internal)?,
        user_id: row.try_get("user_id").map_err(Error::internal)?,
        channel: row.try_get("channel").map_err(Error::internal)?,
        decision: row.try_get("decision").map_err(Error::internal)?,
        reason: row.try_get("reason").map_err(Error::internal)?,
        window_end: row.try_get("window_end").map_err(Error::internal)?,
        priority: row.try_get("priority").map_err(Error::internal)?,
        locale: row.try_get("locale").map_err(Error::internal)?,
        params: row.try_get("params").map_err(Error::internal)?,
        templates: row.try_get("templates").map_err(Error::internal)?,
    })
}

/// Writes down what was planned and ends the event; returns whether it was still this attempt's.
pub(super) async fn write(tx: &Tx, taken: Taken, rows: &Value, now: Timestamp) -> Result<bool> {
    let mut sql = Sql::new("select app.write_notifications(");
    sql.bind(taken.company_id).text("::uuid, ").bind(taken.id).text("::uuid, ").bind(taken.attempt).text("::integer, ");
    sql.bind(rows).text("::jsonb, ").bind(now).text("::timestamptz) as is_written");
    tx.query_one(sql).await?.try_get("is_written").map_err(Error::internal)
}

/// Notes that an attempt failed.
pub(super) async fn fail(tx: &Tx, taken: Taken, error: &str, now: Timestamp, config: &NotificationConfig) -> Result<()> {
    let mut sql = Sql::new("select app.fail_notification_event(");
    sql.bind(taken.company_id).text("::uuid, ").bind(taken.id).text("::uuid, ").bind(taken.attempt).text("::integer, ");
    sql.bind(error).text("::text, ").bind(config.attempts_max).text("::integer, ").bind(now).text("::timestamptz)");
    tx.query(sql).await.map(drop)
}

/// Opens a notification for whoever delivers it.
pub(super) async fn open(tx: &Tx, company_id: CompanyId, id: Uuid, now: Timestamp) -> Result<Act> {
    let mut sql = Sql::new(
        "select o.act, o.wait_until, o.channel, o.user_id, o.recipient, o.topic, o.type, o.priority, o.subject, o.body, o.body_html,",
    );
    sql.text(" o.entity_type, o.entity_id, o.sender_name from app.open_notification(")
        .bind(company_id)
        .text("::uuid, ")
        .bind(id)
        .text("::uuid, ")
        .bind(now)
        .text("::timestamptz) o");
    let Some(row) = tx.query_opt(sql).await? else { return Ok(Act::Nothing) };
    let text = |name: &str| row.try_get::<_, Option<String>>(name).map(Option::unwrap_or_default).map_err(Error::internal);
    Ok(match text("act")?.as_str() {
        "wait" => Act::Wait(row.try_get("wait_until").map_err(Error::internal)?),
        "send" => Act::Send(Box::new(Letter {
            channel: text("channel")?,
            user_id: row.try_get("user_id").map_err(Error::internal)?,
            recipient: text("recipient")?,
            topic: row.try_get("topic").map_err(Error::internal)?,
            kind: text("type")?,
            priority: text("priority")?,
            entity: row
                .try_get::<_, Option<Uuid>>("entity_id")
                .map_err(Error::internal)?
                .map(|id| Ok((text("entity_type")?, id)))
                .transpose()?,
            subject: text("subject")?,
            body: text("body")?,
            html: text("body_html")?,
            sender_name: text("sender_name")?,
        })),
        _ => Act::Nothing,
    })
}

/// Notes as which messages a notification is in the outbox, or why it can never be.
pub(super) async fn hand_on(
    tx: &Tx,
    (company_id, id): (CompanyId, Uuid),
    handed: std::result::Result<&[Uuid], &str>,
    now: Timestamp,
) -> Result<()> {
    let mut sql = Sql::new("select app.hand_on_notification(");
    sql.bind(company_id).text("::uuid, ").bind(id).text("::uuid, array(select m::uuid from jsonb_array_elements_text(");
    sql.bind(json!(handed.unwrap_or_default())).text("::jsonb) m), ").bind(handed.err()).text("::text, ").bind(now).text("::timestamptz)");
    tx.query(sql).await.map(drop)
}

/// Takes digests whose window is over, of one company or of all.
pub(super) async fn due_digests(
    tx: &Tx,
    company_id: Option<CompanyId>,
    now: Timestamp,
    config: &NotificationConfig,
) -> Result<Vec<Digest>> {
    let mut sql = Sql::new("select d.company_id, d.id, d.locale, d.company, d.total, d.items from app.due_digests(");
    sql.bind(company_id).text("::uuid, ").bind(now).text("::timestamptz, ").bind(config.digests_max).text("::integer, ");
    sql.bind(config.digest_items_max).text("::integer) d");
    let read = |row: &Row| {
        let items: Value = row.try_get("items").map_err(Error::internal)?;
        Ok(Digest {
            company_id: CompanyId(row.try_get("company_id").map_err(Error::internal)?),
            id: row.try_get("id").map_err(Error::internal)?,
            locale: row.try_get("locale").map_err(Error::internal)?,
            company: row.try_get("company").map_err(Error::internal)?,
            total: row.try_get("total").map_err(Error::internal)?,
            items: serde_json::from_value(items).map_err(Error::internal)?,
        })
    };
    tx.query(sql).await?.iter().map(read).collect()
}

/// Makes one mail of what a digest gathered.
pub(super) async fn close_digest(tx: &Tx, digest: &Digest, said: &super::texts::Said, now: Timestamp) -> Result<()> {
    let mut sql = Sql::new("select app.close_digest(");
    sql.bind(digest.company_id).text("::uuid, ").bind(digest.id).text("::uuid, ").bind(said.subject.as_str()).text("::text, ");
    sql.bind(said.body.as_str()).text("::text, ").bind(said.html.as_deref()).text("::text, ").bind(now).text("::timestamptz)");
    tx.query(sql).await.map(drop)
}

/// Has members told of what became due; returns of how much.
pub(super) async fn notify_due(tx: &Tx, now: Timestamp, config: &NotificationConfig) -> Result<i64> {
    let mut sql = Sql::new("select app.notify_due(");
    sql.bind(now).text("::timestamptz, ").bind(config.reminder_minutes).text("::integer, ").bind(config.service_days).text("::integer, ");
    sql.bind(config.due_rows_max).text("::integer) as told");
    tx.query_one(sql).await?.try_get("told").map_err(Error::internal)
}

/// Puts a task of the server's own in, unless one waits.
pub(super) async fn enqueue(tx: &Tx, kind: &str) -> Result<()> {
    let mut sql = Sql::new("select app.enqueue_task(");
    sql.bind(kind).text("::text, '{}', null, p_unique_key => 'all')");
    tx.query(sql).await.map(drop)
}
