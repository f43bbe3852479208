//! The headers of TUS.
//!
//! Invariant: parsed once; what is none of the protocol's is refused with a word on what is.

use aws_lc_rs::digest::{Algorithm, SHA1_FOR_LEGACY_USE_ONLY, SHA256};
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use http::{HeaderMap, HeaderName};
use kernel::{Error, Kind, Result};
use serde_json::Value;

use crate::{Upload, failure};

/// The version of the protocol.
pub(super) const VERSION: &str = "1.0.0";
/// What of it is there beside its core.
pub(super) const EXTENSIONS: &str = "creation,creation-with-upload,creation-defer-length,checksum,expiration,termination";
/// What bytes can be checked with.
pub(super) const CHECKSUMS: &str = "sha1,sha256";

pub(super) const TUS_RESUMABLE: HeaderName = HeaderName::from_static("tus-resumable");
pub(super) const TUS_VERSION: HeaderName = HeaderName::from_static("tus-version");
/// Says that an upload is at its end.
pub(super) const TUS_COMPLETE: HeaderName = HeaderName::from_static("tus-complete");
pub(super) const UPLOAD_OFFSET: HeaderName = HeaderName::from_static("upload-offset");
pub(super) const UPLOAD_LENGTH: HeaderName = HeaderName::from_static("upload-length");
pub(super) const UPLOAD_DEFER_LENGTH: HeaderName = HeaderName::from_static("upload-defer-length");
pub(super) const UPLOAD_METADATA: HeaderName = HeaderName::from_static("upload-metadata");
pub(super) const UPLOAD_EXPIRES: HeaderName = HeaderName::from_static("upload-expires");
const UPLOAD_CHECKSUM: HeaderName = HeaderName::from_static("upload-checksum");
/// Says that an upload is a part of another one, or is made of others.
const UPLOAD_CONCAT: HeaderName = HeaderName::from_static("upload-concat");

/// Letters of `Upload-Metadata`.
const METADATA_MAX: usize = 8192;

/// What the bytes of a request must come out as.
#[derive(Debug)]
pub(super) struct Checksum {
    pub(super) algorithm: &'static Algorithm,
    pub(super) expected: Vec<u8>,
}

/// Refuses a client of another version.
pub(super) fn check_version(headers: &HeaderMap) -> Result<()> {
    if text(headers, &TUS_RESUMABLE)? == Some(VERSION) {
        return Ok(());
    }
    Err(Error::new(Kind::Status(412), "tus_version_unsupported", "Tus-Resumable is 1.0.0 here"))
}

/// Refuses an upload that is to be put together from others: taken for one by itself it would become an object that nobody asked for.
pub(super) fn check_extensions(headers: &HeaderMap) -> Result<()> {
    if !headers.contains_key(UPLOAD_CONCAT) {
        return Ok(());
    }
    Err(Error::new(
        Kind::BadRequest,
        "tus_concatenation_unsupported",
        "Upload-Concat is not known here: Tus-Extension has no concatenation; send the file as one upload, without parallel uploads",
    ))
}

/// Reads a header that is a number of bytes.
pub(super) fn number(headers: &HeaderMap, name: &HeaderName) -> Result<Option<u64>> {
    let Some(text) = text(headers, name)? else { return Ok(None) };
    let is_number = !text.is_empty() && text.len() <= 19 && text.bytes().all(|byte| byte.is_ascii_digit());
    match text.parse().ok().filter(|_| is_number) {
        Some(number) => Ok(Some(number)),
        None => Err(invalid(format!("{name} is a number of bytes"))),
    }
}

/// Whether the length is said later.
pub(super) fn is_deferred(headers: &HeaderMap) -> Result<bool> {
    match text(headers, &UPLOAD_DEFER_LENGTH)? {
        None => Ok(false),
        Some("1") => Ok(true),
        Some(_) => Err(invalid("Upload-Defer-Length is 1")),
    }
}

/// Reads what the bytes of this request must come out as.
pub(super) fn checksum(headers: &HeaderMap) -> Result<Option<Checksum>> {
    let Some(text) = text(headers, &UPLOAD_CHECKSUM)? else { return Ok(None) };
    let (name, digest) = text.split_once(' ').unwrap_or((text, ""));
    let algorithm = match name {
        "sha1" => &SHA1_FOR_LEGACY_USE_ONLY,
        "sha256" => &SHA256,
        _ => return Err(invalid("Upload-Checksum is sha1 or sha256, a space, and the digest in base64")),
    };
    let expected = STANDARD.decode(digest.trim()).ok().filter(|digest| digest.len() == algorithm.output_len());
    let expected = expected.ok_or_else(|| invalid("Upload-Checksum is sha1 or sha256, a space, and the digest in base64"))?;
    Ok(Some(Checksum { algorithm, expected }))
}

/// Reads what is uploaded. Returns it with what the client said word for word.
pub(super) fn upload(headers: &HeaderMap, length: Option<u64>, metadata_max: usize) -> Result<(Upload, String)> {
    let said = text(headers, &UPLOAD_METADATA)?.unwrap_or_default();
    if said.len() > METADATA_MAX {
        return Err(invalid(format!("Upload-Metadata has at most {METADATA_MAX} letters")));
    }
    let mut upload = Upload {
        bucket: String::new(),
        name: String::new(),
        content_type: "application/octet-stream".to_owned(),
        cache_control: "no-cache".to_owned(),
        user_metadata: None,
        upsert: text(headers, &HeaderName::from_static("x-upsert"))?.is_some_and(|said| said.eq_ignore_ascii_case("true")),
        length,
        again: None,
    };
    for pair in said.split(',').map(str::trim).filter(|pair| !pair.is_empty()) {
        let (key, value) = pair.split_once(' ').unwrap_or((pair, ""));
        let value = STANDARD.decode(value.trim()).ok().and_then(|bytes| String::from_utf8(bytes).ok());
        let value = value.ok_or_else(|| invalid("Upload-Metadata has keys and values, the values in base64"))?;
        match key {
            "bucketName" => upload.bucket = value,
            "objectName" => upload.name = value,
            "contentType" if !value.is_empty() => upload.content_type = value,
            "cacheControl" if value.bytes().all(|byte| byte.is_ascii_digit()) && !value.is_empty() => {
                upload.cache_control = format!("max-age={value}");
            }
            "cacheControl" if !value.is_empty() => upload.cache_control = value,
            "metadata" if value.len() > metadata_max => return Err(failure::too_much_metadata()),
            // What is no JSON is nothing.
            "metadata" => upload.user_metadata = serde_json::from_str(&value).ok().filter(|said: &Value| !said.is_null()),
            _ => {}
        }
    }
    let is_header = |value: &str| value.bytes().all(|byte| (0x20..0x7f).contains(&byte));
    if upload.bucket.is_empty() || upload.name.is_empty() || !is_header(&upload.content_type) || !is_header(&upload.cache_control) {
        return Err(invalid("Upload-Metadata has bucketName and objectName, and contentType and cacheControl as headers have them"));
    }
    Ok((upload, said.to_owned()))
}

/// Reads a header as text.
pub(super) fn text<'a>(headers: &'a HeaderMap, name: &HeaderName) -> Result<Option<&'a str>> {
    let text = headers.get(name).map(|value| value.to_str().map(str::trim)).transpose();
    text.map_err(|error| invalid(format!("{name} cannot be read")).with_source(error))
}

pub(super) fn invalid(message: impl Into<std::borrow::Cow<'static, str>>) -> Error {
    Error::new(Kind::BadRequest, "tus_request_invalid", message)
}

#[cfg(test)]
mod tests {
    use http::HeaderValue;

    use super::*;

    #[test]
    fn tus_uploads_are_put_together_from_no_others() {
        let mut headers = HeaderMap::new();
        assert!(check_extensions(&headers).is_ok());
        for said in ["partial", "final;/upload/resumable/1 /upload/resumable/2", "", "anything"] {
            headers.insert("upload-concat", HeaderValue::from_static(said));
            let refused = check_extensions(&headers).unwrap_err();
            assert_eq!((refused.status().as_u16(), refused.code()), (400, "tus_concatenation_unsupported"), "{said}");
        }
        // What cannot be read is no way around it.
        headers.insert("upload-concat", HeaderValue::from_bytes(b"\xff").unwrap());
        assert_eq!(check_extensions(&headers).unwrap_err().code(), "tus_concatenation_unsupported");
    }

    #[test]
    fn tus_extensions_are_said_as_they_are() {
        let there: Vec<_> = EXTENSIONS.split(',').collect();
        assert_eq!(there, ["creation", "creation-with-upload", "creation-defer-length", "checksum", "expiration", "termination"]);
    }
}
