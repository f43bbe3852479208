//! A copy of a private cluster while it runs, complete with the pieces of the log that make it whole.
//!
//! Invariant: one backup at a time is made of a data folder. It counts only when every part of it and the last piece of the log that it
//! needs are in the store; what an earlier one left that was interrupted is taken away first.

use std::collections::{BTreeMap, BTreeSet};
use std::fs::File;
use std::io::{self, Read, Write};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::thread;
use std::time::Duration;

use jiff::Timestamp;
use kernel::{Error, Kind, Result};
use postgres::{Config, Host, sums};
use tokio::time::{Instant, sleep};

use crate::manifest::{self, BackupKind, LogRange, Manifest};
use crate::vault::{Original, Vault, lock};
use crate::{files, log_pieces, parts, retention, shipping};

/// Held while a backup is made.
const LOCK: &str = "backup.lock";
const TURN_POLL: Duration = Duration::from_millis(100);
/// What seals a backup; its name is added.
pub(crate) const PURPOSE: &str = "backup";
/// The stream of PostgreSQL's files.
pub(crate) const BASE: &str = "base";
/// The stream of keys and passwords.
pub(crate) const STATE: &str = "state";
/// How long the last piece of the log may take into the store.
const LOG_PATIENCE: Duration = Duration::from_mins(10);
const LOG_POLL: Duration = Duration::from_millis(250);
/// Labels that are looked at, the newest first.
const LABELS_MAX: usize = 16;
/// Bytes of what `pg_basebackup` says that are looked at.
const WORDS_MAX: u64 = 65_536;

/// Makes a backup, then takes away what is not to be kept any longer.
pub async fn create(vault: &Vault, original: &Original) -> Result<Manifest> {
    let _turn = turn(vault, &original.data).await?;
    let (source, major) = sums::identity(&original.login).await?;
    let catalog = manifest::catalog(&vault.store, &vault.key, Some(&source)).await?;
    for name in catalog.unfinished.values().flatten() {
        vault.store.delete(name).await?;
    }
    let started_at = Timestamp::now();
    let id = started_at.strftime("%Y%m%dT%H%M%S%3fZ").to_string();
    let folder = Manifest::folder(&source, &id);
    let sealer = vault.key.sealer(&format!("{PURPOSE}/{id}"))?;
    let place = (&vault.store, &sealer);
    let command = command(original, &id)?;
    let (base, _) = parts::write(place, &format!("{folder}/{BASE}"), vault.shape(), move |to| run(command, to)).await?;
    let kept = original.state.clone();
    let (state, ()) = parts::write(place, &format!("{folder}/{STATE}"), vault.shape(), move |to| pack(&kept, to)).await?;
    files::look(vault, &source, &original.files).await?;
    let log = log_arrives(vault, &source, original, &id).await?;
    let manifest = Manifest {
        format: Manifest::format(),
        id,
        kind: BackupKind::Base,
        source,
        major,
        started_at,
        finished_at: Timestamp::now(),
        key_id: vault.key.id(),
        log: Some(log),
        streams: BTreeMap::from([(BASE.to_owned(), base), (STATE.to_owned(), state)]),
        rows: BTreeMap::new(),
    };
    manifest.keep(&vault.store, &vault.key).await?;
    // The backup is there; that something old could not be taken away makes it no worse.
    if let Err(error) = forget(vault, &manifest.source).await {
        tracing::warn!(code = error.code(), "backups that are too old could not be taken away: {}", error.message());
    }
    Ok(manifest)
}

/// Waits until no other backup of the data folder is made. The one before holds its turn a moment longer than its manifest is there: it
/// takes away what is too old.
pub(crate) async fn turn(vault: &Vault, data: &Path) -> Result<File> {
    let deadline = Instant::now() + Duration::from_secs(vault.config.turn_time_s);
    loop {
        if let Some(lock) = lock(data, LOCK)? {
            return Ok(lock);
        }
        if Instant::now() >= deadline {
            return Err(Error::new(Kind::Conflict, "backup_running", "Another backup of this data folder is being made"));
        }
        sleep(TURN_POLL).await;
    }
}

/// Takes away what is not to be kept.
pub(crate) async fn forget(vault: &Vault, source: &str) -> Result<()> {
    let mut kept = manifest::catalog(&vault.store, &vault.key, Some(source)).await?.backups;
    kept.retain(|manifest| manifest.kind == BackupKind::Base);
    let plan = retention::plan(&kept, &vault.config, Timestamp::now());
    for index in plan.gone.iter().rev() {
        manifest::remove(&vault.store, &kept.remove(*index)).await?;
    }
    let Some(since) = plan.log_since else { return Ok(()) };
    let needed: Vec<&Manifest> = kept.iter().collect();
    for object in vault.store.list(&format!("{source}/log/")).await? {
        let piece = object.name.rsplit_once('/').map_or("", |(_, piece)| piece);
        if !retention::needs(piece, &needed, &since) {
            vault.store.delete(&object.name).await?;
        }
    }
    let begin =
        kept.iter().find(|manifest| manifest.log.as_ref().is_some_and(|log| log.first == since)).map(|manifest| manifest.started_at);
    files::forget(vault, source, |at| {
        begin.is_none_or(|begin| at >= begin) || needed.iter().any(|kept| (kept.started_at..=kept.finished_at).contains(&at))
    })
    .await
}

/// Waits until the last piece of the log that a copy needs is in the store, and brings it there. PostgreSQL says which that is in a label of
/// its own, the last that it puts to the pieces.
async fn log_arrives(vault: &Vault, source: &str, original: &Original, id: &str) -> Result<LogRange> {
    let deadline = Instant::now() + LOG_PATIENCE;
    loop {
        let (_, shipped) = shipping::ship(vault, source, &original.data).await;
        let kept: BTreeSet<String> = vault.store.list(&format!("{source}/log/")).await?.into_iter().map(|object| object.name).collect();
        for label in kept.iter().rev().filter(|name| name.ends_with(".backup")).take(LABELS_MAX) {
            let name = label.rsplit_once('/').map_or("", |(_, name)| name);
            let text = shipping::fetch(vault, source, name).await?.unwrap_or_default();
            if let Some(log) = log_range(&String::from_utf8_lossy(&text), id)
                && kept.contains(&shipping::object(source, &log.last))
            {
                return Ok(log);
            }
        }
        if Instant::now() >= deadline {
            let late =
                || Error::new(Kind::Timeout, "log_not_kept", "The log that makes the copy whole did not come into the store in time");
            return shipped.and(Err(late()));
        }
        sleep(LOG_POLL).await;
    }
}

/// Returns how PostgreSQL's own program copies the cluster to its output. The password is in its environment, which only we can read.
fn command(original: &Original, id: &str) -> Result<Command> {
    let mut command = Command::new(original.programs.join("pg_basebackup"));
    command.env_clear().env("PATH", "/usr/bin:/bin").env("LC_ALL", "C").current_dir("/");
    command.args(["--pgdata=-", "--format=tar", "--wal-method=none", "--checkpoint=fast", "--no-password", "--label", id]);
    connection(&mut command, &original.login)?;
    Ok(command)
}

/// Says to one of PostgreSQL's programs where to connect.
pub(crate) fn connection(command: &mut Command, login: &Config) -> Result<()> {
    let host = match login.get_hosts().first() {
        Some(Host::Unix(path)) => path.display().to_string(),
        Some(Host::Tcp(name)) => name.clone(),
        None => return Err(Error::internal("the login names no host")),
    };
    let port = login.get_ports().first().copied().unwrap_or(5432);
    command.env("PGHOST", host).env("PGPORT", port.to_string()).env("PGUSER", login.get_user().unwrap_or_default());
    if let Some(password) = login.get_password() {
        command.env("PGPASSWORD", String::from_utf8_lossy(password).into_owned());
    }
    Ok(())
}

/// Ends a program that nobody waits for any more.
struct Running(Child);

impl Drop for Running {
    fn drop(&mut self) {
        if matches!(self.0.try_wait(), Ok(None)) {
            let _ended = self.0.kill().is_ok() && self.0.wait().is_ok();
        }
    }
}

/// Runs a program and passes on what it writes. Returns what it says beside.
pub(crate) fn run(mut command: Command, to: &mut dyn Write) -> io::Result<String> {
    let program = command.get_program().to_string_lossy().into_owned();
    let spawned = command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn();
    let mut child = Running(spawned.map_err(|error| io::Error::other(format!("{program} cannot be run: {error}")))?);
    let (output, errors) = (child.0.stdout.take(), child.0.stderr.take());
    let words = thread::spawn(move || {
        let mut words = vec![];
        let Some(mut errors) = errors else { return words };
        // What is too long is still read, so that the program can end.
        let _read = errors.by_ref().take(WORDS_MAX).read_to_end(&mut words).is_ok() && io::copy(&mut errors, &mut io::sink()).is_ok();
        words
    });
    let mut to = to;
    let copied = output.map_or(Ok(0), |mut output| io::copy(&mut output, &mut to));
    let copied = match copied {
        Ok(_) => Ok(child.0.wait()?),
        Err(error) => Err(error),
    };
    drop(child);
    let words = String::from_utf8_lossy(&words.join().unwrap_or_default()).into_owned();
    let status = copied?;
    if status.success() {
        return Ok(words);
    }
    let last: Vec<&str> = words.lines().rev().take(4).collect();
    Err(io::Error::other(format!("{program}: {status}: {}", last.into_iter().rev().collect::<Vec<_>>().join("; "))))
}

/// Reads which pieces of the log a copy of this label needs.
fn log_range(text: &str, label: &str) -> Option<LogRange> {
    let value = |key: &str| text.lines().find_map(|line| line.strip_prefix(key));
    let piece = |key: &str| Some(value(key)?.split_once("(file ")?.1.strip_suffix(')')?.to_owned());
    if value("LABEL: ")? != label {
        return None;
    }
    let (first, last) = (piece("START WAL LOCATION: ")?, piece("STOP WAL LOCATION: ")?);
    (log_pieces::place(&first)? <= log_pieces::place(&last)?).then_some(LogRange { first, last })
}

pub(crate) fn pack(state: &[(String, PathBuf)], to: &mut dyn Write) -> io::Result<()> {
    let mut tar = tar::Builder::new(to);
    for (name, path) in state {
        match File::open(path) {
            Ok(mut file) => tar.append_file(name, &mut file)?,
            Err(error) if error.kind() == io::ErrorKind::NotFound => {}
            Err(error) => return Err(error),
        }
    }
    tar.finish()
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "tests")]
    use super::*;

    #[test]
    fn pieces_are_read_from_what_postgresql_says() {
        let text = "START WAL LOCATION: 0/4000028 (file 000000020000000000000004)\n\
                    STOP WAL LOCATION: 0/5000100 (file 000000020000000000000005)\n\
                    CHECKPOINT LOCATION: 0/4000060\nBACKUP METHOD: streamed\nBACKUP FROM: primary\n\
                    START TIME: 2026-11-22 08:01:12 UTC\nLABEL: 20261122T080112000Z\nSTART TIMELINE: 2\n";
        let range = LogRange { first: "000000020000000000000004".into(), last: "000000020000000000000005".into() };
        assert_eq!(log_range(text, "20261122T080112000Z"), Some(range));
        assert_eq!(log_range(text, "20261122T080112001Z"), None);
        assert_eq!(log_range("LABEL: x", "x"), None);
    }
}
