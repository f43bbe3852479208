//! Files in a store that speaks S3.
//!
//! Invariant: a file appears under its name when its last byte is in the store, and not before; what was begun and failed is taken back.

mod asking;
mod config;
mod putting;
mod reading;
mod sweeping;
#[cfg(test)]
mod tests;

use std::borrow::Cow;
use std::fmt;
use std::ops::Range;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use futures_util::FutureExt as _;
use kernel::{Blob, BlobFuture, BlobInfo, BlobKey, BlobPrefix, BlobStream, Blobs, Error, Kind, Result};
use reqwest::header::{CONTENT_LENGTH, ETAG, HeaderMap, LAST_MODIFIED};
use reqwest::{Client, Method, StatusCode};
use rusty_s3::actions::{ListObjectsV2, S3Action};
use rusty_s3::{Bucket, Credentials, UrlStyle};
use url::Url;

pub use config::ObjectStoreConfig;

use asking::{Asked, unavailable};
use sweeping::Swept;

/// How long a signature is good.
const SIGNED_FOR: Duration = Duration::from_mins(15);
/// Names of one page of a list.
const PAGE: usize = 1000;

/// Files in a bucket. Cheap to clone.
#[derive(Clone)]
pub struct ObjectStore {
    bucket: Arc<Bucket>,
    credentials: Option<Arc<Credentials>>,
    client: Client,
    prefix: String,
    config: ObjectStoreConfig,
    /// When it was last looked for what nobody finished.
    swept: Arc<Mutex<Swept>>,
}

impl ObjectStore {
    /// Takes the settings of a store. Connects to nothing yet.
    pub fn new(config: &ObjectStoreConfig) -> Result<Self> {
        let refused = |why: String| Error::new(Kind::Unprocessable, "config_invalid", format!("blobs.s3: {why}"));
        let endpoint: Url = config.endpoint.as_deref().unwrap_or_default().parse().map_err(|error| refused(format!("{error}")))?;
        let style = if config.path_style { UrlStyle::Path } else { UrlStyle::VirtualHost };
        let bucket =
            Bucket::new(endpoint, style, config.bucket.clone(), config.region.clone()).map_err(|error| refused(error.to_string()))?;
        let pair = config.access_key.as_ref().zip(config.secret_key.as_ref());
        let client = Client::builder()
            .connect_timeout(Duration::from_millis(config.connect_time_ms))
            .redirect(reqwest::redirect::Policy::none())
            .build()
            .map_err(Error::internal)?;
        let prefix = match config.prefix.trim_matches('/') {
            "" => String::new(),
            prefix => format!("{prefix}/"),
        };
        Ok(Self {
            bucket: Arc::new(bucket),
            credentials: pair.map(|(key, secret)| Arc::new(Credentials::new(key.expose().clone(), secret.expose().clone()))),
            client,
            prefix,
            config: config.clone(),
            swept: Arc::default(),
        })
    }

    fn credentials(&self) -> Option<&Credentials> {
        self.credentials.as_deref()
    }

    /// Returns a file's name in the bucket.
    fn name(&self, key: &BlobKey) -> String {
        format!("{}{key}", self.prefix)
    }

    async fn look(&self, key: &BlobKey) -> Result<Option<BlobInfo>> {
        let name = self.name(key);
        let sign = || self.bucket.head_object(self.credentials(), &name).sign(SIGNED_FOR);
        let answer = self.ask(&Asked::new(Method::HEAD), sign).await?;
        if answer.status() == StatusCode::NOT_FOUND {
            return Ok(None);
        }
        // What a library says of the length of a body is that of the body, and this one has none.
        let bytes = number(answer.headers(), &CONTENT_LENGTH).ok_or_else(|| unavailable("it does not say how long a file is"))?;
        info(key, bytes, answer.headers()).map(Some)
    }

    async fn take_away(&self, key: &BlobKey) -> Result<bool> {
        // The store does not say whether there was something to delete; but it says whether there is such a bucket, which a look does not:
        // in a bucket that is missing no file is gone.
        let was_there = self.look(key).await?.is_some();
        let name = self.name(key);
        let sign = || self.bucket.delete_object(self.credentials(), &name).sign(SIGNED_FOR);
        let answer = self.ask(&Asked::new(Method::DELETE), sign).await?;
        if answer.status() == StatusCode::NOT_FOUND {
            return Err(unavailable("the bucket is not there"));
        }
        Ok(was_there)
    }

    async fn below(&self, prefix: &BlobPrefix, after: Option<&BlobKey>, rows_max: usize) -> Result<Vec<BlobInfo>> {
        let prefix = format!("{}{}/", self.prefix, prefix.segments().collect::<Vec<_>>().join("/"));
        let (mut found, mut token) = (Vec::new(), None::<String>);
        while found.len() < rows_max {
            let sign = || {
                let mut action = self.bucket.list_objects_v2(self.credentials());
                action.with_prefix(Cow::Borrowed(prefix.as_str()));
                action.with_max_keys(PAGE.min(rows_max));
                match (&token, after) {
                    (Some(token), _) => action.with_continuation_token(token.clone()),
                    (None, Some(after)) => action.with_start_after(self.name(after)),
                    (None, None) => {}
                }
                action.sign(SIGNED_FOR)
            };
            let text = self.text(self.ask(&Asked::new(Method::GET), sign).await?).await?;
            let page = ListObjectsV2::parse_response(&text).map_err(|error| unavailable(format!("a list cannot be read: {error}")))?;
            for object in page.contents {
                let Some(Ok(key)) = object.key.strip_prefix(self.prefix.as_str()).map(str::parse::<BlobKey>) else { continue };
                if after.is_some_and(|after| key <= *after) {
                    continue;
                }
                let modified_at = object.last_modified.unwrap_or_default().parse().map_err(Error::internal)?;
                let etag = object.etag.unwrap_or_default().trim_matches('"').to_owned();
                found.push(BlobInfo { key, bytes: object.size.unwrap_or_default(), etag, modified_at });
            }
            token = page.next_continuation_token;
            if token.is_none() {
                break;
            }
        }
        found.truncate(rows_max);
        Ok(found)
    }
}

impl Blobs for ObjectStore {
    fn put<'a>(&'a self, key: &'a BlobKey, content: BlobStream, bytes_max: u64) -> BlobFuture<'a, BlobInfo> {
        self.put_whole(key, content, bytes_max).boxed()
    }

    fn head<'a>(&'a self, key: &'a BlobKey) -> BlobFuture<'a, Option<BlobInfo>> {
        self.look(key).boxed()
    }

    fn get<'a>(&'a self, key: &'a BlobKey, range: Option<Range<u64>>) -> BlobFuture<'a, Blob> {
        self.open(key, range).boxed()
    }

    fn delete<'a>(&'a self, key: &'a BlobKey) -> BlobFuture<'a, bool> {
        self.take_away(key).boxed()
    }

    fn list<'a>(&'a self, prefix: &'a BlobPrefix, after: Option<&'a BlobKey>, rows_max: usize) -> BlobFuture<'a, Vec<BlobInfo>> {
        self.below(prefix, after, rows_max).boxed()
    }
}

impl fmt::Debug for ObjectStore {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ObjectStore").field("bucket", &self.bucket.name()).finish_non_exhaustive()
    }
}

/// Reads a header that is a number.
fn number(headers: &HeaderMap, name: &reqwest::header::HeaderName) -> Option<u64> {
    headers.get(name)?.to_str().ok()?.parse().ok()
}

/// Reads what the store says of a file.
fn info(key: &BlobKey, bytes: u64, headers: &HeaderMap) -> Result<BlobInfo> {
    let said = |name| headers.get(name).and_then(|value| value.to_str().ok());
    let etag = said(ETAG).ok_or_else(|| unavailable("it gives no etag"))?.trim_matches('"').to_owned();
    let modified = said(LAST_MODIFIED).ok_or_else(|| unavailable("it does not say when a file came"))?;
    let modified_at = jiff::fmt::rfc2822::parse(modified).map_err(|error| unavailable(error.to_string()))?.timestamp();
    Ok(BlobInfo { key: key.clone(), bytes, etag, modified_at })
}
