//! The statements on factors, what was asked of them, and recovery codes.
//!
//! Invariant: each names the user whose factor it is; his row is locked by the caller, so that counts and single use hold.

use jiff::Timestamp;
use kernel::{Error, Result, UserId};
use postgres::{Row, Sql, Tx};
use serde_json::{Value, json};
use uuid::Uuid;

use crate::config::MfaConfig;
use crate::input::Caller;
use crate::one_time::hex;
use crate::webauthn::Key;

/// A factor as the work on it needs it.
#[derive(Debug)]
pub(super) struct Factor {
    pub(super) id: Uuid,
    pub(super) sort: String,
    pub(super) friendly_name: String,
    pub(super) verified: bool,
    pub(super) secret: Option<String>,
    pub(super) last_step: Option<i64>,
    /// What is kept of a security key.
    pub(super) credential: Option<Value>,
    /// Where codes go.
    pub(super) phone: Option<String>,
    pub(super) email: Option<String>,
}

/// A factor that is to be.
#[derive(Default)]
pub(super) struct NewFactor<'a> {
    pub(super) id: Uuid,
    pub(super) sort: &'static str,
    pub(super) friendly_name: &'a str,
    pub(super) verified: bool,
    pub(super) secret: Option<String>,
    pub(super) phone: Option<&'a str>,
    pub(super) email: Option<&'a str>,
}

/// What is to be different about a factor.
#[derive(Debug, Default)]
pub(crate) struct Change<'a> {
    pub(crate) friendly_name: Option<&'a str>,
    pub(crate) phone: Option<&'a str>,
    pub(crate) email: Option<&'a str>,
}

/// What is to be asked of a factor.
pub(super) struct NewChallenge<'a> {
    pub(super) id: Uuid,
    pub(super) factor: Uuid,
    pub(super) ip: Option<&'a str>,
    /// What a security key is to sign.
    pub(super) ceremony: Option<Value>,
    /// What is kept of a code that was sent.
    pub(super) code_hash: Option<String>,
}

/// What was asked of a factor.
#[derive(Debug)]
pub(super) struct Challenge {
    pub(super) id: Uuid,
    pub(super) expired: bool,
    pub(super) elsewhere: bool,
    pub(super) ceremony: Option<Value>,
    pub(super) code_hash: Option<Vec<u8>>,
}

impl Factor {
    fn from_row(row: &Row) -> Result<Self> {
        Ok(Self {
            id: row.try_get("id").map_err(Error::internal)?,
            sort: row.try_get("factor_type").map_err(Error::internal)?,
            friendly_name: row.try_get("friendly_name").map_err(Error::internal)?,
            verified: row.try_get("verified").map_err(Error::internal)?,
            secret: row.try_get("secret").map_err(Error::internal)?,
            last_step: row.try_get("last_step").map_err(Error::internal)?,
            credential: row.try_get("credential").map_err(Error::internal)?,
            phone: row.try_get("phone").map_err(Error::internal)?,
            email: row.try_get("email").map_err(Error::internal)?,
        })
    }
}

/// Returns all factors of a user.
pub(super) async fn of_user(tx: &Tx, user_id: UserId) -> Result<Vec<Factor>> {
    let mut sql = Sql::new("select f.id, f.factor_type, f.friendly_name, f.status = 'verified' as verified, f.secret, f.last_step, ");
    sql.text("f.credential, f.phone, f.email from auth.mfa_factors f where f.user_id = ")
        .bind(user_id.0)
        .text("::uuid order by f.created_at, f.id");
    tx.query(sql).await?.iter().map(Factor::from_row).collect()
}

/// Makes a factor.
pub(super) async fn create(tx: &Tx, user_id: UserId, new: NewFactor<'_>, now: Timestamp) -> Result<()> {
    let status = if new.verified { "verified" } else { "unverified" };
    let mut sql = Sql::new(
        "insert into auth.mfa_factors (id, user_id, factor_type, friendly_name, status, secret, phone, email, created_at, updated_at) ",
    );
    sql.text("select g.id, g.user_id, g.sort, g.name, g.status, g.secret, g.phone, g.email, g.now, g.now from (select ");
    sql.bind(new.id).text("::uuid as id, ").bind(new.phone.map(str::to_owned)).text("::text as phone, ");
    sql.bind(new.email.map(str::to_owned)).text("::text as email, ");
    sql.bind(user_id.0).text("::uuid as user_id, ").bind(new.sort).text("::text as sort, ").bind(new.friendly_name);
    sql.text("::text as name, ").bind(status).text("::text as status, ").bind(new.secret).text("::text as secret, ");
    sql.bind(now.to_string()).text("::timestamptz as now) g");
    tx.execute(sql).await?;
    Ok(())
}

/// Takes away factors of a user that he began and never proved, unless he is asked for a code of them just now.
pub(super) async fn tidy(tx: &Tx, user_id: UserId, unverified_seconds: i64, now: Timestamp) -> Result<()> {
    let mut sql = Sql::new("delete from auth.mfa_factors f using (select ");
    sql.bind(now.to_string()).text("::timestamptz as now, ").bind(unverified_seconds).text("::bigint as kept) g where f.user_id = ");
    sql.bind(user_id.0).text(
        "::uuid and f.status = 'unverified' and f.created_at <= g.now - make_interval(secs => g.kept)
         and not exists (select from auth.mfa_challenges c where c.factor_id = f.id and c.expires_at > g.now)",
    );
    tx.execute(sql).await?;
    Ok(())
}

/// Notes that a factor is asked for, and forgets what was asked of it before and is over, or too much. Returns until when it may answer.
pub(super) async fn ask(tx: &Tx, new: NewChallenge<'_>, now: Timestamp, mfa: &MfaConfig) -> Result<i64> {
    let NewChallenge { id, factor, ip, ceremony, code_hash } = new;
    let expires_at = now.as_second() + i64::from(mfa.challenge_seconds);
    let mut old = Sql::new("delete from auth.mfa_challenges c where c.factor_id = ");
    old.bind(factor).text("::uuid and (c.expires_at <= ").bind(now.to_string());
    old.text("::timestamptz or c.id in (select n.id from auth.mfa_challenges n where n.factor_id = c.factor_id ");
    old.text("order by n.created_at desc, n.id desc offset ").bind(i64::from(mfa.challenges_max) - 1).text("::bigint))");
    tx.execute(old).await?;
    let mut sql = Sql::new("with given as (select ");
    sql.bind(id).text("::uuid as id, ").bind(factor).text("::uuid as factor_id, ").bind(ip.map(str::to_owned)).text("::inet as ip, ");
    sql.bind(ceremony).text("::jsonb as ceremony, decode(").bind(code_hash).text("::text, 'hex') as code_hash, ");
    sql.bind(now.to_string()).text("::timestamptz as now, to_timestamp(").bind(expires_at).text(
        "::bigint) as expires_at),
         asked as (update auth.mfa_factors f set last_challenged_at = g.now from given g where f.id = g.factor_id)
         insert into auth.mfa_challenges (id, factor_id, ip, ceremony, code_hash, created_at, expires_at)
         select g.id, g.factor_id, g.ip, g.ceremony, g.code_hash, g.now, g.expires_at from given g",
    );
    tx.execute(sql).await?;
    Ok(expires_at)
}

/// Finds what was asked of a factor.
pub(super) async fn asked(tx: &Tx, factor: Uuid, id: Uuid, ip: Option<&str>, now: Timestamp) -> Result<Option<Challenge>> {
    let mut sql = Sql::new("select c.expires_at <= ");
    sql.bind(now.to_string()).text("::timestamptz as expired, coalesce(c.ip <> ").bind(ip.map(str::to_owned));
    sql.text("::inet, false) as elsewhere, c.ceremony, c.code_hash from auth.mfa_challenges c where c.factor_id = ").bind(factor);
    sql.text("::uuid and c.id = ").bind(id).text("::uuid");
    let Some(row) = tx.query_opt(sql).await? else { return Ok(None) };
    Ok(Some(Challenge {
        id,
        expired: row.try_get("expired").map_err(Error::internal)?,
        elsewhere: row.try_get("elsewhere").map_err(Error::internal)?,
        ceremony: row.try_get("ceremony").map_err(Error::internal)?,
        code_hash: row.try_get("code_hash").map_err(Error::internal)?,
    }))
}

/// Uses up what was asked of a factor.
pub(super) async fn answered(tx: &Tx, challenge: Uuid) -> Result<()> {
    let mut sql = Sql::new("delete from auth.mfa_challenges c where c.id = ");
    sql.bind(challenge).text("::uuid");
    tx.execute(sql).await?;
    Ok(())
}

/// Takes away where codes were to go and none was ever answered.
pub(super) async fn forget_begun(tx: &Tx, user_id: UserId, phone: Option<&str>, email: Option<&str>) -> Result<()> {
    let mut sql = Sql::new("delete from auth.mfa_factors f where f.status = 'unverified' and f.user_id = ");
    sql.bind(user_id.0).text("::uuid and (f.phone = ").bind(phone.map(str::to_owned)).text("::text or f.email = ");
    sql.bind(email.map(str::to_owned)).text("::text)");
    tx.execute(sql).await?;
    Ok(())
}

/// Returns how the security keys of a user call themselves.
pub(super) async fn key_ids(tx: &Tx, user_id: UserId) -> Result<Vec<Vec<u8>>> {
    let mut sql = Sql::new("select f.credential_id from auth.mfa_factors f where f.credential_id is not null and f.user_id = ");
    sql.bind(user_id.0).text("::uuid");
    tx.query(sql).await?.iter().map(|row| row.try_get("credential_id").map_err(Error::internal)).collect()
}

/// Keeps a security key as it is now. Tells whether it did: nobody else has one that calls itself so.
pub(super) async fn keep_key(tx: &Tx, factor: Uuid, key: &Key) -> Result<bool> {
    let mut sql = Sql::new("with given as (select ");
    sql.bind(factor).text("::uuid as id, decode(").bind(hex(&key.id)).text("::text, 'hex') as credential_id, ");
    sql.bind(key.kept.clone()).text(
        "::jsonb as credential)
         update auth.mfa_factors f set credential_id = g.credential_id, credential = g.credential
           from given g
          where f.id = g.id and not exists (select from auth.mfa_factors o where o.credential_id = g.credential_id and o.id <> g.id)
         returning f.id",
    );
    Ok(tx.query_opt(sql).await?.is_some())
}

/// Counts a try. Tells whether there was one left.
pub(super) async fn attempt(tx: &Tx, factor: Uuid, now: Timestamp, mfa: &MfaConfig) -> Result<bool> {
    let mut sql = Sql::new("with given as (select ");
    sql.bind(now.to_string()).text("::timestamptz as now, ").bind(i64::from(mfa.attempts_seconds)).text("::bigint as span, ");
    sql.bind(i64::from(mfa.attempts_max)).text("::bigint as most, ").bind(factor).text(
        "::uuid as id),
         tried as (
           select f.id, coalesce(f.attempts_since <= g.now - make_interval(secs => g.span), true) as anew
             from auth.mfa_factors f join given g on g.id = f.id
            for update of f)
         update auth.mfa_factors f
            set attempts = case when t.anew then 1 else f.attempts + 1 end,
                attempts_since = case when t.anew then g.now else f.attempts_since end
           from tried t, given g
          where f.id = t.id and (t.anew or f.attempts < g.most)
         returning f.id",
    );
    Ok(tx.query_opt(sql).await?.is_some())
}

/// Notes that a factor was proved: it counts from now on, and what was asked of it is answered.
pub(super) async fn proved(tx: &Tx, caller: Caller, factor: &Factor, step: Option<i64>, now: Timestamp) -> Result<()> {
    let mut sql = Sql::new("with given as (select ");
    sql.bind(factor.id).text("::uuid as id, ").bind(step).text("::bigint as step, ").bind(now.to_string()).text(
        "::timestamptz as now),
         answered as (delete from auth.mfa_challenges c using given g where c.factor_id = g.id)
         update auth.mfa_factors f
            set last_step = coalesce(g.step, f.last_step), attempts = 0, attempts_since = null,
                status = 'verified', updated_at = case when f.status = 'verified' then f.updated_at else g.now end
           from given g
          where f.id = g.id",
    );
    tx.execute(sql).await?;
    let mut begun = Sql::new("delete from auth.mfa_factors f where f.status = 'unverified' and f.user_id = ");
    begun.bind(caller.user_id.0).text("::uuid and f.factor_type = ").bind(factor.sort.as_str()).text("::text");
    tx.execute(begun).await?;
    Ok(())
}

/// Takes a factor of a user away; sessions that it raised are as sure as before. Tells whether there was one.
pub(crate) async fn delete(tx: &Tx, user_id: UserId, factor: Uuid, now: Timestamp) -> Result<bool> {
    let mut sessions = Sql::new("update auth.sessions s set aal = 'aal1', factor_id = null, updated_at = ");
    sessions.bind(now.to_string()).text("::timestamptz where s.user_id = ").bind(user_id.0).text("::uuid and s.factor_id = ");
    sessions.bind(factor).text("::uuid");
    tx.execute(sessions).await?;
    let mut sql = Sql::new("delete from auth.mfa_factors f where f.user_id = ");
    sql.bind(user_id.0).text("::uuid and f.id = ").bind(factor).text("::uuid returning f.id");
    let gone = tx.query_opt(sql).await?.is_some();
    // Recovery codes stand in for another factor and are never the only one.
    let mut alone = Sql::new("select r.id from auth.mfa_factors r where r.factor_type = 'recovery_code' and r.user_id = ");
    alone.bind(user_id.0).text(
        "::uuid and not exists (select from auth.mfa_factors f
          where f.user_id = r.user_id and f.factor_type <> 'recovery_code' and f.status = 'verified')",
    );
    if let Some(row) = tx.query_opt(alone).await? {
        let codes: Uuid = row.try_get("id").map_err(Error::internal)?;
        Box::pin(delete(tx, user_id, codes, now)).await?;
    }
    Ok(gone)
}

/// Replaces the recovery codes of a factor, and forgets failed tries.
pub(super) async fn set_codes(tx: &Tx, factor: Uuid, hashes: &[String], now: Timestamp) -> Result<()> {
    let mut old = Sql::new("delete from auth.recovery_codes c where c.factor_id = ");
    old.bind(factor).text("::uuid");
    tx.execute(old).await?;
    let mut sql = Sql::new("with given as (select ");
    sql.bind(factor).text("::uuid as id, ").bind(json!(hashes)).text("::jsonb as hashes, ").bind(now.to_string()).text(
        "::timestamptz as now),
         fresh as (
           update auth.mfa_factors f set attempts = 0, attempts_since = null, updated_at = g.now from given g where f.id = g.id)
         insert into auth.recovery_codes (factor_id, code_hash)
         select g.id, h.hash from given g cross join lateral jsonb_array_elements_text(g.hashes) h (hash)",
    );
    tx.execute(sql).await?;
    Ok(())
}

/// Uses a recovery code up. Tells whether it was one.
pub(super) async fn use_code(tx: &Tx, factor: Uuid, hash: &str, now: Timestamp) -> Result<bool> {
    let mut sql = Sql::new("update auth.recovery_codes c set used_at = ");
    sql.bind(now.to_string()).text("::timestamptz where c.used_at is null and c.factor_id = ").bind(factor);
    sql.text("::uuid and c.code_hash = ").bind(hash).text("::text returning c.factor_id");
    Ok(tx.query_opt(sql).await?.is_some())
}

/// Returns how many recovery codes there are, and how many of them are left.
pub(super) async fn count_codes(tx: &Tx, factor: Uuid) -> Result<Value> {
    let mut sql = Sql::new("select count(*) as total, count(*) filter (where c.used_at is null) as remaining ");
    sql.text("from auth.recovery_codes c where c.factor_id = ").bind(factor).text("::uuid");
    let row = tx.query_one(sql).await?;
    let count = |name: &str| row.try_get::<_, i64>(name).map_err(Error::internal);
    Ok(json!({ "id": factor, "type": "recovery_code", "total": count("total")?, "remaining": count("remaining")? }))
}

/// Changes how a factor of a user is called, and where its codes go. Tells whether there is one.
pub(crate) async fn change(tx: &Tx, user_id: UserId, factor: Uuid, change: &Change<'_>, now: Timestamp) -> Result<bool> {
    let mut sql = Sql::new("with given as (select ");
    sql.bind(change.friendly_name.map(str::to_owned)).text("::text as name, ").bind(change.phone.map(str::to_owned));
    sql.text("::text as phone, ").bind(change.email.map(str::to_owned)).text("::text as email, ").bind(now).text("::timestamptz as now) ");
    sql.text(
        "update auth.mfa_factors f
            set friendly_name = coalesce(g.name, f.friendly_name), phone = coalesce(g.phone, f.phone),
                email = coalesce(g.email, f.email), updated_at = g.now
           from given g where f.user_id = ",
    );
    sql.bind(user_id.0).text("::uuid and f.id = ").bind(factor).text("::uuid returning f.id");
    let changed = tx.query_opt(sql).await?.is_some();
    // What was sent to the number before is no proof of the new one.
    if changed && (change.phone.is_some() || change.email.is_some()) {
        let mut old = Sql::new("delete from auth.mfa_challenges c where c.factor_id = ");
        old.bind(factor).text("::uuid");
        tx.execute(old).await?;
    }
    Ok(changed)
}
