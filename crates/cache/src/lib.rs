//! What was read from the database and is kept in this process for a while.
//!
//! Invariant: an entry counts only as long as the snapshot that it was read in has every change to its tables; the change feed tells of
//! those, and while it lags, or was interrupted, nothing that is kept counts.

mod config;
mod entries;
mod flights;
mod snapshot;
mod tags;

pub use config::{CacheConfig, KeptFunction};
pub use entries::{Cache, Entry, Found, Key, Reading, Stats, Why};
pub use flights::Flight;
pub use snapshot::Snapshot;
pub use tags::{Flush, Tag};
