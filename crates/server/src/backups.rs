//! Backups of this server: what they are made of, where they are written down, and what happens when the server stops.
//!
//! Invariant: only a private cluster is copied; a database of somebody else is dumped, by itself where a place is named that is nobody's
//! data folder (docs/backups.md).

use std::path::PathBuf;
use std::sync::{Arc, OnceLock};
use std::time::{Duration, Instant};

use futures_util::future::BoxFuture;
use jiff::Timestamp;
use kernel::{Error, Kind, Result, Secret};
use operations::{BackupConfig, Checkpoint, DumpKeeper, Elsewhere, Entry, Journal, Keeper, Original, Vault};
use postgres::cluster::Cluster;
use postgres::migrate::{Migrator, Source};
use postgres::{Config, Row, Sql};
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

use crate::backend::Backend;
use crate::config::Settings;
use crate::maintenance::ANCHOR_FILE;
use crate::start::{StartError, database, variables};
use crate::version;

/// Recovery points that are kept at a time.
const POINTS_MAX: i64 = 100;
/// How long a server that stops tries to bring the end of its log into the store.
const LAST_WORDS: Duration = Duration::from_secs(10);

/// Returns what a dump consists of, and how PostgreSQL's programs reach the database.
pub(crate) fn elsewhere(settings: &Settings) -> Result<Elsewhere, StartError> {
    let login = database::external_config(settings)?;
    let url = settings.database.migrator_url.as_ref().or(settings.database.url.as_ref());
    let environment = variables::of(settings, &login, url.map_or("", |url| url.expose().as_str()));
    let data = settings.data_directory.clone();
    let state = vec![("keys.json".to_owned(), settings.key_ring_file()), (ANCHOR_FILE.to_owned(), data.join(ANCHOR_FILE))];
    let (programs, roots) = (settings.database.programs_directory.clone(), settings.database.root_certificate_file.clone());
    Ok(Elsewhere { login, root_certificate_file: roots, environment, programs, data, state, files: settings.blobs_directory() })
}

/// Returns what a backup of this server consists of.
pub(crate) fn original(settings: &Settings, login: Config, programs: PathBuf) -> Original {
    let data = settings.data_directory.clone();
    let mut state: Vec<_> = ["secrets/postgres_superuser", "secrets/postgres_server", ANCHOR_FILE]
        .iter()
        .map(|name| ((*name).to_owned(), data.join(name)))
        .collect();
    state.push(("keys.json".to_owned(), settings.key_ring_file()));
    Original { login, programs, state, files: settings.blobs_directory(), data }
}

/// Tells whether dumps are made by themselves, and says why not where something is missing for that.
fn makes_dumps(settings: &Settings) -> bool {
    if settings.backup.dump_interval_s == 0 {
        return false;
    }
    let missing = if !settings.backup.has_place() {
        "a place for them: backup.directory or backup.s3"
    } else if settings.database.migrator_url.is_none() {
        "MIGRATOR_URL with a member of app_owner"
    } else {
        return true;
    };
    tracing::warn!(missing, "no dumps are made by themselves; backup.dump_interval_s = 0 says that others make them");
    false
}

/// Backups of a running server.
pub(crate) struct Backups {
    vault: Vault,
    key_is_new: bool,
    source: Arc<OnceLock<String>>,
    data: PathBuf,
}

impl Backups {
    /// Opens the store, if backups are on and there is one, and makes the recovery key if there is none.
    pub(crate) fn open(settings: &Settings, cluster: Option<&Cluster>) -> Result<Option<Self>> {
        if !settings.backup.enabled || (cluster.is_none() && !makes_dumps(settings)) {
            return Ok(None);
        }
        let (vault, key_is_new) = Vault::open(&settings.backup, &settings.data_directory, true)?;
        Ok(Some(Self { vault, key_is_new, source: Arc::default(), data: settings.data_directory.clone() }))
    }

    /// Begins to keep them.
    pub(crate) fn begin(
        &self,
        settings: &Settings,
        cluster: &Cluster,
        backend: &Backend,
        (tasks, stop): (&TaskTracker, &CancellationToken),
    ) {
        let keeper = Keeper {
            vault: self.vault.clone(),
            original: original(settings, cluster.migrator_config(), cluster.status().facts.programs_folder),
            options: database::cluster_options(settings, &settings.data_directory),
            journal: Arc::new(Written(backend.clone())),
            source: Arc::clone(&self.source),
        };
        tasks.spawn(keeper.run(stop.clone()));
    }

    /// Begins to make dumps of a database elsewhere.
    pub(crate) fn begin_dumps(
        &self,
        settings: &Settings,
        backend: &Backend,
        (tasks, stop): (&TaskTracker, &CancellationToken),
    ) -> Result<(), StartError> {
        let keeper = DumpKeeper {
            vault: self.vault.clone(),
            from: elsewhere(settings)?,
            options: database::cluster_options(settings, &settings.data_directory),
            journal: Arc::new(Written(backend.clone())),
        };
        tasks.spawn(keeper.run(stop.clone()));
        Ok(())
    }

    /// Returns the recovery key, if this start made it.
    pub(crate) fn new_key(&self) -> Option<Secret<String>> {
        self.key_is_new.then(|| self.vault.key.text())
    }

    /// Brings what PostgreSQL put aside while it stopped into the store. What does not come there waits for the next start.
    pub(crate) async fn end(&self) {
        let Some(source) = self.source.get() else { return };
        match tokio::time::timeout(LAST_WORDS, operations::ship(&self.vault, source, &self.data)).await {
            Ok((_, Ok(()))) => {}
            Ok((_, Err(error))) => tracing::warn!(code = error.code(), "the end of the log waits for the next start: {}", error.message()),
            Err(_late) => tracing::warn!("the end of the log waits for the next start: the store of backups is too slow"),
        }
    }
}

/// Names moments to come back to.
pub(crate) struct Moments {
    config: BackupConfig,
    original: Original,
}

impl Moments {
    /// Of a cluster that runs; nothing where the settings want none.
    pub(crate) fn of(settings: &Settings, cluster: &Cluster) -> Option<Self> {
        (settings.backup.enabled && settings.backup.before_upgrade).then(|| Self {
            config: settings.backup.clone(),
            original: original(settings, cluster.migrator_config(), cluster.status().facts.programs_folder),
        })
    }

    /// Names this moment; returns its name when it can be restored to.
    pub(crate) async fn name(&self, begins: &str) -> Result<String> {
        let (vault, _) = Vault::open(&self.config, &self.original.data, true)?;
        let name = format!("{begins}-{}", Timestamp::now().strftime("%Y%m%dT%H%M%SZ"));
        let moment = Box::pin(operations::name_moment(&vault, &self.original, &name)).await?;
        if let Some(copy) = moment.copy {
            tracing::info!(copy, "made a backup, since none was there whose log is whole");
        }
        Ok(name)
    }

    /// Names a moment if migrations are pending in a schema that is there already.
    pub(crate) async fn before_upgrade(&self, migrator: &Migrator, source: &Source) -> Result<()> {
        let status = migrator.status(source).await?;
        if status.applied.is_empty() || status.pending.is_empty() {
            return Ok(());
        }
        let begun = Instant::now();
        let named = self.name(&format!("before-{}", version::VERSION)).await.map_err(|error| {
            let message =
                format!("No moment to come back to could be named before the schema changes: {} ({})", error.message(), error.code());
            Error::new(Kind::Internal, "upgrade_not_backed_up", message)
                .with_hint("reach the store of backups, or do without: backup.before_upgrade = false")
                .with_source(error)
        })?;
        let (pending, duration_ms) = (status.pending.len(), begun.elapsed().as_millis());
        tracing::info!(checkpoint = named, pending, duration_ms, "the schema changes now; thorbis restore --to-checkpoint goes back");
        Ok(())
    }
}

/// Says that something is written down of a backup.
pub(crate) fn note(entry: Entry) -> Sql {
    let mut sql = Sql::new("select app.note_backup(");
    sql.bind(entry.filename).text("::text, ").bind(entry.size_bytes).text("::bigint, ").bind(entry.backup_type).text("::text, ");
    sql.bind(entry.error).text("::text, ").bind(entry.details.to_string()).text("::jsonb, ");
    sql.bind(entry.started_at.to_string()).text("::timestamptz)");
    sql
}

/// Asks for points that the store does not have.
pub(crate) fn points() -> Sql {
    let mut sql = Sql::new(
        "select r.name, r.position::text as position, r.created_at from app.recovery_checkpoints r
          where r.kept_at is null order by r.created_at limit ",
    );
    sql.bind(POINTS_MAX).text("::bigint");
    sql
}

/// Reads a point.
pub(crate) fn point(row: &Row) -> Result<Checkpoint> {
    Ok(Checkpoint {
        name: row.try_get("name").map_err(Error::internal)?,
        position: row.try_get("position").map_err(Error::internal)?,
        created_at: row.try_get::<_, Timestamp>("created_at").map_err(Error::internal)?,
    })
}

/// The tables of this server.
struct Written(Backend);

impl Written {
    async fn run(&self, sql: Sql) -> Result<Vec<Row>> {
        let tx = self.0.begin_own("writes down what became of a backup").await?;
        let rows = tx.query(sql).await?;
        tx.commit().await?;
        Ok(rows)
    }
}

impl Journal for Written {
    fn note(&self, entry: Entry) -> BoxFuture<'_, Result<()>> {
        Box::pin(async move { self.run(note(entry)).await.map(drop) })
    }

    fn points(&self) -> BoxFuture<'_, Result<Vec<Checkpoint>>> {
        Box::pin(async move { self.run(points()).await?.iter().map(point).collect() })
    }

    fn kept(&self, kept: Checkpoint) -> BoxFuture<'_, Result<()>> {
        Box::pin(async move {
            let mut sql = Sql::new("select app.keep_recovery_checkpoint(");
            sql.bind(kept.name).text("::text, ").bind(kept.created_at.to_string()).text("::timestamptz)");
            self.run(sql).await.map(drop)
        })
    }
}
