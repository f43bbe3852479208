//! What a request of S3 asks: where, with which words in the query, and with which body.
//!
//! Invariant: a body of XML is read for the few elements that there are; it names no other document, and is no larger than its limit.

use axum::body::{Body, to_bytes};
use futures_util::{StreamExt as _, TryStreamExt as _};
use http::request::Parts;
use kernel::{BlobStream, Error, Kind, Result};

use super::checksum::Sum;
use super::chunks::{Expected, Form, Signing, unwrapped};
use super::listing::KEPT;
use super::signature::{Shown, SigningKey, UNSIGNED_PAYLOAD, hex, pairs, unhex};
use crate::{Caller, Storage};

/// A request that was found to be somebody's.
pub(super) struct Request {
    pub(super) storage: Storage,
    pub(super) caller: Caller,
    /// By what uploads in parts know him.
    pub(super) asker: String,
    pub(super) parts: Parts,
    pub(super) bucket: String,
    pub(super) key: String,
    /// Where he takes this server to be.
    pub(super) region: String,
    query: Vec<(String, String)>,
    form: Form,
    payload: String,
}

impl Request {
    /// Puts together what was asked and by whom.
    pub(super) fn new(storage: Storage, caller: Caller, parts: Parts, (shown, key): (&Shown, SigningKey), path: &str) -> Result<Self> {
        let (bucket, name) = path.trim_start_matches('/').split_once('/').unwrap_or((path.trim_start_matches('/'), ""));
        let text = |encoded: &str| {
            let decoded = percent_encoding::percent_decode_str(encoded).decode_utf8();
            decoded.map(std::borrow::Cow::into_owned).map_err(|error| invalid("The path is no text").with_source(error))
        };
        let before = hex(&shown.signature);
        let form = match shown.payload.as_str() {
            "STREAMING-AWS4-HMAC-SHA256-PAYLOAD" | "STREAMING-AWS4-HMAC-SHA256-PAYLOAD-TRAILER" => {
                Form::Signed(Box::new(Signing { key, time: shown.time.clone(), scope: shown.scope.clone(), before }))
            }
            "STREAMING-UNSIGNED-PAYLOAD-TRAILER" => Form::Unsigned,
            UNSIGNED_PAYLOAD => Form::Plain,
            digest if unhex(digest).is_some_and(|digest| digest.len() == 32) => Form::Plain,
            _ => return Err(not_implemented("This x-amz-content-sha256")),
        };
        Ok(Self {
            region: shown
                .scope
                .split('/')
                .find(|part| !part.is_empty() && !part.bytes().all(|byte| byte.is_ascii_digit()))
                .unwrap_or_default()
                .to_owned(),
            asker: crate::parts::asker(&caller),
            bucket: text(bucket)?,
            key: text(name)?,
            query: pairs(parts.uri.query().unwrap_or_default())?,
            payload: shown.payload.clone(),
            storage,
            caller,
            parts,
            form,
        })
    }

    /// Returns a word of the query.
    pub(super) fn asked(&self, name: &str) -> Option<&str> {
        self.query.iter().find(|(key, _)| key == name).map(|(_, value)| value.as_str())
    }

    /// Returns a header as text.
    pub(super) fn header(&self, name: &str) -> Option<&str> {
        self.parts.headers.get(name)?.to_str().ok().map(str::trim)
    }

    /// How many bytes the object has that comes.
    pub(super) fn length(&self) -> Result<Option<u64>> {
        let said = self.header("x-amz-decoded-content-length").or_else(|| self.header("content-length"));
        said.map(|said| said.parse().map_err(|_error| invalid("The length is no number"))).transpose()
    }

    /// Returns the bytes that come, held against what was signed and what they must come out as.
    pub(super) fn content(&self, body: Body) -> BlobStream {
        let mut sums = Vec::new();
        if matches!(self.form, Form::Plain) && self.payload != UNSIGNED_PAYLOAD {
            sums.push(Expected { name: "x-amz-content-sha256".to_owned(), said: Some(self.payload.clone()), sum: Sum::sha256() });
        }
        for (name, value) in &self.parts.headers {
            if let (Some(sum), Ok(said)) = (Sum::of_header(name.as_str()), value.to_str()) {
                sums.push(Expected { name: name.to_string(), said: Some(said.trim().to_owned()), sum });
            }
        }
        for name in self.header("x-amz-trailer").unwrap_or_default().split(',').map(|name| name.trim().to_ascii_lowercase()) {
            if let Some(sum) = Sum::of_header(&name) {
                sums.push(Expected { name, said: None, sum });
            }
        }
        unwrapped(body.into_data_stream().map_err(|broken| incomplete().with_source(broken)).boxed(), self.form.clone(), sums)
    }

    /// Where an object is for whoever asks, as he asks.
    pub(super) fn location(&self) -> String {
        let place = |text: &str| percent_encoding::utf8_percent_encode(text, KEPT).to_string();
        let server = self.storage.asked_at(&self.parts.extensions);
        format!("{server}/storage/v1/s3/{}/{}", place(&self.bucket), place(&self.key))
    }

    /// Reads a body of XML, which may have so many bytes if that is more than others may.
    pub(super) async fn document(&self, body: Body, bytes_max: usize) -> Result<String> {
        let bytes_max = bytes_max.max(self.storage.config().json_bytes_max);
        let body = Body::from_stream(self.content(body));
        let bytes = to_bytes(body, bytes_max).await.map_err(|error| invalid("The body is too large, or broke off").with_source(error))?;
        String::from_utf8(bytes.to_vec()).map_err(|error| malformed_xml().with_source(error))
    }
}

/// Returns the contents of every element of a name, of elements that do not stand in each other.
pub(super) fn elements<'a>(document: &'a str, name: &str) -> Result<Vec<&'a str>> {
    let (begin, end) = (format!("<{name}>"), format!("</{name}>"));
    let mut found = Vec::new();
    let mut rest = document;
    while let Some((_, behind)) = rest.split_once(begin.as_str()) {
        let (inside, behind) = behind.split_once(end.as_str()).ok_or_else(malformed_xml)?;
        found.push(inside);
        rest = behind;
    }
    Ok(found)
}

/// Returns what a text of XML says.
pub(super) fn unescaped(text: &str) -> Result<String> {
    let mut said = String::with_capacity(text.len());
    let mut rest = text;
    while let Some((before, behind)) = rest.split_once('&') {
        said.push_str(before);
        let (name, behind) = behind.split_once(';').ok_or_else(malformed_xml)?;
        said.push(match name {
            "amp" => '&',
            "lt" => '<',
            "gt" => '>',
            "quot" => '"',
            "apos" => '\'',
            name => {
                let number = name.strip_prefix('#').ok_or_else(malformed_xml)?;
                let number = number.strip_prefix('x').map_or_else(|| number.parse().ok(), |number| u32::from_str_radix(number, 16).ok());
                number.and_then(char::from_u32).ok_or_else(malformed_xml)?
            }
        });
        rest = behind;
    }
    said.push_str(rest);
    Ok(said)
}

pub(super) fn invalid(message: impl Into<std::borrow::Cow<'static, str>>) -> Error {
    Error::new(Kind::BadRequest, "InvalidArgument", message)
}

pub(super) fn not_implemented(what: &str) -> Error {
    Error::new(Kind::Status(501), "NotImplemented", format!("{what} is not known here"))
}

pub(super) fn malformed_xml() -> Error {
    Error::new(Kind::BadRequest, "MalformedXML", "The body is not the XML that this takes")
}

fn incomplete() -> Error {
    Error::new(Kind::BadRequest, "IncompleteBody", "The body ended before its end")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_elements_that_there_are_are_read() {
        let document = "<Delete><Object><Key>a&amp;b&#x20;c&#33;</Key></Object><Object><Key>d</Key></Object></Delete>";
        let keys = elements(document, "Key").unwrap();
        assert_eq!(keys.iter().map(|key| unescaped(key).unwrap()).collect::<Vec<_>>(), ["a&b c!", "d"]);
        assert!(elements("<Key>", "Key").is_err());
        for bad in ["&", "&x;", "&#xd800;", "&#;", "&amp"] {
            assert_eq!(unescaped(bad).unwrap_err().code(), "MalformedXML", "{bad}");
        }
    }
}
