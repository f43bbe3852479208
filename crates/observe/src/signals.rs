//! What a server counts of itself between two looks, and how much room its disk has.
//!
//! Invariant: counting costs an addition; what was counted is taken once, and given back where it could not be noted.

use std::path::Path;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use serde_json::{Map, Value, json};

/// A request that takes longer is slow.
pub const SLOW: Duration = Duration::from_secs(5);

/// Counts of one server.
#[derive(Debug, Default)]
pub struct Signals {
    errors: AtomicU64,
    slow: AtomicU64,
}

/// What was counted since the last time.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub struct Counted {
    errors: u64,
    slow: u64,
}

impl Signals {
    /// Counts an answered request.
    pub fn note_request(&self, status: u16, taken: Duration) {
        // 501 says that something is not offered: a caller would have the operator woken up by asking for it.
        if status >= 500 && status != 501 {
            self.errors.fetch_add(1, Ordering::Relaxed);
        }
        if taken > SLOW {
            self.slow.fetch_add(1, Ordering::Relaxed);
        }
    }

    /// Takes what was counted.
    pub(crate) fn take(&self) -> Counted {
        Counted { errors: self.errors.swap(0, Ordering::Relaxed), slow: self.slow.swap(0, Ordering::Relaxed) }
    }

    /// Gives back what could not be noted.
    pub(crate) fn give_back(&self, counted: Counted) {
        self.errors.fetch_add(counted.errors, Ordering::Relaxed);
        self.slow.fetch_add(counted.slow, Ordering::Relaxed);
    }
}

impl Counted {
    /// Returns it as rules know it; what is nothing is left out.
    pub(crate) fn named(self) -> Map<String, Value> {
        let counts = [("request_errors", self.errors), ("slow_requests", self.slow)];
        counts.into_iter().filter(|(_, count)| *count > 0).map(|(name, count)| (name.to_owned(), json!(count))).collect()
    }
}

/// Returns the bytes that are free for everybody on the disk of a folder, and how many percent of it they are.
pub(crate) fn disk(folder: &Path) -> Option<(f64, f64)> {
    let stat = nix::sys::statvfs::statvfs(folder).ok()?;
    let size = u32::try_from(stat.fragment_size()).map(f64::from).ok()?;
    let blocks = |count: u64| count.to_string().parse::<f64>().ok();
    let (free, all) = (blocks(stat.blocks_available())?, blocks(stat.blocks())?);
    (all > 0.0).then_some((free * size, free * 100.0 / all))
}

/// Returns the value of a number without labels in Prometheus' text form.
pub(crate) fn gauge(text: &str, name: &str) -> Option<f64> {
    let value = text.lines().find_map(|line| line.strip_prefix(name)?.strip_prefix(' '))?;
    value.trim().parse().ok().filter(|value: &f64| value.is_finite())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_was_counted_is_taken_once_and_can_be_given_back() {
        let signals = Signals::default();
        signals.note_request(500, Duration::from_millis(5));
        signals.note_request(503, Duration::from_secs(6));
        signals.note_request(499, SLOW);
        signals.note_request(501, SLOW);
        let counted = signals.take();
        assert_eq!(Value::Object(counted.named()), json!({ "request_errors": 2, "slow_requests": 1 }));
        assert_eq!(signals.take(), Counted::default());
        signals.give_back(counted);
        assert_eq!(signals.take(), counted);
    }

    #[test]
    fn a_number_is_found_by_its_whole_name() {
        let text = "# TYPE a gauge\na_b 3\na{x=\"y\"} 4\na 2.5\nbad NaN\n";
        assert_eq!((gauge(text, "a"), gauge(text, "a_b"), gauge(text, "bad"), gauge(text, "c")), (Some(2.5), Some(3.0), None, None));
    }

    #[test]
    fn the_disk_of_a_folder_has_room() {
        let (free, percent) = disk(Path::new("/")).unwrap();
        assert!(free > 0.0 && (0.0..=100.0).contains(&percent), "{free} {percent}");
        assert_eq!(disk(Path::new("/nowhere/at/all")), None);
    }
}
