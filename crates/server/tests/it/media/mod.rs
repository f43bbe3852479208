//! What stands on buckets and objects: images, uploads in parts.

mod images;
mod pdf;
mod previews;
mod tus;

use std::io::Cursor;

use image::{DynamicImage, ImageFormat, Rgb, RgbImage};
use reqwest::RequestBuilder;

use crate::rates::Person;
use crate::transfers::shop::Shop;

/// What came back, byte for byte.
struct Came {
    status: u16,
    headers: http::HeaderMap,
    body: bytes::Bytes,
}

impl Came {
    fn header(&self, name: &str) -> &str {
        self.headers.get(name).map_or("", |value| value.to_str().unwrap())
    }

    fn json(&self) -> serde_json::Value {
        serde_json::from_slice(&self.body).unwrap_or_default()
    }

    fn text(&self) -> String {
        String::from_utf8_lossy(&self.body).into_owned()
    }

    /// What was answered where errors are texts.
    fn told(&self) -> (u16, String) {
        (self.status, self.text())
    }

    fn code(&self) -> (u16, String) {
        (self.status, self.json()["code"].as_str().unwrap_or_default().to_owned())
    }
}

/// Asks without any header of its own.
fn ask(shop: &Shop, method: &str, path: &str, who: Option<&Person>) -> RequestBuilder {
    let request = shop.server.client.request(method.parse().unwrap(), format!("{}/storage/v1{path}", shop.server.address));
    match who {
        Some(who) => request.bearer_auth(&who.token).header("x-company-id", &who.company),
        None => request,
    }
}

async fn send(request: RequestBuilder) -> Came {
    let answer = request.send().await.unwrap();
    Came { status: answer.status().as_u16(), headers: answer.headers().clone(), body: answer.bytes().await.unwrap() }
}

async fn upload(shop: &Shop, who: &Person, path: &str, kind: &str, content: Vec<u8>) {
    let came = send(ask(shop, "POST", &format!("/object/{path}"), Some(who)).header("content-type", kind).body(content)).await;
    assert_eq!(came.status, 200, "{}", came.json());
}

pub(crate) fn picture(width: u32, height: u32, format: ImageFormat) -> Vec<u8> {
    let mut bytes = Cursor::new(Vec::new());
    let picture = RgbImage::from_fn(width, height, |x, y| Rgb([u8::try_from(x % 256).unwrap(), u8::try_from(y % 256).unwrap(), 60]));
    DynamicImage::ImageRgb8(picture).write_to(&mut bytes, format).unwrap();
    bytes.into_inner()
}
