//! What can be set about uploads that come in parts.
//!
//! Invariant: every limit of this module has its name here; a unit stands last in the name.

use serde::{Deserialize, Serialize};

/// The settings of uploads in parts.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct PartsConfig {
    /// Hours after which an upload that did not come to its end is forgotten.
    pub expiry_hours: u32,
    /// Bytes after which what came is made safe: no more are lost when the server dies.
    pub safe_bytes: u64,
    /// Parts of one upload.
    pub count_max: u64,
    /// Uploads of one person or key that are not at their end.
    pub open_max: u32,
    /// Bytes of all of them together that have come.
    pub open_bytes_max: u64,
}

impl Default for PartsConfig {
    fn default() -> Self {
        Self { expiry_hours: 168, safe_bytes: 16_777_216, count_max: 10_000, open_max: 1_000, open_bytes_max: 107_374_182_400 }
    }
}

impl PartsConfig {
    /// Returns the settings that are impossible, each with what is allowed.
    pub fn faults(&self) -> Vec<(&'static str, &'static str)> {
        [
            (!(1..=8_760).contains(&self.expiry_hours), "parts.expiry_hours", "1 to 8760"),
            (!(65_536..=1_073_741_824).contains(&self.safe_bytes), "parts.safe_bytes", "65536 to 1073741824"),
            (!(1..=100_000).contains(&self.count_max), "parts.count_max", "1 to 100000"),
            (!(1..=1_000_000).contains(&self.open_max), "parts.open_max", "1 to 1000000"),
            (self.open_bytes_max < 1_048_576, "parts.open_bytes_max", "1048576 and more"),
        ]
        .into_iter()
        .filter_map(|(impossible, key, allowed)| impossible.then_some((key, allowed)))
        .collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_defaults_are_possible() {
        assert_eq!(PartsConfig::default().faults(), []);
        let config = PartsConfig { expiry_hours: 0, ..PartsConfig::default() };
        assert_eq!(config.faults(), [("parts.expiry_hours", "1 to 8760")]);
    }
}
