//! Files of companies: buckets, objects, uploads, images.
//!
//! Invariant: who reaches an object its row in `storage.objects` decides, by the policies of the database, in a transaction of whoever asks;
//! the bytes follow the row.

mod buckets;
mod caller;
mod config;
mod failure;
pub mod image;
mod lenient;
mod naming;
mod objects;
pub mod parts;
mod reaping;
mod routes;
mod s3;
mod scan;
mod serving;
mod signing;
mod storage;
mod tus;

pub use buckets::Bucket;
pub use caller::Caller;
pub use config::StorageConfig;
pub use failure::shape;
pub use image::{Images, ImagesConfig, MakePreviews, drawn_by_this_process};
pub use objects::{Content, Object, Opened, Place, Stored, Upload};
pub use parts::PartsConfig;
pub use routes::{no_route, open_router, router, strangers};
pub use s3::{keys_router as s3_keys_router, root as s3_root, router as s3_router};
pub use scan::{Away, ScanConfig};
pub use signing::Link;
pub use storage::{Storage, StorageOptions};
pub use tus::{as_text as tus_as_text, router as tus_router};
