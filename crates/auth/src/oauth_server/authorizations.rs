//! The statements on what programs ask people for, and on what people agreed to.
//!
//! Invariant: a question belongs to whoever looked at it first. A code is used up by the statement that finds it, whoever presents it
//! and whatever is wrong with the rest of the request.

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use jiff::{SignedDuration, Timestamp};
use kernel::{Error, Result, SessionId, UserId};
use postgres::{Row, Sql, Tx};
use serde_json::{Value, json};
use uuid::Uuid;

use super::clients::Client;
use super::queries::COLUMNS;
use crate::input::Caller;

/// For how long it is remembered that a code was used.
const KEPT_HOURS: i64 = 24;
/// Questions that one request takes out of the way at most.
const FORGOTTEN_MAX: i64 = 100;

/// A question that is to be.
pub(super) struct NewQuestion<'a> {
    pub(super) id: Uuid,
    pub(super) client_id: Uuid,
    pub(super) redirect_uri: &'a str,
    pub(super) scopes: &'a [String],
    pub(super) state: Option<&'a str>,
    pub(super) nonce: Option<&'a str>,
    pub(super) resource: Option<&'a str>,
    pub(super) code_challenge: &'a str,
    pub(super) asks_again: bool,
    pub(super) requested_from: Option<&'a str>,
}

/// A question as somebody is asked it.
#[derive(Debug)]
pub(super) struct Question {
    pub(super) client: Client,
    pub(super) redirect_uri: String,
    pub(super) scopes: Vec<String>,
    pub(super) state: Option<String>,
    pub(super) asks_again: bool,
    pub(super) is_open: bool,
}

/// What a code stands for that was just used up.
#[derive(Debug)]
pub(super) struct Used {
    pub(super) id: Uuid,
    pub(super) client_id: Uuid,
    pub(super) redirect_uri: String,
    pub(super) scopes: Vec<String>,
    pub(super) nonce: Option<String>,
    pub(super) resource: Option<String>,
    pub(super) code_challenge: String,
    pub(super) user_id: UserId,
    pub(super) approved_in: SessionId,
    pub(super) in_time: bool,
}

/// Keeps a question, if its address has not too many of them open; takes some that are long over out of the way.
pub(super) async fn ask(tx: &Tx, new: &NewQuestion<'_>, seconds: u32, most: u32, now: Timestamp) -> Result<bool> {
    let old = now.saturating_sub(SignedDuration::from_hours(KEPT_HOURS)).map_err(Error::internal)?;
    let mut over = Sql::new("delete from auth.oauth_authorizations a where a.id in (select x.id from auth.oauth_authorizations x where ");
    over.text("x.expires_at < ").bind(old).text("::timestamptz order by x.expires_at limit ").bind(FORGOTTEN_MAX);
    over.text("::bigint for update skip locked)");
    tx.execute(over).await?;
    let expires_at = after(now, seconds)?;
    let mut sql = Sql::new(
        "insert into auth.oauth_authorizations (id, client_id, redirect_uri, scopes, state, nonce, resource, code_challenge, asks_again,
                                                requested_from, created_at, expires_at)
         select ",
    );
    sql.bind(new.id).text("::uuid, ").bind(new.client_id).text("::uuid, ").bind(new.redirect_uri);
    sql.text("::text, array(select jsonb_array_elements_text(").bind(json!(new.scopes)).text("::jsonb)), ").bind(new.state);
    sql.text("::text, ").bind(new.nonce).text("::text, ").bind(new.resource).text("::text, ").bind(new.code_challenge);
    sql.text("::text, ").bind(new.asks_again).text("::boolean, ").bind(new.requested_from).text("::inet, ").bind(now);
    sql.text("::timestamptz, ").bind(expires_at).text(
        "::timestamptz where (
           select count(*) from auth.oauth_authorizations o
            where o.status = 'pending' and o.requested_from is not distinct from ",
    );
    sql.bind(new.requested_from).text("::inet and o.expires_at > ").bind(now).text("::timestamptz) < ").bind(most);
    sql.text("::bigint returning id");
    Ok(tx.query_opt(sql).await?.is_some())
}

/// Makes a question the caller's, if it is nobody's yet, and returns it if it is his.
pub(super) async fn claim(tx: &Tx, id: Uuid, caller: Caller, now: Timestamp) -> Result<Option<Question>> {
    let mut sql = Sql::new("update auth.oauth_authorizations a set user_id = ");
    sql.bind(caller.user_id).text("::uuid from auth.oauth_clients c where c.id = a.client_id and a.expires_at > ").bind(now);
    sql.text("::timestamptz and (a.user_id is null or a.user_id = ").bind(caller.user_id).text("::uuid) and a.id = ").bind(id);
    sql.text("::uuid returning ").text(QUESTION).text(COLUMNS);
    tx.query_opt(sql).await?.map(|row| question(&row)).transpose()
}

/// Finds a question that the caller looked at, and locks it.
pub(super) async fn find(tx: &Tx, id: Uuid, caller: Caller, now: Timestamp) -> Result<Option<Question>> {
    let mut sql = Sql::new("select ");
    sql.text(QUESTION).text(COLUMNS);
    sql.text("from auth.oauth_authorizations a join auth.oauth_clients c on c.id = a.client_id where a.expires_at > ").bind(now);
    sql.text("::timestamptz and a.user_id = ").bind(caller.user_id).text("::uuid and a.id = ").bind(id);
    sql.text("::uuid for update of a");
    tx.query_opt(sql).await?.map(|row| question(&row)).transpose()
}

/// Notes that the caller agreed, and which code stands for it.
pub(super) async fn approve(tx: &Tx, id: Uuid, caller: Caller, code_hash: &[u8], expires_at: Timestamp) -> Result<()> {
    let mut sql = Sql::new("update auth.oauth_authorizations a set status = 'approved', approved_in = ");
    sql.bind(caller.session()?).text("::uuid, code_hash = decode(").bind(STANDARD.encode(code_hash));
    sql.text("::text, 'base64'), expires_at = ").bind(expires_at).text("::timestamptz where a.id = ").bind(id).text("::uuid");
    tx.execute(sql).await?;
    Ok(())
}

/// Notes that the caller did not agree.
pub(super) async fn deny(tx: &Tx, id: Uuid) -> Result<()> {
    let mut sql = Sql::new("update auth.oauth_authorizations a set status = 'denied' where a.id = ");
    sql.bind(id).text("::uuid");
    tx.execute(sql).await?;
    Ok(())
}

/// Returns what a user agreed to before.
pub(super) async fn agreed(tx: &Tx, user_id: UserId, client_id: Uuid) -> Result<Option<Vec<String>>> {
    let mut sql = Sql::new("select to_jsonb(k.scopes) as scopes from auth.oauth_consents k where k.user_id = ");
    sql.bind(user_id).text("::uuid and k.client_id = ").bind(client_id).text("::uuid");
    tx.query_opt(sql).await?.map(|row| list(&row, "scopes")).transpose()
}

/// Remembers what a user agreed to, beside what he agreed to before.
pub(super) async fn remember(tx: &Tx, user_id: UserId, client_id: Uuid, scopes: &[String], now: Timestamp) -> Result<()> {
    let mut sql = Sql::new("with given as (select ");
    sql.bind(user_id).text("::uuid as user_id, ").bind(client_id).text("::uuid as client_id, array(select jsonb_array_elements_text(");
    sql.bind(json!(scopes)).text("::jsonb)) as scopes, ").bind(now).text(
        "::timestamptz as now),
         used as (update auth.oauth_clients c set used_at = g.now from given g where c.id = g.client_id)
         insert into auth.oauth_consents as k (user_id, client_id, scopes, granted_at)
         select g.user_id, g.client_id, g.scopes, g.now from given g
         on conflict (user_id, client_id) do update
            set scopes = array(select distinct s.scope from unnest(k.scopes || excluded.scopes) s (scope) order by s.scope),
                granted_at = excluded.granted_at",
    );
    tx.execute(sql).await?;
    Ok(())
}

/// Uses up a code.
pub(super) async fn use_up(tx: &Tx, code_hash: &[u8], now: Timestamp) -> Result<Option<Used>> {
    let mut sql = Sql::new("update auth.oauth_authorizations a set status = 'used' where a.status = 'approved' and a.code_hash = decode(");
    sql.bind(STANDARD.encode(code_hash)).text(
        "::text, 'base64')
         returning a.id, a.client_id, a.redirect_uri, to_jsonb(a.scopes) as scopes, a.nonce, a.resource, a.code_challenge, a.user_id,
                   a.approved_in, a.expires_at > ",
    );
    sql.bind(now).text("::timestamptz as in_time");
    let Some(row) = tx.query_opt(sql).await? else { return Ok(None) };
    Ok(Some(Used {
        id: row.try_get("id").map_err(Error::internal)?,
        client_id: row.try_get("client_id").map_err(Error::internal)?,
        redirect_uri: row.try_get("redirect_uri").map_err(Error::internal)?,
        scopes: list(&row, "scopes")?,
        nonce: row.try_get("nonce").map_err(Error::internal)?,
        resource: row.try_get("resource").map_err(Error::internal)?,
        code_challenge: row.try_get("code_challenge").map_err(Error::internal)?,
        user_id: UserId(row.try_get("user_id").map_err(Error::internal)?),
        approved_in: SessionId(row.try_get("approved_in").map_err(Error::internal)?),
        in_time: row.try_get("in_time").map_err(Error::internal)?,
    }))
}

/// Notes what a code was exchanged for.
pub(super) async fn note(tx: &Tx, id: Uuid, session_id: SessionId) -> Result<()> {
    let mut sql = Sql::new("update auth.oauth_authorizations a set session_id = ");
    sql.bind(session_id).text("::uuid where a.id = ").bind(id).text("::uuid");
    tx.execute(sql).await?;
    Ok(())
}

/// Returns what a code was exchanged for that was used before.
pub(super) async fn exchanged(tx: &Tx, code_hash: &[u8]) -> Result<Option<SessionId>> {
    let mut sql = Sql::new("select a.session_id from auth.oauth_authorizations a where a.status = 'used' and a.code_hash = decode(");
    sql.bind(STANDARD.encode(code_hash)).text("::text, 'base64') and a.session_id is not null");
    let Some(row) = tx.query_opt(sql).await? else { return Ok(None) };
    Ok(Some(SessionId(row.try_get("session_id").map_err(Error::internal)?)))
}

/// What [`question`] reads, of the question `a`; the program's columns stand behind it.
const QUESTION: &str = " a.redirect_uri, to_jsonb(a.scopes) as scopes, a.state, a.asks_again, a.status = 'pending' as is_open, ";

fn question(row: &Row) -> Result<Question> {
    Ok(Question {
        client: Client::from_row(row)?,
        redirect_uri: row.try_get("redirect_uri").map_err(Error::internal)?,
        scopes: list(row, "scopes")?,
        state: row.try_get("state").map_err(Error::internal)?,
        asks_again: row.try_get("asks_again").map_err(Error::internal)?,
        is_open: row.try_get("is_open").map_err(Error::internal)?,
    })
}

fn list(row: &Row, name: &str) -> Result<Vec<String>> {
    let value: Value = row.try_get(name).map_err(Error::internal)?;
    serde_json::from_value(value).map_err(Error::internal)
}

/// Returns a moment some seconds later.
pub(super) fn after(now: Timestamp, seconds: u32) -> Result<Timestamp> {
    now.checked_add(SignedDuration::from_secs(seconds.into())).map_err(Error::internal)
}
