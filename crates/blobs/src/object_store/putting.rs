//! Putting a file: at once where it is small, in parts where it is not.
//!
//! Invariant: of a file in parts nothing is seen before the store has put them together; what does not come to its end is taken back, also
//! when whoever sent it goes away in the middle.

use base64::Engine as _;
use base64::prelude::BASE64_STANDARD;
use bytes::{Bytes, BytesMut};
use futures_util::stream::FuturesOrdered;
use futures_util::{StreamExt as _, TryStreamExt as _};
use kernel::{BlobInfo, BlobKey, BlobStream, Error, Kind, Result};
use md5::{Digest as _, Md5};
use reqwest::header::{ETAG, HeaderName, HeaderValue};
use reqwest::{Method, StatusCode};
use rusty_s3::S3Action;
use rusty_s3::actions::{CompleteMultipartUpload, CompleteMultipartUploadResponse, CreateMultipartUpload};

use super::asking::{Asked, unavailable};
use super::{ObjectStore, SIGNED_FOR};

/// Parts that one file may have, by the protocol.
const PARTS_MAX: u64 = 10_000;

/// What is still to be sent.
struct Source {
    content: BlobStream,
    /// Bytes that came and belong to the next part.
    rest: Bytes,
    bytes: u64,
    bytes_max: u64,
    is_over: bool,
}

/// A file in parts that was begun. What is dropped before its end is taken back.
struct Begun {
    store: ObjectStore,
    name: String,
    id: String,
    is_open: bool,
}

impl ObjectStore {
    pub(super) async fn put_whole(&self, key: &BlobKey, content: BlobStream, bytes_max: u64) -> Result<BlobInfo> {
        let name = self.name(key);
        let part_bytes = u64::try_from(self.config.part_bytes).map_err(Error::internal)?;
        let bytes_max = bytes_max.min(part_bytes.saturating_mul(PARTS_MAX));
        let mut source = Source { content, rest: Bytes::new(), bytes: 0, bytes_max, is_over: false };
        let first = source.part(self.config.part_bytes).await?;
        if source.is_over {
            let sign = || self.bucket.put_object(self.credentials(), &name).sign(SIGNED_FOR);
            let answer = self.ask(&sent(first)?, sign).await?;
            if answer.status() == StatusCode::NOT_FOUND {
                return Err(unavailable("there is no such bucket"));
            }
        } else {
            self.put_parts(key, &name, (first, &mut source)).await?;
        }
        let put = self.look(key).await?.ok_or_else(|| unavailable("a file that was put is not there"))?;
        if put.bytes == source.bytes { Ok(put) } else { Err(unavailable("a file that was put has another length")) }
    }

    async fn put_parts(&self, key: &BlobKey, name: &str, (first, source): (Bytes, &mut Source)) -> Result<()> {
        let sign = || self.bucket.create_multipart_upload(self.credentials(), name).sign(SIGNED_FOR);
        let answer = self.text(self.ask(&Asked::new(Method::POST), sign).await?).await?;
        let answer = CreateMultipartUpload::parse_response(&answer).map_err(|_unread| unavailable("it begins no file in parts"))?;
        let begun = Begun { store: self.clone(), name: name.to_owned(), id: answer.upload_id().to_owned(), is_open: true };
        let ended = async {
            let etags = self.send_parts(&begun, first, source).await?;
            self.complete(key, &begun, &etags, source.bytes).await
        };
        match ended.await {
            Ok(()) => {
                begun.leave();
                Ok(())
            }
            Err(error) => {
                begun.take_back().await;
                Err(error)
            }
        }
    }

    /// Sends the parts, some of them at once, and returns what the store calls them, in their order.
    async fn send_parts(&self, begun: &Begun, first: Bytes, source: &mut Source) -> Result<Vec<String>> {
        let (mut etags, mut under_way, mut number) = (Vec::new(), FuturesOrdered::new(), 1_u16);
        under_way.push_back(self.send_part(begun, number, first));
        while !source.is_over {
            if under_way.len() >= self.config.parts_at_once {
                etags.extend(under_way.try_next().await?);
            }
            let part = source.part(self.config.part_bytes).await?;
            if part.is_empty() {
                break;
            }
            number = number.saturating_add(1);
            under_way.push_back(self.send_part(begun, number, part));
        }
        etags.extend(under_way.try_collect::<Vec<_>>().await?);
        Ok(etags)
    }

    async fn send_part(&self, begun: &Begun, number: u16, part: Bytes) -> Result<String> {
        let sign = || self.bucket.upload_part(self.credentials(), &begun.name, number, &begun.id).sign(SIGNED_FOR);
        let answer = self.ask(&sent(part)?, sign).await?;
        let etag = answer.headers().get(ETAG).filter(|_| answer.status().is_success()).and_then(|etag| etag.to_str().ok());
        etag.map(str::to_owned).ok_or_else(|| unavailable("a file in parts is not there any more"))
    }

    /// Has the store put the parts together. Where its answer was lost, it is looked whether it did.
    async fn complete(&self, key: &BlobKey, begun: &Begun, etags: &[String], bytes: u64) -> Result<()> {
        let action = || {
            let etags = etags.iter().map(String::as_str);
            CompleteMultipartUpload::new(&self.bucket, self.credentials(), &begun.name, &begun.id, etags)
        };
        let asked = Asked { body: action().body().into(), ..Asked::new(Method::POST) };
        let said = match self.ask(&asked, || action().sign(SIGNED_FOR)).await {
            Ok(answer) if answer.status().is_success() => self.text(answer).await,
            Ok(_gone) => Err(unavailable("a file in parts is not there any more")),
            Err(error) => Err(error),
        };
        // It may answer 200 and an error behind it.
        let completed = said.and_then(|said| CompleteMultipartUploadResponse::parse(&said).map_err(|_unread| unavailable(said)));
        match completed {
            Ok(_done) => Ok(()),
            Err(error) => match self.look(key).await {
                Ok(Some(found)) if found.bytes == bytes => Ok(()),
                _ => Err(error),
            },
        }
    }
}

impl Source {
    /// Collects one part; fewer bytes than that only at the end.
    async fn part(&mut self, part_bytes: usize) -> Result<Bytes> {
        let mut part = BytesMut::new();
        loop {
            let room = part_bytes.saturating_sub(part.len());
            let taken = self.rest.split_to(room.min(self.rest.len()));
            part.extend_from_slice(&taken);
            if part.len() >= part_bytes {
                return Ok(part.freeze());
            }
            let Some(piece) = self.content.next().await else {
                self.is_over = true;
                return Ok(part.freeze());
            };
            self.rest = piece?;
            self.bytes = self.bytes.saturating_add(u64::try_from(self.rest.len()).unwrap_or(u64::MAX));
            if self.bytes > self.bytes_max {
                return Err(Error::new(Kind::TooLarge, "blob_too_large", format!("The file has more than {} bytes", self.bytes_max)));
            }
        }
    }
}

impl Begun {
    fn leave(mut self) {
        self.is_open = false;
    }

    async fn take_back(mut self) {
        self.is_open = false;
        abort(&self.store, &self.name, &self.id).await;
    }
}

impl Drop for Begun {
    fn drop(&mut self) {
        if !self.is_open {
            return;
        }
        if let Ok(runtime) = tokio::runtime::Handle::try_current() {
            let (store, name, id) = (self.store.clone(), self.name.clone(), self.id.clone());
            runtime.spawn(async move { abort(&store, &name, &id).await });
        }
    }
}

/// Has the store forget the parts of a file. What cannot be taken back now, a later look takes back.
async fn abort(store: &ObjectStore, name: &str, id: &str) {
    let sign = || store.bucket.abort_multipart_upload(store.credentials(), name, id).sign(SIGNED_FOR);
    if let Err(error) = store.ask(&Asked::new(Method::DELETE), sign).await {
        tracing::warn!(code = error.code(), "parts of a file stay in the store until they are looked for");
    }
}

/// A request that puts bytes, with their sum, so that the store refuses what came out otherwise.
fn sent(body: Bytes) -> Result<Asked> {
    let sum = BASE64_STANDARD.encode(Md5::digest(&body));
    let mut asked = Asked { body, ..Asked::new(Method::PUT) };
    asked.headers.insert(HeaderName::from_static("content-md5"), HeaderValue::from_str(&sum).map_err(Error::internal)?);
    Ok(asked)
}
