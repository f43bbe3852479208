//! Uploads by a form that somebody signed beforehand, as pages in browsers send them.
//!
//! Invariant: the form is held to its policy, and the policy to its signature, before a byte of the file is taken. From there on it is the
//! upload that its fields say, as if they were the headers of one.

use std::sync::Arc;

use axum::body::{Body, BodyDataStream};
use axum::response::Response;
use futures_util::{StreamExt as _, TryStreamExt as _, stream};
use http::request::Parts;
use http::{HeaderMap, HeaderName, HeaderValue, Method, StatusCode, header};
use kernel::{BlobStream, Error, Kind, Result};
use multer::{Constraints, Field, Multipart, SizeLimit};
use tokio::sync::Mutex;
use url::Url;

use super::answer::Xml;
use super::asked::{Request, invalid};
use super::checksum::Sum;
use super::credentials::identify;
use super::objects::{empty, etag_of};
use super::policy::Policy;
use super::signature::Shown;
use crate::routes::{drain, pieces};
use crate::{Storage, failure};

/// Bytes of one field that is no file.
const FIELD_BYTES_MAX: u64 = 20_480;
/// Fields of a form, and bytes of all of them.
const FIELDS_MAX: usize = 100;
const FIELDS_BYTES_MAX: usize = 65_536;
/// What stands in a field for the name that the file has where it comes from.
const FILENAME: &str = "${filename}";
/// Fields that say of the object what the headers of an upload say.
const SAYING: [&str; 3] = ["content-type", "cache-control", "content-md5"];

/// The fields before the file: names in small letters, each there once.
#[derive(Default)]
struct Fields(Vec<(String, String)>);

/// Whether a request sends a form to a bucket.
pub(super) fn is_form(parts: &Parts, path: &str) -> bool {
    let said = parts.headers.get(header::CONTENT_TYPE).and_then(|value| value.to_str().ok()).unwrap_or_default();
    let is_bucket = path.trim_start_matches('/').split_once('/').is_none_or(|(_, rest)| rest.is_empty());
    parts.method == Method::POST && is_bucket && said.to_ascii_lowercase().starts_with("multipart/form-data")
}

/// Takes what a form sends.
pub(super) async fn take(storage: Storage, parts: Parts, path: &str, body: Body) -> Result<Response> {
    let body = Arc::new(Mutex::new(body.into_data_stream()));
    let taken = Box::pin(read(storage, parts, path, Arc::clone(&body))).await;
    if taken.is_err() {
        drain(&body).await;
    }
    taken
}

async fn read(storage: Storage, parts: Parts, path: &str, body: Arc<Mutex<BodyDataStream>>) -> Result<Response> {
    let said = parts.headers.get(header::CONTENT_TYPE).and_then(|value| value.to_str().ok()).unwrap_or_default();
    let boundary = multer::parse_boundary(said).map_err(malformed)?;
    let sizes = SizeLimit::new().per_field(FIELD_BYTES_MAX).for_field("file", u64::MAX);
    let mut form = Multipart::with_constraints(pieces(body), boundary, Constraints::new().size_limit(sizes));
    let mut fields = Fields::default();
    loop {
        let field = form.next_field().await.map_err(malformed)?;
        let field = field.ok_or_else(|| invalid("The form has no file: it is the field `file`, behind all others"))?;
        let name = field.name().unwrap_or_default().to_owned();
        if name == "file" {
            fields.name_file(field.file_name().unwrap_or_default());
            return store(storage, parts, path, (fields, field)).await;
        }
        fields.add(&name, field.text().await.map_err(malformed)?)?;
    }
}

async fn store(storage: Storage, parts: Parts, path: &str, (mut fields, file): (Fields, Field<'static>)) -> Result<Response> {
    let now = storage.now();
    let shown = Shown::of_form(|name| fields.get(name), now)?;
    let (caller, signing) = identify(&storage, &shown, &parts).await?;
    let mut request = Request::new(storage, caller, parts, (&shown, signing), path)?;
    if fields.get("bucket").is_some_and(|said| said != request.bucket) {
        return Err(invalid("The field bucket is another one than the address says"));
    }
    fields.0.retain(|(name, _)| name != "bucket");
    fields.0.push(("bucket".to_owned(), request.bucket.clone()));
    let policy = Policy::read(fields.get("policy").unwrap_or_default())?;
    policy.check(&fields.0, now)?;
    request.key = fields.get("key").filter(|key| !key.is_empty()).ok_or_else(|| invalid("The form has no field key"))?.to_owned();
    request.parts.headers = fields.headers()?;
    let upload = request.upload(None).await?;
    let content = request.content(Body::from_stream(file.map_err(malformed)));
    let stored = request.storage.store(&request.caller, upload, within(content, *policy.bytes.start(), *policy.bytes.end())).await?;
    answer(&request, &fields, &format!("\"{}\"", etag_of(&stored.etag)))
}

/// Says that the file is there, as the form wants it said.
fn answer(request: &Request, fields: &Fields, etag: &str) -> Result<Response> {
    let location = request.location();
    let wanted = fields.get("success_action_redirect").or_else(|| fields.get("redirect"));
    let target = wanted.and_then(|url| Url::parse(url).ok()).filter(|url| matches!(url.scheme(), "http" | "https"));
    let mut response = match (target, fields.get("success_action_status")) {
        (Some(mut url), _) => {
            url.query_pairs_mut().append_pair("bucket", &request.bucket).append_pair("key", &request.key).append_pair("etag", etag);
            let mut response = empty(StatusCode::SEE_OTHER);
            response.headers_mut().insert(header::LOCATION, value(url.as_str())?);
            response
        }
        (None, Some("200")) => empty(StatusCode::OK),
        (None, Some("201")) => {
            let document = Xml::document("PostResponse", |xml| {
                xml.text("Location", &location).text("Bucket", &request.bucket).text("Key", &request.key).text("ETag", etag);
            });
            let mut response = document.answer();
            *response.status_mut() = StatusCode::CREATED;
            response
        }
        (None, _) => empty(StatusCode::NO_CONTENT),
    };
    let headers = response.headers_mut();
    headers.insert(header::ETAG, value(etag)?);
    if !headers.contains_key(header::LOCATION) {
        headers.insert(header::LOCATION, value(&location)?);
    }
    Ok(response)
}

impl Fields {
    fn get(&self, name: &str) -> Option<&str> {
        self.0.iter().find(|(field, _)| field == name).map(|(_, value)| value.as_str())
    }

    fn add(&mut self, name: &str, value: String) -> Result<()> {
        let name = name.to_ascii_lowercase();
        if self.get(&name).is_some() {
            return Err(invalid("A field is in the form twice"));
        }
        self.0.push((name, value));
        let bytes: usize = self.0.iter().map(|(name, value)| name.len().saturating_add(value.len())).sum();
        if self.0.len() > FIELDS_MAX || bytes > FIELDS_BYTES_MAX {
            return Err(too_much_before());
        }
        Ok(())
    }

    /// Writes the name that the file had, without its folders, where a field wants it. What is signed is as it was signed.
    fn name_file(&mut self, file: &str) {
        let file = file.rsplit(['/', '\\']).next().unwrap_or_default();
        for (name, value) in &mut self.0 {
            if name == "key" || name.starts_with("x-amz-meta-") || name.starts_with("success_action_") {
                *value = value.replace(FILENAME, file);
            }
        }
    }

    /// Returns what they say of the object, as headers.
    fn headers(&self) -> Result<HeaderMap> {
        let mut headers = HeaderMap::new();
        for (name, said) in &self.0 {
            let is_said = SAYING.contains(&name.as_str()) || name.starts_with("x-amz-meta-") || Sum::of_header(name).is_some();
            if is_said {
                let name = HeaderName::try_from(name.as_str()).map_err(|error| invalid("A field has no name").with_source(error))?;
                headers.insert(
                    name,
                    HeaderValue::from_str(said).map_err(|error| invalid("A field has letters that no header has").with_source(error))?,
                );
            }
        }
        Ok(headers)
    }
}

/// Passes bytes on that are as many as the policy says; others break off with an error.
fn within(content: BlobStream, least: u64, most: u64) -> BlobStream {
    let passing = stream::try_unfold((content, 0_u64), move |(mut content, bytes)| async move {
        match content.try_next().await? {
            None if bytes < least => Err(Error::new(Kind::BadRequest, "EntityTooSmall", "The file has fewer bytes than the policy says")),
            None => Ok(None),
            Some(piece) => {
                let bytes = bytes.saturating_add(u64::try_from(piece.len()).unwrap_or(u64::MAX));
                if bytes > most { Err(failure::too_large()) } else { Ok(Some((piece, (content, bytes)))) }
            }
        }
    });
    passing.boxed()
}

fn value(text: &str) -> Result<HeaderValue> {
    HeaderValue::from_str(text).map_err(Error::internal)
}

/// The body is no form, or broke off.
fn malformed(error: multer::Error) -> Error {
    match error {
        multer::Error::FieldSizeExceeded { .. } => too_much_before(),
        error => Error::new(Kind::BadRequest, "MalformedPOSTRequest", "The body is no form, or broke off").with_source(error),
    }
}

fn too_much_before() -> Error {
    Error::new(Kind::BadRequest, "MaxPostPreDataLengthExceeded", "The fields before the file are too many, or too large")
}

#[cfg(test)]
mod tests {
    use super::*;
    use bytes::Bytes;

    async fn passed(least: u64, most: u64) -> String {
        let pieces = ["ab", "", "cd"].map(|piece| Ok(Bytes::from_static(piece.as_bytes())));
        let passed: Result<Vec<Bytes>> = within(stream::iter(pieces).boxed(), least, most).try_collect().await;
        passed.map_or_else(|error| error.code().to_owned(), |pieces| String::from_utf8(pieces.concat()).unwrap())
    }

    #[tokio::test]
    async fn a_file_has_as_many_bytes_as_it_may() {
        assert_eq!(passed(0, u64::MAX).await, "abcd");
        assert_eq!(passed(4, 4).await, "abcd");
        assert_eq!(passed(0, 3).await, "EntityTooLarge");
        assert_eq!(passed(5, 9).await, "EntityTooSmall");
    }

    #[test]
    fn fields_are_there_once_and_say_what_headers_say() {
        let mut fields = Fields::default();
        for (name, value) in
            [("Key", "u/${filename}"), ("Content-Type", "a/b"), ("X-Amz-Meta-Who", "ann"), ("host", "evil"), ("x-amz-copy-source", "a/b")]
        {
            fields.add(name, value.to_owned()).unwrap();
        }
        assert_eq!(fields.add("KEY", "other".to_owned()).unwrap_err().code(), "InvalidArgument");
        fields.name_file("C:\\photos\\a b.png");
        assert_eq!(fields.get("key"), Some("u/a b.png"));
        let headers = fields.headers().unwrap();
        assert_eq!(headers.len(), 2);
        assert_eq!(
            (&headers["content-type"], &headers["x-amz-meta-who"]),
            (&HeaderValue::from_static("a/b"), &HeaderValue::from_static("ann"))
        );
        fields.add("cache-control", "a\r\nb".to_owned()).unwrap();
        assert_eq!(fields.headers().unwrap_err().code(), "InvalidArgument");
        let much = "x".repeat(20_000);
        let refused = (0..4).map(|n| fields.add(&format!("x{n}"), much.clone())).find_map(Result::err).unwrap();
        assert_eq!(refused.code(), "MaxPostPreDataLengthExceeded");
    }
}
