//! From settings to a server that answers, and back.
//!
//! Invariant: what was started before something failed is stopped again; a stop ends in the reverse order of the start, so that a
//! request in flight still has its database.

pub(crate) mod database;
mod error;
mod folder;
mod keys;
mod prepare;
mod report;
mod state;
pub(crate) mod switch;
pub(crate) mod variables;

use std::net::SocketAddr;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use arc_swap::ArcSwap;
use auth::keys::KeyRing;
use kernel::Secret;
use observe::{Alerts, Signals};
use postgres::cluster::{self, Cluster};
use postgres::migrate::Migrator;
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

use crate::acme::Orders;
use crate::backend::{Backend, BackendOptions};
use crate::backups::Backups;
use crate::config::Settings;
use crate::edge::{self, Bound, Edge};
use crate::health::{Health, Preparation};
use crate::maintenance::{Done, Maintenance, Shared};
use crate::metrics;
use crate::middleware::{Cors, OwnAddress, Pipeline, Proxies, Uploads};
use crate::router::{self, Front, Mounts, Numbers};

pub(crate) use database::replica_options;
pub use error::StartError;
pub(crate) use error::told;
pub use folder::FolderError;
pub(crate) use folder::{DataFolder, write_private};
pub(crate) use state::{Look, State, url_of};

use keys::KeysInUse;
use prepare::Preparer;
use report::Reporter;

/// A login to try things with.
#[derive(Clone, Debug)]
pub struct DemoLogin {
    /// The address.
    pub email: String,
    /// The password, made at the first start.
    pub password: Secret<String>,
}

/// A server that answers.
pub struct RunningServer {
    addresses: Vec<SocketAddr>,
    tls: bool,
    grace: Duration,
    edge: Edge,
    keys: Arc<KeysInUse>,
    preparation: Arc<ArcSwap<Preparation>>,
    demo: Option<DemoLogin>,
    tasks: TaskTracker,
    stop: CancellationToken,
    backend: Backend,
    backups: Option<Backups>,
    cluster: Option<Cluster>,
    folder: DataFolder,
}

/// Starts a server. Returns when it answers.
pub async fn start(settings: Settings) -> Result<RunningServer, StartError> {
    let folder = DataFolder::take(&settings.data_directory)?;
    switch::settle(folder.path()).await?;
    let settings = Arc::new(Settings { data_directory: folder.path().to_owned(), ..settings });
    // First what fails fast: a taken port is told before a cluster is made.
    let bound = edge::bind(&settings.listen.addresses)?;
    let keys = KeysInUse::load(settings.key_ring_file(), settings.auth.signing_keys_file.clone())?;
    if !settings.uses_private_cluster() {
        let ends = Ends { server: database::server_config(&settings)?, migrator: database::external_migrator(&settings)? };
        return Box::pin(serve(Ground { settings, bound, keys, folder, ends }, &mut None)).await;
    }
    let cluster = Box::pin(cluster::start(database::cluster_options(&settings, folder.path()))).await?;
    let ends = Ends { server: cluster.server_config(), migrator: Some(Migrator::new(cluster.migrator_config())) };
    let mut slot = Some(cluster);
    let started = Box::pin(serve(Ground { settings, bound, keys, folder, ends }, &mut slot)).await;
    if let (Err(_), Some(cluster)) = (&started, slot)
        && let Err(error) = cluster.stop().await
    {
        tracing::error!(%error, "PostgreSQL could not be stopped after the start failed");
    }
    started
}

/// What stands before the database is prepared.
struct Ground {
    settings: Arc<Settings>,
    bound: Bound,
    keys: Arc<KeysInUse>,
    folder: DataFolder,
    ends: Ends,
}

/// The two logins.
struct Ends {
    server: postgres::Config,
    migrator: Option<Migrator>,
}

async fn serve(ground: Ground, cluster: &mut Option<Cluster>) -> Result<RunningServer, StartError> {
    let Ground { settings, bound, keys, folder, ends } = ground;
    let numbers = metrics::install()?;
    let orders = Orders::open(&settings.tls.acme, folder.path())?;
    let certificates = orders.as_ref().map(Orders::served);
    let tls = settings.tls.is_on();
    let addresses = bound.addresses.clone();
    let public_url = public_url(&settings, &addresses, tls);
    let ring = (**keys.ring.load()).clone();
    let backend = Backend::new(BackendOptions { settings: &settings, server: ends.server, keys: ring, public_url: &public_url })?;
    let preparation = Arc::new(ArcSwap::from_pointee(starting()));
    let (tasks, stop) = (TaskTracker::new(), CancellationToken::new());

    let preparer = Preparer::new(&settings, ends.migrator, cluster.as_ref(), &backend, &preparation);
    let demo = if Box::pin(preparer.within(Duration::from_millis(settings.database.start_wait_ms))).await? {
        backend.demo_login(&settings, &keys.ring.load()).await?
    } else {
        tasks.spawn(preparer.until_done(stop.clone()));
        None
    };

    let done = Arc::new(Done::new(&settings));
    let shared = Shared { backend: backend.clone(), preparation: Arc::clone(&preparation), done: Arc::clone(&done), stop: stop.clone() };
    let maintenance = Maintenance::new(shared, &settings, folder.path());
    let health = Arc::new(Health::new(Arc::clone(&preparation), backend.clone(), done, certificates.clone()));
    let routes = router::router(Mounts {
        front: Front { public_url: public_url.as_str().into(), auth_path: backend.auth_path().into(), auth_alone: settings.auth_alone },
        numbers: Numbers { access: settings.metrics.access, handle: numbers.clone(), backend: backend.clone() },
        health: Arc::clone(&health),
        backend: backend.clone(),
        auth_alone: settings.auth_alone,
    });
    let signals: Arc<Signals> = Arc::default();
    let pipeline = Pipeline::new(routes, Cors::new(&settings, &addresses), settings.limits.clone());
    let pipeline = knowing(pipeline, &settings, OwnAddress::new(&public_url, tls), &signals);
    let edge = Edge::open(bound, Arc::new(pipeline), settings.limits.clone(), (&settings.tls, certificates))?;

    let alerts = backend.alerts((&settings, folder.path()), signals, numbers.clone())?;
    let urls: Vec<String> = addresses.iter().map(|address| url_of(*address, tls)).collect();
    let watch = cluster.as_ref().map(Cluster::watch);
    let facts = report::Facts { settings: &settings, urls, public_url, backend: backend.clone(), numbers };
    let reporter = Reporter::new(facts, folder.path(), health, watch);
    reporter.report().await;
    tasks.spawn(reporter.run(stop.clone()));
    tasks.spawn(Arc::clone(&keys).follow(backend.clone(), stop.clone()));
    follow(&backend, &settings, &tasks, &stop);
    if !settings.quiet {
        speak(&backend, &settings, (orders, alerts), &tasks, &stop);
    }
    maintenance.begin(&tasks);
    let backups = back_up(&settings, cluster.as_ref(), &backend, (&tasks, &stop))?;
    Ok(RunningServer {
        addresses,
        tls,
        grace: Duration::from_millis(settings.listen.shutdown_grace_ms),
        edge,
        keys,
        preparation,
        demo,
        tasks,
        stop,
        backend,
        backups,
        cluster: cluster.take(),
        folder,
    })
}

/// Adds what is known of requests before they come to their routes.
fn knowing(pipeline: Pipeline, settings: &Settings, own: OwnAddress, signals: &Arc<Signals>) -> Pipeline {
    let is_strict = settings.tls.is_on() && !settings.is_development();
    let strict_s = if is_strict { settings.tls.hsts_max_age_s } else { 0 };
    let pipeline = pipeline.behind(Proxies::new(&settings.proxies)).found_at(own).by_tls_alone(strict_s);
    pipeline.counting(Arc::clone(signals)).taking(uploads(settings))
}

fn starting() -> Preparation {
    Preparation::Pending { code: "starting".to_owned(), message: "The start is not finished".to_owned() }
}

/// Has the backend keep up with what happens, until the server stops.
fn follow(backend: &Backend, settings: &Settings, tasks: &TaskTracker, stop: &CancellationToken) {
    tasks.spawn(backend.clone().follow_schema(stop.clone()));
    tasks.spawn(backend.clone().follow_replicas(stop.clone()));
    tasks.spawn(backend.clone().follow_redis(stop.clone()));
    tasks.spawn(backend.clone().follow_rates(Duration::from_millis(settings.rates.refresh_ms), stop.clone()));
    tasks.spawn(backend.clone().follow_changes(stop.clone()));
    tasks.spawn(backend.clone().follow_sockets(stop.clone()));
    tasks.spawn(backend.clone().follow_queue(stop.clone()));
}

fn back_up(
    settings: &Settings,
    cluster: Option<&Cluster>,
    backend: &Backend,
    (tasks, stop): (&TaskTracker, &CancellationToken),
) -> Result<Option<Backups>, StartError> {
    let backups = Backups::open(settings, cluster)?;
    match (&backups, cluster) {
        (Some(backups), Some(cluster)) => backups.begin(settings, cluster, backend, (tasks, stop)),
        (Some(backups), None) => backups.begin_dumps(settings, backend, (tasks, stop))?,
        (None, _) => {}
    }
    Ok(backups)
}

/// Has the backend do what others hear of.
fn speak(
    backend: &Backend,
    settings: &Settings,
    (orders, alerts): (Option<Orders>, Alerts),
    tasks: &TaskTracker,
    stop: &CancellationToken,
) {
    if let Some(orders) = orders {
        tasks.spawn(orders.follow(stop.clone()));
    }
    tasks.spawn(alerts.follow(stop.clone()));
    tasks.spawn(backend.clone().follow_outbox(stop.clone()));
    if settings.queue.worker {
        tasks.spawn(backend.clone().work(stop.clone()));
    }
    tasks.spawn(backend.clone().follow_webhooks(stop.clone()));
    tasks.spawn(backend.clone().follow_notifications(stop.clone()));
    tasks.spawn(backend.clone().follow_providers(stop.clone()));
}

/// Files of imports are larger than what a request says otherwise.
fn uploads(settings: &Settings) -> [Uploads; 4] {
    let transfers = &settings.transfers;
    let storage = &settings.storage;
    // Whoever sends too much to a bucket is told so by the bucket.
    let object = |path| Uploads { path, bytes_max: u64::MAX, time: Duration::from_secs(storage.upload_time_s) };
    [
        Uploads { path: "/api/v1/imports", bytes_max: transfers.import_bytes_max, time: Duration::from_secs(transfers.upload_time_s) },
        object("/storage/v1/object"),
        object("/storage/v1/upload"),
        object("/storage/v1/s3"),
    ]
}

/// Returns the address for clients: the configured one, else the first that is listened on.
fn public_url(settings: &Settings, addresses: &[SocketAddr], tls: bool) -> String {
    let configured = settings.public_url.as_deref().map(|url| url.trim_end_matches('/').to_owned());
    configured.or_else(|| addresses.first().map(|address| url_of(*address, tls))).unwrap_or_default()
}

impl RunningServer {
    /// Returns the first address that it listens on.
    pub fn address(&self) -> Option<SocketAddr> {
        self.addresses.first().copied()
    }

    /// Returns all addresses as URLs.
    pub fn urls(&self) -> Vec<String> {
        self.addresses.iter().map(|address| url_of(*address, self.tls)).collect()
    }

    /// Returns the keys in use.
    pub fn keys(&self) -> Arc<KeyRing> {
        self.keys.ring.load_full()
    }

    /// Tells whether this start made the keys.
    pub fn keys_are_new(&self) -> bool {
        self.keys.are_new
    }

    /// Returns the demo login of a development server.
    pub fn demo_login(&self) -> Option<&DemoLogin> {
        self.demo.as_ref()
    }

    /// Returns the recovery key of backups, if this start made it.
    pub fn new_recovery_key(&self) -> Option<Secret<String>> {
        self.backups.as_ref().and_then(Backups::new_key)
    }

    /// Returns the data folder.
    pub fn data_directory(&self) -> &Path {
        self.folder.path()
    }

    /// Returns what does not work, or worse than it should, in sentences.
    pub fn degraded(&self) -> Vec<String> {
        let cluster = self.cluster.as_ref().map(|cluster| cluster.status().facts.degraded).unwrap_or_default();
        match &**self.preparation.load() {
            Preparation::Pending { message, .. } => vec![message.clone()],
            Preparation::Done { degraded } => degraded.iter().cloned().chain(cluster).collect(),
        }
    }

    /// Stops: requests in flight finish within the grace, then the private cluster stops.
    pub async fn shutdown(self) -> Result<(), StartError> {
        self.backend.close_sockets().await;
        if !self.edge.close(self.grace).await {
            tracing::warn!(grace_ms = self.grace.as_millis(), "requests were still in flight at the end of the grace and were cut off");
        }
        self.stop.cancel();
        self.tasks.close();
        self.tasks.wait().await;
        self.backend.close();
        if let Some(cluster) = self.cluster {
            cluster.stop().await?;
        }
        if let Some(backups) = &self.backups {
            backups.end().await;
        }
        State::remove(self.folder.path());
        Ok(())
    }
}
