//! Buckets and objects as programs of S3 ask for them: the AWS SDKs, rclone, tools for backups.
//!
//! Invariant: a request is signed, and runs as whom its key stands for: the same policies decide as everywhere. A signature is of version 4
//! and of the whole address, so that this stands below a path of its own.

mod answer;
mod asked;
mod buckets;
mod checksum;
mod chunks;
mod credentials;
mod keys;
mod listing;
mod multipart;
mod objects;
mod policy;
mod post;
mod routes;
mod signature;
mod unfinished;

pub use keys::router as keys_router;
pub use routes::{root, router};
