//! The settings of the portal for companies' customers.
//!
//! Invariant: a session of the portal has an end, whatever the customer does.

use serde::{Deserialize, Serialize};

use crate::config::Fault;

/// The settings of the portal for companies' customers.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct PortalConfig {
    /// Whether customers sign in at all.
    pub enabled: bool,
    /// How long a link to the portal is good.
    pub link_seconds: u32,
    /// How long a session of a customer lasts.
    pub session_seconds: u32,
    /// How many sessions a customer has at the same time; the oldest makes room.
    pub sessions_max: u32,
}

impl Default for PortalConfig {
    fn default() -> Self {
        Self { enabled: true, link_seconds: 3600, session_seconds: 30 * 24 * 3600, sessions_max: 10 }
    }
}

impl PortalConfig {
    pub(crate) fn faults(&self) -> [(bool, Fault); 3] {
        [
            (!(60..=604_800).contains(&self.link_seconds), ("portal.link_seconds", "60 to 604800")),
            (!(300..=31_536_000).contains(&self.session_seconds), ("portal.session_seconds", "300 to 31536000")),
            (!(1..=1000).contains(&self.sessions_max), ("portal.sessions_max", "1 to 1000")),
        ]
    }
}
