//! The statements on sessions.
//!
//! Invariant: a refresh counter only grows, by one, and only in a statement that names the value it had.

use jiff::Timestamp;
use kernel::{CompanyId, Error, Result, SessionId, UserId};
use postgres::{Row, Sql, Tx};
use serde_json::{Value, json};
use uuid::Uuid;

use super::held::{self, Holder};
use super::{Company, Lifetime, NewSession, RefreshToken, Session};
use crate::errors::object;
use crate::external;
use crate::input::Caller;
use crate::support::Support;
use crate::users::User;
use crate::users::queries::COLUMNS;

/// Which company a session `s` works in from now on: the one it has, as long as its user is an active member there; else the
/// only one he has; else none.
pub(super) const SETTLED_COMPANY: &str = "
    (select case when bool_or(m.company_id = s.active_company_id) then s.active_company_id
                 when count(*) = 1 then (array_agg(m.company_id))[1] end
       from public.team_members m
       join public.companies c on c.id = m.company_id and c.deleted_at is null and c.archived_at is null
      where m.user_id = s.user_id and m.status = 'active' and m.archived_at is null) ";

/// Sessions that a list shows at most.
const LISTED_MAX: i64 = 200;

/// What is known of a session whose refresh token was not the current one.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) struct State {
    pub(crate) counter: i64,
    /// What the last token that was taken had counted.
    pub(crate) spent: i64,
    pub(crate) refreshed_at: Option<Timestamp>,
    pub(crate) revoked: bool,
    pub(crate) ended: bool,
    pub(crate) banned: bool,
    /// The program that holds it.
    pub(crate) holder: Option<Uuid>,
}

/// How sure we are of whoever asks from a session, and what his account is called.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(crate) struct Standing {
    /// Whether a second factor was proved for the session, and before the token that asks was made.
    pub(crate) proved: bool,
    pub(crate) is_anonymous: bool,
    pub(crate) account: String,
}

/// Makes a session and notes the sign-in, if the password is still the one that was verified, where one was, and the user may sign in.
pub(crate) async fn create(tx: &Tx, id: SessionId, new: &NewSession<'_>, lifetime: Lifetime) -> Result<bool> {
    let mut way = object([("method", json!(new.method)), ("timestamp", json!(lifetime.now.as_second()))]);
    if external::is_companys(new.provider) {
        way.insert("provider".to_owned(), json!(new.provider));
    }
    let mut sql = Sql::new("with given as (select ");
    sql.bind(id.0).text("::uuid as id, ").bind(new.user_id.0).text("::uuid as user_id, ");
    sql.bind(new.verified_hash.map(str::to_owned)).text("::text as hash, ").bind(new.provider).text("::text as provider, ");
    sql.bind(new.renewed_hash.map(str::to_owned)).text("::text as renewed, ");
    sql.bind(new.device.user_agent.clone()).text("::text as user_agent, ");
    sql.bind(new.device.address.clone()).text("::inet as ip, ");
    sql.bind(json!([way])).text("::jsonb as amr, ").bind(lifetime.idle_seconds).text("::bigint as idle, ");
    sql.bind(lifetime.now.to_string()).text(
        "::timestamptz as now),
         signed as (
           update auth.users u
              set last_sign_in_at = g.now, encrypted_password = coalesce(g.renewed, u.encrypted_password), updated_at = g.now
             from given g
            where u.id = g.user_id and (g.hash is null or u.encrypted_password = g.hash) and u.deleted_at is null
              and (u.banned_until is null or u.banned_until <= g.now)
           returning u.id),
         identity as (
           update auth.identities i set last_sign_in_at = g.now, updated_at = g.now
             from signed, given g
            where i.user_id = signed.id and i.provider = g.provider)
         insert into auth.sessions (id, user_id, active_company_id, amr, not_after, user_agent, ip, created_at, updated_at)
         select s.id, s.user_id,",
    );
    sql.text(SETTLED_COMPANY).text(
        ", s.amr, s.now + make_interval(secs => s.idle), s.user_agent, s.ip, s.now, s.now
           from (select g.*, null::uuid as active_company_id from given g join signed on signed.id = g.user_id) s
         returning id",
    );
    Ok(tx.query_opt(sql).await?.is_some())
}

/// Counts a refresh with a token, if a live session counted so far and is held by this program, or by nobody but its user. Tells whether
/// it was. What was counted between the token and now is no longer good.
pub(crate) async fn rotate(tx: &Tx, (token, so_far): (RefreshToken, i64), holder: Option<Uuid>, lifetime: Lifetime) -> Result<bool> {
    let mut sql = given(token.session_id, lifetime);
    sql.text(", expected as (select ").bind(so_far).text("::bigint as counter, ").bind(token.counter).text("::bigint as spent) ");
    sql.text("update auth.sessions s set refresh_counter = s.refresh_counter + 1, spent_counter = e.spent, ").text(REFRESHED);
    // What a program holds stays where its user let it in, also while he is no member there.
    sql.text(", active_company_id = case when s.oauth_client_id is null then ").text(SETTLED_COMPANY).text("else s.active_company_id end ");
    sql.text("from given g, expected e where s.impersonated_by is null and s.refresh_counter = e.counter ");
    sql.text("and s.oauth_client_id is not distinct from ").bind(holder).text("::uuid and ").text(LIVE).text(" returning s.id");
    Ok(tx.query_opt(sql).await?.is_some())
}

/// Tells whether the caller's session is live and his own, and locks it.
pub(crate) async fn lock_live(tx: &Tx, caller: Caller, lifetime: Lifetime) -> Result<bool> {
    let mut sql = given(caller.session()?, lifetime);
    sql.text(" select s.id from auth.sessions s, given g where s.user_id = ").bind(caller.user_id.0);
    sql.text("::uuid and ").text(LIVE).text(" for update of s");
    Ok(tx.query_opt(sql).await?.is_some())
}

/// Tells whether the caller's session is live, and locks nothing.
pub(crate) async fn is_live(tx: &Tx, caller: Caller, lifetime: Lifetime) -> Result<bool> {
    let mut sql = given(caller.session()?, lifetime);
    sql.text(" select s.id from auth.sessions s, given g where s.user_id = ").bind(caller.user_id.0).text("::uuid and ").text(LIVE);
    Ok(tx.query_opt(sql).await?.is_some())
}

/// Tells how the caller's live session stands, and locks it with the account.
pub(crate) async fn standing(tx: &Tx, caller: Caller, lifetime: Lifetime) -> Result<Option<Standing>> {
    let mut sql = given(caller.session()?, lifetime);
    sql.text(
        " select s.aal <> 'aal1' as proved, coalesce(nullif(a.email, ''), nullif(a.phone, ''), a.id::text) as account, a.is_anonymous
            from given g, auth.sessions s join auth.users a on a.id = s.user_id where s.user_id = ",
    );
    sql.bind(caller.user_id.0).text("::uuid and ").text(LIVE).text(" for no key update of s, a");
    let Some(row) = tx.query_opt(sql).await? else { return Ok(None) };
    Ok(Some(Standing {
        proved: row.try_get::<_, bool>("proved").map_err(Error::internal)? && caller.is_assured,
        is_anonymous: row.try_get("is_anonymous").map_err(Error::internal)?,
        account: row.try_get("account").map_err(Error::internal)?,
    }))
}

/// Says that the token before the last was good for less than the session is now: nobody gets another one for it.
pub(super) const NONE_SPENT: i64 = -1;

/// Notes that a second factor was proved for the caller's session, which was locked, and counts a refresh. The token from before is good for
/// nothing: whoever copied it did not prove the factor.
pub(crate) async fn raise(tx: &Tx, caller: Caller, factor: Uuid, method: &'static str, lifetime: Lifetime) -> Result<()> {
    let mut sql = given(caller.session()?, lifetime);
    sql.text(", proof as (select ").bind(factor).text("::uuid as factor_id, ");
    sql.bind(NONE_SPENT).text("::bigint as spent, ").bind(json!({ "method": method, "timestamp": lifetime.now.as_second() })).text(
        "::jsonb as entry)
         update auth.sessions s
            set refresh_counter = s.refresh_counter + 1, spent_counter = p.spent, aal = 'aal2', factor_id = p.factor_id,
                amr = jsonb_build_array(p.entry) || coalesce((
                  select jsonb_agg(e.entry order by e.position)
                    from jsonb_array_elements(s.amr) with ordinality e (entry, position)
                   where e.entry ->> 'method' is distinct from p.entry ->> 'method'), '[]'), ",
    );
    sql.text(REFRESHED).text(" from given g, proof p where s.id = g.session_id");
    tx.execute(sql).await?;
    Ok(())
}

/// Makes a company the active one of a session, or none, and counts a refresh. Tells whether its user is an active member.
pub(crate) async fn activate(tx: &Tx, caller: Caller, company: Option<CompanyId>, lifetime: Lifetime) -> Result<bool> {
    let mut sql = given(caller.session()?, lifetime);
    sql.text(", wanted as (select ").bind(company.map(|company| company.0.to_string())).text("::uuid as company_id) ");
    sql.text("update auth.sessions s set refresh_counter = s.refresh_counter + 1, spent_counter = s.refresh_counter, ");
    sql.text("active_company_id = w.company_id, ");
    sql.text(REFRESHED).text(" from given g, wanted w where ").text(LIVE).text(
        " and (w.company_id is null or exists (
            select from public.team_members m
              join public.companies c on c.id = m.company_id and c.deleted_at is null and c.archived_at is null
             where m.company_id = w.company_id and m.user_id = s.user_id and m.status = 'active' and m.archived_at is null))
          returning s.id",
    );
    Ok(tx.query_opt(sql).await?.is_some())
}

/// Tells how a session stands, and locks it.
pub(crate) async fn state(tx: &Tx, id: SessionId, now: Timestamp) -> Result<Option<State>> {
    let mut sql = Sql::new("with given as (select ");
    sql.bind(now.to_string()).text(
        "::timestamptz as now)
         select s.refresh_counter, coalesce(s.spent_counter, s.refresh_counter - 1) as spent, s.refreshed_at, s.revoked_at is not null as revoked,
                coalesce(s.not_after <= g.now, false) as ended, coalesce(u.banned_until > g.now, false) as banned, s.oauth_client_id
           from given g, auth.sessions s join auth.users u on u.id = s.user_id
          where u.deleted_at is null and s.id = ",
    );
    sql.bind(id.0).text("::uuid for update of s");
    let Some(row) = tx.query_opt(sql).await? else { return Ok(None) };
    Ok(Some(State {
        counter: row.try_get("refresh_counter").map_err(Error::internal)?,
        spent: row.try_get("spent").map_err(Error::internal)?,
        refreshed_at: row.try_get("refreshed_at").map_err(Error::internal)?,
        revoked: row.try_get("revoked").map_err(Error::internal)?,
        ended: row.try_get("ended").map_err(Error::internal)?,
        banned: row.try_get("banned").map_err(Error::internal)?,
        holder: row.try_get("oauth_client_id").map_err(Error::internal)?,
    }))
}

/// Reads a session with its user and its company, if he is an active member of it.
pub(crate) async fn find(tx: &Tx, id: SessionId) -> Result<Option<Session>> {
    let mut sql = Sql::new("select ");
    sql.text(COLUMNS).text(",").text(held::COLUMNS).text(
        ", s.refresh_counter, s.aal, s.amr, m.company_id as active_company_id, m.role as member_role, c.industry, c.slug,
            s.impersonated_by, s.not_after, s.impersonated_by is null and app.must_sign_on(s.user_id, s.amr) as must_sign_on
           from auth.sessions s
           join auth.users u on u.id = s.user_id
           left join (public.team_members m
                      join public.companies c on c.id = m.company_id and c.deleted_at is null and c.archived_at is null)
             on m.company_id = s.active_company_id and m.user_id = s.user_id and m.status = 'active' and m.archived_at is null
          where s.id = ",
    );
    sql.bind(id.0).text("::uuid");
    let Some(row) = tx.query_opt(sql).await? else { return Ok(None) };
    Ok(Some(Session {
        id,
        user: User::from_row(&row)?,
        refresh_counter: row.try_get("refresh_counter").map_err(Error::internal)?,
        aal: row.try_get("aal").map_err(Error::internal)?,
        amr: row.try_get("amr").map_err(Error::internal)?,
        company: company(&row)?,
        holder: Holder::from_row(&row)?,
        hooked: None,
        support: support(&row)?,
        must_sign_on: row.try_get("must_sign_on").map_err(Error::internal)?,
    }))
}

fn support(row: &Row) -> Result<Option<Support>> {
    let operator: Option<String> = row.try_get("impersonated_by").map_err(Error::internal)?;
    let Some(operator) = operator else { return Ok(None) };
    Ok(Some(Support { operator, not_after: row.try_get("not_after").map_err(Error::internal)? }))
}

fn company(row: &Row) -> Result<Option<Company>> {
    let id: Option<Uuid> = row.try_get("active_company_id").map_err(Error::internal)?;
    let Some(id) = id else { return Ok(None) };
    Ok(Some(Company {
        id: CompanyId(id),
        member_role: row.try_get("member_role").map_err(Error::internal)?,
        industry: row.try_get("industry").map_err(Error::internal)?,
        slug: row.try_get("slug").map_err(Error::internal)?,
    }))
}

/// Ends one session.
pub(crate) async fn revoke(tx: &Tx, id: SessionId, now: Timestamp) -> Result<()> {
    let mut sql = revocation(now);
    sql.text(" and s.id = ").bind(id.0).text("::uuid");
    tx.execute(sql).await?;
    Ok(())
}

/// Ends all sessions of a user.
pub(crate) async fn revoke_all(tx: &Tx, user_id: UserId, now: Timestamp) -> Result<()> {
    let mut sql = revocation(now);
    sql.text(" and s.user_id = ").bind(user_id.0).text("::uuid");
    tx.execute(sql).await?;
    Ok(())
}

/// Ends all sessions of a user but the one he speaks from.
pub(crate) async fn revoke_others(tx: &Tx, caller: Caller, now: Timestamp) -> Result<()> {
    let mut sql = revocation(now);
    sql.text(" and s.user_id = ").bind(caller.user_id.0).text("::uuid and s.id is distinct from ");
    sql.bind(caller.session_id.map(|id| id.0.to_string())).text("::uuid");
    tx.execute(sql).await?;
    Ok(())
}

/// Lists the caller's live sessions, the newest first.
pub(crate) async fn list(tx: &Tx, caller: Caller, lifetime: Lifetime) -> Result<Value> {
    let mut sql = Sql::new("select coalesce(jsonb_agg(to_jsonb(l) order by l.created_at desc, l.id desc), '[]') as sessions from (");
    sql.text("select s.id, s.created_at, coalesce(s.refreshed_at, s.created_at) as last_used_at, s.not_after, s.user_agent, ");
    sql.text("host(s.ip) as ip, s.aal, s.active_company_id as company_id, s.impersonated_by, s.oauth_client_id as client_id, ");
    sql.text("s.id is not distinct from ");
    sql.bind(caller.session_id).text("::uuid as current from auth.sessions s where s.revoked_at is null and s.user_id = ");
    sql.bind(caller.user_id.0).text("::uuid and (s.not_after is null or s.not_after > ").bind(lifetime.now.to_string());
    sql.text("::timestamptz) order by s.created_at desc, s.id desc limit ").bind(LISTED_MAX).text("::bigint) l");
    tx.query_one(sql).await?.try_get("sessions").map_err(Error::internal)
}

/// Ends one session of the caller. Tells whether there was one.
pub(crate) async fn revoke_own(tx: &Tx, caller: Caller, id: SessionId, now: Timestamp) -> Result<bool> {
    let mut sql = revocation(now);
    sql.text(" and s.user_id = ").bind(caller.user_id.0).text("::uuid and s.id = ").bind(id.0).text("::uuid returning s.id");
    Ok(tx.query_opt(sql).await?.is_some())
}

/// Ends the sessions of a user for which no second factor was proved.
pub(crate) async fn revoke_unproved(tx: &Tx, user_id: UserId, now: Timestamp) -> Result<()> {
    let mut sql = revocation(now);
    sql.text(" and s.aal = 'aal1' and s.user_id = ").bind(user_id.0).text("::uuid");
    tx.execute(sql).await?;
    Ok(())
}

/// The session of `given g` is live, and its user may use it.
const LIVE: &str = " s.id = g.session_id and s.revoked_at is null and (s.not_after is null or s.not_after > g.now)
     and exists (select from auth.users u
                  where u.id = s.user_id and u.deleted_at is null and (u.banned_until is null or u.banned_until <= g.now)) ";

/// What every refresh writes.
const REFRESHED: &str = " refreshed_at = g.now, updated_at = g.now,
     not_after = least(g.now + make_interval(secs => g.idle), s.created_at + make_interval(secs => g.longest)) ";

fn given(id: SessionId, lifetime: Lifetime) -> Sql {
    let mut sql = Sql::new("with given as (select ");
    sql.bind(id.0).text("::uuid as session_id, ").bind(lifetime.idle_seconds).text("::bigint as idle, ");
    sql.bind(lifetime.seconds_max).text("::bigint as longest, ").bind(lifetime.now.to_string()).text("::timestamptz as now)");
    sql
}

pub(super) fn revocation(now: Timestamp) -> Sql {
    let mut sql = Sql::new("update auth.sessions s set revoked_at = g.now, updated_at = g.now from (select ");
    sql.bind(now.to_string()).text("::timestamptz as now) g where s.revoked_at is null");
    sql
}
