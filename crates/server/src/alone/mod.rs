//! The data API alone, on any PostgreSQL database: no schema of ours, no other service, nothing written.
//!
//! Invariant: the server connects as a login that owns nothing and becomes the role of each request; what it reads of the database is
//! its catalog and its settings. There is no data folder, no key and no migration.

mod admin;
mod answer;
pub mod config;
mod context;
mod cors;
mod file;
mod in_database;
mod place;
mod router;
mod serving;
pub mod settings;
mod told;
pub(crate) mod values;

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};
use std::sync::Arc;
use std::time::Duration;

use arc_swap::ArcSwap;
use kernel::{Authority, Kind};
use postgres::{Alone, Database, PoolOptions};
use tokio::sync::mpsc;
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

use config::AloneConfig;
use serving::{Grounds, Serving};
use told::{Place, Signals};
use values::{Sources, Values};

use crate::acme::AcmeError;
use crate::config::Settings;
use crate::edge::{self, Bound, Edge, ListenError};
use crate::metrics;
use crate::middleware::{Cors, Pipeline};
use crate::start::{StartError, told as told_of};

/// How often connections that nobody uses are let go.
const TIDY: Duration = Duration::from_secs(5);
/// Orders that wait to be done.
const ORDERS_MAX: usize = 16;

/// What is to be served.
pub(crate) struct Given {
    pub(crate) sources: Sources,
    pub(crate) values: Values,
    /// Limits, TLS and the log are set as ever.
    pub(crate) settings: Settings,
    /// Addresses of the command line; they go before those of the configuration.
    pub(crate) listen: Vec<SocketAddr>,
}

/// A data API that answers.
pub(crate) struct Running {
    places: Vec<String>,
    grace: Duration,
    edges: Vec<Edge>,
    database: Database,
    tasks: TaskTracker,
    stop: CancellationToken,
}

/// Starts it. Returns when it answers; a database that is away is waited for a while, and then in the background.
pub(crate) async fn start(given: Given) -> Result<Running, StartError> {
    let Given { sources, values, settings, listen } = given;
    if settings.tls.acme.is_on() {
        return Err(AcmeError::NoFolder.into());
    }
    // Before anybody could send one: without this they end the program.
    let signals = Signals::listen().map_err(kernel::Error::internal)?;
    let config = AloneConfig::of(&values, settings.database.url.as_ref())?;
    let bound = bind(&config, &listen).await?;
    let admin_bound = match &config.admin {
        Some((host, port)) => Some(edge::bind(&[address(host, *port).await?])?),
        None => None,
    };
    if let Some(bound) = &admin_bound {
        for address in &bound.addresses {
            tracing::info!(url = crate::start::url_of(*address, settings.tls.is_on()), "the admin server answers");
        }
    }
    let places = places(&bound, &config, settings.tls.is_on());
    let numbers = metrics::install()?;
    let (server, certificate) = place::server(config.uri.expose(), |name| sources.variable(name))?;
    let certificate = certificate.or_else(|| settings.database.root_certificate_file.clone());
    let opening = Arc::new(ArcSwap::from_pointee(Alone::default()));
    let database = Database::new(PoolOptions {
        size_max: config.pool.size,
        lifetime: Duration::from_secs(config.pool.lifetime_s),
        idle: Duration::from_secs(config.pool.idle_s),
        acquire: Duration::from_secs(config.pool.acquire_s),
        prepared_statements: config.pool.prepared_statements,
        root_certificate_file: certificate.clone(),
        alone: Some(Arc::clone(&opening)),
        ..PoolOptions::new(server.clone())
    })?;
    #[expect(clippy::disallowed_methods, reason = "this is where the process's authority is made")]
    let authority = Authority::establish();
    let (tasks, stop) = (TaskTracker::new(), CancellationToken::new());
    let settings = Arc::new(settings);
    let grounds = Grounds {
        sources,
        settings: Arc::clone(&settings),
        database: database.clone(),
        authority,
        opening,
        at_start: values,
        stop: stop.clone(),
    };
    let serving = Arc::new(Serving::new(grounds, &config)?);
    let place = config.channel.clone().map(|channel| Place { server, root_certificate_file: certificate, channel });
    // Before anything is read: what changes from now on is told.
    let listener = match &place {
        Some(place) => tokio::time::timeout(Duration::from_secs(config.pool.acquire_s), place.connect()).await.ok().and_then(Result::ok),
        None => None,
    };
    let is_done = first_look(&serving, Duration::from_millis(settings.database.start_wait_ms)).await?;

    let open = |bound, routes| {
        let pipeline = Pipeline::new(routes, Cors::Routes, settings.limits.clone());
        Edge::open(bound, Arc::new(pipeline), settings.limits.clone(), (&settings.tls, None))
    };
    let mut edges = vec![open(bound, router::changing(Arc::clone(&serving.routes)))?];
    if let Some(bound) = admin_bound {
        edges.push(open(bound, admin::router(Arc::clone(&serving), numbers))?);
    }
    let (orders, received) = mpsc::channel(ORDERS_MAX);
    tasks.spawn(until(stop.clone(), told::obey(serving, received, is_done)));
    if let Some(place) = place {
        tasks.spawn(until(stop.clone(), told::listen(place, listener, orders.clone())));
    }
    tasks.spawn(until(stop.clone(), signals.pass_on(orders)));
    tasks.spawn(until(stop.clone(), tidy(database.clone())));
    let grace = Duration::from_millis(settings.listen.shutdown_grace_ms);
    Ok(Running { places, grace, edges, database, tasks, stop })
}

/// Reads everything once; waits for a database that is away no longer than the limit. Returns whether it is done.
async fn first_look(serving: &Serving, limit: Duration) -> Result<bool, StartError> {
    /// The pause between two tries.
    const PAUSE: Duration = Duration::from_millis(200);
    let deadline = tokio::time::Instant::now() + limit;
    loop {
        match Box::pin(serving.reload_config()).await {
            Ok(()) => return Ok(true),
            Err(error) if error.kind() != Kind::Unavailable => return Err(error.into()),
            Err(error) if tokio::time::Instant::now() + PAUSE > deadline => {
                tracing::warn!(error = told_of(&error), "the database is away; requests are answered 503 until it is there");
                return Ok(false);
            }
            Err(_away) => tokio::time::sleep(PAUSE).await,
        }
    }
}

async fn until(stop: CancellationToken, work: impl Future<Output = ()>) {
    stop.run_until_cancelled(Box::pin(work)).await;
}

async fn tidy(database: Database) {
    loop {
        tokio::time::sleep(TIDY).await;
        database.reap_idle();
    }
}

async fn bind(config: &AloneConfig, listen: &[SocketAddr]) -> Result<Bound, StartError> {
    if !listen.is_empty() {
        return Ok(edge::bind(listen)?);
    }
    if let Some((path, mode)) = &config.unix_socket {
        return edge::bind_unix(path, *mode).map_err(|source| StartError::File { path: path.clone(), source });
    }
    Ok(edge::bind(&[address(&config.host, config.port).await?])?)
}

/// Returns the address that a host's name stands for; some names mean all addresses of a kind.
async fn address(host: &str, port: u16) -> Result<SocketAddr, StartError> {
    let any: Option<IpAddr> = match host {
        "*4" | "!4" => Some(Ipv4Addr::UNSPECIFIED.into()),
        "*" | "*6" | "!6" => Some(Ipv6Addr::UNSPECIFIED.into()),
        _ => None,
    };
    if let Some(ip) = any {
        return Ok(SocketAddr::new(ip, port));
    }
    let unusable = |source| ListenError::Unusable { address: SocketAddr::new(Ipv4Addr::UNSPECIFIED.into(), port), source };
    let mut found = tokio::net::lookup_host((host, port)).await.map_err(unusable)?;
    Ok(found.next().ok_or(ListenError::None)?)
}

fn places(bound: &Bound, config: &AloneConfig, tls: bool) -> Vec<String> {
    let socket = config.unix_socket.iter().map(|(path, _)| path.display().to_string()).filter(|_| bound.addresses.is_empty());
    bound.addresses.iter().map(|address| crate::start::url_of(*address, tls)).chain(socket).collect()
}

impl Running {
    /// Returns where it answers.
    pub(crate) fn places(&self) -> &[String] {
        &self.places
    }

    /// Stops: requests in flight finish within the grace.
    pub(crate) async fn shutdown(self) {
        for edge in self.edges {
            if !edge.close(self.grace).await {
                tracing::warn!(grace_ms = self.grace.as_millis(), "requests were still in flight at the end of the grace and were cut off");
            }
        }
        self.stop.cancel();
        self.tasks.close();
        self.tasks.wait().await;
        self.database.close();
    }
}
