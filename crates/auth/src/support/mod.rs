//! `POST /admin/users/{id}/impersonate`: somebody of support works in a company in a member's place.
//!
//! Invariant: the database makes such a session only while the company agrees, and ends it with the consent; its token names both, is never
//! refreshed, and under `/auth/v1` does nothing but read the account and end itself.

pub(crate) mod config;

use axum::Json;
use axum::extract::{Path, State};
use http::Method;
use http::request::Parts;
use jiff::{SignedDuration, Timestamp};
use kernel::{CompanyId, Error, Kind, Principal, Result, SessionId};
use postgres::{Access, Sql};
use serde::Deserialize;
use serde_json::Value;

use crate::errors::bad_request;
use crate::input::{Administrator, Body};
use crate::{Auth, admin, sessions};

const OPERATOR_CHARACTERS_MAX: usize = 254;
const REASON_CHARACTERS_MAX: usize = 500;
const CHARACTERS_MIN: usize = 3;

/// Who of support wants to work where, and why.
#[derive(Deserialize)]
pub(crate) struct Wish {
    #[serde(default)]
    company_id: Option<String>,
    #[serde(default)]
    operator: String,
    #[serde(default)]
    reason: String,
    #[serde(default)]
    minutes: Option<u32>,
}

/// Who of support a session belongs to, and until when.
#[derive(Clone, Debug)]
pub(crate) struct Support {
    pub(crate) operator: String,
    pub(crate) not_after: Timestamp,
}

pub(crate) async fn impersonate(
    State(auth): State<Auth>,
    admin: Administrator,
    Path(id): Path<String>,
    Body(wish): Body<Wish>,
) -> Result<Json<Value>> {
    let user_id = admin::user_id(&id)?;
    let invalid = || bad_request("invalid_company_id", "company_id must be a UUID");
    let company: CompanyId =
        wish.company_id.as_deref().unwrap_or_default().parse().map_err(|error: uuid::Error| invalid().with_source(error))?;
    let operator = words(&wish.operator, OPERATOR_CHARACTERS_MAX, "operator must say who it is, in 3 to 254 characters")?;
    let reason = words(&wish.reason, REASON_CHARACTERS_MAX, "reason must say why, in 3 to 500 characters")?;
    let config = &auth.config().support;
    let minutes = wish.minutes.unwrap_or(config.session_minutes);
    if !(1..=config.session_minutes_max).contains(&minutes) {
        let message = format!("minutes must be 1 to {}", config.session_minutes_max);
        return Err(Error::new(Kind::BadRequest, "validation_failed", message));
    }
    let (session_id, now) = (SessionId::new_v7(), auth.now());
    let not_after = now + SignedDuration::from_mins(minutes.into());
    let tx = auth.begin_as(&admin.0, Access::Write).await?;
    let mut sql = Sql::new("select app.open_support_session(");
    sql.bind(company.0).text("::uuid, ").bind(user_id.0).text("::uuid, ").bind(session_id.0).text("::uuid, ");
    sql.bind(operator).text("::text, ").bind(reason).text("::text, ").bind(not_after.to_string()).text("::timestamptz, ");
    sql.bind(now.to_string()).text("::timestamptz)");
    tx.execute(sql).await?;
    let answer = sessions::read(&auth, &tx, session_id, "support").await?.answer(&auth)?;
    tx.commit().await?;
    metrics::counter!("auth_support_sessions_total").increment(1);
    tracing::warn!(%user_id, %session_id, company_id = %company, "support works in a member's place");
    Ok(Json(answer))
}

/// Refuses whoever of support asks for what is the user's own. Its token says that it is support; that it is live is asked by the
/// statement that does the work.
pub(crate) fn check(principal: &Principal, parts: &Parts) -> Result<()> {
    /// The one claim that is looked at.
    #[derive(Deserialize)]
    struct Claims {
        #[serde(default)]
        impersonated_by: Option<Value>,
    }
    let claims: Claims = serde_json::from_str(principal.claims()).map_err(Error::internal)?;
    let reads = parts.method == Method::GET && parts.uri.path() == "/user";
    let ends = parts.method == Method::POST && parts.uri.path() == "/logout" && parts.uri.query() == Some("scope=local");
    if claims.impersonated_by.is_none() || reads || ends {
        return Ok(());
    }
    Err(Error::new(Kind::Forbidden, "impersonation_not_allowed", "Support cannot do this in place of a member"))
}

fn words<'a>(text: &'a str, most: usize, message: &'static str) -> Result<&'a str> {
    let text = text.trim();
    let count = text.chars().count();
    let good = (CHARACTERS_MIN..=most).contains(&count) && !text.contains(char::is_control);
    if good { Ok(text) } else { Err(bad_request("validation_failed", message)) }
}
