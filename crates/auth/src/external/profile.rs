//! Who somebody is at a provider.
//!
//! Invariant: an address counts as verified only if the provider says so, in the way that this provider does. Nothing that a provider says
//! is kept beyond a bounded size.

use kernel::Secret;
use outbound::http::Call;
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value, json};

use super::discovery::{Document, Documents};
use super::fault::Fault;
use super::provider::{Dialect, Provider};
use crate::input::Email;

/// The longest text of a claim that is kept.
const CLAIM_BYTES_MAX: usize = 1024;
const SUBJECT_BYTES_MAX: usize = 255;

/// Somebody at a provider.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Profile {
    /// What the provider knows him by, for ever.
    pub(crate) subject: String,
    /// In the form in which it is compared.
    pub(crate) email: Option<String>,
    pub(crate) email_verified: bool,
    /// What becomes the identity's data.
    pub(crate) data: Map<String, Value>,
}

/// What is known of people, and the claims that say it: ours, and the usual one of providers.
const KNOWN: &[(&str, &str)] = &[
    ("name", "name"),
    ("full_name", "name"),
    ("given_name", "given_name"),
    ("family_name", "family_name"),
    ("nickname", "nickname"),
    ("preferred_username", "preferred_username"),
    ("user_name", "preferred_username"),
    ("picture", "picture"),
    ("avatar_url", "picture"),
    ("locale", "locale"),
];

impl Profile {
    /// Reads claims.
    pub(crate) fn read(provider: &Provider, issuer: &str, claims: &Map<String, Value>) -> Result<Self, Fault> {
        let said = |usual: &str| claims.get(provider.claim(usual));
        let subject = match said("sub") {
            Some(Value::String(text)) => text.clone(),
            Some(Value::Number(number)) => number.to_string(),
            _ => String::new(),
        };
        if subject.is_empty() || subject.len() > SUBJECT_BYTES_MAX || subject.contains('\0') {
            return Err(Fault::Provider("it does not say who somebody is".to_owned()));
        }
        let email = said("email").and_then(Value::as_str).and_then(|text| Email::parse(text).ok()).map(|email| email.as_str().to_owned());
        let vouched = said("email_verified").filter(|said| !said.is_null());
        let email_verified = email.is_some() && vouched.map_or(provider.email_trusted, is_true);
        let mut data = Map::new();
        data.insert("iss".to_owned(), json!(issuer));
        data.insert("sub".to_owned(), json!(subject));
        data.insert("provider_id".to_owned(), json!(subject));
        for (ours, usual) in KNOWN {
            if let Some(value) = said(usual).filter(|value| is_small(value) && value.is_string()) {
                data.insert((*ours).to_owned(), value.clone());
            }
        }
        if let Some(email) = &email {
            data.insert("email".to_owned(), json!(email));
        }
        data.insert("email_verified".to_owned(), json!(email_verified));
        data.insert("phone_verified".to_owned(), json!(false));
        let kept = provider.custom_claims.iter().filter_map(|name| claims.get(name).map(|value| (name.clone(), value.clone())));
        let kept: Map<String, Value> = kept.filter(|(_, value)| is_small(value)).collect();
        if !kept.is_empty() {
            data.insert("custom_claims".to_owned(), Value::Object(kept));
        }
        Ok(Self { subject, email, email_verified, data })
    }

    /// Adds a name that came beside the claims, where they have none.
    pub(crate) fn named(mut self, name: &str) -> Self {
        let name = name.trim();
        if !name.is_empty() && name.len() <= CLAIM_BYTES_MAX && !name.contains('\0') && !self.data.contains_key("name") {
            self.data.insert("name".to_owned(), json!(name));
            self.data.insert("full_name".to_owned(), json!(name));
        }
        self
    }
}

/// Asks a provider that knows no ID tokens who somebody is, or one that does for what its token leaves out.
pub(crate) async fn ask(
    documents: &Documents,
    provider: &Provider,
    document: &Document,
    access_token: &Secret<String>,
) -> Result<Map<String, Value>, Fault> {
    let url = document.endpoints.userinfo.as_ref().ok_or_else(|| Fault::Provider("it does not say who somebody is".to_owned()))?;
    let fetch = async |url: &url::Url| {
        let call = Call::get(url, provider.named_by).with_bearer(access_token.expose());
        let answer = documents.http.send(call).await.map_err(|fault| Fault::broken(&fault))?;
        if answer.status != 200 {
            return Err(Fault::Provider(format!("{} answered {}", url.path(), answer.status.as_u16())));
        }
        serde_json::from_slice::<Value>(&answer.body).map_err(|error| Fault::broken(&error))
    };
    let object = |value| if let Value::Object(object) = value { Ok(object) } else { Err(Fault::Provider("no object".to_owned())) };
    let claims = object(fetch(url).await?)?;
    if provider.dialect != Dialect::GitHub {
        return Ok(claims);
    }
    let mut emails = url.clone();
    emails.set_path(&format!("{}/emails", url.path()));
    Ok(of_github(&claims, &fetch(&emails).await?))
}

/// Returns what GitHub says in the words of OpenID Connect. The address in its profile is what somebody wishes to show; which one is his
/// stands in the list.
fn of_github(user: &Map<String, Value>, emails: &Value) -> Map<String, Value> {
    let mut claims = Map::new();
    for (usual, theirs) in [("sub", "id"), ("name", "name"), ("preferred_username", "login"), ("picture", "avatar_url")] {
        if let Some(value) = user.get(theirs).filter(|value| !value.is_null()) {
            claims.insert(usual.to_owned(), value.clone());
        }
    }
    let primary = emails.as_array().and_then(|list| list.iter().find(|one| one["primary"] == true));
    if let Some(primary) = primary {
        claims.insert("email".to_owned(), primary["email"].clone());
        claims.insert("email_verified".to_owned(), json!(primary["verified"] == true));
    }
    claims
}

/// Some providers write what is true as a text or a number.
fn is_true(value: &Value) -> bool {
    matches!(value, Value::Bool(true)) || value.as_str().is_some_and(|text| matches!(text, "true" | "1")) || value.as_i64() == Some(1)
}

fn is_small(value: &Value) -> bool {
    let text = value.to_string();
    text.len() <= CLAIM_BYTES_MAX && !text.contains("\\u0000")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn object(value: Value) -> Map<String, Value> {
        let Value::Object(object) = value else { panic!("no object") };
        object
    }

    fn provider() -> Provider {
        Provider::new("google", Dialect::OpenId, "https://accounts.google.com")
    }

    #[test]
    fn claims_become_a_profile() {
        let provider = Provider { custom_claims: vec!["hd".to_owned()], ..provider() };
        let claims = json!({ "sub": "110", "email": "Ann@Example.com", "email_verified": true, "name": "Ann Lee", "hd": "example.com",
                             "picture": "https://lh3.example.com/a", "at_hash": "x", "locale": "en" });
        let profile = Profile::read(&provider, "https://accounts.google.com", &object(claims)).unwrap();
        assert_eq!((profile.subject.as_str(), profile.email_verified), ("110", true));
        assert_eq!(
            Value::Object(profile.data),
            json!({ "iss": "https://accounts.google.com", "sub": "110", "provider_id": "110", "name": "Ann Lee", "full_name": "Ann Lee",
                    "picture": "https://lh3.example.com/a", "avatar_url": "https://lh3.example.com/a", "locale": "en",
                    "email": "ann@example.com", "email_verified": true, "phone_verified": false, "custom_claims": { "hd": "example.com" } })
        );
    }

    #[test]
    fn an_address_is_verified_only_if_it_is_said() {
        let read = |provider: &Provider, claims: Value| Profile::read(provider, "i", &object(claims)).unwrap().email_verified;
        for (said, verified) in
            [(json!(true), true), (json!("true"), true), (json!(false), false), (json!("no"), false), (Value::Null, false)]
        {
            let claims = json!({ "sub": "1", "email": "a@example.com", "email_verified": said });
            assert_eq!(read(&provider(), claims), verified, "{said}");
        }
        assert!(!read(&provider(), json!({ "sub": "1", "email": "a@example.com" })));
        assert!(!read(&provider(), json!({ "sub": "1", "email": "no address", "email_verified": true })));
        // A directory of Microsoft's says it otherwise, and what else it says counts for nothing.
        let claims = Map::from_iter([("email_verified".to_owned(), json!("xms_edov"))]);
        let azure = Provider { claims, ..provider() };
        assert!(!read(&azure, json!({ "sub": "1", "email": "a@example.com", "email_verified": true })));
        assert!(read(&azure, json!({ "sub": "1", "email": "a@example.com", "xms_edov": "1" })));
        let trusted = Provider { email_trusted: true, ..provider() };
        assert!(read(&trusted, json!({ "sub": "1", "email": "a@example.com" })));
        assert!(!read(&trusted, json!({ "sub": "1", "email": "a@example.com", "email_verified": false })));
    }

    #[test]
    fn of_the_addresses_at_github_the_primary_one_counts() {
        let user =
            object(json!({ "id": 583_231, "login": "octocat", "name": null, "email": "shown@example.com", "avatar_url": "https://a" }));
        let emails = json!([{ "email": "other@example.com", "primary": false, "verified": true },
                            { "email": "octocat@example.com", "primary": true, "verified": true }]);
        let claims = of_github(&user, &emails);
        assert_eq!(
            Value::Object(claims.clone()),
            json!({ "sub": 583_231, "preferred_username": "octocat", "picture": "https://a", "email": "octocat@example.com",
                    "email_verified": true })
        );
        let profile = Profile::read(&provider(), "https://api.github.com", &claims).unwrap();
        assert_eq!((profile.subject.as_str(), &profile.data["user_name"]), ("583231", &json!("octocat")));
        let unverified = of_github(&user, &json!([{ "email": "octocat@example.com", "primary": true, "verified": false }]));
        assert_eq!(unverified["email_verified"], false);
        assert!(!of_github(&user, &json!({})).contains_key("email"));
    }

    #[test]
    fn what_is_too_large_is_left_out_and_nobody_is_refused() {
        let claims = json!({ "sub": "1", "name": "x".repeat(2000), "picture": 7, "nickname": "a\u{0}" });
        let data = Profile::read(&provider(), "i", &object(claims)).unwrap().data;
        assert!(!data.contains_key("name") && !data.contains_key("picture") && !data.contains_key("nickname"));
        for nobody in [json!({}), json!({ "sub": "" }), json!({ "sub": "x".repeat(256) }), json!({ "sub": null })] {
            assert!(Profile::read(&provider(), "i", &object(nobody)).is_err());
        }
    }
}
