//! Handing out a file: whole, in part, or not again where the client has it.
//!
//! Invariant: a browser saves it and does not show it, whatever stands in it.

use std::ops::Range;

use axum::body::Body;
use axum::response::Response;
use http::{HeaderMap, HeaderValue, StatusCode, header};
use kernel::{Blob, BlobInfo, BlobKey, Blobs, Error, Result};

/// Answers with a file.
pub(crate) async fn hand_out(blobs: &dyn Blobs, key: &BlobKey, name: &str, headers: &HeaderMap) -> Result<Response> {
    let Some(info) = blobs.head(key).await? else { return Err(gone()) };
    let etag = format!("\"{}\"", info.etag);
    if is_same(headers, header::IF_NONE_MATCH, &etag) {
        let mut response = Response::new(Body::empty());
        *response.status_mut() = StatusCode::NOT_MODIFIED;
        response.headers_mut().insert(header::ETAG, value(&etag)?);
        return Ok(response);
    }
    // Of a file that is another by now a part is of no use.
    let wants_part = !headers.contains_key(header::IF_RANGE) || is_same(headers, header::IF_RANGE, &etag);
    let range = headers.get(header::RANGE).filter(|_| wants_part).and_then(|range| wanted(range.to_str().ok()?, info.bytes));
    let blob = match blobs.get(key, range.clone()).await {
        Ok(blob) => blob,
        Err(error) if error.code() == "blob_not_found" => return Err(gone()),
        Err(error) => return Err(error),
    };
    answer(blob, range.is_some(), name, &etag)
}

fn answer(blob: Blob, is_part: bool, name: &str, etag: &str) -> Result<Response> {
    let Blob { info, range, content } = blob;
    let mut response = Response::new(Body::from_stream(content));
    if is_part {
        *response.status_mut() = StatusCode::PARTIAL_CONTENT;
        let said = format!("bytes {}-{}/{}", range.start, range.end.saturating_sub(1), info.bytes);
        response.headers_mut().insert(header::CONTENT_RANGE, value(&said)?);
    }
    let headers = response.headers_mut();
    headers.insert(header::CONTENT_TYPE, HeaderValue::from_static(media(&info)));
    headers.insert(header::CONTENT_LENGTH, HeaderValue::from(range.end.saturating_sub(range.start)));
    headers.insert(header::CONTENT_DISPOSITION, value(&format!("attachment; filename=\"{}\"", plain(name)))?);
    headers.insert(header::ETAG, value(etag)?);
    headers.insert(header::ACCEPT_RANGES, HeaderValue::from_static("bytes"));
    headers.insert(header::CACHE_CONTROL, HeaderValue::from_static("private, no-store"));
    headers.insert(header::CONTENT_SECURITY_POLICY, HeaderValue::from_static("default-src 'none'; style-src 'unsafe-inline'; sandbox"));
    headers.insert(header::REFERRER_POLICY, HeaderValue::from_static("no-referrer"));
    Ok(response)
}

/// Reads `bytes=from-to`, `bytes=from-` and `bytes=-last`. Several ranges, and what is none, are answered with the whole, as is allowed.
fn wanted(text: &str, bytes: u64) -> Option<Range<u64>> {
    let (from, to) = text.strip_prefix("bytes=")?.split_once('-')?;
    if from.is_empty() {
        let last: u64 = to.parse().ok()?;
        return Some(bytes.saturating_sub(last)..bytes);
    }
    let from: u64 = from.parse().ok()?;
    let to: u64 = if to.is_empty() { u64::MAX } else { to.parse().ok()? };
    (from <= to).then_some(from..to.saturating_add(1))
}

fn is_same(headers: &HeaderMap, name: header::HeaderName, etag: &str) -> bool {
    let Some(said) = headers.get(name).and_then(|value| value.to_str().ok()) else { return false };
    said.split(',').any(|one| one.trim() == etag || one.trim() == "*")
}

fn media(info: &BlobInfo) -> &'static str {
    match info.key.as_str().rsplit('.').next() {
        Some("csv") => "text/csv; charset=utf-8; header=present",
        Some("json") => "application/json; charset=utf-8",
        Some("ndjson") => "application/x-ndjson; charset=utf-8",
        Some("html") => "text/html; charset=utf-8",
        _ => "application/octet-stream",
    }
}

/// Returns a name without what would end it or be read otherwise elsewhere.
pub(crate) fn plain(name: &str) -> String {
    name.chars().map(|c| if c.is_ascii_alphanumeric() || "-_. ".contains(c) { c } else { '_' }).take(120).collect()
}

fn value(text: &str) -> Result<HeaderValue> {
    HeaderValue::from_str(text).map_err(Error::internal)
}

fn gone() -> Error {
    Error::new(kernel::Kind::NotFound, "file_not_found", "There is no such file, or it was taken away")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_range_is_read_as_it_is_meant() {
        for (text, range) in [
            ("bytes=0-0", Some(0..1)),
            ("bytes=5-", Some(5..u64::MAX)),
            ("bytes=-3", Some(7..10)),
            ("bytes=-30", Some(0..10)),
            ("bytes=3-2", None),
            ("bytes=0-1,3-4", None),
            ("lines=0-1", None),
            ("bytes=x-1", None),
        ] {
            assert_eq!(wanted(text, 10), range, "{text}");
        }
    }

    #[test]
    fn a_name_ends_no_header() {
        assert_eq!(plain("a\"b\r\nc/ä.csv"), "a_b__c__.csv");
    }
}
