//! The server login's connections: made at need, kept for a bounded time, handed out for a bounded wait.
//!
//! Invariant: a connection that is handed out has no open transaction; one that was left inside a transaction is rolled back by whoever
//! left it, and one that broke is never handed out again.

use std::num::NonZeroUsize;
use std::path::{Path, PathBuf};
use std::sync::Mutex;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use deadpool::managed::{self, Manager, Metrics, RecycleError, RecycleResult};
use kernel::{Error, Kind, Result};
use lru::LruCache;
use rustls::RootCertStore;
use rustls_pki_types::CertificateDer;
use rustls_pki_types::pem::PemObject;
use tokio_postgres::config::{Host, SslMode};
use tokio_postgres::{Client, Config, NoTls, Statement};
use tokio_postgres_rustls::MakeRustlsConnect;

use crate::error;

/// How the pool behaves. Every limit is a setting.
#[derive(Clone, Debug)]
pub struct PoolOptions {
    /// Where, as whom and with which TLS mode to connect.
    pub server: Config,
    /// Connections at most.
    pub size_max: usize,
    /// A connection older than this is not handed out again.
    pub lifetime: Duration,
    /// A connection unused for this long is closed.
    pub idle: Duration,
    /// How long a caller waits for a connection.
    pub acquire: Duration,
    /// How long one statement may run.
    pub statement_timeout: Duration,
    /// Whether statements are prepared and kept; false behind a pooler that hands out connections by transaction.
    pub prepared_statements: bool,
    /// Prepared statements kept per connection.
    pub statements_max: usize,
    /// Certificates to trust in place of the machine's own, as PEM.
    pub root_certificate_file: Option<PathBuf>,
}

impl PoolOptions {
    /// Returns the defaults for a server.
    pub fn new(server: Config) -> Self {
        Self {
            server,
            size_max: 20,
            lifetime: Duration::from_hours(1),
            idle: Duration::from_mins(10),
            acquire: Duration::from_secs(10),
            statement_timeout: Duration::from_secs(30),
            prepared_statements: true,
            statements_max: 500,
            root_certificate_file: None,
        }
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

/// One connection with the statements it knows.
pub(crate) struct Connection {
    pub(crate) client: Client,
    /// By database role too: a plan made for one role is thrown away when another runs it.
    statements: Option<Mutex<LruCache<(&'static str, String), Statement>>>,
    born: Instant,
    /// PostgreSQL said that it ends, or did not answer any more; the client itself may notice later.
    broken: AtomicBool,
}

impl Connection {
    /// Looks at how something ended: a connection that broke is not handed out again.
    pub(crate) fn note(&self, error: &Error) {
        if error.kind() == Kind::Unavailable {
            self.broken.store(true, Ordering::Relaxed);
        }
    }

    /// Returns the prepared statement, if it is known here.
    pub(crate) fn known(&self, role: &'static str, text: &str) -> Option<Statement> {
        let mut statements = self.statements.as_ref()?.lock().ok()?;
        statements.get(&(role, text.to_owned())).cloned()
    }

    /// Keeps a prepared statement; the least used one goes when there are too many.
    pub(crate) fn keep(&self, role: &'static str, text: String, statement: &Statement) {
        if let Some(Ok(mut statements)) = self.statements.as_ref().map(Mutex::lock) {
            statements.put((role, text), statement.clone());
        }
    }

    /// Tells whether statements may be prepared on this connection.
    pub(crate) fn prepares(&self) -> bool {
        self.statements.is_some()
    }
}

pub(crate) struct Connector {
    options: PoolOptions,
    tls: Option<MakeRustlsConnect>,
}

impl Manager for Connector {
    type Type = Connection;
    type Error = tokio_postgres::Error;

    async fn create(&self) -> std::result::Result<Connection, tokio_postgres::Error> {
        let client = match &self.tls {
            None => {
                let (client, connection) = self.options.server.connect(NoTls).await?;
                drive(connection);
                client
            }
            Some(tls) => {
                let (client, connection) = self.options.server.connect(tls.clone()).await?;
                drive(connection);
                client
            }
        };
        let kept = NonZeroUsize::new(self.options.statements_max).filter(|_| self.options.prepared_statements);
        Ok(Connection {
            client,
            statements: kept.map(|kept| Mutex::new(LruCache::new(kept))),
            born: Instant::now(),
            broken: AtomicBool::new(false),
        })
    }

    async fn recycle(&self, connection: &mut Connection, metrics: &Metrics) -> RecycleResult<tokio_postgres::Error> {
        if connection.client.is_closed() || connection.broken.load(Ordering::Relaxed) {
            return Err(RecycleError::message("closed"));
        }
        if connection.born.elapsed() > self.options.lifetime || metrics.last_used() > self.options.idle {
            return Err(RecycleError::message("too old"));
        }
        Ok(())
    }
}

pub(crate) type Pool = managed::Pool<Connector>;
pub(crate) type Pooled = managed::Object<Connector>;

/// Makes the pool. Connects to nothing yet.
pub(crate) fn pool(options: PoolOptions) -> Result<Pool> {
    let tls = tls(&options.server, options.root_certificate_file.as_deref())?;
    let (size, acquire) = (options.size_max, options.acquire);
    Pool::builder(Connector { options, tls })
        .max_size(size)
        .runtime(deadpool::Runtime::Tokio1)
        .wait_timeout(Some(acquire))
        .create_timeout(Some(acquire))
        .recycle_timeout(Some(acquire))
        .build()
        .map_err(Error::internal)
}

/// Takes a connection out of the pool, within the limit.
pub(crate) async fn acquire(pool: &Pool) -> Result<Pooled> {
    pool.get().await.map_err(|failure| match failure {
        managed::PoolError::Timeout(managed::TimeoutType::Wait) => error::pool_timeout(),
        managed::PoolError::Backend(cause) if cause.as_db_error().is_some_and(|said| !away(said.code().code())) => {
            // Refused, not away: a wrong password or a missing database is the operator's to mend.
            error::unavailable(cause)
        }
        other => error::unavailable(other),
    })
}

/// Closes what nobody used for too long.
pub(crate) fn reap(pool: &Pool, idle: Duration) {
    let _closed = pool.retain(|_, metrics| metrics.last_used() < idle);
}

fn away(state: &str) -> bool {
    state.starts_with("57P") || state.starts_with("08") || state.starts_with("53")
}

fn drive<S, T>(connection: tokio_postgres::Connection<S, T>)
where
    S: tokio::io::AsyncRead + tokio::io::AsyncWrite + Unpin + Send + 'static,
    T: tokio::io::AsyncRead + tokio::io::AsyncWrite + Unpin + Send + 'static,
{
    // Ends when its client is dropped.
    tokio::spawn(async move {
        if let Err(cause) = connection.await {
            tracing::debug!(%cause, "a database connection ended");
        }
    });
}

/// Returns how TLS connections are made with verification; none over a unix socket, or where the URL says `sslmode=disable`.
pub fn tls(server: &Config, root_certificate_file: Option<&Path>) -> Result<Option<MakeRustlsConnect>> {
    let over_network = server.get_hosts().iter().any(|host| matches!(host, Host::Tcp(_)));
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
    let provider = std::sync::Arc::new(rustls::crypto::aws_lc_rs::default_provider());
    let config = rustls::ClientConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .map_err(Error::internal)?
        .with_root_certificates(roots)
        .with_no_client_auth();
    Ok(Some(MakeRustlsConnect::new(config)))
}
