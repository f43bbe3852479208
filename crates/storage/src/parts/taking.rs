//! Taking bytes as they come, as blobs of a bounded size.
//!
//! Invariant: what came before a connection broke is kept; what was cut off in its middle is as long as what came. A blob is whole before
//! its part is written down.

use std::sync::Arc;

use aws_lc_rs::digest::{Algorithm, Context};
use bytes::Bytes;
use futures_util::{StreamExt as _, stream};
use kernel::{BlobKey, BlobStream, Error, Kind, Result};
use tokio::sync::Mutex;

use super::{Begun, Part};
use crate::{Storage, failure};

/// The bytes of a request, which are taken in several goes.
#[derive(Clone)]
pub(crate) struct Source(Arc<Mutex<Coming>>);

struct Coming {
    body: BlobStream,
    left_over: Bytes,
    is_over: bool,
    has_broken: bool,
    digest: Option<Context>,
}

/// What came in one go.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub(crate) struct Taken {
    /// The part, if anything came.
    pub(crate) part: Option<Part>,
    /// Nothing comes behind it.
    pub(crate) is_last: bool,
    /// The connection broke.
    pub(crate) has_broken: bool,
}

impl Source {
    /// Takes the bytes of a request, and digests them where the client says what must come out.
    pub(crate) fn new(body: BlobStream, digest: Option<&'static Algorithm>) -> Self {
        let digest = digest.map(Context::new);
        Self(Arc::new(Mutex::new(Coming { body, left_over: Bytes::new(), is_over: false, has_broken: false, digest })))
    }

    /// Returns the digest of all that came.
    pub(crate) async fn digest(&self) -> Option<Vec<u8>> {
        self.0.lock().await.digest.clone().map(|digest| digest.finish().as_ref().to_vec())
    }

    /// Returns the next bytes, at most so many in all.
    fn next(&self, bytes_max: u64) -> BlobStream {
        stream::unfold((self.clone(), bytes_max), |(source, left)| async move {
            let piece = source.0.lock().await.piece(left).await?;
            let left = left.saturating_sub(length(&piece));
            Some((Ok(piece), (source, left)))
        })
        .boxed()
    }

    /// Waits for the first byte that is there, so that no blob is begun for nothing. Says whether there is one.
    async fn has_more(&self) -> bool {
        let mut coming = self.0.lock().await;
        match coming.piece(u64::MAX).await {
            Some(piece) => {
                coming.left_over = piece;
                true
            }
            None => false,
        }
    }
}

impl Coming {
    /// The next piece. It is digested when it goes on, once.
    async fn piece(&mut self, bytes_max: u64) -> Option<Bytes> {
        if bytes_max == 0 {
            return None;
        }
        while self.left_over.is_empty() && !self.is_over {
            match self.body.next().await {
                Some(Ok(piece)) => {
                    if let Some(digest) = &mut self.digest {
                        digest.update(&piece);
                    }
                    self.left_over = piece;
                }
                Some(Err(_broken)) => (self.is_over, self.has_broken) = (true, true),
                None => self.is_over = true,
            }
        }
        if self.left_over.is_empty() {
            return None;
        }
        let wanted = usize::try_from(bytes_max).unwrap_or(usize::MAX).min(self.left_over.len());
        Some(self.left_over.split_to(wanted))
    }
}

impl Storage {
    /// Takes at most so many bytes as a part at a position. Bytes behind the end of the upload are refused.
    pub(crate) async fn take_part(&self, begun: &Begun, source: &Source, position: u64, bytes_max: u64) -> Result<Taken> {
        if !source.has_more().await {
            let has_broken = source.0.lock().await.has_broken;
            return Ok(Taken { part: None, is_last: true, has_broken });
        }
        if bytes_max == 0 {
            return Err(failure::too_large());
        }
        self.has_place(begun)?;
        if begun.others_bytes.saturating_add(begun.received) > self.config().parts.open_bytes_max {
            return Err(uploads_too_large());
        }
        let key = self.intend_part(begun).await?;
        match self.blobs().put(&key, source.next(bytes_max), bytes_max).await {
            Ok(info) => {
                let is_last = !source.has_more().await;
                let has_broken = source.0.lock().await.has_broken;
                let part = Part { position, bytes: info.bytes, etag: String::new(), key, created_at: self.now() };
                Ok(Taken { part: Some(part), is_last, has_broken })
            }
            Err(error) => {
                self.abandon(&key).await;
                Err(error)
            }
        }
    }
}

impl Storage {
    /// Refuses a part before any of it is read: beside as many others as there may be, or with more bytes than somebody's unfinished uploads
    /// may have together. `replaced` are the bytes of the one whose place it takes.
    pub(crate) fn has_room(&self, begun: &Begun, replaced: Option<u64>, bytes: u64) -> Result<()> {
        if replaced.is_none() {
            self.has_place(begun)?;
        }
        let kept = begun.others_bytes.saturating_add(begun.received).saturating_sub(replaced.unwrap_or(0));
        if kept.saturating_add(bytes) > self.config().parts.open_bytes_max { Err(uploads_too_large()) } else { Ok(()) }
    }

    fn has_place(&self, begun: &Begun) -> Result<()> {
        let count_max = self.config().parts.count_max;
        if begun.parts < count_max {
            return Ok(());
        }
        let message = format!("An upload has at most {count_max} parts; send larger ones");
        Err(Error::new(Kind::BadRequest, "upload_parts_too_many", message))
    }

    /// Puts one part whole, or nothing of it. Returns its blob and its bytes.
    pub(crate) async fn put_part(&self, begun: &Begun, content: BlobStream, bytes_max: u64) -> Result<(BlobKey, u64)> {
        let key = self.intend_part(begun).await?;
        match self.blobs().put(&key, content, bytes_max).await {
            Ok(info) => Ok((key, info.bytes)),
            Err(error) => {
                self.abandon(&key).await;
                Err(if error.code() == "blob_too_large" { failure::too_large() } else { error })
            }
        }
    }
}

pub(super) fn uploads_too_large() -> Error {
    Error::new(Kind::Status(507), "uploads_too_large", "Bring the uploads to an end that were begun, or take them back")
}

pub(super) fn length(piece: &Bytes) -> u64 {
    u64::try_from(piece.len()).unwrap_or(u64::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;
    use aws_lc_rs::digest::SHA256;

    fn body(pieces: &[&'static str], breaks: bool) -> BlobStream {
        let pieces: Vec<Result<Bytes>> = pieces.iter().map(|piece| Ok(Bytes::from_static(piece.as_bytes()))).collect();
        let end = breaks.then(|| Err(Error::internal("the connection broke")));
        stream::iter(pieces.into_iter().chain(end)).boxed()
    }

    async fn text(stream: BlobStream) -> String {
        let pieces: Vec<Bytes> = stream.map(Result::unwrap).collect().await;
        String::from_utf8(pieces.concat()).unwrap()
    }

    #[tokio::test]
    async fn bytes_are_cut_where_they_are_to_be_and_none_is_lost() {
        let source = Source::new(body(&["hello", "", " world"], false), Some(&SHA256));
        assert!(source.has_more().await);
        assert_eq!(text(source.next(7)).await, "hello w");
        assert_eq!(text(source.next(0)).await, "");
        assert_eq!(text(source.next(100)).await, "orld");
        assert!(!source.has_more().await && !source.0.lock().await.has_broken);
        let digest = source.digest().await.unwrap();
        // As `printf 'hello world' | sha256sum` says.
        assert_eq!(digest[..4], [0xb9, 0x4d, 0x27, 0xb9]);
    }

    #[tokio::test]
    async fn what_came_before_a_break_is_there() {
        let source = Source::new(body(&["abc"], true), None);
        assert_eq!(text(source.next(100)).await, "abc");
        assert!(!source.has_more().await && source.0.lock().await.has_broken);
    }
}
