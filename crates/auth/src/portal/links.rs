//! `POST /portal/otp` and `POST /portal/invite`: links to the portal, asked for by a customer and sent by a member.

use axum::Json;
use axum::extract::State;
use kernel::{Capability, Demand, Error, Kind, PassKind, Result};
use outbound::templates::{Template, Values};
use outbound::{Channel, Posting};
use postgres::{Access, Tx};
use serde::Deserialize;
use serde_json::{Value, json};
use url::form_urlencoded::Serializer;
use uuid::Uuid;

use super::queries::{self, Company, Customer};
use super::require_portal;
use crate::Auth;
use crate::errors::bad_request;
use crate::input::{Body, Device, Email, Holder, Params};
use crate::one_time::{Return, put, require, return_target, sent};
use crate::passes::NewPass;

/// What a customer says of himself.
#[derive(Deserialize)]
pub(crate) struct Wish {
    /// The company's slug or id.
    company: String,
    email: String,
}

/// Whom a member invites.
#[derive(Deserialize)]
pub(crate) struct Invitation {
    customer_id: Uuid,
}

/// The capability to open the portal to a customer.
pub(crate) struct InviteCustomers;

impl Capability for InviteCustomers {
    const DEMAND: Demand = Demand::Permission("customers:update");
}

pub(crate) async fn otp(
    State(auth): State<Auth>,
    Params(back): Params<Return>,
    device: Device,
    Body(wish): Body<Wish>,
) -> Result<Json<Value>> {
    require_portal(&auth)?;
    require(&auth, Channel::Mail)?;
    let email = Email::parse(&wish.email)?;
    auth.limits().strict("send", email.as_str(), &device).await?;
    let tx = auth.begin(Access::Write, "ask for a link to a portal").await?;
    let company = queries::company(&tx, &wish.company).await?;
    let id = company.as_ref().map(|company| company.id);
    let customer = queries::customer_by_email(&tx, id, email.as_str()).await?;
    let link = Link { company, customer, to: email.as_str(), redirect_to: back.redirect_to.as_deref(), is_asked: true };
    send(&auth, &tx, &device, link).await?;
    tx.commit().await?;
    sent(&auth);
    Ok(Json(json!({})))
}

pub(crate) async fn invite(
    State(auth): State<Auth>,
    who: Holder<InviteCustomers>,
    Params(back): Params<Return>,
    device: Device,
    Body(invitation): Body<Invitation>,
) -> Result<Json<Value>> {
    require_portal(&auth)?;
    require(&auth, Channel::Mail)?;
    let tx = auth.begin_as(who.grant(), Access::Write).await?;
    let company = tx.opened().company_id.ok_or_else(|| Error::internal("a permission was found outside of a company"))?;
    let found = queries::open_portal(&tx, invitation.customer_id).await?;
    let (customer, email) =
        found.ok_or_else(|| Error::new(Kind::NotFound, "customer_not_found", "There is no such customer whom you may change"))?;
    let email = email.ok_or_else(|| bad_request("customer_email_missing", "The customer has no e-mail address"))?;
    tx.commit().await?;
    let tx = auth.begin(Access::Write, "send a customer a link to the portal").await?;
    let company = queries::company(&tx, &company.to_string()).await?;
    let link = Link { company, customer: Some(customer), to: &email, redirect_to: back.redirect_to.as_deref(), is_asked: false };
    send(&auth, &tx, &device, link).await?;
    tx.commit().await?;
    sent(&auth);
    Ok(Json(json!({})))
}

/// A link that is to go to somebody, or to nobody.
struct Link<'a> {
    company: Option<Company>,
    customer: Option<Customer>,
    to: &'a str,
    redirect_to: Option<&'a str>,
    /// Whether whoever gets it asked for it.
    is_asked: bool,
}

async fn send(auth: &Auth, tx: &Tx, device: &Device, link: Link<'_>) -> Result<()> {
    let (company_id, brand) = link.company.map(|company| (Some(company.id), company.brand)).unwrap_or_default();
    let config = &auth.config().portal;
    let pass = NewPass::make(PassKind::Portal, company_id.unwrap_or_else(|| kernel::CompanyId(Uuid::nil())))?;
    let values = Values {
        email: link.to.to_owned(),
        link: address(auth, pass.text.expose(), link.redirect_to),
        minutes: (config.link_seconds / 60).max(1),
        ..Values::default()
    };
    let message = require(auth, Channel::Mail)?.templates().render(Template::MagicLink, "", &brand, &values)?;
    let network = device.network();
    let posting = Posting {
        company_id,
        channel: Channel::Mail,
        purpose: "portal",
        recipient: link.to,
        client: network.as_deref(),
        message: &message,
        is_asked: link.is_asked,
        is_withheld: link.customer.is_none(),
    };
    put(auth, tx, posting).await?;
    queries::keep_link(tx, (company_id, link.customer), &pass, (auth.now(), config.link_seconds)).await
}

/// Returns the address that uses up a link.
fn address(auth: &Auth, token: &str, redirect_to: Option<&str>) -> String {
    let target = return_target(auth, redirect_to);
    let query = Serializer::new(String::new()).append_pair("token", token).append_pair("redirect_to", target.as_str()).finish();
    format!("{}/portal/verify?{query}", auth.issuer())
}
