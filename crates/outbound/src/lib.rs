//! What leaves this server. Mail and SMS: what a message says, the outbox it waits in, and who carries it away.
//!
//! Invariant: a message is written in the transaction that is its reason ([`Outbound::put`]), and sent after its commit by whichever
//! server takes it first; what it says is sealed in the table and forgotten when it is sent.
//!
//! A development server keeps messages instead of sending them: [`mailbox`] reads them back.
//!
//! Whoever asks other people's servers something, here or above, does it with [`http`].

pub mod config;
pub mod http;
pub mod mailbox;
pub mod signing;
pub mod templates;

mod addresses;
mod hook;
mod message;
mod outbound;
mod outbox;
mod seal;
mod senders;
mod tls;

pub use config::OutboundConfig;
pub use hook::Hook;
pub use message::{Channel, Message};
pub use outbound::{Asked, Outbound, OutboundOptions, Pass, Posting};
pub use outbox::Limits;
pub use seal::Seal;
