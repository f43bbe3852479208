//! The vocabulary every other crate speaks: ids, time, errors, and the first links of the chain
//! `Request -> Principal -> Grant -> Tx -> Reply`.
//!
//! Invariant: pure. No runtime, no driver, no environment, no input or output; of HTTP only the types.

mod blobs;
mod changes;
mod clock;
mod error;
mod grant;
mod ids;
mod money;
mod pass;
mod principal;
mod request;
mod secret;
pub mod trace;

pub use blobs::{Blob, BlobFuture, BlobInfo, BlobKey, BlobPrefix, BlobStream, Blobs};
pub use changes::{Cell, Change, ChangeKind, ChangeListener, ChangedColumn, ChangedRows, ChangedTable, FeedEvent, GapCause, Place};
pub use clock::{Clock, SystemClock};
pub use error::{Error, Kind, Result};
pub use grant::{AnyCaller, Can, Capability, Demand, Grant, ServiceOnly, SignedIn};
pub use ids::{CompanyId, SessionId, UserId};
pub use money::{minor_digits, shown_amount};
pub use pass::{Pass, PassKind};
pub use principal::{AssuranceLevel, Authority, Principal, Subject};
pub use request::{AskedAddress, ClientAddress, RequestContext};
pub use secret::Secret;
pub use trace::TraceContext;
