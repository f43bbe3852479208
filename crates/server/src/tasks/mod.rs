//! The kinds of background work that a server does.
//!
//! Invariant: a kind is one file; what is not listed here is done by nobody.

mod notifications;
mod refresh_reports;
mod send_message;

use messaging::Messaging;
use queue::Kinds;

use notifications::{DeliverNotification, NotifyDue, SendDigests};
use refresh_reports::RefreshReports;
pub(crate) use send_message::Desk;
use send_message::{SendEmail, SendSms};

/// Returns all kinds.
pub(crate) fn kinds(desk: Desk, messaging: &Messaging) -> Kinds {
    Kinds::default()
        .with(RefreshReports)
        .with(SendEmail(desk.clone()))
        .with(SendSms(desk))
        .with(DeliverNotification(messaging.clone()))
        .with(SendDigests(messaging.clone()))
        .with(NotifyDue(messaging.clone()))
}
