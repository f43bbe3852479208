//! What can be set about files.
//!
//! Invariant: every limit of this crate has its name here; a unit stands last in the name.

use std::path::PathBuf;

use serde::{Deserialize, Serialize};

use crate::ObjectStoreConfig;

/// The settings of files.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct BlobsConfig {
    /// The folder that they are in; `files` in the data folder if not set. Several servers share it.
    pub directory: Option<PathBuf>,
    /// Bytes that stay free where the folder is: a file that would need them is refused, so that no database beside it runs out of them.
    pub free_bytes_min: u64,
    /// Bytes that are read at once.
    pub read_bytes: usize,
    /// Hours after which what was not put to its end, because a server died, is taken away.
    pub unfinished_hours: u32,
    /// A store that speaks S3, instead of the folder.
    pub s3: ObjectStoreConfig,
}

impl Default for BlobsConfig {
    fn default() -> Self {
        Self { directory: None, free_bytes_min: 536_870_912, read_bytes: 65_536, unfinished_hours: 24, s3: ObjectStoreConfig::default() }
    }
}

impl BlobsConfig {
    /// Returns the settings that are impossible, each with what is allowed.
    pub fn faults(&self) -> Vec<(&'static str, &'static str)> {
        [
            (self.directory.as_ref().is_some_and(|path| !path.is_absolute()), "directory", "an absolute path"),
            (!(4096..=16_777_216).contains(&self.read_bytes), "read_bytes", "4096 to 16777216"),
            (!(1..=8760).contains(&self.unfinished_hours), "unfinished_hours", "1 to 8760"),
        ]
        .into_iter()
        .filter_map(|(impossible, key, allowed)| impossible.then_some((key, allowed)))
        .chain(self.s3.faults())
        .collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_defaults_are_possible() {
        assert_eq!(BlobsConfig::default().faults(), []);
        let relative = BlobsConfig { directory: Some("files".into()), ..BlobsConfig::default() };
        assert_eq!(relative.faults(), [("directory", "an absolute path")]);
    }
}
