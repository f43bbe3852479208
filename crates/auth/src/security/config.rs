//! What can be set about the history of accounts.

use serde::{Deserialize, Serialize};

/// The settings of the history of accounts.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct SecurityConfig {
    /// How long sign-ins, failed ones and changes of an account are kept.
    pub history_days: u32,
}

impl SecurityConfig {
    pub(crate) fn faults(&self) -> [(bool, &'static str, &'static str); 1] {
        [(!(7..=3650).contains(&self.history_days), "security.history_days", "7 to 3650")]
    }
}

impl Default for SecurityConfig {
    fn default() -> Self {
        Self { history_days: 400 }
    }
}
