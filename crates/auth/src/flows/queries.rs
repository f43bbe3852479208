//! The statements on sign-ins under way.
//!
//! Invariant: a code is taken out of the table in the statement that finds it.

use jiff::{SignedDuration, Timestamp};
use kernel::{Error, Result, Secret, UserId};
use postgres::{Row, Sql, Tx};
use uuid::Uuid;

use super::{Challenge, Method};
use crate::one_time::secrets;

/// A code that was presented.
pub(super) struct Presented {
    pub(super) id: Uuid,
    pub(super) user_id: UserId,
    pub(super) challenge: Challenge,
    pub(super) method: &'static str,
    pub(super) provider: Option<String>,
    /// What the provider gave.
    pub(super) sealed: Option<String>,
    pub(super) is_over: bool,
}

/// How sessions that a sign-in under way leads to say that somebody proved who he is.
const METHODS: [&str; 7] = [OTP, "oauth", "email/signup", "magiclink", "recovery", "invite", "email_change"];
const OTP: &str = "otp";

/// A link that leads to a code.
pub(crate) struct Link<'a> {
    /// Nobody: the same work, and no row.
    pub(crate) user_id: Option<UserId>,
    /// Its `type`.
    pub(crate) kind: &'a str,
    pub(crate) challenge: &'a Challenge,
    pub(crate) seconds: u32,
}

/// Notes that a link which is sent to somebody ends with a code.
pub(crate) async fn begin_link(tx: &Tx, link: Link<'_>, now: Timestamp) -> Result<Uuid> {
    let Link { user_id, kind, challenge, seconds } = link;
    let method = known(if kind == "signup" { "email/signup" } else { kind });
    expire(tx, now).await?;
    let id = Uuid::now_v7();
    let mut sql =
        Sql::new("insert into auth.flow_states (id, user_id, method, challenge, challenge_method, created_at, expires_at) select ");
    sql.bind(id)
        .text("::uuid, u.id, ")
        .bind(method)
        .text("::text, ")
        .bind(challenge.text.as_str())
        .text("::text, ")
        .bind(challenge.method.name());
    sql.text("::text, ").bind(now).text("::timestamptz, ").bind(after(now, seconds)?);
    sql.text("::timestamptz from auth.users u where u.deleted_at is null and u.id = ").bind(user_id).text("::uuid");
    tx.execute(sql).await?;
    Ok(id)
}

/// Gives a sign-in that succeeded its code.
pub(crate) async fn issue(tx: &Tx, id: Uuid, user_id: UserId, seconds: u32, now: Timestamp) -> Result<Secret<String>> {
    let code = secrets::random()?;
    let mut sql = Sql::new("update auth.flow_states f set code_hash = decode(");
    sql.bind(secrets::token_hash(code.expose())).text("::text, 'hex'), user_id = ").bind(user_id).text("::uuid, expires_at = ");
    sql.bind(after(now, seconds)?).text("::timestamptz where f.id = ").bind(id).text("::uuid returning f.id");
    tx.query_opt(sql).await?.ok_or_else(|| Error::internal("a sign-in under way is gone"))?;
    Ok(code)
}

/// Uses up a code.
pub(super) async fn take(tx: &Tx, code: &str, now: Timestamp) -> Result<Option<Presented>> {
    let mut sql = Sql::new("delete from auth.flow_states f where f.code_hash = decode(");
    sql.bind(secrets::token_hash(code)).text("::text, 'hex') returning f.id, f.user_id, f.challenge, f.challenge_method, f.method, ");
    sql.text("f.provider, f.secrets, f.expires_at <= ").bind(now).text("::timestamptz as is_over");
    tx.query_opt(sql).await?.map(|row| presented(&row)).transpose()
}

/// Takes some that nobody ended out of the way.
pub(crate) async fn expire(tx: &Tx, now: Timestamp) -> Result<()> {
    let mut sql = Sql::new("delete from auth.flow_states f where f.id in (select x.id from auth.flow_states x where x.expires_at < ");
    let before = now.saturating_sub(SignedDuration::from_hours(24)).map_err(Error::internal)?;
    sql.bind(before).text("::timestamptz order by x.expires_at limit 20 for update skip locked)");
    tx.execute(sql).await?;
    Ok(())
}

/// Returns the moment so many seconds later.
pub(crate) fn after(now: Timestamp, seconds: u32) -> Result<Timestamp> {
    now.checked_add(SignedDuration::from_secs(seconds.into())).map_err(Error::internal)
}

fn known(method: &str) -> &'static str {
    METHODS.into_iter().find(|known| *known == method).unwrap_or(OTP)
}

fn presented(row: &Row) -> Result<Presented> {
    let text = |name: &str| row.try_get::<_, String>(name).map_err(Error::internal);
    let method = Method::parse(&text("challenge_method")?).ok_or_else(|| Error::internal("a way to make challenges that is not known"))?;
    Ok(Presented {
        id: row.try_get("id").map_err(Error::internal)?,
        user_id: UserId(row.try_get("user_id").map_err(Error::internal)?),
        challenge: Challenge { text: text("challenge")?, method },
        method: known(&text("method")?),
        provider: row.try_get("provider").map_err(Error::internal)?,
        sealed: row.try_get("secrets").map_err(Error::internal)?,
        is_over: row.try_get("is_over").map_err(Error::internal)?,
    })
}
