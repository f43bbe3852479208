//! Handing out an object: whole, in part, or not again where the client has it.
//!
//! Invariant: what somebody uploaded runs nothing in a browser: whatever is not known to be harmless is shut into a sandbox, and is never
//! taken for another type than it was said to be.

use std::ops::Range;

use axum::body::Body;
use axum::response::Response;
use http::{HeaderMap, HeaderValue, Method, StatusCode, header};
use jiff::Timestamp;
use kernel::{Error, Result};
use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, utf8_percent_encode};

use crate::Storage;
use crate::objects::Object;

/// Letters of a name that stay as they are in a header, as `encodeURIComponent` has them.
const KEPT: &AsciiSet =
    &NON_ALPHANUMERIC.remove(b'.').remove(b'-').remove(b'_').remove(b'~').remove(b'!').remove(b'\'').remove(b'(').remove(b')').remove(b'*');
/// What keeps a page from doing anything.
pub(crate) const SANDBOX: HeaderValue = HeaderValue::from_static("default-src 'none'; style-src 'unsafe-inline'; sandbox");
/// A year.
const FOREVER: &str = "max-age=31536000, immutable";

/// How an object is asked for.
#[derive(Clone, Debug, Default)]
pub(crate) struct Asked {
    /// Whether it is only asked about.
    pub(crate) only_head: bool,
    /// The name under which it is to be saved; empty for its own.
    pub(crate) download: Option<String>,
    /// Whether it was asked for by its version, which has the same bytes forever.
    pub(crate) is_versioned: bool,
    /// Whether others on the way may keep it.
    pub(crate) is_public: bool,
    /// When the link ends by which it was asked for: nobody may keep it for longer.
    pub(crate) until: Option<Timestamp>,
    /// The headers.
    pub(crate) headers: HeaderMap,
}

impl Asked {
    pub(crate) fn new(method: &Method, headers: HeaderMap) -> Self {
        Self { only_head: *method == Method::HEAD, headers, ..Self::default() }
    }
}

impl Storage {
    /// Answers with an object.
    pub(crate) async fn serve(&self, object: Object, asked: &Asked) -> Result<Response> {
        let etag = format!("\"{}\"", object.etag);
        if is_unchanged(&asked.headers, &etag, object.modified_at) {
            let mut response = Response::new(Body::empty());
            *response.status_mut() = StatusCode::NOT_MODIFIED;
            write_keeping(response.headers_mut(), &object, (asked, self.now()), &etag)?;
            return Ok(response);
        }
        let size = object.size;
        // Of an object that is another by now a part is of no use.
        let wants_part = asked.headers.get(header::IF_RANGE).is_none_or(|said| said.to_str().is_ok_and(|said| said == etag));
        let range = asked.headers.get(header::RANGE).filter(|_| wants_part).and_then(|range| wanted(range.to_str().ok()?, size));
        let (mut response, range, is_part) = if asked.only_head {
            (Response::new(Body::empty()), 0..size, false)
        } else {
            let opened = match self.open_found(object.clone(), range.clone()).await {
                Ok(opened) => opened,
                Err(error) if error.code() == "InvalidRange" => return unsatisfiable(error, size),
                Err(error) => return Err(error),
            };
            metrics::counter!("storage_bytes_downloaded_total").increment(opened.range.end.saturating_sub(opened.range.start));
            (Response::new(Body::from_stream(opened.content)), opened.range, range.is_some())
        };
        if is_part {
            *response.status_mut() = StatusCode::PARTIAL_CONTENT;
            let said = format!("bytes {}-{}/{size}", range.start, range.end.saturating_sub(1));
            response.headers_mut().insert(header::CONTENT_RANGE, text(&said)?);
        }
        let headers = response.headers_mut();
        headers.insert(header::CONTENT_LENGTH, HeaderValue::from(range.end.saturating_sub(range.start)));
        headers.insert(header::CONTENT_TYPE, text(&object.content_type).unwrap_or(HeaderValue::from_static("application/octet-stream")));
        if let Some(name) = &asked.download {
            headers.insert(header::CONTENT_DISPOSITION, disposition(name)?);
        }
        write_keeping(headers, &object, (asked, self.now()), &etag)?;
        Ok(response)
    }
}

/// Writes what others on the way may do with an answer, and what a browser may not.
fn write_keeping(headers: &mut HeaderMap, object: &Object, (asked, now): (&Asked, Timestamp), etag: &str) -> Result<()> {
    headers.insert(header::ETAG, text(etag)?);
    headers.insert(header::LAST_MODIFIED, text(&http_date(object.modified_at))?);
    headers.insert(header::ACCEPT_RANGES, HeaderValue::from_static("bytes"));
    let said = if asked.is_versioned { FOREVER } else { object.cache_control.as_str() };
    let keeping = match (asked.is_public, said) {
        (_, "") => "no-cache".to_owned(),
        (true, said) => said.to_owned(),
        (false, said) => match asked.until {
            Some(until) => format!("private, {}", within(said, until.as_second().saturating_sub(now.as_second()).max(0))),
            None => format!("private, {said}"),
        },
    };
    if let Some(until) = asked.until {
        headers.insert(header::EXPIRES, text(&http_date(until))?);
    }
    headers.insert(header::CACHE_CONTROL, text(&keeping).unwrap_or(HeaderValue::from_static("no-cache")));
    headers.insert("x-robots-tag", HeaderValue::from_static("none"));
    headers.insert(header::X_CONTENT_TYPE_OPTIONS, HeaderValue::from_static("nosniff"));
    if !is_harmless(&object.content_type) {
        headers.insert(header::CONTENT_SECURITY_POLICY, SANDBOX);
    }
    Ok(())
}

/// Returns what is said about keeping, with no time in it that is longer than this.
fn within(said: &str, seconds: i64) -> String {
    let shorter = |part: &str| match part.trim().split_once('=') {
        Some((name, time))
            if time
                .trim()
                .trim_matches('"')
                .parse::<u64>()
                .map_or(true, |time| i64::try_from(time).map_or(true, |time| time > seconds)) =>
        {
            format!("{name}={seconds}")
        }
        _ => part.trim().to_owned(),
    };
    said.split(',').map(shorter).collect::<Vec<_>>().join(", ")
}

/// Tells whether a browser that shows it runs nothing of it.
pub(crate) fn is_harmless(content_type: &str) -> bool {
    // A browser takes the last of several types that stand in one header.
    if content_type.contains(',') || content_type.contains(|letter: char| letter.is_control()) {
        return false;
    }
    let essence = content_type.split(';').next().unwrap_or_default().trim().to_ascii_lowercase();
    let is_token =
        |part: &str| !part.is_empty() && part.chars().all(|letter| letter.is_ascii_alphanumeric() || "!#$&^_.+-".contains(letter));
    if !essence.split_once('/').is_some_and(|(sort, rest)| is_token(sort) && is_token(rest)) {
        return false;
    }
    match essence.split_once('/') {
        Some(("image", sort)) => !sort.contains("svg") && !sort.contains("xml"),
        Some(("audio" | "video" | "font", sort)) => !sort.contains("xml"),
        _ => matches!(essence.as_str(), "application/pdf" | "text/plain" | "application/json" | "application/zip"),
    }
}

fn is_unchanged(headers: &HeaderMap, etag: &str, modified_at: Timestamp) -> bool {
    let said = |name| headers.get(name).and_then(|value: &HeaderValue| value.to_str().ok());
    if let Some(tags) = said(header::IF_NONE_MATCH) {
        return tags.split(',').map(str::trim).any(|tag| tag == "*" || tag.trim_start_matches("W/") == etag);
    }
    let since = said(header::IF_MODIFIED_SINCE).and_then(|date| jiff::fmt::rfc2822::parse(date).ok());
    since.is_some_and(|since| modified_at.as_second() <= since.timestamp().as_second())
}

/// Reads `bytes=from-to`, `bytes=from-` and `bytes=-last`. Several ranges, and what is none, are answered with the whole, as is allowed.
pub(crate) fn wanted(text: &str, bytes: u64) -> Option<Range<u64>> {
    let (from, to) = text.strip_prefix("bytes=")?.split_once('-')?;
    if from.is_empty() {
        let last: u64 = to.parse().ok()?;
        return Some(bytes.saturating_sub(last)..bytes);
    }
    let from: u64 = from.parse().ok()?;
    let to: u64 = if to.is_empty() { u64::MAX } else { to.parse().ok()? };
    (from <= to).then(|| from..to.saturating_add(1))
}

fn unsatisfiable(error: Error, bytes: u64) -> Result<Response> {
    use axum::response::IntoResponse as _;
    let mut response = error.into_response();
    response.headers_mut().insert(header::CONTENT_RANGE, text(&format!("bytes */{bytes}"))?);
    Ok(response)
}

/// Says that an answer is to be saved, under which name if one is given.
fn disposition(name: &str) -> Result<HeaderValue> {
    if name.is_empty() {
        return Ok(HeaderValue::from_static("attachment;"));
    }
    let encoded = utf8_percent_encode(name, KEPT).to_string();
    text(&format!("attachment; filename={encoded}; filename*=UTF-8''{encoded}"))
}

fn http_date(time: Timestamp) -> String {
    time.strftime("%a, %d %b %Y %H:%M:%S GMT").to_string()
}

fn text(text: &str) -> Result<HeaderValue> {
    HeaderValue::from_str(text).map_err(Error::internal)
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
            ("bytes=3-2", None),
            ("bytes=0-1,3-4", None),
            ("lines=0-1", None),
        ] {
            assert_eq!(wanted(text, 10), range, "{text}");
        }
    }

    #[test]
    fn many_ranges_and_numbers_that_are_none_ask_for_the_whole() {
        let many = format!("bytes={}", ["0-"; 1000].join(","));
        for text in
            [many.as_str(), "bytes=", "bytes=-", "bytes=--1", "bytes=a-b", "bytes=99999999999999999999-", "bytes=-99999999999999999999"]
        {
            assert_eq!(wanted(text, 10), None, "{text}");
        }
        // The largest numbers there are overflow nothing: from behind the end there is nothing, and of the last bytes no more than all.
        assert_eq!(wanted("bytes=18446744073709551615-18446744073709551615", 10), Some(u64::MAX..u64::MAX));
        assert_eq!(wanted("bytes=-18446744073709551615", 10), Some(0..10));
    }

    #[test]
    fn what_may_run_is_shut_in() {
        for harmful in [
            "text/html",
            "image/svg+xml",
            "IMAGE/SVG+XML; charset=utf-8",
            "application/xml",
            "text/xml",
            "application/xhtml+xml",
            "text/javascript",
            "",
            "x",
            "multipart/x-mixed-replace",
            "image/png,text/html",
            "image/png;,text/html",
            "text/plain;charset=utf-8, text/html",
            "image/png; name=\"a\", text/html",
            "image/png\ttext/html",
            "image/png text/html",
            "image/png/text/html",
        ] {
            assert!(!is_harmless(harmful), "{harmful}");
        }
        for harmless in ["image/png", "video/mp4", "application/pdf", "text/plain;charset=UTF-8"] {
            assert!(is_harmless(harmless), "{harmless}");
        }
    }

    #[test]
    fn a_name_to_save_under_ends_no_header() {
        assert_eq!(disposition("").unwrap(), "attachment;");
        assert_eq!(disposition("a (1)!'*.txt").unwrap(), "attachment; filename=a%20(1)!'*.txt; filename*=UTF-8''a%20(1)!'*.txt");
        let encoded = "a%22%0D%0Ab%3B%20%C3%A4.txt";
        assert_eq!(disposition("a\"\r\nb; ä.txt").unwrap(), format!("attachment; filename={encoded}; filename*=UTF-8''{encoded}"));
    }

    #[test]
    fn nothing_is_kept_for_longer_than_its_link() {
        for (said, expected) in [
            ("max-age=3600", "max-age=60"),
            ("public, max-age=30, s-maxage=\"90\", immutable", "public, max-age=30, s-maxage=60, immutable"),
            ("max-age=99999999999999999999", "max-age=60"),
            ("no-cache", "no-cache"),
        ] {
            assert_eq!(within(said, 60), expected, "{said}");
        }
    }

    #[test]
    fn what_the_client_has_is_not_sent_again() {
        let at = Timestamp::from_second(1_700_000_000).unwrap();
        assert_eq!(http_date(at), "Tue, 14 Nov 2023 22:13:20 GMT");
        let headers = |name, value: &str| HeaderMap::from_iter([(name, HeaderValue::from_str(value).unwrap())]);
        for (headers, expected) in [
            (headers(header::IF_NONE_MATCH, "\"x\", W/\"e\""), true),
            (headers(header::IF_NONE_MATCH, "\"x\""), false),
            (headers(header::IF_MODIFIED_SINCE, "Tue, 14 Nov 2023 22:13:20 GMT"), true),
            (headers(header::IF_MODIFIED_SINCE, "Tue, 14 Nov 2023 22:13:19 GMT"), false),
            (headers(header::IF_MODIFIED_SINCE, "yesterday"), false),
        ] {
            assert_eq!(is_unchanged(&headers, "\"e\"", at), expected, "{headers:?}");
        }
    }
}
