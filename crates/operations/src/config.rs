//! What can be set about backups.
//!
//! Invariant: every limit of this crate has its name here; a unit stands last in the name.

use std::path::PathBuf;

use jiff::civil::{Time, Weekday};
use kernel::Secret;
use serde::{Deserialize, Serialize};

/// The settings of backups.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct BackupConfig {
    /// Whether the server makes backups by itself. Of a private cluster the log of changes is kept, too.
    pub enabled: bool,
    /// The folder that they go to; `backups` in the data folder if not set, which is lost with that disk.
    pub directory: Option<PathBuf>,
    /// A store that speaks S3, instead of a folder.
    pub s3: S3Config,
    /// The file of the recovery key, mode 0600; `secrets/recovery_key` in the data folder if not set. It is made where there is none.
    pub recovery_key_file: Option<PathBuf>,
    /// When the daily backup begins, in UTC, such as `02:30`.
    pub daily_at: String,
    /// Whether a start that is to change the schema names a moment to come back to before it does. If that fails, so does the start.
    pub before_upgrade: bool,
    /// Seconds that a backup waits for its turn while another one of the same data folder is made.
    pub turn_time_s: u64,
    /// Seconds after the start in which a server that has no backup yet makes its first.
    pub first_after_s: u64,
    /// Days of which the newest backup is kept.
    pub keep_daily: u32,
    /// Weeks of which the newest backup is kept.
    pub keep_weekly: u32,
    /// Months of which the newest backup is kept.
    pub keep_monthly: u32,
    /// Days back to whose every second a private cluster can be restored.
    pub window_days: u32,
    /// Seconds after which a piece of the log is kept although it is not full: what a lost machine loses at most, with `ship_interval_ms`.
    pub log_piece_s: u32,
    /// Milliseconds between two looks for pieces of the log that are to be kept.
    pub ship_interval_ms: u64,
    /// Bytes of pieces of the log that wait for a store that cannot be reached. Over it the oldest are given up, which is told, and the
    /// next backup begins at once.
    pub waiting_bytes_max: u64,
    /// Seconds between two looks for new files of companies.
    pub files_interval_s: u64,
    /// Bytes of one part, before sealing.
    pub part_bytes: usize,
    /// How hard to compress, 1 to 19.
    pub compression_level: i32,
    /// Parts that are read at a time by a restore.
    pub reads_at_once: usize,
    /// Seconds between two dumps that servers make by themselves of the database of `database.url`; 0 makes none. They go to `directory`
    /// or `s3`, one of which has to be set for that.
    pub dump_interval_s: u64,
    /// Seconds that a dump of the database of `database.url` may take, and one count of it.
    pub dump_time_s: u64,
    /// Seconds that a restore may take, from the first byte to a database that answers.
    pub restore_time_s: u64,
    /// Whether restoring is practised by itself.
    pub drill: bool,
    /// The day of the drill, such as `sunday`.
    pub drill_day: String,
    /// When the drill begins, in UTC.
    pub drill_at: String,
}

/// A store that speaks S3.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct S3Config {
    /// Its address, such as `https://s3.eu-central-1.amazonaws.com`. With it backups go there.
    pub endpoint: Option<String>,
    /// Its region.
    pub region: String,
    /// The bucket, which is there.
    pub bucket: String,
    /// What all names begin with.
    pub prefix: String,
    /// Whether the bucket stands in the path and not in the host's name.
    pub path_style: bool,
    /// Who asks.
    pub access_key: Option<Secret<String>>,
    /// What he proves it with.
    pub secret_key: Option<Secret<String>>,
    /// Seconds that one request may take.
    pub request_time_s: u64,
    /// How often a request is tried that was refused for the moment.
    pub tries: u32,
}

impl Default for BackupConfig {
    fn default() -> Self {
        Self {
            enabled: true,
            directory: None,
            s3: S3Config::default(),
            recovery_key_file: None,
            daily_at: "02:30".to_owned(),
            before_upgrade: true,
            turn_time_s: 60,
            first_after_s: 60,
            keep_daily: 7,
            keep_weekly: 4,
            keep_monthly: 12,
            window_days: 30,
            log_piece_s: 45,
            ship_interval_ms: 2000,
            waiting_bytes_max: 17_179_869_184,
            files_interval_s: 3600,
            part_bytes: 33_554_432,
            compression_level: 3,
            reads_at_once: 4,
            dump_interval_s: 86_400,
            dump_time_s: 21_600,
            restore_time_s: 21_600,
            drill: true,
            drill_day: "sunday".to_owned(),
            drill_at: "04:00".to_owned(),
        }
    }
}

impl Default for S3Config {
    fn default() -> Self {
        Self {
            endpoint: None,
            region: "us-east-1".to_owned(),
            bucket: String::new(),
            prefix: String::new(),
            path_style: true,
            access_key: None,
            secret_key: None,
            request_time_s: 120,
            tries: 5,
        }
    }
}

impl BackupConfig {
    /// Tells whether a place is named that is not the data folder, which each server has for itself.
    pub fn has_place(&self) -> bool {
        self.directory.is_some() || self.s3.endpoint.is_some()
    }

    /// Returns for how many days at most a backup stays; nothing where none is made.
    pub fn kept_days(&self) -> Option<u32> {
        let (weeks, months) = (self.keep_weekly.saturating_mul(7), self.keep_monthly.saturating_mul(31));
        // One that is the newest before the window stays a while longer: until the next is that.
        let days = self.keep_daily.max(weeks).max(months).max(self.window_days.saturating_add(1));
        self.enabled.then_some(days)
    }

    /// Returns the settings that are impossible, each with what is allowed.
    pub fn faults(&self) -> Vec<(&'static str, &'static str)> {
        let relative = |path: &Option<PathBuf>| path.as_ref().is_some_and(|path| !path.is_absolute());
        let s3 = &self.s3;
        let is_url = |text: &String| url::Url::parse(text).is_ok_and(|url| matches!(url.scheme(), "http" | "https"));
        [
            (relative(&self.directory), "directory", "an absolute path"),
            (relative(&self.recovery_key_file), "recovery_key_file", "an absolute path"),
            (time(&self.daily_at).is_none(), "daily_at", "a time such as 02:30"),
            (time(&self.drill_at).is_none(), "drill_at", "a time such as 04:00"),
            (weekday(&self.drill_day).is_none(), "drill_day", "monday to sunday"),
            (self.turn_time_s > 86_400, "turn_time_s", "0 to 86400"),
            (self.first_after_s > 86_400, "first_after_s", "0 to 86400"),
            (!(1..=366).contains(&self.keep_daily), "keep_daily", "1 to 366"),
            (self.keep_weekly > 520, "keep_weekly", "0 to 520"),
            (self.keep_monthly > 120, "keep_monthly", "0 to 120"),
            (self.window_days > 366, "window_days", "0 to 366"),
            (!(1..=3600).contains(&self.log_piece_s), "log_piece_s", "1 to 3600"),
            (!(50..=60_000).contains(&self.ship_interval_ms), "ship_interval_ms", "50 to 60000"),
            (self.waiting_bytes_max < 67_108_864, "waiting_bytes_max", "67108864 or more"),
            (!(1..=604_800).contains(&self.files_interval_s), "files_interval_s", "1 to 604800"),
            (!(65_536..=268_435_456).contains(&self.part_bytes), "part_bytes", "65536 to 268435456"),
            (!(1..=19).contains(&self.compression_level), "compression_level", "1 to 19"),
            (!(1..=64).contains(&self.reads_at_once), "reads_at_once", "1 to 64"),
            (self.dump_interval_s != 0 && !(5..=2_678_400).contains(&self.dump_interval_s), "dump_interval_s", "0, or 5 to 2678400"),
            (!(10..=604_800).contains(&self.dump_time_s), "dump_time_s", "10 to 604800"),
            (!(10..=604_800).contains(&self.restore_time_s), "restore_time_s", "10 to 604800"),
            (!s3.endpoint.as_ref().is_none_or(is_url), "s3.endpoint", "an http or https URL"),
            (s3.endpoint.is_some() && s3.bucket.is_empty(), "s3.bucket", "the name of a bucket"),
            (s3.access_key.is_some() != s3.secret_key.is_some(), "s3.secret_key", "both keys or none"),
            (!(1..=3600).contains(&s3.request_time_s), "s3.request_time_s", "1 to 3600"),
            (!(1..=20).contains(&s3.tries), "s3.tries", "1 to 20"),
        ]
        .into_iter()
        .filter_map(|(impossible, key, allowed)| impossible.then_some((key, allowed)))
        .collect()
    }
}

/// Reads `02:30`.
pub(crate) fn time(text: &str) -> Option<Time> {
    let (hour, minute) = text.split_once(':')?;
    Time::new(hour.parse().ok()?, minute.parse().ok()?, 0, 0).ok()
}

/// Reads `sunday`.
pub(crate) fn weekday(text: &str) -> Option<Weekday> {
    Some(match text {
        "monday" => Weekday::Monday,
        "tuesday" => Weekday::Tuesday,
        "wednesday" => Weekday::Wednesday,
        "thursday" => Weekday::Thursday,
        "friday" => Weekday::Friday,
        "saturday" => Weekday::Saturday,
        "sunday" => Weekday::Sunday,
        _ => return None,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_impossible_is_named() {
        assert_eq!(BackupConfig::default().faults(), []);
        let wrong =
            BackupConfig { daily_at: "25:00".into(), drill_day: "someday".into(), directory: Some("b".into()), ..Default::default() };
        let named: Vec<_> = wrong.faults().into_iter().map(|(key, _)| key).collect();
        assert_eq!(named, ["directory", "daily_at", "drill_day"]);
    }
}
