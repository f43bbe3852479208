//! What this crate works with.

use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use jiff::Timestamp;
use kernel::{Authority, Clock, Error, Grant, RequestContext, Result, Secret};
use limits::Limiter;
use outbound::http::{Bounds, Http, HttpOptions};
use outbound::{Outbound, Seal};
use postgres::{Access, Database, Tx};
use tokio::sync::Notify;
use uuid::Uuid;

use crate::config::MessagingConfig;
use crate::letters::Letters;
use crate::notifications::Texts;

/// Seals the secrets of webhooks, each for the row that keeps it.
pub trait Vault: Send + Sync {
    /// Seals a secret for one row.
    fn seal(&self, row: Uuid, secret: &[u8]) -> Result<String>;
    /// Opens what was sealed for this row.
    fn open(&self, row: Uuid, sealed: &str) -> Result<Secret<Vec<u8>>>;
    /// Returns what seals messages.
    fn outbox_seal(&self) -> Result<Seal>;
}

/// Webhooks and notifications. Cheap to clone.
#[derive(Clone)]
pub struct Messaging(Arc<Inner>);

/// What it is made of.
pub struct MessagingOptions {
    /// Where events and deliveries are.
    pub database: Database,
    /// The right to work for no caller.
    pub authority: Arc<Authority>,
    /// What tells the time.
    pub clock: Arc<dyn Clock>,
    /// What sends mail.
    pub outbound: Outbound,
    /// What seals secrets.
    pub vault: Arc<dyn Vault>,
    /// The settings.
    pub config: MessagingConfig,
    /// The address that others have of this server.
    pub public_url: String,
    /// What counts calls that come in.
    pub limiter: Limiter,
}

struct Inner {
    options: MessagingOptions,
    http: Http,
    texts: Texts,
    letters: Letters,
    wake: Notify,
}

impl Messaging {
    /// Sets everything up. Connects to nothing yet.
    pub fn new(options: MessagingOptions) -> Result<Self> {
        if let Some((key, allowed)) = options.config.faults().first() {
            return Err(Error::internal(format!("messaging.{key}: allowed is {allowed}")));
        }
        let webhooks = &options.config.webhooks;
        let bounds = Bounds { bytes_max: webhooks.answer_bytes_max, time: Duration::from_secs(webhooks.attempt_seconds_max.into()) };
        let http = Http::new(HttpOptions { bounds, private_allowed: webhooks.private_addresses_allowed })?;
        Ok(Self(Arc::new(Inner { options, http, texts: Texts::load()?, letters: Letters::load()?, wake: Notify::new() })))
    }

    /// Returns the settings.
    pub fn config(&self) -> &MessagingConfig {
        &self.0.options.config
    }

    pub(crate) fn public_url(&self) -> &str {
        &self.0.options.public_url
    }

    pub(crate) fn limiter(&self) -> &Limiter {
        &self.0.options.limiter
    }

    pub(crate) fn now(&self) -> Timestamp {
        self.0.options.clock.now()
    }

    pub(crate) fn http(&self) -> &Http {
        &self.0.http
    }

    pub(crate) fn outbound(&self) -> &Outbound {
        &self.0.options.outbound
    }

    pub(crate) fn texts(&self) -> &Texts {
        &self.0.texts
    }

    pub(crate) fn letters(&self) -> &Letters {
        &self.0.letters
    }

    pub(crate) fn vault(&self) -> &dyn Vault {
        self.0.options.vault.as_ref()
    }

    /// Says that there is something to do.
    pub fn wake(&self) {
        self.0.wake.notify_one();
    }

    /// Returns when there may be something to do.
    pub async fn woken(&self) {
        self.woken_within(Duration::from_millis(self.config().webhooks.poll_interval_ms)).await;
    }

    /// Returns when somebody said so, or after so long.
    pub(crate) async fn woken_within(&self, poll: Duration) {
        // Whichever comes first.
        let _in_time = tokio::time::timeout(poll, self.0.wake.notified()).await.is_ok();
    }

    /// Opens a transaction for a caller.
    pub(crate) async fn begin_as(&self, grant: &Grant, context: &RequestContext) -> Result<Tx> {
        self.0.options.database.begin(grant, context, Access::Write).await
    }

    /// Opens a transaction of the server's own.
    pub(crate) async fn begin(&self, reason: &'static str) -> Result<Tx> {
        #[expect(clippy::disallowed_methods, reason = "webhooks and notifications are delivered for no caller")]
        let grant = Grant::system(&self.0.options.authority, None, reason);
        self.0.options.database.begin(&grant, &RequestContext::default(), Access::Write).await
    }
}

impl fmt::Debug for Messaging {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Messaging").finish_non_exhaustive()
    }
}
