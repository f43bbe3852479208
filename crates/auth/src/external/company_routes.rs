//! `POST /sso`, and `/sign-on/providers`, where a member adds the provider of his company.
//!
//! Invariant: a provider is kept only if it describes itself as it says, at an address that this server may be sent to. Its secret is
//! sealed, kept where no member reads, and never answered.

use axum::Json;
use axum::extract::State;
use axum::response::{IntoResponse, Response};
use http::header::{LOCATION, SET_COOKIE};
use http::{HeaderValue, StatusCode};
use kernel::{Capability, Demand, Error, Kind, Result, Secret};
use postgres::{Access, Sql};
use serde::Deserialize;
use serde_json::json;
use url::Url;
use uuid::Uuid;

use super::{authorize, company};
use crate::Auth;
use crate::errors::bad_request;
use crate::flows::Challenge;
use crate::input::{Body, Holder};
use crate::keys::SIGN_ON_SECRET;

/// To add the provider that a company's members sign in with.
pub(crate) struct AddProvider;

impl Capability for AddProvider {
    const DEMAND: Demand = Demand::Permission("directory:create");
}

/// What somebody says who signs in.
#[derive(Default, Deserialize)]
#[serde(default)]
pub(crate) struct Wish {
    provider_id: Option<String>,
    domain: Option<String>,
    redirect_to: Option<String>,
    skip_http_redirect: Option<bool>,
    code_challenge: Option<String>,
    code_challenge_method: Option<String>,
}

pub(crate) async fn begin(State(auth): State<Auth>, Body(wish): Body<Wish>) -> Result<Response> {
    // What clients know for a server that has no provider for them.
    let unknown = || Error::new(Kind::NotFound, "saml_provider_disabled", "SAML 2.0 is disabled");
    let id: Option<Uuid> = wish.provider_id.as_deref().map(|text| text.parse().ok().ok_or_else(unknown)).transpose()?;
    let domain = wish.domain.as_deref().map(|domain| domain.trim().to_ascii_lowercase());
    if id.is_none() && domain.is_none() {
        return Err(unknown());
    }
    let name = company::find(&auth, (id, domain.as_deref())).await?.ok_or_else(unknown)?;
    let challenge = Challenge::read(wish.code_challenge.as_deref(), wish.code_challenge_method.as_deref())?;
    let (page, cookie) = Box::pin(authorize::sign_on(&auth, (name, wish.redirect_to, challenge))).await?;
    let mut response = if wish.skip_http_redirect == Some(false) {
        let location = HeaderValue::try_from(page.as_str()).map_err(Error::internal)?;
        (StatusCode::SEE_OTHER, [(LOCATION, location)]).into_response()
    } else {
        Json(json!({ "url": page.as_str() })).into_response()
    };
    if let Some(cookie) = cookie {
        response.headers_mut().insert(SET_COOKIE, HeaderValue::try_from(cookie).map_err(Error::internal)?);
    }
    Ok(response)
}

/// A provider that is to be.
#[derive(Deserialize)]
pub(crate) struct New {
    name: String,
    issuer: String,
    client_id: String,
    client_secret: Secret<String>,
    #[serde(default)]
    default_role: Option<String>,
    #[serde(default)]
    joins: bool,
    #[serde(default)]
    is_enforced: bool,
}

pub(crate) async fn add(State(auth): State<Auth>, member: Holder<AddProvider>, Body(new): Body<New>) -> Result<Response> {
    let sizes = [(new.name.trim(), 200), (&new.issuer, 2048), (&new.client_id, 512), (new.client_secret.expose().as_str(), 2000)];
    if sizes.iter().any(|(text, most)| text.is_empty() || text.len() > *most || text.contains('\0')) {
        return Err(bad_request("validation_failed", "name, issuer, client_id and client_secret are required, and not too long"));
    }
    let role = new.default_role.as_deref().unwrap_or("member");
    if !["manager", "dispatcher", "technician", "csr", "member", "viewer"].contains(&role) {
        return Err(bad_request("validation_failed", "default_role must be manager, dispatcher, technician, csr, member or viewer"));
    }
    let issuer = new.issuer.trim_end_matches('/');
    if !Url::parse(issuer).is_ok_and(|url| auth.documents().http.is_allowed(&url)) {
        return Err(bad_request("validation_failed", "issuer must be an https URL of the public internet"));
    }
    // Who adds it gives what people are who join by it.
    let tx = auth.begin_as(member.grant(), Access::Read).await?;
    let missing = || Error::new(Kind::Forbidden, "company_required", "No company is chosen");
    let company = tx.opened().company_id.ok_or_else(missing)?;
    let mut sql = Sql::new("select app.check_grantable('', app.effective_permissions(");
    sql.bind(company).text("::uuid, ").bind(role).text("::text, null, '{}'))");
    tx.execute(sql).await?;
    tx.commit().await?;
    let id = Uuid::now_v7();
    let provider = company::described(&company::name(company, id), (issuer, &new.client_id), new.client_secret.clone());
    auth.documents().of(&provider).await.map_err(|fault| {
        let message = "The discovery document of the issuer cannot be read, or names another issuer";
        bad_request("validation_failed", message).with_source(fault)
    })?;
    let sealed = auth.keys().ring.seal(SIGN_ON_SECRET, id, new.client_secret.expose().as_bytes()).map_err(Error::internal)?;
    let tx = auth.begin_in(company, (Access::Write, "add the provider of a company")).await?;
    let mut sql = Sql::new("insert into public.sign_on_providers (company_id, id, name, issuer, client_id, default_role, ");
    sql.text("joins, is_enforced, created_by) values (").bind(company).text("::uuid, ").bind(id).text("::uuid, ");
    sql.bind(new.name.trim()).text("::text, ").bind(issuer).text("::text, ").bind(new.client_id.as_str()).text("::text, ");
    sql.bind(role).text("::text, ").bind(new.joins).text("::boolean, ").bind(new.is_enforced);
    sql.text("::boolean, ").bind(member.grant().principal().user_id());
    sql.text("::uuid) on conflict (company_id, issuer, client_id) do nothing");
    if tx.execute(sql).await? == 0 {
        return Err(Error::new(Kind::Conflict, "conflict", "The company has this provider already"));
    }
    let mut sql = Sql::new("insert into auth.sign_on_secrets (company_id, id, client_secret) values (");
    sql.bind(company).text("::uuid, ").bind(id).text("::uuid, ").bind(sealed).text("::text)");
    tx.execute(sql).await?;
    tx.commit().await?;
    tracing::info!(company_id = %company, provider_id = %id, "a company's provider was added");
    let shown = json!({
        "id": id, "name": new.name.trim(), "issuer": issuer, "client_id": new.client_id, "default_role": role, "joins": new.joins,
        "is_enforced": new.is_enforced, "is_enabled": true, "redirect_uri": company::callback_url(&auth, company)
    });
    Ok((StatusCode::CREATED, Json(shown)).into_response())
}
