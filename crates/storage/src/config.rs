//! What can be set about buckets and objects.
//!
//! Invariant: every limit of this crate has its name here; a unit stands last in the name.

use serde::{Deserialize, Serialize};

use crate::image::ImagesConfig;
use crate::parts::PartsConfig;
use crate::scan::ScanConfig;

/// The settings of buckets and objects.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct StorageConfig {
    /// Bytes of one object; a bucket may allow less.
    pub object_bytes_max: u64,
    /// Seconds in which an object must have come.
    pub upload_time_s: u64,
    /// Bytes of a body that is no file: names to list or remove, what a bucket allows.
    pub json_bytes_max: usize,
    /// Bytes of the metadata that an application gives an object.
    pub metadata_bytes_max: usize,
    /// Rows that one list answers.
    pub list_rows_max: u32,
    /// Names that one request may remove or have links made for.
    pub names_max: usize,
    /// Seconds that a signed link may be good.
    pub link_time_s: u64,
    /// Seconds that a signed link to upload is good.
    pub upload_link_time_s: u64,
    /// Seconds that a link is good at most which a customer of the portal, or whoever has a link, had made; it ends with his session in any case.
    pub guest_link_time_s: u64,
    /// Hours after which an upload that did not come to its end is taken away.
    pub unfinished_hours: u32,
    /// Days that a removed object can be brought back; 0 takes it away with the next clean-up.
    pub trash_days: u32,
    /// Former versions of an object that are kept when it is replaced; 0 keeps none.
    pub versions_max: u32,
    /// Days that they are kept.
    pub versions_days: u32,
    /// Rows of files that one look takes away.
    pub reap_rows_max: u32,
    /// Images that are made smaller.
    pub images: ImagesConfig,
    /// What programs of S3 name as their key when a token beside it says whose the request is.
    pub s3_project: String,
    /// Uploads that come in parts.
    pub parts: PartsConfig,
    /// Looking for viruses.
    pub scan: ScanConfig,
}

impl Default for StorageConfig {
    fn default() -> Self {
        Self {
            object_bytes_max: 5_368_709_120,
            upload_time_s: 3600,
            json_bytes_max: 1_048_576,
            metadata_bytes_max: 1_048_576,
            list_rows_max: 1500,
            names_max: 1000,
            link_time_s: 315_360_000,
            upload_link_time_s: 7200,
            guest_link_time_s: 3600,
            unfinished_hours: 24,
            trash_days: 30,
            versions_max: 10,
            versions_days: 30,
            reap_rows_max: 500,
            images: ImagesConfig::default(),
            s3_project: "thorbis".to_owned(),
            parts: PartsConfig::default(),
            scan: ScanConfig::default(),
        }
    }
}

impl StorageConfig {
    /// Returns the settings that are impossible, each with what is allowed.
    pub fn faults(&self) -> Vec<(&'static str, &'static str)> {
        [
            (!(1..=5_497_558_138_880).contains(&self.object_bytes_max), "object_bytes_max", "1 to 5497558138880"),
            (!(1..=604_800).contains(&self.upload_time_s), "upload_time_s", "1 to 604800"),
            (!(1024..=16_777_216).contains(&self.json_bytes_max), "json_bytes_max", "1024 to 16777216"),
            (!(2..=1_048_576).contains(&self.metadata_bytes_max), "metadata_bytes_max", "2 to 1048576"),
            (!(1..=10_000).contains(&self.list_rows_max), "list_rows_max", "1 to 10000"),
            (!(1..=10_000).contains(&self.names_max), "names_max", "1 to 10000"),
            (!(1..=3_153_600_000).contains(&self.link_time_s), "link_time_s", "1 to 3153600000"),
            (!(1..=604_800).contains(&self.upload_link_time_s), "upload_link_time_s", "1 to 604800"),
            (!(1..=604_800).contains(&self.guest_link_time_s), "guest_link_time_s", "1 to 604800"),
            (!(1..=8760).contains(&self.unfinished_hours), "unfinished_hours", "1 to 8760"),
            // What is still on its way would be taken away.
            (self.upload_time_s > u64::from(self.unfinished_hours).saturating_mul(3600), "unfinished_hours", "no less than upload_time_s"),
            (self.trash_days > 3650, "trash_days", "0 to 3650"),
            (self.versions_max > 10_000, "versions_max", "0 to 10000"),
            (self.versions_days > 3650, "versions_days", "0 to 3650"),
            (!matches!(self.s3_project.len(), 1..=64), "s3_project", "1 to 64 letters"),
            (!(1..=10_000).contains(&self.reap_rows_max), "reap_rows_max", "1 to 10000"),
        ]
        .into_iter()
        .filter_map(|(impossible, key, allowed)| impossible.then_some((key, allowed)))
        .chain(self.images.faults())
        .chain(self.parts.faults())
        .chain(self.scan.faults())
        .collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_defaults_are_possible() {
        assert_eq!(StorageConfig::default().faults(), []);
        let none = StorageConfig { names_max: 0, ..StorageConfig::default() };
        assert_eq!(none.faults(), [("names_max", "1 to 10000")]);
        let short = StorageConfig { unfinished_hours: 1, upload_time_s: 3601, ..StorageConfig::default() };
        assert_eq!(short.faults(), [("unfinished_hours", "no less than upload_time_s")]);
        assert_eq!(StorageConfig { upload_time_s: 3600, ..short }.faults(), []);
    }
}
