//! The providers that people sign in with, as data: what is known of each before it is asked.
//!
//! Invariant: a provider that is off is not there. What a configuration says of a provider comes from the operator; what the API says of
//! one is followed to the public internet only.

use std::path::Path;

use jsonwebtoken::EncodingKey;
use kernel::{Error, Result, Secret};
use outbound::http::NamedBy;
use serde_json::{Map, Value};
use url::Url;

use super::config::{AppleConfig, ExternalConfig, ProviderConfig};

/// How a provider is spoken to.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Dialect {
    /// OpenID Connect, with discovery.
    OpenId,
    /// OAuth 2.0 with an address that says who somebody is.
    OAuth,
    /// OAuth 2.0 with GitHub's API.
    GitHub,
}

/// What an application proves itself with.
#[derive(Clone)]
pub(crate) enum Proof {
    Nothing,
    Secret(Secret<String>),
    /// A token that is signed anew each time.
    Apple(AppleKey),
}

#[derive(Clone)]
pub(crate) struct AppleKey {
    pub(super) team_id: String,
    pub(super) key_id: String,
    pub(super) key: EncodingKey,
}

/// Where a provider is spoken to.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(crate) struct Endpoints {
    pub(crate) authorization: Url,
    pub(crate) token: Url,
    pub(crate) userinfo: Option<Url>,
    pub(crate) keys: Option<Url>,
}

/// A provider.
#[derive(Clone)]
#[expect(clippy::struct_excessive_bools, reason = "each is something that providers differ in")]
pub(crate) struct Provider {
    /// What clients call it, and identities with it.
    pub(crate) name: String,
    pub(crate) dialect: Dialect,
    pub(crate) named_by: NamedBy,
    pub(crate) issuer: String,
    /// Where it describes itself, if not below its issuer.
    pub(crate) discovery_url: Option<Url>,
    /// Where it is spoken to; found by discovery where it is not known.
    pub(crate) endpoints: Option<Endpoints>,
    pub(crate) client_id: String,
    /// Further audiences of ID tokens.
    pub(crate) client_ids: Vec<String>,
    pub(crate) proof: Proof,
    pub(crate) scopes: Vec<String>,
    /// What else is sent along when somebody goes there.
    pub(crate) parameters: Vec<(String, String)>,
    /// The answer comes as a form that the browser posts.
    pub(crate) posts_form: bool,
    pub(crate) pkce: bool,
    pub(crate) nonce_skipped: bool,
    pub(crate) email_trusted: bool,
    pub(crate) email_optional: bool,
    /// Which claim says what, where it is not the usual one.
    pub(crate) claims: Map<String, Value>,
    /// Claims that are kept as they are.
    pub(crate) custom_claims: Vec<String>,
}

impl Provider {
    /// Returns what is the same for most.
    pub(super) fn new(name: &str, dialect: Dialect, issuer: &str) -> Self {
        Self {
            name: name.to_owned(),
            dialect,
            named_by: NamedBy::Operator,
            issuer: issuer.trim_end_matches('/').to_owned(),
            discovery_url: None,
            endpoints: None,
            client_id: String::new(),
            client_ids: Vec::new(),
            proof: Proof::Nothing,
            scopes: Vec::new(),
            parameters: Vec::new(),
            posts_form: false,
            pkce: true,
            nonce_skipped: false,
            email_trusted: false,
            email_optional: false,
            claims: Map::new(),
            custom_claims: Vec::new(),
        }
    }

    fn configured(name: &str, dialect: Dialect, scopes: &[&str], config: &ProviderConfig) -> Self {
        let secret = config.client_secret.clone();
        let usual = scopes.iter().map(|scope| (*scope).to_owned());
        Self {
            client_id: config.client_id.clone(),
            client_ids: config.client_ids.clone(),
            proof: secret.map_or(Proof::Nothing, Proof::Secret),
            scopes: usual.chain(config.scopes.iter().cloned()).collect(),
            email_trusted: config.email_trusted,
            email_optional: config.email_optional,
            nonce_skipped: config.nonce_skipped,
            ..Self::new(name, dialect, &config.issuer)
        }
    }

    fn apple(config: &AppleConfig) -> Result<Self> {
        let key = AppleKey { team_id: config.team_id.clone(), key_id: config.key_id.clone(), key: apple_key(config.key_file.as_deref())? };
        Ok(Self {
            client_id: config.client_id.clone(),
            client_ids: config.client_ids.clone(),
            proof: Proof::Apple(key),
            scopes: ["openid", "email", "name"].map(str::to_owned).to_vec(),
            // With a name among the scopes there is no other way.
            posts_form: true,
            parameters: vec![("response_mode".to_owned(), "form_post".to_owned())],
            pkce: false,
            // Who hides his address gets one of Apple's, which it forwards.
            ..Self::new("apple", Dialect::OpenId, &config.issuer)
        })
    }

    /// Tells whether an ID token may be for this audience.
    pub(crate) fn takes_audience(&self, audience: &str) -> bool {
        !audience.is_empty() && (self.client_id == audience || self.client_ids.iter().any(|id| id == audience))
    }

    /// Returns the claim that says something.
    pub(crate) fn claim<'a>(&'a self, usual: &'a str) -> &'a str {
        self.claims.get(usual).and_then(Value::as_str).unwrap_or(usual)
    }
}

/// Returns the providers of a configuration. Fails when a key cannot be read.
pub(crate) fn configured(config: &ExternalConfig) -> Result<Vec<Provider>> {
    let mut found = Vec::new();
    let openid = ["openid", "email", "profile"];
    if config.google.enabled {
        let google = Provider::configured("google", Dialect::OpenId, &openid, &config.google);
        found.push(Provider { custom_claims: vec!["hd".to_owned()], ..google });
    }
    if config.github.enabled {
        let github = Provider::configured("github", Dialect::GitHub, &["read:user", "user:email"], &config.github);
        found.push(Provider { endpoints: Some(github_endpoints(&config.github)?), ..github });
    }
    if config.azure.enabled {
        let azure = Provider::configured("azure", Dialect::OpenId, &openid, &config.azure);
        // A directory writes what it likes into `email`; only this claim says that it owns the domain.
        let claims = Map::from_iter([("email_verified".to_owned(), "xms_edov".into())]);
        found.push(Provider { claims, custom_claims: vec!["tid".to_owned()], ..azure });
    }
    if config.apple.enabled {
        found.push(Provider::apple(&config.apple)?);
    }
    if config.oidc.enabled {
        found.push(Provider::configured("oidc", Dialect::OpenId, &openid, &config.oidc));
    }
    Ok(found)
}

fn github_endpoints(config: &ProviderConfig) -> Result<Endpoints> {
    let (site, api) = (config.issuer.trim_end_matches('/'), config.api_url.trim_end_matches('/'));
    let at = |address: String| Url::parse(&address).map_err(|error| Error::internal(format!("auth.external.github: {error}")));
    Ok(Endpoints {
        authorization: at(format!("{site}/login/oauth/authorize"))?,
        token: at(format!("{site}/login/oauth/access_token"))?,
        userinfo: Some(at(format!("{api}/user"))?),
        keys: None,
    })
}

fn apple_key(file: Option<&Path>) -> Result<EncodingKey> {
    let unusable = |error: &dyn std::fmt::Display| Error::internal(format!("auth.external.apple.key_file: {error}"));
    let file = file.ok_or_else(|| unusable(&"not set"))?;
    let text = std::fs::read(file).map_err(|error| unusable(&error))?;
    EncodingKey::from_ec_pem(&text).map_err(|error| unusable(&error))
}
