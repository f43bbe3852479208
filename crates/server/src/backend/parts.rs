//! What the backend is wired of, as the settings say it.
//!
//! Invariant: what a setting leaves open is decided here, by whether a developer looks on.

use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use auth::keys::KeyRing;
use auth::{Auth, AuthConfig};
use blobs::Files;
use data_api::{DataApi, DataApiConfig};
use kernel::{Authority, Clock, Result};
use limits::{Buckets, Keys, Limiter, Mode};
use outbound::{Outbound, OutboundOptions};
use postgres::feed::{Feed, FeedMode, FeedOptions, FeedStatus};
use postgres::{Database, PoolOptions};
use queue::{Queue, QueueOptions};
use realtime::changes::{Changes, ChangesOptions};
use realtime::{Realtime, RealtimeOptions};
use redis_link::Link;
use storage::{Storage, StorageOptions};
use transfers::{Transfers, TransfersOptions};

use crate::config::Settings;
use crate::tasks;

/// What runs SQL that was scheduled, and asks other servers what SQL wants to know. A developer's are on his own machine.
pub(super) fn of_sql(settings: &Settings, pool: &PoolOptions, authority: &Arc<Authority>) -> Result<tasks::OfSql> {
    let time = Duration::from_millis(settings.queue.cron.command_time_ms);
    let run_sql = tasks::RunSql { pool: pool.clone(), authority: Arc::clone(authority), time };
    let private_allowed = settings.outbound.http_requests.private_addresses_allowed.unwrap_or(settings.is_development());
    Ok(tasks::OfSql { run_sql, http_request: tasks::HttpRequest::new(private_allowed)? })
}

/// How this process is called beside others: its machine and its number.
fn node_name() -> String {
    let machine = nix::unistd::gethostname().ok().and_then(|name| name.into_string().ok()).unwrap_or_default();
    let machine: String = machine.chars().take(150).collect();
    format!("{machine}:{}", std::process::id())
}

/// Returns the settings of the data API, with what is not set. A developer may ask for plans.
pub(super) fn data_api_config(settings: &Settings, public_url: &str) -> DataApiConfig {
    let mut config = settings.data_api.clone();
    if config.openapi_server_url.is_empty() {
        config.openapi_server_url = format!("{}/rest/v1", public_url.trim_end_matches('/'));
    }
    config.plan_enabled.get_or_insert(settings.is_development());
    config
}

/// What a developer only looks at is not locked after a week.
pub(super) fn auth_config(settings: &Settings) -> AuthConfig {
    let mut config = settings.auth.clone();
    // A developer's clients and tests are all one address.
    config.limits.by_address.get_or_insert(!settings.is_development());
    config.companies.mfa_required.get_or_insert(!settings.is_development());
    config
}

/// What goes out.
pub(super) fn outbound(
    (database, authority): (&Database, &Arc<Authority>),
    clock: Arc<dyn Clock>,
    settings: &Settings,
    public_url: &str,
) -> Result<Outbound> {
    let (database, authority) = (database.clone(), Arc::clone(authority));
    let (config, is_development) = (settings.outbound.clone(), settings.is_development());
    let outbound = Outbound::new(OutboundOptions { database, authority, clock, config, is_development })?;
    outbound.found_at(public_url);
    Ok(outbound)
}

/// Where tasks wait.
pub(super) fn queue(
    (database, authority): (&Database, &Arc<Authority>),
    settings: &Settings,
    listen: Option<(postgres::Config, Option<PathBuf>)>,
) -> Result<Queue> {
    let (database, authority, config) = (database.clone(), Arc::clone(authority), settings.queue.clone());
    Queue::new(QueueOptions { database, authority, config, node: node_name(), listen })
}

/// Subscriptions to changed rows; none where no changes are heard of.
fn changes(database: &Database, authority: &Arc<Authority>, settings: &Settings) -> Changes {
    if settings.change_feed.mode == FeedMode::Off {
        return Changes::default();
    }
    let config = settings.row_changes.clone();
    Changes::new(ChangesOptions { database: database.clone(), authority: Arc::clone(authority), config })
}

/// Who tells of changed rows, how that is, and whom sockets hear of them from.
pub(super) fn feed(
    pool: PoolOptions,
    data_api: &DataApi,
    (database, authority, auth): (&Database, &Arc<Authority>, &Auth),
    settings: &Settings,
) -> Result<(Feed, FeedStatus, Realtime)> {
    let feed = Feed::new(FeedOptions { pool, authority: Arc::clone(authority), config: settings.change_feed.clone() })?;
    let status = feed.status();
    let realtime = Realtime::new(RealtimeOptions {
        database: database.clone(),
        auth: auth.clone(),
        changes: changes(database, authority, settings),
        authority: Arc::clone(authority),
        feed: status.clone(),
        redis: settings.redis.clone(),
        config: settings.realtime.clone(),
    })?;
    let listeners = data_api.listener().into_iter().chain(realtime.listeners());
    Ok((listeners.fold(feed, Feed::with), status, realtime))
}

/// A developer sees what he would be refused elsewhere.
pub(super) fn limiter(settings: &Settings, clock: Arc<dyn Clock>, shared: Option<(Link, &KeyRing)>) -> Result<Limiter> {
    let mut config = settings.rates.clone();
    config.mode.get_or_insert(if settings.is_development() { Mode::Shadow } else { Mode::Enforce });
    let buckets = match shared {
        // All servers with the same key file name a bucket alike.
        Some((link, ring)) => Buckets::shared(Keys::shared(ring.derived("rate limits")), config.buckets_max, link),
        None => Buckets::local(Keys::of_this_process()?, config.buckets_max),
    };
    Ok(Limiter::new(config, buckets, clock))
}

/// How connections are made and kept.
pub(super) fn pool_options(settings: &Settings, server: postgres::Config) -> PoolOptions {
    let database = &settings.database;
    PoolOptions {
        size_max: database.pool_size,
        short_reads_max: database.short_reads_max,
        lifetime: Duration::from_secs(database.pool_lifetime_s),
        idle: Duration::from_secs(database.pool_idle_s),
        acquire: Duration::from_millis(database.pool_acquire_ms),
        statement_timeout: Duration::from_millis(database.statement_time_ms),
        abandoned: Duration::from_millis(database.abandoned_ms),
        prepared_statements: database.prepared_statements,
        root_certificate_file: database.root_certificate_file.clone(),
        ..PoolOptions::new(server)
    }
}

/// Where rows are, who may work for nobody, and what time it is.
type Ground<'a> = (&'a Database, &'a Arc<Authority>, &'a Arc<dyn Clock>);

/// Work over many rows.
pub(super) fn transfers(
    (database, authority, clock): Ground<'_>,
    (files, data_api, queue, auth, outbound): (&Files, &DataApi, &Queue, &Auth, &Outbound),
    settings: &Settings,
    public_url: &str,
) -> Result<Transfers> {
    Transfers::new(TransfersOptions {
        database: database.clone(),
        authority: Arc::clone(authority),
        clock: Arc::clone(clock),
        blobs: Arc::new(files.clone()),
        data_api: data_api.clone(),
        queue: queue.clone(),
        auth: auth.clone(),
        outbound: outbound.clone(),
        config: settings.transfers.clone(),
        public_url: public_url.to_owned(),
        // Copies are made of a cluster of our own alone.
        backups_kept_days: if settings.database.url.is_none() { settings.backup.kept_days() } else { None },
    })
}

/// Buckets and objects.
pub(super) fn storage(
    (database, authority, clock): Ground<'_>,
    (files, auth, limiter, queue): (&Files, &Auth, &Limiter, &Queue),
    settings: &Settings,
    public_url: &str,
) -> Result<Storage> {
    Storage::new(StorageOptions {
        database: database.clone(),
        authority: Arc::clone(authority),
        clock: Arc::clone(clock),
        blobs: Arc::new(files.clone()),
        auth: auth.clone(),
        limiter: limiter.clone(),
        queue: queue.clone(),
        config: settings.storage.clone(),
        public_url: public_url.to_owned(),
    })
}
