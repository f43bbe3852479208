//! Certificates that the server orders by itself: which, where, and how patiently.
//!
//! Invariant: without a domain nothing here is looked at; with one, all that an order needs is there before the server starts.

use std::net::IpAddr;
use std::path::PathBuf;

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use kernel::Secret;
use serde::{Deserialize, Serialize};

use super::{Tls, text};

/// Names that one certificate can be for.
const DOMAINS_MAX: usize = 100;

/// Certificates that the server orders by itself, by ACME (RFC 8555). On where domains are named; the directory has to reach port 443 of each.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Acme {
    /// Names that the certificate is for, such as `api.example.com`; one certificate for all. Empty: nothing is ordered.
    #[serde(deserialize_with = "text::list")]
    pub domains: Vec<String>,
    /// Where the authority's directory is. The default is that of Let's Encrypt; what it gives for tries is at
    /// `https://acme-staging-v02.api.letsencrypt.org/directory`.
    pub directory_url: String,
    /// The address that the authority may write to.
    pub contact: Option<String>,
    /// Whether you agree to the authority's terms of service; nothing is ordered without.
    pub terms_agreed: bool,
    /// PEM file of the authorities that the directory's own certificate is checked against; the system's if not set.
    pub directory_ca_file: Option<PathBuf>,
    /// Days before its end that a certificate is renewed; one that lives shorter than three times as long is renewed at two thirds of its life.
    pub renew_before_days: u32,
    /// Milliseconds between two looks whether a certificate has to be ordered.
    pub look_interval_ms: u64,
    /// Milliseconds that one request to the directory may take.
    pub request_time_ms: u64,
    /// Seconds that one order may take, with the directory's look at this server.
    pub order_time_s: u64,
    /// Seconds after an order that failed until the next one; twice as many after each that follows. The directory may ask for more.
    pub retry_first_s: u64,
    /// Seconds that are waited at most for another order, unless the directory asks for more.
    pub retry_max_s: u64,
    /// The id of an account at the authority that this server's account is bound to, where the authority wants that.
    pub external_account_id: Option<String>,
    /// The key of that account, in the letters of base64url as the authority gives it.
    #[serde(deserialize_with = "text::optional_secret")]
    pub external_account_key: Option<Secret<String>>,
}

impl Default for Acme {
    fn default() -> Self {
        Self {
            domains: Vec::new(),
            directory_url: "https://acme-v02.api.letsencrypt.org/directory".to_owned(),
            contact: None,
            terms_agreed: false,
            directory_ca_file: None,
            renew_before_days: 30,
            look_interval_ms: 60_000,
            request_time_ms: 30_000,
            order_time_s: 300,
            retry_first_s: 60,
            retry_max_s: 21_600,
            external_account_id: None,
            external_account_key: None,
        }
    }
}

impl Acme {
    /// Tells whether certificates are ordered.
    pub fn is_on(&self) -> bool {
        !self.domains.is_empty()
    }

    /// Returns the key that the account is bound by, as bytes.
    pub(crate) fn binding_key(&self) -> Option<Vec<u8>> {
        let key = self.external_account_key.as_ref()?.expose().trim_end_matches('=');
        URL_SAFE_NO_PAD.decode(key).ok().filter(|key| !key.is_empty())
    }
}

/// Says for each rule of this section whether it holds.
pub(super) fn rules(tls: &Tls, rule: &mut impl FnMut(&'static str, bool, &str)) {
    let acme = &tls.acme;
    let names = acme.domains.len() <= DOMAINS_MAX && acme.domains.iter().all(|domain| is_domain(domain));
    rule("tls.acme.domains", names, "allowed: up to 100 names in small letters, no wildcards and no addresses of machines");
    let has_files = tls.certificate_file.is_some() || tls.key_file.is_some();
    rule("tls.acme.domains", !(acme.is_on() && has_files), "allowed: none with tls.certificate_file");
    rule("tls.acme.directory_url", is_directory(&acme.directory_url), "allowed: an https URL");
    rule("tls.acme.terms_agreed", acme.terms_agreed || !acme.is_on(), "needed with tls.acme.domains, allowed: true");
    rule("tls.acme.contact", acme.contact.as_deref().is_none_or(is_mail), "allowed: a mail address");
    rule("tls.acme.renew_before_days", (1..=365).contains(&acme.renew_before_days), "allowed: 1 to 365");
    rule("tls.acme.look_interval_ms", (50..=86_400_000).contains(&acme.look_interval_ms), "allowed: 50 to 86400000");
    rule("tls.acme.request_time_ms", (100..=600_000).contains(&acme.request_time_ms), "allowed: 100 to 600000");
    rule("tls.acme.order_time_s", (1..=3600).contains(&acme.order_time_s), "allowed: 1 to 3600");
    rule("tls.acme.retry_first_s", (1..=86_400).contains(&acme.retry_first_s), "allowed: 1 to 86400");
    rule("tls.acme.retry_max_s", (1..=604_800).contains(&acme.retry_max_s), "allowed: 1 to 604800");
    let bound = acme.external_account_id.is_some() == acme.external_account_key.is_some();
    rule("tls.acme.external_account_id", bound, "needed with tls.acme.external_account_key, and the other way round");
    let reads = acme.external_account_key.is_none() || acme.binding_key().is_some();
    rule("tls.acme.external_account_key", reads, "allowed: letters of base64url");
}

/// Tells whether a certificate can be ordered for a name by a look at its port 443: a wildcard has none.
fn is_domain(name: &str) -> bool {
    let is_label = |label: &str| {
        let letters = label.bytes().all(|byte| byte.is_ascii_lowercase() || byte.is_ascii_digit() || byte == b'-');
        (1..=63).contains(&label.len()) && letters && !label.starts_with('-') && !label.ends_with('-')
    };
    // Where the last part is a number the name is an address.
    let ends_in_letters = name.rsplit('.').next().is_some_and(|last| !last.bytes().all(|byte| byte.is_ascii_digit()));
    name.len() <= 253 && name.split('.').all(is_label) && ends_in_letters && name.parse::<IpAddr>().is_err()
}

fn is_directory(text: &str) -> bool {
    url::Url::parse(text).is_ok_and(|url| url.scheme() == "https" && url.has_host() && url.password().is_none())
}

fn is_mail(text: &str) -> bool {
    let parts = text.split_once('@');
    parts.is_some_and(|(name, domain)| !name.is_empty() && is_domain(domain))
        && !text.contains(|c: char| c.is_whitespace() || ",?%".contains(c))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_is_one_that_a_port_can_be_looked_at() {
        for good in ["api.example.com", "xn--bcher-kva.example", "localhost", "a-1.b2"] {
            assert!(is_domain(good), "{good}");
        }
        for bad in ["", "*.example.com", "Api.example.com", "192.0.2.1", "::1", "a..b", "-a.b", "a.b-", "a b", "example.com.", "1"] {
            assert!(!is_domain(bad), "{bad}");
        }
    }

    #[test]
    fn what_is_needed_is_named() {
        let mut tls = Tls::default();
        let broken = |tls: &Tls| {
            let mut keys = Vec::new();
            rules(tls, &mut |key, holds, _allowed| {
                if !holds {
                    keys.push(key);
                }
            });
            keys
        };
        assert!(broken(&tls).is_empty());
        tls.acme.domains = vec!["api.example.com".to_owned()];
        assert_eq!(broken(&tls), ["tls.acme.terms_agreed"]);
        tls.acme.terms_agreed = true;
        tls.acme.external_account_key = Some(Secret::new("not base64!".to_owned()));
        assert_eq!(broken(&tls), ["tls.acme.external_account_id", "tls.acme.external_account_key"]);
        tls.acme.external_account_id = Some("one".to_owned());
        tls.acme.external_account_key = Some(Secret::new("c2VjcmV0".to_owned()));
        tls.acme.directory_url = "http://ca.example/directory".to_owned();
        tls.certificate_file = Some("cert.pem".into());
        assert_eq!(broken(&tls), ["tls.acme.domains", "tls.acme.directory_url"]);
    }
}
