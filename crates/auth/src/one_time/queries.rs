//! The statements on one-time tokens.
//!
//! Invariant: a token is used up by the statement that finds it good.

use jiff::{SignedDuration, Timestamp};
use kernel::{CompanyId, Error, Result, UserId};
use outbound::templates::Brand;
use postgres::{Row, Sql, Tx};
use serde_json::{Map, Value, json};
use uuid::Uuid;

use super::purpose::Purpose;
use super::secrets::Secrets;
use crate::input::Phone;
use crate::users::queries::{lock_names, name_providers};

/// A token that is to be.
pub(super) struct NewToken<'a> {
    /// Nobody: the same work, and no row.
    pub(super) user_id: Option<UserId>,
    pub(super) purpose: Purpose,
    pub(super) secrets: &'a Secrets,
    pub(super) sent_to: &'a str,
    pub(super) is_last: bool,
    /// The sign-in under way that its link leads back to.
    pub(super) flow_id: Option<Uuid>,
    pub(super) seconds: u32,
    pub(super) now: Timestamp,
}

/// A token that was used up.
#[derive(Debug)]
pub(super) struct Used {
    pub(super) user_id: UserId,
    pub(super) purpose: Purpose,
    pub(super) is_last: bool,
    pub(super) flow_id: Option<Uuid>,
}

/// A token whose code may be the one that was typed.
pub(super) struct Candidate {
    pub(super) id: Uuid,
    pub(super) code_hash: Vec<u8>,
}

/// Keeps a token in the place of the one before, and notes when it was sent.
pub(super) async fn replace(tx: &Tx, new: &NewToken<'_>) -> Result<()> {
    let expires_at = new.now.checked_add(SignedDuration::from_secs(new.seconds.into())).map_err(Error::internal)?;
    let mut sql = Sql::new("with given as (select ");
    sql.bind(new.user_id).text("::uuid as user_id, ").bind(new.purpose.name()).text("::text as purpose, ").bind(new.now).text(
        "::timestamptz as now),
         noted as (
           update auth.users u
              set confirmation_sent_at = case when g.purpose in ('confirmation', 'phone_confirmation') then g.now
                                              else u.confirmation_sent_at end,
                  recovery_sent_at = case when g.purpose = 'recovery' then g.now else u.recovery_sent_at end,
                  email_change_sent_at = case when g.purpose like 'email_change%' then g.now else u.email_change_sent_at end,
                  phone_change_sent_at = case when g.purpose = 'phone_change' then g.now else u.phone_change_sent_at end,
                  reauthentication_sent_at = case when g.purpose = 'reauthentication' then g.now else u.reauthentication_sent_at end
             from given g where u.id = g.user_id and u.deleted_at is null
           returning u.id)
         insert into auth.one_time_tokens as t (id, user_id, purpose, token_hash, code_hash, sent_to, is_last, flow_id, created_at, expires_at)
         select ",
    );
    sql.bind(new.secrets.id).text("::uuid, n.id, g.purpose, decode(").bind(new.secrets.token_hash.as_str());
    sql.text("::text, 'hex'), decode(").bind(new.secrets.code_hash.as_str()).text("::text, 'hex'), ").bind(new.sent_to);
    sql.text("::text, ").bind(new.is_last).text("::boolean, ").bind(new.flow_id).text("::uuid, g.now, ").bind(expires_at).text(
        "::timestamptz from given g join noted n on true
         on conflict (user_id, purpose) do update
            set id = excluded.id, token_hash = excluded.token_hash, code_hash = excluded.code_hash, code_attempts = 0,
                sent_to = excluded.sent_to, is_last = excluded.is_last, flow_id = excluded.flow_id, created_at = excluded.created_at, expires_at = excluded.expires_at",
    );
    tx.execute(sql).await?;
    Ok(())
}

/// Lets others wait who come with tokens of the same accounts. Whoever changes an account has its row before its tokens; of two who come the
/// other way round each would wait for the other.
async fn hold(tx: &Tx, tokens: Sql, purposes: &[Purpose]) -> Result<()> {
    let mut accounts = Sql::new("u.id in (select t.user_id from auth.one_time_tokens t where ");
    accounts.append(tokens).text(" and ").append(among(purposes)).text(")");
    if purposes.iter().any(|purpose| purpose.is_change()) {
        lock_names(tx, accounts.clone(), &[]).await?;
    }
    let mut sql = Sql::new("select u.id from auth.users u where ");
    sql.append(accounts).text(" order by u.id for no key update of u");
    tx.query(sql).await.map(drop)
}

/// Uses up the token of a link, if it is good.
pub(super) async fn use_link(tx: &Tx, token_hash: &str, purposes: &[Purpose], now: Timestamp) -> Result<Option<Used>> {
    let mut tokens = Sql::new("t.token_hash = decode(");
    tokens.bind(token_hash).text("::text, 'hex')");
    hold(tx, tokens, purposes).await?;
    let mut sql = Sql::new("delete from auth.one_time_tokens t where t.token_hash = decode(");
    sql.bind(token_hash).text("::text, 'hex') and t.expires_at > ").bind(now).text("::timestamptz and ");
    sql.append(among(purposes)).text(" returning t.user_id, t.purpose, t.is_last, t.flow_id");
    tx.query_opt(sql).await?.map(|row| used(&row)).transpose()
}

/// Finds the tokens whose codes went to an address, and locks them and their accounts: several who try codes wait for each other.
pub(super) async fn candidates(tx: &Tx, sent_to: &str, purposes: &[Purpose], attempts_max: u32, now: Timestamp) -> Result<Vec<Candidate>> {
    let mut tokens = Sql::new("t.sent_to = ");
    tokens.bind(sent_to).text("::text");
    hold(tx, tokens, purposes).await?;
    let mut sql = Sql::new("select t.id, t.code_hash from auth.one_time_tokens t where t.sent_to = ");
    sql.bind(sent_to).text("::text and t.expires_at > ").bind(now).text("::timestamptz and t.code_attempts < ");
    sql.bind(attempts_max).text("::integer and ").append(among(purposes)).text(" order by t.id for update of t");
    let rows = tx.query(sql).await?;
    rows.iter()
        .map(|row| {
            let id = row.try_get("id").map_err(Error::internal)?;
            Ok(Candidate { id, code_hash: row.try_get("code_hash").map_err(Error::internal)? })
        })
        .collect()
}

/// Uses up a token whose code was right.
pub(super) async fn use_code(tx: &Tx, id: Uuid) -> Result<Option<Used>> {
    let mut sql = Sql::new("delete from auth.one_time_tokens t where t.id = ");
    sql.bind(id).text("::uuid returning t.user_id, t.purpose, t.is_last, t.flow_id");
    tx.query_opt(sql).await?.map(|row| used(&row)).transpose()
}

/// Counts a wrong code.
pub(super) async fn miss(tx: &Tx, candidates: &[Candidate]) -> Result<()> {
    let ids: Vec<Uuid> = candidates.iter().map(|candidate| candidate.id).collect();
    let mut sql = Sql::new("update auth.one_time_tokens t set code_attempts = t.code_attempts + 1 where t.id in (");
    sql.text("select e.id::uuid from jsonb_array_elements_text(").bind(json!(ids)).text("::jsonb) e(id))");
    tx.execute(sql).await?;
    Ok(())
}

/// Notes with the other token of a change that one address agreed.
pub(super) async fn agree(tx: &Tx, user_id: UserId) -> Result<()> {
    let mut sql = Sql::new("update auth.one_time_tokens t set is_last = true where t.purpose like 'email_change%' and t.user_id = ");
    sql.bind(user_id).text("::uuid");
    tx.execute(sql).await?;
    Ok(())
}

/// Takes away every token of a user: what they were sent to is no longer his.
pub(super) async fn forget(tx: &Tx, user_id: UserId) -> Result<()> {
    let mut sql = Sql::new("delete from auth.one_time_tokens t where t.user_id = ");
    sql.bind(user_id).text("::uuid");
    tx.execute(sql).await?;
    Ok(())
}

/// Takes away every token of a user, and the changes of address and number that he was asked to agree to.
pub(crate) async fn drop_messages(tx: &Tx, user_id: UserId) -> Result<()> {
    forget(tx, user_id).await?;
    let mut sql = Sql::new(
        "update auth.users u set email_change = null, email_change_sent_at = null, phone_change = null, phone_change_sent_at = null
          where (u.email_change is not null or u.phone_change is not null) and u.id = ",
    );
    sql.bind(user_id).text("::uuid");
    tx.execute(sql).await?;
    Ok(())
}

/// Takes some that nobody used in time out of the way.
pub(super) async fn expire(tx: &Tx, now: Timestamp) -> Result<()> {
    let mut sql =
        Sql::new("delete from auth.one_time_tokens t where t.id in (select x.id from auth.one_time_tokens x where x.expires_at < ");
    let before = now.saturating_sub(SignedDuration::from_hours(24)).map_err(Error::internal)?;
    sql.bind(before).text("::timestamptz order by x.expires_at limit 20 for update skip locked)");
    tx.execute(sql).await?;
    Ok(())
}

/// Confirms an address. Whoever chose a password before the address was his is not let in by it, if the address is confirmed by a link
/// that somebody asked for without one.
pub(super) async fn confirm_email(tx: &Tx, user_id: UserId, drops_password: bool, now: Timestamp) -> Result<()> {
    let mut sql = Sql::new("with given as (select ");
    sql.bind(user_id).text("::uuid as id, ").bind(drops_password).text("::boolean as drops, ").bind(now).text(
        "::timestamptz as now),
         changed as (
           update auth.users u
              set encrypted_password = case when g.drops and u.email_confirmed_at is null then null else u.encrypted_password end,
                  email_confirmed_at = coalesce(u.email_confirmed_at, g.now),
                  email_proved_at = coalesce(u.email_proved_at, g.now),
                  raw_user_meta_data = case when u.email_confirmed_at is null
                                            then u.raw_user_meta_data || '{\"email_verified\": true}' else u.raw_user_meta_data end,
                  updated_at = g.now
             from given g where u.id = g.id
           returning u.id)
         update auth.identities i
            set identity_data = i.identity_data || '{\"email_verified\": true}', updated_at = g.now
           from changed c, given g where i.user_id = c.id and i.provider = 'email'",
    );
    tx.execute(sql).await?;
    Ok(())
}

/// Confirms a telephone number.
pub(super) async fn confirm_phone(tx: &Tx, user_id: UserId, now: Timestamp) -> Result<()> {
    let mut sql = Sql::new("with given as (select ");
    sql.bind(user_id).text("::uuid as id, ").bind(now).text(
        "::timestamptz as now),
         changed as (
           update auth.users u
              set phone_confirmed_at = coalesce(u.phone_confirmed_at, g.now), phone_proved_at = coalesce(u.phone_proved_at, g.now),
                  updated_at = g.now
             from given g where u.id = g.id
           returning u.id)
         update auth.identities i
            set identity_data = i.identity_data || '{\"phone_verified\": true}', updated_at = g.now
           from changed c, given g where i.user_id = c.id and i.provider = 'phone'",
    );
    tx.execute(sql).await?;
    Ok(())
}

/// An account that is to be known by its number.
pub(crate) struct NewPhoneUser<'a> {
    pub(crate) id: UserId,
    pub(crate) phone: &'a Phone,
    pub(crate) hash: Option<&'a str>,
    pub(crate) user_metadata: &'a Map<String, Value>,
    pub(crate) confirmed: bool,
    pub(crate) now: Timestamp,
}

/// Makes an account by its telephone number. Tells whether it did: a number has one account.
pub(crate) async fn create_by_phone(tx: &Tx, new: &NewPhoneUser<'_>) -> Result<bool> {
    let mut sql = Sql::new("with given as (select ");
    sql.bind(new.id).text("::uuid as id, ").bind(new.phone.as_str()).text("::text as phone, ");
    sql.bind(new.hash.map(str::to_owned)).text("::text as hash, ").bind(new.confirmed).text("::boolean as confirmed, ");
    sql.bind(Value::Object(new.user_metadata.clone())).text("::jsonb as metadata, ").bind(new.now).text(
        "::timestamptz as now),
         made as (
           insert into auth.users (id, phone, encrypted_password, phone_confirmed_at, raw_user_meta_data, raw_app_meta_data,
                                   created_at, updated_at)
           select g.id, g.phone, g.hash, case when g.confirmed then g.now end, g.metadata, '{\"provider\": \"phone\", \"providers\": [\"phone\"]}', g.now, g.now from given g
           on conflict (phone) where deleted_at is null and phone is not null do nothing
           returning id)
         insert into auth.identities (user_id, provider, provider_id, identity_data, last_sign_in_at, created_at, updated_at)
         select g.id, 'phone', g.id::text,
                jsonb_build_object('sub', g.id, 'phone', g.phone, 'email_verified', false, 'phone_verified', g.confirmed),
                g.now, g.now, g.now
           from given g join made m on m.id = g.id
         returning user_id",
    );
    Ok(tx.query_opt(sql).await?.is_some())
}

/// Returns the company in whose name somebody is written to: the only one that he is an active member of.
pub(crate) async fn brand(tx: &Tx, user_id: Option<UserId>) -> Result<(Option<CompanyId>, Brand)> {
    let mut sql = Sql::new("select c.id, ");
    sql.text(Brand::COLUMNS).text(
        "from public.team_members m join public.companies c on c.id = m.company_id and c.deleted_at is null and c.archived_at is null ",
    );
    sql.text("where m.status = 'active' and m.archived_at is null and m.user_id = ").bind(user_id).text("::uuid limit 2");
    let rows = tx.query(sql).await?;
    let [row] = rows.as_slice() else { return Ok((None, Brand::default())) };
    let id = row.try_get::<_, Uuid>("id").map_err(Error::internal)?;
    Ok((Some(CompanyId(id)), Brand::from_row(row)?))
}

fn among(purposes: &[Purpose]) -> Sql {
    let names: Vec<&str> = purposes.iter().map(|purpose| purpose.name()).collect();
    let mut sql = Sql::new("t.purpose in (select jsonb_array_elements_text(");
    sql.bind(json!(names)).text("::jsonb))");
    sql
}

fn used(row: &Row) -> Result<Used> {
    let purpose: String = row.try_get("purpose").map_err(Error::internal)?;
    Ok(Used {
        user_id: UserId(row.try_get::<_, Uuid>("user_id").map_err(Error::internal)?),
        purpose: Purpose::parse(&purpose).ok_or_else(|| Error::internal("a purpose that is not known"))?,
        is_last: row.try_get("is_last").map_err(Error::internal)?,
        flow_id: row.try_get("flow_id").map_err(Error::internal)?,
    })
}

/// Ends a change of address that was made. The account may have been known by a number alone, or by nothing: it has an identity for the
/// address now.
pub(crate) async fn settle_email_change(tx: &Tx, user_id: UserId, now: Timestamp) -> Result<()> {
    let mut sql = Sql::new("with given as (select ");
    sql.bind(user_id).text("::uuid as id, ").bind(now).text(
        "::timestamptz as now),
         changed as (
           update auth.users u set email_change = null, email_change_sent_at = null, is_anonymous = false, updated_at = g.now
             from given g where u.id = g.id returning u.id, u.email)
         insert into auth.identities (user_id, provider, provider_id, identity_data, last_sign_in_at, created_at, updated_at)
         select c.id, 'email', c.id::text,
                jsonb_build_object('sub', c.id, 'email', c.email, 'email_verified', true, 'phone_verified', false), g.now, g.now, g.now
           from changed c, given g
         on conflict (provider, provider_id) do nothing",
    );
    tx.execute(sql).await?;
    name_providers(tx, user_id).await
}

/// Makes the number that somebody wanted his own.
pub(super) async fn settle_phone_change(tx: &Tx, user_id: UserId, is_proved: bool, now: Timestamp) -> Result<()> {
    let mut sql = Sql::new("with given as (select ");
    sql.bind(user_id).text("::uuid as id, ").bind(is_proved).text("::boolean as proved, ").bind(now).text(
        "::timestamptz as now),
         changed as (
           update auth.users u
              set phone = u.phone_change, phone_confirmed_at = g.now, phone_proved_at = case when g.proved then g.now end, phone_change = null, phone_change_sent_at = null,
                  is_anonymous = false, updated_at = g.now
             from given g where u.id = g.id and u.phone_change is not null
           returning u.id, u.phone)
         insert into auth.identities (user_id, provider, provider_id, identity_data, last_sign_in_at, created_at, updated_at)
         select c.id, 'phone', c.id::text,
                jsonb_build_object('sub', c.id, 'phone', c.phone, 'email_verified', false, 'phone_verified', true), g.now, g.now, g.now
           from changed c, given g
         on conflict (provider, provider_id) do update
            set identity_data = auth.identities.identity_data || excluded.identity_data, updated_at = excluded.updated_at",
    );
    tx.execute(sql).await?;
    name_providers(tx, user_id).await
}

/// Takes away what was sent for an earlier change of address.
pub(super) async fn forget_changes(tx: &Tx, user_id: UserId) -> Result<()> {
    let mut sql = Sql::new("delete from auth.one_time_tokens t where t.purpose like 'email_change%' and t.user_id = ");
    sql.bind(user_id).text("::uuid");
    tx.execute(sql).await?;
    Ok(())
}

/// Drops a password that was chosen before the number was proved: whoever comes by a code did not need to know of it.
pub(super) async fn drop_unproved_password(tx: &Tx, user_id: UserId) -> Result<()> {
    let mut sql =
        Sql::new("update auth.users u set encrypted_password = null where u.phone_confirmed_at is null and u.email_confirmed_at is null ");
    sql.text("and u.encrypted_password is not null and u.id = ").bind(user_id).text("::uuid");
    tx.execute(sql).await?;
    Ok(())
}
