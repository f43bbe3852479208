//! What clients are greeted with: the certificate that was ordered, and for the directory that looks at a name its answer.
//!
//! Invariant: nobody but the directory's look gets a certificate that this server signed itself, and such a connection carries no request.

use std::collections::HashMap;
use std::fmt;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use arc_swap::ArcSwapOption;
use jiff::Timestamp;
use rustls::ServerConfig;
use rustls::crypto::aws_lc_rs;
use rustls::server::{ClientHello, ResolvesServerCert};
use rustls::sign::CertifiedKey;
use tokio_rustls::TlsAcceptor;

use super::pair::Pair;

/// The protocol by which the directory looks (RFC 8737).
pub(crate) const VALIDATION: &[u8] = b"acme-tls/1";

/// The certificate in use, and answers to the directory.
pub(crate) struct Certificates {
    domains: Vec<String>,
    current: ArcSwapOption<Pair>,
    answers: Mutex<HashMap<String, Arc<CertifiedKey>>>,
    trouble: ArcSwapOption<String>,
}

/// An answer that is given as long as this lives.
pub(super) struct Answering<'a> {
    certificates: &'a Certificates,
    domain: String,
}

impl Certificates {
    pub(super) fn new(domains: Vec<String>) -> Self {
        Self { domains, current: ArcSwapOption::empty(), answers: Mutex::default(), trouble: ArcSwapOption::empty() }
    }

    /// Greets the next client with this.
    pub(super) fn take(&self, pair: Pair) {
        self.current.store(Some(Arc::new(pair)));
    }

    pub(super) fn current(&self) -> Option<Arc<Pair>> {
        self.current.load_full()
    }

    /// Answers the directory's look at a name.
    pub(super) fn answer(&self, domain: &str, key: CertifiedKey) -> Answering<'_> {
        self.answers().insert(domain.to_owned(), Arc::new(key));
        Answering { certificates: self, domain: domain.to_owned() }
    }

    /// Notes why the last order failed, or that it did not.
    pub(super) fn trouble(&self, trouble: Option<String>) {
        self.trouble.store(trouble.map(Arc::new));
    }

    /// Counts how long the certificate still holds: none at all is as good as one that ended.
    pub(super) fn measure(&self, now: Timestamp) {
        let left = self.current.load().as_ref().map_or(0.0, |pair| pair.until().duration_since(now).as_secs_f64());
        metrics::gauge!("certificate_expires_seconds").set(left);
    }

    /// Returns what is wrong, if something is, in a sentence.
    pub(crate) fn wrong(&self, now: Timestamp) -> Option<String> {
        let trouble = self.trouble.load();
        let because = trouble.as_ref().map(|trouble| format!("; the last order failed: {trouble}")).unwrap_or_default();
        let domains = self.domains.join(", ");
        match self.current.load().as_ref() {
            None => Some(format!("there is no certificate for {domains} yet, and TLS is refused{because}")),
            Some(pair) if pair.until() <= now => Some(format!("the certificate for {domains} ended at {}{because}", pair.until())),
            Some(pair) if trouble.is_some() => Some(format!("the certificate for {domains} ends at {}{because}", pair.until())),
            Some(_) => None,
        }
    }

    fn answers(&self) -> MutexGuard<'_, HashMap<String, Arc<CertifiedKey>>> {
        self.answers.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl ResolvesServerCert for Certificates {
    fn resolve(&self, hello: ClientHello<'_>) -> Option<Arc<CertifiedKey>> {
        // Whoever looks for the directory offers this protocol and no other.
        let looks = hello.alpn().is_some_and(|mut offered| offered.next() == Some(VALIDATION) && offered.next().is_none());
        if looks {
            return self.answers().get(hello.server_name()?).cloned();
        }
        self.current.load().as_ref().map(|pair| pair.key())
    }
}

impl Drop for Answering<'_> {
    fn drop(&mut self) {
        self.certificates.answers().remove(&self.domain);
    }
}

impl fmt::Debug for Certificates {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Certificates").field("domains", &self.domains).finish_non_exhaustive()
    }
}

/// Returns what greets clients with these certificates.
pub(crate) fn acceptor(certificates: Arc<Certificates>) -> Result<TlsAcceptor, rustls::Error> {
    let builder = ServerConfig::builder_with_provider(Arc::new(aws_lc_rs::default_provider())).with_safe_default_protocol_versions()?;
    let mut config = builder.with_no_client_auth().with_cert_resolver(certificates);
    // The last one, so that whoever offers another beside it gets that.
    config.alpn_protocols = vec![b"h2".to_vec(), b"http/1.1".to_vec(), VALIDATION.to_vec()];
    Ok(TlsAcceptor::from(Arc::new(config)))
}
