//! Which other issuers' tokens are accepted, and how their keys are fetched.
//!
//! Invariant: what an issuer is believed is written here; nothing in a token adds an issuer, a key or an algorithm.

use std::path::PathBuf;

use serde::{Deserialize, Serialize};
use url::Url;

pub use super::second_factor::SecondFactor;

/// Algorithms with a public key. A shared secret is none that another issuer would tell us.
const ALGORITHMS: &[&str] = &["RS256", "RS384", "RS512", "PS256", "PS384", "PS512", "ES256", "ES384", "ES512", "EdDSA"];

/// Issuers whose tokens are accepted beside our own.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct IssuersConfig {
    /// One table for each, `[[auth.issuers.list]]`, as the guide to outside issuers shows.
    pub list: Vec<IssuerConfig>,
    /// How long keys are used before they are fetched anew.
    pub keys_seconds: u32,
    /// The shortest time between two fetches, also where a token names a key that is not known.
    pub refetch_seconds: u32,
    /// How long keys are used on where the issuer does not answer.
    pub stale_seconds: u32,
    /// Milliseconds that an answer of an issuer may take.
    pub fetch_time_ms: u32,
    /// The largest answer of an issuer.
    pub answer_bytes_max: u32,
}

/// One issuer.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct IssuerConfig {
    /// The claim `iss`, exactly.
    pub issuer: String,
    /// Of these one has to stand in `aud`.
    pub audiences: Vec<String>,
    /// Of these one has to be `azp`.
    pub authorized_parties: Vec<String>,
    /// Where the keys are. Without it and without a file they are found by discovery.
    pub jwks_url: Option<String>,
    /// A file of keys.
    pub jwks_file: Option<PathBuf>,
    /// What tokens may be signed with; RS256 if none is named.
    pub algorithms: Vec<String>,
    /// Claims that may name the organisation, the first that is there counts; dots go deeper. `org_id` and `o.id` if none is named.
    pub organization_claims: Vec<String>,
    /// What stands before an issuer's `sub` in `users.external_id`. Several issuers must have different ones.
    pub external_id_prefix: String,
    /// Whether an account is made for somebody unknown.
    pub create_users: bool,
    /// Claims by which the issuer tells that a second factor was proved; one of them is enough. Without any none was.
    pub second_factors: Vec<SecondFactor>,
    /// Whether the issuer gives tokens to nobody without a second factor.
    pub second_factor_always: bool,
}

impl Default for IssuersConfig {
    fn default() -> Self {
        Self {
            list: Vec::new(),
            keys_seconds: 3600,
            refetch_seconds: 60,
            stale_seconds: 86_400,
            fetch_time_ms: 5000,
            answer_bytes_max: 262_144,
        }
    }
}

impl IssuerConfig {
    pub(super) fn accepts(&self, algorithm: &str) -> bool {
        if self.algorithms.is_empty() { algorithm == "RS256" } else { self.algorithms.iter().any(|accepted| accepted == algorithm) }
    }

    pub(super) fn organization_claims(&self) -> impl Iterator<Item = &str> {
        let usual: &[&str] = if self.organization_claims.is_empty() { &["org_id", "o.id"] } else { &[] };
        self.organization_claims.iter().map(String::as_str).chain(usual.iter().copied())
    }

    fn is_usable(&self) -> bool {
        let known = |algorithm: &String| ALGORITHMS.contains(&algorithm.as_str());
        is_fetched_from(&self.issuer)
            && self.jwks_url.as_deref().is_none_or(is_fetched_from)
            && !(self.jwks_url.is_some() && self.jwks_file.is_some())
            && self.algorithms.iter().all(known)
            && self.second_factors.iter().all(SecondFactor::is_usable)
            // Without either a token that the issuer made for another program would be good here.
            && !(self.audiences.is_empty() && self.authorized_parties.is_empty())
            && self.external_id_prefix.len() <= 100
    }
}

/// Tells whether keys may come from an address: nobody between may have changed them.
pub(super) fn is_fetched_from(text: &str) -> bool {
    let is_here = |url: &Url| match url.host() {
        Some(url::Host::Domain(name)) => name == "localhost",
        Some(url::Host::Ipv4(address)) => address.is_loopback(),
        Some(url::Host::Ipv6(address)) => address.is_loopback(),
        None => false,
    };
    Url::parse(text).is_ok_and(|url| {
        url.has_host() && url.username().is_empty() && (url.scheme() == "https" || url.scheme() == "http" && is_here(&url))
    })
}

impl IssuersConfig {
    pub(crate) fn faults(&self) -> [(bool, &'static str, &'static str); 7] {
        let is_apart = |one: &IssuerConfig, other: &IssuerConfig| {
            one.issuer != other.issuer
                && !one.external_id_prefix.starts_with(&other.external_id_prefix)
                && !other.external_id_prefix.starts_with(&one.external_id_prefix)
        };
        let apart = self.list.iter().enumerate().all(|(at, one)| self.list.iter().skip(at + 1).all(|other| is_apart(one, other)));
        let usable = self.list.iter().all(IssuerConfig::is_usable);
        [
            (
                !usable,
                "issuers.list",
                "tables with an https issuer, audiences or authorized_parties, at most one of jwks_url and jwks_file, algorithms with public keys, and second_factors with a claim and either values or at_most",
            ),
            (!apart, "issuers.list", "issuers each with an external_id_prefix that does not begin another one's"),
            (!(60..=86_400).contains(&self.keys_seconds), "issuers.keys_seconds", "60 to 86400"),
            (!(1..=3600).contains(&self.refetch_seconds), "issuers.refetch_seconds", "1 to 3600"),
            (self.stale_seconds > 604_800, "issuers.stale_seconds", "0 to 604800"),
            (!(100..=30_000).contains(&self.fetch_time_ms), "issuers.fetch_time_ms", "100 to 30000"),
            (!(1024..=10_485_760).contains(&self.answer_bytes_max), "issuers.answer_bytes_max", "1024 to 10485760"),
        ]
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn clerk() -> IssuerConfig {
        IssuerConfig {
            issuer: "https://clerk.example.com".to_owned(),
            authorized_parties: vec!["https://app.example.com".to_owned()],
            ..IssuerConfig::default()
        }
    }

    fn refused(list: Vec<IssuerConfig>) -> bool {
        IssuersConfig { list, ..IssuersConfig::default() }.faults().iter().any(|(impossible, ..)| *impossible)
    }

    #[test]
    fn what_would_let_others_in_is_refused() {
        assert!(!refused(vec![clerk()]));
        assert!(refused(vec![IssuerConfig { issuer: "http://clerk.example.com".to_owned(), ..clerk() }]));
        assert!(refused(vec![IssuerConfig { authorized_parties: Vec::new(), ..clerk() }]));
        assert!(refused(vec![IssuerConfig { jwks_url: Some("http://10.0.0.1/keys".to_owned()), ..clerk() }]));
        assert!(refused(vec![IssuerConfig { jwks_url: Some("https://a.example/k".to_owned()), jwks_file: Some("/k".into()), ..clerk() }]));
        for algorithm in ["HS256", "none", "rs256"] {
            assert!(refused(vec![IssuerConfig { algorithms: vec![algorithm.to_owned()], ..clerk() }]), "{algorithm}");
        }
    }

    #[test]
    fn nobody_of_one_issuer_is_somebody_of_another() {
        let with =
            |issuer: &str, prefix: &str| IssuerConfig { issuer: issuer.to_owned(), external_id_prefix: prefix.to_owned(), ..clerk() };
        assert!(refused(vec![with("https://a.example", ""), with("https://b.example", "b:")]));
        assert!(refused(vec![with("https://a.example", "a"), with("https://b.example", "ab")]));
        assert!(refused(vec![with("https://a.example", "a:"), with("https://a.example", "b:")]));
        assert!(!refused(vec![with("https://a.example", "a:"), with("https://b.example", "b:")]));
    }
}
