//! The server: configuration, start and stop, the edge, and every mount on one page.
//!
//! Invariant: nothing imports this crate; it wires the floors below and holds no rule of the business.

mod acme;
pub mod alone;
mod backend;
mod backups;
pub mod cli;
pub mod config;
pub mod edge;
mod health;
mod logging;
mod maintenance;
mod metrics;
mod middleware;
mod router;
mod smoke;
mod start;
mod tasks;
pub mod version;
mod watched;

pub use acme::AcmeError;
pub use start::{DemoLogin, FolderError, RunningServer, StartError, start};
