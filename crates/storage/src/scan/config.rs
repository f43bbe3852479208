//! What can be set about looking for viruses.
//!
//! Invariant: every limit of this module has its name here; a unit stands last in the name.

use serde::{Deserialize, Serialize};

/// What becomes of files when the scanner is away.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Away {
    /// They are refused (503) until it is back.
    Refuse,
    /// They are taken, and looked at when it is back. A file of which it says nothing clear while it is there is refused all the same.
    Pass,
}

/// The settings of the scanner.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct ScanConfig {
    /// Where clamd is, such as `tcp://127.0.0.1:3310` or `unix:///run/clamav/clamd.ctl`. Without it nothing is looked at.
    pub address: Option<String>,
    /// Milliseconds in which a connection must be there.
    pub connect_time_ms: u64,
    /// Seconds that looking at one file may take.
    pub time_s: u64,
    /// Bytes of a file that is looked at; a larger one is taken without. clamd must take as many (`StreamMaxLength`).
    pub bytes_max: u64,
    /// Files that are looked at at once by one server.
    pub at_once: usize,
    /// What becomes of files when the scanner is away: `refuse` or `pass`.
    pub away: Away,
}

impl Default for ScanConfig {
    fn default() -> Self {
        Self { address: None, connect_time_ms: 2000, time_s: 120, bytes_max: 104_857_600, at_once: 4, away: Away::Refuse }
    }
}

impl ScanConfig {
    /// Returns the settings that are impossible, each with what is allowed.
    pub fn faults(&self) -> Vec<(&'static str, &'static str)> {
        let is_place = |text: &String| super::clamd::Place::read(text).is_some();
        [
            (!self.address.as_ref().is_none_or(is_place), "scan.address", "tcp://host:port or unix:///path"),
            (!(1..=60_000).contains(&self.connect_time_ms), "scan.connect_time_ms", "1 to 60000"),
            (!(1..=3600).contains(&self.time_s), "scan.time_s", "1 to 3600"),
            (!(1..=4_294_967_295).contains(&self.bytes_max), "scan.bytes_max", "1 to 4294967295"),
            (!(1..=1000).contains(&self.at_once), "scan.at_once", "1 to 1000"),
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
    fn an_address_says_how_to_get_there() {
        assert_eq!(ScanConfig::default().faults(), []);
        for (address, is_good) in [
            ("tcp://127.0.0.1:3310", true),
            ("tcp://[::1]:3310", true),
            ("unix:///run/clamav/clamd.ctl", true),
            ("unix://run/clamd.ctl", false),
            ("tcp://127.0.0.1", false),
            ("127.0.0.1:3310", false),
            ("http://127.0.0.1:3310", false),
        ] {
            let config = ScanConfig { address: Some(address.into()), ..ScanConfig::default() };
            assert_eq!(config.faults().is_empty(), is_good, "{address}");
        }
    }
}
