//! What can be set about signing in without an address of one's own here: as nobody in particular, or with an account elsewhere.
//!
//! Invariant: everything here is off until an operator turns it on.

use serde::{Deserialize, Serialize};

type Line = (bool, &'static str, &'static str);

/// The settings of accounts without an address or number.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct AnonymousConfig {
    /// Whether somebody may sign in without an address or number, to name one later or never.
    pub enabled: bool,
    /// How many such accounts one address of the network may make in an hour.
    pub client_hour_max: u32,
}

/// The settings of signing in with an account at a provider, and of the codes that applications exchange for a session.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct ExternalConfig {
    /// How long the code is good that an application exchanges for a session.
    pub code_seconds: u32,
}

impl AnonymousConfig {
    pub(crate) fn faults(&self) -> [Line; 1] {
        [(!(1..=1_000_000).contains(&self.client_hour_max), "anonymous.client_hour_max", "1 to 1000000")]
    }
}

impl ExternalConfig {
    pub(crate) fn faults(&self) -> Vec<Line> {
        vec![(!(30..=3600).contains(&self.code_seconds), "external.code_seconds", "30 to 3600")]
    }
}

impl Default for AnonymousConfig {
    fn default() -> Self {
        Self { enabled: false, client_hour_max: 30 }
    }
}

impl Default for ExternalConfig {
    fn default() -> Self {
        Self { code_seconds: 300 }
    }
}
