//! Objects in the words of S3.
//!
//! Invariant: an etag is none that could be taken for an MD5: clients would hold the bytes against it.

use axum::body::Body;
use axum::response::Response;
use http::{HeaderName, HeaderValue, StatusCode, header};
use kernel::{Error, Kind, Result};
use serde_json::{Map, Value};

use super::answer::Xml;
use super::asked::{Request, elements, invalid, malformed_xml, not_implemented, unescaped};
use super::listing::NULL_VERSION;
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
/// What holds an empty folder open.
const PLACEHOLDER: &str = ".emptyFolderPlaceholder";
/// Names that one request deletes.
const DELETED_MAX: usize = 1000;

/// What is copied.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(super) struct CopySource {
    bucket: String,
    name: String,
    version: Option<String>,
}

/// Returns the etag that clients of S3 are shown.
pub(super) fn etag_of(etag: &str) -> String {
    if etag.contains('-') { etag.to_owned() } else { format!("{etag}-1") }
}

/// Returns under which name a key stands: a folder by what holds it open.
fn placed(key: &str) -> String {
    if key.ends_with('/') { format!("{key}{PLACEHOLDER}") } else { key.to_owned() }
}

/// Returns the key under which a name is told to whoever asked for the folder.
fn told(name: &str) -> &str {
    name.strip_suffix(PLACEHOLDER).filter(|folder| folder.ends_with('/')).unwrap_or(name)
}

/// Reads whether what is made is to be public, as a bucket is: who may what is said by policies, and everybody writes nowhere.
pub(super) fn is_public(acl: Option<&str>) -> Result<bool> {
    match acl.unwrap_or("private") {
        "private" | "bucket-owner-full-control" | "bucket-owner-read" | "" => Ok(false),
        "public-read" => Ok(true),
        _ => Err(Error::new(
            Kind::BadRequest,
            "AccessControlListNotSupported",
            "x-amz-acl is private or public-read here; policies say more",
        )),
    }
}

/// Answers with nothing but a status.
pub(super) fn empty(status: StatusCode) -> Response {
    let mut response = Response::new(Body::empty());
    *response.status_mut() = status;
    response
}

impl Request {
    /// What is uploaded, as the headers say. A program of S3 that writes where something is replaces it, if it may.
    pub(super) async fn upload(&self, name: Option<String>) -> Result<Upload> {
        is_public(self.header("x-amz-acl"))?;
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
            again: None,
        };
        self.settle(&mut upload).await?;
        Ok(upload)
    }

    /// Reads what is copied.
    pub(super) fn copy_source(&self) -> Result<CopySource> {
        CopySource::read(self.header(COPY_SOURCE).unwrap_or_default())
    }

    /// Finds what is copied, as far as the caller may read it.
    pub(super) async fn source(&self, source: &CopySource) -> Result<Object> {
        self.version_of(&source.bucket, &source.name, source.version.as_deref()).await
    }

    /// Finds an object that the caller may read, as it is or as one of its versions has it.
    async fn version_of(&self, bucket: &str, name: &str, version: Option<&str>) -> Result<Object> {
        let version = version.filter(|version| *version != NULL_VERSION);
        let found = self.storage.info_of(&self.caller, bucket, name, version).await;
        found.map_err(|error| if version.is_some() && error.code() == "NoSuchKey" { no_such_version().with_source(error) } else { error })
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

impl CopySource {
    /// Reads `bucket/key`, or `bucket/key?versionId=…`; a question mark of a key stands there encoded.
    fn read(said: &str) -> Result<Self> {
        let wrong = || invalid("x-amz-copy-source is bucket/key or bucket/key?versionId=version");
        let (place, version) = match said.split_once('?') {
            None => (said, None),
            Some((place, query)) => {
                let version = query.strip_prefix("versionId=").filter(|version| !version.is_empty() && !version.contains('&'));
                (place, Some(version.ok_or_else(wrong)?.to_owned()))
            }
        };
        let place = percent_encoding::percent_decode_str(place).decode_utf8().map_err(|error| wrong().with_source(error))?;
        let (bucket, name) = place.trim_start_matches('/').split_once('/').ok_or_else(wrong)?;
        Ok(Self { bucket: bucket.to_owned(), name: name.to_owned(), version })
    }

    /// Says in the answer which version was copied, where one was asked for.
    pub(super) fn named(&self, mut response: Response) -> Result<Response> {
        if let Some(version) = &self.version {
            response.headers_mut().insert("x-amz-copy-source-version-id", text(version)?);
        }
        Ok(response)
    }
}

pub(super) async fn put(request: &Request, body: Body) -> Result<Response> {
    let length = request.length()?;
    // A folder, which there is none of here but in names: what holds an empty one open stands in it.
    if request.key.ends_with('/') && length.unwrap_or(0) > 0 {
        return Err(naming::invalid_key(&request.key));
    }
    let placed = Some(placed(&request.key));
    let mut upload = request.upload(placed).await?;
    upload.length = length;
    request.storage.admit(&request.caller, &upload).await?;
    let stored = request.storage.store(&request.caller, upload, request.content(body)).await?;
    let mut response = empty(StatusCode::OK);
    response.headers_mut().insert(header::ETAG, text(&format!("\"{}\"", etag_of(&stored.etag)))?);
    Ok(response)
}

pub(super) async fn get(request: &Request) -> Result<Response> {
    let version = request.asked("versionId").filter(|version| !version.is_empty());
    let object = request.version_of(&request.bucket, &placed(&request.key), version).await?;
    let object = Object { etag: etag_of(&object.etag), ..object };
    let meta = object.user_metadata.clone();
    let asked = serving::Asked::new(&request.parts.method, request.parts.headers.clone());
    let mut response = request.storage.serve(object, &asked).await?;
    say_instead(request, &mut response)?;
    if let Some(version) = version {
        response.headers_mut().insert("x-amz-version-id", text(version)?);
    }
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
    let source = request.copy_source()?;
    let replaces_meta = request.header("x-amz-metadata-directive").is_some_and(|said| said.eq_ignore_ascii_case("REPLACE"));
    let upload = request.upload(None).await?;
    let transport = Transport {
        bucket: source.bucket.clone(),
        name: source.name.clone(),
        to_bucket: request.bucket.clone(),
        to_name: request.key.clone(),
    };
    let instead = replaces_meta.then(|| Instead {
        content_type: Some(upload.content_type.clone()),
        cache_control: Some(upload.cache_control.clone()),
        user_metadata: upload.user_metadata.clone(),
    });
    let object = request.source(&source).await?;
    check_source(request, &object)?;
    let stored = request.storage.copy_found(&request.caller, object, &transport, (upload.upsert, instead)).await?;
    let document = Xml::document("CopyObjectResult", |xml| {
        xml.text("LastModified", request.storage.now().to_string()).text("ETag", format!("\"{}\"", etag_of(&stored.etag)));
    });
    source.named(document.answer())
}

/// Holds an object to what is demanded of it before it is copied.
pub(super) fn check_source(request: &Request, object: &Object) -> Result<()> {
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
    // What is left when one version goes is not what whoever says so means by it.
    if request.asked("versionId").is_some_and(|version| version != NULL_VERSION) {
        return Err(not_implemented("Taking one version away"));
    }
    let names = [placed(&request.key)];
    request.storage.check_bucket(&request.bucket).await?;
    request.storage.remove(&request.caller, &request.bucket, &names).await?;
    let left = request.storage.readable(&request.caller, &request.bucket, &names).await?;
    if left.is_empty() { Ok(empty(StatusCode::NO_CONTENT)) } else { Err(denied()) }
}

pub(super) async fn delete_many(request: &Request, body: Body) -> Result<Response> {
    let document = request.document(body, 0).await?;
    let is_quiet = elements(&document, "Quiet")?.first().is_some_and(|said| said.trim() == "true");
    let (mut names, mut former) = (Vec::new(), Vec::new());
    for object in elements(&document, "Object")? {
        let name = placed(&unescaped(elements(object, "Key")?.first().ok_or_else(malformed_xml)?)?);
        let is_present = elements(object, "VersionId")?.first().is_none_or(|version| matches!(version.trim(), "" | NULL_VERSION));
        if is_present { &mut names } else { &mut former }.push(name);
    }
    if !(1..=DELETED_MAX).contains(&(names.len() + former.len())) {
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
            refused(told(name), "AccessDenied", "Access Denied");
        }
        // As a delete of its own: the present one stays.
        for name in &former {
            refused(told(name), "NotImplemented", "Taking one version away is not known here");
        }
        for name in names.iter().filter(|name| !is_quiet && !left.contains(*name)) {
            xml.inside("Deleted", |xml| _ = xml.text("Key", told(name)));
        }
    });
    Ok(document.answer())
}

fn no_such_version() -> Error {
    Error::new(Kind::NotFound, "NoSuchVersion", "The specified version does not exist")
}

fn denied() -> Error {
    Error::new(Kind::Forbidden, "AccessDenied", "Access Denied")
}

fn text(text: &str) -> Result<HeaderValue> {
    HeaderValue::from_str(text).map_err(Error::internal)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_folder_stands_under_what_holds_it_open() {
        for (key, name) in [("a/b", "a/b"), ("a/b/", "a/b/.emptyFolderPlaceholder"), ("a/", "a/.emptyFolderPlaceholder")] {
            assert_eq!((placed(key).as_str(), told(name)), (name, key));
        }
        assert_eq!(told("x.emptyFolderPlaceholder"), "x.emptyFolderPlaceholder");
    }

    #[test]
    fn nobody_is_told_that_everybody_may_write() {
        for (acl, expected) in [(None, Ok(false)), (Some("private"), Ok(false)), (Some("public-read"), Ok(true))] {
            assert_eq!(is_public(acl).map_err(|error| error.code().to_owned()), expected, "{acl:?}");
        }
        for acl in ["public-read-write", "authenticated-read", "log-delivery-write", "x"] {
            assert_eq!(is_public(Some(acl)).unwrap_err().code(), "AccessControlListNotSupported", "{acl}");
        }
    }

    #[test]
    fn a_source_names_a_bucket_a_key_and_at_times_a_version() {
        let source = |bucket: &str, name: &str, version: Option<&str>| CopySource {
            bucket: bucket.to_owned(),
            name: name.to_owned(),
            version: version.map(str::to_owned),
        };
        assert_eq!(CopySource::read("/a/b%20c/d").unwrap(), source("a", "b c/d", None));
        assert_eq!(CopySource::read("a/b?versionId=01").unwrap(), source("a", "b", Some("01")));
        assert_eq!(CopySource::read("a/b%3FversionId=01").unwrap(), source("a", "b?versionId=01", None));
        for bad in ["", "a", "a/b?", "a/b?versionId=", "a/b?x=1", "a/b?versionId=1&x=2", "a/%ff"] {
            assert_eq!(CopySource::read(bad).unwrap_err().code(), "InvalidArgument", "{bad}");
        }
    }
}
