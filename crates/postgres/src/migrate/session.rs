//! The migrator's own connection: one at a time, with what the server says beside the results.
//!
//! Invariant: dropping a session closes its connection, and with it everything that was not committed.

use std::pin::Pin;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use kernel::Result;
use tokio::task::JoinHandle;
use tokio_postgres::error::Severity;
use tokio_postgres::{AsyncMessage, Client, Config, NoTls, SimpleQueryMessage, Socket};
use tokio_postgres_rustls::MakeRustlsConnect;

use super::error;
use super::options::Options;
use super::split::Statement;

/// Who migrates: the owner's login. It is never the server's.
#[derive(Clone)]
pub struct Migrator {
    config: Config,
    tls: Option<MakeRustlsConnect>,
}

/// Something the server remarked.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Notice {
    /// `WARNING`, `NOTICE` or another of PostgreSQL's words.
    pub severity: String,
    /// The SQLSTATE.
    pub sqlstate: String,
    /// What it says.
    pub message: String,
    /// For a missing right: which one.
    pub detail: Option<String>,
    /// For a missing right: what will not work, or who can help.
    pub hint: Option<String>,
}

/// One connection.
pub(super) struct Session {
    pub(super) client: Client,
    notices: Arc<Mutex<Vec<Notice>>>,
    connection: JoinHandle<()>,
}

impl Migrator {
    /// Makes a migrator for a login. Without TLS unless [`Migrator::with_tls`] says how.
    pub fn new(config: Config) -> Self {
        Self { config, tls: None }
    }

    /// Says how TLS connections are made.
    #[must_use]
    pub fn with_tls(mut self, tls: MakeRustlsConnect) -> Self {
        self.tls = Some(tls);
        self
    }

    /// Returns the same login at another database of the cluster.
    pub(super) fn at_database(&self, name: &str) -> Self {
        let mut other = self.clone();
        other.config.dbname(name);
        other
    }

    /// Returns another login at the same database.
    pub(super) fn as_login(&self, name: &str, password: &str) -> Self {
        let mut other = self.clone();
        other.config.user(name).password(password);
        other
    }

    pub(super) async fn connect(&self) -> Result<Session> {
        let mut config = self.config.clone();
        if config.get_application_name().is_none() {
            config.application_name("thorbis migrate");
        }
        if let Some(tls) = &self.tls {
            let (client, connection) = config.connect(tls.clone()).await.map_err(error::connection)?;
            return Ok(Session::new(client, connection));
        }
        let (client, connection) = config.connect(NoTls).await.map_err(error::connection)?;
        Ok(Session::new(client, connection))
    }
}

impl Session {
    fn new<T>(client: Client, mut connection: tokio_postgres::Connection<Socket, T>) -> Self
    where
        T: tokio_postgres::tls::TlsStream + Unpin + Send + 'static,
    {
        let notices = Arc::new(Mutex::new(Vec::new()));
        let heard = Arc::clone(&notices);
        let connection = tokio::spawn(async move {
            while let Some(Ok(message)) = std::future::poll_fn(|context| connection.poll_message(context)).await {
                if let AsyncMessage::Notice(said) = message {
                    heard.lock().unwrap_or_else(PoisonError::into_inner).push(notice(&said));
                }
            }
        });
        Self { client, notices, connection }
    }

    /// Returns what the server remarked since the last call.
    pub(super) fn take_notices(&self) -> Vec<Notice> {
        std::mem::take(&mut *self.notices.lock().unwrap_or_else(PoisonError::into_inner))
    }

    /// Begins a transaction as `app_owner` with the limits of the options.
    pub(super) async fn begin(&self, options: &Options) -> Result<()> {
        self.client.batch_execute("begin").await.map_err(error::query)?;
        let opened = self
            .client
            .execute(
                "select set_config('role', 'app_owner', true), set_config('lock_timeout', $1, true),
                        set_config('statement_timeout', $2, true), set_config('search_path', 'public, extensions', true),
                        set_config('row_security', 'on', true)",
                &[&milliseconds(options.lock_timeout), &milliseconds(options.statement_timeout)],
            )
            .await
            .map_err(error::query);
        self.or_rollback(opened).await.map(|_| ())
    }

    /// Begins a transaction as the migrator's login.
    pub(super) async fn begin_as_login(&self, options: &Options) -> Result<()> {
        self.client.batch_execute("begin").await.map_err(error::query)?;
        let opened = self
            .client
            .execute(
                "select set_config('lock_timeout', $1, true), set_config('statement_timeout', $2, true)",
                &[&milliseconds(options.lock_timeout), &milliseconds(options.statement_timeout)],
            )
            .await
            .map_err(error::query);
        self.or_rollback(opened).await.map(|_| ())
    }

    /// Works as `app_owner` outside a transaction; [`Session::leave_owner`] ends it.
    pub(super) async fn become_owner(&self, options: &Options) -> Result<()> {
        self.client
            .execute(
                "select set_config('role', 'app_owner', false), set_config('lock_timeout', $1, false),
                        set_config('statement_timeout', $2, false), set_config('search_path', 'public, extensions', false)",
                &[&milliseconds(options.lock_timeout), &milliseconds(options.statement_timeout)],
            )
            .await
            .map(|_| ())
            .map_err(error::query)
    }

    /// Goes back to the login.
    pub(super) async fn leave_owner(&self) -> Result<()> {
        self.client.batch_execute("reset role; reset lock_timeout; reset statement_timeout; reset search_path").await.map_err(error::query)
    }

    pub(super) async fn commit(&self) -> Result<()> {
        let done = self.client.batch_execute("commit").await.map_err(error::query);
        self.or_rollback(done).await
    }

    pub(super) async fn rollback(&self) -> Result<()> {
        self.client.batch_execute("rollback").await.map_err(error::query)
    }

    /// Passes a result on; a failed one first ends the transaction.
    pub(super) async fn or_rollback<T>(&self, result: Result<T>) -> Result<T> {
        if result.is_err() && !self.client.is_closed() {
            // The first error is the one to tell; a connection that cannot roll back is lost anyway.
            drop(self.rollback().await);
        }
        result
    }

    /// Runs one statement of a file and returns the rows it changed or gave.
    pub(super) async fn run(&self, file: &str, statement: &Statement) -> Result<u64> {
        let messages = self.client.simple_query(&statement.text).await.map_err(|cause| error::statement(file, statement, cause))?;
        Ok(messages
            .iter()
            .map(|message| match message {
                SimpleQueryMessage::CommandComplete(rows) => *rows,
                _ => 0,
            })
            .sum())
    }

    /// Takes the lock of migrators, waiting no longer than the options allow. It ends with the connection.
    pub(super) async fn lock(&self, options: &Options) -> Result<()> {
        let limit = tokio::time::Instant::now() + options.lock_wait;
        loop {
            // The key is the word "thorbis" in ASCII; advisory locks are per database.
            let row = self.client.query_one("select pg_try_advisory_lock(32765925168146803)", &[]).await.map_err(error::query)?;
            if row.get::<_, bool>(0) {
                return Ok(());
            }
            if tokio::time::Instant::now() >= limit {
                return Err(error::refused(
                    error::LOCKED,
                    format!("another migrator is at work; waited {} s for it", options.lock_wait.as_secs()),
                    "Wait until it has ended, or end it; its lock goes with its connection.",
                ));
            }
            tokio::time::sleep(Duration::from_millis(200).min(options.lock_wait)).await;
        }
    }

    pub(super) async fn unlock(&self) -> Result<()> {
        self.client.execute("select pg_advisory_unlock(32765925168146803)", &[]).await.map(|_| ()).map_err(error::query)
    }
}

impl Drop for Session {
    fn drop(&mut self) {
        self.connection.abort();
    }
}

impl Notice {
    /// Whether it tells of something that is missing or wrong, rather than of something already done.
    pub(super) fn is_warning(&self) -> bool {
        self.severity == "WARNING" || self.sqlstate == "01T01"
    }
}

/// One try of some work.
pub(super) type Attempt<'a, T> = Pin<Box<dyn Future<Output = Result<T>> + Send + 'a>>;

/// Runs work again while a lock is not to be had, with growing pauses. Returns the result and the number of tries.
pub(super) async fn with_retries<'a, T>(options: &Options, mut work: impl FnMut() -> Attempt<'a, T>) -> Result<(T, u32)> {
    let mut pause = options.backoff;
    let mut tried = 1;
    loop {
        match work().await {
            Ok(done) => return Ok((done, tried)),
            Err(cause) if error::may_retry(&cause) && tried < options.attempts => {
                tracing::warn!(attempt = tried, pause_ms = pause.as_millis(), error = %cause, "migration waits for a lock and tries again");
            }
            Err(cause) => return Err(cause),
        }
        tokio::time::sleep(pause).await;
        pause = pause.saturating_mul(2).min(options.backoff_max);
        tried += 1;
    }
}

fn milliseconds(duration: Duration) -> String {
    format!("{}ms", duration.as_millis())
}

fn notice(said: &tokio_postgres::error::DbError) -> Notice {
    Notice {
        severity: match said.parsed_severity() {
            Some(Severity::Warning) => "WARNING".to_owned(),
            _ => said.severity().to_owned(),
        },
        sqlstate: said.code().code().to_owned(),
        message: said.message().to_owned(),
        detail: said.detail().map(str::to_owned),
        hint: said.hint().map(str::to_owned),
    }
}
