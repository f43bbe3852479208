//! A backup becomes a data folder again, brought to a moment by the log, and is started once before anybody relies on it.
//!
//! Invariant: nothing of a running server is touched: all of it happens in a folder of its own, which is complete and was started when
//! this returns. A moment that the log does not reach is refused; a restore never ends earlier than it was told.

use std::fs::{self, DirBuilder, File, OpenOptions};
use std::io::{self, Seek, SeekFrom, Write};
use std::os::unix::fs::{DirBuilderExt, OpenOptionsExt};
use std::path::Path;
use std::time::{Duration, Instant};

use futures_util::{StreamExt, TryStreamExt, stream};
use jiff::Timestamp;
use kernel::{Error, Kind, Result};
use postgres::cluster::{self, Cluster, ClusterOptions};
use tokio::task::spawn_blocking;

use crate::copying::{BASE, PURPOSE, STATE};
use crate::manifest::{self, BackupKind, LogRange, Manifest};
use crate::vault::Vault;
use crate::{checkpoints, files, log_pieces, parts, shipping};

/// Where the log is put for PostgreSQL to read, below its own folder.
const LOG_FOLDER: &str = "log-to-replay";
/// Runs of zeros of this length are left out of files on the disk.
const HOLE: usize = 65_536;

/// The moment to restore to.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Target {
    /// All that was kept.
    Latest,
    /// Everything that was committed until then.
    Time(Timestamp),
    /// A named recovery point.
    Checkpoint(String),
    /// Everything before a position in the log.
    Position(String),
}

/// What is wanted.
#[derive(Clone, Debug)]
pub struct Wanted {
    /// The moment.
    pub target: Target,
    /// The backup to begin with; the newest before the moment if not named.
    pub backup: Option<String>,
    /// The cluster, where the store has backups of several.
    pub source: Option<String>,
}

/// What was restored. Its PostgreSQL runs.
pub struct Restored {
    /// The running PostgreSQL.
    pub cluster: Cluster,
    /// The backup that it began with.
    pub manifest: Manifest,
    /// Pieces of the log that were there to replay.
    pub pieces: usize,
    /// Files of companies.
    pub files: usize,
    /// From the first byte to a database that answers.
    pub took: Duration,
}

/// Restores into a folder that is not there yet. `options` say how a PostgreSQL runs in that folder.
pub async fn restore(vault: &Vault, wanted: &Wanted, options: ClusterOptions) -> Result<Restored> {
    let begun = Instant::now();
    // PostgreSQL works in a folder of its own: what it is told of paths must not depend on ours.
    let given = &options.data_folder;
    let stage = std::path::absolute(given).map_err(|error| failed(given, &error))?;
    let (position, at) = match &wanted.target {
        Target::Checkpoint(name) => {
            let point = checkpoints::find(vault, wanted.source.as_deref(), name).await?;
            (Some(point.position), Some(point.created_at))
        }
        Target::Position(position) => (Some(position.clone()), None),
        Target::Time(time) => (None, Some(*time)),
        Target::Latest => (None, None),
    };
    let (manifest, later) = choose(vault, wanted, position.as_deref(), at).await?;
    let log = manifest.log.clone().ok_or_else(|| Error::internal("a copy without its log"))?;
    make_folder(&stage)?;
    let sealer = vault.key.sealer(&format!("{PURPOSE}/{}", manifest.id))?;
    let place = (&vault.store, &sealer);
    let folders = cluster::folders(&stage);
    let home = folders.cluster.parent().unwrap_or(&stage).to_owned();
    make_folder(&home)?;
    make_folder(&folders.cluster)?;
    let to = folders.cluster.clone();
    parts::read(place, manifest.stream(BASE)?, vault.shape(), move |from| unpack(from, &to)).await?;
    make_folder(&stage.join("secrets"))?;
    let to = stage.clone();
    parts::read(place, manifest.stream(STATE)?, vault.shape(), move |from| unpack(from, &to)).await?;
    let files = files::restore(vault, &manifest.source, at, &stage.join("files")).await?;
    let log_folder = home.join(LOG_FOLDER);
    make_folder(&log_folder)?;
    let pieces = fetch_log(vault, &manifest.source, &log, later.as_ref(), &log_folder).await?;
    let signal = folders.cluster.join("recovery.signal");
    File::create(&signal).map_err(|error| failed(&signal, &error))?;
    cluster::hand_over(&options.os_user, &stage).map_err(not_started)?;
    let mut options = options;
    options.data_folder.clone_from(&stage);
    options.archive_piece = None;
    options.startup_timeout = Duration::from_secs(vault.config.restore_time_s);
    options.extra_settings.extend(recovery(&log_folder, wanted, position.as_deref(), at));
    let cluster = Box::pin(cluster::start(options)).await.map_err(not_started)?;
    Ok(Restored { cluster, manifest, pieces, files, took: begun.elapsed() })
}

/// Stops what was restored and leaves its folder as a server finds it.
pub async fn settle(restored: Restored, stage: &Path) -> Result<()> {
    restored.cluster.stop().await.map_err(not_started)?;
    let folders = cluster::folders(stage);
    let log_folder = folders.cluster.parent().unwrap_or(stage).join(LOG_FOLDER);
    fs::remove_dir_all(&log_folder).map_err(|error| failed(&log_folder, &error))
}

/// Chooses the copy to begin with, and says which one was made after the moment: the log behind that is not needed.
async fn choose(vault: &Vault, wanted: &Wanted, position: Option<&str>, at: Option<Timestamp>) -> Result<(Manifest, Option<LogRange>)> {
    let catalog = manifest::catalog(&vault.store, &vault.key, wanted.source.as_deref()).await?;
    if catalog.backups.is_empty()
        && let Some(unusable) = catalog.unusable.into_iter().next()
    {
        return Err(unusable.error);
    }
    let mut copies: Vec<Manifest> = catalog.backups.into_iter().filter(|manifest| manifest.kind == BackupKind::Base).collect();
    let newest = copies.last().map(|manifest| manifest.source.clone());
    // Whoever does not say which cluster wants the one that was backed up last.
    copies.retain(|manifest| Some(&manifest.source) == newest.as_ref());
    let piece = position.and_then(log_pieces::position).map(log_pieces::piece_of);
    let is_before = |manifest: &Manifest| match (piece, at) {
        (Some(piece), _) => manifest.log.as_ref().and_then(|log| log_pieces::place(&log.last)).is_some_and(|last| last < piece),
        (None, Some(at)) => manifest.finished_at <= at,
        (None, None) => true,
    };
    let named = |manifest: &Manifest| wanted.backup.as_ref().is_none_or(|id| manifest.id == *id);
    let chosen = copies.iter().rposition(|manifest| named(manifest) && is_before(manifest)).ok_or_else(|| {
        let message = match copies.first() {
            Some(first) => format!("No backup is old enough for that: the first of {} was complete at {}", first.source, first.finished_at),
            None => format!("There is no backup in {}", vault.store.place()),
        };
        Error::new(Kind::NotFound, "backup_not_found", message)
    })?;
    let later =
        at.and_then(|at| copies.iter().skip(chosen + 1).find(|manifest| manifest.started_at > at)).and_then(|later| later.log.clone());
    Ok((copies.swap_remove(chosen), later))
}

/// Fetches the log from where the copy begins. A hole in it is told before PostgreSQL would stop there in silence.
async fn fetch_log(vault: &Vault, source: &str, log: &LogRange, later: Option<&LogRange>, folder: &Path) -> Result<usize> {
    let at = |name: &str| log_pieces::place(name).unwrap_or_default();
    let (first, end) = (at(&log.first), later.map(|log| at(&log.last)));
    let mut names = vec![];
    let mut next = first;
    let mut places: Vec<u64> = vec![];
    for object in vault.store.list(&format!("{source}/log/")).await? {
        let name = object.name.rsplit_once('/').map_or("", |(_, name)| name).to_owned();
        match log_pieces::place(&name) {
            Some(place) if place < first || end.is_some_and(|end| place > end) => {}
            Some(place) => {
                places.push(place);
                names.push(name);
            }
            None => names.push(name),
        }
    }
    places.sort_unstable();
    places.dedup();
    for place in places {
        if place != next {
            return Err(hole(log, next));
        }
        next += 1;
    }
    if next <= at(&log.last) {
        return Err(hole(log, next));
    }
    let count = names.len();
    stream::iter(names.into_iter().map(|name| fetch_piece(vault, source, name, folder)))
        .buffer_unordered(vault.config.reads_at_once)
        .try_collect::<()>()
        .await?;
    Ok(count)
}

async fn fetch_piece(vault: &Vault, source: &str, name: String, folder: &Path) -> Result<()> {
    let missing = || Error::new(Kind::NotFound, "backup_incomplete", format!("{name} of the log went away"));
    let bytes = shipping::fetch(vault, source, &name).await?.ok_or_else(missing)?;
    let path = folder.join(&name);
    let shown = path.clone();
    spawn_blocking(move || write_sparse(&path, &bytes)).await.map_err(Error::internal)?.map_err(|error| failed(&shown, &error))
}

fn hole(log: &LogRange, place: u64) -> Error {
    let piece = log_pieces::name(log_pieces::timeline(&log.first).unwrap_or(1), place);
    Error::new(Kind::NotFound, "log_gap", format!("The log has a hole at {piece}: nothing behind it can be restored from this backup"))
        .with_hint("restore to a time before the hole, or begin with a later backup: thorbis backup list shows them")
}

/// Returns how PostgreSQL is told what to replay, and until where.
fn recovery(log_folder: &Path, wanted: &Wanted, position: Option<&str>, at: Option<Timestamp>) -> Vec<(String, String)> {
    let folder = log_folder.to_string_lossy().replace('\'', r"'\''").replace('%', "%%");
    let mut settings = vec![
        ("restore_command", format!("cp '{folder}/%f' '%p'")),
        ("recovery_target_timeline", "latest".to_owned()),
        ("recovery_target_action", "promote".to_owned()),
        // Nobody reads meanwhile, and so a smaller machine will do.
        ("hot_standby", "off".to_owned()),
        ("archive_mode", "off".to_owned()),
    ];
    match (&wanted.target, position, at) {
        (Target::Time(_), _, Some(at)) => settings.push(("recovery_target_time", at.strftime("%Y-%m-%d %H:%M:%S%.6f+00").to_string())),
        (_, Some(position), _) => {
            settings.push(("recovery_target_lsn", position.to_owned()));
            settings.push(("recovery_target_inclusive", "off".to_owned()));
        }
        _ => {}
    }
    settings.into_iter().map(|(name, value)| (name.to_owned(), value)).collect()
}

fn make_folder(path: &Path) -> Result<()> {
    match DirBuilder::new().mode(0o700).create(path) {
        Err(error) if error.kind() != io::ErrorKind::AlreadyExists => Err(failed(path, &error)),
        Ok(()) | Err(_) => Ok(()),
    }
}

fn unpack(from: &mut dyn io::Read, to: &Path) -> io::Result<()> {
    let mut archive = tar::Archive::new(from);
    archive.set_preserve_permissions(true);
    archive.set_overwrite(true);
    archive.unpack(to)
}

/// Writes a piece of the log; most of one that was not full is zeros, which take no room.
fn write_sparse(path: &Path, bytes: &[u8]) -> io::Result<()> {
    let mut file = OpenOptions::new().write(true).create(true).truncate(true).mode(0o600).open(path)?;
    for chunk in bytes.chunks(HOLE) {
        if chunk.iter().all(|byte| *byte == 0) {
            file.seek(SeekFrom::Current(i64::try_from(chunk.len()).map_err(io::Error::other)?))?;
        } else {
            file.write_all(chunk)?;
        }
    }
    file.set_len(u64::try_from(bytes.len()).map_err(io::Error::other)?)
}

fn not_started(error: cluster::ClusterError) -> Error {
    let text = error.to_string();
    if text.contains("recovery ended before configured recovery target was reached") {
        let message = "The log that was kept ends before that moment";
        return Error::new(Kind::NotFound, "log_too_short", message)
            .with_hint("restore to an earlier time, or with --latest")
            .with_source(error);
    }
    Error::new(Kind::Internal, "restore_failed", format!("What was restored did not start: {text}")).with_source(error)
}

fn failed(path: &Path, error: &io::Error) -> Error {
    Error::new(Kind::Internal, "restore_failed", format!("{} cannot be written: {error}", path.display()))
}
