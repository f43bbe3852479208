//! The kinds of background work that a server does.
//!
//! Invariant: a kind is one file; what is not listed here is done by nobody.

mod refresh_reports;

use queue::Kinds;

pub(crate) use refresh_reports::RefreshReports;

/// Returns all kinds.
pub(crate) fn kinds() -> Kinds {
    Kinds::default().with(RefreshReports)
}
