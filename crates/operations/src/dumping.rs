//! A dump of a database that is somebody else's to copy, complete with its counts, files and keys.
//!
//! Invariant: rows are counted twice, in the database and in the dump, in one snapshot; where the counts differ there is no backup. The
//! manifest is written last, and what was interrupted is taken away by the next one.

use std::collections::BTreeMap;
use std::io;
use std::path::PathBuf;
use std::process::Command;
use std::time::Duration;

use jiff::Timestamp;
use kernel::{Error, Kind, Result};
use postgres::Config;
use postgres::snapshot::Snapshot;
use tokio::task::spawn_blocking;

use crate::copying::{self, PURPOSE, STATE};
use crate::dump_rows::{Counting, Rows};
use crate::manifest::{self, BackupKind, Catalog, Manifest};
use crate::vault::Vault;
use crate::{files, parts, retention};

/// The stream of rows.
pub(crate) const DUMP: &str = "dump";
/// Milliseconds that PostgreSQL's program waits for a table that somebody alters.
const LOCK_WAIT: &str = "--lock-wait-timeout=60000";
/// Tables that an error names at most.
const NAMED_MAX: usize = 5;

/// A database that is reached by an address, and what belongs to it beside.
#[derive(Clone)]
pub struct Elsewhere {
    /// How a member of `app_owner` connects.
    pub login: Config,
    /// Whom TLS trusts, where that is not the machine's own list.
    pub root_certificate_file: Option<PathBuf>,
    /// How PostgreSQL's programs connect as the same.
    pub environment: Vec<(String, String)>,
    /// The folder of PostgreSQL's programs; those on the path if not set.
    pub programs: Option<PathBuf>,
    /// The server's data folder.
    pub data: PathBuf,
    /// Files that belong to it, each with its name in the data folder.
    pub state: Vec<(String, PathBuf)>,
    /// The folder of files of companies.
    pub files: PathBuf,
}

impl Elsewhere {
    /// Returns one of PostgreSQL's programs, which connects to the database.
    pub(crate) fn program(&self, name: &str) -> Command {
        let path = self.programs.as_ref().map(|folder| folder.join(name)).filter(|path| path.is_file());
        let mut command = Command::new(path.unwrap_or_else(|| name.into()));
        command.env_clear().env("PATH", "/usr/local/bin:/usr/bin:/bin").env("LC_ALL", "C").current_dir("/");
        command.envs(self.environment.iter().map(|(name, value)| (name, value)));
        command
    }
}

/// Makes a dump, then takes away what is not to be kept any longer.
pub async fn create_dump(vault: &Vault, from: &Elsewhere) -> Result<Manifest> {
    dump_if(vault, from, |_| true).await?.ok_or_else(|| Error::internal("no dump"))
}

/// Makes a dump if it still is due when nobody else makes one, as seen from the store.
pub(crate) async fn dump_if(vault: &Vault, from: &Elsewhere, is_due: impl Fn(&Catalog) -> bool + Send) -> Result<Option<Manifest>> {
    let _turn = copying::turn(vault, &from.data).await?;
    let (turn_time, dump_time) = (Duration::from_secs(vault.config.turn_time_s), Duration::from_secs(vault.config.dump_time_s));
    let started_at = Timestamp::now();
    let snapshot = Snapshot::open(&from.login, from.root_certificate_file.as_deref(), turn_time, dump_time).await?;
    is_new_enough(from, snapshot.major).await?;
    let source = snapshot.source.clone();
    let there = manifest::catalog(&vault.store, &vault.key, Some(&source)).await?;
    if !is_due(&there) {
        return Ok(None);
    }
    for name in there.unfinished.values().flatten() {
        vault.store.delete(name).await?;
    }
    let id = started_at.strftime("%Y%m%dT%H%M%S%3fZ").to_string();
    let folder = Manifest::folder(&source, &id);
    let sealer = vault.key.sealer(&format!("{PURPOSE}/{id}"))?;
    let place = (&vault.store, &sealer);
    let mut command = from.program("pg_dump");
    command.args(["--format=plain", "--role=app_owner", "--enable-row-security", "--no-password", LOCK_WAIT]);
    command.arg(format!("--snapshot={}", snapshot.name));
    let produce = move |to: &mut dyn io::Write| {
        let mut counting = Counting { to, rows: Rows::default() };
        copying::run(command, &mut counting)?;
        Ok(counting.rows)
    };
    let name = format!("{folder}/{DUMP}");
    let late = |_| Error::new(Kind::Timeout, "dump_too_slow", "The dump took longer than backup.dump_time_s");
    let written = tokio::time::timeout(dump_time, parts::write(place, &name, vault.shape(), produce)).await;
    let (dump, rows) = written.map_err(late)??;
    let mut rows = rows.end()?;
    rows.retain(|table, _| !snapshot.of_extensions.contains(table));
    same(&snapshot.rows, &rows)?;
    let major = snapshot.major;
    snapshot.end().await?;
    let kept = from.state.clone();
    let (state, ()) = parts::write(place, &format!("{folder}/{STATE}"), vault.shape(), move |to| copying::pack(&kept, to)).await?;
    // After the rows: a file that a row of the dump names was there before.
    files::look(vault, &source, &from.files).await?;
    let manifest = Manifest {
        format: Manifest::format(),
        id,
        kind: BackupKind::Dump,
        source,
        major,
        started_at,
        finished_at: Timestamp::now(),
        key_id: vault.key.id(),
        log: None,
        streams: BTreeMap::from([(DUMP.to_owned(), dump), (STATE.to_owned(), state)]),
        rows,
    };
    manifest.keep(&vault.store, &vault.key).await?;
    // The backup is there; that something old could not be taken away makes it no worse.
    if let Err(error) = forget(vault, &manifest.source).await {
        tracing::warn!(code = error.code(), "backups that are too old could not be taken away: {}", error.message());
    }
    Ok(Some(manifest))
}

/// Counts the rows in a kept dump, and refuses where they are not those of its manifest.
pub(crate) async fn recount(vault: &Vault, manifest: &Manifest) -> Result<()> {
    let sealer = vault.key.sealer(&format!("{PURPOSE}/{}", manifest.id))?;
    let count = |from: &mut dyn io::Read| {
        let mut nowhere = io::sink();
        let mut counting = Counting { to: &mut nowhere, rows: Rows::default() };
        io::copy(&mut { from }, &mut counting)?;
        Ok(counting.rows)
    };
    let rows = parts::read((&vault.store, &sealer), manifest.stream(DUMP)?, vault.shape(), count).await?;
    let mut rows = rows.end()?;
    rows.retain(|table, _| manifest.rows.contains_key(table));
    same(&manifest.rows, &rows)
}

/// Refuses counts that are not the same.
pub(crate) fn same(wanted: &BTreeMap<String, i64>, found: &BTreeMap<String, i64>) -> Result<()> {
    let tables = wanted.keys().chain(found.keys().filter(|table| !wanted.contains_key(*table)));
    let different: Vec<&String> = tables.filter(|table| wanted.get(*table) != found.get(*table)).collect();
    if different.is_empty() {
        return Ok(());
    }
    let shown = |counts: &BTreeMap<String, i64>, table| counts.get(table).map_or("none".to_owned(), i64::to_string);
    let named = different.iter().take(NAMED_MAX).map(|table| format!("{table}: {} and {}", shown(wanted, *table), shown(found, *table)));
    let named = named.collect::<Vec<_>>().join(", ");
    let message = format!("{} tables do not have the rows that were counted ({named})", different.len());
    Err(Error::new(Kind::Unprocessable, "dump_counts_differ", message))
}

/// Refuses a program that is older than the server, which it would not read.
async fn is_new_enough(from: &Elsewhere, major: u32) -> Result<()> {
    let mut command = from.program("pg_dump");
    command.arg("--version");
    let asked = spawn_blocking(move || {
        let mut said = vec![];
        copying::run(command, &mut said).map(|_| String::from_utf8_lossy(&said).into_owned())
    });
    let hint = "install the client programs of PostgreSQL, and name their folder in database.programs_directory";
    let missing = |error: io::Error| Error::new(Kind::Unprocessable, "dump_program_missing", format!("{error}")).with_hint(hint);
    let said = asked.await.map_err(Error::internal)?.map_err(missing)?;
    // Such as `pg_dump (PostgreSQL) 15.8 (Debian 15.8-0+deb12u1)`.
    let found = said.split_whitespace().find_map(|word| word.split(['.', 'b', 'r']).next()?.parse::<u32>().ok());
    if found.is_some_and(|found| found >= major) {
        return Ok(());
    }
    let message = format!("{} is too old for a server of PostgreSQL {major}", said.trim());
    Err(Error::new(Kind::Unprocessable, "dump_program_too_old", message).with_hint(hint))
}

async fn forget(vault: &Vault, source: &str) -> Result<()> {
    let mut kept = manifest::catalog(&vault.store, &vault.key, Some(source)).await?.backups;
    kept.retain(|manifest| manifest.kind == BackupKind::Dump);
    let plan = retention::plan(&kept, &vault.config, Timestamp::now());
    for index in plan.gone.iter().rev() {
        manifest::remove(&vault.store, &kept.remove(*index)).await?;
    }
    files::forget(vault, source, |at| kept.iter().any(|kept| (kept.started_at..=kept.finished_at).contains(&at))).await
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "tests")]
    use super::*;

    #[test]
    fn tables_that_differ_are_named() {
        let counts = |rows: &[(&str, i64)]| rows.iter().map(|(table, rows)| ((*table).to_owned(), *rows)).collect::<BTreeMap<_, _>>();
        let wanted = counts(&[("app.one", 1), ("app.two", 2)]);
        same(&wanted, &wanted).unwrap();
        for (found, said) in [
            (counts(&[("app.one", 1), ("app.two", 1)]), "1 tables do not have the rows that were counted (app.two: 2 and 1)"),
            (counts(&[("app.one", 1)]), "1 tables do not have the rows that were counted (app.two: 2 and none)"),
            (
                counts(&[("app.one", 1), ("app.two", 2), ("app.three", 0)]),
                "1 tables do not have the rows that were counted (app.three: none and 0)",
            ),
        ] {
            let refused = same(&wanted, &found).unwrap_err();
            assert_eq!((refused.code(), refused.message()), ("dump_counts_differ", said));
        }
    }
}
