//! Keeps `state.json` true while the server runs, for `thorbis status`, and the numbers in order.

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use metrics_exporter_prometheus::PrometheusHandle;
use postgres::cluster::{ClusterState, ClusterStatus};
use tokio::sync::watch::Receiver;
use tokio_util::sync::CancellationToken;

use super::state::State;
use crate::backend::Backend;
use crate::config::Settings;
use crate::health::Health;
use crate::version;

/// How often it is looked whether something changed.
const INTERVAL: Duration = Duration::from_secs(2);

/// What does not change while the server runs.
pub(super) struct Facts<'a> {
    pub(super) settings: &'a Settings,
    pub(super) urls: Vec<String>,
    pub(super) public_url: String,
    pub(super) backend: Backend,
    pub(super) numbers: PrometheusHandle,
}

/// Writes the state.
pub(super) struct Reporter {
    folder: PathBuf,
    health: Arc<Health>,
    cluster: Option<Receiver<ClusterStatus>>,
    backend: Backend,
    numbers: PrometheusHandle,
    fixed: State,
}

impl Reporter {
    pub(super) fn new(facts: Facts<'_>, folder: &Path, health: Arc<Health>, cluster: Option<Receiver<ClusterStatus>>) -> Self {
        let Facts { settings, urls, public_url, backend, numbers } = facts;
        let fixed = State {
            pid: std::process::id(),
            version: version::FULL.to_owned(),
            started_at: jiff::Timestamp::now(),
            environment: settings.environment,
            addresses: urls,
            public_url,
            database_version: None,
            cluster: None,
            ready: false,
            degraded: Vec::new(),
            cache: None,
            realtime: None,
        };
        Self { folder: folder.to_owned(), health, cluster, backend, numbers, fixed }
    }

    /// Looks and writes once.
    pub(super) async fn report(&self) -> State {
        let state = self.look().await;
        if let Err(error) = state.write(&self.folder) {
            tracing::warn!(%error, "the state file could not be written");
        }
        state
    }

    /// Looks again and again, and writes what changed.
    pub(super) async fn run(self, stop: CancellationToken) {
        let mut written = self.report().await;
        loop {
            tokio::select! {
                () = stop.cancelled() => return,
                () = tokio::time::sleep(INTERVAL) => {}
            }
            // Measured times pile up until they are sorted into their buckets, also where nobody reads the numbers.
            self.numbers.run_upkeep();
            self.backend.tidy();
            if self.look().await != written {
                written = self.report().await;
            }
        }
    }

    async fn look(&self) -> State {
        let checks = self.health.look().await;
        let mut degraded: Vec<String> = checks.failing().iter().map(|(part, why)| format!("{part}: {why}")).collect();
        degraded.extend(self.health.degraded());
        let cluster = self.cluster.as_ref().map(|cluster| cluster.borrow().clone());
        if let Some(status) = &cluster {
            degraded.extend(status.facts.degraded.iter().cloned());
            match &status.state {
                ClusterState::Running => {}
                ClusterState::Restarting { reason } => degraded.push(format!("PostgreSQL is being started again: {reason}")),
                ClusterState::Down { message, .. } => degraded.push(format!("PostgreSQL does not run: {message}")),
            }
        }
        let database_version = self.backend.database_version();
        let cluster = cluster.map(|status| status.facts.into());
        let cache = self.backend.cache_stats().await;
        let realtime = Some(self.backend.realtime_status());
        State { ready: checks.ready(), degraded, database_version, cluster, cache, realtime, ..self.fixed.clone() }
    }
}
