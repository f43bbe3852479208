//! The statements on what happened to accounts.

use kernel::{Error, Result, UserId};
use postgres::{Sql, Tx};
use serde_json::Value;
use uuid::Uuid;

use crate::input::Device;

/// Returns what happened to an account, the newest first.
pub(super) async fn events(tx: &Tx, user_id: UserId, before: Option<Uuid>, limit: i64) -> Result<Value> {
    let mut sql = Sql::new("select coalesce(jsonb_agg(to_jsonb(l) order by l.id desc), '[]') as events from (");
    sql.text("select e.id, e.action, e.created_at, host(e.ip) as ip, e.user_agent, e.session_id, e.details ");
    sql.text("from auth.security_events e where e.user_id = ").bind(user_id.0).text("::uuid and (e.id < ");
    sql.bind(before.map(|id| id.to_string())).text("::uuid or ").bind(before.is_none()).text("::boolean) order by e.id desc limit ");
    sql.bind(limit).text("::bigint) l");
    tx.query_one(sql).await?.try_get("events").map_err(Error::internal)
}

/// Returns the keys that a user made.
pub(super) async fn api_keys(tx: &Tx, user_id: UserId) -> Result<Value> {
    let mut sql = Sql::new("select app.api_keys_of(");
    sql.bind(user_id.0).text("::uuid) as keys");
    tx.query_one(sql).await?.try_get("keys").map_err(Error::internal)
}

/// Returns what happened to all accounts, the newest first.
pub(super) async fn entries(tx: &Tx, limit: i64, offset: i64) -> Result<Value> {
    let mut sql = Sql::new("select coalesce(jsonb_agg(jsonb_build_object('id', l.id, 'payload', l.payload, 'created_at', l.created_at, ");
    sql.text("'ip_address', l.ip_address) order by l.id desc), '[]') as entries from (");
    sql.text("select e.id, e.payload, e.created_at, e.ip_address from auth.audit_log_entries e order by e.id desc limit ");
    sql.bind(limit).text("::bigint offset ").bind(offset).text("::bigint) l");
    tx.query_one(sql).await?.try_get("entries").map_err(Error::internal)
}

/// Notes a sign-in that was refused.
pub(super) async fn note_refused(tx: &Tx, user_id: Option<UserId>, device: &Device) -> Result<()> {
    let mut sql = Sql::new("select app.note_refused_sign_in(");
    sql.bind(user_id.map(|id| id.0.to_string())).text("::uuid, ").bind(device.address.clone()).text("::inet, ");
    sql.bind(device.user_agent.clone()).text("::text)");
    tx.execute(sql).await?;
    Ok(())
}
