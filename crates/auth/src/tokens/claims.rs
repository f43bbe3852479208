//! What a verified token says, checked once.
//!
//! Invariant: a [`Verified`] is made only from claims whose signature was checked, and a user's token of ours always names its
//! session, so that a sign-out reaches it.

use std::collections::BTreeMap;
use std::sync::Arc;

use kernel::{AssuranceLevel, CompanyId, SessionId, Subject, UserId};
use serde_json::{Map, Value};
use uuid::Uuid;

use super::TokenError;
use crate::keys::KEY_ISSUER;

/// How far the clocks of issuer and server may be apart.
pub(crate) const SKEW_SECONDS: i64 = 30;
/// The audience of users' tokens.
pub(crate) const AUDIENCE: &str = "authenticated";

/// What the database states of every caller.
const STATED: &[&str] = &["role", "company_id", "tenant_id", "industry", "subdomain", "member_role"];

/// What claims are held against.
#[derive(Debug)]
pub(super) struct Expectation<'a> {
    pub(super) now_seconds: i64,
    pub(super) issuer: &'a str,
    pub(super) audiences: &'a [String],
    pub(super) signer: Signer,
}

/// Who signs with the key that fits.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum Signer {
    /// Nobody but this installation, which signs its API keys with it, too.
    Ring,
    /// This installation, or one that goes by the same address. The API keys of the other are no keys here.
    Configured,
    /// Whoever knows the shared secret.
    Anybody,
}

/// A token that can be relied on.
#[derive(Clone, Debug)]
pub struct Verified {
    /// Whom it stands for.
    pub subject: Subject,
    /// How the user proved who he is.
    pub assurance: AssuranceLevel,
    /// The claims as JSON, without those that the database states from its rows.
    pub claims: Arc<str>,
    /// The company it names: good to count by, not to decide by.
    pub(crate) company: Option<CompanyId>,
    expires_at: Option<i64>,
    begins_at: Option<i64>,
}

impl Verified {
    /// Checks the claims of a token whose signature holds.
    pub(super) fn from_claims(claims: &Map<String, Value>, expected: &Expectation<'_>) -> Result<Self, TokenError> {
        let expires_at = seconds(claims, "exp")?;
        let begins_at = seconds(claims, "nbf")?;
        if seconds(claims, "iat")?.is_some_and(|issued_at| issued_at > expected.now_seconds + SKEW_SECONDS) {
            return Err(TokenError::IssuedInFuture);
        }
        check_audience(claims, expected.audiences)?;
        let issuer = text(claims, "iss")?;
        let is_from_here = match expected.signer {
            Signer::Ring => issuer == Some(expected.issuer) || issuer == Some(KEY_ISSUER),
            Signer::Configured => issuer == Some(expected.issuer),
            Signer::Anybody => true,
        };
        if !is_from_here {
            return Err(TokenError::Issuer);
        }
        let aal = text(claims, "aal")?;
        let subject = subject(claims, expected.signer != Signer::Anybody)?;
        let also: &[&str] = match subject {
            Subject::User { session_id: Some(_), .. } => &["sub", "aal"],
            Subject::User { .. } => &["sub"],
            _ => &[],
        };
        let said = |name: &str| !STATED.contains(&name) && !also.contains(&name);
        let mut said: BTreeMap<&str, Value> =
            claims.iter().filter(|(name, _)| said(name)).map(|(name, value)| (name.as_str(), value.clone())).collect();
        // A token from before a second factor was proved stays one; whether another is good for more the session's row says.
        if matches!(subject, Subject::User { session_id: Some(_), .. }) && aal != Some("aal2") {
            said.insert("aal", Value::from("aal1"));
        }
        let verified = Self {
            subject,
            assurance: if aal == Some("aal2") { AssuranceLevel::Two } else { AssuranceLevel::One },
            claims: serde_json::to_string(&said).ok().ok_or(TokenError::Claims)?.into(),
            company: uuid(claims, "company_id").ok().flatten().map(CompanyId),
            expires_at,
            begins_at,
        };
        verified.check_time(expected.now_seconds)?;
        Ok(verified)
    }

    /// Checks that the token is good at a moment; done at every use, also of remembered tokens.
    pub(super) fn check_time(&self, now_seconds: i64) -> Result<(), TokenError> {
        if self.expires_at.is_some_and(|expires_at| now_seconds >= expires_at.saturating_add(SKEW_SECONDS)) {
            return Err(TokenError::Expired);
        }
        if self.begins_at.is_some_and(|begins_at| now_seconds < begins_at.saturating_sub(SKEW_SECONDS)) {
            return Err(TokenError::NotYetValid);
        }
        Ok(())
    }
}

fn subject(claims: &Map<String, Value>, own: bool) -> Result<Subject, TokenError> {
    match text(claims, "role")? {
        Some("anon") => Ok(Subject::Anonymous),
        Some("service_role") => Ok(Subject::Service),
        Some("authenticated") => {
            let user_id = uuid(claims, "sub")?.ok_or(TokenError::Subject)?;
            let session_id = uuid(claims, "session_id")?;
            if own && session_id.is_none() {
                return Err(TokenError::Subject);
            }
            Ok(Subject::User { user_id: UserId(user_id), session_id: session_id.map(SessionId) })
        }
        Some(_) | None => Err(TokenError::Role),
    }
}

/// An audience may be one or several; one of them must be known. None at all is accepted.
fn check_audience(claims: &Map<String, Value>, also: &[String]) -> Result<(), TokenError> {
    let known = |name: &Value| name.as_str().is_some_and(|name| name == AUDIENCE || also.iter().any(|known| known == name));
    match claims.get("aud") {
        None | Some(Value::Null) => Ok(()),
        Some(Value::String(name)) if name.is_empty() => Ok(()),
        Some(name @ Value::String(_)) if known(name) => Ok(()),
        Some(Value::Array(names)) if names.is_empty() || names.iter().any(known) => Ok(()),
        Some(Value::String(_) | Value::Array(_)) => Err(TokenError::Audience),
        Some(_) => Err(TokenError::ClaimType("aud")),
    }
}

pub(crate) fn text<'a>(claims: &'a Map<String, Value>, name: &'static str) -> Result<Option<&'a str>, TokenError> {
    match claims.get(name) {
        None | Some(Value::Null) => Ok(None),
        Some(Value::String(text)) => Ok(Some(text)),
        Some(_) => Err(TokenError::ClaimType(name)),
    }
}

fn uuid(claims: &Map<String, Value>, name: &'static str) -> Result<Option<Uuid>, TokenError> {
    let Some(text) = text(claims, name)?.filter(|text| !text.is_empty()) else { return Ok(None) };
    Uuid::parse_str(text).ok().map(Some).ok_or(TokenError::ClaimType(name))
}

/// Reads a moment. Fractions are allowed by the standard and cut off; what no clock can show is refused.
pub(crate) fn seconds(claims: &Map<String, Value>, name: &'static str) -> Result<Option<i64>, TokenError> {
    let Some(value) = claims.get(name).filter(|value| !value.is_null()) else { return Ok(None) };
    if let Some(whole) = value.as_i64() {
        return Ok(Some(whole));
    }
    let Some(fraction) = value.as_f64().filter(|fraction| fraction.abs() < 1e15) else {
        return Err(TokenError::ClaimType(name));
    };
    format!("{:.0}", fraction.trunc()).parse().ok().map(Some).ok_or(TokenError::ClaimType(name))
}
