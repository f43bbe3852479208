//! The statements on trips to a provider.
//!
//! Invariant: what a provider hands back is good once: it is taken out in the statement that finds it.

use jiff::Timestamp;
use kernel::{Error, Result, UserId};
use postgres::{Row, Sql, Tx};
use uuid::Uuid;

use super::queries::{after, expire};
use super::{Challenge, Method};
use crate::one_time::secrets;

/// A trip that begins.
pub(crate) struct NewTrip<'a> {
    pub(crate) id: Uuid,
    pub(crate) provider: &'a str,
    /// What the provider hands back.
    pub(crate) state: &'a str,
    /// What the browser has that goes; none where the application has a challenge and proves itself at the end.
    pub(crate) browser: Option<&'a str>,
    pub(crate) challenge: Option<&'a Challenge>,
    /// Whose account is to get the identity; nobody's: it signs somebody in.
    pub(crate) links: Option<UserId>,
    pub(crate) redirect_to: &'a str,
    pub(crate) sealed: &'a str,
    pub(crate) seconds: u32,
}

/// A trip that ends.
pub(crate) struct Trip {
    pub(crate) id: Uuid,
    pub(crate) provider: String,
    pub(crate) browser_hash: Option<Vec<u8>>,
    pub(crate) challenge: Option<Challenge>,
    pub(crate) links: Option<UserId>,
    pub(crate) redirect_to: String,
    pub(crate) sealed: String,
    pub(crate) is_over: bool,
}

/// Notes a trip that begins.
pub(crate) async fn begin(tx: &Tx, new: &NewTrip<'_>, now: Timestamp) -> Result<()> {
    expire(tx, now).await?;
    let hash = |text: Option<&str>| text.map(secrets::token_hash);
    let mut sql = Sql::new(
        "insert into auth.flow_states
           (id, user_id, method, challenge, challenge_method, state_hash, browser_hash, provider, links, redirect_to, secrets, created_at,
            expires_at) select ",
    );
    sql.bind(new.id).text("::uuid, ").bind(new.links).text("::uuid, 'oauth', ");
    sql.bind(new.challenge.map(|challenge| challenge.text.clone())).text("::text, ");
    sql.bind(new.challenge.map(|challenge| challenge.method.name())).text("::text, decode(");
    sql.bind(secrets::token_hash(new.state)).text("::text, 'hex'), decode(").bind(hash(new.browser)).text("::text, 'hex'), ");
    sql.bind(new.provider).text("::text, ").bind(new.links.is_some()).text("::boolean, ").bind(new.redirect_to).text("::text, ");
    sql.bind(new.sealed).text("::text, ").bind(now).text("::timestamptz, ").bind(after(now, new.seconds)?).text("::timestamptz");
    tx.execute(sql).await?;
    Ok(())
}

/// Takes what a provider handed back. The trip stays for its end, and nobody else can end it.
pub(crate) async fn take(tx: &Tx, state: &str, now: Timestamp) -> Result<Option<Trip>> {
    let mut sql = Sql::new("update auth.flow_states f set state_hash = null where f.state_hash = decode(");
    sql.bind(secrets::token_hash(state))
        .text("::text, 'hex') returning f.id, f.provider, f.browser_hash, f.challenge, f.challenge_method, ");
    sql.text("case when f.links then f.user_id end as links, f.redirect_to, f.secrets, f.expires_at <= ").bind(now);
    sql.text("::timestamptz as is_over");
    tx.query_opt(sql).await?.map(|row| trip(&row)).transpose()
}

/// Keeps for the end of a sign-in what the provider gave.
pub(crate) async fn keep(tx: &Tx, id: Uuid, sealed: &str) -> Result<()> {
    let mut sql = Sql::new("update auth.flow_states f set secrets = ");
    sql.bind(sealed).text("::text where f.id = ").bind(id).text("::uuid");
    tx.execute(sql).await?;
    Ok(())
}

/// Forgets a trip that led to a session at once, or to nothing.
pub(crate) async fn forget(tx: &Tx, id: Uuid) -> Result<()> {
    let mut sql = Sql::new("delete from auth.flow_states f where f.id = ");
    sql.bind(id).text("::uuid");
    tx.execute(sql).await?;
    Ok(())
}

fn trip(row: &Row) -> Result<Trip> {
    let text = |name: &str| row.try_get::<_, String>(name).map_err(Error::internal);
    let maybe = |name: &str| row.try_get::<_, Option<String>>(name).map_err(Error::internal);
    let challenge = match (maybe("challenge")?, maybe("challenge_method")?.as_deref().and_then(Method::parse)) {
        (Some(text), Some(method)) => Some(Challenge { text, method }),
        _ => None,
    };
    Ok(Trip {
        id: row.try_get("id").map_err(Error::internal)?,
        provider: text("provider")?,
        browser_hash: row.try_get("browser_hash").map_err(Error::internal)?,
        challenge,
        links: row.try_get::<_, Option<Uuid>>("links").map_err(Error::internal)?.map(UserId),
        redirect_to: text("redirect_to")?,
        sealed: text("secrets")?,
        is_over: row.try_get("is_over").map_err(Error::internal)?,
    })
}
