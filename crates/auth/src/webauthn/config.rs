//! What can be set about security keys and passkeys.
//!
//! Invariant: whoever may ask for keys is of the domain that they are made for; anything else stops the start.

use serde::{Deserialize, Serialize};
use url::{Host, Url};

/// What an application on Android calls itself.
const ANDROID: &str = "android:apk-key-hash:";

/// The settings of security keys and passkeys.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct WebauthnConfig {
    /// The domain that keys are made for: a key of one domain is of no use for another. The host of `site_url` if not set.
    pub rp_id: Option<String>,
    /// The name that people see when they make a key; empty: the domain.
    pub rp_name: String,
    /// Who may ask for keys: pages such as `https://app.example.com`, applications such as `android:apk-key-hash:…`. The site if none.
    pub origins: Vec<String>,
    /// Whether people add passkeys and sign in with them.
    pub passkeys_enabled: bool,
    /// Whether a passkey counts only where the device made sure that its owner uses it: by a finger, a face or a PIN.
    pub passkeys_verified: bool,
    /// How many passkeys an account may have.
    pub passkeys_max: u32,
    /// How long a passkey may be asked for.
    pub challenge_seconds: u32,
}

impl Default for WebauthnConfig {
    fn default() -> Self {
        Self {
            rp_id: None,
            rp_name: String::new(),
            origins: Vec::new(),
            passkeys_enabled: true,
            passkeys_verified: true,
            passkeys_max: 10,
            challenge_seconds: 300,
        }
    }
}

impl WebauthnConfig {
    pub(crate) fn faults(&self) -> [(bool, &'static str, &'static str); 5] {
        let domain = self.rp_id.as_deref();
        let is_domain = |name: &str| matches!(Host::parse(name), Ok(Host::Domain(parsed)) if parsed == name);
        let origins: Option<Vec<Url>> = self.origins.iter().map(|text| origin(text)).collect();
        let fit = origins.is_some_and(|origins| domain.is_none_or(|domain| origins.iter().all(|origin| is_of(origin, domain))));
        [
            (domain.is_some_and(|name| !is_domain(name)), "webauthn.rp_id", "a domain such as example.com"),
            (self.rp_name.chars().count() > 200, "webauthn.rp_name", "at most 200 characters"),
            (!fit, "webauthn.origins", "https origins of rp_id such as https://app.example.com, or android:apk-key-hash:…"),
            (!(1..=100).contains(&self.passkeys_max), "webauthn.passkeys_max", "1 to 100"),
            (!(30..=3600).contains(&self.challenge_seconds), "webauthn.challenge_seconds", "30 to 3600"),
        ]
    }
}

/// Reads who may ask for keys. Without TLS only pages on the same machine may.
pub(super) fn origin(text: &str) -> Option<Url> {
    let url = Url::parse(text).ok()?;
    let is_page = url.path() == "/" && url.query().is_none() && url.fragment().is_none() && url.username().is_empty();
    let is_safe = url.scheme() == "https" || (url.scheme() == "http" && url.host_str() == Some("localhost"));
    let is_known = text.strip_prefix(ANDROID).is_some_and(|hash| !hash.is_empty()) || (is_page && is_safe && url.domain().is_some());
    is_known.then_some(url)
}

/// Tells whether who asks is of the domain. Applications are bound to it by a file on its site.
pub(super) fn is_of(origin: &Url, domain: &str) -> bool {
    let inner = |host: &str| host.strip_suffix(domain).is_some_and(|rest| rest.ends_with('.'));
    origin.domain().map_or(origin.scheme() == "android", |host| host == domain || inner(host))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn keys(rp_id: Option<&str>, origins: &[&str]) -> Vec<&'static str> {
        let origins = origins.iter().map(|origin| (*origin).to_owned()).collect();
        let config = WebauthnConfig { rp_id: rp_id.map(str::to_owned), origins, ..WebauthnConfig::default() };
        config.faults().into_iter().filter(|fault| fault.0).map(|fault| fault.1).collect()
    }

    #[test]
    fn who_asks_is_of_the_domain() {
        assert!(keys(None, &[]).is_empty());
        assert!(keys(Some("example.com"), &["https://example.com", "https://app.example.com:8443", "android:apk-key-hash:x1"]).is_empty());
        assert!(keys(Some("localhost"), &["http://localhost:3000"]).is_empty());
        for wrong in
            ["http://example.com", "https://example.org", "https://badexample.com", "https://example.com/x", "https://127.0.0.1", "x"]
        {
            assert_eq!(keys(Some("example.com"), &[wrong]), ["webauthn.origins"], "{wrong}");
        }
        for wrong in ["", "https://example.com", "127.0.0.1", "EXAMPLE.com", "example.com:80"] {
            assert_eq!(keys(Some(wrong), &[]), ["webauthn.rp_id"], "{wrong}");
        }
    }
}
