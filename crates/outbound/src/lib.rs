//! What leaves this server. Mail, SMS and messages to devices: what a message says, the outbox it waits in, who carries it away, and who
//! gets none.
//!
//! Invariant: a message is written in the transaction that is its reason ([`Outbound::put`]), and sent after its commit by whichever
//! server takes it first; what it says is sealed in the table and forgotten when it is sent. Every attempt is kept without it.
//!
//! A development server keeps messages instead of sending them: [`mailbox`] reads them back.
//!
//! Whoever asks other people's servers something, here or above, does it with [`http`].

pub mod config;
pub mod follow;
pub mod http;
pub mod mailbox;
pub mod signing;
pub mod templates;
pub mod tls;
pub mod unsubscribe;

mod addresses;
mod attempts;
mod brand;
mod carry;
mod dispatch;
mod hook;
mod message;
mod outbound;
mod outbox;
mod push;
mod seal;
mod senders;

pub use attempts::Suppression;
pub use carry::Sealing;
pub use config::OutboundConfig;
pub use dispatch::{Dispatch, Dispatched, To};
pub use hook::Hook;
pub use message::{Channel, Message, Push, Urgency};
pub use outbound::{Asked, Outbound, OutboundOptions, Pass, Posting};
pub use outbox::Limits;
pub use push::VapidKey;
pub use seal::Seal;
