//! The statements of the portal.
//!
//! Invariant: each names the company, and a link is used up by the statement that finds it good.

use jiff::Timestamp;
use kernel::{CompanyId, Error, Pass, Result};
use outbound::templates::Brand;
use postgres::{Sql, Tx};
use uuid::Uuid;

use crate::input::Device;
use crate::passes::NewPass;

/// Who may come in.
const WELCOME: &str = "c.portal_enabled and c.status in ('active', 'inactive') and c.deleted_at is null and c.archived_at is null";

/// A company whose portal it is.
pub(super) struct Company {
    pub(super) id: CompanyId,
    pub(super) brand: Brand,
}

/// A customer.
#[derive(Clone, Copy)]
pub(super) struct Customer(Uuid);

/// Finds a company by its slug or id.
pub(super) async fn company(tx: &Tx, named: &str) -> Result<Option<Company>> {
    let id: Option<Uuid> = named.parse().ok();
    let mut sql = Sql::new("select c.id, ");
    sql.text(Brand::COLUMNS).text("from public.companies c where c.deleted_at is null and c.archived_at is null and ");
    match id {
        Some(id) => sql.text("c.id = ").bind(id).text("::uuid"),
        None => sql.text("c.slug = ").bind(named.replace('\0', "")).text("::text"),
    };
    let rows = tx.query(sql).await?;
    let Some(row) = rows.first() else { return Ok(None) };
    let id = row.try_get::<_, Uuid>("id").map_err(Error::internal)?;
    Ok(Some(Company { id: CompanyId(id), brand: Brand::from_row(row)? }))
}

/// Finds the customer of a company who has this address and a portal.
pub(super) async fn customer_by_email(tx: &Tx, company: Option<CompanyId>, email: &str) -> Result<Option<Customer>> {
    let mut sql = Sql::new("select c.id from public.customers c where c.company_id = ");
    sql.bind(company).text("::uuid and c.email_key = ").bind(email).text("::text and ").text(WELCOME).text(" order by c.id limit 1");
    let rows = tx.query(sql).await?;
    rows.first().map(|row| row.try_get(0).map(Customer).map_err(Error::internal)).transpose()
}

/// Opens the portal to a customer, as the member who asks; returns him and his address.
pub(super) async fn open_portal(tx: &Tx, id: Uuid) -> Result<Option<(Customer, Option<String>)>> {
    let mut sql = Sql::new("update public.customers c set portal_enabled = true, portal_invited_at = now() ");
    sql.text("where c.company_id = app.company_id() and c.id = ").bind(id);
    sql.text(
        "::uuid and c.deleted_at is null and c.archived_at is null and c.status in ('active', 'inactive') returning c.id, c.email_key",
    );
    let rows = tx.query(sql).await?;
    let Some(row) = rows.first() else { return Ok(None) };
    let id = row.try_get(0).map_err(Error::internal)?;
    Ok(Some((Customer(id), row.try_get(1).map_err(Error::internal)?)))
}

/// Keeps a link for a customer in the place of those that he did not follow; for nobody the same is done with no row.
pub(super) async fn keep_link(
    tx: &Tx,
    (company, customer): (Option<CompanyId>, Option<Customer>),
    pass: &NewPass,
    (now, seconds): (Timestamp, u32),
) -> Result<()> {
    let customer = customer.map(|Customer(id)| id);
    let mut sql = Sql::new("delete from auth.portal_sessions s where s.opened_at is null and s.company_id = ");
    sql.bind(company).text("::uuid and s.customer_id = ").bind(customer).text("::uuid");
    tx.execute(sql).await?;
    let mut sql = Sql::new("insert into auth.portal_sessions (company_id, id, customer_id, link_hash, expires_at, created_at) ");
    sql.text("select c.company_id, ").bind(pass.id).text("::uuid, c.id, ").bind(pass.digest.as_str()).text("::text, ");
    sql.bind(now).text("::timestamptz + make_interval(secs => ").bind(seconds).text("::integer), ").bind(now);
    sql.text("::timestamptz from public.customers c where c.company_id = ").bind(company).text("::uuid and c.id = ").bind(customer);
    tx.execute(sql.text("::uuid").clone()).await.map(drop)
}

/// Uses a link up and opens the session; returns the customer.
pub(super) async fn open_session(tx: &Tx, link: &Pass, new: &NewPass, device: &Device, life: (Timestamp, u32)) -> Result<Option<Uuid>> {
    let (now, seconds) = life;
    let mut sql = Sql::new("update auth.portal_sessions s set link_hash = null, token_hash = ");
    sql.bind(new.digest.as_str()).text("::text, opened_at = ").bind(now).text("::timestamptz, expires_at = ").bind(now);
    sql.text("::timestamptz + make_interval(secs => ").bind(seconds).text("::integer), user_agent = ").bind(device.user_agent.as_deref());
    sql.text("::text, address = ").bind(device.address.as_deref()).text("::inet from public.customers c where s.company_id = ");
    sql.bind(link.company_id).text("::uuid and s.id = ").bind(link.id).text("::uuid and s.link_hash = ").bind(link.digest.as_ref());
    sql.text("::text and s.ended_at is null and s.expires_at > ").bind(now);
    sql.text("::timestamptz and c.company_id = s.company_id and c.id = s.customer_id and ").text(WELCOME).text(" returning s.customer_id");
    let rows = tx.query(sql).await?;
    rows.first().map(|row| row.try_get(0).map_err(Error::internal)).transpose()
}

/// Ends the customer's sessions beyond so many, the oldest first.
pub(super) async fn make_room(tx: &Tx, company: CompanyId, customer: Uuid, now: Timestamp, sessions_max: u32) -> Result<()> {
    let mut sql = Sql::new("update auth.portal_sessions s set ended_at = ");
    sql.bind(now)
        .text("::timestamptz where s.company_id = ")
        .bind(company)
        .text("::uuid and s.id in (select o.id from auth.portal_sessions o ");
    sql.text("where o.company_id = ").bind(company).text("::uuid and o.customer_id = ").bind(customer);
    sql.text("::uuid and o.opened_at is not null and o.ended_at is null order by o.opened_at desc, o.id desc offset ").bind(sessions_max);
    tx.execute(sql.text("::integer)").clone()).await.map(drop)
}

/// Ends a session; whether it was there.
pub(super) async fn end(tx: &Tx, session: &Pass, now: Timestamp) -> Result<bool> {
    let mut sql = Sql::new("update auth.portal_sessions s set ended_at = ");
    sql.bind(now).text("::timestamptz where s.company_id = ").bind(session.company_id).text("::uuid and s.id = ").bind(session.id);
    sql.text("::uuid and s.token_hash = ").bind(session.digest.as_ref()).text("::text and s.ended_at is null");
    tx.execute(sql).await.map(|count| count > 0)
}
