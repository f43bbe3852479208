//! What the operator sees and is told: alerts by rules that are rows, and what servers notice of themselves.
//!
//! Invariant: nothing that is told holds a secret or says more of a person than an id; whoever cannot be told holds up neither the
//! requests that are served nor the others who are told.

pub mod alerts;
pub mod config;
mod fields;
pub mod log_file;
pub mod otlp;
pub mod sentry;
pub mod signals;

pub use alerts::{Alerts, AlertsOptions};
pub use config::{AlertsConfig, LogFileConfig, SentryConfig};
pub use log_file::LogFile;
pub use otlp::{Otlp, OtlpConfig};
pub use sentry::Sentry;
pub use signals::Signals;
