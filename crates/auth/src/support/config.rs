//! What can be set about support that works in a company.

use serde::{Deserialize, Serialize};

/// The settings of support.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct SupportConfig {
    /// How long support works in a company unless it asks for another time.
    pub session_minutes: u32,
    /// The longest time it may ask for.
    pub session_minutes_max: u32,
}

impl SupportConfig {
    pub(crate) fn faults(&self) -> [(bool, &'static str, &'static str); 2] {
        [
            (!(1..=480).contains(&self.session_minutes_max), "support.session_minutes_max", "1 to 480"),
            (!(1..=self.session_minutes_max).contains(&self.session_minutes), "support.session_minutes", "1 to session_minutes_max"),
        ]
    }
}

impl Default for SupportConfig {
    fn default() -> Self {
        Self { session_minutes: 30, session_minutes_max: 60 }
    }
}
