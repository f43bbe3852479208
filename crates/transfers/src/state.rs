//! What this crate works with.

use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use auth::Auth;
use data_api::DataApi;
use jiff::{SignedDuration, Timestamp};
use kernel::{Authority, BlobKey, Blobs, Clock, Error, Grant, RequestContext, Result};
use outbound::Outbound;
use outbound::http::{Bounds, Http, HttpOptions, TIME_MAX};
use postgres::{Access, Database, Sql, Tx};
use queue::Queue;

use crate::config::TransfersConfig;

/// Work over many rows. Cheap to clone.
#[derive(Clone)]
pub struct Transfers(Arc<Inner>);

struct Inner {
    options: TransfersOptions,
    /// What asks suppliers.
    http: Http,
}

/// What it is made of.
pub struct TransfersOptions {
    /// Where the rows are.
    pub database: Database,
    /// The right to work for no caller.
    pub authority: Arc<Authority>,
    /// What tells the time.
    pub clock: Arc<dyn Clock>,
    /// Where the files are.
    pub blobs: Arc<dyn Blobs>,
    /// What reads and writes rows in a member's name.
    pub data_api: DataApi,
    /// Where tasks are put in.
    pub queue: Queue,
    /// What has the keys that links are signed with.
    pub auth: Auth,
    /// What sends mail.
    pub outbound: Outbound,
    /// The settings.
    pub config: TransfersConfig,
    /// The address that others have of this server.
    pub public_url: String,
    /// For how many days at most what is erased is still in backups that this server makes; nothing where others make them.
    pub backups_kept_days: Option<u32>,
}

impl Transfers {
    /// Sets everything up. Connects to nothing yet.
    pub fn new(options: TransfersOptions) -> Result<Self> {
        if let Some((key, allowed)) = options.config.faults().first() {
            return Err(Error::internal(format!("transfers.{key}: allowed is {allowed}")));
        }
        let bounds = Bounds { bytes_max: options.config.supplier_page_bytes_max, time: TIME_MAX };
        let http = Http::new(HttpOptions { bounds, private_allowed: options.config.supplier_private_addresses_allowed })?;
        Ok(Self(Arc::new(Inner { options, http })))
    }

    /// Returns the settings.
    pub fn config(&self) -> &TransfersConfig {
        &self.0.options.config
    }

    pub(crate) fn blobs(&self) -> &dyn Blobs {
        self.0.options.blobs.as_ref()
    }

    pub(crate) fn data_api(&self) -> &DataApi {
        &self.0.options.data_api
    }

    pub(crate) fn queue(&self) -> &Queue {
        &self.0.options.queue
    }

    pub(crate) fn auth(&self) -> &Auth {
        &self.0.options.auth
    }

    pub(crate) fn outbound(&self) -> &Outbound {
        &self.0.options.outbound
    }

    pub(crate) fn http(&self) -> &Http {
        &self.0.http
    }

    pub(crate) fn public_url(&self) -> &str {
        self.0.options.public_url.trim_end_matches('/')
    }

    pub(crate) fn backups_kept_days(&self) -> Option<u32> {
        self.0.options.backups_kept_days
    }

    pub(crate) fn now(&self) -> Timestamp {
        self.0.options.clock.now()
    }

    /// Returns until when a link is good that is made now.
    pub(crate) fn link_end(&self) -> Result<Timestamp> {
        self.now().checked_add(SignedDuration::from_hours(i64::from(self.config().link_days) * 24)).map_err(Error::internal)
    }

    /// Returns how long a statement of this work may run.
    pub(crate) fn statement_time(&self) -> Duration {
        Duration::from_secs(self.config().statement_time_s)
    }

    /// Opens a transaction for a caller.
    pub(crate) async fn begin_as(&self, grant: &Grant, context: &RequestContext) -> Result<Tx> {
        self.0.options.database.begin(grant, context, Access::Write).await
    }

    /// Opens a transaction of the server's own.
    pub(crate) async fn begin(&self, reason: &'static str) -> Result<Tx> {
        #[expect(clippy::disallowed_methods, reason = "files are looked after, and handed to whoever has their link, for no caller")]
        let grant = Grant::system(&self.0.options.authority, None, reason);
        self.0.options.database.begin(&grant, &RequestContext::default(), Access::Write).await
    }

    /// Takes away files whose time is over, and those that nothing names any more, a bounded number. Returns how many there were.
    pub async fn clean(&self) -> Result<u64> {
        let rows_max = self.config().clean_rows_max;
        let tx = self.begin("takes files away").await?;
        let mut expire = Sql::new("select app.expire_transfers(");
        expire.bind(self.config().imports_kept_days).text("::integer, ").bind(rows_max).text("::integer) as rows");
        let expired: i64 = tx.query_one(expire).await?.try_get("rows").map_err(Error::internal)?;
        tx.commit().await?;
        let tx = self.begin("takes files away").await?;
        let mut take = Sql::new("select f.blob_key from app.forgotten_files f order by f.forgotten_at limit ");
        take.bind(rows_max).text("::integer for update skip locked");
        let rows = tx.query(take).await?;
        for row in &rows {
            let key: String = row.try_get("blob_key").map_err(Error::internal)?;
            // A name that is none has no file.
            if let Ok(parsed) = key.parse::<BlobKey>() {
                self.blobs().delete(&parsed).await?;
            }
            let mut gone = Sql::new("delete from app.forgotten_files f where f.blob_key = ");
            gone.bind(key).text("::text");
            tx.execute(gone).await?;
        }
        tx.commit().await?;
        Ok(u64::try_from(rows.len()).unwrap_or_default().saturating_add(u64::try_from(expired).unwrap_or_default()))
    }

    /// Lets the statements of a transaction run as long as those of this work may.
    pub(crate) async fn take_time(&self, tx: &Tx) -> Result<()> {
        let mut sql = Sql::new("select set_config('statement_timeout', ");
        sql.bind(format!("{}ms", self.statement_time().as_millis())).text("::text, true)");
        tx.query(sql).await.map(drop)
    }
}

impl fmt::Debug for Transfers {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Transfers").field("config", self.config()).finish_non_exhaustive()
    }
}
