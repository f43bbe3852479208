//! The data API: rows of the exposed schemas over HTTP, in the `PostgREST` dialect.
//!
//! Invariant: a request is understood ([`request`]), checked against the catalog ([`plan`]), turned into one statement ([`query`]), run
//! in a transaction of the caller ([`run`]) and answered ([`response`]), in this order and with nothing passed by. Only `run` touches
//! the database.

pub mod config;

mod batch;
mod costs;
mod described;
mod estimate;
mod explain;
mod failure;
mod html;
mod idempotency;
mod inside;
mod kept;
mod limits;
mod openapi;
mod paging;
mod place;
mod plan;
mod planner;
mod query;
mod repeat;
mod request;
mod response;
mod root;
mod routes;
mod run;
mod schema;
mod stream;
mod timing;
mod typescript;

use std::num::NonZeroUsize;
use std::sync::Arc;
use std::time::Duration;

use cache::Stats;
use kernel::{Authority, ChangeListener, Error, Principal, Result};
use postgres::catalog::Catalog;
use postgres::{Database, Sql};
use redis_link::Link;
use tokio::sync::Semaphore;

pub use batch::router as batch_router;
pub use config::{DataApiConfig, EmbedNames, EndOfTransaction, OpenApiMode};
pub use inside::{ColumnShape, JsonRows, RowCount, Selection, TableShape, Writing};
pub use routes::{root_router, router};
pub use timing::Timing;
pub use typescript::typescript;

use crate::costs::{Costs, Guard};
use crate::estimate::Estimates;
use crate::kept::Store;
use crate::limits::{Limits, LimitsByRole};
use crate::plan::{Caller, Surroundings};
use crate::schema::SchemaCache;

/// The data API over one database. Cheap to clone.
#[derive(Clone)]
pub struct DataApi(Arc<Inner>);

struct Inner {
    database: Database,
    schema: SchemaCache,
    limits: LimitsByRole,
    costs: Costs,
    estimates: Estimates,
    /// One for each large result that may be on its way.
    streams: Arc<Semaphore>,
    kept: Option<Store>,
    config: DataApiConfig,
}

impl DataApi {
    /// Makes it. Looks at nothing yet: the first request or [`DataApi::reload`] does.
    pub fn new(database: Database, authority: Arc<Authority>, config: DataApiConfig) -> Result<Self> {
        if let Some((key, allowed)) = config.faults().into_iter().next() {
            return Err(Error::internal(format!("data_api.{key} is impossible; allowed: {allowed}")));
        }
        let interval = Duration::from_millis(config.catalog_reload_ms);
        let schema = SchemaCache::new(database.clone(), authority, config.schemas.clone(), interval);
        let estimates_max = NonZeroUsize::new(config.estimates_max).unwrap_or(NonZeroUsize::MIN);
        let estimates = Estimates::new(estimates_max, Duration::from_millis(config.estimate_age_ms));
        // Others need connections, too.
        let streams_max = config.streams_max.min(database.pool_status().size_max.div_ceil(2));
        let streams = Arc::new(Semaphore::new(streams_max));
        // Of a database that is not ours nothing is told.
        let kept = if database.is_alone() { None } else { Store::new(&config.cache) };
        Ok(Self(Arc::new(Inner {
            database,
            schema,
            limits: LimitsByRole::new(&config),
            costs: Costs::new(&config),
            estimates,
            streams,
            kept,
            config,
        })))
    }

    /// Looks at the tables and functions anew.
    pub async fn reload(&self) -> Result<()> {
        self.0.schema.reload().await
    }

    /// Follows the database for ever: what becomes of its tables and functions is known within `catalog_watch_ms`, and no request waits
    /// for it. While the database is away the last known stay.
    pub async fn follow(&self) {
        loop {
            tokio::time::sleep(Duration::from_millis(self.0.config.catalog_watch_ms)).await;
            self.look().await;
        }
    }

    /// Looks whether tables or functions changed, and reads what did. While the database is away the last known stay.
    pub async fn look(&self) {
        match self.0.schema.follow().await {
            Ok(true) => tracing::debug!("what changed of tables and functions was read anew"),
            Ok(false) => {}
            Err(error) => tracing::debug!(%error, "the tables and functions could not be looked at"),
        }
    }

    /// Tells whether the tables and functions are known.
    pub fn loaded(&self) -> Result<()> {
        self.0.schema.loaded()
    }

    /// Returns what is known of tables and functions, for who looks into the server; nothing before they are known.
    pub fn described(&self) -> Option<serde_json::Value> {
        Some(described::described(&*self.0.schema.current()?, &self.0.config.schemas))
    }

    /// Returns what the change feed tells of changes; nothing where no reads are kept.
    pub fn listener(&self) -> Option<Arc<dyn ChangeListener>> {
        Some(self.kept()?.cache().listener())
    }

    /// Has servers that know this secret keep answers for each other in Redis, where reads are kept.
    pub fn share(&self, link: Link, secret: [u8; 32]) -> Result<()> {
        self.kept().map_or(Ok(()), |store| store.share(link, secret, &self.config().cache))
    }

    /// Returns the numbers of what is kept; nothing where no reads are.
    pub async fn cache_stats(&self) -> Option<Stats> {
        Some(self.kept()?.cache().stats().await)
    }

    fn kept(&self) -> Option<&Store> {
        self.0.kept.as_ref()
    }

    fn database(&self) -> &Database {
        &self.0.database
    }

    fn schema(&self) -> &SchemaCache {
        &self.0.schema
    }

    fn limits(&self) -> &LimitsByRole {
        &self.0.limits
    }

    fn estimates(&self) -> &Estimates {
        &self.0.estimates
    }

    fn streams(&self) -> &Arc<Semaphore> {
        &self.0.streams
    }

    /// Returns what a statement is guarded by; nothing where the role may run any plan.
    fn guard(&self, role: &str, statement: &Sql) -> Option<Guard<'_>> {
        let cost_max = self.limits().of(role).plan_cost_max?;
        Some(self.0.costs.guard(self.schema().generation(), role, statement, cost_max))
    }

    /// Returns how long the statements of a caller may run, where his role has a time of its own: what the database says of the role goes
    /// before the configuration.
    fn statement_timeout(&self, catalog: &Catalog, principal: &Principal) -> Option<Arc<str>> {
        let role = principal.database_role();
        catalog.statement_timeout(role).map(Arc::from).or_else(|| self.limits().of(role).statement_timeout())
    }

    /// What planning has to know beyond the request.
    fn surroundings<'a>(&self, catalog: &'a Catalog, caller: Caller, limits: &Limits) -> Surroundings<'a> {
        Surroundings {
            catalog,
            caller,
            rows: limits.rows,
            conditions_max: limits.parse.conditions_max,
            aggregates_enabled: self.0.config.aggregates_enabled,
            embed_names: self.0.config.embed_names,
            suggests_names: self.0.config.errors_explained && catalog.is_declared(),
        }
    }

    fn config(&self) -> &DataApiConfig {
        &self.0.config
    }
}

impl std::fmt::Debug for DataApi {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("DataApi").field("config", &self.0.config).finish_non_exhaustive()
    }
}
