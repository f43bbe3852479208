//! Where backups lie: a folder, or a store that speaks S3.
//!
//! Invariant: an object is there whole or not at all, and its bytes were on the disk (or taken by the store) before `put` returns.

mod folder;
mod s3;

use std::path::Path;

use kernel::{Error, Kind, Result};

use crate::config::BackupConfig;
use folder::Folder;
use s3::S3;

/// Objects that one look lists at most.
const LISTED_MAX: usize = 10_000_000;

/// A place of objects with names such as `7301/log/000000010000000000000001`.
#[derive(Clone)]
pub struct Store(Place);

#[derive(Clone)]
enum Place {
    Folder(Folder),
    S3(Box<S3>),
}

/// An object's name and size.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Object {
    /// Its name.
    pub name: String,
    /// Its bytes.
    pub bytes: u64,
}

impl Store {
    /// Opens the store of the settings; `data` is the server's data folder.
    pub fn open(config: &BackupConfig, data: &Path) -> Result<Self> {
        if config.s3.endpoint.is_some() {
            return Ok(Self(Place::S3(Box::new(S3::new(&config.s3)?))));
        }
        let folder = config.directory.clone().unwrap_or_else(|| data.join("backups"));
        Ok(Self(Place::Folder(Folder::new(folder))))
    }

    /// Returns where it is, for people.
    pub fn place(&self) -> String {
        match &self.0 {
            Place::Folder(folder) => folder.place(),
            Place::S3(s3) => s3.place(),
        }
    }

    /// Keeps an object, over one of the same name.
    pub async fn put(&self, name: &str, bytes: Vec<u8>) -> Result<()> {
        match &self.0 {
            Place::Folder(folder) => folder.put(name, bytes).await,
            Place::S3(s3) => s3.put(name, bytes.into()).await,
        }
    }

    /// Returns an object, or nothing where there is none.
    pub async fn find(&self, name: &str) -> Result<Option<Vec<u8>>> {
        match &self.0 {
            Place::Folder(folder) => folder.get(name).await,
            Place::S3(s3) => s3.get(name).await,
        }
    }

    /// Returns an object that has to be there.
    pub async fn get(&self, name: &str) -> Result<Vec<u8>> {
        let missing = || Error::new(Kind::NotFound, "backup_incomplete", format!("{name} is missing in {}", self.place()));
        self.find(name).await?.ok_or_else(missing)
    }

    /// Returns what there is whose name begins so, in the order of names.
    pub async fn list(&self, prefix: &str) -> Result<Vec<Object>> {
        let mut found = match &self.0 {
            Place::Folder(folder) => folder.list(prefix).await?,
            Place::S3(s3) => s3.list(prefix, LISTED_MAX).await?,
        };
        found.sort_by(|one, other| one.name.cmp(&other.name));
        Ok(found)
    }

    /// Takes an object away, if it is there.
    pub async fn delete(&self, name: &str) -> Result<()> {
        match &self.0 {
            Place::Folder(folder) => folder.delete(name).await,
            Place::S3(s3) => s3.delete(name).await,
        }
    }
}

pub(crate) fn unavailable(place: &str, doing: &str, why: impl std::fmt::Display) -> Error {
    Error::new(Kind::Unavailable, "backup_store_unavailable", format!("The store of backups {place} cannot be {doing}: {why}"))
}
