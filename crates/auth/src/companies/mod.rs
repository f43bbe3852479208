//! `POST /company`: which company a session works in, without signing in again; invitations into companies, and what is set about them.
//!
//! A session that has none and whose user is an active member of exactly one company works in that one from its next sign-in or
//! refresh on; so does a session whose company is no longer its user's.
//!
//! Invariant: the member's row is looked up by the statement that makes the company active.

mod config;
mod domains;
mod invitations;

use axum::Json;
use axum::extract::State;
pub use config::CompaniesConfig;
pub(crate) use domains::verify_domain;
pub(crate) use invitations::{accept_invitation, create_invitation, link as invitation_link, look_at_invitation, resend_invitation};
use kernel::{CompanyId, Error, Kind, Result};
use postgres::{Access, Sql};
use serde::{Deserialize, Deserializer};
use serde_json::Value;
use uuid::Uuid;

use crate::Auth;
use crate::errors::{bad_request, session_not_found};
use crate::input::{Body, Caller};
use crate::sessions::{Lifetime, queries, read};

/// The body: `{"company_id": "…"}`, or `null` for none.
#[derive(Deserialize)]
pub(crate) struct Choice {
    #[serde(default, deserialize_with = "present")]
    #[expect(clippy::option_option, reason = "null leaves the company, a missing member is a mistake")]
    company_id: Option<Option<String>>,
}

/// Tells a member that is null from one that is not there.
#[expect(clippy::option_option, reason = "null leaves the company, a missing member is a mistake")]
fn present<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Option<Option<String>>, D::Error> {
    Option::<String>::deserialize(deserializer).map(Some)
}

pub(crate) async fn choose(State(auth): State<Auth>, caller: Caller, Body(choice): Body<Choice>) -> Result<Json<Value>> {
    let wanted = choice.company_id.ok_or_else(|| bad_request("validation_failed", "company_id is required; null leaves the company"))?;
    let invalid = || bad_request("invalid_company_id", "company_id must be a UUID");
    let company: Option<CompanyId> =
        wanted.map(|text| text.parse().map_err(|error: uuid::Error| invalid().with_source(error))).transpose()?;
    let session_id = caller.session()?;
    let lifetime = Lifetime::of(&auth);
    let tx = auth.begin(Access::Write, "make a company active").await?;
    if !queries::lock_live(&tx, caller, lifetime).await? {
        return Err(session_not_found());
    }
    if !queries::activate(&tx, caller, company, lifetime).await? {
        return Err(Error::new(Kind::Forbidden, "company_not_member", "You are not an active member of this company"));
    }
    let answer = read(&auth, &tx, session_id, "token_refresh").await?.answer(&auth)?;
    tx.commit().await?;
    metrics::counter!("auth_company_switches_total").increment(1);
    Ok(Json(answer))
}

/// Reads an id of the path.
fn path_id(text: &str) -> Result<Uuid> {
    text.parse().map_err(|error: uuid::Error| bad_request("validation_failed", "An id in the path is not a UUID").with_source(error))
}

/// Writes whose the work is, for a function that opens with it: whether he is a member of the company who may do this, it finds out itself.
fn by(sql: &mut Sql, caller: Caller, company: CompanyId) -> &mut Sql {
    sql.bind(caller.user_id).text("::uuid, ").bind(caller.session_id).text("::uuid, ").bind(company).text("::uuid, ")
}
