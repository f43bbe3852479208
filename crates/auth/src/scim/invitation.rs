//! Invitations of people whom a directory names and whose mail domain is not the company's.
//!
//! Invariant: the token of an invitation goes to its address and nowhere else.

use kernel::{CompanyId, Error, Result};
use outbound::templates::{Brand, Template, Values};
use outbound::{Asked, Channel, Limits, Posting};
use postgres::{Sql, Tx};
use uuid::Uuid;

use super::person::Person;
use crate::{Auth, companies, one_time};

/// Invites somebody, where this server sends mail. A new invitation takes the place of the open one. Tells whether a mail is on its way.
pub(super) async fn invite(auth: &Auth, tx: &Tx, (company, id): (CompanyId, Uuid), person: &Person) -> Result<bool> {
    let Some(email) = &person.email else { return Ok(false) };
    take_back(tx, company, email.as_str()).await?;
    let (token, token_hash) = one_time::link_token()?;
    let mails = one_time::require(auth, Channel::Mail).ok();
    let mut sql = Sql::new("select app.invite_by_directory(");
    sql.bind(company).text("::uuid, ").bind(id).text("::uuid, ").bind(email.as_str()).text("::text, ").bind(person.name.clone());
    sql.text("::text, ").bind(token_hash).text("::text, ").bind(mails.is_some()).text("::boolean)");
    tx.execute(sql).await?;
    let Some(outbound) = mails else { return Ok(false) };
    let (brand, name) = brand(tx, company).await?;
    let values = Values {
        email: email.as_str().to_owned(),
        inviter: name,
        link: companies::invitation_link(auth, &token, None).into(),
        minutes: auth.config().companies.invitation_hours.saturating_mul(60),
        ..Values::default()
    };
    let message = outbound.templates().render(Template::CompanyInvitation, "", &brand, &values)?;
    let posting = Posting {
        company_id: Some(company),
        channel: Channel::Mail,
        purpose: "company_invitation",
        recipient: email.as_str(),
        client: None,
        message: &message,
        is_asked: false,
        is_withheld: false,
    };
    let config = &auth.config().one_time;
    let limits = Limits {
        // A directory takes back and asks again as people change their minds there.
        pause_seconds: 0,
        recipient_hour_max: config.recipient_hour_max.into(),
        client_hour_max: config.client_hour_max.into(),
    };
    // Who gets too many mails is invited all the same: a member sends the invitation again.
    Ok(outbound.put(tx, &auth.seal()?, posting, limits).await? == Asked::Taken)
}

/// Takes the open invitation to an address back.
pub(super) async fn take_back(tx: &Tx, company: CompanyId, address: &str) -> Result<()> {
    let mut sql = Sql::new("update public.invitations i set revoked_at = now() where i.used_at is null and i.revoked_at is null ");
    sql.text("and i.company_id = ").bind(company).text("::uuid and i.email_key = ").bind(address).text("::text");
    tx.execute(sql).await.map(drop)
}

/// Tells whether an address is invited at this moment.
pub(super) async fn is_open(tx: &Tx, company: CompanyId, address: &str) -> Result<bool> {
    let mut sql = Sql::new("select exists (select from public.invitations i where i.used_at is null and i.revoked_at is null ");
    sql.text("and i.expires_at > now() and i.company_id = ").bind(company).text("::uuid and i.email_key = ").bind(address);
    sql.text("::text) as is_open");
    tx.query_one(sql).await?.try_get("is_open").map_err(Error::internal)
}

async fn brand(tx: &Tx, company: CompanyId) -> Result<(Brand, String)> {
    let mut sql = Sql::new("select ");
    sql.text(Brand::COLUMNS).text("from public.companies c where c.id = ").bind(company).text("::uuid");
    let row = tx.query_one(sql).await?;
    let brand = Brand::from_row(&row)?;
    let name = brand.name.clone().unwrap_or_default();
    Ok((brand, name))
}
