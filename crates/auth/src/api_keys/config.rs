//! The settings of companies' API keys.
//!
//! Invariant: whatever a member asks for is bounded by one of these or by a check of the table.

use serde::{Deserialize, Serialize};

use crate::config::Fault;

/// The settings of companies' API keys.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct ApiKeyConfig {
    /// How many keys of a company work at the same time.
    pub per_company_max: u32,
    /// How often a key works in a minute, on all servers together, where it has no number of its own.
    pub requests_per_minute: u32,
    /// For how long a key that was rotated works on, where nothing else is asked for.
    pub overlap_seconds: u32,
    /// How many keys a server counts at the same time; one that it forgets is looked up again.
    pub counted_max: u32,
}

impl Default for ApiKeyConfig {
    fn default() -> Self {
        Self { per_company_max: 100, requests_per_minute: 600, overlap_seconds: 24 * 3600, counted_max: 100_000 }
    }
}

impl ApiKeyConfig {
    pub(crate) fn faults(&self) -> [(bool, Fault); 4] {
        [
            (!(1..=10_000).contains(&self.per_company_max), ("api_keys.per_company_max", "1 to 10000")),
            (!(1..=100_000).contains(&self.requests_per_minute), ("api_keys.requests_per_minute", "1 to 100000")),
            (self.overlap_seconds > super::OVERLAP_SECONDS_MAX, ("api_keys.overlap_seconds", "0 to 2592000")),
            (!(100..=10_000_000).contains(&self.counted_max), ("api_keys.counted_max", "100 to 10000000")),
        ]
    }
}
