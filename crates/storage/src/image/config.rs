//! What can be set about images that are made smaller.
//!
//! Invariant: every limit of this module has its name here; a unit stands last in the name.

use std::path::PathBuf;

use serde::{Deserialize, Serialize};

/// The settings of images.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct ImagesConfig {
    /// Images that are worked on at the same time, each by one thread.
    pub threads: usize,
    /// Images that wait for a thread; one more is answered 503.
    pub waiting_max: usize,
    /// Milliseconds that one waits for a thread; then it is answered 503.
    pub wait_ms: u64,
    /// Milliseconds after which an image is answered 504. Its thread works on until it is done.
    pub time_ms: u64,
    /// Bytes of a file that is looked at as an image.
    pub source_bytes_max: u64,
    /// Bytes of a document whose first page is drawn.
    pub document_bytes_max: u64,
    /// Mebibytes of memory that drawing a page may take.
    pub page_memory_mib: u32,
    /// Pixels of the longer side of thumbnails, as far as `side_max` goes.
    pub thumbnail_side: u32,
    /// Pixels of the longer side of previews, as far as `side_max` goes.
    pub preview_side: u32,
    /// Pixels of an image, as its first bytes say, before anything of it is unpacked.
    pub pixels_max: u64,
    /// Pixels of a side of what is made.
    pub side_max: u32,
    /// The quality of what is made, 20 to 100, where none is asked for.
    pub quality: u8,
    /// Images made of one file that are kept; one more takes the place of the oldest.
    pub kept_per_object: u32,
    /// Days that they are kept; then they are made anew when somebody asks.
    pub kept_days: u32,
    /// The program that draws pages: this one, wherever it is; a test has another.
    #[serde(skip)]
    pub program: Option<PathBuf>,
}

impl Default for ImagesConfig {
    fn default() -> Self {
        Self {
            threads: 2,
            waiting_max: 64,
            wait_ms: 5_000,
            time_ms: 10_000,
            source_bytes_max: 26_214_400,
            document_bytes_max: 52_428_800,
            page_memory_mib: 512,
            thumbnail_side: 200,
            preview_side: 1_200,
            pixels_max: 50_000_000,
            side_max: 2_500,
            quality: 80,
            kept_per_object: 50,
            kept_days: 30,
            program: None,
        }
    }
}

impl ImagesConfig {
    /// Returns how many bytes a file of this type may have that something is made of.
    pub fn bytes_max(&self, content_type: &str) -> u64 {
        if content_type.trim_start().starts_with("application/pdf") { self.document_bytes_max } else { self.source_bytes_max }
    }

    /// Returns the longer sides of previews and thumbnails.
    pub(crate) fn preview_sides(&self) -> [u32; 2] {
        [self.preview_side.min(self.side_max), self.thumbnail_side.min(self.side_max)]
    }

    /// Returns the settings that are impossible, each with what is allowed.
    pub fn faults(&self) -> Vec<(&'static str, &'static str)> {
        [
            (!(1..=256).contains(&self.threads), "images.threads", "1 to 256"),
            (self.waiting_max > 100_000, "images.waiting_max", "0 to 100000"),
            (!(1..=60_000).contains(&self.wait_ms), "images.wait_ms", "1 to 60000"),
            (!(100..=120_000).contains(&self.time_ms), "images.time_ms", "100 to 120000"),
            (!(1024..=1_073_741_824).contains(&self.source_bytes_max), "images.source_bytes_max", "1024 to 1073741824"),
            (!(1024..=1_073_741_824).contains(&self.document_bytes_max), "images.document_bytes_max", "1024 to 1073741824"),
            (!(128..=65_536).contains(&self.page_memory_mib), "images.page_memory_mib", "128 to 65536"),
            (!(16..=16_383).contains(&self.thumbnail_side), "images.thumbnail_side", "16 to 16383"),
            (!(16..=16_383).contains(&self.preview_side), "images.preview_side", "16 to 16383"),
            (!(10_000..=1_000_000_000).contains(&self.pixels_max), "images.pixels_max", "10000 to 1000000000"),
            // More than that a WebP does not have.
            (!(16..=16_383).contains(&self.side_max), "images.side_max", "16 to 16383"),
            (!(20..=100).contains(&self.quality), "images.quality", "20 to 100"),
            (!(1..=10_000).contains(&self.kept_per_object), "images.kept_per_object", "1 to 10000"),
            (!(1..=3_650).contains(&self.kept_days), "images.kept_days", "1 to 3650"),
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
    fn the_defaults_are_possible() {
        assert_eq!(ImagesConfig::default().faults(), []);
        let config = ImagesConfig { threads: 0, side_max: 16_384, ..ImagesConfig::default() };
        assert_eq!(config.faults(), [("images.threads", "1 to 256"), ("images.side_max", "16 to 16383")]);
    }
}
