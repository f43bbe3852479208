//! Counting and digesting bytes while they pass.
//!
//! Invariant: no more bytes pass than are allowed, and none is kept here.

use std::sync::{Arc, Mutex, PoisonError};

use aws_lc_rs::digest::{Context, SHA256};
use futures_util::{StreamExt as _, future};
use kernel::{BlobStream, Result};

use crate::failure;

/// What is known of a stream when it is over.
#[derive(Clone)]
pub(super) struct Measured(Arc<Mutex<Taken>>);

struct Taken {
    digest: Context,
    bytes: u64,
}

/// Returns the stream, which breaks off behind so many bytes, and what will be known of it.
pub(super) fn measured(content: BlobStream, bytes_max: u64) -> (BlobStream, Measured) {
    let measured = Measured(Arc::new(Mutex::new(Taken { digest: Context::new(&SHA256), bytes: 0 })));
    let taken = measured.clone();
    let content = content.map(move |piece| {
        let piece = piece?;
        let mut taken = taken.0.lock().unwrap_or_else(PoisonError::into_inner);
        taken.bytes = taken.bytes.saturating_add(u64::try_from(piece.len()).unwrap_or(u64::MAX));
        if taken.bytes > bytes_max {
            return Err(failure::too_large());
        }
        taken.digest.update(&piece);
        Ok(piece)
    });
    // Behind an error nothing comes.
    let content = content.scan(false, |is_over, piece: Result<_>| {
        let is_behind = std::mem::replace(is_over, *is_over || piece.is_err());
        future::ready((!is_behind).then_some(piece))
    });
    (content.boxed(), measured)
}

impl Measured {
    /// Returns how many bytes passed, and their digest in hexadecimal.
    pub(super) fn end(&self) -> (u64, String) {
        let taken = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let digest = taken.digest.clone().finish();
        (taken.bytes, digest.as_ref().iter().map(|byte| format!("{byte:02x}")).collect())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use bytes::Bytes;
    use futures_util::stream;

    fn content(pieces: &'static [&'static str]) -> BlobStream {
        stream::iter(pieces.iter().map(|piece| Ok(Bytes::from_static(piece.as_bytes())))).boxed()
    }

    #[tokio::test]
    async fn what_passes_is_counted_and_too_much_is_refused_once() {
        let (stream, measured) = measured(content(&["ab", "", "c"]), 3);
        assert_eq!(stream.map(|piece| piece.unwrap().len()).collect::<Vec<_>>().await, [2, 0, 1]);
        // As `printf abc | sha256sum` says.
        assert_eq!(measured.end(), (3, "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad".to_owned()));
        let (stream, _) = super::measured(content(&["ab", "cd", "ef"]), 3);
        let pieces: Vec<_> = stream.collect().await;
        assert_eq!(pieces.len(), 2);
        assert_eq!(pieces[1].as_ref().unwrap_err().code(), "EntityTooLarge");
    }
}
