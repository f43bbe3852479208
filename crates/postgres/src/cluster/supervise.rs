//! Keeps PostgreSQL running: restarts it when it died, and when its programs were upgraded under its feet.
//!
//! Invariant: one task owns the running postmaster; whoever stops the task gets it back. Restarts wait longer each time, up to a
//! limit that leaves a database that can come back at all back within ten seconds.

use std::sync::Arc;
use std::time::{Duration, Instant};

use tokio::sync::watch;
use tokio::time::sleep;
use tokio_util::sync::CancellationToken;

use super::engine::Engine;
use super::postmaster::Postmaster;
use super::{ClusterFacts, ClusterState, ClusterStatus};

const BACKOFF_MIN: Duration = Duration::from_millis(100);
const BACKOFF_MAX: Duration = Duration::from_secs(5);

/// The task's own view of the cluster.
pub(super) struct Supervisor {
    engine: Arc<Engine>,
    postmaster: Option<Postmaster>,
    facts: ClusterFacts,
    status: watch::Sender<ClusterStatus>,
}

impl Supervisor {
    /// Takes over a cluster that is up.
    pub(super) fn new(engine: Arc<Engine>, postmaster: Option<Postmaster>, facts: ClusterFacts) -> (Self, watch::Receiver<ClusterStatus>) {
        let (status, receiver) = watch::channel(ClusterStatus { state: ClusterState::Running, facts: facts.clone() });
        (Self { engine, postmaster, facts, status }, receiver)
    }

    /// Watches until told to stop; returns the postmaster.
    pub(super) async fn run(mut self, stop: CancellationToken) -> Option<Postmaster> {
        loop {
            let reason = tokio::select! {
                biased;
                () = stop.cancelled() => break,
                reason = self.wait_for_trouble() => reason,
            };
            tracing::warn!(reason, "restarting PostgreSQL");
            tokio::select! {
                biased;
                () = stop.cancelled() => break,
                () = self.restart(reason) => {}
            }
        }
        self.postmaster
    }

    /// Returns when PostgreSQL has to be restarted, with the reason.
    async fn wait_for_trouble(&mut self) -> String {
        let (engine, options) = (Arc::clone(&self.engine), &self.engine.options);
        let mut next_look = Instant::now() + options.version_interval;
        let mut seen: Option<String> = None;
        loop {
            sleep(options.poll_interval).await;
            let alive = self.postmaster.as_mut().is_some_and(|postmaster| postmaster.is_alive(&engine.layout.cluster));
            if !alive {
                return "it died".to_owned();
            }
            if Instant::now() < next_look {
                continue;
            }
            next_look = Instant::now() + options.version_interval;
            let installed = engine.newer_programs(&self.facts.programs_folder, &self.facts.version).await;
            // Seen twice, so that the package manager is done with all the files.
            match (&installed, &seen) {
                (Some(version), Some(before)) if version == before => {
                    return format!("its programs changed from {} to {version}", self.facts.version);
                }
                _ => seen = installed,
            }
        }
    }

    async fn restart(&mut self, reason: String) {
        self.tell(ClusterState::Restarting { reason });
        let engine = Arc::clone(&self.engine);
        let mut backoff = BACKOFF_MIN;
        loop {
            let stopped = match &mut self.postmaster {
                Some(postmaster) => postmaster.stop(&engine.layout.cluster, engine.options.stop_timeout).await,
                None => Ok(()),
            };
            let result = match stopped {
                Ok(()) => engine.bring_up(&mut self.postmaster).await,
                Err(error) => Err(error),
            };
            match result {
                Ok(facts) => {
                    tracing::info!(pid = facts.pid, version = facts.version, "PostgreSQL is back");
                    self.facts = facts;
                    self.tell(ClusterState::Running);
                    return;
                }
                Err(error) => {
                    tracing::error!(code = error.code(), %error, "PostgreSQL did not come back; trying again");
                    self.tell(ClusterState::Down { code: error.code(), message: error.to_string() });
                }
            }
            sleep(backoff).await;
            backoff = (backoff * 2).min(BACKOFF_MAX);
        }
    }

    fn tell(&self, state: ClusterState) {
        self.status.send_replace(ClusterStatus { state, facts: self.facts.clone() });
    }
}
