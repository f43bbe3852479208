//! What companies and other programs tell each other, webhooks out and webhooks in, what a company's members are told, what it writes to one
//! of its customers, and what whoever gets messages says to them.
//!
//! Invariant: what goes out was written down in the transaction of the change that it tells of; what comes in is written down before it is
//! answered. Nothing is sent or done inside a transaction that somebody waits for.

pub mod config;
pub mod inbound;
pub mod letters;
pub mod notifications;
pub mod push_key;
mod rendering;
pub mod unsubscribe;
pub mod webhooks;

mod state;

pub use config::MessagingConfig;
pub use inbound::router as inbound_router;
pub use letters::{LETTERS, Mail};
pub use notifications::{Decided, Delivery, NotificationConfig};
pub use push_key::router as push_router;
pub use state::{Messaging, MessagingOptions, Vault};
pub use unsubscribe::router as unsubscribe_router;
pub use webhooks::{Pass, router};
