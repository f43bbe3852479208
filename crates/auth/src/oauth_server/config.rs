//! What can be set about programs of others that people let act for them.
//!
//! Invariant: all of it is off until the operator says otherwise, and a program registers itself only where he says so, too.

use serde::{Deserialize, Serialize};
use url::Url;

/// The settings of the OAuth 2.1 server: programs of others that people let act for them.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct OauthServerConfig {
    /// Whether there is one.
    pub enabled: bool,
    /// Whether programs may register themselves.
    pub dynamic_registration: bool,
    /// The page on which people agree: a path of `auth.one_time.site_url`, or a whole address. `authorization_id` is added to it.
    pub consent_page: String,
    /// How long somebody may take to agree.
    pub authorization_seconds: u32,
    /// How long a code may be exchanged.
    pub code_seconds: u32,
    /// Addresses that a program may be registered with.
    pub redirect_uris_max: u32,
    /// Schemes without a dot that such an address of an app may have.
    pub redirect_schemes: Vec<String>,
    /// Programs that may have registered themselves.
    pub dynamic_clients_max: u32,
    /// Programs that may register themselves from one address in an hour.
    pub registrations_hour_max: u32,
    /// After how long a program that registered itself and that nobody agreed to is forgotten.
    pub unused_client_seconds: u32,
    /// Questions that one address may have open at once.
    pub authorizations_max: u32,
}

impl Default for OauthServerConfig {
    fn default() -> Self {
        Self {
            enabled: false,
            dynamic_registration: false,
            consent_page: "/oauth/consent".to_owned(),
            authorization_seconds: 600,
            code_seconds: 120,
            redirect_uris_max: 10,
            redirect_schemes: ["cursor", "vscode", "vscode-insiders"].map(str::to_owned).to_vec(),
            dynamic_clients_max: 10_000,
            registrations_hour_max: 20,
            unused_client_seconds: 30 * 24 * 3600,
            authorizations_max: 1000,
        }
    }
}

impl OauthServerConfig {
    pub(crate) fn faults(&self) -> [(bool, &'static str, &'static str); 9] {
        let is_page = self.consent_page.starts_with('/') && !self.consent_page.starts_with("//")
            || Url::parse(&self.consent_page).is_ok_and(|page| matches!(page.scheme(), "http" | "https") && page.fragment().is_none());
        let is_scheme = |scheme: &String| {
            let letters = |byte: u8| byte.is_ascii_lowercase() || byte.is_ascii_digit() || b"+-.".contains(&byte);
            scheme.starts_with(|c: char| c.is_ascii_lowercase()) && scheme.len() <= 100 && scheme.bytes().all(letters)
        };
        [
            (!is_page, "oauth_server.consent_page", "a path that begins with one slash, or an http or https URL"),
            (!(60..=3600).contains(&self.authorization_seconds), "oauth_server.authorization_seconds", "60 to 3600"),
            (!(10..=600).contains(&self.code_seconds), "oauth_server.code_seconds", "10 to 600"),
            (!(1..=100).contains(&self.redirect_uris_max), "oauth_server.redirect_uris_max", "1 to 100"),
            (!self.redirect_schemes.iter().all(is_scheme), "oauth_server.redirect_schemes", "schemes in small letters"),
            (!(1..=1_000_000).contains(&self.dynamic_clients_max), "oauth_server.dynamic_clients_max", "1 to 1000000"),
            (!(1..=10_000).contains(&self.registrations_hour_max), "oauth_server.registrations_hour_max", "1 to 10000"),
            (self.unused_client_seconds < 3600, "oauth_server.unused_client_seconds", "at least 3600"),
            (!(1..=100_000).contains(&self.authorizations_max), "oauth_server.authorizations_max", "1 to 100000"),
        ]
    }
}
