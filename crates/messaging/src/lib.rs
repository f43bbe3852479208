//! What companies and other programs tell each other, webhooks out and webhooks in, and what a company's members are told.
//!
//! Invariant: what goes out was written down in the transaction of the change that it tells of; what comes in is written down before it is
//! answered. Nothing is sent or done inside a transaction that somebody waits for.

pub mod config;
pub mod inbound;
pub mod notifications;
pub mod webhooks;

mod state;

pub use config::MessagingConfig;
pub use inbound::router as inbound_router;
pub use notifications::{Decided, Delivery, NotificationConfig};
pub use state::{Messaging, MessagingOptions, Vault};
pub use webhooks::{Pass, router};
