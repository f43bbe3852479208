//! Files in a local folder or in a store that speaks S3, behind the port [`kernel::Blobs`].
//!
//! Invariant: a file that was put survives a crash of the machine, and one that was not put to its end is never seen.

mod config;
mod folder;
mod object_store;
mod place;

pub use config::BlobsConfig;
pub use folder::Folder;
pub use object_store::{ObjectStore, ObjectStoreConfig};
pub use place::Files;
