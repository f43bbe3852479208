//! The statements on accounts and their identities.
//!
//! Invariant: whoever asks for himself is named with his session, which must be live in the same statement.

use jiff::Timestamp;
use kernel::{Error, Result, SessionId, UserId};
use postgres::{Sql, Tx};
use serde_json::{Map, Value, json};
use uuid::Uuid;

use super::User;
use crate::Auth;
use crate::errors::session_not_found;
use crate::input::{Caller, Email, Phone};

/// What [`User::from_row`] reads, of the user `u`.
pub(crate) const COLUMNS: &str = "
    u.id, u.aud, u.role, coalesce(u.email, '') as email, coalesce(u.phone, '') as phone,
    u.email_confirmed_at, u.phone_confirmed_at, u.confirmed_at, u.invited_at, u.confirmation_sent_at, u.recovery_sent_at,
    u.email_change_sent_at, u.phone_change_sent_at, u.reauthentication_sent_at, u.last_sign_in_at, u.banned_until, u.deleted_at,
    nullif(u.email_change, '') as new_email, nullif(u.phone_change, '') as new_phone,
    u.raw_app_meta_data as app_metadata, u.raw_user_meta_data as user_metadata,
    u.created_at, u.updated_at, u.is_anonymous,
    coalesce((
      select jsonb_agg(jsonb_build_object(
               'identity_id', i.id, 'id', i.provider_id, 'user_id', i.user_id, 'identity_data', i.identity_data,
               'provider', i.provider,
               'created_at', to_char(i.created_at at time zone 'UTC', 'YYYY-MM-DD\"T\"HH24:MI:SS.US\"Z\"'),
               'updated_at', to_char(i.updated_at at time zone 'UTC', 'YYYY-MM-DD\"T\"HH24:MI:SS.US\"Z\"'))
             || case when coalesce(i.email, '') = '' then '{}' else jsonb_build_object('email', i.email) end
             || case when i.last_sign_in_at is null then '{}' else jsonb_build_object(
                  'last_sign_in_at', to_char(i.last_sign_in_at at time zone 'UTC', 'YYYY-MM-DD\"T\"HH24:MI:SS.US\"Z\"')) end
             order by i.created_at, i.id)
        from auth.identities i
       where i.user_id = u.id), '[]') as identities,
    (select jsonb_agg(jsonb_build_object(
               'id', f.id,
               'created_at', to_char(f.created_at at time zone 'UTC', 'YYYY-MM-DD\"T\"HH24:MI:SS.US\"Z\"'),
               'updated_at', to_char(f.updated_at at time zone 'UTC', 'YYYY-MM-DD\"T\"HH24:MI:SS.US\"Z\"'),
               'status', f.status, 'factor_type', f.factor_type, 'phone', coalesce(f.phone, ''),
               'last_challenged_at', to_char(f.last_challenged_at at time zone 'UTC', 'YYYY-MM-DD\"T\"HH24:MI:SS.US\"Z\"'))
             || case when f.friendly_name = '' then '{}' else jsonb_build_object('friendly_name', f.friendly_name) end
             || case when f.email is null then '{}' else jsonb_build_object('email', f.email) end
             order by f.created_at, f.id)
        from auth.mfa_factors f
       where f.user_id = u.id) as factors ";

/// What a password is compared with.
#[derive(Debug)]
pub(crate) struct Credentials {
    pub(crate) user_id: UserId,
    pub(crate) hash: Option<String>,
    pub(crate) confirmed: bool,
    pub(crate) banned: bool,
    /// Whether the password is as long as owners and admins need, where that is known.
    pub(crate) is_long: Option<bool>,
}

/// An account that is to be.
pub(crate) struct NewUser<'a> {
    pub(crate) id: UserId,
    pub(crate) email: &'a Email,
    pub(crate) hash: Option<&'a str>,
    pub(crate) user_metadata: &'a Map<String, Value>,
    pub(crate) app_metadata: &'a Map<String, Value>,
    pub(crate) confirmed: bool,
    pub(crate) now: Timestamp,
}

/// What is to be different; what is `None` stays.
#[derive(Default)]
pub(crate) struct Change<'a> {
    pub(crate) email: Option<&'a Email>,
    pub(crate) confirm_email: bool,
    pub(crate) phone: Option<&'a Phone>,
    /// The number is his as far as anybody can know.
    pub(crate) confirm_phone: bool,
    pub(crate) hash: Option<&'a str>,
    /// Merged into what is there; a null takes a member away.
    pub(crate) user_metadata: Option<&'a Map<String, Value>>,
    pub(crate) app_metadata: Option<&'a Map<String, Value>>,
    /// Until when the account is banned; the inner `None` ends a ban.
    #[expect(clippy::option_option, reason = "no change is not the same as no ban")]
    pub(crate) banned_until: Option<Option<Timestamp>>,
}

/// Finds what a password for an address is compared with.
pub(crate) async fn credentials(auth: &Auth, email: &Email) -> Result<Option<Credentials>> {
    let mut sql = Sql::new(
        "select u.id, u.encrypted_password, u.password_is_long, u.email_confirmed_at is not null as confirmed, coalesce(u.banned_until > ",
    );
    sql.bind(auth.now().to_string());
    sql.text("::timestamptz, false) as banned from auth.users u where u.email_key = lower(btrim(");
    sql.bind(email.as_str());
    sql.text("::text)) and u.deleted_at is null and not u.is_sso_user");
    credentials_of(auth, sql).await
}

/// Finds what a password for a telephone number is compared with.
pub(crate) async fn credentials_by_phone(auth: &Auth, phone: &Phone) -> Result<Option<Credentials>> {
    let mut sql = Sql::new(
        "select u.id, u.encrypted_password, u.password_is_long, u.phone_confirmed_at is not null as confirmed, coalesce(u.banned_until > ",
    );
    sql.bind(auth.now()).text("::timestamptz, false) as banned from auth.users u where u.phone = ").bind(phone.as_str());
    sql.text("::text and u.deleted_at is null");
    credentials_of(auth, sql).await
}

async fn credentials_of(auth: &Auth, sql: Sql) -> Result<Option<Credentials>> {
    let Some(row) = auth.read_one(sql, "sign-in: look up the account").await? else { return Ok(None) };
    Ok(Some(Credentials {
        user_id: UserId(row.try_get::<_, Uuid>("id").map_err(Error::internal)?),
        hash: row.try_get("encrypted_password").map_err(Error::internal)?,
        confirmed: row.try_get("confirmed").map_err(Error::internal)?,
        banned: row.try_get("banned").map_err(Error::internal)?,
        is_long: row.try_get("password_is_long").map_err(Error::internal)?,
    }))
}

/// Notes of the password that an account has by now whether it is as long as owners and admins need.
pub(crate) async fn note_length(tx: &Tx, user_id: UserId, is_long: bool) -> Result<()> {
    let mut sql = Sql::new("update auth.users u set password_is_long = ");
    sql.bind(is_long).text("::boolean where u.encrypted_password is not null and u.id = ").bind(user_id).text("::uuid");
    tx.execute(sql).await.map(drop)
}

/// Tells whether somebody is owner or admin of a company, and so needs a long password.
pub(crate) async fn needs_long_password(tx: &Tx, user_id: UserId) -> Result<bool> {
    let mut sql = Sql::new(
        "select exists (select from public.team_members m join public.companies c on c.id = m.company_id and c.deleted_at is null
                         where m.role in ('owner', 'admin') and m.archived_at is null and m.user_id = ",
    );
    sql.bind(user_id).text("::uuid) as needed");
    tx.query_one(sql).await?.try_get("needed").map_err(Error::internal)
}

/// Makes an account with its identity. Tells whether it did: an address has one account.
pub(crate) async fn create(tx: &Tx, user: &NewUser<'_>) -> Result<bool> {
    let mut sql = Sql::new("with given as (select ");
    sql.bind(user.id.0);
    sql.text("::uuid as id, ");
    sql.bind(user.email.as_str());
    sql.text("::text as email, ");
    sql.bind(user.hash.map(str::to_owned));
    sql.text("::text as hash, ");
    sql.bind(Value::Object(user.user_metadata.clone()));
    sql.text("::jsonb as user_metadata, ");
    sql.bind(Value::Object(user.app_metadata.clone()));
    sql.text("::jsonb as app_metadata, ");
    sql.bind(user.confirmed);
    sql.text("::boolean as confirmed, ");
    sql.bind(user.now.to_string());
    sql.text(
        "::timestamptz as now),
         made as (
           insert into auth.users (id, email, encrypted_password, email_confirmed_at, raw_user_meta_data, raw_app_meta_data,
                                   created_at, updated_at)
           select g.id, g.email, g.hash, case when g.confirmed then g.now end, g.user_metadata,
                  jsonb_build_object('provider', 'email', 'providers', jsonb_build_array('email')) || g.app_metadata,
                  g.now, g.now
             from given g
           on conflict (email_key) where deleted_at is null and not is_sso_user do nothing
           returning id)
         insert into auth.identities (user_id, provider, provider_id, identity_data, last_sign_in_at, created_at, updated_at)
         select g.id, 'email', g.id::text,
                jsonb_build_object('sub', g.id, 'email', g.email, 'email_verified', g.confirmed, 'phone_verified', false),
                g.now, g.now, g.now
           from given g join made m on m.id = g.id
         returning user_id",
    );
    Ok(tx.query_opt(sql).await?.is_some())
}

/// Returns what stands as the last change in rows that this transaction changes.
pub(crate) async fn moment(tx: &Tx) -> Result<Timestamp> {
    tx.query_one(Sql::new("select now() as now")).await?.try_get("now").map_err(Error::internal)
}

/// Finds a user.
pub(crate) async fn find(tx: &Tx, user_id: UserId) -> Result<Option<User>> {
    let mut sql = Sql::new("select ");
    sql.text(COLUMNS).text(" from auth.users u where u.deleted_at is null and u.id = ");
    sql.bind(user_id.0).text("::uuid");
    tx.query_opt(sql).await?.map(|row| User::from_row(&row)).transpose()
}

/// Finds an account, also one of which only the id is left.
pub(crate) async fn find_even_retired(tx: &Tx, user_id: UserId) -> Result<Option<User>> {
    let mut sql = Sql::new("select ");
    sql.text(COLUMNS).text(" from auth.users u where u.id = ").bind(user_id).text("::uuid");
    tx.query_opt(sql).await?.map(|row| User::from_row(&row)).transpose()
}

/// Finds the caller's own account, if his session is live and he is not banned.
pub(crate) async fn find_self(auth: &Auth, caller: Caller) -> Result<Option<User>> {
    let row = auth.read_one(select_self(caller, auth.now()), "read one's own account").await?;
    row.map(|row| User::from_row(&row)).transpose()
}

/// Finds the caller's own account as the transaction sees it.
pub(crate) async fn find_self_within(tx: &Tx, caller: Caller, now: Timestamp) -> Result<Option<User>> {
    tx.query_opt(select_self(caller, now)).await?.map(|row| User::from_row(&row)).transpose()
}

fn select_self(caller: Caller, now: Timestamp) -> Sql {
    let mut sql = Sql::new("select ");
    sql.text(COLUMNS).text(" from auth.users u where ").append(live(caller.user_id, caller.session_id, now));
    sql
}

/// How somebody signs in, as his own session sees it.
pub(crate) struct WaysIn {
    pub(crate) hash: Option<String>,
    pub(crate) email: String,
    pub(crate) phone: String,
    /// Whether they are somebody else's to say: of an outside issuer, or of his company's provider, by which alone he comes.
    pub(crate) is_managed: bool,
    /// Whether his session began with a message to him, as it does for whoever forgot his password.
    pub(crate) is_by_message: bool,
}

pub(crate) async fn ways_in(auth: &Auth, caller: Caller) -> Result<WaysIn> {
    let mut sql = Sql::new(
        "select u.encrypted_password, coalesce(u.email, '') as email, coalesce(u.phone, '') as phone,
                u.is_sso_user or (
                  exists (select from auth.identities i join public.sign_on_providers p on i.provider = 'sso:' || p.company_id || ':' || p.id
                           where i.user_id = u.id and p.is_enabled)
                  and not exists (select from auth.identities i where i.user_id = u.id and i.provider not like 'sso:%')) as managed,
                exists (select from auth.sessions s cross join jsonb_array_elements(s.amr) w (way)
                         where s.user_id = u.id and w.way ->> 'method' in ('otp', 'magiclink', 'recovery') and s.id = ",
    );
    sql.bind(caller.session_id).text("::uuid) as by_message from auth.users u where ");
    sql.append(live(caller.user_id, caller.session_id, auth.now()));
    let row = auth.read_one(sql, "look how somebody signs in").await?.ok_or_else(session_not_found)?;
    let text = |name: &str| row.try_get(name).map_err(Error::internal);
    let is = |name: &str| row.try_get(name).map_err(Error::internal);
    Ok(WaysIn {
        hash: row.try_get("encrypted_password").map_err(Error::internal)?,
        email: text("email")?,
        phone: text("phone")?,
        is_managed: is("managed")?,
        is_by_message: is("by_message")?,
    })
}

/// Changes the caller's own account. Tells whether his session was live.
pub(crate) async fn change_self(tx: &Tx, caller: Caller, change: &Change<'_>, now: Timestamp) -> Result<bool> {
    change_where(tx, change, now, live(caller.user_id, caller.session_id, now)).await
}

/// Changes an account. Tells whether there is one.
pub(crate) async fn change(tx: &Tx, user_id: UserId, change: &Change<'_>, now: Timestamp) -> Result<bool> {
    let mut condition = Sql::new("u.deleted_at is null and u.id = ");
    condition.bind(user_id.0).text("::uuid");
    change_where(tx, change, now, condition).await
}

async fn change_where(tx: &Tx, change: &Change<'_>, now: Timestamp, condition: Sql) -> Result<bool> {
    let object = |metadata: Option<&Map<String, Value>>| Value::Object(metadata.cloned().unwrap_or_default());
    let mut sql = Sql::new("with given as (select ");
    sql.bind(change.email.map(|email| email.as_str().to_owned()));
    sql.text("::text as email, ");
    sql.bind(change.confirm_email);
    sql.text("::boolean as confirm, ");
    sql.bind(change.phone.map(|phone| phone.as_str().to_owned()));
    sql.text("::text as phone, ");
    sql.bind(change.confirm_phone);
    sql.text("::boolean as confirm_phone, ");
    sql.bind(change.hash.map(str::to_owned));
    sql.text("::text as hash, ");
    sql.bind(object(change.user_metadata));
    sql.text("::jsonb as user_metadata, ");
    sql.bind(object(change.app_metadata));
    sql.text("::jsonb as app_metadata, ");
    sql.bind(change.banned_until.is_some());
    sql.text("::boolean as set_ban, ");
    sql.bind(change.banned_until.flatten().map(|until| until.to_string()));
    sql.text("::timestamptz as banned_until, ");
    sql.bind(now.to_string());
    sql.text(
        "::timestamptz as now),
         changed as (
           update auth.users u
              set email = coalesce(g.email, u.email),
                  email_confirmed_at = case when g.confirm and coalesce(g.email, u.email) is not null then coalesce(u.email_confirmed_at, g.now)
                                            when g.email <> u.email then null
                                            else u.email_confirmed_at end,
                  email_proved_at = case when g.email <> u.email then null else u.email_proved_at end,
                  phone = coalesce(g.phone, u.phone),
                  phone_confirmed_at = case when g.confirm_phone and coalesce(g.phone, u.phone) is not null
                                              then coalesce(u.phone_confirmed_at, g.now)
                                            when g.phone <> u.phone then null
                                            else u.phone_confirmed_at end,
                  phone_proved_at = case when g.confirm_phone and coalesce(g.phone, u.phone) is not null
                                           then case when g.phone <> u.phone then g.now else coalesce(u.phone_proved_at, g.now) end
                                         when g.phone <> u.phone then null
                                         else u.phone_proved_at end,
                  encrypted_password = coalesce(g.hash, u.encrypted_password),
                  raw_user_meta_data = (u.raw_user_meta_data || g.user_metadata)
                    - array(select e.key from jsonb_each(g.user_metadata) e where e.value = 'null'),
                  raw_app_meta_data = (u.raw_app_meta_data || g.app_metadata)
                    - array(select e.key from jsonb_each(g.app_metadata) e where e.value = 'null'),
                  banned_until = case when g.set_ban then g.banned_until else u.banned_until end,
                  updated_at = g.now
             from given g
            where ",
    );
    sql.append(condition);
    sql.text(
        "
           returning u.id, u.email, u.email_confirmed_at, u.phone, u.phone_confirmed_at),
         identity as (
           update auth.identities i
              set identity_data = i.identity_data || case i.provider
                    when 'email' then jsonb_build_object('email', c.email, 'email_verified', c.email_confirmed_at is not null)
                    else jsonb_build_object('phone', c.phone, 'phone_verified', c.phone_confirmed_at is not null) end,
                  updated_at = g.now
             from changed c, given g
            where i.user_id = c.id
              and case i.provider when 'email' then g.email is not null or g.confirm
                                  when 'phone' then g.phone is not null or g.confirm_phone end)
         select id from changed",
    );
    Ok(tx.query_opt(sql).await?.is_some())
}

/// Has an account known by the address, the number or both that it was given: an identity for each, and it is anonymous no more. Who comes
/// by his company's provider alone goes on doing so.
pub(crate) async fn know_by_names(tx: &Tx, user_id: UserId, (email, phone): (bool, bool), now: Timestamp) -> Result<()> {
    let mut sql = Sql::new("with given as (select ");
    sql.bind(user_id).text("::uuid as id, ").bind(email).text("::boolean as email, ").bind(phone).text("::boolean as phone, ").bind(now);
    sql.text(
        "::timestamptz as now),
         account as (
           update auth.users u set is_anonymous = u.is_anonymous and u.email is null and u.phone is null
             from given g where u.id = g.id and not u.is_sso_user
           returning u.id, u.email, u.phone, u.email_confirmed_at, u.phone_confirmed_at)
         insert into auth.identities (user_id, provider, provider_id, identity_data, last_sign_in_at, created_at, updated_at)
         select a.id, n.provider, a.id::text,
                jsonb_build_object('sub', a.id, n.provider, n.name, 'email_verified', n.provider = 'email' and a.email_confirmed_at is not null,
                                   'phone_verified', n.provider = 'phone' and a.phone_confirmed_at is not null), g.now, g.now, g.now
           from account a, given g, lateral (values ('email', a.email, g.email), ('phone', a.phone, g.phone)) n (provider, name, is_given)
          where n.is_given and n.name is not null
            and (not exists (select from auth.identities i where i.user_id = a.id and i.provider like 'sso:%')
                 or exists (select from auth.identities i where i.user_id = a.id and i.provider not like 'sso:%'))
         on conflict (provider, provider_id) do update
            set identity_data = auth.identities.identity_data || excluded.identity_data, updated_at = excluded.updated_at
          where auth.identities.identity_data is distinct from auth.identities.identity_data || excluded.identity_data",
    );
    tx.execute(sql).await?;
    name_providers(tx, user_id).await
}

/// Lets others wait who change the addresses and numbers of these accounts `u`, or want some of them: whoever changes one takes these locks
/// first, always in the same order, and only then the rows, so that of two who want each other's address nobody waits for ever.
pub(crate) async fn lock_names(tx: &Tx, accounts: Sql, wanted: &[&str]) -> Result<()> {
    let mut sql = Sql::new(
        "select pg_advisory_xact_lock(hashtextextended('address:' || n.name, 0))::text as one from (
           select distinct n.name from (
             select unnest(array[u.email_key, u.phone, lower(btrim(u.email_change)), u.phone_change]) as name from auth.users u where ",
    );
    sql.append(accounts).text(" union all select jsonb_array_elements_text(").bind(json!(wanted));
    sql.text("::jsonb)) n where n.name <> '' order by n.name) n");
    tx.query(sql).await.map(drop)
}

/// Notes that the address of an account is known to be its holder's.
pub(crate) async fn prove_email(tx: &Tx, user_id: UserId, now: Timestamp) -> Result<()> {
    let mut sql = Sql::new("update auth.users u set email_proved_at = coalesce(u.email_proved_at, ");
    sql.bind(now).text("::timestamptz) where u.email is not null and u.id = ").bind(user_id).text("::uuid");
    tx.execute(sql).await?;
    Ok(())
}

/// Names in `app_metadata` what an account is known by now: `providers` all of it, `provider` what it was known by first.
pub(crate) async fn name_providers(tx: &Tx, user_id: UserId) -> Result<()> {
    let mut sql = Sql::new("with given as (select ");
    sql.bind(user_id).text(
        "::uuid as id),
         known as (
           select jsonb_agg(i.provider order by i.first_at, i.first_id) as providers
             from (select i.provider, min(i.created_at) as first_at, min(i.id::text) as first_id
                     from auth.identities i join given g on g.id = i.user_id group by i.provider) i)
         update auth.users u
            set raw_app_meta_data = case
                  when k.providers is null then u.raw_app_meta_data - 'provider' - 'providers'
                  else u.raw_app_meta_data || jsonb_build_object(
                    'provider', case when k.providers @> (u.raw_app_meta_data -> 'provider') then u.raw_app_meta_data -> 'provider'
                                     else k.providers -> 0 end,
                    'providers', k.providers) end
           from given g, known k where u.id = g.id",
    );
    tx.execute(sql).await?;
    Ok(())
}

/// The account `u` belongs to this user, he may use it, and the session he names is live.
fn live(user_id: UserId, session_id: Option<SessionId>, now: Timestamp) -> Sql {
    let mut sql = Sql::new("u.id = ");
    sql.bind(user_id.0).text("::uuid and u.deleted_at is null and (u.banned_until is null or u.banned_until <= ");
    sql.bind(now.to_string()).text("::timestamptz)");
    if let Some(session_id) = session_id {
        sql.text(" and exists (select from auth.sessions s where s.id = ").bind(session_id.0);
        sql.text("::uuid and s.user_id = u.id and s.revoked_at is null and (s.not_after is null or s.not_after > ");
        sql.bind(now.to_string()).text("::timestamptz))");
    }
    sql
}
