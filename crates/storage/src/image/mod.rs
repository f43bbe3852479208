//! Images made smaller, in another format, upright and without what was written about them.
//!
//! Invariant: a file is looked at before it is unpacked, unpacked within a limit, and worked on by a bounded number of threads.

pub mod config;

mod drawing;
mod kept;
mod page;
mod pool;
mod previews;
mod read;
mod routes;
mod shape;
mod wanted;
mod write;

#[cfg(test)]
mod tests;

use bytes::Bytes;
use image::metadata::Orientation;
use image::{DynamicImage, ImageFormat};
use kernel::{Error, Kind, Result};

pub use config::ImagesConfig;
pub use drawing::drawn_by_this_process;
pub use previews::MakePreviews;
pub use routes::{open_router, router};
pub use wanted::{Asked, Resize, Wanted};

/// What makes images. Cheap to clone.
#[derive(Clone, Debug)]
pub struct Images {
    config: ImagesConfig,
    pool: pool::Pool,
}

/// An image that was made.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Made {
    /// Its bytes.
    pub content: Bytes,
    /// What they are, `image/webp` for instance.
    pub content_type: &'static str,
}

/// A thread that was taken for an image.
#[derive(Debug)]
pub struct Thread(pool::Place);

impl Images {
    /// Sets everything up.
    pub fn new(config: ImagesConfig) -> Self {
        let pool = pool::Pool::new(&config);
        Self { config, pool }
    }

    /// Returns the same, as previews are made by it: they leave threads to others.
    pub(crate) fn of_previews(&self) -> Self {
        Self { config: self.config.clone(), pool: self.pool.of_previews() }
    }

    /// Returns the settings.
    pub fn config(&self) -> &ImagesConfig {
        &self.config
    }

    /// Waits for a thread, as long as one may.
    pub async fn thread(&self) -> Result<Thread> {
        self.pool.enter().await.map(Thread)
    }

    /// Makes an image of a file: in the format that the client takes, or in its own.
    pub async fn make(&self, thread: Thread, content: Bytes, wanted: Wanted, takes_webp: bool) -> Result<Made> {
        let config = self.config.clone();
        if page::is_document(&content) {
            let pixels = page::draw(&content, &config).await?;
            drop(content);
            return self.pool.run(thread.0, move || make_of(drawn(pixels), &wanted, takes_webp, &config)).await;
        }
        // Whatever was said of it when it came, it is an image.
        if content.len() > usize::try_from(config.source_bytes_max).unwrap_or(usize::MAX) {
            return Err(too_large(config.source_bytes_max));
        }
        self.pool.run(thread.0, move || make(&content, &wanted, takes_webp, &config)).await
    }
}

/// Whether the header `Accept` names WebP. A client that takes everything takes what there is.
pub fn takes_webp(accept: &str) -> bool {
    accept.split(',').any(|range| {
        let mut parts = range.split(';').map(str::trim);
        let is_named = parts.next().is_some_and(|name| name.eq_ignore_ascii_case("image/webp"));
        is_named && !parts.any(|part| matches!(part.replace(' ', "").as_str(), "q=0" | "q=0." | "q=0.0" | "q=0.00" | "q=0.000"))
    })
}

fn too_large(bytes_max: u64) -> Error {
    Error::new(Kind::TooLarge, "image_too_large", format!("The file has more than {bytes_max} bytes"))
}

fn make(content: &[u8], wanted: &Wanted, takes_webp: bool, config: &ImagesConfig) -> Result<Made> {
    make_of(read::unpack(content, config)?, wanted, takes_webp, config)
}

/// A page that was drawn: upright, in the colours that everybody has.
fn drawn(pixels: DynamicImage) -> read::Unpacked {
    read::Unpacked { pixels, format: ImageFormat::Png, orientation: Orientation::NoTransforms, profile: None }
}

fn make_of(unpacked: read::Unpacked, wanted: &Wanted, takes_webp: bool, config: &ImagesConfig) -> Result<Made> {
    let format = if takes_webp && !wanted.is_origin { ImageFormat::WebP } else { unpacked.format };
    let pixels = write::reshape(unpacked, wanted, config.side_max)?;
    let content = write::pack(pixels, format, wanted.quality.unwrap_or(config.quality))?;
    Ok(Made { content: content.into(), content_type: format.to_mime_type() })
}
