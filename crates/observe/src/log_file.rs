//! Log lines in files of a bounded size, number and age.
//!
//! Invariant: the newest file has the name that was said, older ones `.1`, `.2` and so on; all together they take no more room than the
//! settings say. A line is written whole. What cannot be written is lost, and nobody waits for it.

use std::fs::{File, OpenOptions};
use std::io::{self, Write};
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};
use std::time::{Duration, SystemTime};

use crate::config::LogFileConfig;

/// Writes lines, and begins another file when one is full or a day old.
#[derive(Debug)]
pub struct LogFile {
    path: PathBuf,
    bytes_max: u64,
    files_max: u32,
    age_max: Duration,
    file: File,
    bytes: u64,
    begun: SystemTime,
}

/// A file is no older when it is put aside, so that its age says something of its lines.
const DAY: Duration = Duration::from_hours(24);

impl LogFile {
    /// Opens the file that the settings name, and goes on where it ends; nothing if they name none.
    pub fn open(config: &LogFileConfig) -> io::Result<Option<Self>> {
        let Some(path) = config.path.clone() else { return Ok(None) };
        let file = appended(&path)?;
        let about = file.metadata()?;
        let begun = about.created().or_else(|_unknown| about.modified()).unwrap_or_else(|_unknown| SystemTime::now());
        let age_max = DAY.saturating_mul(config.days_max);
        let mut log = Self { path, bytes_max: config.bytes_max, files_max: config.files_max, age_max, bytes: about.len(), file, begun };
        log.forget();
        Ok(Some(log))
    }

    fn turn(&mut self) -> io::Result<()> {
        for number in (1..self.files_max.saturating_sub(1)).rev() {
            let from = numbered(&self.path, number);
            if from.try_exists()? {
                std::fs::rename(from, numbered(&self.path, number + 1))?;
            }
        }
        if self.files_max > 1 {
            std::fs::rename(&self.path, numbered(&self.path, 1))?;
        } else {
            std::fs::remove_file(&self.path)?;
        }
        self.file = appended(&self.path)?;
        self.bytes = 0;
        self.begun = SystemTime::now();
        self.forget();
        Ok(())
    }

    /// Takes files away that are too old, or more than there may be.
    fn forget(&mut self) {
        for number in 1..=1000 {
            let path = numbered(&self.path, number);
            let Ok(about) = std::fs::metadata(&path) else { continue };
            let is_old = about.modified().is_ok_and(|at| at.elapsed().is_ok_and(|age| age > self.age_max));
            if is_old || number >= self.files_max {
                // The next turn tries again.
                let _gone = std::fs::remove_file(&path).is_ok();
            }
        }
    }
}

impl Write for LogFile {
    fn write(&mut self, line: &[u8]) -> io::Result<usize> {
        let length = u64::try_from(line.len()).unwrap_or(u64::MAX);
        let is_full = self.bytes > 0 && self.bytes.saturating_add(length) > self.bytes_max;
        if is_full || self.begun.elapsed().is_ok_and(|age| age > DAY) {
            self.turn()?;
        }
        self.file.write_all(line)?;
        self.bytes = self.bytes.saturating_add(length);
        Ok(line.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        self.file.flush()
    }
}

fn appended(path: &Path) -> io::Result<File> {
    OpenOptions::new().create(true).append(true).mode(0o600).open(path)
}

fn numbered(path: &Path, number: u32) -> PathBuf {
    let mut name = path.as_os_str().to_owned();
    name.push(format!(".{number}"));
    name.into()
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::PermissionsExt;

    use super::*;

    fn lines(folder: &Path, name: &str) -> Option<String> {
        std::fs::read_to_string(folder.join(name)).ok()
    }

    #[test]
    fn files_take_no_more_room_than_they_may() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("log");
        let config = LogFileConfig { path: Some(path.clone()), bytes_max: 10, files_max: 3, days_max: 7 };
        let mut log = LogFile::open(&config).unwrap().unwrap();
        for line in ["one..\n", "two\n", "three.\n", "four..\n", "five..\n"] {
            log.write_all(line.as_bytes()).unwrap();
        }
        let at = |name| lines(folder.path(), name);
        assert_eq!(
            (at("log"), at("log.1"), at("log.2"), at("log.3")),
            (Some("five..\n".into()), Some("four..\n".into()), Some("three.\n".into()), None)
        );
        assert_eq!(std::fs::metadata(&path).unwrap().permissions().mode() & 0o777, 0o600);
        // A restart goes on where the last one ended, with fewer files if there may be fewer.
        drop(log);
        let config = LogFileConfig { files_max: 2, ..config };
        let mut log = LogFile::open(&config).unwrap().unwrap();
        log.write_all(b"6\n").unwrap();
        assert_eq!((at("log"), at("log.1"), at("log.2")), (Some("five..\n6\n".into()), Some("four..\n".into()), None));
    }

    #[test]
    fn what_is_too_old_goes() {
        let folder = tempfile::tempdir().unwrap();
        let old = folder.path().join("log.1");
        std::fs::write(&old, "old").unwrap();
        File::options().write(true).open(&old).unwrap().set_modified(SystemTime::now() - DAY * 8).unwrap();
        let config = LogFileConfig { path: Some(folder.path().join("log")), days_max: 7, ..LogFileConfig::default() };
        LogFile::open(&config).unwrap().unwrap();
        assert!(!old.try_exists().unwrap());
    }
}
