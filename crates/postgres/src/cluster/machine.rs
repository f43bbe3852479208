//! How much memory and how many cores there are for the cluster.
//!
//! Invariant: a limit of the control group that we run in counts, not only what the hardware has; else a container's PostgreSQL
//! would be sized for the whole host and killed for it.

use std::fs;
use std::num::NonZeroUsize;
use std::thread;

use super::tuning::Machine;

/// What is assumed where nothing can be read.
const MEMORY_DEFAULT_BYTES: u64 = 1 << 30;

/// Looks at this machine and takes a share of its memory.
pub(super) fn look(memory_share_percent: u32) -> Machine {
    let total = fs::read_to_string("/proc/meminfo").ok().and_then(|text| meminfo_total(&text)).unwrap_or(MEMORY_DEFAULT_BYTES);
    let limit = ["/sys/fs/cgroup/memory.max", "/sys/fs/cgroup/memory/memory.limit_in_bytes"]
        .iter()
        .find_map(|path| fs::read_to_string(path).ok()?.trim().parse::<u64>().ok());
    let memory = limit.map_or(total, |limit| limit.min(total));
    let cores = thread::available_parallelism().map_or(1, NonZeroUsize::get);
    Machine { memory_bytes: memory / 100 * u64::from(memory_share_percent.clamp(1, 100)), cores: u64::try_from(cores).unwrap_or(1) }
}

/// Reads the line `MemTotal:       24102708 kB`.
fn meminfo_total(text: &str) -> Option<u64> {
    let line = text.lines().find_map(|line| line.strip_prefix("MemTotal:"))?;
    line.trim().strip_suffix("kB")?.trim().parse::<u64>().ok()?.checked_mul(1024)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn reads_the_total() {
        assert_eq!(meminfo_total("MemTotal:        2048 kB\nMemFree:  1 kB\n"), Some(2_097_152));
        assert_eq!(meminfo_total("MemFree:  1 kB\n"), None);
    }

    #[test]
    fn a_share_is_a_share() {
        let (all, quarter) = (look(100), look(25));
        assert!(all.memory_bytes / 4 >= quarter.memory_bytes && quarter.memory_bytes > all.memory_bytes / 5, "{all:?} {quarter:?}");
        assert!(all.cores >= 1);
    }
}
