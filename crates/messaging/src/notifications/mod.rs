//! Notifications: members are told of what happens, by the ways that they want, when they may be disturbed.
//!
//! Events are rows that triggers and `app.notify` write beside a change (`db/code/540_notification_topics.sql`, `db/code/543_notify.sql`).
//! After the commit a server plans who is told by which way, writes the texts, and writes both down with the reasons
//! (`db/code/544_notification_rows.sql`). The feed is read at once; the rest is sent by tasks, which ask anew whether they may.

mod config;
mod decide;
mod deliver;
mod rows;
mod texts;

pub use config::NotificationConfig;
pub use decide::Decided;
pub use deliver::Delivery;
pub(crate) use texts::Texts;
