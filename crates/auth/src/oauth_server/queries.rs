//! The statements on programs of others.
//!
//! Invariant: a program that is deleted takes along what people agreed to and every session it holds.

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use jiff::{SignedDuration, Timestamp};
use kernel::{Error, Result};
use postgres::{Sql, Tx};
use serde_json::json;
use uuid::Uuid;

use super::OauthServerConfig;
use super::clients::{Client, Wish};

/// What [`Client::from_row`] reads, of the program `c`.
pub(super) const COLUMNS: &str = "
    c.id as client_id, c.name as client_name, c.uri as client_uri, c.logo_uri, c.auth_method, c.secret_hash,
    to_jsonb(c.redirect_uris) as redirect_uris, to_jsonb(c.grant_types) as grant_types, c.registration,
    c.created_at as client_created_at, c.updated_at as client_updated_at ";

/// Programs that one registration takes out of the way at most.
const FORGOTTEN_MAX: i64 = 100;
/// Who counts programs before he adds one waits for whoever does the same.
const REGISTRATIONS_LOCK: i64 = 0x6f61_7574_6831;

/// A program that is to be.
pub(super) struct NewClient<'a> {
    pub(super) wish: &'a Wish,
    pub(super) auth_method: &'a str,
    pub(super) secret_hash: Option<Vec<u8>>,
    pub(super) registration: &'static str,
    pub(super) registered_from: Option<String>,
    pub(super) now: Timestamp,
}

/// Makes a program.
pub(super) async fn create(tx: &Tx, new: NewClient<'_>) -> Result<Client> {
    let wish = new.wish;
    let grants = wish.grant_types.as_ref().map_or_else(|| json!(super::clients::GRANTS), |grants| json!(grants));
    let mut sql = Sql::new(
        "insert into auth.oauth_clients as c (id, name, uri, logo_uri, auth_method, secret_hash, redirect_uris, grant_types, registration,
                                              registered_from, created_at, updated_at)
         select ",
    );
    sql.bind(Uuid::now_v7()).text("::uuid, ").bind(wish.client_name.clone().unwrap_or_default()).text("::text, nullif(");
    sql.bind(wish.client_uri.clone()).text("::text, ''), nullif(").bind(wish.logo_uri.clone()).text("::text, ''), ");
    sql.bind(new.auth_method).text("::text, decode(").bind(new.secret_hash.map(|hash| STANDARD.encode(hash)));
    sql.text("::text, 'base64'), array(select jsonb_array_elements_text(").bind(json!(wish.redirect_uris));
    sql.text("::jsonb)), array(select jsonb_array_elements_text(").bind(grants).text("::jsonb)), ").bind(new.registration);
    sql.text("::text, ").bind(new.registered_from).text("::inet, ").bind(new.now).text("::timestamptz, ").bind(new.now);
    sql.text("::timestamptz returning ").text(COLUMNS);
    Client::from_row(&tx.query_one(sql).await?)
}

/// Changes a program.
pub(super) async fn change(tx: &Tx, id: Uuid, wish: &Wish, now: Timestamp) -> Result<Option<Client>> {
    let list = |given: &Option<Vec<String>>| given.as_ref().map(|given| json!(given));
    let mut sql = Sql::new("with given as (select ");
    sql.bind(wish.client_name.clone()).text("::text as name, ").bind(wish.client_uri.clone()).text("::text as uri, ");
    sql.bind(wish.logo_uri.clone()).text("::text as logo_uri, ").bind(wish.token_endpoint_auth_method.clone());
    sql.text("::text as auth_method, ").bind(list(&wish.redirect_uris)).text("::jsonb as redirect_uris, ");
    sql.bind(list(&wish.grant_types)).text("::jsonb as grant_types, ").bind(now).text(
        "::timestamptz as now)
         update auth.oauth_clients c
            set name = coalesce(g.name, c.name),
                uri = case when g.uri is null then c.uri else nullif(g.uri, '') end,
                logo_uri = case when g.logo_uri is null then c.logo_uri else nullif(g.logo_uri, '') end,
                auth_method = coalesce(g.auth_method, c.auth_method),
                redirect_uris = case when g.redirect_uris is null then c.redirect_uris
                                     else array(select jsonb_array_elements_text(g.redirect_uris)) end,
                grant_types = case when g.grant_types is null then c.grant_types
                                   else array(select jsonb_array_elements_text(g.grant_types)) end,
                updated_at = g.now
           from given g
          where c.id = ",
    );
    sql.bind(id).text("::uuid returning ").text(COLUMNS);
    tx.query_opt(sql).await?.map(|row| Client::from_row(&row)).transpose()
}

/// Gives a program another secret.
pub(super) async fn change_secret(tx: &Tx, id: Uuid, hash: &[u8], now: Timestamp) -> Result<Option<Client>> {
    let mut sql = Sql::new("update auth.oauth_clients c set secret_hash = decode(");
    sql.bind(STANDARD.encode(hash)).text("::text, 'base64'), updated_at = ").bind(now).text("::timestamptz where c.id = ");
    sql.bind(id).text("::uuid and c.auth_method <> 'none' returning ").text(COLUMNS);
    tx.query_opt(sql).await?.map(|row| Client::from_row(&row)).transpose()
}

/// Finds a program.
pub(super) async fn find(tx: &Tx, id: Uuid) -> Result<Option<Client>> {
    let mut sql = Sql::new("select ");
    sql.text(COLUMNS).text("from auth.oauth_clients c where c.id = ").bind(id).text("::uuid");
    tx.query_opt(sql).await?.map(|row| Client::from_row(&row)).transpose()
}

/// Returns one page of the programs, the newest first, and how many there are.
pub(super) async fn list(tx: &Tx, limit: i64, offset: i64) -> Result<(Vec<Client>, i64)> {
    let count = tx.query_one(Sql::new("select count(*) as total from auth.oauth_clients")).await?;
    let mut sql = Sql::new("select ");
    sql.text(COLUMNS).text("from auth.oauth_clients c order by c.created_at desc, c.id limit ").bind(limit);
    sql.text("::bigint offset ").bind(offset).text("::bigint");
    let clients = tx.query(sql).await?.iter().map(Client::from_row).collect::<Result<_>>()?;
    Ok((clients, count.try_get("total").map_err(Error::internal)?))
}

/// Deletes a program. Tells whether there was one.
pub(super) async fn delete(tx: &Tx, id: Uuid) -> Result<bool> {
    let mut sql = Sql::new("delete from auth.oauth_clients c where c.id = ");
    sql.bind(id).text("::uuid returning c.id");
    Ok(tx.query_opt(sql).await?.is_some())
}

/// Forgets programs that registered themselves and that nobody agreed to, and tells whether there is room for one more from an address.
pub(super) async fn has_room(tx: &Tx, address: Option<&str>, config: &OauthServerConfig, now: Timestamp) -> Result<bool> {
    let before = |seconds: u32| now.saturating_sub(SignedDuration::from_secs(seconds.into())).map_err(Error::internal);
    let mut lock = Sql::new("select pg_advisory_xact_lock(");
    lock.bind(REGISTRATIONS_LOCK).text("::bigint)");
    tx.query(lock).await?;
    let mut unused = Sql::new("delete from auth.oauth_clients c where c.id in (select x.id from auth.oauth_clients x where ");
    unused.text("x.registration = 'dynamic' and x.used_at is null and x.created_at < ").bind(before(config.unused_client_seconds)?);
    unused.text("::timestamptz order by x.created_at limit ").bind(FORGOTTEN_MAX).text("::bigint)");
    tx.execute(unused).await?;
    let mut sql = Sql::new("select count(*) < ");
    sql.bind(config.dynamic_clients_max).text("::bigint and count(*) filter (where c.registered_from is not distinct from ");
    sql.bind(address.map(str::to_owned)).text("::inet and c.created_at > ").bind(before(3600)?).text("::timestamptz) < ");
    sql.bind(config.registrations_hour_max);
    sql.text("::bigint as has_room from auth.oauth_clients c where c.registration = 'dynamic'");
    tx.query_one(sql).await?.try_get("has_room").map_err(Error::internal)
}
