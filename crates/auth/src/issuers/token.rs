//! What another issuer's token says, checked once.
//!
//! Invariant: a token says who somebody is and in which organisation, and never what he may do: whatever stands in it for a role, a
//! company of ours, a session or how sure we are is left out. How sure we are the issuer's configuration says.

use std::collections::BTreeMap;
use std::sync::Arc;

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use serde_json::{Map, Value};

use super::config::IssuerConfig;
use super::second_factor;
use crate::alone::JwtError;
use crate::tokens::claims::{SKEW_SECONDS, seconds, text};
use crate::tokens::{TokenError, strict_json};

/// Names that the database answers for, or that say how somebody signed in with us.
const LEFT_OUT: &[&str] = &[
    "role",
    "company_id",
    "tenant_id",
    "member_role",
    "industry",
    "subdomain",
    "sub",
    "aal",
    "amr",
    "session_id",
    "is_anonymous",
    "app_metadata",
    "user_metadata",
];

/// A token that can be relied on.
#[derive(Clone, Debug)]
pub(super) struct Told {
    /// Who it is, as `users.external_id` has him.
    pub(super) external_id: String,
    /// In which organisation, as `companies.external_id` has it.
    pub(super) organization: Option<String>,
    pub(super) email: Option<String>,
    pub(super) is_email_verified: bool,
    pub(super) name: Option<String>,
    /// Whether a second factor was proved before.
    pub(super) is_proved: bool,
    /// The claims as JSON, for SQL.
    pub(super) claims: Arc<str>,
    expires_at: i64,
    begins_at: Option<i64>,
}

impl Told {
    /// Checks the claims of a token whose signature holds.
    pub(super) fn from_claims(issuer: &IssuerConfig, claims: &Map<String, Value>, now: i64) -> Result<Self, TokenError> {
        if text(claims, "iss")? != Some(issuer.issuer.as_str()) {
            return Err(TokenError::Issuer);
        }
        if seconds(claims, "iat")?.is_some_and(|issued_at| issued_at > now + SKEW_SECONDS) {
            return Err(TokenError::IssuedInFuture);
        }
        check_audience(issuer, claims)?;
        let subject = text(claims, "sub")?.filter(|subject| !subject.is_empty()).ok_or(TokenError::Subject)?;
        let external_id = format!("{}{subject}", issuer.external_id_prefix);
        // What `users.external_id` holds, and what PostgreSQL can.
        if external_id.chars().count() > 255 || external_id.contains('\0') {
            return Err(TokenError::Subject);
        }
        let organization = issuer.organization_claims().find_map(|path| at(claims, path)).map(organization).transpose()?.flatten();
        let said = claims.iter().filter(|(name, _)| !LEFT_OUT.contains(&name.as_str()));
        let mut said: BTreeMap<&str, Value> = said.map(|(name, value)| (name.as_str(), value.clone())).collect();
        let is_proved = second_factor::is_proved(issuer, claims);
        if is_proved {
            said.insert("aal", Value::from("aal2"));
        }
        let optional = |name| text(claims, name).ok().flatten().filter(|text| !text.contains('\0')).map(str::to_owned);
        let told = Self {
            external_id,
            organization,
            email: optional("email"),
            is_email_verified: claims.get("email_verified") == Some(&Value::Bool(true)),
            name: optional("name"),
            is_proved,
            claims: serde_json::to_string(&said).ok().ok_or(TokenError::Claims)?.into(),
            // One that is good for ever could not be taken back.
            expires_at: seconds(claims, "exp")?.ok_or(TokenError::ClaimType("exp"))?,
            begins_at: seconds(claims, "nbf")?,
        };
        told.check_time(now)?;
        Ok(told)
    }

    /// Checks that the token is good at a moment; done at every use.
    pub(super) fn check_time(&self, now: i64) -> Result<(), TokenError> {
        if now >= self.expires_at.saturating_add(SKEW_SECONDS) {
            return Err(TokenError::Expired);
        }
        if self.begins_at.is_some_and(|begins_at| now < begins_at.saturating_sub(SKEW_SECONDS)) {
            return Err(TokenError::NotYetValid);
        }
        Ok(())
    }
}

/// Reads an organisation: null and an empty text are none.
fn organization(value: &Value) -> Result<Option<String>, TokenError> {
    match value {
        Value::Null => Ok(None),
        Value::String(name) if name.len() <= 255 && !name.contains('\0') => Ok(Some(name.clone()).filter(|name| !name.is_empty())),
        _ => Err(TokenError::ClaimType("organization")),
    }
}

pub(super) fn at<'a>(claims: &'a Map<String, Value>, path: &str) -> Option<&'a Value> {
    // A name with dots in it, as Auth0 wants for claims of one's own, before one that goes deeper.
    if let Some(value) = claims.get(path) {
        return Some(value);
    }
    let (first, rest) = path.split_once('.')?;
    rest.split('.').try_fold(claims.get(first)?, |value, name| match value {
        Value::Array(list) => list.get(name.parse::<usize>().ok()?),
        value => value.get(name),
    })
}

fn check_audience(issuer: &IssuerConfig, claims: &Map<String, Value>) -> Result<(), TokenError> {
    let known = |name: &Value| name.as_str().is_some_and(|name| issuer.audiences.iter().any(|known| known == name));
    let is_meant = match claims.get("aud") {
        _ if issuer.audiences.is_empty() => true,
        Some(Value::Array(names)) => names.iter().any(known),
        Some(name) => known(name),
        None => false,
    };
    let party = text(claims, "azp")?;
    let is_party =
        issuer.authorized_parties.is_empty() || party.is_some_and(|party| issuer.authorized_parties.iter().any(|known| known == party));
    if is_meant && is_party { Ok(()) } else { Err(TokenError::Audience) }
}

/// Returns who says that he made a token, before anything of it is believed.
pub(super) fn claimed_issuer(token: &str) -> Option<String> {
    let payload = URL_SAFE_NO_PAD.decode(token.split('.').nth(1)?).ok()?;
    let claims = strict_json::object(&payload)?;
    text(&claims, "iss").ok().flatten().map(str::to_owned)
}

/// Returns the algorithm that a token names.
pub(super) fn algorithm(token: &str) -> Option<String> {
    let header = URL_SAFE_NO_PAD.decode(token.split('.').next()?).ok()?;
    strict_json::object(&header)?.get("alg")?.as_str().map(str::to_owned)
}

/// Says in our own words why a signature does not hold.
pub(super) fn refused(error: JwtError) -> TokenError {
    match error {
        JwtError::Parts(count) => TokenError::Parts(count),
        JwtError::Unsigned => TokenError::Algorithm,
        JwtError::Header => TokenError::Header,
        JwtError::Claims => TokenError::Claims,
        error if error == JwtError::NO_KEY => TokenError::UnknownKey,
        _ => TokenError::Signature,
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    const NOW: i64 = 1_795_262_400;

    fn clerk() -> IssuerConfig {
        IssuerConfig {
            issuer: "https://clerk.example.com".to_owned(),
            authorized_parties: vec!["https://app.example.com".to_owned()],
            ..IssuerConfig::default()
        }
    }

    /// The claims of a session token as Clerk documents them, version 2.
    fn session() -> Value {
        json!({
            "azp": "https://app.example.com", "exp": NOW + 60, "fva": [7, -1], "iat": NOW, "iss": "https://clerk.example.com",
            "jti": "a1b2c3d4e5f67890abcd", "nbf": NOW - 10, "sid": "sess_2nQv", "sts": "active", "sub": "user_2nQvAnn", "v": 2,
            "o": { "id": "org_2nQvBaker", "slg": "baker", "rol": "admin", "per": "read,manage", "fpm": "3" },
        })
    }

    fn told(issuer: &IssuerConfig, claims: &Value) -> Result<Told, TokenError> {
        Told::from_claims(issuer, claims.as_object().unwrap(), NOW)
    }

    fn with(mut claims: Value, name: &str, value: Value) -> Value {
        claims[name] = value;
        claims
    }

    #[test]
    fn both_versions_of_clerk_name_the_organization() {
        let two = told(&clerk(), &session()).unwrap();
        assert_eq!((two.external_id.as_str(), two.organization.as_deref()), ("user_2nQvAnn", Some("org_2nQvBaker")));
        let mut one = session();
        one.as_object_mut().unwrap().retain(|name, _| name != "o" && name != "v");
        assert_eq!(told(&clerk(), &one).unwrap().organization, None);
        let one = with(with(one, "org_id", json!("org_2nQvBaker")), "org_role", json!("org:admin"));
        assert_eq!(told(&clerk(), &one).unwrap().organization.as_deref(), Some("org_2nQvBaker"));
    }

    #[test]
    fn auth0_names_an_audience_among_others() {
        let auth0 = IssuerConfig {
            issuer: "https://baker.eu.auth0.com/".to_owned(),
            audiences: vec!["https://api.example.com".to_owned()],
            external_id_prefix: "auth0:".to_owned(),
            ..IssuerConfig::default()
        };
        let claims = json!({
            "iss": "https://baker.eu.auth0.com/", "sub": "auth0|507f1f77bcf86cd799439020", "azp": "my_client_id", "iat": NOW,
            "aud": ["https://api.example.com", "https://baker.eu.auth0.com/userinfo"], "exp": NOW + 86400, "scope": "openid profile",
            "org_id": "org_9ybsU1dN2dKfDkBi", "permissions": ["read:jobs"],
        });
        let told_of = told(&auth0, &claims).unwrap();
        assert_eq!(told_of.external_id, "auth0:auth0|507f1f77bcf86cd799439020");
        assert_eq!(told_of.organization.as_deref(), Some("org_9ybsU1dN2dKfDkBi"));
        let own = IssuerConfig { organization_claims: vec!["https://example.com/org".to_owned()], ..auth0.clone() };
        assert_eq!(told(&own, &with(claims.clone(), "https://example.com/org", json!("x"))).unwrap().organization.as_deref(), Some("x"));
        for other in [json!("https://other.example.com"), json!(["https://baker.eu.auth0.com/userinfo"]), json!([]), json!(null), json!(7)]
        {
            assert_eq!(told(&auth0, &with(claims.clone(), "aud", other)).unwrap_err(), TokenError::Audience);
        }
        // Without the slash it is another one.
        let almost = with(claims, "iss", json!("https://baker.eu.auth0.com"));
        assert_eq!(told(&auth0, &almost).unwrap_err(), TokenError::Issuer);
    }

    #[test]
    fn what_a_token_says_of_rights_is_left_out() {
        let forged = with(with(with(session(), "role", json!("service_role")), "company_id", json!("c")), "aal", json!("aal2"));
        let forged = with(with(forged, "app_metadata", json!({ "admin": true })), "session_id", json!("s"));
        let claims: Value = serde_json::from_str(&told(&clerk(), &forged).unwrap().claims).unwrap();
        for name in LEFT_OUT {
            assert_eq!(claims.get(name), None, "{name}");
        }
        assert_eq!(claims["sid"], "sess_2nQv");
    }

    #[test]
    fn what_does_not_hold_is_refused() {
        for (name, value, refused) in [
            ("exp", json!(NOW - 30), TokenError::Expired),
            ("exp", json!(null), TokenError::ClaimType("exp")),
            ("nbf", json!(NOW + 31), TokenError::NotYetValid),
            ("iat", json!(NOW + 31), TokenError::IssuedInFuture),
            ("sub", json!(""), TokenError::Subject),
            ("sub", json!(7), TokenError::ClaimType("sub")),
            ("sub", json!("x".repeat(256)), TokenError::Subject),
            ("azp", json!("https://evil.example.com"), TokenError::Audience),
            ("azp", json!(null), TokenError::Audience),
            ("org_id", json!(["org"]), TokenError::ClaimType("organization")),
        ] {
            assert_eq!(told(&clerk(), &with(session(), name, value)).unwrap_err(), refused, "{name}");
        }
    }
}
