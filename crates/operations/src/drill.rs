//! Restoring is practised: the newest backup is restored beside the running cluster, to a moment that is compared table by table.
//!
//! Invariant: what is compared is the running cluster and its copy at the same position of the log, every table that survives a crash. The
//! copy is gone when the drill is over, and what a killed drill left when the next begins.

use std::collections::BTreeSet;
use std::fs;
use std::path::Path;
use std::time::{Duration, Instant};

use jiff::Timestamp;
use kernel::{Error, Kind, Result};
use postgres::cluster::{self, ClusterOptions};
use postgres::sums::{self, Sums};
use serde::{Deserialize, Serialize};
use tokio::time::sleep;

use crate::restore::{Target, Wanted, restore};
use crate::vault::{Original, Vault, lock};
use crate::{log_pieces, shipping};

/// Held while a drill runs.
pub(crate) const LOCK: &str = "drill.lock";
/// What the folder of a copy begins with.
pub(crate) const FOLDER: &str = "drill-";
/// How long the log up to the moment may take into the store.
const LOG_PATIENCE: Duration = Duration::from_mins(10);
const LOG_POLL: Duration = Duration::from_millis(250);
/// How long the sums of one table may take.
const SUM_TIME: Duration = Duration::from_hours(6);
const STOP_TIME: Duration = Duration::from_mins(1);
/// Tables that a report names.
const NAMED_MAX: usize = 100;
/// Reports that are looked at for one that went well.
const LOOKED_MAX: usize = 100;

/// How a drill went.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Drill {
    /// The backup that it restored.
    pub backup: String,
    /// When it began.
    pub started_at: Timestamp,
    /// Tables that were compared.
    pub tables: usize,
    /// Rows in them.
    pub rows: i64,
    /// Tables that differ, or that one of the two does not have.
    pub different: Vec<String>,
    /// Files of companies that were restored.
    pub files: usize,
    /// Milliseconds from the first byte to a database that answers.
    pub restore_ms: u64,
    /// Milliseconds from a commit to the store having it.
    pub log_ms: u64,
    /// Why it could not be restored, if that is how it ended.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub error: Option<String>,
}

impl Drill {
    /// Tells whether the copy is the same.
    pub fn passed(&self) -> bool {
        self.error.is_none() && self.different.is_empty() && self.tables > 0
    }
}

/// Practises. A report of a drill that found differences is no error; that none could be made is.
pub async fn drill(vault: &Vault, original: &Original, options: &ClusterOptions) -> Result<Drill> {
    let running = || Error::new(Kind::Conflict, "drill_running", "Another drill of this data folder runs");
    let _lock = lock(&original.data, LOCK)?.ok_or_else(running)?;
    remove_leftovers(&original.data).await?;
    let started_at = Timestamp::now();
    let (source, _) = sums::identity(&original.login).await?;
    let there = sums::sums(&original.login, true, SUM_TIME).await?;
    let position = there.position.clone().ok_or_else(|| Error::internal("no position"))?;
    let log_ms = log_arrives(vault, &source, original, &position).await?;
    let folder = original.data.join(format!("{FOLDER}{}", started_at.as_millisecond()));
    let options = ClusterOptions { data_folder: folder.clone(), programs_folder: Some(original.programs.clone()), ..options.clone() };
    let wanted = Wanted { target: Target::Position(position), backup: None, source: Some(source.clone()) };
    let compared = compare(vault, &wanted, options, &there).await;
    remove_leftovers(&original.data).await?;
    let report = Drill { started_at, log_ms, ..compared? };
    keep(vault, &source, &report).await?;
    Ok(report)
}

async fn compare(vault: &Vault, wanted: &Wanted, options: ClusterOptions, there: &Sums) -> Result<Drill> {
    let restored = Box::pin(restore(vault, wanted, options)).await?;
    let here = sums::sums(&restored.cluster.migrator_config(), false, SUM_TIME).await;
    let (backup, files, took) = (restored.manifest.id.clone(), restored.files, restored.took);
    restored.cluster.stop().await.map_err(Error::internal)?;
    let here = here?;
    let names: BTreeSet<&String> = there.tables.keys().chain(here.tables.keys()).collect();
    let differs = |name: &&&String| there.tables.get(**name) != here.tables.get(**name);
    let different = names.iter().filter(differs).take(NAMED_MAX).map(|name| (*name).clone()).collect();
    Ok(Drill {
        backup,
        started_at: Timestamp::UNIX_EPOCH,
        tables: names.len(),
        rows: here.tables.values().map(|table| table.rows).sum(),
        different,
        files,
        restore_ms: milliseconds(took),
        log_ms: 0,
        error: None,
    })
}

/// Waits until the log up to a position is in the store, and returns how long that took.
pub(crate) async fn log_arrives(vault: &Vault, source: &str, original: &Original, position: &str) -> Result<u64> {
    let begun = Instant::now();
    let wanted = log_pieces::position(position).map(log_pieces::piece_of).ok_or_else(|| Error::internal("no position"))?;
    while begun.elapsed() < LOG_PATIENCE {
        let (_, shipped) = shipping::ship(vault, source, &original.data).await;
        let kept = vault.store.list(&format!("{source}/log/")).await?;
        if kept.iter().filter_map(|object| log_pieces::place(object.name.rsplit_once('/')?.1)).any(|place| place == wanted) {
            return Ok(milliseconds(begun.elapsed()));
        }
        shipped?;
        sleep(LOG_POLL).await;
    }
    Err(Error::new(Kind::Timeout, "log_not_kept", "The log up to the moment did not come into the store in time"))
}

/// Takes away what drills left, their PostgreSQL first.
pub(crate) async fn remove_leftovers(data: &Path) -> Result<()> {
    let failed = |error: std::io::Error| Error::new(Kind::Internal, "drill_failed", format!("The folder of a drill cannot go: {error}"));
    for entry in fs::read_dir(data).map_err(failed)?.flatten() {
        if entry.file_name().to_string_lossy().starts_with(FOLDER) && entry.path().is_dir() {
            cluster::end_in(&entry.path(), STOP_TIME).await.map_err(Error::internal)?;
            fs::remove_dir_all(entry.path()).map_err(failed)?;
        }
    }
    Ok(())
}

pub(crate) async fn keep(vault: &Vault, source: &str, report: &Drill) -> Result<()> {
    let name = format!("{source}/drills/{:015}", report.started_at.as_millisecond());
    let text = serde_json::to_vec(report).map_err(Error::internal)?;
    vault.store.put(&name, vault.key.sealer("drills")?.seal(&name, text)?).await
}

/// Returns when the newest drill of a source began that went well, of the last ones.
pub(crate) async fn last_passed(vault: &Vault, source: &str) -> Result<Option<Timestamp>> {
    let mut names: Vec<String> = vault.store.list(&format!("{source}/drills/")).await?.into_iter().map(|object| object.name).collect();
    names.sort();
    for name in names.iter().rev().take(LOOKED_MAX) {
        match read(vault, name).await {
            Ok(report) if report.passed() => return Ok(Some(report.started_at)),
            Err(error) if error.code() == "backup_store_unavailable" => return Err(error),
            // It failed, or another server's key sealed it.
            Ok(_) | Err(_) => {}
        }
    }
    Ok(None)
}

async fn read(vault: &Vault, name: &str) -> Result<Drill> {
    let text = vault.key.sealer("drills")?.open(name, vault.store.get(name).await?)?;
    serde_json::from_slice(&text).map_err(Error::internal)
}

/// Returns the newest report of a cluster, or of all of them.
pub async fn last_drill(vault: &Vault, source: Option<&str>) -> Result<Option<Drill>> {
    let objects = vault.store.list(&source.map(|source| format!("{source}/drills/")).unwrap_or_default()).await?;
    let name = |object: &crate::Object| Some((object.name.split_once("/drills/")?.1.to_owned(), object.name.clone()));
    let Some((_, newest)) = objects.iter().filter_map(name).max() else { return Ok(None) };
    read(vault, &newest).await.map(Some)
}

pub(crate) fn milliseconds(time: Duration) -> u64 {
    u64::try_from(time.as_millis()).unwrap_or(u64::MAX)
}
