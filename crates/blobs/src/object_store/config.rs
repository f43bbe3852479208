//! What can be set about a store of objects.
//!
//! Invariant: every limit of this module has its name here; a unit stands last in the name.

use kernel::Secret;
use serde::{Deserialize, Serialize};

/// The settings of a store that speaks S3.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct ObjectStoreConfig {
    /// Its address, such as `https://s3.eu-central-1.amazonaws.com`. With it files are there and not in the folder.
    pub endpoint: Option<String>,
    /// Its region.
    pub region: String,
    /// The bucket, which is there and has nothing else in it.
    pub bucket: String,
    /// What all names begin with.
    pub prefix: String,
    /// Whether the bucket stands in the path and not in the host's name.
    pub path_style: bool,
    /// Who asks.
    pub access_key: Option<Secret<String>>,
    /// What he proves it with.
    pub secret_key: Option<Secret<String>>,
    /// Milliseconds in which a connection must be there.
    pub connect_time_ms: u64,
    /// Seconds that one request may take; of a file that is read, until it begins to come.
    pub request_time_s: u64,
    /// Seconds without a byte after which a file that is read is asked for again, from where it is.
    pub idle_time_s: u64,
    /// How often a request is tried that was refused for the moment.
    pub tries: u32,
    /// Bytes of one part: a file that has more goes in parts, at most 10000. One upload holds `parts_at_once` of them and one more.
    pub part_bytes: usize,
    /// Parts of one file that are under way at once.
    pub parts_at_once: usize,
}

impl Default for ObjectStoreConfig {
    fn default() -> Self {
        Self {
            endpoint: None,
            region: "us-east-1".to_owned(),
            bucket: String::new(),
            prefix: String::new(),
            path_style: true,
            access_key: None,
            secret_key: None,
            connect_time_ms: 5000,
            request_time_s: 60,
            idle_time_s: 30,
            tries: 4,
            part_bytes: 8_388_608,
            parts_at_once: 2,
        }
    }
}

impl ObjectStoreConfig {
    /// Returns the settings that are impossible, each with what is allowed.
    pub fn faults(&self) -> Vec<(&'static str, &'static str)> {
        let is_url = |text: &String| url::Url::parse(text).is_ok_and(|url| matches!(url.scheme(), "http" | "https") && url.has_host());
        [
            (!self.endpoint.as_ref().is_none_or(is_url), "s3.endpoint", "an http or https URL"),
            (self.endpoint.is_some() && self.bucket.is_empty(), "s3.bucket", "the name of a bucket"),
            (self.prefix.len() > 200 || self.prefix.contains(".."), "s3.prefix", "at most 200 letters, without .."),
            (self.access_key.is_some() != self.secret_key.is_some(), "s3.secret_key", "both keys or none"),
            (!(1..=600_000).contains(&self.connect_time_ms), "s3.connect_time_ms", "1 to 600000"),
            (!(1..=3600).contains(&self.request_time_s), "s3.request_time_s", "1 to 3600"),
            (!(1..=3600).contains(&self.idle_time_s), "s3.idle_time_s", "1 to 3600"),
            (!(1..=20).contains(&self.tries), "s3.tries", "1 to 20"),
            (!(5_242_880..=1_073_741_824).contains(&self.part_bytes), "s3.part_bytes", "5242880 to 1073741824"),
            (!(1..=32).contains(&self.parts_at_once), "s3.parts_at_once", "1 to 32"),
        ]
        .into_iter()
        .filter_map(|(impossible, key, allowed)| impossible.then_some((key, allowed)))
        .collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_impossible_is_named() {
        assert_eq!(ObjectStoreConfig::default().faults(), []);
        let wrong = ObjectStoreConfig { endpoint: Some("ftp://a".into()), part_bytes: 1, ..ObjectStoreConfig::default() };
        let named: Vec<_> = wrong.faults().into_iter().map(|(key, _)| key).collect();
        assert_eq!(named, ["s3.endpoint", "s3.bucket", "s3.part_bytes"]);
    }
}
