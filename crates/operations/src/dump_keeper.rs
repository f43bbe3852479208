//! What servers do by themselves for a database that is somebody else's: dumps at an interval, and practised restores of them.
//!
//! Invariant: what is due is decided by what the store has, read once more by whoever has the database's turn, so that of several servers
//! one works and a restart forgets nothing. What failed is told, written down and tried again, each time later up to an hour.

use std::sync::Arc;
use std::time::Duration;

use jiff::Timestamp;
use jiff::civil::DateTime;
use jiff::tz::TimeZone;
use kernel::{Error, Kind, Result};
use postgres::cluster::ClusterOptions;
use postgres::snapshot;
use tokio::task::spawn_blocking;
use tokio::time::{Instant, sleep, timeout};
use tokio_util::sync::CancellationToken;

use crate::config::BackupConfig;
use crate::drill::{self, Drill};
use crate::dump_drill::{can_practise, drill_if};
use crate::dumping::{Elsewhere, dump_if};
use crate::keeper::{Entry, Journal, Known, Patience, after, backup_entry, drill_entry, is_drill_due};
use crate::manifest::{self, BackupKind, Catalog};
use crate::vault::Vault;

/// How often it is looked whether something is due.
const TICK: Duration = Duration::from_secs(1);
/// How often the store is read anew: other servers and commands make dumps, too.
const REREAD: Duration = Duration::from_mins(1);
/// How long is waited while another server works.
const OTHERS: Duration = Duration::from_secs(5);
/// A dump by itself may take so many times `dump_time_s`: its counts and files come to its rows.
const WHOLE: u32 = 3;

/// What makes dumps while a server runs.
pub struct DumpKeeper {
    /// Where to.
    pub vault: Vault,
    /// Of what.
    pub from: Elsewhere,
    /// How a PostgreSQL runs here, for drills.
    pub options: ClusterOptions,
    /// Where it is written down.
    pub journal: Arc<dyn Journal>,
}

/// How something that was due ended.
enum Ended {
    /// It was done, or failed.
    Done(bool),
    /// Somebody else did it, or does.
    ByOthers,
}

impl DumpKeeper {
    /// Makes dumps until told to stop.
    pub async fn run(mut self, stop: CancellationToken) {
        // Whoever finds another one at work does not wait for him.
        self.vault.config.turn_time_s = 0;
        stop.run_until_cancelled(Box::pin(self.keep_schedule())).await;
    }

    async fn keep_schedule(&self) {
        let begun = Timestamp::now();
        let mut known = None;
        let (mut dumps, mut practice, mut reads) = (Patience::default(), Patience::default(), Patience::default());
        let mut can_practise = None;
        loop {
            let is_old = known.is_none_or(|known: Known| known.read_at.elapsed() >= REREAD);
            if is_old && reads.allows() {
                let read = self.know().await;
                reads.note(read.is_ok());
                match read {
                    Ok(read) => known = Some(read),
                    Err(error) => tracing::error!(code = error.code(), "dumps could not be looked at: {}", error.message()),
                }
            }
            let seen = known.unwrap_or_else(Known::nothing);
            seen.tell();
            if known.is_some() && can_practise.is_none() && self.vault.config.drill {
                can_practise = self.can_practise().await;
            }
            if known.is_some() && is_dump_due(&self.vault.config, begun, seen.newest) && dumps.allows() {
                note(&mut dumps, &seen.telling(self.dump(begun)).await);
                known = self.know().await.ok().or(known);
            } else if known.is_some()
                && can_practise == Some(true)
                && is_drill_due(&self.vault.config, Timestamp::now(), seen)
                && practice.allows()
            {
                note(&mut practice, &seen.telling(self.practise(seen)).await);
                known = self.know().await.ok().or(known);
            }
            sleep(TICK).await;
        }
    }

    /// Looks at what the store has of this database.
    async fn know(&self) -> Result<Known> {
        let (source, _) = snapshot::identity(&self.from.login, self.from.root_certificate_file.as_deref()).await?;
        let catalog = manifest::catalog(&self.vault.store, &self.vault.key, Some(&source)).await?;
        Ok(Known {
            first: catalog.backups.iter().find(|manifest| manifest.kind == BackupKind::Dump).map(|first| first.started_at),
            newest: newest(&catalog),
            practised: drill::last_passed(&self.vault, &source).await?,
            read_at: Instant::now(),
        })
    }

    async fn dump(&self, begun: Timestamp) -> Ended {
        let started_at = Timestamp::now();
        let is_due = |there: &Catalog| is_dump_due(&self.vault.config, begun, newest(there));
        let limit = Duration::from_secs(self.vault.config.dump_time_s).saturating_mul(WHOLE);
        let late = |_| Error::new(Kind::Timeout, "dump_too_slow", "The dump with its counts and files took too long");
        let made = timeout(limit, Box::pin(dump_if(&self.vault, &self.from, is_due))).await.map_err(late).and_then(|made| made);
        let made = match made {
            Ok(None) => return Ended::ByOthers,
            Err(error) if error.code() == "backup_running" => return Ended::ByOthers,
            Ok(Some(manifest)) => Ok(manifest),
            Err(error) => Err(error),
        };
        self.write_down(backup_entry("automated", started_at, &made)).await;
        match made {
            Ok(manifest) => {
                tracing::info!(backup = manifest.id, bytes = manifest.bytes(), tables = manifest.rows.len(), "made a dump");
                Ended::Done(true)
            }
            Err(error) => {
                tracing::error!(code = error.code(), "no dump could be made: {}", error.message());
                Ended::Done(false)
            }
        }
    }

    /// Says once whether this machine can practise; nothing while the database does not answer.
    async fn can_practise(&self) -> Option<bool> {
        let (_, major) = snapshot::identity(&self.from.login, self.from.root_certificate_file.as_deref()).await.ok()?;
        let named = self.from.programs.clone();
        let looked = spawn_blocking(move || can_practise(named.as_deref(), major)).await.ok()?;
        if let Err(error) = &looked {
            tracing::warn!(code = error.code(), "no restore is practised: {}", error.message());
        }
        Some(looked.is_ok())
    }

    async fn practise(&self, known: Known) -> Ended {
        let started_at = Timestamp::now();
        let is_due = |practised| is_drill_due(&self.vault.config, Timestamp::now(), Known { practised, ..known });
        let practised = match Box::pin(drill_if(&self.vault, &self.from, &self.options, is_due)).await {
            Ok(None) => return Ended::ByOthers,
            Err(error) if error.code() == "drill_running" => return Ended::ByOthers,
            Ok(Some(report)) => Ok(report),
            Err(error) => Err(error),
        };
        match &practised {
            Ok(Drill { tables, rows, restore_ms, error: None, .. }) => {
                tracing::info!(tables, rows, restore_ms, "practised the restore of a dump");
            }
            Ok(report) => tracing::error!(backup = report.backup, error = report.error, "a dump cannot be restored"),
            Err(error) => tracing::error!(code = error.code(), "a restore could not be practised: {}", error.message()),
        }
        self.write_down(drill_entry(started_at, &practised)).await;
        Ended::Done(practised.is_ok_and(|report| report.passed()))
    }

    async fn write_down(&self, entry: Entry) {
        if let Err(error) = self.journal.note(entry).await {
            tracing::warn!(code = error.code(), "a backup could not be written down: {}", error.message());
        }
    }
}

fn note(patience: &mut Patience, ended: &Ended) {
    match ended {
        Ended::Done(well) => patience.note(*well),
        Ended::ByOthers => patience.pause(OTHERS),
    }
}

fn is_dump_due(config: &BackupConfig, begun: Timestamp, newest: Option<Timestamp>) -> bool {
    let at = newest.map_or_else(|| after(begun, config.first_after_s), |newest| after(newest, config.dump_interval_s));
    config.dump_interval_s > 0 && Timestamp::now() >= at
}

/// Returns when the newest dump was begun, whichever server's key sealed it: its name says so.
fn newest(catalog: &Catalog) -> Option<Timestamp> {
    let ours = catalog.backups.iter().filter(|manifest| manifest.kind == BackupKind::Dump).map(|manifest| manifest.started_at);
    let others = catalog.unusable.iter().filter(|unusable| unusable.error.code() == "recovery_key_wrong");
    ours.chain(others.filter_map(|unusable| begun_at(unusable.name.rsplit('/').nth(1)?))).max()
}

/// Reads `20261122T023000000Z`, to the second.
fn begun_at(id: &str) -> Option<Timestamp> {
    let at = DateTime::strptime("%Y%m%dT%H%M%S", id.get(..15)?).ok()?;
    Some(at.to_zoned(TimeZone::UTC).ok()?.timestamp())
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "tests")]
    use super::*;
    use crate::manifest::Unusable;

    #[test]
    fn a_dump_of_another_key_counts_and_a_damaged_one_does_not() {
        let name = |id: &str| format!("7-16384/backups/{id}/manifest.json");
        let unusable = |id: &str, code: &'static str| Unusable { name: name(id), error: Error::new(Kind::Unprocessable, code, "") };
        let mut catalog = Catalog { unusable: vec![unusable("20261122T023000123Z", "backup_damaged")], ..Catalog::default() };
        assert_eq!(newest(&catalog), None);
        catalog.unusable.push(unusable("20261121T023000123Z", "recovery_key_wrong"));
        assert_eq!(newest(&catalog).unwrap().to_string(), "2026-11-21T02:30:00Z");
    }

    #[test]
    fn an_interval_of_nothing_makes_no_dump() {
        let (begun, mut config) = (Timestamp::UNIX_EPOCH, BackupConfig::default());
        assert!(is_dump_due(&config, begun, None));
        assert!(is_dump_due(&config, begun, Some(begun)));
        assert!(!is_dump_due(&config, begun, Some(Timestamp::now())));
        config.dump_interval_s = 0;
        assert!(!is_dump_due(&config, begun, None));
    }
}
