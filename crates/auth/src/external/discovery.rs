//! What providers say of themselves: their discovery documents and their keys, kept for a while.
//!
//! Invariant: a document counts only if it names the issuer that was asked (OpenID Connect Discovery 4.3), and every address in it is
//! followed no further than the one it came from was. Keys are asked for again when a token names one that is not known, not more often
//! than every half minute.

use std::sync::Arc;
use std::time::{Duration, Instant};

use kernel::Result;
use moka::future::Cache;
use outbound::http::{Bounds, Call, Http, HttpOptions, NamedBy};
use serde::Deserialize;
use serde_json::Value;
use url::Url;

use super::config::ExternalConfig;
use super::fault::Fault;
use super::provider::{Dialect, Endpoints, Provider};
use crate::alone::KeySet;

/// Names of one provider each: Google left the scheme away for years, Apple changed its name for a while without a word.
const ALIASES: &[[&str; 2]] =
    &[["https://accounts.google.com", "accounts.google.com"], ["https://appleid.apple.com", "https://account.apple.com"]];
/// Providers whose documents are kept at the same time.
const DOCUMENTS_MAX: u64 = 1000;
/// How often keys are asked for again.
const KEYS_PAUSE: Duration = Duration::from_secs(30);
/// In the place of a directory's id in the issuer that Microsoft's common document names.
const ANY_DIRECTORY: &str = "{tenantid}";

/// What providers are asked with, and what they said.
pub(crate) struct Documents {
    pub(crate) http: Http,
    found: Cache<Url, Arc<Document>>,
    keys: Cache<Url, Arc<Keys>>,
}

/// What a provider says of itself.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(crate) struct Document {
    /// What its tokens name; of Microsoft with `{tenantid}` in it.
    pub(crate) issuer: String,
    pub(crate) endpoints: Endpoints,
    /// Whether it says who it is wherever it sends a browser back.
    pub(crate) names_itself: bool,
}

/// Its keys, and since when they are known.
pub(crate) struct Keys {
    pub(crate) set: KeySet,
    since: Instant,
}

#[derive(Deserialize)]
struct Published {
    issuer: String,
    authorization_endpoint: String,
    token_endpoint: String,
    userinfo_endpoint: Option<String>,
    jwks_uri: String,
    #[serde(default)]
    authorization_response_iss_parameter_supported: bool,
}

impl Documents {
    pub(crate) fn new(config: &ExternalConfig) -> Result<Self> {
        let http = Http::new(HttpOptions {
            bounds: Bounds { bytes_max: config.answer_bytes_max, time: Duration::from_millis(config.provider_time_ms) },
            private_allowed: config.private_addresses_allowed,
        })?;
        let live = Duration::from_secs(config.document_seconds.into());
        Ok(Self {
            http,
            found: Cache::builder().max_capacity(DOCUMENTS_MAX).time_to_live(live).build(),
            keys: Cache::builder().max_capacity(DOCUMENTS_MAX).time_to_live(live).build(),
        })
    }

    /// Returns where a provider is spoken to, and what its tokens name as their issuer.
    pub(crate) async fn of(&self, provider: &Provider) -> std::result::Result<Arc<Document>, Fault> {
        if let Some(endpoints) = &provider.endpoints {
            return Ok(Arc::new(Document { issuer: provider.issuer.clone(), endpoints: endpoints.clone(), names_itself: false }));
        }
        if provider.dialect != Dialect::OpenId {
            return Err(Fault::Provider("it has no addresses".to_owned()));
        }
        let url = match &provider.discovery_url {
            Some(url) => url.clone(),
            None => Url::parse(&format!("{}/.well-known/openid-configuration", provider.issuer)).map_err(|error| Fault::broken(&error))?,
        };
        let found = self.found.try_get_with(url.clone(), async {
            let document = self.discover(&url, provider).await?;
            Ok::<_, Fault>(Arc::new(document))
        });
        found.await.map_err(|fault| (*fault).clone())
    }

    async fn discover(&self, url: &Url, provider: &Provider) -> std::result::Result<Document, Fault> {
        let document = read(&self.fetch(url, provider.named_by).await?, &provider.issuer)?;
        let Endpoints { authorization, token, userinfo, keys } = &document.endpoints;
        let all = [Some(authorization), Some(token), userinfo.as_ref(), keys.as_ref()];
        if provider.named_by == NamedBy::Client && !all.into_iter().flatten().all(|url| self.http.is_allowed(url)) {
            return Err(Fault::Provider("its document names an address that is not followed".to_owned()));
        }
        Ok(document)
    }

    /// Returns a provider's keys; asked for again if those that are known are older than a while and did not do.
    pub(crate) async fn keys(&self, url: &Url, named_by: NamedBy, again: bool) -> std::result::Result<Arc<Keys>, Fault> {
        if again && let Some(known) = self.keys.get(url).await {
            if known.since.elapsed() < KEYS_PAUSE {
                return Ok(known);
            }
            self.keys.invalidate(url).await;
        }
        let found = self.keys.try_get_with(url.clone(), async {
            let set = KeySet::published(&self.fetch(url, named_by).await?).ok_or_else(|| Fault::Provider("no keys".to_owned()))?;
            Ok::<_, Fault>(Arc::new(Keys { set, since: Instant::now() }))
        });
        found.await.map_err(|fault| (*fault).clone())
    }

    async fn fetch(&self, url: &Url, named_by: NamedBy) -> std::result::Result<Value, Fault> {
        let answer = self.http.send(Call::get(url, named_by)).await.map_err(|fault| Fault::broken(&fault))?;
        if answer.status != 200 {
            return Err(Fault::Provider(format!("{} answered {}", url.path(), answer.status.as_u16())));
        }
        serde_json::from_slice(&answer.body).map_err(|error| Fault::broken(&error))
    }
}

/// Reads a discovery document of the provider that was asked.
pub(super) fn read(document: &Value, asked: &str) -> std::result::Result<Document, Fault> {
    let published = Published::deserialize(document).map_err(|error| Fault::broken(&error))?;
    let issuer = published.issuer.trim_end_matches('/');
    // What stands in for every directory is named in the document of any of Microsoft's collections of them.
    let is_common = || {
        let host = |issuer: &str| issuer.split('/').take(3).map(str::to_owned).collect::<Vec<_>>();
        issuer.contains(ANY_DIRECTORY)
            && host(issuer) == host(asked)
            && ["common", "organizations", "consumers"].iter().any(|name| asked.ends_with(&format!("/{name}/v2.0")))
    };
    if !is_same(issuer, asked) && !is_common() {
        return Err(Fault::Provider("its document names another issuer".to_owned()));
    }
    Ok(Document {
        issuer: published.issuer,
        endpoints: Endpoints {
            authorization: address(&published.authorization_endpoint)?,
            token: address(&published.token_endpoint)?,
            userinfo: published.userinfo_endpoint.as_deref().map(address).transpose()?,
            keys: Some(address(&published.jwks_uri)?),
        },
        names_itself: published.authorization_response_iss_parameter_supported,
    })
}

fn address(text: &str) -> std::result::Result<Url, Fault> {
    let url = Url::parse(text).map_err(|error| Fault::broken(&error))?;
    let is_web = matches!(url.scheme(), "http" | "https") && url.has_host();
    is_web.then_some(url).ok_or_else(|| Fault::Provider("its document names what is no address".to_owned()))
}

impl Document {
    /// Tells whether a token of this issuer is the provider's.
    pub(crate) fn issued(&self, issuer: &str, directory: Option<&str>) -> bool {
        let own = self.issuer.as_str();
        if own.contains(ANY_DIRECTORY) {
            let directory = directory.filter(|id| uuid::Uuid::parse_str(id).is_ok());
            return directory.is_some_and(|id| own.replace(ANY_DIRECTORY, id) == issuer);
        }
        is_same(own, issuer)
    }

    /// Tells whether a browser that comes back may come from this provider, by what it brings of who sent it (RFC 9207).
    pub(crate) fn answers_as(&self, issuer: Option<&str>) -> bool {
        let Some(issuer) = issuer else { return !self.names_itself };
        match self.issuer.split_once(ANY_DIRECTORY) {
            Some((before, after)) => issuer.starts_with(before) && issuer.ends_with(after),
            None => is_same(&self.issuer, issuer),
        }
    }
}

fn is_same(one: &str, other: &str) -> bool {
    one == other || ALIASES.iter().any(|names| names.contains(&one) && names.contains(&other))
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    const DIRECTORY: &str = "9188040d-6c67-4c5b-b112-36a304b66dad";

    /// The part that counts of what Google, Microsoft and Apple publish below `.well-known/openid-configuration`.
    fn published() -> [(&'static str, Value, bool); 3] {
        [
            (
                "https://accounts.google.com",
                json!({
                    "issuer": "https://accounts.google.com",
                    "authorization_endpoint": "https://accounts.google.com/o/oauth2/v2/auth",
                    "token_endpoint": "https://oauth2.googleapis.com/token",
                    "userinfo_endpoint": "https://openidconnect.googleapis.com/v1/userinfo",
                    "jwks_uri": "https://www.googleapis.com/oauth2/v3/certs",
                    "response_types_supported": ["code", "token", "id_token"],
                    "id_token_signing_alg_values_supported": ["RS256"],
                    "code_challenge_methods_supported": ["plain", "S256"],
                }),
                true,
            ),
            (
                "https://login.microsoftonline.com/common/v2.0",
                json!({
                    "issuer": "https://login.microsoftonline.com/{tenantid}/v2.0",
                    "authorization_endpoint": "https://login.microsoftonline.com/common/oauth2/v2.0/authorize",
                    "token_endpoint": "https://login.microsoftonline.com/common/oauth2/v2.0/token",
                    "userinfo_endpoint": "https://graph.microsoft.com/oidc/userinfo",
                    "jwks_uri": "https://login.microsoftonline.com/common/discovery/v2.0/keys",
                    "response_modes_supported": ["query", "fragment", "form_post"],
                    "id_token_signing_alg_values_supported": ["RS256"],
                }),
                true,
            ),
            (
                "https://appleid.apple.com",
                json!({
                    "issuer": "https://appleid.apple.com",
                    "authorization_endpoint": "https://appleid.apple.com/auth/authorize",
                    "token_endpoint": "https://appleid.apple.com/auth/token",
                    "revocation_endpoint": "https://appleid.apple.com/auth/revoke",
                    "jwks_uri": "https://appleid.apple.com/auth/keys",
                    "response_modes_supported": ["query", "fragment", "form_post"],
                    "token_endpoint_auth_methods_supported": ["client_secret_post"],
                }),
                false,
            ),
        ]
    }

    #[test]
    fn the_documents_of_the_large_providers_are_understood() {
        for (asked, document, has_userinfo) in published() {
            let read = read(&document, asked).unwrap_or_else(|fault| panic!("{asked}: {fault}"));
            assert_eq!(read.endpoints.token.as_str(), document["token_endpoint"]);
            assert_eq!(read.endpoints.keys.unwrap().as_str(), document["jwks_uri"]);
            assert_eq!(read.endpoints.userinfo.is_some(), has_userinfo, "{asked}");
        }
    }

    #[test]
    fn a_token_is_of_the_issuer_that_was_asked() {
        let [google, microsoft, apple] = published().map(|(asked, document, _)| read(&document, asked).unwrap());
        assert!(google.issued("https://accounts.google.com", None) && google.issued("accounts.google.com", None));
        assert!(apple.issued("https://appleid.apple.com", None) && apple.issued("https://account.apple.com", None));
        let of = |directory: &str| format!("https://login.microsoftonline.com/{directory}/v2.0");
        assert!(microsoft.issued(&of(DIRECTORY), Some(DIRECTORY)));
        for (issuer, directory) in [
            (of(DIRECTORY), None),
            (of("{tenantid}"), Some("{tenantid}")),
            (of("common"), Some("common")),
            (of(DIRECTORY), Some("00000000-0000-0000-0000-000000000001")),
            ("https://accounts.google.com".to_owned(), Some(DIRECTORY)),
        ] {
            assert!(!microsoft.issued(&issuer, directory), "{issuer}");
        }
        assert!(!google.issued("https://appleid.apple.com", None) && !google.issued("https://accounts.google.com.evil.example", None));
    }

    #[test]
    fn a_browser_comes_from_whom_it_was_sent_to() {
        let [google, microsoft, _] = published().map(|(asked, document, _)| read(&document, asked).unwrap());
        assert!(google.answers_as(None) && google.answers_as(Some("https://accounts.google.com")));
        assert!(!google.answers_as(Some("https://evil.example")) && !google.answers_as(Some("")));
        let named = Document { names_itself: true, ..google };
        assert!(!named.answers_as(None) && named.answers_as(Some("https://accounts.google.com")));
        assert!(microsoft.answers_as(Some(&format!("https://login.microsoftonline.com/{DIRECTORY}/v2.0"))));
        assert!(!microsoft.answers_as(Some("https://evil.example/v2.0")));
    }

    #[test]
    fn a_document_of_another_issuer_is_none() {
        let [_, (_, microsoft, _), (_, apple, _)] = published();
        for (asked, document) in [
            ("https://accounts.google.com", &apple),
            // One directory is asked: what stands for any of them is not its document.
            ("https://login.microsoftonline.com/9188040d-6c67-4c5b-b112-36a304b66dad/v2.0", &microsoft),
            ("https://evil.example/common/v2.0", &microsoft),
            ("https://appleid.apple.com", &json!({ "issuer": "https://appleid.apple.com" })),
            ("https://appleid.apple.com", &json!([])),
        ] {
            assert!(read(document, asked).is_err(), "{asked}");
        }
        let mut changed = apple.clone();
        changed["token_endpoint"] = json!("file:///etc/passwd");
        assert!(read(&changed, "https://appleid.apple.com").is_err());
    }
}
