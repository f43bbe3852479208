//! TLS from a certificate and a key file, read again when they change, or with certificates that the server orders.
//!
//! Invariant: what does not read or does not fit together never replaces what works.

use std::fmt;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use arc_swap::ArcSwap;
use jiff::Timestamp;
use rustls::ServerConfig;
use rustls::crypto::aws_lc_rs;
use rustls_pki_types::pem::PemObject;
use rustls_pki_types::{CertificateDer, PrivateKeyDer};
use tokio_rustls::TlsAcceptor;
use tokio_util::sync::CancellationToken;

use crate::acme::{self, Certificates};
use crate::config::Tls;
use crate::watched::Stamp;

/// Why the files cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum TlsError {
    /// One of them does not read.
    #[error("{} cannot be used for TLS (tls_file_invalid): {reason}", file.display())]
    File {
        /// The file.
        file: PathBuf,
        /// What is wrong with it.
        reason: String,
    },
    /// They do not fit together.
    #[error("the certificate and the key cannot be used together (tls_pair_invalid): {0}")]
    Pair(#[from] rustls::Error),
}

/// What greets clients.
pub(super) enum Greeting {
    /// Files that somebody else keeps fresh.
    Files(Arc<TlsFiles>),
    /// Certificates that this server orders.
    Ordered(TlsAcceptor),
}

impl Greeting {
    /// Returns what the configuration wants, if that is TLS.
    pub(super) fn of(settings: &Tls, ordered: Option<Arc<Certificates>>) -> Result<Option<Self>, TlsError> {
        if let Some(certificates) = ordered {
            return Ok(Some(Self::Ordered(acme::acceptor(certificates)?)));
        }
        Ok(TlsFiles::load(settings)?.map(|files| Self::Files(Arc::new(files))))
    }

    /// Returns what greets the next client.
    pub(super) fn acceptor(&self) -> TlsAcceptor {
        match self {
            Self::Files(files) => TlsAcceptor::from(files.current.load_full()),
            Self::Ordered(acceptor) => acceptor.clone(),
        }
    }
}

impl fmt::Debug for Greeting {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Files(_) => "Files",
            Self::Ordered(_) => "Ordered",
        })
    }
}

/// The pair in use and where it comes from.
#[derive(Debug)]
pub(super) struct TlsFiles {
    certificate: PathBuf,
    key: PathBuf,
    interval: Duration,
    current: ArcSwap<ServerConfig>,
    ends_at: ArcSwap<Option<Timestamp>>,
    seen: Stamp,
}

impl TlsFiles {
    /// Reads the files, if the configuration names any.
    pub(super) fn load(settings: &Tls) -> Result<Option<Self>, TlsError> {
        let (Some(certificate), Some(key)) = (settings.certificate_file.clone(), settings.key_file.clone()) else {
            return Ok(None);
        };
        // The stamp first: a file written while we read is then seen as changed.
        let seen = Stamp::of(&[&certificate, &key]);
        let (config, ends_at) = read(&certificate, &key)?;
        let (current, ends_at) = (ArcSwap::from_pointee(config), ArcSwap::from_pointee(ends_at));
        let interval = Duration::from_millis(settings.reload_interval_ms.0);
        Ok(Some(Self { certificate, key, interval, current, ends_at, seen }))
    }

    /// Looks at the files until told to stop, and takes what is new.
    pub(super) async fn follow(self: Arc<Self>, stop: CancellationToken) {
        let mut seen = self.seen.clone();
        loop {
            if let Some(ends_at) = **self.ends_at.load() {
                metrics::gauge!("certificate_expires_seconds").set(ends_at.duration_since(Timestamp::now()).as_secs_f64());
            }
            tokio::select! {
                () = stop.cancelled() => return,
                () = tokio::time::sleep(self.interval) => {}
            }
            let now = Stamp::of(&[&self.certificate, &self.key]);
            if now == seen {
                continue;
            }
            seen = now;
            match read(&self.certificate, &self.key) {
                Ok((config, ends_at)) => {
                    self.current.store(Arc::new(config));
                    self.ends_at.store(Arc::new(ends_at));
                    tracing::info!(file = %self.certificate.display(), "the new TLS certificate is in use");
                }
                // Two files are written one after the other; the second change is seen too.
                Err(error) => tracing::warn!(%error, "the changed TLS files cannot be used; the old ones stay"),
            }
        }
    }
}

fn read(certificate: &Path, key: &Path) -> Result<(ServerConfig, Option<Timestamp>), TlsError> {
    let fault = |file: &Path, reason: String| TlsError::File { file: file.to_owned(), reason };
    let chain = CertificateDer::pem_file_iter(certificate)
        .and_then(Iterator::collect::<Result<Vec<_>, _>>)
        .map_err(|error| fault(certificate, error.to_string()))?;
    let Some(leaf) = chain.first() else { return Err(fault(certificate, "no certificate in it".to_owned())) };
    let ends_at = acme::ends_at(leaf);
    let secret = PrivateKeyDer::from_pem_file(key).map_err(|error| fault(key, error.to_string()))?;
    let mut config = ServerConfig::builder_with_provider(Arc::new(aws_lc_rs::default_provider()))
        .with_safe_default_protocol_versions()?
        .with_no_client_auth()
        .with_single_cert(chain, secret)?;
    config.alpn_protocols = vec![b"h2".to_vec(), b"http/1.1".to_vec()];
    Ok((config, ends_at))
}
