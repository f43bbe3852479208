//! Settings that follow memory and cores, by the rules that pgtune publishes for a mixed workload on solid-state disks.
//!
//! Invariant: pure. The same machine gives the same text, so that a start can tell whether a running cluster already has it.
//! Where we leave pgtune's rules: `max_worker_processes` never falls below PostgreSQL's own default, because decoding and extensions
//! take workers besides parallel queries; and maintenance memory ends at 2 GB, which autovacuum then may use as it is.

/// Connections that the cluster takes; pgtune's number for a mixed workload.
pub(super) const CONNECTIONS_MAX: u64 = 100;

const KB_IN_MB: u64 = 1024;
const KB_IN_GB: u64 = 1024 * KB_IN_MB;
/// `PostgreSQL`'s own defaults, which apply below four cores.
const WORKERS_DEFAULT: u64 = 8;

/// What the settings are made from.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Machine {
    /// Bytes of memory that the cluster may count on.
    pub memory_bytes: u64,
    /// Cores.
    pub cores: u64,
}

/// Returns names and values, as they go into the configuration file.
pub(super) fn settings(machine: Machine) -> Vec<(&'static str, String)> {
    let memory = machine.memory_bytes / 1024;
    let shared_buffers = (memory / 4).max(128 * 8);
    let workers = if machine.cores < 4 { WORKERS_DEFAULT } else { machine.cores.max(WORKERS_DEFAULT) };
    let mut settings = vec![
        ("max_connections", CONNECTIONS_MAX.to_string()),
        ("shared_buffers", kilobytes(shared_buffers)),
        ("effective_cache_size", kilobytes((memory * 3 / 4).max(1024))),
        ("maintenance_work_mem", kilobytes((memory / 16).clamp(1024, 2 * KB_IN_GB))),
        ("work_mem", kilobytes(work_mem(memory, shared_buffers, workers))),
        ("wal_buffers", kilobytes(wal_buffers(shared_buffers))),
        ("huge_pages", if shared_buffers >= 2 * KB_IN_GB { "try" } else { "off" }.to_owned()),
        ("min_wal_size", "1GB".to_owned()),
        ("max_wal_size", "4GB".to_owned()),
        ("checkpoint_completion_target", "0.9".to_owned()),
        ("default_statistics_target", "100".to_owned()),
        ("random_page_cost", "1.1".to_owned()),
        ("effective_io_concurrency", "200".to_owned()),
    ];
    if machine.cores >= 4 {
        let per_query = machine.cores.div_ceil(2).min(4);
        settings.push(("max_worker_processes", workers.to_string()));
        settings.push(("max_parallel_workers", machine.cores.to_string()));
        settings.push(("max_parallel_workers_per_gather", per_query.to_string()));
        settings.push(("max_parallel_maintenance_workers", per_query.to_string()));
    }
    settings
}

/// Every connection and worker may sort or hash three times at once, and half is kept back for what else runs.
fn work_mem(memory: u64, shared_buffers: u64, workers: u64) -> u64 {
    let share = memory.saturating_sub(shared_buffers) / ((CONNECTIONS_MAX + workers) * 3);
    (share / 2).max(4 * KB_IN_MB)
}

/// 3 % of the shared buffers, 16 MB at most, and 16 MB if it would be nearly that.
fn wal_buffers(shared_buffers: u64) -> u64 {
    match shared_buffers * 3 / 100 {
        near if near > 14 * KB_IN_MB => 16 * KB_IN_MB,
        small => small.max(32),
    }
}

/// Writes an amount in the largest unit that holds it exactly.
fn kilobytes(amount: u64) -> String {
    if amount.is_multiple_of(KB_IN_GB) {
        format!("{}GB", amount / KB_IN_GB)
    } else if amount.is_multiple_of(KB_IN_MB) {
        format!("{}MB", amount / KB_IN_MB)
    } else {
        format!("{amount}kB")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const GB: u64 = 1 << 30;

    fn value(machine: Machine, name: &str) -> Option<String> {
        settings(machine).into_iter().find(|(key, _)| *key == name).map(|(_, value)| value)
    }

    fn check(memory_bytes: u64, cores: u64, expected: &[(&str, Option<&str>)]) {
        for (name, wanted) in expected {
            assert_eq!(value(Machine { memory_bytes, cores }, name).as_deref(), *wanted, "{name} with {memory_bytes} bytes, {cores} cores");
        }
    }

    // The expected values were computed by hand from pgtune's rules: (16 GB - 4 GB) / ((100 + 8) * 3) / 2 = 19418 kB of work_mem.
    #[test]
    fn sixteen_gigabytes_and_eight_cores() {
        check(
            16 * GB,
            8,
            &[
                ("max_connections", Some("100")),
                ("shared_buffers", Some("4GB")),
                ("effective_cache_size", Some("12GB")),
                ("maintenance_work_mem", Some("1GB")),
                ("work_mem", Some("19418kB")),
                ("wal_buffers", Some("16MB")),
                ("huge_pages", Some("try")),
                ("max_worker_processes", Some("8")),
                ("max_parallel_workers", Some("8")),
                ("max_parallel_workers_per_gather", Some("4")),
                ("max_parallel_maintenance_workers", Some("4")),
            ],
        );
    }

    #[test]
    fn a_small_machine_keeps_the_defaults_of_parallelism() {
        check(
            GB,
            2,
            &[
                ("shared_buffers", Some("256MB")),
                ("effective_cache_size", Some("768MB")),
                ("maintenance_work_mem", Some("64MB")),
                ("work_mem", Some("4MB")),
                ("wal_buffers", Some("7864kB")),
                ("huge_pages", Some("off")),
                ("max_worker_processes", None),
                ("max_parallel_workers_per_gather", None),
            ],
        );
    }

    #[test]
    fn limits_hold_on_a_large_machine() {
        check(
            256 * GB,
            64,
            &[
                ("shared_buffers", Some("64GB")),
                ("maintenance_work_mem", Some("2GB")),
                ("work_mem", Some("204600kB")),
                ("max_worker_processes", Some("64")),
                ("max_parallel_workers_per_gather", Some("4")),
            ],
        );
    }

    #[test]
    fn four_cores_leave_workers_for_decoding() {
        check(
            8 * GB,
            4,
            &[("max_worker_processes", Some("8")), ("max_parallel_workers", Some("4")), ("max_parallel_workers_per_gather", Some("2"))],
        );
    }

    #[test]
    fn wal_buffers_near_sixteen_megabytes_are_sixteen() {
        check(2 * GB, 2, &[("wal_buffers", Some("16MB"))]);
    }
}
