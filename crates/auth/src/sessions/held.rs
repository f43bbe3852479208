//! Sessions that programs of others hold: opened in the name of somebody who agreed, and what their tokens say beside his own.
//!
//! Invariant: such a session is as sure as the one in which its user agreed and works in the same company. It is no sign-in of his: his
//! other sessions go on. It is told by the version of its id, whatever a token of it says or leaves out.

use kernel::{Error, Result, SessionId, UserId};
use postgres::{Row, Sql, Tx};
use serde_json::{Map, Value, json};
use uuid::{Builder, Uuid, Version};

use super::queries::SETTLED_COMPANY;
use super::{Lifetime, Session, read};
use crate::Auth;
use crate::input::Device;
use crate::tokens::AUDIENCE;

/// How such a session was opened, as `amr` names it.
const METHOD: &str = "oauth_provider/authorization_code";

/// The program that holds a session, and what it was allowed.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(crate) struct Holder {
    pub(crate) client_id: Uuid,
    pub(crate) scopes: Vec<String>,
    pub(crate) resource: Option<String>,
}

/// A session that a program is to hold.
pub(crate) struct NewHeld<'a> {
    pub(crate) user_id: UserId,
    /// The session in which he agreed; it must still be live.
    pub(crate) approved_in: SessionId,
    pub(crate) holder: &'a Holder,
    pub(crate) device: Device,
}

impl Holder {
    /// Adds to the claims of a token what only a program's have.
    pub(super) fn add_to(&self, claims: &mut Map<String, Value>) {
        claims.insert("client_id".to_owned(), json!(self.client_id));
        claims.insert("scope".to_owned(), json!(self.scopes.join(" ")));
        if let Some(resource) = &self.resource {
            claims.insert("aud".to_owned(), json!([AUDIENCE, resource]));
        }
    }

    /// Reads the columns of the session `s` that [`COLUMNS`] names.
    pub(super) fn from_row(row: &Row) -> Result<Option<Self>> {
        let Some(client_id) = row.try_get("oauth_client_id").map_err(Error::internal)? else { return Ok(None) };
        let scopes: Option<Value> = row.try_get("session_scopes").map_err(Error::internal)?;
        let scopes = scopes.map(serde_json::from_value).transpose().map_err(Error::internal)?.unwrap_or_default();
        Ok(Some(Self { client_id, scopes, resource: row.try_get("session_resource").map_err(Error::internal)? }))
    }
}

/// What [`Holder::from_row`] reads.
pub(super) const COLUMNS: &str = " s.oauth_client_id, to_jsonb(s.scopes) as session_scopes, s.resource as session_resource ";

/// Opens a session that a program holds; none when the one in which its user agreed is over.
pub(crate) async fn open_held(auth: &Auth, tx: &Tx, new: NewHeld<'_>) -> Result<Option<Session>> {
    let (id, lifetime) = (new_id(), Lifetime::of(auth));
    let mut sql = Sql::new("with given as (select ");
    sql.bind(id).text("::uuid as id, ").bind(new.user_id).text("::uuid as user_id, ").bind(new.approved_in);
    sql.text("::uuid as approved_in, ").bind(new.holder.client_id).text("::uuid as client_id, array(select jsonb_array_elements_text(");
    sql.bind(json!(new.holder.scopes)).text("::jsonb)) as scopes, ").bind(new.holder.resource.clone()).text("::text as resource, ");
    sql.bind(new.device.user_agent).text("::text as user_agent, ").bind(new.device.address).text("::inet as ip, ");
    sql.bind(json!({ "method": METHOD, "timestamp": lifetime.now.as_second() })).text("::jsonb as entry, ");
    sql.bind(lifetime.idle_seconds).text("::bigint as idle, ").bind(lifetime.now).text(
        "::timestamptz as now),
         agreed as (
           select s.* from auth.sessions s, given g
            where s.id = g.approved_in and s.user_id = g.user_id and s.oauth_client_id is null
              and s.revoked_at is null and (s.not_after is null or s.not_after > g.now)
              and exists (select from auth.users u
                           where u.id = s.user_id and u.deleted_at is null and (u.banned_until is null or u.banned_until <= g.now))
            for share of s)
         insert into auth.sessions (id, user_id, active_company_id, aal, amr, factor_id, oauth_client_id, scopes, resource, not_after,
                                    user_agent, ip, created_at, updated_at)
         select g.id, s.user_id, ",
    );
    sql.text(SETTLED_COMPANY).text(
        ", s.aal, jsonb_build_array(g.entry) || s.amr, s.factor_id, g.client_id, g.scopes, g.resource,
                g.now + make_interval(secs => g.idle), g.user_agent, g.ip, g.now, g.now
           from agreed s, given g
         returning id",
    );
    if tx.query_opt(sql).await?.is_none() {
        return Ok(None);
    }
    read(auth, tx, id, "oauth_provider/authorization_code").await.map(Some)
}

/// Tells whether a program of others holds a session.
pub(crate) fn is_held(id: SessionId) -> bool {
    id.0.get_version() == Some(Version::Custom)
}

fn new_id() -> SessionId {
    SessionId(Builder::from_bytes(Uuid::now_v7().into_bytes()).with_version(Version::Custom).into_uuid())
}

/// Ends a session that a program holds. Tells whether there was one.
pub(crate) async fn revoke_held(tx: &Tx, id: SessionId, client_id: Uuid, auth: &Auth) -> Result<bool> {
    let mut sql = super::queries::revocation(auth.now());
    sql.text(" and s.id = ").bind(id).text("::uuid and s.oauth_client_id = ").bind(client_id).text("::uuid returning s.id");
    Ok(tx.query_opt(sql).await?.is_some())
}

/// Ends every session of a user that a program holds.
pub(crate) async fn revoke_held_of(tx: &Tx, user_id: UserId, client_id: Uuid, auth: &Auth) -> Result<()> {
    let mut sql = super::queries::revocation(auth.now());
    sql.text(" and s.user_id = ").bind(user_id).text("::uuid and s.oauth_client_id = ").bind(client_id).text("::uuid");
    tx.execute(sql).await?;
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_held_session_is_told_by_its_id() {
        assert!(is_held(new_id()));
        assert_ne!(new_id(), new_id());
        assert!(!is_held(SessionId::new_v7()));
        assert!(!is_held(SessionId(Uuid::new_v4())));
    }
}
