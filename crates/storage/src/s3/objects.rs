//! Objects in the words of S3.
//!
//! Invariant: an etag is none that could be taken for an MD5: clients would hold the bytes against it.

use axum::body::Body;
use axum::response::Response;
use http::{HeaderName, HeaderValue, StatusCode, header};
use kernel::{Error, Kind, Result};
use serde_json::{Map, Value};

use super::answer::Xml;
use super::asked::{Request, elements, invalid, malformed_xml, unescaped};
use crate::objects::{Instead, Object, Transport};
use crate::{Upload, naming, serving};

/// Where what is copied is named.
pub(super) const COPY_SOURCE: &str = "x-amz-copy-source";
const META: &str = "x-amz-meta-";
/// Bytes of what an application says of an object that stand in headers; the forms of this server take more.
const META_SHOWN: usize = 8192;
/// Headers that whoever signs a request has in the answer as he says.
const INSTEAD: [(&str, HeaderName); 6] = [
    ("response-content-type", header::CONTENT_TYPE),
    ("response-content-disposition", header::CONTENT_DISPOSITION),
    ("response-content-encoding", header::CONTENT_ENCODING),
    ("response-content-language", header::CONTENT_LANGUAGE),
    ("response-cache-control", header::CACHE_CONTROL),
    ("response-expires", header::EXPIRES),
];
/// The version of every object: what was there before is kept elsewhere, and nobody reaches it in the words of S3.
pub(super) const ONLY_VERSION: &str = "null";
/// Names that one request deletes.
const DELETED_MAX: usize = 1000;

/// Returns the etag that clients of S3 are shown.
pub(super) fn etag_of(etag: &str) -> String {
    if etag.contains('-') { etag.to_owned() } else { format!("{etag}-1") }
}

/// Answers with nothing but a status.
pub(super) fn empty(status: StatusCode) -> Response {
    let mut response = Response::new(Body::empty());
    *response.status_mut() = status;
    response
}

/// Refuses what is asked of another version than the one there is, which must not fall on that.
pub(super) fn check_version(request: &Request) -> Result<()> {
    match request.asked("versionId") {
        None | Some("" | ONLY_VERSION) => Ok(()),
        Some(_) => Err(Error::new(Kind::NotFound, "NoSuchVersion", NO_SUCH_VERSION)),
    }
}

const NO_SUCH_VERSION: &str = "The specified version does not exist";

impl Request {
    /// What is uploaded, as the headers say. A program of S3 that writes where something is replaces it, if it may.
    pub(super) async fn upload(&self, name: Option<String>) -> Result<Upload> {
        let mut meta = Map::new();
        for (name, value) in &self.parts.headers {
            if let (Some(name), Ok(value)) = (name.as_str().strip_prefix(META), value.to_str()) {
                meta.insert(name.to_owned(), Value::from(value));
            }
        }
        let user_metadata = (!meta.is_empty()).then_some(Value::Object(meta));
        let bytes = user_metadata.as_ref().map_or(0, |meta| meta.to_string().len());
        if bytes > self.storage.config().metadata_bytes_max {
            return Err(Error::new(Kind::BadRequest, "MetadataTooLarge", "The metadata is larger than is allowed"));
        }
        let header = |name: &str, unsaid: &str| self.header(name).filter(|said| !said.is_empty()).unwrap_or(unsaid).to_owned();
        let mut upload = Upload {
            bucket: self.bucket.clone(),
            name: name.unwrap_or_else(|| self.key.clone()),
            content_type: header("content-type", "binary/octet-stream"),
            cache_control: header("cache-control", "no-cache"),
            user_metadata,
            upsert: false,
            length: None,
        };
        self.settle(&mut upload).await?;
        Ok(upload)
    }

    /// Returns the bucket and the name of what is copied.
    pub(super) fn copy_source(&self) -> Result<(String, String)> {
        let source = self.header(COPY_SOURCE).unwrap_or_default();
        let source = percent_encoding::percent_decode_str(source.split('?').next().unwrap_or_default()).decode_utf8();
        let source = source.map_err(|error| invalid("x-amz-copy-source is bucket/key").with_source(error))?;
        let (bucket, name) = source.trim_start_matches('/').split_once('/').ok_or_else(|| invalid("x-amz-copy-source is bucket/key"))?;
        Ok((bucket.to_owned(), name.to_owned()))
    }

    /// Decides whether an upload replaces what is there. Whoever may only make new objects makes them so.
    pub(super) async fn settle(&self, upload: &mut Upload) -> Result<()> {
        upload.upsert = false;
        match self.storage.admit(&self.caller, upload).await {
            Ok(_) => Ok(()),
            Err(error) if error.kind() == Kind::Conflict => {
                upload.upsert = true;
                self.storage.admit(&self.caller, upload).await.map(drop)
            }
            Err(error) => Err(error),
        }
    }
}

pub(super) async fn put(request: &Request, body: Body) -> Result<Response> {
    let length = request.length()?;
    // A folder, which there is none of here but in names: what holds an empty one open stands in it.
    let placed = match request.key.ends_with('/') {
        true if length.unwrap_or(0) > 0 => return Err(naming::invalid_key(&request.key)),
        true => Some(format!("{}.emptyFolderPlaceholder", request.key)),
        false => None,
    };
    let mut upload = request.upload(placed).await?;
    upload.length = length;
    request.storage.admit(&request.caller, &upload).await?;
    let stored = request.storage.store(&request.caller, upload, request.content(body)).await?;
    let mut response = empty(StatusCode::OK);
    response.headers_mut().insert(header::ETAG, text(&format!("\"{}\"", etag_of(&stored.etag)))?);
    Ok(response)
}

pub(super) async fn get(request: &Request) -> Result<Response> {
    let object = request.storage.info(&request.caller, &request.bucket, &request.key).await?;
    let object = Object { etag: etag_of(&object.etag), ..object };
    let meta = object.user_metadata.clone();
    let asked = serving::Asked::new(&request.parts.method, request.parts.headers.clone());
    let mut response = request.storage.serve(object, &asked).await?;
    say_instead(request, &mut response)?;
    let mut left = META_SHOWN;
    for (name, value) in meta.as_ref().and_then(Value::as_object).into_iter().flatten() {
        let header =
            HeaderName::try_from(format!("{META}{name}")).ok().zip(value.as_str().and_then(|value| HeaderValue::from_str(value).ok()));
        left = left.saturating_sub(name.len().saturating_add(header.as_ref().map_or(0, |(_, value)| value.len())));
        if let Some((name, value)) = header.filter(|_| left > 0) {
            response.headers_mut().insert(name, value);
        }
    }
    Ok(response)
}

/// Writes what the request wants the answer to say. What could run in a browser stays shut in, by its own type and by the one that is said.
fn say_instead(request: &Request, response: &mut Response) -> Result<()> {
    for (name, header) in INSTEAD {
        let Some(said) = request.asked(name) else { continue };
        let value = HeaderValue::from_str(said).map_err(|error| invalid(format!("{name} is no value of a header")).with_source(error))?;
        if header == header::CONTENT_TYPE && !serving::is_harmless(said) {
            response.headers_mut().insert(header::CONTENT_SECURITY_POLICY, serving::SANDBOX);
        }
        response.headers_mut().insert(header, value);
    }
    Ok(())
}

pub(super) async fn copy(request: &Request) -> Result<Response> {
    let (bucket, name) = request.copy_source()?;
    let replaces_meta = request.header("x-amz-metadata-directive").is_some_and(|said| said.eq_ignore_ascii_case("REPLACE"));
    let upload = request.upload(None).await?;
    let transport = Transport { bucket, name, to_bucket: request.bucket.clone(), to_name: request.key.clone() };
    let instead = replaces_meta.then(|| Instead {
        content_type: Some(upload.content_type.clone()),
        cache_control: Some(upload.cache_control.clone()),
        user_metadata: upload.user_metadata.clone(),
    });
    let object = request.storage.info(&request.caller, &transport.bucket, &transport.name).await?;
    check_source(request, &object)?;
    let stored = request.storage.copy_found(&request.caller, object, &transport, (upload.upsert, instead)).await?;
    let document = Xml::document("CopyObjectResult", |xml| {
        xml.text("LastModified", request.storage.now().to_string()).text("ETag", format!("\"{}\"", etag_of(&stored.etag)));
    });
    Ok(document.answer())
}

/// Holds an object to what is demanded of it before it is copied.
fn check_source(request: &Request, object: &Object) -> Result<()> {
    let tags = |name: &str| {
        request.header(name).map(|said| {
            said.split(',').any(|tag| matches!(tag.trim().trim_matches('"'), "*") || tag.trim().trim_matches('"') == etag_of(&object.etag))
        })
    };
    let since = |name: &str| {
        let date = request.header(name).and_then(|said| jiff::fmt::rfc2822::parse(said).ok());
        date.map(|date| object.modified_at.as_second() > date.timestamp().as_second())
    };
    let (matches, differs) = (tags("x-amz-copy-source-if-match"), tags("x-amz-copy-source-if-none-match"));
    // What is said of the tag counts before what is said of the time.
    let is_kept = match (matches, since("x-amz-copy-source-if-unmodified-since")) {
        (Some(matches), _) => matches,
        (None, changed) => changed != Some(true),
    };
    let is_new = match (differs, since("x-amz-copy-source-if-modified-since")) {
        (Some(matches), _) => !matches,
        (None, changed) => changed != Some(false),
    };
    if is_kept && is_new {
        return Ok(());
    }
    Err(Error::new(Kind::Status(412), "PreconditionFailed", "At least one of the preconditions you specified did not hold"))
}

pub(super) async fn delete(request: &Request) -> Result<Response> {
    let names = [request.key.clone()];
    request.storage.check_bucket(&request.bucket).await?;
    request.storage.remove(&request.caller, &request.bucket, &names).await?;
    let left = request.storage.readable(&request.caller, &request.bucket, &names).await?;
    if left.is_empty() { Ok(empty(StatusCode::NO_CONTENT)) } else { Err(denied()) }
}

pub(super) async fn delete_many(request: &Request, body: Body) -> Result<Response> {
    let document = request.document(body).await?;
    let is_quiet = elements(&document, "Quiet")?.first().is_some_and(|said| said.trim() == "true");
    let (mut names, mut others) = (Vec::new(), Vec::new());
    for object in elements(&document, "Object")? {
        let name = unescaped(elements(object, "Key")?.first().ok_or_else(malformed_xml)?)?;
        let version = elements(object, "VersionId")?.first().is_none_or(|version| matches!(version.trim(), "" | ONLY_VERSION));
        if version { &mut names } else { &mut others }.push(name);
    }
    if names.is_empty() && others.is_empty() || names.len() + others.len() > DELETED_MAX {
        return Err(malformed_xml());
    }
    request.storage.check_bucket(&request.bucket).await?;
    for names in names.chunks(request.storage.config().names_max.max(1)) {
        request.storage.remove(&request.caller, &request.bucket, names).await?;
    }
    let left = request.storage.readable(&request.caller, &request.bucket, &names).await?;
    let document = Xml::document("DeleteResult", |xml| {
        let mut refused = |name: &str, code: &str, why: &str| {
            xml.inside("Error", |xml| _ = xml.text("Key", name).text("Code", code).text("Message", why));
        };
        for name in names.iter().filter(|name| left.contains(*name)) {
            refused(name, "AccessDenied", "Access Denied");
        }
        for name in &others {
            refused(name, "NoSuchVersion", NO_SUCH_VERSION);
        }
        for name in names.iter().filter(|name| !is_quiet && !left.contains(*name)) {
            xml.inside("Deleted", |xml| _ = xml.text("Key", name));
        }
    });
    Ok(document.answer())
}

fn denied() -> Error {
    Error::new(Kind::Forbidden, "AccessDenied", "Access Denied")
}

fn text(text: &str) -> Result<HeaderValue> {
    HeaderValue::from_str(text).map_err(Error::internal)
}
