//! The statements on accounts that are known by an identity elsewhere.
//!
//! Invariant: an identity belongs to one account; two who come with the same one at once wait for each other.

use jiff::Timestamp;
use kernel::{Error, Result, UserId};
use postgres::{Sql, Tx};
use serde_json::{Map, Value};
use uuid::Uuid;

use super::profile::Profile;
use crate::users::queries::lock_names;
use crate::users::ways_in;

/// The account that an identity belongs to.
pub(super) struct Holder {
    pub(super) user_id: UserId,
    pub(super) email: Option<String>,
    pub(super) email_confirmed: bool,
    pub(super) banned: bool,
}

/// The account that has an address.
pub(super) struct Claimant {
    pub(super) user_id: UserId,
    /// Somebody proved that the address is his.
    pub(super) proved: bool,
    /// There is another way into it than by this address.
    pub(super) reached_otherwise: bool,
    pub(super) banned: bool,
}

/// Lets others with the same identity, and then with the same address, wait.
pub(super) async fn lock(tx: &Tx, provider: &str, profile: &Profile) -> Result<()> {
    let mut sql = Sql::new("select pg_advisory_xact_lock(hashtextextended('identity:' || ");
    sql.bind(provider).text("::text || ':' || ").bind(profile.subject.as_str()).text("::text, 0))::text as one");
    tx.query(sql).await?;
    match &profile.email {
        Some(email) => lock_names(tx, Sql::new("false"), &[email.as_str()]).await,
        None => Ok(()),
    }
}

/// Finds whose an identity is.
pub(super) async fn holder(tx: &Tx, provider: &str, subject: &str, now: Timestamp) -> Result<Option<Holder>> {
    let mut sql = Sql::new("select u.id, u.email, u.email_confirmed_at is not null as email_confirmed, coalesce(u.banned_until > ");
    sql.bind(now).text("::timestamptz, false) as banned from auth.identities i join auth.users u on u.id = i.user_id ");
    sql.text("where u.deleted_at is null and i.provider = ").bind(provider).text("::text and i.provider_id = ").bind(subject);
    sql.text("::text for no key update of u");
    let Some(row) = tx.query_opt(sql).await? else { return Ok(None) };
    Ok(Some(Holder {
        user_id: UserId(row.try_get::<_, Uuid>("id").map_err(Error::internal)?),
        email: row.try_get("email").map_err(Error::internal)?,
        email_confirmed: row.try_get("email_confirmed").map_err(Error::internal)?,
        banned: row.try_get("banned").map_err(Error::internal)?,
    }))
}

/// Finds who has an address.
pub(super) async fn claimant(tx: &Tx, email: &str, now: Timestamp) -> Result<Option<Claimant>> {
    let mut sql = Sql::new("select u.id, u.email_proved_at is not null as proved, coalesce(u.banned_until > ");
    sql.bind(now).text(
        "::timestamptz, false) as banned,
         u.phone_confirmed_at is not null
           or exists (select from auth.identities i where i.user_id = u.id and i.provider not in ('email', 'phone')) as reached_otherwise
         from auth.users u where u.deleted_at is null and not u.is_sso_user and u.email_key = lower(btrim(",
    );
    sql.bind(email).text("::text)) for update of u");
    let Some(row) = tx.query_opt(sql).await? else { return Ok(None) };
    Ok(Some(Claimant {
        user_id: UserId(row.try_get::<_, Uuid>("id").map_err(Error::internal)?),
        proved: row.try_get("proved").map_err(Error::internal)?,
        reached_otherwise: row.try_get("reached_otherwise").map_err(Error::internal)?,
        banned: row.try_get("banned").map_err(Error::internal)?,
    }))
}

/// The address of an account that is to be: confirmed if it counts as that, proved if the provider vouches for it.
#[derive(Clone, Copy)]
pub(super) struct Address<'a> {
    pub(super) email: &'a str,
    pub(super) confirmed: bool,
    pub(super) proved: bool,
}

/// Makes an account.
pub(super) async fn create(tx: &Tx, id: UserId, address: Option<Address<'_>>, now: Timestamp) -> Result<()> {
    let (confirmed, proved) = address.map_or((false, false), |address| (address.confirmed, address.proved));
    let mut sql =
        Sql::new("insert into auth.users (id, email, email_confirmed_at, email_proved_at, raw_app_meta_data, created_at, updated_at) ");
    sql.text("select ").bind(id).text("::uuid, g.email, case when ").bind(confirmed).text("::boolean then g.now end, case when ");
    sql.bind(proved)
        .text("::boolean then g.now end, '{}', g.now, g.now from (select ")
        .bind(address.map(|address| address.email.to_owned()));
    sql.text("::text as email, ").bind(now).text("::timestamptz as now) g");
    tx.execute(sql).await?;
    Ok(())
}

/// Gives an account an identity.
pub(super) async fn add(tx: &Tx, user_id: UserId, provider: &str, profile: &Profile, now: Timestamp) -> Result<()> {
    let mut sql = Sql::new(
        "insert into auth.identities (user_id, provider, provider_id, identity_data, last_sign_in_at, created_at, updated_at) select ",
    );
    sql.bind(user_id).text("::uuid, ").bind(provider).text("::text, ").bind(profile.subject.as_str()).text("::text, ");
    sql.bind(Value::Object(profile.data.clone())).text("::jsonb, g.now, g.now, g.now from (select ");
    sql.bind(now).text("::timestamptz as now) g");
    tx.execute(sql).await?;
    Ok(())
}

/// Notes what the provider says of somebody now.
pub(super) async fn renew(tx: &Tx, provider: &str, profile: &Profile, now: Timestamp) -> Result<()> {
    let mut sql = Sql::new("update auth.identities i set identity_data = ");
    sql.bind(Value::Object(profile.data.clone())).text("::jsonb, updated_at = ").bind(now).text("::timestamptz where i.provider = ");
    sql.bind(provider).text("::text and i.provider_id = ").bind(profile.subject.as_str()).text("::text");
    tx.execute(sql).await?;
    Ok(())
}

/// Puts what the provider says into the metadata of an account, where its holder has nothing else, as long as it fits into a token.
pub(super) async fn describe(tx: &Tx, user_id: UserId, data: &Map<String, Value>, bytes_max: u32) -> Result<()> {
    let mut sql = Sql::new("with given as (select ");
    sql.bind(Value::Object(data.clone())).text("::jsonb as data, ").bind(i64::from(bytes_max)).text(
        "::bigint as most)
         update auth.users u set raw_user_meta_data = g.data || u.raw_user_meta_data
           from given g where octet_length((g.data || u.raw_user_meta_data)::text) <= g.most and u.id = ",
    );
    sql.bind(user_id).text("::uuid");
    tx.execute(sql).await?;
    Ok(())
}

/// Confirms the address of an account, which its provider vouches for by now.
pub(super) async fn confirm(tx: &Tx, user_id: UserId, now: Timestamp) -> Result<()> {
    let mut sql = Sql::new("update auth.users u set email_confirmed_at = coalesce(u.email_confirmed_at, g.now), email_proved_at = g.now, ");
    sql.text("updated_at = g.now from (select ").bind(now).text("::timestamptz as now) g where u.id = ").bind(user_id).text("::uuid");
    tx.execute(sql).await?;
    Ok(())
}

/// Takes everything from an account that whoever prepared it under an address which is not his could come back with, and what he said of
/// himself.
pub(super) async fn cleanse(tx: &Tx, user_id: UserId, now: Timestamp) -> Result<()> {
    ways_in::take(tx, user_id, ways_in::Kept::default(), now).await?;
    let mut sql = Sql::new("with given as (select ");
    sql.bind(user_id).text("::uuid as id, ").bind(now).text(
        "::timestamptz as now),
         cleansed as (
           update auth.users u
              set raw_user_meta_data = '{}', email_confirmed_at = coalesce(u.email_confirmed_at, g.now), email_proved_at = g.now,
                  updated_at = g.now
             from given g where u.id = g.id
           returning u.id)
         delete from auth.identities i using cleansed c where i.user_id = c.id",
    );
    tx.execute(sql).await?;
    Ok(())
}

/// Takes an address from an account that never proved it, and is reached otherwise.
pub(super) async fn take_address(tx: &Tx, user_id: UserId, now: Timestamp) -> Result<()> {
    let mut sql = Sql::new("with given as (select ");
    sql.bind(user_id).text("::uuid as id, ").bind(now).text(
        "::timestamptz as now),
         without as (
           update auth.users u set email = null, email_confirmed_at = null, updated_at = g.now from given g where u.id = g.id
           returning u.id),
         token as (
           delete from auth.one_time_tokens t using without w
            where t.user_id = w.id and t.purpose in ('confirmation', 'recovery', 'email_change_current', 'reauthentication'))
         delete from auth.identities i using without w where i.user_id = w.id and i.provider = 'email'",
    );
    tx.execute(sql).await?;
    Ok(())
}

/// Makes an account that had nothing one that has something, with the address that its identity proved if it has none.
pub(super) async fn settle(tx: &Tx, user_id: UserId, email: Option<&str>, now: Timestamp) -> Result<()> {
    let mut sql = Sql::new("with given as (select ");
    sql.bind(user_id).text("::uuid as id, ").bind(email.map(str::to_owned)).text("::text as email, ").bind(now).text(
        "::timestamptz as now)
         update auth.users u
            set is_anonymous = false, updated_at = g.now,
                email_confirmed_at = case when u.email is null and g.email is not null then g.now else u.email_confirmed_at end,
                email_proved_at = case when u.email is null and g.email is not null then g.now else u.email_proved_at end,
                email = coalesce(u.email, g.email)
           from given g where u.id = g.id",
    );
    tx.execute(sql).await?;
    Ok(())
}
