//! What can be set about archives of companies.
//!
//! Invariant: every limit of this crate has its name here; a unit stands last in the name.

use serde::{Deserialize, Serialize};

/// The settings of archives of companies.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct ArchiveConfig {
    /// How hard to compress, 1 to 19.
    pub compression_level: i32,
    /// Bytes of rows that are gathered before they are written; a single row may be longer.
    pub chunk_bytes: usize,
    /// Bytes of one chunk of rows that an import reads into memory.
    pub chunk_bytes_max: u64,
    /// Bytes of the manifest that an import reads.
    pub manifest_bytes_max: u64,
    /// Bytes of one file that an import takes.
    pub file_bytes_max: u64,
    /// Ids that an import with new ids keeps in memory, each 100 bytes or so.
    pub ids_max: usize,
}

impl Default for ArchiveConfig {
    fn default() -> Self {
        Self {
            compression_level: 3,
            chunk_bytes: 4 << 20,
            chunk_bytes_max: 256 << 20,
            manifest_bytes_max: 256 << 20,
            file_bytes_max: 50 << 30,
            ids_max: 20_000_000,
        }
    }
}

impl ArchiveConfig {
    /// Returns the settings that make no sense, each with what is allowed.
    pub fn faults(&self) -> Vec<(&'static str, &'static str)> {
        let rules = [
            ("compression_level", (1..=19).contains(&self.compression_level), "1 to 19"),
            ("chunk_bytes", (65_536..=67_108_864).contains(&self.chunk_bytes), "65536 to 67108864"),
            ("chunk_bytes_max", (1_048_576..=1_073_741_824).contains(&self.chunk_bytes_max), "1048576 to 1073741824"),
            ("manifest_bytes_max", (1_048_576..=1_073_741_824).contains(&self.manifest_bytes_max), "1048576 to 1073741824"),
            ("file_bytes_max", (1_048_576..=5_497_558_138_880).contains(&self.file_bytes_max), "1048576 to 5497558138880"),
            ("ids_max", (1_000..=200_000_000).contains(&self.ids_max), "1000 to 200000000"),
        ];
        rules.into_iter().filter(|(_, is_good, _)| !is_good).map(|(key, _, allowed)| (key, allowed)).collect()
    }
}
