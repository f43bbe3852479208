//! Files in a local folder, behind the port [`kernel::Blobs`].
//!
//! Invariant: a file that was put survives a crash of the machine, and one that was not put to its end is never seen.

mod config;
mod folder;

pub use config::BlobsConfig;
pub use folder::Folder;
