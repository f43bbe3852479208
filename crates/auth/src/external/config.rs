//! What can be set about the ways to sign in: with an address, a number, as nobody in particular, or with an account elsewhere.
//!
//! Invariant: whatever asks somebody else is off until an operator turns it on.

use std::path::PathBuf;

use kernel::Secret;
use serde::{Deserialize, Serialize};
use url::Url;

type Line = (bool, &'static str, &'static str);

/// The settings of accounts without an address or number.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct AnonymousConfig {
    /// Whether somebody may sign in without an address or number, to name one later or never.
    pub enabled: bool,
    /// How many such accounts one address of the network may make in an hour.
    pub client_hour_max: u32,
}

/// The settings of signing in with an account at a provider, and of the codes that applications exchange for a session.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct ExternalConfig {
    /// Whether people may add accounts at providers to their account, and take them away.
    pub manual_linking_enabled: bool,
    /// How long the code is good that an application exchanges for a session.
    pub code_seconds: u32,
    /// How long somebody may take at a provider.
    pub trip_seconds: u32,
    /// How long a provider may take for an answer.
    pub provider_time_ms: u64,
    /// The largest answer of a provider that is read.
    pub answer_bytes_max: usize,
    /// How long what a provider says of itself, its keys among it, is believed without asking again.
    pub document_seconds: u32,
    /// How many providers may be added over the API.
    pub custom_providers_max: u32,
    /// Whether providers that are added over the API may have private addresses, and none of TLS: for tests.
    pub private_addresses_allowed: bool,
    /// Addresses: signing up and in with one, by password, link or code.
    pub email: OwnConfig,
    /// Telephone numbers, likewise. Without somebody who sends SMS there are none in any case.
    pub phone: OwnConfig,
    /// Google.
    pub google: ProviderConfig,
    /// GitHub. `issuer` is its address, also of an own GitHub Enterprise Server.
    pub github: ProviderConfig,
    /// Microsoft. The last but one part of `issuer` is a directory, or `common`, `organizations` or `consumers`.
    pub azure: ProviderConfig,
    /// Apple.
    pub apple: AppleConfig,
    /// Any other provider that speaks OpenID Connect; clients call it `oidc`.
    pub oidc: ProviderConfig,
}

/// A way to sign in that asks no provider.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct OwnConfig {
    /// Whether people may sign up and in with it.
    pub enabled: bool,
}

/// One provider.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
#[expect(clippy::struct_excessive_bools, reason = "each is a setting of its own")]
pub struct ProviderConfig {
    /// Whether people may sign in with it.
    pub enabled: bool,
    /// What the provider calls this application.
    pub client_id: String,
    /// What it calls the applications on telephones whose ID tokens are taken, too.
    pub client_ids: Vec<String>,
    /// What this server proves itself with to the provider.
    pub client_secret: Option<Secret<String>>,
    /// The address of the provider, under which it describes itself.
    pub issuer: String,
    /// The address of its API, where that is another: of GitHub alone.
    pub api_url: String,
    /// What is asked for beside who somebody is.
    pub scopes: Vec<String>,
    /// Whether an address counts as verified that the provider says nothing about: for a directory of one's own.
    pub email_trusted: bool,
    /// Whether somebody may come without an address.
    pub email_optional: bool,
    /// Whether ID tokens are taken without the nonce that belongs to them.
    pub nonce_skipped: bool,
}

/// Apple, whose applications prove themselves with a key.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct AppleConfig {
    /// Whether people may sign in with it.
    pub enabled: bool,
    /// The services id.
    pub client_id: String,
    /// The bundle ids of applications whose ID tokens are taken, too.
    pub client_ids: Vec<String>,
    /// The team.
    pub team_id: String,
    /// The id of the key.
    pub key_id: String,
    /// The file of the key, as it was downloaded (`AuthKey_….p8`).
    pub key_file: Option<PathBuf>,
    /// The address of the provider, under which it describes itself.
    pub issuer: String,
}

impl AnonymousConfig {
    pub(crate) fn faults(&self) -> [Line; 1] {
        [(!(1..=1_000_000).contains(&self.client_hour_max), "anonymous.client_hour_max", "1 to 1000000")]
    }
}

impl ExternalConfig {
    pub(crate) fn faults(&self) -> Vec<Line> {
        let named = |config: &ProviderConfig| !config.enabled || !config.client_id.is_empty();
        let web = |address: &str| Url::parse(address).is_ok_and(|url| matches!(url.scheme(), "http" | "https") && url.has_host());
        let apple = &self.apple;
        let apple_proves = !apple.enabled || (apple.key_file.is_some() && !apple.team_id.is_empty() && !apple.key_id.is_empty());
        vec![
            (!(30..=3600).contains(&self.code_seconds), "external.code_seconds", "30 to 3600"),
            (!(60..=3600).contains(&self.trip_seconds), "external.trip_seconds", "60 to 3600"),
            (!(100..=30_000).contains(&self.provider_time_ms), "external.provider_time_ms", "100 to 30000"),
            (!(4096..=16_777_216).contains(&self.answer_bytes_max), "external.answer_bytes_max", "4096 to 16777216"),
            (!(60..=86_400).contains(&self.document_seconds), "external.document_seconds", "60 to 86400"),
            (self.custom_providers_max > 10_000, "external.custom_providers_max", "0 to 10000"),
            (!named(&self.google), "external.google.client_id", SET),
            (!named(&self.github), "external.github.client_id", SET),
            (!named(&self.azure), "external.azure.client_id", SET),
            (apple.enabled && apple.client_id.is_empty(), "external.apple.client_id", SET),
            (!apple_proves, "external.apple.key_file", "set where enabled, with team_id and key_id"),
            (!named(&self.oidc), "external.oidc.client_id", SET),
            (!web(&self.google.issuer), "external.google.issuer", URL),
            (!web(&self.github.issuer), "external.github.issuer", URL),
            (!web(&self.github.api_url), "external.github.api_url", URL),
            (!web(&self.azure.issuer), "external.azure.issuer", URL),
            (!web(&apple.issuer), "external.apple.issuer", URL),
            (self.oidc.enabled && !web(&self.oidc.issuer), "external.oidc.issuer", "an http or https URL where enabled"),
        ]
    }
}

const SET: &str = "set where enabled";
const URL: &str = "an http or https URL";

impl Default for AnonymousConfig {
    fn default() -> Self {
        Self { enabled: false, client_hour_max: 30 }
    }
}

impl Default for ExternalConfig {
    fn default() -> Self {
        let at = |issuer: &str| ProviderConfig { issuer: issuer.to_owned(), ..ProviderConfig::default() };
        Self {
            manual_linking_enabled: false,
            code_seconds: 300,
            trip_seconds: 600,
            provider_time_ms: 10_000,
            answer_bytes_max: 1_048_576,
            document_seconds: 3600,
            custom_providers_max: 100,
            private_addresses_allowed: false,
            email: OwnConfig::default(),
            phone: OwnConfig::default(),
            google: at("https://accounts.google.com"),
            github: ProviderConfig { api_url: "https://api.github.com".to_owned(), ..at("https://github.com") },
            azure: at("https://login.microsoftonline.com/common/v2.0"),
            apple: AppleConfig::default(),
            oidc: ProviderConfig::default(),
        }
    }
}

impl Default for OwnConfig {
    fn default() -> Self {
        Self { enabled: true }
    }
}

impl Default for AppleConfig {
    fn default() -> Self {
        Self {
            enabled: false,
            client_id: String::new(),
            client_ids: Vec::new(),
            team_id: String::new(),
            key_id: String::new(),
            key_file: None,
            issuer: "https://appleid.apple.com".to_owned(),
        }
    }
}
