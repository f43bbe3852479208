//! What is made of images, and of what only says that it is one.

use std::io::Cursor;

use image::codecs::jpeg::JpegEncoder;
use image::{
    AnimationDecoder as _, DynamicImage, Frame, GenericImageView as _, ImageEncoder as _, ImageFormat, Rgb, RgbImage, Rgba, RgbaImage,
};
use serde_json::json;

use super::*;

/// Left half red, right half blue.
fn picture(width: u32, height: u32) -> DynamicImage {
    DynamicImage::ImageRgb8(RgbImage::from_fn(width, height, |x, _| if x < width / 2 { Rgb([255, 0, 0]) } else { Rgb([0, 0, 255]) }))
}

fn packed(picture: &DynamicImage, format: ImageFormat) -> Vec<u8> {
    let mut bytes = Cursor::new(Vec::new());
    picture.write_to(&mut bytes, format).unwrap();
    bytes.into_inner()
}

fn wanted(value: serde_json::Value) -> Wanted {
    serde_json::from_value::<Asked>(value).unwrap().parse(&ImagesConfig::default()).unwrap()
}

fn made(content: &[u8], value: serde_json::Value, takes_webp: bool) -> Result<Made> {
    make(content, &wanted(value), takes_webp, &ImagesConfig::default())
}

fn refusal(content: &[u8]) -> (u16, String) {
    let refused = made(content, json!({ "width": 10 }), true).unwrap_err();
    (refused.status().as_u16(), refused.code().to_owned())
}

/// What a camera writes into a picture: that it lies on its side, and where it was taken.
fn with_exif(jpeg: &[u8], orientation: u8) -> Vec<u8> {
    let mut exif = b"Exif\0\0MM\0\x2a\0\0\0\x08\0\x02".to_vec();
    exif.extend([0x01, 0x12, 0, 3, 0, 0, 0, 1, 0, orientation, 0, 0]);
    // GPSInfo, whose place is told by a text behind it.
    exif.extend([0x88, 0x25, 0, 4, 0, 0, 0, 1, 0, 0, 0, 38]);
    exif.extend([0, 0, 0, 0]);
    exif.extend(b"\0\0\0\0\0\0GPS-CANARY 48.2082 N 16.3738 E");
    let length = u16::try_from(exif.len() + 2).unwrap().to_be_bytes();
    let mut marked = jpeg[..2].to_vec();
    marked.extend([0xff, 0xe1, length[0], length[1]]);
    marked.extend(exif);
    marked.extend(&jpeg[2..]);
    marked
}

/// The first bytes of a PNG that says it is so large, with pixels that are never there.
fn png_of(width: u32, height: u32) -> Vec<u8> {
    let mut header = b"IHDR".to_vec();
    header.extend(width.to_be_bytes());
    header.extend(height.to_be_bytes());
    header.extend([8, 6, 0, 0, 0]);
    let mut png = b"\x89PNG\r\n\x1a\n\0\0\0\x0d".to_vec();
    png.extend(&header);
    png.extend(crc(&header).to_be_bytes());
    let data = b"IDATx\x9c\x03\0\0\0\0\x01";
    png.extend([0, 0, 0, 8]);
    png.extend(data);
    png.extend(crc(data).to_be_bytes());
    png.extend(b"\0\0\0\0IEND\xae\x42\x60\x82");
    png
}

fn crc(bytes: &[u8]) -> u32 {
    !bytes.iter().fold(u32::MAX, |crc, byte| {
        (0..8).fold(crc ^ u32::from(*byte), |crc, _| if crc & 1 == 1 { (crc >> 1) ^ 0xedb8_8320 } else { crc >> 1 })
    })
}

#[test]
fn the_format_is_the_clients_or_its_own() {
    for (format, own) in [
        (ImageFormat::Jpeg, "image/jpeg"),
        (ImageFormat::Png, "image/png"),
        (ImageFormat::WebP, "image/webp"),
        (ImageFormat::Gif, "image/gif"),
    ] {
        let source = packed(&picture(60, 40), format);
        for (takes_webp, asked, expected) in [
            (true, json!({ "width": 30 }), "image/webp"),
            (true, json!({ "width": 30, "format": "origin" }), own),
            (false, json!({ "width": 30 }), own),
        ] {
            let made = made(&source, asked, takes_webp).unwrap();
            assert_eq!(made.content_type, expected);
            let again = image::load_from_memory(&made.content).unwrap();
            assert_eq!(again.dimensions(), (30, 20), "{expected}");
            let Rgba([red, _, blue, _]) = again.get_pixel(2, 10);
            assert!(red > 200 && blue < 60, "{expected}: {red} {blue}");
        }
    }
}

#[test]
fn webp_is_taken_by_whoever_names_it() {
    assert!(takes_webp("image/avif,image/webp,*/*;q=0.8"));
    assert!(takes_webp("text/html, Image/WebP ;q=0.5"));
    for not in ["*/*", "image/*", "", "image/webp;q=0", "image/webp; q=0.0", "image/webpx"] {
        assert!(!takes_webp(not), "{not}");
    }
}

#[test]
fn a_picture_is_upright_and_says_nothing_of_where_it_was_taken() {
    let lying = with_exif(&packed(&picture(60, 40), ImageFormat::Jpeg), 6);
    assert!(lying.windows(10).any(|part| part == b"GPS-CANARY"));
    for takes_webp in [true, false] {
        let made = made(&lying, json!({ "width": 20, "height": 30 }), takes_webp).unwrap();
        let read = image::load_from_memory(&made.content).unwrap();
        assert_eq!(read.dimensions(), (20, 30));
        // Turned to the right by a quarter: what was left is on top.
        let (Rgba([top, ..]), Rgba([bottom, ..])) = (read.get_pixel(10, 2), read.get_pixel(10, 27));
        assert!(top > 200 && bottom < 60, "{top} {bottom}");
        for canary in [&b"GPS-CANARY"[..], b"Exif", b"EXIF"] {
            assert!(!made.content.windows(canary.len()).any(|part| part == canary));
        }
    }
}

#[test]
fn colours_of_another_profile_become_those_of_srgb() {
    let profile = moxcms::ColorProfile::new_display_p3().encode().unwrap();
    let mut bytes = Vec::new();
    let mut encoder = JpegEncoder::new_with_quality(&mut bytes, 100);
    encoder.set_icc_profile(profile).unwrap();
    let plain = RgbImage::from_pixel(32, 32, Rgb([200, 100, 100]));
    encoder.write_image(plain.as_raw(), 32, 32, image::ExtendedColorType::Rgb8).unwrap();
    let made = made(&bytes, json!({ "quality": 100 }), false).unwrap();
    let Rgba([red, green, ..]) = image::load_from_memory(&made.content).unwrap().get_pixel(16, 16);
    // A red of Display P3 is a stronger one of sRGB.
    assert!((205..=220).contains(&red) && (90..=98).contains(&green), "{red} {green}");
    assert!(!made.content.windows(11).any(|part| part == b"ICC_PROFILE"));
}

#[test]
fn what_is_transparent_stays_so() {
    let source = packed(&DynamicImage::ImageRgba8(RgbaImage::from_pixel(40, 40, Rgba([0, 255, 0, 0]))), ImageFormat::Png);
    for takes_webp in [true, false] {
        let made = made(&source, json!({ "width": 20, "height": 20, "resize": "fill" }), takes_webp).unwrap();
        let Rgba([.., alpha]) = image::load_from_memory(&made.content).unwrap().get_pixel(5, 5);
        assert_eq!(alpha, 0);
    }
}

#[test]
fn deep_and_grey_pictures_are_read() {
    for picture in [
        DynamicImage::ImageLuma8(picture(40, 40).to_luma8()),
        DynamicImage::ImageLuma16(picture(40, 40).to_luma16()),
        DynamicImage::ImageLumaA8(picture(40, 40).to_luma_alpha8()),
        DynamicImage::ImageRgb16(picture(40, 40).to_rgb16()),
        DynamicImage::ImageRgba16(picture(40, 40).to_rgba16()),
    ] {
        let source = packed(&picture, ImageFormat::Png);
        for takes_webp in [true, false] {
            let made = made(&source, json!({ "height": 10 }), takes_webp).unwrap();
            assert_eq!(image::load_from_memory(&made.content).unwrap().dimensions(), (10, 10));
        }
    }
}

#[test]
fn of_what_moves_the_first_picture_is_taken() {
    let mut bytes = Vec::new();
    let mut encoder = image::codecs::gif::GifEncoder::new(&mut bytes);
    for colour in [Rgba([255, 0, 0, 255]), Rgba([0, 255, 0, 255])] {
        encoder.encode_frame(Frame::new(RgbaImage::from_pixel(20, 20, colour))).unwrap();
    }
    drop(encoder);
    let made = made(&bytes, json!({ "width": 10 }), false).unwrap();
    let frames = image::codecs::gif::GifDecoder::new(Cursor::new(&made.content[..])).unwrap().into_frames().collect_frames().unwrap();
    assert_eq!(frames.len(), 1);
    assert_eq!(frames[0].buffer().get_pixel(5, 5), &Rgba([255, 0, 0, 255]));
}

#[test]
fn a_bomb_is_refused_by_its_first_bytes() {
    let begun = std::time::Instant::now();
    assert_eq!(refusal(&png_of(50_000, 50_000)), (413, "image_too_large".to_owned()));
    assert_eq!(refusal(&png_of(u32::MAX >> 1, 2)), (413, "image_too_large".to_owned()));
    // A GIF of 65,535 x 65,535 in 26 bytes.
    let mut gif = b"GIF89a\xff\xff\xff\xff\0\0\0,\0\0\0\0\xff\xff\xff\xff\0\x02\0;".to_vec();
    assert_eq!(refusal(&gif), (413, "image_too_large".to_owned()));
    gif.truncate(9);
    assert_eq!(refusal(&gif), (422, "image_unreadable".to_owned()));
    assert!(begun.elapsed() < std::time::Duration::from_secs(40));
    // A larger one is allowed where the settings say so, and small settings refuse what is usual.
    let config = ImagesConfig { pixels_max: 10_000, ..ImagesConfig::default() };
    let small = make(&packed(&picture(200, 100), ImageFormat::Png), &wanted(json!({})), true, &config).unwrap_err();
    assert_eq!(small.message(), "The image has 200 x 100 pixels; allowed are 10000 in all");
}

#[test]
fn what_is_damaged_or_something_else_is_refused() {
    let unsupported = (415, "image_type_unsupported".to_owned());
    for other in [
        &b"<svg xmlns=\"http://www.w3.org/2000/svg\"><script>alert(1)</script></svg>"[..],
        b"<?xml version=\"1.0\"?><svg/>",
        b"%PDF-1.7",
        b"",
        b"\0",
        b"BM\0\0\0\0\0\0\0\0",
        b"II*\0\x08\0\0\0",
        b"PK\x03\x04",
    ] {
        assert_eq!(refusal(other), unsupported, "{other:?}");
    }
    let unreadable = (422, "image_unreadable".to_owned());
    for format in [ImageFormat::Jpeg, ImageFormat::Png, ImageFormat::WebP, ImageFormat::Gif] {
        let whole = packed(&picture(60, 40), format);
        for length in [whole.len().min(14), whole.len() / 4] {
            assert_eq!(refusal(&whole[..length]), unreadable, "{format:?} {length}");
        }
    }
    assert_eq!(refusal(&png_of(0, 10)), unreadable);
    assert_eq!(refusal(&png_of(10, 10)), unreadable);
}

#[test]
fn no_byte_that_is_changed_brings_it_down() {
    // Every byte of a file once turned around: an answer comes, whichever.
    for format in [ImageFormat::Jpeg, ImageFormat::Png, ImageFormat::WebP, ImageFormat::Gif] {
        let whole = with_exif_if_jpeg(&packed(&picture(24, 16), format), format);
        for place in 0..whole.len() {
            let mut changed = whole.clone();
            changed[place] ^= 0xff;
            let _whichever = made(&changed, json!({ "width": 8 }), true);
        }
    }
}

fn with_exif_if_jpeg(content: &[u8], format: ImageFormat) -> Vec<u8> {
    if format == ImageFormat::Jpeg { with_exif(content, 8) } else { content.to_vec() }
}
