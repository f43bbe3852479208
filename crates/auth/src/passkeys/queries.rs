//! The statements on passkeys and what was asked of them.
//!
//! Invariant: what was asked is used up by the statement that finds it; each statement on passkeys of a user names him.

use jiff::Timestamp;
use kernel::{Error, Result, UserId};
use postgres::{Sql, Tx};
use serde_json::{Value, json};
use uuid::Uuid;

use super::Used;
use crate::one_time::hex;
use crate::webauthn::Key;

/// How many requests for a new passkey of one user are open at once; the oldest is forgotten.
const OPEN_MAX: i64 = 10;

/// How clients read a passkey `p`.
const SHOWN: &str = "jsonb_strip_nulls(jsonb_build_object(
    'id', p.id, 'friendly_name', nullif(p.friendly_name, ''),
    'created_at', to_char(p.created_at at time zone 'UTC', 'YYYY-MM-DD\"T\"HH24:MI:SS.US\"Z\"'),
    'last_used_at', to_char(p.last_used_at at time zone 'UTC', 'YYYY-MM-DD\"T\"HH24:MI:SS.US\"Z\"'))) ";

/// Whoever has passkeys, as far as it matters for them.
#[derive(Debug)]
pub(super) struct Owner {
    pub(super) has_factor: bool,
    pub(super) is_anonymous: bool,
    pub(super) is_sso: bool,
    pub(super) credential_ids: Vec<Vec<u8>>,
}

/// A passkey with what has to be known of its account before a sign-in.
#[derive(Debug)]
#[expect(clippy::struct_excessive_bools, reason = "each stands in the way of a sign-in by itself")]
pub(super) struct Passkey {
    pub(super) id: Uuid,
    pub(super) user_id: UserId,
    pub(super) credential: Value,
    pub(super) banned: bool,
    pub(super) email_unconfirmed: bool,
    pub(super) phone_unconfirmed: bool,
    /// The account is known by its number alone.
    pub(super) by_phone: bool,
}

/// What is to be asked.
pub(super) struct NewChallenge {
    pub(super) user_id: Option<UserId>,
    pub(super) ceremony: Value,
    pub(super) seconds: u32,
}

/// Finds the caller's account, whose row is locked.
pub(super) async fn owner(tx: &Tx, user_id: UserId) -> Result<Option<Owner>> {
    let mut sql = Sql::new(
        "select u.is_anonymous, u.is_sso_user,
                exists (select from auth.mfa_factors f where f.user_id = u.id and f.status = 'verified') as has_factor,
                array(select p.credential_id from auth.passkeys p where p.user_id = u.id order by p.id) as credential_ids
           from auth.users u where u.deleted_at is null and u.id = ",
    );
    sql.bind(user_id).text("::uuid");
    let Some(row) = tx.query_opt(sql).await? else { return Ok(None) };
    Ok(Some(Owner {
        has_factor: row.try_get("has_factor").map_err(Error::internal)?,
        is_anonymous: row.try_get("is_anonymous").map_err(Error::internal)?,
        is_sso: row.try_get("is_sso_user").map_err(Error::internal)?,
        credential_ids: row.try_get("credential_ids").map_err(Error::internal)?,
    }))
}

/// Notes what is asked, and takes some of what nobody answered out of the way. Returns until when it may be answered.
pub(super) async fn ask(tx: &Tx, new: NewChallenge, now: Timestamp) -> Result<(Uuid, i64)> {
    let (id, expires_at) = (Uuid::now_v7(), now.as_second() + i64::from(new.seconds));
    let mut over = Sql::new("delete from auth.passkey_challenges c where c.id in (select x.id from auth.passkey_challenges x ");
    over.text("where x.expires_at <= ").bind(now).text("::timestamptz order by x.expires_at limit 20 for update skip locked)");
    tx.execute(over).await?;
    if let Some(user_id) = new.user_id {
        let mut old = Sql::new("delete from auth.passkey_challenges c where c.id in (select x.id from auth.passkey_challenges x ");
        old.text("where x.user_id = ").bind(user_id).text("::uuid order by x.created_at desc, x.id desc offset ");
        old.bind(OPEN_MAX - 1).text("::bigint)");
        tx.execute(old).await?;
    }
    let mut sql = Sql::new("insert into auth.passkey_challenges (id, user_id, ceremony, created_at, expires_at) values (");
    sql.bind(id).text("::uuid, ").bind(new.user_id).text("::uuid, ").bind(new.ceremony).text("::jsonb, ").bind(now);
    sql.text("::timestamptz, to_timestamp(").bind(expires_at).text("::bigint))");
    tx.execute(sql).await?;
    Ok((id, expires_at))
}

/// Uses up what was asked of a user, or of nobody.
pub(super) async fn answered(tx: &Tx, id: Uuid, user_id: Option<UserId>, now: Timestamp) -> Result<Used> {
    let mut sql = Sql::new("delete from auth.passkey_challenges c where c.id = ");
    sql.bind(id).text("::uuid and c.user_id is not distinct from ").bind(user_id).text("::uuid returning c.ceremony, c.expires_at <= ");
    sql.bind(now).text("::timestamptz as expired");
    let Some(row) = tx.query_opt(sql).await? else { return Ok(Used::Unknown) };
    let expired: bool = row.try_get("expired").map_err(Error::internal)?;
    if expired { Ok(Used::Expired) } else { row.try_get("ceremony").map(Used::Ceremony).map_err(Error::internal) }
}

/// Adds a passkey, unless it is somebody's already.
pub(super) async fn add(tx: &Tx, user_id: UserId, key: &Key, now: Timestamp) -> Result<Option<Value>> {
    let mut sql = Sql::new("insert into auth.passkeys as p (id, user_id, credential_id, credential, created_at, updated_at) select ");
    sql.bind(Uuid::now_v7()).text("::uuid, ").bind(user_id).text("::uuid, decode(").bind(hex(&key.id)).text("::text, 'hex'), ");
    sql.bind(key.kept.clone()).text("::jsonb, g.now, g.now from (select ").bind(now);
    sql.text("::timestamptz as now) g on conflict (credential_id) do nothing returning ").text(SHOWN).text(" as passkey");
    shown(tx, sql).await
}

/// Finds a passkey by what it calls itself, and locks it.
pub(super) async fn by_credential(tx: &Tx, credential_id: &[u8], now: Timestamp) -> Result<Option<Passkey>> {
    let mut sql = Sql::new(
        "select p.id, p.user_id, p.credential, u.email is null as by_phone,
                coalesce(u.email, '') <> '' and u.email_confirmed_at is null as email_unconfirmed,
                coalesce(u.phone, '') <> '' and u.phone_confirmed_at is null as phone_unconfirmed, coalesce(u.banned_until > ",
    );
    sql.bind(now).text("::timestamptz, false) as banned from auth.passkeys p join auth.users u on u.id = p.user_id ");
    sql.text("where u.deleted_at is null and p.credential_id = decode(").bind(hex(credential_id)).text("::text, 'hex') for update of p");
    let Some(row) = tx.query_opt(sql).await? else { return Ok(None) };
    let flag = |name: &str| row.try_get::<_, bool>(name).map_err(Error::internal);
    Ok(Some(Passkey {
        id: row.try_get("id").map_err(Error::internal)?,
        user_id: UserId(row.try_get::<_, Uuid>("user_id").map_err(Error::internal)?),
        credential: row.try_get("credential").map_err(Error::internal)?,
        banned: flag("banned")?,
        email_unconfirmed: flag("email_unconfirmed")?,
        phone_unconfirmed: flag("phone_unconfirmed")?,
        by_phone: flag("by_phone")?,
    }))
}

/// Keeps what a passkey said of itself, and that it was used.
pub(super) async fn keep(tx: &Tx, id: Uuid, key: &Key, now: Timestamp) -> Result<()> {
    let mut sql = Sql::new("update auth.passkeys p set credential = ");
    sql.bind(key.kept.clone()).text("::jsonb, last_used_at = ").bind(now).text("::timestamptz where p.id = ").bind(id).text("::uuid");
    tx.execute(sql).await?;
    Ok(())
}

/// Lists the passkeys of a user as clients read them.
pub(crate) async fn list(tx: &Tx, user_id: UserId) -> Result<Value> {
    let mut sql = Sql::new("select jsonb_agg(");
    sql.text(SHOWN).text(" order by p.created_at, p.id) as passkey from auth.passkeys p where p.user_id = ").bind(user_id).text("::uuid");
    Ok(tx.query_one(sql).await?.try_get::<_, Option<Value>>("passkey").map_err(Error::internal)?.unwrap_or_else(|| json!([])))
}

/// Renames a passkey of a user.
pub(super) async fn rename(tx: &Tx, user_id: UserId, id: Uuid, name: &str, now: Timestamp) -> Result<Option<Value>> {
    let mut sql = Sql::new("update auth.passkeys p set friendly_name = ");
    sql.bind(name).text("::text, updated_at = ").bind(now).text("::timestamptz where p.user_id = ").bind(user_id);
    sql.text("::uuid and p.id = ").bind(id).text("::uuid returning ").text(SHOWN).text(" as passkey");
    shown(tx, sql).await
}

/// Takes a passkey of a user away. Tells whether there was one.
pub(crate) async fn remove(tx: &Tx, user_id: UserId, id: Uuid) -> Result<bool> {
    let mut sql = Sql::new("delete from auth.passkeys p where p.user_id = ");
    sql.bind(user_id).text("::uuid and p.id = ").bind(id).text("::uuid returning p.id");
    Ok(tx.query_opt(sql).await?.is_some())
}

async fn shown(tx: &Tx, sql: Sql) -> Result<Option<Value>> {
    tx.query_opt(sql).await?.map(|row| row.try_get("passkey").map_err(Error::internal)).transpose()
}
