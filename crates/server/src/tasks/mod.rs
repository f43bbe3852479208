//! The kinds of background work that a server does.
//!
//! Invariant: a kind is one file; what is not listed here is done by nobody.

mod refresh_reports;
mod send_message;

use queue::Kinds;
use transfers::Transfers;

use refresh_reports::RefreshReports;
pub(crate) use send_message::Desk;
use send_message::{SendEmail, SendSms};

/// Returns all kinds.
pub(crate) fn kinds(desk: Desk, transfers: &Transfers) -> Kinds {
    let kinds = Kinds::default().with(RefreshReports).with(SendEmail(desk.clone())).with(SendSms(desk));
    transfers::kinds(kinds, transfers)
}
