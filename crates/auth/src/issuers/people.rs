//! Who of ours somebody is whom another issuer knows, and which company his organisation is.
//!
//! Invariant: unless it is configured nobody becomes somebody here by a token, and a company never does.

use kernel::{CompanyId, Error, Kind, Result, UserId};
use postgres::{Access, Row, Sql};
use serde_json::{Map, Value, json};
use uuid::Uuid;

use super::config::IssuerConfig;
use super::token::Told;
use crate::Auth;
use crate::hooks::Newcomer;
use crate::input::{Device, Email};

/// PostgreSQL's code for a value that is there already.
const UNIQUE_VIOLATION: &str = "23505";

/// Finds the account and the company of a token.
pub(super) async fn find(auth: &Auth, issuer: &IssuerConfig, told: &Told) -> Result<(UserId, Option<CompanyId>)> {
    let (mut user_id, company_id) = look(auth, told).await?;
    if told.organization.is_some() && company_id.is_none() {
        return Err(Error::new(Kind::Forbidden, "issuer_organization_unknown", "No company here is the organization of this token")
            .with_hint("companies.external_id has to be the organization's id"));
    }
    if user_id.is_none() && issuer.create_users {
        create(auth, issuer, told).await?;
        user_id = look(auth, told).await?.0;
    }
    let user_id = user_id.ok_or_else(|| {
        Error::new(Kind::Forbidden, "issuer_user_unknown", "Nobody here is the subject of this token")
            .with_hint("users.external_id has to be the subject, with the prefix that is configured for its issuer")
    })?;
    Ok((user_id, company_id))
}

async fn look(auth: &Auth, told: &Told) -> Result<(Option<UserId>, Option<CompanyId>)> {
    let mut sql = Sql::new("select u.id as user_id, c.id as company_id from (select ");
    sql.bind(told.external_id.as_str()).text("::text as subject, ").bind(told.organization.clone()).text(
        "::text as organization) g
           left join public.users u on u.external_id = g.subject and u.is_active
           left join public.companies c on c.external_id = g.organization and c.deleted_at is null and c.archived_at is null",
    );
    let row = auth.read_one(sql, "find whom another issuer's token stands for").await?;
    let id = |row: &Row, name: &str| row.try_get::<_, Option<Uuid>>(name).map_err(Error::internal);
    match row {
        Some(row) => Ok((id(&row, "user_id")?.map(UserId), id(&row, "company_id")?.map(CompanyId))),
        None => Ok((None, None)),
    }
}

/// Makes the account of somebody who came by a token. He has no password, and an address of his is no way in: another account may have it.
async fn create(auth: &Auth, issuer: &IssuerConfig, told: &Told) -> Result<()> {
    let (id, now) = (UserId::new_v7(), auth.now());
    let email = told.email.as_deref().and_then(|email| Email::parse(email).ok());
    let data = json!({ "sub": told.external_id, "iss": issuer.issuer, "email_verified": told.is_email_verified });
    let metadata: Map<String, Value> = told.name.iter().map(|name| ("name".to_owned(), json!(name))).collect();
    let mut sql = Sql::new("with given as (select ");
    sql.bind(id).text("::uuid as id, ").bind(email.as_ref().map(|email| email.as_str().to_owned())).text("::text as email, ");
    sql.bind(told.is_email_verified).text("::boolean as verified, ").bind(Value::Object(metadata.clone())).text("::jsonb as metadata, ");
    sql.bind(told.external_id.as_str()).text("::text as subject, ").bind(data).text("::jsonb as data, ").bind(now).text(
        "::timestamptz as now),
         made as (
           insert into auth.users (id, email, email_confirmed_at, email_proved_at, is_sso_user, raw_user_meta_data, raw_app_meta_data,
                                   created_at, updated_at)
           select g.id, g.email, case when g.verified and g.email is not null then g.now end,
                  case when g.verified and g.email is not null then g.now end, true, g.metadata,
                  '{\"provider\": \"issuer\", \"providers\": [\"issuer\"]}', g.now, g.now from given g
           returning id)
         insert into auth.identities (user_id, provider, provider_id, identity_data, created_at, updated_at)
         select m.id, 'issuer', g.subject, g.data, g.now, g.now from given g join made m on m.id = g.id",
    );
    let tx = auth.begin(Access::Write, "make the account of somebody whom another issuer knows").await?;
    let address = email.as_ref().map(Email::as_str).unwrap_or_default();
    let newcomer = Newcomer { id, provider: "issuer", email: address, phone: "", user_metadata: &metadata };
    auth.before_user(&tx, &Device::default(), newcomer).await?;
    let mut named = Sql::new("update public.users u set external_id = ");
    named.bind(told.external_id.as_str()).text("::text where u.id = ").bind(id).text("::uuid");
    let made = match tx.execute(sql).await {
        Ok(_) => tx.execute(named).await,
        failed => failed,
    };
    match made {
        Ok(_) => tx.commit().await?,
        // Two of his requests came at once, and the other one was faster.
        Err(error) if error.code() == UNIQUE_VIOLATION => return Ok(()),
        Err(error) => return Err(error),
    }
    auth.after_user(&Device::default(), id);
    metrics::counter!("auth_sign_ups_total", "result" => "issuer").increment(1);
    tracing::info!(user_id = %id, issuer = issuer.issuer, "an account was made for a token of another issuer");
    Ok(())
}
