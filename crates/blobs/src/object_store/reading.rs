//! Reading a file, as it comes.
//!
//! Invariant: a file whose line breaks is asked for again from where it was, and only if it is still the same.

use std::ops::Range;
use std::time::Duration;

use bytes::Bytes;
use futures_util::{StreamExt as _, stream};
use kernel::{Blob, BlobKey, BlobStream, Error, Kind, Result};
use reqwest::header::{CONTENT_LENGTH, CONTENT_RANGE, ETAG, HeaderMap, HeaderValue, IF_MATCH, RANGE};
use reqwest::{Method, Response, StatusCode};
use rusty_s3::S3Action;

use super::asking::{Asked, unavailable};
use super::{ObjectStore, SIGNED_FOR, info, number};

/// More bytes than any store keeps in one file.
const FAR: u64 = 1 << 50;

/// A file that is under way.
struct Reading {
    store: ObjectStore,
    key: BlobKey,
    etag: String,
    /// Which bytes are still to come.
    left: Range<u64>,
    answer: Response,
    /// How often it may be asked for again.
    tries: u32,
}

impl ObjectStore {
    pub(super) async fn open(&self, key: &BlobKey, range: Option<Range<u64>>) -> Result<Blob> {
        if range.as_ref().is_some_and(|range| range.start >= range.end) {
            return Err(out_of_range());
        }
        let answer = self.begin(key, range.clone(), None).await?;
        match answer.status() {
            StatusCode::NOT_FOUND => return Err(Error::new(Kind::NotFound, "blob_not_found", "There is no such file")),
            StatusCode::RANGE_NOT_SATISFIABLE => return Err(out_of_range()),
            _ => {}
        }
        let headers = answer.headers();
        let (bytes, range) = match range {
            None => number(headers, &CONTENT_LENGTH).map(|bytes| (bytes, 0..bytes)),
            Some(range) => whole_of(headers).map(|bytes| (bytes, range.start..range.end.min(bytes))),
        }
        .ok_or_else(|| unavailable("it does not say how long a file is"))?;
        let info = info(key, bytes, headers)?;
        let (store, etag, tries) = (self.clone(), info.etag.clone(), self.config.tries);
        let reading = Reading { store, key: key.clone(), etag, left: range.clone(), answer, tries };
        Ok(Blob { info, range, content: pieces(reading) })
    }

    /// Asks for a file, or some of its bytes, as long as it is the one that is known.
    async fn begin(&self, key: &BlobKey, range: Option<Range<u64>>, etag: Option<&str>) -> Result<Response> {
        let name = self.name(key);
        let mut asked = Asked::new(Method::GET);
        if let Some(range) = range {
            // To the end, where the end is farther away than any file's: not every store reads such a number.
            let wanted = match range.end {
                FAR.. => format!("bytes={}-", range.start),
                end => format!("bytes={}-{}", range.start, end.saturating_sub(1)),
            };
            asked.headers.insert(RANGE, value(&wanted)?);
        }
        if let Some(etag) = etag {
            asked.headers.insert(IF_MATCH, value(&format!("\"{etag}\""))?);
        }
        self.ask(&asked, || self.bucket.get_object(self.credentials(), &name).sign(SIGNED_FOR)).await
    }
}

impl Reading {
    /// Returns the next bytes; none at the end.
    async fn next(&mut self) -> Result<Option<Bytes>> {
        while !self.left.is_empty() {
            let idle = Duration::from_secs(self.store.config.idle_time_s);
            match tokio::time::timeout(idle, self.answer.chunk()).await {
                Ok(Ok(Some(mut piece))) => {
                    let wanted = usize::try_from(self.left.end.saturating_sub(self.left.start)).unwrap_or(usize::MAX);
                    piece.truncate(wanted);
                    self.left.start = self.left.start.saturating_add(u64::try_from(piece.len()).unwrap_or(u64::MAX));
                    return Ok(Some(piece));
                }
                // It broke off: an end before the end, an error of the line, or nothing for too long.
                _broken if self.tries == 0 => return Err(unavailable("a file breaks off again and again")),
                _broken => self.again().await?,
            }
        }
        Ok(None)
    }

    async fn again(&mut self) -> Result<()> {
        self.tries = self.tries.saturating_sub(1);
        metrics::counter!("blob_store_resumed_total").increment(1);
        let answer = self.store.begin(&self.key, Some(self.left.clone()), Some(&self.etag)).await?;
        // Not every store holds a range against the etag that is asked for.
        let is_same =
            || answer.headers().get(ETAG).and_then(|etag| etag.to_str().ok()).is_some_and(|etag| etag.trim_matches('"') == self.etag);
        if answer.status() != StatusCode::PARTIAL_CONTENT || !is_same() {
            return Err(unavailable("a file that broke off is not there any more"));
        }
        self.answer = answer;
        Ok(())
    }
}

fn pieces(reading: Reading) -> BlobStream {
    stream::unfold(Some(reading), |reading| async move {
        let mut reading = reading?;
        match reading.next().await {
            Ok(Some(piece)) => Some((Ok(piece), Some(reading))),
            Ok(None) => None,
            // Behind an error nothing comes.
            Err(error) => Some((Err(error), None)),
        }
    })
    .boxed()
}

/// Reads how long the whole file is, of which a range was answered.
fn whole_of(headers: &HeaderMap) -> Option<u64> {
    headers.get(CONTENT_RANGE)?.to_str().ok()?.rsplit_once('/')?.1.parse().ok()
}

fn value(text: &str) -> Result<HeaderValue> {
    HeaderValue::from_str(text).map_err(Error::internal)
}

fn out_of_range() -> Error {
    Error::new(Kind::Status(416), "blob_range_invalid", "The file has fewer bytes")
}
