//! The catalog that requests are planned against, and when it is read anew.
//!
//! Invariant: a catalog in use is never changed, only replaced; an unknown name causes at most one look at the database in each interval,
//! so that nobody can keep the server busy by asking for what is not there. Who follows the database replaces it in the background, so
//! that no request waits for what changed.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

use arc_swap::ArcSwapOption;
use kernel::{Authority, CompanyId, Error, Grant, Kind, Result};
use postgres::Database;
use postgres::catalog::Catalog;
use tokio::sync::Mutex;

/// Seconds after which a client may come back when the tables are not known yet.
const RETRY_AFTER_SECONDS: u32 = 1;

/// The catalog and its age.
pub(crate) struct SchemaCache {
    database: Database,
    authority: Arc<Authority>,
    schemas: Vec<String>,
    interval: Duration,
    current: ArcSwapOption<Catalog>,
    /// What the database showed just before the current catalog was read.
    fingerprint: ArcSwapOption<String>,
    /// How many catalogs were in use before.
    generation: AtomicU64,
    /// When it was looked last. Whoever looks holds it, so that others wait for the same look.
    looked: Mutex<Option<Instant>>,
}

impl SchemaCache {
    pub(crate) fn new(database: Database, authority: Arc<Authority>, schemas: Vec<String>, interval: Duration) -> Self {
        Self {
            database,
            authority,
            schemas,
            interval,
            current: ArcSwapOption::empty(),
            fingerprint: ArcSwapOption::empty(),
            generation: AtomicU64::new(0),
            looked: Mutex::new(None),
        }
    }

    /// Returns the catalog; reads it where there is none yet.
    pub(crate) async fn get(&self) -> Result<Arc<Catalog>> {
        if let Some(catalog) = self.current.load_full() {
            return Ok(catalog);
        }
        self.newer_than(None).await?.ok_or_else(not_loaded)
    }

    /// Returns the catalog that is in use.
    pub(crate) fn current(&self) -> Option<Arc<Catalog>> {
        self.current.load_full()
    }

    /// Returns a number that is another one with every catalog that is put in use.
    pub(crate) fn generation(&self) -> u64 {
        self.generation.load(Ordering::Relaxed)
    }

    /// Returns what the database showed of tables and functions when they were read: the same on every server that knows the same.
    pub(crate) fn fingerprint(&self) -> Option<Arc<String>> {
        self.fingerprint.load_full()
    }

    /// Returns the catalog if it is there.
    pub(crate) fn loaded(&self) -> Result<()> {
        if self.current.load().is_some() { Ok(()) } else { Err(not_loaded()) }
    }

    /// Returns a newer catalog than the one that knew too little, unless it is too early to look again.
    pub(crate) async fn newer_than(&self, known: Option<&Arc<Catalog>>) -> Result<Option<Arc<Catalog>>> {
        let mut looked = self.looked.lock().await;
        let current = self.current.load_full();
        let is_newer = match (&current, known) {
            (Some(current), Some(known)) => !Arc::ptr_eq(current, known),
            (current, _) => current.is_some(),
        };
        if is_newer {
            return Ok(current);
        }
        if looked.is_some_and(|at| at.elapsed() < self.interval) {
            return Ok(None);
        }
        *looked = Some(Instant::now());
        self.load(current).await.map(Some)
    }

    /// Reads the whole catalog now.
    pub(crate) async fn reload(&self) -> Result<()> {
        let mut looked = self.looked.lock().await;
        *looked = Some(Instant::now());
        self.load(None).await.map(|_| ())
    }

    /// Reads what changed where the database shows another catalog than the current. Returns whether it did.
    pub(crate) async fn follow(&self) -> Result<bool> {
        let shown = Catalog::fingerprint(&self.database, &self.grant()).await?;
        if self.fingerprint.load().as_deref() == Some(&shown) {
            return Ok(false);
        }
        let mut looked = self.looked.lock().await;
        *looked = Some(Instant::now());
        self.load(self.current()).await.map(|_| true)
    }

    /// Reads everything, or what changed since another catalog was read.
    async fn load(&self, since: Option<Arc<Catalog>>) -> Result<Arc<Catalog>> {
        let loaded = self.load_now(since).await;
        let status = if loaded.is_ok() { "SUCCESS" } else { "FAIL" };
        metrics::counter!("pgrst_schema_cache_loads_total", "status" => status).increment(1);
        loaded
    }

    async fn load_now(&self, since: Option<Arc<Catalog>>) -> Result<Arc<Catalog>> {
        let started = Instant::now();
        let grant = self.grant();
        // First: what is changed between the two is seen at the next look.
        let fingerprint = Catalog::fingerprint(&self.database, &grant).await?;
        let catalog = match since {
            Some(since) => Box::pin(since.renewed(&self.database, &grant, &self.schemas)).await?,
            None => Box::pin(Catalog::load(&self.database, &grant, &self.schemas)).await?,
        };
        let catalog = Arc::new(catalog);
        self.current.store(Some(Arc::clone(&catalog)));
        self.fingerprint.store(Some(Arc::new(fingerprint)));
        self.generation.fetch_add(1, Ordering::Relaxed);
        metrics::counter!("data_api_catalog_loads_total").increment(1);
        metrics::gauge!("pgrst_schema_cache_query_time_seconds").set(started.elapsed().as_secs_f64());
        metrics::histogram!("data_api_catalog_load_seconds").record(started.elapsed().as_secs_f64());
        Ok(catalog)
    }

    /// Returns the server's own grant in one company, to see whether a row is there that a caller does not see.
    pub(crate) fn grant_in(&self, company: CompanyId) -> Grant {
        #[expect(clippy::disallowed_methods, reason = "the server itself looks, within the company of whoever may know it")]
        Grant::system(&self.authority, Some(company), "tell a hidden row from a missing one")
    }

    pub(crate) fn grant(&self) -> Grant {
        #[expect(clippy::disallowed_methods, reason = "the server itself looks at the tables, for no caller")]
        Grant::system(&self.authority, None, "read the catalog")
    }
}

fn not_loaded() -> Error {
    let message = "Could not query the database for the schema cache. Retrying.";
    Error::new(Kind::Unavailable, "PGRST002", message).with_retry_after(RETRY_AFTER_SECONDS)
}
