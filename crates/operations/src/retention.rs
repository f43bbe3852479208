//! Which backups stay: the newest of each of the last days, weeks and months.
//!
//! Invariant: the newest backup always stays, and so does the one that the first second of the window is restored from. Pieces of the log
//! stay that one of the kept backups needs to be whole, and all since the beginning of the window.

use std::collections::BTreeSet;

use jiff::civil::Date;
use jiff::tz::TimeZone;
use jiff::{SignedDuration, Timestamp};

use crate::config::BackupConfig;
use crate::log_pieces;
use crate::manifest::Manifest;

/// A day, week or month: its year and its number there.
type Spell = (i16, i16);

/// What is to go.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Plan {
    /// Backups, by their number in the list.
    pub(crate) gone: Vec<usize>,
    /// Pieces of the log before this one go, unless a kept backup needs them.
    pub(crate) log_since: Option<String>,
}

/// Decides about backups of one source, the oldest first.
pub(crate) fn plan(backups: &[Manifest], config: &BackupConfig, now: Timestamp) -> Plan {
    let mut kept = BTreeSet::new();
    let last = backups.len().checked_sub(1);
    kept.extend(last);
    let day = |manifest: &Manifest| manifest.started_at.to_zoned(TimeZone::UTC).date();
    let of_day: fn(Date) -> Spell = |date| (date.year(), date.day_of_year());
    let of_week: fn(Date) -> Spell = |date| (date.iso_week_date().year(), i16::from(date.iso_week_date().week()));
    let of_month: fn(Date) -> Spell = |date| (date.year(), i16::from(date.month()));
    for (number, of) in [(config.keep_daily, of_day), (config.keep_weekly, of_week), (config.keep_monthly, of_month)] {
        let mut seen = BTreeSet::new();
        for (index, manifest) in backups.iter().enumerate().rev() {
            let is_new = !seen.contains(&of(day(manifest)));
            if is_new && seen.len() < usize::try_from(number).unwrap_or(usize::MAX) {
                seen.insert(of(day(manifest)));
                kept.insert(index);
            }
        }
    }
    let begin = now.checked_sub(SignedDuration::from_hours(24 * i64::from(config.window_days))).unwrap_or(Timestamp::MIN);
    // The newest that was complete before the window; as long as there is none, the oldest.
    let anchor = backups.iter().rposition(|manifest| manifest.finished_at <= begin).or_else(|| (!backups.is_empty()).then_some(0));
    kept.extend(anchor);
    let gone = (0..backups.len()).filter(|index| !kept.contains(index)).collect();
    let log_since = anchor.and_then(|index| backups.get(index)).and_then(|manifest| manifest.log.as_ref()).map(|log| log.first.clone());
    Plan { gone, log_since }
}

/// Tells whether a piece of the log is needed by what stays.
pub(crate) fn needs(piece: &str, kept: &[&Manifest], since: &str) -> bool {
    // A backup's label stands beside its first piece; histories of timelines are few and small.
    let Some(place) = piece.get(..24).and_then(log_pieces::place) else { return true };
    let at = |name: &str| log_pieces::place(name).unwrap_or_default();
    place >= at(since)
        || kept.iter().filter_map(|manifest| manifest.log.as_ref()).any(|log| (at(&log.first)..=at(&log.last)).contains(&place))
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "tests")]
    use std::collections::BTreeMap;

    use jiff::ToSpan;

    use super::*;
    use crate::manifest::{BackupKind, LogRange};

    fn made(at: Timestamp, number: u64) -> Manifest {
        let log = LogRange { first: log_pieces::name(1, number * 10), last: log_pieces::name(1, number * 10 + 1) };
        Manifest {
            format: 1,
            id: at.to_string(),
            kind: BackupKind::Base,
            source: "1".into(),
            major: 15,
            started_at: at,
            finished_at: at.checked_add(1.minute()).unwrap(),
            key_id: String::new(),
            log: Some(log),
            streams: BTreeMap::new(),
            rows: BTreeMap::new(),
        }
    }

    /// A year of days: each day a backup is made, and what is to go goes.
    #[test]
    fn a_year_of_daily_backups_leaves_what_was_asked_for() {
        let config = BackupConfig::default();
        let first: Timestamp = "2025-11-22T02:30:00Z".parse().unwrap();
        let mut backups = vec![];
        let mut now = first;
        for day in 0..400_u64 {
            now = first.checked_add(SignedDuration::from_hours(24 * i64::try_from(day).unwrap())).unwrap();
            backups.push(made(now, day + 1));
            let plan = plan(&backups, &config, now.checked_add(5.minutes()).unwrap());
            for index in plan.gone.iter().rev() {
                backups.remove(*index);
            }
            assert_eq!(backups.last().unwrap().started_at, now);
            // Every second of the window is behind a backup that is there.
            let begin = now.checked_sub(SignedDuration::from_hours(24 * 30)).unwrap().max(first);
            assert!(backups.iter().any(|kept| kept.started_at <= begin), "day {day}");
        }
        assert_eq!(now.to_string(), "2026-12-26T02:30:00Z");
        let days: Vec<String> = backups.iter().map(|kept| kept.started_at.to_string()[..10].to_owned()).collect();
        assert_eq!(
            days,
            [
                "2026-01-31",
                "2026-02-28",
                "2026-03-31",
                "2026-04-30",
                "2026-05-31",
                "2026-06-30",
                "2026-07-31",
                "2026-08-31",
                "2026-09-30",
                "2026-10-31", // months
                // November, and weeks. The window begins on the 26th of November: it is restored from that of October.
                "2026-11-30",
                "2026-12-06",
                "2026-12-13",
                "2026-12-20",
                "2026-12-21",
                "2026-12-22",
                "2026-12-23",
                "2026-12-24",
                "2026-12-25",
                "2026-12-26",
            ]
        );
    }

    #[test]
    fn nothing_is_taken_from_one_backup_alone() {
        let old: Timestamp = "2020-01-01T00:00:00Z".parse().unwrap();
        let now: Timestamp = "2026-01-01T00:00:00Z".parse().unwrap();
        let config = BackupConfig { keep_daily: 1, keep_weekly: 0, keep_monthly: 0, window_days: 0, ..BackupConfig::default() };
        assert_eq!(plan(&[made(old, 1)], &config, now).gone, [0; 0]);
        assert_eq!(plan(&[], &config, now), Plan { gone: vec![], log_since: None });
    }

    #[test]
    fn pieces_stay_that_a_kept_backup_needs() {
        let (old, new) = (made(Timestamp::UNIX_EPOCH, 1), made(Timestamp::UNIX_EPOCH, 5));
        let kept = [&old, &new];
        let since = log_pieces::name(1, 50);
        let answers: Vec<bool> = [9, 10, 11, 12, 49, 50, 60].map(|number| needs(&log_pieces::name(1, number), &kept, &since)).into();
        assert_eq!(answers, [false, true, true, false, false, true, true]);
        assert!(needs("00000002.history", &kept, &since));
        assert!(needs(&log_pieces::name(2, 60), &kept, &since));
    }
}
