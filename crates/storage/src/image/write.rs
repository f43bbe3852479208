//! Pixels as the bytes of a file.
//!
//! Invariant: nothing but pixels goes into it, in the colours of sRGB: whoever shows it needs no profile, and it tells nothing of who took it.

use std::io::Cursor;

use fast_image_resize::images::{Image, ImageRef};
use fast_image_resize::{PixelType, ResizeOptions, Resizer};
use image::codecs::{gif::GifEncoder, jpeg::JpegEncoder, png::PngEncoder};
use image::metadata::Orientation;
use image::{DynamicImage, GrayImage, ImageEncoder as _, ImageFormat, RgbImage, RgbaImage};
use kernel::{Error, Result};
use moxcms::{ColorProfile, DataColorSpace, Layout, TransformOptions};

use super::read::Unpacked;
use super::shape::{Shape, Size, shape};
use super::wanted::Wanted;

/// Makes what is wanted of an image: in size, colours and upright.
pub(crate) fn reshape(unpacked: Unpacked, wanted: &Wanted, side_max: u32) -> Result<DynamicImage> {
    let Unpacked { pixels, orientation, profile, .. } = unpacked;
    // It is turned last, when there is least of it; a quarter turn makes its width of its height.
    let sides = if is_quarter_turn(orientation) { (wanted.height, wanted.width) } else { (wanted.width, wanted.height) };
    let source = Size { width: pixels.width(), height: pixels.height() };
    let shape = shape(source, sides, wanted.resize.unwrap_or_default(), side_max);
    let mut made = if shape.taken == shape.made && shape.taken == source { pixels } else { resized(&pixels, shape)? };
    if let Some(profile) = profile {
        made = in_srgb(made, &profile);
    }
    made.apply_orientation(orientation);
    Ok(made)
}

fn is_quarter_turn(orientation: Orientation) -> bool {
    matches!(orientation, Orientation::Rotate90 | Orientation::Rotate270 | Orientation::Rotate90FlipH | Orientation::Rotate270FlipH)
}

fn resized(pixels: &DynamicImage, shape: Shape) -> Result<DynamicImage> {
    let kind = match pixels {
        DynamicImage::ImageLuma8(_) => PixelType::U8,
        DynamicImage::ImageRgb8(_) => PixelType::U8x3,
        _ => PixelType::U8x4,
    };
    let source = ImageRef::new(pixels.width(), pixels.height(), pixels.as_bytes(), kind).map_err(Error::internal)?;
    let (width, height) = (shape.made.width, shape.made.height);
    let mut target = Image::new(width, height, kind);
    let options =
        ResizeOptions::new().crop(f64::from(shape.left), f64::from(shape.top), f64::from(shape.taken.width), f64::from(shape.taken.height));
    Resizer::new().resize(&source, &mut target, &options).map_err(Error::internal)?;
    let bytes = target.into_vec();
    let made = match kind {
        PixelType::U8 => GrayImage::from_raw(width, height, bytes).map(DynamicImage::ImageLuma8),
        PixelType::U8x3 => RgbImage::from_raw(width, height, bytes).map(DynamicImage::ImageRgb8),
        _ => RgbaImage::from_raw(width, height, bytes).map(DynamicImage::ImageRgba8),
    };
    made.ok_or_else(|| Error::internal("an image has fewer pixels than it was made of"))
}

/// Brings colours into sRGB. A profile that cannot be read, or is of other colours than these pixels, changes nothing.
fn in_srgb(pixels: DynamicImage, profile: &[u8]) -> DynamicImage {
    let layout = match &pixels {
        DynamicImage::ImageRgb8(_) => Layout::Rgb,
        DynamicImage::ImageRgba8(_) => Layout::Rgba,
        _ => return pixels,
    };
    let Some(profile) = ColorProfile::new_from_slice(profile).ok().filter(|profile| profile.color_space == DataColorSpace::Rgb) else {
        return pixels;
    };
    let Ok(transform) = profile.create_transform_8bit(layout, &ColorProfile::new_srgb(), layout, TransformOptions::default()) else {
        return pixels;
    };
    let mut changed = vec![0; pixels.as_bytes().len()];
    if transform.transform(pixels.as_bytes(), &mut changed).is_err() {
        return pixels;
    }
    let (width, height) = (pixels.width(), pixels.height());
    let changed = match layout {
        Layout::Rgb => RgbImage::from_raw(width, height, changed).map(DynamicImage::ImageRgb8),
        _ => RgbaImage::from_raw(width, height, changed).map(DynamicImage::ImageRgba8),
    };
    changed.unwrap_or(pixels)
}

/// Packs an image. What a format does not have, half transparent pixels in a JPEG, goes lost.
pub(crate) fn pack(pixels: DynamicImage, format: ImageFormat, quality: u8) -> Result<Vec<u8>> {
    let mut bytes = Cursor::new(Vec::new());
    match format {
        ImageFormat::WebP => return web_p(pixels, quality),
        ImageFormat::Jpeg => {
            let pixels = if pixels.color().has_alpha() { DynamicImage::ImageRgb8(pixels.into_rgb8()) } else { pixels };
            pixels.write_with_encoder(JpegEncoder::new_with_quality(&mut bytes, quality)).map_err(Error::internal)?;
        }
        ImageFormat::Gif => {
            let (pixels, color) = (pixels.to_rgba8(), image::ExtendedColorType::Rgba8);
            let (width, height) = pixels.dimensions();
            GifEncoder::new(&mut bytes).encode(pixels.as_raw(), width, height, color).map_err(Error::internal)?;
        }
        _ => {
            let (width, height, color) = (pixels.width(), pixels.height(), pixels.color().into());
            PngEncoder::new(&mut bytes).write_image(pixels.as_bytes(), width, height, color).map_err(Error::internal)?;
        }
    }
    Ok(bytes.into_inner())
}

fn web_p(pixels: DynamicImage, quality: u8) -> Result<Vec<u8>> {
    let (width, height) = (pixels.width(), pixels.height());
    let packed = if pixels.color().has_alpha() {
        webp::Encoder::from_rgba(&pixels.into_rgba8(), width, height).encode_simple(false, f32::from(quality)).map(|packed| packed.to_vec())
    } else {
        webp::Encoder::from_rgb(&pixels.into_rgb8(), width, height).encode_simple(false, f32::from(quality)).map(|packed| packed.to_vec())
    };
    packed.map_err(|error| Error::internal(format!("an image could not be written as WebP: {error:?}")))
}
