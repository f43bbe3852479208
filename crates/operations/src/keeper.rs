//! What a server does by itself: it keeps the log, makes the daily backup, looks for new files and practises restoring.
//!
//! Invariant: what is due is decided by what the store has, so that a restart forgets nothing. What failed is told, counted and tried again,
//! each time later up to an hour; the log is kept meanwhile.

use std::pin::pin;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, OnceLock};
use std::time::Duration;

use futures_util::future::BoxFuture;
use jiff::civil::Weekday;
use jiff::tz::TimeZone;
use jiff::{SignedDuration, Timestamp};
use kernel::{Error, Result};
use postgres::cluster::ClusterOptions;
use postgres::sums;
use serde_json::{Value, json};
use tokio::time::{Instant, sleep, timeout};
use tokio_util::sync::CancellationToken;

use crate::checkpoints::Checkpoint;
use crate::config::{self, BackupConfig};
use crate::drill::{Drill, drill as practise, last_drill};
use crate::manifest::{self, Manifest};
use crate::vault::{Original, Vault};
use crate::{checkpoints, copying, files, shipping};

/// How often it is looked whether something is due.
const TICK: Duration = Duration::from_secs(5);
/// How often the store is read anew: commands make backups, too.
const REREAD: Duration = Duration::from_mins(10);
/// The pause after a first failure; it doubles.
const AGAIN: Duration = Duration::from_mins(1);
const AGAIN_MAX: Duration = Duration::from_hours(1);

/// What is written down of a backup or drill.
#[derive(Clone, Debug)]
pub struct Entry {
    /// The name of the backup, or of the drill.
    pub filename: String,
    /// Its bytes in the store.
    pub size_bytes: Option<i64>,
    /// `automated`, `manual` or `drill`.
    pub backup_type: &'static str,
    /// Why it failed, if it did.
    pub error: Option<String>,
    /// What else there is to say.
    pub details: Value,
    /// When it began.
    pub started_at: Timestamp,
}

/// Where it is written down, and where recovery points are asked for.
pub trait Journal: Send + Sync {
    /// Writes an entry.
    fn note(&self, entry: Entry) -> BoxFuture<'_, Result<()>>;
    /// Returns recovery points that the store does not have yet, a bounded number.
    fn points(&self) -> BoxFuture<'_, Result<Vec<Checkpoint>>>;
    /// Notes that the store has a point.
    fn kept(&self, point: Checkpoint) -> BoxFuture<'_, Result<()>>;
}

/// What keeps backups while a server runs.
pub struct Keeper {
    /// Where to.
    pub vault: Vault,
    /// Of what.
    pub original: Original,
    /// How a PostgreSQL runs here, for drills.
    pub options: ClusterOptions,
    /// Where it is written down.
    pub journal: Arc<dyn Journal>,
    /// The cluster's number, once it is known.
    pub source: Arc<OnceLock<String>>,
}

/// When something that failed is tried again.
#[derive(Default)]
pub(crate) struct Patience {
    vain: u32,
    not_before: Option<Instant>,
}

impl Patience {
    pub(crate) fn allows(&self) -> bool {
        self.not_before.is_none_or(|at| Instant::now() >= at)
    }

    pub(crate) fn note(&mut self, succeeded: bool) {
        self.vain = if succeeded { 0 } else { self.vain.saturating_add(1) };
        let pause = self.vain.checked_sub(1).map(|doubled| AGAIN.saturating_mul(2_u32.saturating_pow(doubled)).min(AGAIN_MAX));
        self.not_before = pause.map(|pause| Instant::now() + pause);
    }

    /// Has it tried again after a while although nothing failed.
    pub(crate) fn pause(&mut self, pause: Duration) {
        self.not_before = Some(Instant::now() + pause);
    }
}

impl Keeper {
    /// Keeps backups until told to stop.
    pub async fn run(self, stop: CancellationToken) {
        let Some(Ok((source, _))) = stop.run_until_cancelled(self.identity()).await else { return };
        let source = self.source.get_or_init(|| source).clone();
        // Set when pieces of the log were given up: only a new copy heals that.
        let torn = AtomicBool::new(false);
        stop.run_until_cancelled(Box::pin(async { tokio::join!(self.keep_log(&source, &torn), self.keep_schedule(&source, &torn)) })).await;
    }

    /// Asks until the database answers.
    async fn identity(&self) -> Result<(String, u32)> {
        loop {
            match sums::identity(&self.original.login).await {
                Ok(identity) => return Ok(identity),
                Err(_not_yet) => sleep(TICK).await,
            }
        }
    }

    async fn keep_log(&self, source: &str, torn: &AtomicBool) {
        let interval = Duration::from_millis(self.vault.config.ship_interval_ms);
        let mut told = String::new();
        loop {
            let (shipped, outcome) = shipping::ship(&self.vault, source, &self.original.data).await;
            metrics::gauge!("wal_archive_lag_seconds").set(shipped.lag.as_secs_f64());
            metrics::counter!("wal_archive_pieces_total").increment(u64::try_from(shipped.pieces).unwrap_or_default());
            metrics::counter!("wal_archive_lost_total").increment(u64::try_from(shipped.lost).unwrap_or_default());
            if shipped.lost > 0 {
                torn.store(true, Ordering::Relaxed);
            }
            let outcome = match outcome {
                Ok(()) => self.keep_points(source).await,
                Err(error) => Err(error),
            };
            // What goes on failing is told once.
            let now = outcome.err().map(|error| format!("{} ({})", error.message(), error.code())).unwrap_or_default();
            if now != told && !now.is_empty() {
                tracing::error!("the log is not kept: {now}");
            }
            told = now;
            sleep(interval).await;
        }
    }

    async fn keep_points(&self, source: &str) -> Result<()> {
        // Until the schema is there, nobody has named a moment.
        for point in self.journal.points().await.unwrap_or_default() {
            checkpoints::keep(&self.vault, source, &point).await?;
            self.journal.kept(point).await?;
        }
        Ok(())
    }

    async fn keep_schedule(&self, source: &str, torn: &AtomicBool) {
        let begun = Timestamp::now();
        let mut known: Option<Known> = None;
        let (mut backup, mut practice, mut looks, mut reads) =
            (Patience::default(), Patience::default(), Patience::default(), Patience::default());
        let files_interval = Duration::from_secs(self.vault.config.files_interval_s);
        let mut next_look = Instant::now() + files_interval;
        loop {
            if known.as_ref().is_none_or(|known| known.read_at.elapsed() >= REREAD) && reads.allows() {
                let read = self.know(source).await;
                reads.note(read.is_ok());
                match read {
                    Ok(read) => known = Some(read),
                    Err(error) => tracing::error!(code = error.code(), "backups could not be looked at: {}", error.message()),
                }
            }
            if let Some(now_known) = known {
                now_known.tell();
                let due = due(&self.vault.config, begun, Timestamp::now(), now_known);
                if (due.backup || torn.load(Ordering::Relaxed)) && backup.allows() {
                    torn.store(false, Ordering::Relaxed);
                    backup.note(self.back_up().await);
                    known = None;
                } else if due.drill && practice.allows() {
                    practice.note(self.practise().await);
                    known = None;
                }
            }
            if Instant::now() >= next_look && looks.allows() {
                let looked = files::look(&self.vault, source, &self.original.files).await;
                looks.note(looked.is_ok());
                match looked {
                    Ok(_) => next_look = Instant::now() + files_interval,
                    Err(error) => tracing::error!(code = error.code(), "files could not be kept: {}", error.message()),
                }
            }
            sleep(TICK).await;
        }
    }

    /// Looks at what the store has.
    async fn know(&self, source: &str) -> Result<Known> {
        let backups = manifest::catalog(&self.vault.store, &self.vault.key, Some(source)).await?.backups;
        Ok(Known {
            first: backups.first().map(|first| first.started_at),
            newest: backups.last().map(|newest| newest.started_at),
            practised: last_drill(&self.vault, Some(source)).await?.map(|drill| drill.started_at),
            read_at: Instant::now(),
        })
    }

    async fn back_up(&self) -> bool {
        let started_at = Timestamp::now();
        let made = Box::pin(copying::create(&self.vault, &self.original)).await;
        let entry = backup_entry("automated", started_at, &made);
        self.write_down(entry).await;
        match made {
            Ok(manifest) => {
                tracing::info!(backup = manifest.id, bytes = manifest.bytes(), "made a backup");
                true
            }
            Err(error) => {
                tracing::error!(code = error.code(), "no backup could be made: {}", error.message());
                false
            }
        }
    }

    async fn practise(&self) -> bool {
        let started_at = Timestamp::now();
        let practised = Box::pin(practise(&self.vault, &self.original, &self.options)).await;
        let passed = practised.as_ref().is_ok_and(Drill::passed);
        match &practised {
            Ok(report) if passed => {
                let Drill { tables, rows, restore_ms, .. } = report;
                tracing::info!(tables, rows, restore_ms, "practised a restore");
            }
            Ok(report) => tracing::error!(different = ?report.different, "a restored backup is not what it should be"),
            Err(error) => tracing::error!(code = error.code(), "a restore could not be practised: {}", error.message()),
        }
        self.write_down(drill_entry(started_at, &practised)).await;
        passed
    }

    async fn write_down(&self, entry: Entry) {
        if let Err(error) = self.journal.note(entry).await {
            tracing::warn!(code = error.code(), "a backup could not be written down: {}", error.message());
        }
    }
}

/// Returns what is written down of a backup.
pub fn backup_entry(backup_type: &'static str, started_at: Timestamp, made: &Result<Manifest>) -> Entry {
    let (filename, size_bytes, details) = match made {
        Ok(manifest) => {
            let parts: usize = manifest.streams.values().map(Vec::len).sum();
            (
                manifest.id.clone(),
                i64::try_from(manifest.bytes()).ok(),
                json!({ "source": manifest.source, "parts": parts, "log": manifest.log }),
            )
        }
        Err(error) => (started_at.strftime("%Y%m%dT%H%M%S%3fZ").to_string(), None, json!({ "code": error.code() })),
    };
    let error = made.as_ref().err().map(|error| error.message().to_owned());
    Entry { filename, size_bytes, backup_type, error, details, started_at }
}

/// Returns what is written down of a drill.
pub fn drill_entry(started_at: Timestamp, practised: &Result<Drill>) -> Entry {
    let (filename, error, details) = match practised {
        Ok(report) => {
            let different = || format!("{} tables differ", report.different.len());
            let failed = (!report.passed()).then(|| report.error.clone().unwrap_or_else(different));
            (report.backup.clone(), failed, serde_json::to_value(report).map_err(Error::internal).unwrap_or_default())
        }
        Err(error) => ("none".to_owned(), Some(error.message().to_owned()), json!({ "code": error.code() })),
    };
    Entry { filename, size_bytes: None, backup_type: "drill", error, details, started_at }
}

/// What the store had when it was looked at.
#[derive(Clone, Copy)]
pub(crate) struct Known {
    pub(crate) first: Option<Timestamp>,
    pub(crate) newest: Option<Timestamp>,
    pub(crate) practised: Option<Timestamp>,
    pub(crate) read_at: Instant,
}

impl Known {
    /// What is known of a store that has nothing, or cannot be read.
    pub(crate) fn nothing() -> Self {
        Self { first: None, newest: None, practised: None, read_at: Instant::now() }
    }

    /// Works, and says meanwhile how old the newest are: what hangs is not to look young.
    pub(crate) async fn telling<T>(self, work: impl Future<Output = T>) -> T {
        let mut work = pin!(work);
        loop {
            match timeout(TICK, &mut work).await {
                Ok(done) => return done,
                Err(_still_works) => self.tell(),
            }
        }
    }

    /// Says how old the newest are; what was never done is infinitely old.
    pub(crate) fn tell(self) {
        let age = |at: Option<Timestamp>| at.map_or(f64::INFINITY, |at| Timestamp::now().duration_since(at).as_secs_f64());
        metrics::gauge!("last_backup_age_seconds").set(age(self.newest));
        metrics::gauge!("last_drill_age_seconds").set(age(self.practised));
    }
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Due {
    backup: bool,
    drill: bool,
}

/// Says what is due. A first backup is made soon after the start, a first drill on the first of its days after that.
fn due(config: &BackupConfig, begun: Timestamp, now: Timestamp, known: Known) -> Due {
    let first = after(begun, config.first_after_s);
    let backup = known.newest.map_or(Some(first), |newest| next(newest, &config.daily_at, None)).is_some_and(|at| now >= at);
    Due { backup, drill: is_drill_due(config, now, known) }
}

/// Says whether a restore is to be practised.
pub(crate) fn is_drill_due(config: &BackupConfig, now: Timestamp, known: Known) -> bool {
    let since = known.practised.or(known.first);
    let day = config::weekday(&config.drill_day);
    config.drill && since.and_then(|since| next(since, &config.drill_at, day)).is_some_and(|at| now >= at)
}

/// Returns a moment some seconds later.
pub(crate) fn after(moment: Timestamp, seconds: u64) -> Timestamp {
    moment.checked_add(SignedDuration::from_secs(i64::try_from(seconds).unwrap_or(i64::MAX))).unwrap_or(Timestamp::MAX)
}

/// Returns the next time of day after a moment, on this weekday if one is named.
fn next(after: Timestamp, time: &str, day: Option<Weekday>) -> Option<Timestamp> {
    let time = config::time(time)?;
    let mut date = after.to_zoned(TimeZone::UTC).date();
    for _ in 0..9 {
        let at = date.to_datetime(time).to_zoned(TimeZone::UTC).ok()?.timestamp();
        if at > after && day.is_none_or(|day| date.weekday() == day) {
            return Some(at);
        }
        date = date.tomorrow().ok()?;
    }
    None
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "tests")]
    use super::*;

    fn at(text: &str) -> Timestamp {
        text.parse().unwrap()
    }

    #[test]
    fn the_next_time_is_after_and_on_its_day() {
        // The 22nd of November 2026 is a Sunday.
        assert_eq!(next(at("2026-11-22T02:29:59Z"), "02:30", None), Some(at("2026-11-22T02:30:00Z")));
        assert_eq!(next(at("2026-11-22T02:30:00Z"), "02:30", None), Some(at("2026-11-23T02:30:00Z")));
        assert_eq!(next(at("2026-11-22T05:00:00Z"), "04:00", Some(Weekday::Sunday)), Some(at("2026-11-29T04:00:00Z")));
        assert_eq!(next(at("2026-11-18T05:00:00Z"), "04:00", Some(Weekday::Sunday)), Some(at("2026-11-22T04:00:00Z")));
    }

    #[test]
    fn a_first_backup_is_made_soon_and_no_drill_without_one() {
        let config = BackupConfig::default();
        let begun = at("2026-11-22T10:00:00Z");
        let (early, late) = (at("2026-11-22T10:00:59Z"), at("2026-11-22T10:01:00Z"));
        let none = Known { first: None, newest: None, practised: None, read_at: Instant::now() };
        assert_eq!(due(&config, begun, early, none), Due { backup: false, drill: false });
        assert_eq!(due(&config, begun, late, none), Due { backup: true, drill: false });
        let made = Some(begun);
        let known = Known { first: made, newest: made, ..none };
        assert_eq!(due(&config, begun, at("2026-11-23T02:29:59Z"), known), Due { backup: false, drill: false });
        assert_eq!(due(&config, begun, at("2026-11-23T02:30:00Z"), known), Due { backup: true, drill: false });
        assert_eq!(due(&config, begun, at("2026-11-29T04:00:00Z"), known), Due { backup: true, drill: true });
        let practised = Known { practised: Some(at("2026-11-29T04:00:00Z")), ..known };
        assert!(
            !due(&config, begun, at("2026-12-06T03:59:59Z"), practised).drill
                && due(&config, begun, at("2026-12-06T04:00:00Z"), practised).drill
        );
    }

    #[test]
    fn what_fails_is_tried_less_and_less_often() {
        let mut patience = Patience::default();
        assert!(patience.allows());
        patience.note(false);
        assert!(!patience.allows());
        patience.note(true);
        assert!(patience.allows());
    }
}
