//! Where files are, as the settings say: a folder, or a store that speaks S3.
//!
//! Invariant: nobody who uses files learns which of them it is.

use std::ops::Range;
use std::path::PathBuf;

use kernel::{Blob, BlobFuture, BlobInfo, BlobKey, BlobPrefix, BlobStream, Blobs, Result};

use crate::{BlobsConfig, Folder, ObjectStore};

/// The place of files. Cheap to clone.
#[derive(Clone, Debug)]
pub enum Files {
    /// A folder that all servers share.
    Folder(Folder),
    /// A store of objects, and hours after which what was begun in it is taken back.
    Store(ObjectStore, u32),
}

impl Files {
    /// Takes the place that the settings name; the folder where they name no store. Nothing need be there yet.
    pub fn new(folder: PathBuf, config: &BlobsConfig) -> Result<Self> {
        match config.s3.endpoint {
            Some(_) => ObjectStore::new(&config.s3).map(|store| Self::Store(store, config.unfinished_hours)),
            None => Ok(Self::Folder(Folder::new(folder, config.clone()))),
        }
    }

    /// Takes away what was not put to its end long ago. Returns how many files that were.
    pub async fn sweep(&self) -> Result<usize> {
        match self {
            Self::Folder(folder) => folder.sweep().await,
            Self::Store(store, hours) => match store.sweep(*hours).await {
                Ok(count) => Ok(count),
                // Not every store lists what was begun in it; a rule of the bucket does the same there.
                Err(error) => {
                    tracing::warn!(code = error.code(), "what nobody finished in the store of files cannot be looked for");
                    Ok(0)
                }
            },
        }
    }

    fn place(&self) -> &dyn Blobs {
        match self {
            Self::Folder(folder) => folder,
            Self::Store(store, _hours) => store,
        }
    }
}

impl Blobs for Files {
    fn put<'a>(&'a self, key: &'a BlobKey, content: BlobStream, bytes_max: u64) -> BlobFuture<'a, BlobInfo> {
        self.place().put(key, content, bytes_max)
    }

    fn head<'a>(&'a self, key: &'a BlobKey) -> BlobFuture<'a, Option<BlobInfo>> {
        self.place().head(key)
    }

    fn get<'a>(&'a self, key: &'a BlobKey, range: Option<Range<u64>>) -> BlobFuture<'a, Blob> {
        self.place().get(key, range)
    }

    fn delete<'a>(&'a self, key: &'a BlobKey) -> BlobFuture<'a, bool> {
        self.place().delete(key)
    }

    fn list<'a>(&'a self, prefix: &'a BlobPrefix, after: Option<&'a BlobKey>, rows_max: usize) -> BlobFuture<'a, Vec<BlobInfo>> {
        self.place().list(prefix, after, rows_max)
    }
}
