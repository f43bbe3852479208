//! Providers of companies: whom they vouch for, they let into their own company.
//!
//! Invariant: a company says who its people are by addresses of domains that it proved and by no others. Identities of its provider are
//! apart from all others: each provider is a name of its own, and never one that somebody else's account is linked by.

use kernel::{CompanyId, Error, Kind, Result};
use outbound::http::NamedBy;
use postgres::{Sql, Tx};
use uuid::Uuid;

use super::profile::Profile;
use super::provider::{Dialect, Proof, Provider};
use super::settle::Settled;
use super::{queries, settle};
use crate::Auth;
use crate::errors::unprocessable;
use crate::input::Device;
use crate::keys::SIGN_ON_SECRET;
use crate::users::queries::name_providers;

/// How the names of these providers begin; the company and the provider follow.
const PREFIX: &str = "sso:";
/// Of a provider `p`: its company is not ended, archived or suspended. `app.join_by_sign_on` and `app.must_sign_on` say the same.
const COMPANY_WORKS: &str =
    " join public.companies c on c.id = p.company_id and c.deleted_at is null and c.archived_at is null and c.suspended_at is null ";
const SCOPES: [&str; 3] = ["openid", "email", "profile"];

/// Tells whether a name is that of a company's provider.
pub(crate) fn is_one(name: &str) -> bool {
    name.starts_with(PREFIX)
}

/// Returns the name of a company's provider.
pub(super) fn name(company: CompanyId, id: Uuid) -> String {
    format!("{PREFIX}{company}:{id}")
}

/// Returns the company whose provider has this name.
pub(super) fn of(name: &str) -> Option<CompanyId> {
    parts(name).map(|(company, _)| company)
}

/// Where a company's providers send browsers back to. Not below the address of all others: some of those send browsers anywhere below it.
pub(super) fn callback_url(auth: &Auth, company: CompanyId) -> String {
    format!("{}/sso/callback/{company}", auth.issuer())
}

fn parts(name: &str) -> Option<(CompanyId, Uuid)> {
    let (company, id) = name.strip_prefix(PREFIX)?.split_once(':')?;
    Some((company.parse().ok()?, id.parse().ok()?))
}

/// Finds the provider that somebody named, or that his mail domain has.
pub(crate) async fn find(auth: &Auth, (id, domain): (Option<Uuid>, Option<&str>)) -> Result<Option<String>> {
    let mut sql = Sql::new("select p.company_id, p.id from public.sign_on_providers p ");
    sql.text(COMPANY_WORKS).text(" where p.is_enabled and case when ").bind(id).text("::uuid is not null then p.id = ").bind(id);
    sql.text("::uuid else p.company_id = app.domain_company(").bind(domain.unwrap_or_default());
    sql.text("::text) end order by p.created_at, p.id limit 1");
    let Some(row) = auth.read_one(sql, "look up a company's provider").await? else { return Ok(None) };
    let id = |column: &str| row.try_get::<_, Uuid>(column).map_err(Error::internal);
    Ok(Some(name(CompanyId(id("company_id")?), id("id")?)))
}

/// Returns a provider that is on, to sign in with.
pub(super) async fn provider(auth: &Auth, name: &str) -> Result<Option<Provider>> {
    let Some((company, id)) = parts(name) else { return Ok(None) };
    let mut sql = Sql::new("select p.issuer, p.client_id, s.client_secret from public.sign_on_providers p ");
    sql.text("join auth.sign_on_secrets s on s.company_id = p.company_id and s.id = p.id ");
    sql.text(COMPANY_WORKS)
        .text(" where p.is_enabled and p.company_id = ")
        .bind(company)
        .text("::uuid and p.id = ")
        .bind(id)
        .text("::uuid");
    let Some(row) = auth.read_one(sql, "look up a company's provider").await? else { return Ok(None) };
    let text = |column: &str| row.try_get::<_, String>(column).map_err(Error::internal);
    let secret = auth.keys().ring.unseal(SIGN_ON_SECRET, id, &text("client_secret")?).map_err(Error::internal)?;
    let secret = String::from_utf8_lossy(secret.expose()).into_owned();
    Ok(Some(described(name, (&text("issuer")?, &text("client_id")?), kernel::Secret::new(secret))))
}

/// Returns a provider as it is spoken to.
pub(super) fn described(name: &str, (issuer, client_id): (&str, &str), secret: kernel::Secret<String>) -> Provider {
    Provider {
        named_by: NamedBy::Client,
        client_id: client_id.to_owned(),
        proof: Proof::Secret(secret),
        scopes: SCOPES.map(str::to_owned).to_vec(),
        // Of its own domains the company says who has which address; others are refused.
        email_trusted: true,
        ..Provider::new(name, Dialect::OpenId, issuer)
    }
}

/// Finds the account of somebody whom a company's provider vouches for, or makes it, and sees to it that he is a member.
pub(super) async fn arrive(auth: &Auth, tx: &Tx, device: &Device, provider: &Provider, profile: &Profile) -> Result<Settled> {
    let (company, id) = parts(&provider.name).ok_or_else(|| Error::internal("a company's provider has no company"))?;
    let now = auth.now();
    let missing = || unprocessable("email_address_not_provided", "The provider gave no email address");
    let email = profile.email.as_deref().ok_or_else(missing)?;
    // Each time: what it said before may be of a domain that is no longer the company's, and what it says now of one that never was.
    refuse_other_domains(tx, company, email).await?;
    queries::lock(tx, &provider.name, profile).await?;
    let settled = match queries::holder(tx, &provider.name, &profile.subject, now).await? {
        Some(holder) if holder.banned => return Err(Error::new(Kind::Forbidden, "user_banned", "User is banned")),
        Some(holder) => {
            queries::renew(tx, &provider.name, profile, now).await?;
            Settled::known(holder.user_id)
        }
        None => {
            let settled = settle::by_verified_address(auth, tx, device, (&provider.name, profile), email).await?;
            queries::add(tx, settled.user_id, &provider.name, profile, now).await?;
            name_providers(tx, settled.user_id).await?;
            settled
        }
    };
    let mut sql = Sql::new("select app.join_by_sign_on(");
    sql.bind(company).text("::uuid, ").bind(id).text("::uuid, ").bind(settled.user_id).text("::uuid) as is_member");
    if !tx.query_one(sql).await?.try_get::<_, bool>("is_member").map_err(Error::internal)? {
        return Err(Error::new(Kind::Forbidden, "sso_not_member", "You are not an active member of this company"));
    }
    Ok(settled)
}

async fn refuse_other_domains(tx: &Tx, company: CompanyId, email: &str) -> Result<()> {
    let domain = email.rsplit_once('@').map_or("", |(_, domain)| domain);
    let mut sql = Sql::new("select app.owns_domain(");
    sql.bind(company).text("::uuid, ").bind(domain).text("::text) as owns");
    if tx.query_one(sql).await?.try_get("owns").map_err(Error::internal)? {
        return Ok(());
    }
    Err(Error::new(Kind::Forbidden, "sso_domain_not_proved", "The company did not prove that the domain of this address is its own"))
}
