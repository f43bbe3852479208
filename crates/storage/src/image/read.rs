//! The bytes of a file as pixels.
//!
//! Invariant: how many pixels there are is asked of the first bytes and held against the settings before anything is unpacked, and what is
//! unpacked is counted once more by the decoder. What was written about the picture (place, camera, time) stays behind: pixels alone go on.

use std::io::Cursor;

use image::metadata::Orientation;
use image::{DynamicImage, ImageDecoder, ImageError, ImageFormat, ImageReader};
use kernel::{Error, Kind, Result};

use super::config::ImagesConfig;

/// The formats that are read. What is something else, SVG above all, is nobody's picture here.
const FORMATS: [ImageFormat; 4] = [ImageFormat::Jpeg, ImageFormat::Png, ImageFormat::WebP, ImageFormat::Gif];

/// An image that was unpacked.
#[derive(Debug)]
pub(crate) struct Unpacked {
    pub(crate) pixels: DynamicImage,
    pub(crate) format: ImageFormat,
    /// How it has to be turned to stand upright.
    pub(crate) orientation: Orientation,
    /// The colours that its numbers mean, where it says so.
    pub(crate) profile: Option<Vec<u8>>,
}

/// Bytes of a colour profile that is looked at.
const PROFILE_BYTES_MAX: usize = 4_194_304;

/// Unpacks a file. Of one that moves the first picture is taken.
pub(crate) fn unpack(content: &[u8], config: &ImagesConfig) -> Result<Unpacked> {
    let format = format(content)?;
    let mut reader = ImageReader::with_format(Cursor::new(content), format);
    // The decoder's own: what it may take for pixels of eight bytes at most, and what it needs beside.
    let mut limits = image::Limits::default();
    limits.max_alloc = Some(config.pixels_max.saturating_mul(8).saturating_add(16_777_216));
    reader.limits(limits);
    let mut decoder = reader.into_decoder().map_err(unreadable)?;
    let (width, height) = decoder.dimensions();
    let pixels = u64::from(width).saturating_mul(u64::from(height));
    if pixels > config.pixels_max {
        let message = format!("The image has {width} x {height} pixels; allowed are {} in all", config.pixels_max);
        return Err(Error::new(Kind::TooLarge, "image_too_large", message));
    }
    if pixels == 0 {
        return Err(refused());
    }
    // What is said of both may be damaged where the picture is not.
    let orientation = decoder.orientation().unwrap_or(Orientation::NoTransforms);
    let profile = decoder.icc_profile().ok().flatten().filter(|profile| profile.len() <= PROFILE_BYTES_MAX);
    let pixels = DynamicImage::from_decoder(decoder).map_err(unreadable)?;
    Ok(Unpacked { pixels: narrow(pixels), format, orientation, profile })
}

/// Says by its first bytes what a file is, whatever its name and its declared type are.
pub(crate) fn format(content: &[u8]) -> Result<ImageFormat> {
    image::guess_format(content).ok().filter(|format| FORMATS.contains(format)).ok_or_else(|| {
        Error::new(
            Kind::Status(415),
            "image_type_unsupported",
            "The file is no image that can be changed: JPEG, PNG, WebP, GIF and PDF can",
        )
    })
}

/// Brings it into one of three layouts of eight bits: grey, with and without alpha.
fn narrow(pixels: DynamicImage) -> DynamicImage {
    match pixels {
        DynamicImage::ImageLuma8(_) | DynamicImage::ImageRgb8(_) | DynamicImage::ImageRgba8(_) => pixels,
        DynamicImage::ImageLuma16(_) => DynamicImage::ImageLuma8(pixels.into_luma8()),
        other if other.color().has_alpha() => DynamicImage::ImageRgba8(other.into_rgba8()),
        other => DynamicImage::ImageRgb8(other.into_rgb8()),
    }
}

fn unreadable(error: ImageError) -> Error {
    match error {
        ImageError::Limits(_) => {
            Error::new(Kind::TooLarge, "image_too_large", "The image needs more memory than is allowed").with_source(error)
        }
        _ => refused().with_source(error),
    }
}

pub(crate) fn refused() -> Error {
    Error::new(Kind::Unprocessable, "image_unreadable", "The image is damaged, or not what it says it is")
}
