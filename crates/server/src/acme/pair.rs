//! A certificate with its key, as one text of PEM.
//!
//! Invariant: what is made here fits together and can be served.

use std::sync::Arc;

use jiff::{SignedDuration, Timestamp};
use rcgen::{CertificateParams, CustomExtension, KeyPair};
use rustls::crypto::aws_lc_rs;
use rustls::sign::CertifiedKey;
use rustls_pki_types::pem::PemObject;
use rustls_pki_types::{CertificateDer, PrivateKeyDer};
use x509_cert::Certificate;
use x509_cert::der::Decode as _;
use x509_cert::ext::pkix::SubjectAltName;
use x509_cert::ext::pkix::name::GeneralName;
use x509_cert::time::Time;

/// A certificate that can be served.
#[derive(Debug)]
pub(crate) struct Pair {
    key: Arc<CertifiedKey>,
    names: Vec<String>,
    from: Timestamp,
    until: Timestamp,
}

impl Pair {
    /// Reads a key and the chain that belongs to it.
    pub(super) fn read(pem: &[u8]) -> Result<Self, String> {
        let chain = CertificateDer::pem_slice_iter(pem).collect::<Result<Vec<_>, _>>().map_err(|error| error.to_string())?;
        let secret = PrivateKeyDer::from_pem_slice(pem).map_err(|error| error.to_string())?;
        let leaf = Certificate::from_der(chain.first().ok_or("no certificate in it")?).map_err(|error| error.to_string())?;
        let validity = leaf.tbs_certificate.validity;
        let names: Option<(bool, SubjectAltName)> = leaf.tbs_certificate.get().map_err(|error| error.to_string())?;
        let names = names.into_iter().flat_map(|(_, names)| names.0).filter_map(|name| match name {
            GeneralName::DnsName(name) => Some(name.to_string().to_ascii_lowercase()),
            _ => None,
        });
        let names = names.collect();
        let key = CertifiedKey::from_der(chain, secret, &aws_lc_rs::default_provider()).map_err(|error| error.to_string())?;
        Ok(Self { key: Arc::new(key), names, from: moment(validity.not_before)?, until: moment(validity.not_after)? })
    }

    /// Returns what clients are greeted with.
    pub(super) fn key(&self) -> Arc<CertifiedKey> {
        Arc::clone(&self.key)
    }

    /// Returns the names that it is for.
    pub(super) fn names(&self) -> &[String] {
        &self.names
    }

    /// Returns when it ends.
    pub(crate) fn until(&self) -> Timestamp {
        self.until
    }

    /// Tells whether it is for all these names.
    pub(super) fn covers(&self, domains: &[String]) -> bool {
        domains.iter().all(|domain| self.names.contains(domain))
    }

    /// Returns when it is to be renewed: so long before its end, and not before two thirds of its life are over.
    pub(super) fn due_at(&self, before: SignedDuration) -> Timestamp {
        let third = self.until.duration_since(self.from) / 3;
        self.until.saturating_sub(before.min(third)).unwrap_or(self.until)
    }
}

/// Returns when a certificate ends, where that can be read.
pub(crate) fn ends_at(certificate: &CertificateDer<'_>) -> Option<Timestamp> {
    moment(Certificate::from_der(certificate).ok()?.tbs_certificate.validity.not_after).ok()
}

fn moment(time: Time) -> Result<Timestamp, String> {
    let seconds = i64::try_from(time.to_unix_duration().as_secs()).map_err(|error| error.to_string())?;
    Timestamp::from_second(seconds).map_err(|error| error.to_string())
}

/// Makes what a look of the directory at a name is answered with (RFC 8737, section 3): nobody else ever sees it.
pub(super) fn answer(domain: &str, digest: &[u8]) -> Result<CertifiedKey, String> {
    let make = || {
        let mut parameters = CertificateParams::new(vec![domain.to_owned()])?;
        parameters.custom_extensions = vec![CustomExtension::new_acme_identifier(digest)];
        let key = KeyPair::generate()?;
        Ok::<_, rcgen::Error>((parameters.self_signed(&key)?, key))
    };
    let (certificate, key) = make().map_err(|error| error.to_string())?;
    let secret = PrivateKeyDer::try_from(key.serialize_der()).map_err(str::to_owned)?;
    let signer = aws_lc_rs::default_provider().key_provider.load_private_key(secret).map_err(|error| error.to_string())?;
    // Not looked at by the library, which refuses a critical extension that it does not know.
    Ok(CertifiedKey::new(vec![certificate.der().clone()], signer))
}

/// Makes a key, in PEM, and the request for its certificate.
pub(super) fn request(domains: &[String]) -> Result<(String, Vec<u8>), String> {
    let make = || {
        let mut parameters = CertificateParams::new(domains)?;
        parameters.distinguished_name = rcgen::DistinguishedName::new();
        let key = KeyPair::generate()?;
        let request = parameters.serialize_request(&key)?;
        Ok::<_, rcgen::Error>((key.serialize_pem(), request.der().to_vec()))
    };
    make().map_err(|error| error.to_string())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn pair(from: &str, until: &str) -> Pair {
        let time = |text: &str| std::time::SystemTime::from(text.parse::<Timestamp>().unwrap()).into();
        let mut parameters = CertificateParams::new(vec!["a.example".to_owned(), "b.example".to_owned()]).unwrap();
        (parameters.not_before, parameters.not_after) = (time(from), time(until));
        let key = KeyPair::generate().unwrap();
        let certificate = parameters.self_signed(&key).unwrap();
        Pair::read(format!("{}{}", key.serialize_pem(), certificate.pem()).as_bytes()).unwrap()
    }

    #[test]
    fn it_is_renewed_in_time_and_a_short_one_at_two_thirds_of_its_life() {
        let month = SignedDuration::from_hours(30 * 24);
        let long = pair("2026-01-01T00:00:00Z", "2026-12-31T00:00:00Z");
        assert_eq!(long.until(), "2026-12-31T00:00:00Z".parse().unwrap());
        assert_eq!(long.due_at(month), "2026-12-01T00:00:00Z".parse().unwrap());
        let short = pair("2026-01-01T00:00:00Z", "2026-01-07T00:00:00Z");
        assert_eq!(short.due_at(month), "2026-01-05T00:00:00Z".parse().unwrap());
    }

    #[test]
    fn every_name_counts() {
        let pair = pair("2026-01-01T00:00:00Z", "2026-12-31T00:00:00Z");
        assert!(pair.covers(&["a.example".to_owned()]));
        assert!(!pair.covers(&["a.example".to_owned(), "c.example".to_owned()]));
    }

    #[test]
    fn a_key_of_another_certificate_is_refused() {
        let (one, other) = (KeyPair::generate().unwrap(), KeyPair::generate().unwrap());
        let certificate = CertificateParams::new(vec!["a.example".to_owned()]).unwrap().self_signed(&one).unwrap();
        assert!(Pair::read(format!("{}{}", other.serialize_pem(), certificate.pem()).as_bytes()).is_err());
        assert!(Pair::read(one.serialize_pem().as_bytes()).is_err());
    }
}
