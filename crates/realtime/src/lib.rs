//! Realtime: changed rows, broadcast and presence, told over sockets.
//!
//! Invariant: nothing is lost in silence, and nobody hears of what he may not see. A socket holds a place in a channel only while its
//! caller may be there: whatever changes about him is heard of, and asked for anew.

pub mod changes;
pub mod config;

mod caller;
mod connect;
mod events;
mod feed;
mod hub;
mod ledger;
mod nodes;
mod outbox;
mod presence;
mod quotas;
mod replays;
mod requests;
mod rights;
mod socket;
mod sockets;
mod status;
mod system;
mod told;
mod wire;

use std::sync::Arc;
use std::time::{Duration, Instant};

use auth::Auth;
use axum::Router;
use axum::extract::DefaultBodyLimit;
use axum::routing::{get, post};
use kernel::{Authority, ChangeListener, Error, Result};
use postgres::Database;
use postgres::feed::{FeedStatus, Way};
use redis_link::RedisConfig;
use tokio_util::sync::CancellationToken;
use uuid::Uuid;

use crate::caller::Touched;
use crate::changes::Changes;
use crate::hub::Hub;
use crate::ledger::Ledger;
use crate::nodes::Nodes;
use crate::quotas::Quotas;
use crate::rights::Gate;
use crate::sockets::Sockets;

pub use config::RealtimeConfig;

/// How long sockets may take to close when the server stops.
const CLOSE: Duration = Duration::from_secs(5);

/// What realtime is made of.
pub struct RealtimeOptions {
    /// Where rows and policies are.
    pub database: Database,
    /// The process's authority.
    pub authority: Arc<Authority>,
    /// Who knows callers.
    pub auth: Auth,
    /// The subscriptions to changed rows.
    pub changes: Changes,
    /// How the change feed is.
    pub feed: FeedStatus,
    /// Where servers tell each other; nowhere where it has no address.
    pub redis: RedisConfig,
    /// The settings.
    pub config: RealtimeConfig,
}

/// Realtime. Cheap to clone.
#[derive(Clone)]
pub struct Realtime(Arc<Inner>);

struct Inner {
    auth: Auth,
    changes: Changes,
    feed: FeedStatus,
    gate: Gate,
    hub: Arc<Hub>,
    ledger: Ledger,
    quotas: Arc<Quotas>,
    sockets: Sockets,
    nodes: Nodes,
    stop: CancellationToken,
    config: RealtimeConfig,
}

impl Realtime {
    /// Sets it up. Connects to nothing yet.
    pub fn new(options: RealtimeOptions) -> Result<Self> {
        let RealtimeOptions { database, authority, auth, changes, feed, redis, config } = options;
        if let Some((key, allowed)) = config.faults().first() {
            return Err(Error::internal(format!("realtime.{key}: allowed is {allowed}")));
        }
        let hub = Arc::new(Hub::new(Uuid::now_v7()));
        Ok(Self(Arc::new(Inner {
            auth,
            changes,
            feed,
            ledger: Ledger::new((database.clone(), Arc::clone(&authority)), Arc::clone(&hub), &config),
            gate: Gate::new((database, authority), Duration::from_secs(config.rights_kept_s), config.rights_max),
            nodes: Nodes::new(&redis, Arc::clone(&hub), &config)?,
            hub,
            quotas: Arc::new(Quotas::new(config.clone())),
            sockets: Sockets::default(),
            stop: CancellationToken::new(),
            config,
        })))
    }

    /// Returns those who are to be told what changed.
    pub fn listeners(&self) -> Vec<Arc<dyn ChangeListener>> {
        let own: Arc<dyn ChangeListener> = Arc::new(feed::Listener::new(self.clone()));
        self.0.changes.listener().into_iter().chain([own]).collect()
    }

    /// Does what has to be done beside the sockets, until told to stop.
    pub async fn follow(self, stop: CancellationToken) {
        let _watched = stop
            .run_until_cancelled(Box::pin(async {
                tokio::join!(self.0.nodes.follow(), self.0.changes.run(), self.watch_callers(), self.0.ledger.run(&self.0.stop))
            }))
            .await;
    }

    /// Closes all sockets, and lets no more in. Returns when they are gone.
    pub async fn close(&self) {
        self.0.stop.cancel();
        let deadline = Instant::now() + CLOSE;
        while self.0.quotas.sockets() > 0 && Instant::now() < deadline {
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
        self.0.nodes.farewell().await;
        self.0.ledger.farewell().await;
    }

    /// Returns how it is: sockets, channels, companies.
    pub fn status(&self) -> serde_json::Value {
        status::document(self)
    }

    /// Returns the settings.
    pub fn config(&self) -> &RealtimeConfig {
        &self.0.config
    }

    /// Has asked anew what callers may, of whom something changed.
    fn touch(&self, touched: &Touched) {
        self.0.gate.forget(touched);
        self.0.sockets.touch(touched);
    }

    /// Looks who callers are as long as nobody tells what changes.
    async fn watch_callers(&self) {
        let lag = Duration::from_millis(self.0.config.rights_lag_ms);
        let mut ticks = tokio::time::interval(lag);
        ticks.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Delay);
        let mut known = std::collections::HashMap::new();
        loop {
            ticks.tick().await;
            metrics::gauge!("realtime_sockets").set(f64::from(u32::try_from(self.0.quotas.sockets()).unwrap_or(u32::MAX)));
            let is_told = self.0.feed.way() != Way::Closed && self.0.feed.lag().is_some_and(|behind| behind <= lag);
            if is_told {
                known.clear();
                continue;
            }
            let callers = self.0.sockets.callers();
            if callers.is_empty() {
                continue;
            }
            match self.0.gate.marks(&callers).await {
                Ok(marks) => {
                    for (caller, mark) in callers.iter().zip(marks) {
                        // What was so when the feed still told is not known: it is looked at once.
                        let before = known.insert(caller.key(), mark.clone());
                        if before.as_ref() != Some(&mark) || caller.principal.user_id().is_none() {
                            self.0.gate.forget(&Touched::of(caller));
                            self.0.sockets.touch(&Touched::of(caller));
                        }
                    }
                }
                Err(error) => tracing::debug!(code = error.code(), "callers could not be looked up: {}", error.message()),
            }
        }
    }
}

/// Returns the routes, to be mounted at `/realtime/v1`. They authenticate by themselves, since their refusals have another shape.
pub fn router(realtime: Realtime) -> Router {
    Router::new()
        .route("/websocket", get(connect::upgrade))
        .route("/sse", get(events::listen))
        .route("/api/broadcast", post(requests::several))
        .route("/api/broadcast/{topic}/events/{event}", post(requests::one))
        .route("/api/ping", get(requests::ping))
        .route("/api/status", get(status::show))
        .layer(DefaultBodyLimit::disable())
        .with_state(realtime)
}

impl std::fmt::Debug for Realtime {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Realtime").field("sockets", &self.0.quotas.sockets()).finish_non_exhaustive()
    }
}
