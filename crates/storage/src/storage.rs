//! What this crate works with.

use std::fmt;
use std::sync::Arc;

use auth::Auth;
use http::Extensions;
use jiff::Timestamp;
use kernel::{AskedAddress, Authority, Blobs, Clock, Error, Grant, RequestContext, Result};
use limits::Limiter;
use postgres::{Access, Database, Row, Sql, Tx};
use queue::Queue;

use crate::Caller;
use crate::config::StorageConfig;
use crate::image::Images;
use crate::scan::Scanner;

/// Buckets and objects. Cheap to clone.
#[derive(Clone)]
pub struct Storage(Arc<StorageOptions>, Arc<Scanner>, Images);

/// What it is made of.
pub struct StorageOptions {
    /// Where the rows are.
    pub database: Database,
    /// The right to work for no caller.
    pub authority: Arc<Authority>,
    /// What tells the time.
    pub clock: Arc<dyn Clock>,
    /// Where the bytes are.
    pub blobs: Arc<dyn Blobs>,
    /// What has the keys that links are signed with.
    pub auth: Auth,
    /// What counts how often somebody asks.
    pub limiter: Limiter,
    /// Where tasks are put in.
    pub queue: Queue,
    /// The settings.
    pub config: StorageConfig,
    /// The address that others have of this server.
    pub public_url: String,
}

impl Storage {
    /// Sets everything up. Connects to nothing yet.
    pub fn new(options: StorageOptions) -> Result<Self> {
        if let Some((key, allowed)) = options.config.faults().first() {
            return Err(Error::internal(format!("storage.{key}: allowed is {allowed}")));
        }
        let scanner = Scanner::new(&options.config.scan);
        let images = Images::new(options.config.images.clone());
        Ok(Self(Arc::new(options), Arc::new(scanner), images))
    }

    /// Returns the settings.
    pub fn config(&self) -> &StorageConfig {
        &self.0.config
    }

    /// Returns where the bytes are.
    pub fn blobs(&self) -> &dyn Blobs {
        self.0.blobs.as_ref()
    }

    /// Returns what makes images.
    pub fn images(&self) -> &Images {
        &self.2
    }

    /// Returns where tasks are put in.
    pub fn queue(&self) -> &Queue {
        &self.0.queue
    }

    /// Returns what counts how often somebody asks.
    pub fn limiter(&self) -> &Limiter {
        &self.0.limiter
    }

    /// Returns the address that others have of this server, without a slash at its end.
    pub fn public_url(&self) -> &str {
        self.0.public_url.trim_end_matches('/')
    }

    /// Returns the address by which a request asks for this server, without a slash at its end.
    pub(crate) fn asked_at(&self, extensions: &Extensions) -> String {
        let asked = extensions.get::<AskedAddress>().map_or(self.public_url(), |AskedAddress(address)| address);
        asked.trim_end_matches('/').to_owned()
    }

    pub(crate) fn scanner(&self) -> &Scanner {
        &self.1
    }

    pub(crate) fn auth(&self) -> &Auth {
        &self.0.auth
    }

    pub(crate) fn now(&self) -> Timestamp {
        self.0.clock.now()
    }

    /// Makes the caller that the server itself is: for links that it signed, and for what everybody may read.
    pub fn itself(&self, reason: &'static str) -> Caller {
        #[expect(clippy::disallowed_methods, reason = "whoever has a link, or reads what is public, has no right of his own")]
        let grant = Grant::system(&self.0.authority, None, reason);
        Caller::of(grant, RequestContext::default())
    }

    /// Opens a transaction that writes for a caller.
    pub(crate) async fn begin(&self, caller: &Caller) -> Result<Tx> {
        self.0.database.begin(caller.grant(), caller.context(), Access::Write).await
    }

    /// Reads for a caller, in a transaction of its own.
    pub(crate) async fn read(&self, caller: &Caller, statement: Sql) -> Result<Vec<Row>> {
        self.0.database.run(caller.grant(), caller.context(), Access::Read, statement).await.map(|answer| answer.rows)
    }

    /// Writes for a caller, in a transaction of its own.
    pub(crate) async fn write(&self, caller: &Caller, statement: Sql) -> Result<Vec<Row>> {
        self.0.database.run(caller.grant(), caller.context(), Access::Write, statement).await.map(|answer| answer.rows)
    }
}

impl fmt::Debug for Storage {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Storage").field("config", self.config()).finish_non_exhaustive()
    }
}
