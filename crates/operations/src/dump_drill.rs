//! Restoring a dump is practised: the newest is restored into a cluster of its own on this machine, and counted again.
//!
//! Invariant: what is compared is what was counted when the dump was made. The cluster is gone when the drill is over, and what a killed
//! drill left when the next begins. Of several servers of a database one practises.

use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use jiff::Timestamp;
use kernel::{Error, Kind, Result};
use postgres::cluster::{self, Cluster, ClusterOptions};
use postgres::snapshot::{self, DrillTurn};
use postgres::{Config, Host};

use crate::drill::{self, Drill};
use crate::dumping::Elsewhere;
use crate::manifest::{self, BackupKind, Manifest};
use crate::undumping::{Undumped, restore_dump};
use crate::vault::{Vault, lock};

/// Practises now. A report of a dump that cannot be restored is no error; that none could be tried is.
pub async fn drill_dump(vault: &Vault, from: &Elsewhere, options: &ClusterOptions) -> Result<Drill> {
    drill_if(vault, from, options, |_| true).await?.ok_or_else(|| Error::internal("no drill"))
}

/// Practises if it still is due when nobody else does, as seen from the last time that went well.
pub(crate) async fn drill_if(
    vault: &Vault,
    from: &Elsewhere,
    options: &ClusterOptions,
    is_due: impl Fn(Option<Timestamp>) -> bool + Send,
) -> Result<Option<Drill>> {
    let running = || Error::new(Kind::Conflict, "drill_running", "Another drill of this data folder runs");
    let _lock = lock(&from.data, drill::LOCK)?.ok_or_else(running)?;
    let roots = from.root_certificate_file.as_deref();
    let turn = DrillTurn::take(&from.login, roots).await?;
    let (source, _) = snapshot::identity(&from.login, roots).await?;
    if !is_due(drill::last_passed(vault, &source).await?) {
        return Ok(None);
    }
    drill::remove_leftovers(&from.data).await?;
    let manifest = newest(vault, &source).await?;
    let programs = can_practise(from.programs.as_deref(), manifest.major)?;
    let started_at = Timestamp::now();
    let folder = from.data.join(format!("{}{}", drill::FOLDER, started_at.as_millisecond()));
    let mut options = ClusterOptions { data_folder: folder, programs_folder: programs, ..options.clone() };
    options.archive_piece = None;
    let begun = Instant::now();
    let outcome = Box::pin(practise(vault, from, options, &turn.roles, &manifest)).await;
    drill::remove_leftovers(&from.data).await?;
    let outcome = outcome?;
    let error = outcome.as_ref().err().map(|error| format!("{} ({})", error.message(), error.code()));
    let report = Drill {
        backup: manifest.id.clone(),
        started_at,
        tables: manifest.rows.len(),
        rows: manifest.rows.values().sum(),
        different: vec![],
        files: outcome.map_or(0, |restored| restored.files),
        restore_ms: drill::milliseconds(begun.elapsed()),
        log_ms: 0,
        error,
    };
    drill::keep(vault, &source, &report).await?;
    Ok(Some(report))
}

async fn newest(vault: &Vault, source: &str) -> Result<Manifest> {
    let catalog = manifest::catalog(&vault.store, &vault.key, Some(source)).await?;
    let missing = || Error::new(Kind::NotFound, "backup_not_found", "There is no dump yet whose restore could be practised");
    catalog.backups.into_iter().rfind(|manifest| manifest.kind == BackupKind::Dump).ok_or_else(missing)
}

/// Returns the folder of programs to practise with, nothing where the usual ones will do; refuses where none can read the dump.
pub fn can_practise(named: Option<&Path>, major: u32) -> Result<Option<PathBuf>> {
    let can = |folder| cluster::newest_major(folder).is_some_and(|here| here >= major);
    match named {
        Some(folder) if can(Some(folder)) => Ok(Some(folder.to_owned())),
        _ if can(None) => Ok(None),
        _ => {
            let message = format!("This machine has no server programs of PostgreSQL {major} or newer to practise a restore with");
            Err(Error::new(Kind::Unprocessable, "drill_impossible", message)
                .with_hint("install the server package of PostgreSQL; until then thorbis backup verify reads and counts what was kept"))
        }
    }
}

/// Tries it; the inner result says how it went, the outer one that it could not be tried.
async fn practise(
    vault: &Vault,
    from: &Elsewhere,
    options: ClusterOptions,
    roles: &[String],
    manifest: &Manifest,
) -> Result<Result<Undumped>> {
    let not_started = |error| Error::internal(error).with_hint("the cluster to practise in did not start");
    let files = options.data_folder.join("files");
    let cluster = Box::pin(cluster::start(options)).await.map_err(not_started)?;
    let to = beside(from, &cluster, files);
    let limit = Duration::from_secs(vault.config.restore_time_s);
    let tried = async {
        snapshot::make_roles(&to.login, roles).await?;
        Ok::<_, Error>(restore_dump(vault, &to, Some(&manifest.id), Some(&manifest.source)).await)
    };
    let late = |_| Error::new(Kind::Timeout, "drill_too_slow", "The dump was not restored within backup.restore_time_s");
    let tried = tokio::time::timeout(limit, Box::pin(tried)).await;
    cluster.stop().await.map_err(Error::internal)?;
    match tried {
        Ok(tried) => tried,
        Err(elapsed) => Ok(Err(late(elapsed))),
    }
}

/// Returns the cluster to practise in, as one that a dump is restored into.
fn beside(from: &Elsewhere, cluster: &Cluster, files: PathBuf) -> Elsewhere {
    let login = cluster.migrator_config();
    Elsewhere {
        environment: variables(&login),
        login,
        root_certificate_file: None,
        programs: Some(cluster.status().facts.programs_folder),
        data: from.data.clone(),
        // Keys and anchors are those of the server, which it has.
        state: vec![],
        files,
    }
}

/// Returns the variables by which PostgreSQL's programs reach a cluster of our own.
fn variables(config: &Config) -> Vec<(String, String)> {
    let socket = config.get_hosts().iter().find_map(|host| match host {
        Host::Unix(folder) => Some(folder.display().to_string()),
        Host::Tcp(_) => None,
    });
    let port = config.get_ports().first().map_or("5432".to_owned(), ToString::to_string);
    let password = config.get_password().map(|password| String::from_utf8_lossy(password).into_owned());
    [
        ("PGHOST", socket.unwrap_or_default()),
        ("PGPORT", port),
        ("PGUSER", config.get_user().unwrap_or_default().to_owned()),
        ("PGDATABASE", config.get_dbname().unwrap_or_default().to_owned()),
        ("PGPASSWORD", password.unwrap_or_default()),
    ]
    .map(|(name, value)| (name.to_owned(), value))
    .into()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_machine_without_programs_that_are_new_enough_says_so() {
        let empty = tempfile::tempdir().unwrap();
        let refused = can_practise(None, 99).unwrap_err();
        assert_eq!((refused.code(), refused.kind()), ("drill_impossible", Kind::Unprocessable));
        assert_eq!(can_practise(Some(empty.path()), 99).unwrap_err().code(), "drill_impossible");
        // A folder that was named for other programs stands in nobody's way.
        assert_eq!(can_practise(Some(empty.path()), 13).unwrap(), None);
        assert_eq!(can_practise(None, 13).unwrap(), None);
    }
}
