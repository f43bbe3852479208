//! Uploads that go on where they broke off: TUS 1.0.0 with creation, creation with upload, deferred length, checksum, expiration and termination.
//!
//! Invariant: an upload is known to whoever began it and to nobody else; what `Upload-Offset` says is safe.

mod headers;
mod routes;

pub use routes::{as_text, router};
