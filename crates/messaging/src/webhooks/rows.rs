//! The statements on deliveries.

use std::net::IpAddr;

use ipnet::IpNet;
use jiff::Timestamp;
use kernel::{CompanyId, Error, Result};
use postgres::{Row, Sql, Tx};
use serde::Deserialize;
use serde_json::Value;
use uuid::Uuid;

use super::schedule::RetryPolicy;
use crate::config::WebhookConfig;

/// A delivery that this server took.
pub(super) struct Taken {
    pub(super) company_id: CompanyId,
    pub(super) id: Uuid,
    pub(super) webhook_id: Uuid,
    /// Which attempt this is, from 1 on.
    pub(super) attempt: i32,
    pub(super) url: String,
    pub(super) timeout_seconds: i32,
    pub(super) policy: RetryPolicy,
    /// Where alone its receiver may be; empty: anywhere.
    pub(super) addresses: Vec<String>,
    pub(super) body: String,
    pub(super) signing: Vec<SealedRow>,
    pub(super) headers: Option<SealedRow>,
}

/// What was sealed for a row.
#[derive(Deserialize)]
pub(super) struct SealedRow {
    pub(super) id: Uuid,
    pub(super) secret: String,
}

/// Somebody who is told that a webhook is no longer at work.
pub(super) struct Owner {
    pub(super) email: String,
    pub(super) company: String,
    pub(super) webhook: String,
    pub(super) reason: String,
}

/// What follows of an attempt.
#[derive(PartialEq, Eq, Debug)]
pub(super) enum Settled {
    Noted,
    /// The webhook was switched off.
    Disabled,
    /// Another attempt took the place of this one.
    Superseded,
}

/// Makes deliveries of events; returns of how many.
pub(super) async fn fan_out(tx: &Tx, now: Timestamp, config: &WebhookConfig) -> Result<i32> {
    let mut sql = Sql::new("select app.fan_out_events(");
    sql.bind(now).text("::timestamptz, ").bind(config.batch_events).text("::integer) as events");
    tx.query_one(sql).await?.try_get("events").map_err(Error::internal)
}

/// Gives up what waits for webhooks that are not at work.
pub(super) async fn give_up(tx: &Tx, now: Timestamp, config: &WebhookConfig) -> Result<()> {
    let mut sql = Sql::new("select app.give_up_webhook_deliveries(");
    sql.bind(now).text("::timestamptz, ").bind(config.failing_days_max).text("::integer, ").bind(config.batch_events).text("::integer)");
    tx.query_one(sql).await.map(|_row| ())
}

/// Takes what is due.
pub(super) async fn take(tx: &Tx, now: Timestamp, rows_max: u32, config: &WebhookConfig) -> Result<Vec<Taken>> {
    // An attempt that is not settled then is of a server that is gone.
    let lease_seconds = config.attempt_seconds_max + 30;
    let mut sql =
        Sql::new("select t.company_id, t.id, t.webhook_id, t.attempts, t.url, t.timeout_seconds, t.retry_policy, t.body, t.signing,");
    sql.text(
        " t.headers, (select to_jsonb(w.ip_whitelist) from public.webhooks w where w.company_id = t.company_id and w.id = t.webhook_id)",
    );
    sql.text(" as addresses from app.take_webhook_deliveries(").bind(now).text("::timestamptz, ").bind(lease_seconds).text("::integer, ");
    sql.bind(rows_max.min(config.deliveries_max)).text("::integer, ").bind(config.deliveries_per_webhook_max).text("::integer, ");
    sql.bind(config.failures_max).text("::integer) t");
    tx.query(sql).await?.iter().map(read).collect()
}

fn read(row: &Row) -> Result<Taken> {
    let signing: Option<Value> = row.try_get("signing").map_err(Error::internal)?;
    let headers: Option<Value> = row.try_get("headers").map_err(Error::internal)?;
    let addresses: Option<Value> = row.try_get("addresses").map_err(Error::internal)?;
    let policy: Value = row.try_get("retry_policy").map_err(Error::internal)?;
    Ok(Taken {
        company_id: CompanyId(row.try_get("company_id").map_err(Error::internal)?),
        id: row.try_get("id").map_err(Error::internal)?,
        webhook_id: row.try_get("webhook_id").map_err(Error::internal)?,
        attempt: row.try_get("attempts").map_err(Error::internal)?,
        url: row.try_get("url").map_err(Error::internal)?,
        timeout_seconds: row.try_get("timeout_seconds").map_err(Error::internal)?,
        // One from before policies were looked at says nothing.
        policy: serde_json::from_value(policy).unwrap_or_default(),
        addresses: addresses.map_or(Ok(Vec::new()), serde_json::from_value).map_err(Error::internal)?,
        body: row.try_get("body").map_err(Error::internal)?,
        signing: signing.map_or(Ok(Vec::new()), serde_json::from_value).map_err(Error::internal)?,
        headers: headers.map(serde_json::from_value).transpose().map_err(Error::internal)?,
    })
}

impl Taken {
    /// Returns the networks in which its receiver may be; nothing where he may be anywhere. What cannot be read is none: a list that
    /// nobody understands lets nobody in.
    pub(super) fn networks(&self) -> Option<Vec<IpNet>> {
        (!self.addresses.is_empty()).then(|| self.addresses.iter().filter_map(|text| network(text)).collect())
    }
}

fn network(text: &str) -> Option<IpNet> {
    text.parse().ok().or_else(|| text.parse::<IpAddr>().ok().map(IpNet::from))
}

/// Writes down how an attempt ended.
pub(super) async fn settle(tx: &Tx, taken: &Taken, attempt: &Value, now: Timestamp, config: &WebhookConfig) -> Result<Settled> {
    let mut sql = Sql::new("select app.settle_webhook_delivery(");
    sql.bind(taken.company_id).text("::uuid, ").bind(taken.id).text("::uuid, ").bind(taken.attempt).text("::integer, ");
    sql.bind(attempt).text("::jsonb, ").bind(now).text("::timestamptz, ").bind(config.failing_days_max).text("::integer, ");
    sql.bind(config.failures_max).text("::integer, ").bind(config.pause_seconds).text("::integer) as settled");
    let settled: Option<String> = tx.query_one(sql).await?.try_get("settled").map_err(Error::internal)?;
    Ok(match settled.as_deref() {
        None => Settled::Superseded,
        Some("disabled") => Settled::Disabled,
        Some(_) => Settled::Noted,
    })
}

/// Returns whom a company's webhooks concern.
pub(super) async fn owners(tx: &Tx, taken: &Taken) -> Result<Vec<Owner>> {
    let mut sql = Sql::new("select email, company, webhook, coalesce(reason, '') as reason from app.webhook_owners(");
    sql.bind(taken.company_id).text("::uuid, ").bind(taken.webhook_id).text("::uuid)");
    let owner = |row: &Row| {
        Ok(Owner {
            email: row.try_get("email").map_err(Error::internal)?,
            company: row.try_get("company").map_err(Error::internal)?,
            webhook: row.try_get("webhook").map_err(Error::internal)?,
            reason: row.try_get("reason").map_err(Error::internal)?,
        })
    };
    tx.query(sql).await?.iter().map(owner).collect()
}
