//! Brings the database to what this program needs: schema, seeds, rights, catalog; and says what is missing.
//!
//! Invariant: whatever is done here can be done again. A database that is away is waited for; anything else that fails is told at once.

use std::sync::Arc;
use std::time::Duration;

use arc_swap::ArcSwap;
use kernel::{Error, Kind, Result};
use postgres::cluster::Cluster;
use postgres::migrate::{self, Migrator, Seeds, Source};
use tokio::time::Instant;
use tokio_util::sync::CancellationToken;

use super::database;
use super::error::{StartError, told};
use crate::backend::Backend;
use crate::backups::Moments;
use crate::config::Settings;
use crate::health::Preparation;

/// The code of a schema that is behind this program.
pub(crate) const MIGRATIONS_PENDING: &str = "migrations_pending";
/// SQLSTATEs of what is not there or not ours: schema, function, table, right.
const ABSENT: &[&str] = &["3F000", "42883", "42P01", "42501"];
/// The pauses between two tries.
const PAUSE: Duration = Duration::from_millis(200);
const PAUSE_MAX: Duration = Duration::from_secs(5);

/// What has to be done before requests can be answered.
pub(crate) struct Preparer {
    settings: Arc<Settings>,
    migrator: Option<Migrator>,
    /// Backups of the private cluster, where a moment is to be named before its schema changes.
    moments: Option<Moments>,
    backend: Backend,
    state: Arc<ArcSwap<Preparation>>,
}

impl Preparer {
    /// What it does is told by `state`; without a migrator the schema is as it is.
    pub(crate) fn new(
        settings: &Arc<Settings>,
        migrator: Option<Migrator>,
        cluster: Option<&Cluster>,
        backend: &Backend,
        state: &Arc<ArcSwap<Preparation>>,
    ) -> Self {
        let moments = cluster.and_then(|cluster| Moments::of(settings, cluster));
        Self { settings: Arc::clone(settings), migrator, moments, backend: backend.clone(), state: Arc::clone(state) }
    }

    /// Prepares the database; waits for one that is away no longer than the limit. Returns whether it is done.
    pub(crate) async fn within(&self, limit: Duration) -> std::result::Result<bool, StartError> {
        let deadline = Instant::now() + limit;
        let mut pause = PAUSE;
        loop {
            match Box::pin(self.once()).await {
                Ok(()) => return Ok(true),
                Err(error) if !is_away(&error) => return Err(error.into()),
                Err(error) if self.settings.uses_private_cluster() => return Err(error.into()),
                Err(error) => {
                    self.note(&error);
                    if Instant::now() + pause > deadline {
                        return Ok(false);
                    }
                    tracing::warn!(error = told(&error), pause_ms = pause.as_millis(), "PostgreSQL is away; trying again");
                }
            }
            tokio::time::sleep(pause).await;
            pause = pause.saturating_mul(2).min(PAUSE_MAX);
        }
    }

    /// Goes on trying while the server already answers, until it is done or told to stop.
    pub(crate) async fn until_done(self, stop: CancellationToken) {
        loop {
            tokio::select! {
                () = stop.cancelled() => return,
                () = tokio::time::sleep(PAUSE_MAX) => {}
            }
            match Box::pin(self.once()).await {
                Ok(()) => {
                    tracing::info!("the database is ready");
                    return;
                }
                Err(error) => {
                    self.note(&error);
                    tracing::warn!(error = told(&error), "the database is not ready; trying again");
                }
            }
        }
    }

    async fn once(&self) -> Result<()> {
        let mut degraded = Vec::new();
        match &self.migrator {
            Some(migrator) if self.settings.migrate_at_start => self.migrate(migrator, &mut degraded).await?,
            Some(migrator) => refuse_pending(migrator).await?,
            None => {
                degraded.push("no database.migrator_url: migrations and their checks are left to `thorbis migrate`".to_owned());
            }
        }
        degraded.extend(self.backend.open(&self.settings).await.map_err(|error| self.explain(error))?);
        self.state.store(Arc::new(Preparation::Done { degraded }));
        Ok(())
    }

    async fn migrate(&self, migrator: &Migrator, degraded: &mut Vec<String>) -> Result<()> {
        let options = database::migrate_options(&self.settings).map_err(Error::internal)?;
        let source = Source::Embedded;
        if let Some(moments) = &self.moments {
            moments.before_upgrade(migrator, &source).await?;
        }
        let report = Box::pin(migrator.up(&source, &options)).await?;
        if !report.applied.is_empty() || report.code_replaced {
            tracing::info!(applied = report.applied.len(), code_replaced = report.code_replaced, "the schema is up to date");
        }
        degraded.extend(report.degraded.iter().map(ToString::to_string));
        degraded.extend(report.schema_drift.iter().map(|object| format!("changed by hand since the last migration: {object}")));
        let seeds = if self.settings.is_development() { Seeds::Development } else { Seeds::System };
        Box::pin(migrator.seed_at_start(&source, seeds, &options)).await?;
        Ok(())
    }

    /// Without the owner's login nobody looked at the schema: a part that is not there means that it was not migrated for us.
    fn explain(&self, error: Error) -> Error {
        if self.migrator.is_some() || !ABSENT.contains(&error.code()) {
            return error;
        }
        Error::new(Kind::Unavailable, MIGRATIONS_PENDING, "The schema is not there, or not for this server's login")
            .with_hint("thorbis migrate up, with DATABASE_URL and MIGRATOR_URL set")
            .with_source(error)
    }

    fn note(&self, error: &Error) {
        let (code, message) = (error.code().to_owned(), error.message().to_owned());
        self.state.store(Arc::new(Preparation::Pending { code, message }));
    }
}

async fn refuse_pending(migrator: &Migrator) -> Result<()> {
    let status = migrator.status(&Source::Embedded).await?;
    if status.pending.is_empty() && status.code_current {
        return Ok(());
    }
    let message = format!("The schema is behind this program by {} migrations", status.pending.len());
    Err(Error::new(Kind::Unavailable, MIGRATIONS_PENDING, message).with_hint("thorbis migrate up"))
}

/// Tells whether waiting may help.
fn is_away(error: &Error) -> bool {
    [migrate::CONNECT, MIGRATIONS_PENDING].contains(&error.code()) || error.kind() == Kind::Unavailable
}
