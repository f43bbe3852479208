//! What the pool is made of: where PostgreSQL is, how it is reached, and every limit.

use std::num::NonZeroUsize;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use arc_swap::ArcSwap;
use kernel::{Error, Result};
use rustls::{ClientConfig, RootCertStore};
use rustls_pki_types::CertificateDer;
use rustls_pki_types::pem::PemObject;
use tokio_postgres::Config;
use tokio_postgres::config::{Host, SslMode};
use tokio_postgres_rustls::MakeRustlsConnect;

use crate::alone::Alone;

/// How the pool behaves. Every limit is a setting.
#[derive(Clone, Debug)]
pub struct PoolOptions {
    /// Where, as whom and with which TLS mode to connect.
    pub server: Config,
    /// Connections at most.
    pub size_max: usize,
    /// Short reads that may be under way on one connection; behind a pooler it is one.
    pub short_reads_max: usize,
    /// A connection older than this is not handed out again.
    pub lifetime: Duration,
    /// A connection unused for this long is closed.
    pub idle: Duration,
    /// How long a caller waits for a connection.
    pub acquire: Duration,
    /// How long one statement may run.
    pub statement_timeout: Duration,
    /// How long a statement may still run that nobody waits for any more, before PostgreSQL is told to give it up.
    pub abandoned: Duration,
    /// Whether statements are prepared and kept; false behind a pooler that hands out connections by transaction.
    pub prepared_statements: bool,
    /// Prepared statements kept per connection.
    pub statements_max: usize,
    /// Certificates to trust in place of the machine's own, as PEM.
    pub root_certificate_file: Option<PathBuf>,
    /// How transactions are opened where the database is not ours; it may change while the pool is in use.
    pub alone: Option<Arc<ArcSwap<Alone>>>,
}

impl PoolOptions {
    /// Returns the defaults for a server.
    pub fn new(server: Config) -> Self {
        Self {
            server,
            size_max: 20,
            short_reads_max: 16,
            lifetime: Duration::from_hours(1),
            idle: Duration::from_mins(10),
            acquire: Duration::from_secs(10),
            statement_timeout: Duration::from_secs(30),
            abandoned: Duration::from_millis(250),
            prepared_statements: true,
            statements_max: 500,
            root_certificate_file: None,
            alone: None,
        }
    }

    /// Returns how many statements a connection keeps; none behind a pooler.
    pub(crate) fn kept(&self) -> Option<NonZeroUsize> {
        NonZeroUsize::new(self.statements_max).filter(|_| self.prepared_statements)
    }

    /// Returns how many short reads share a connection. A pooler may hand out its connection to another between two of them.
    pub(crate) fn sharing(&self) -> usize {
        if self.prepared_statements { self.short_reads_max.max(1) } else { 1 }
    }
}

/// How the pool is at this moment.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct PoolStatus {
    /// Connections open.
    pub size: usize,
    /// Connections at most.
    pub size_max: usize,
    /// Connections that nobody uses.
    pub available: usize,
    /// Callers that wait for one.
    pub waiting: usize,
}

/// Returns how TLS connections of the driver are made with verification; none over a unix socket, or where the URL says `sslmode=disable`.
pub fn tls(server: &Config, root_certificate_file: Option<&Path>) -> Result<Option<MakeRustlsConnect>> {
    let config = tls_config(server, root_certificate_file)?;
    Ok(config.map(|config| MakeRustlsConnect::new(Arc::unwrap_or_clone(config))))
}

/// Returns whom TLS connections trust; none where there is no TLS.
pub(crate) fn tls_config(server: &Config, root_certificate_file: Option<&Path>) -> Result<Option<Arc<ClientConfig>>> {
    let over_network = !server.get_hostaddrs().is_empty() || server.get_hosts().iter().any(|host| matches!(host, Host::Tcp(_)));
    if !over_network || server.get_ssl_mode() == SslMode::Disable {
        return Ok(None);
    }
    let mut roots = RootCertStore::empty();
    match root_certificate_file {
        Some(file) => {
            for certificate in CertificateDer::pem_file_iter(file).map_err(Error::internal)? {
                roots.add(certificate.map_err(Error::internal)?).map_err(Error::internal)?;
            }
        }
        None => {
            let (_added, _ignored) = roots.add_parsable_certificates(rustls_native_certs::load_native_certs().certs);
        }
    }
    let provider = Arc::new(rustls::crypto::aws_lc_rs::default_provider());
    let config = ClientConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .map_err(Error::internal)?
        .with_root_certificates(roots)
        .with_no_client_auth();
    Ok(Some(Arc::new(config)))
}
