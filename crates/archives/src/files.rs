//! Files of a company, from the port to an archive and back.
//!
//! Invariant: a file is put only below the company that is imported, and what was put for an import that fails goes again.

use std::sync::Arc;

use bytes::Bytes;
use futures_util::{StreamExt as _, TryStreamExt as _};
use kernel::{BlobKey, Blobs, CompanyId, Error, Result};
use tokio::sync::mpsc;

use crate::invalid;
use crate::manifest::FileSum;
use crate::packing::Packer;
use crate::sums::Sha256;

/// Pieces of a file that wait to be put.
const WAITING: usize = 4;

/// Writes a file into an archive.
pub(crate) async fn pack(blobs: &Arc<dyn Blobs>, key: String, entry: &str, packer: &mut Packer) -> Result<FileSum> {
    let mut blob = blobs.get(&key.parse()?, None).await?;
    let (bytes, mut sum) = (blob.info.bytes, Sha256::new());
    let pieces = packer.begin(entry, bytes).await?;
    while let Some(piece) = blob.content.try_next().await? {
        sum.add(&piece);
        if pieces.send(piece).await.is_err() {
            break;
        }
    }
    Ok(FileSum { key, bytes, sha256: sum.end() })
}

/// A file that is being put.
pub(crate) struct Putting {
    key: BlobKey,
    is_new: bool,
    pieces: mpsc::Sender<Bytes>,
    put: tokio::task::JoinHandle<Result<kernel::BlobInfo>>,
}

impl Putting {
    /// Begins to put a file of the company.
    pub(crate) async fn begin(blobs: &Arc<dyn Blobs>, key: &str, company: CompanyId, bytes: u64) -> Result<Self> {
        let key: BlobKey = key.parse().map_err(|_error: Error| invalid("A file in the archive has a name that cannot be"))?;
        if key.segments().next() != Some(company.to_string().as_str()) {
            return Err(invalid("A file in the archive is not the company's"));
        }
        let is_new = blobs.head(&key).await?.is_none();
        let (pieces, coming) = mpsc::channel::<Bytes>(WAITING);
        // Where fewer bytes come than were said, whoever gave them died: a part of a file is never kept as a whole one.
        let content = futures_util::stream::unfold((coming, Some(bytes)), |(mut coming, left)| async move {
            let left = left?;
            match coming.recv().await {
                Some(piece) => {
                    let left = left.saturating_sub(u64::try_from(piece.len()).unwrap_or(u64::MAX));
                    Some((Ok(piece), (coming, Some(left))))
                }
                None if left == 0 => None,
                None => Some((Err(invalid("A file in the archive ended too early")), (coming, None))),
            }
        });
        let (blobs, named) = (Arc::clone(blobs), key.clone());
        let put = tokio::spawn(async move { blobs.put(&named, content.boxed(), bytes).await });
        Ok(Self { key, is_new, pieces, put })
    }

    /// Gives it the next bytes.
    pub(crate) async fn take(&self, piece: Bytes) {
        // If nobody takes them, the end says why.
        let _gone = self.pieces.send(piece).await.is_err();
    }

    /// Ends it; returns its name if it was not there before.
    pub(crate) async fn finish(self) -> Result<Option<BlobKey>> {
        drop(self.pieces);
        self.put.await.map_err(Error::internal)??;
        Ok(self.is_new.then_some(self.key))
    }
}

/// Compares a file that was put with what the manifest says.
pub(crate) async fn compare(blobs: &Arc<dyn Blobs>, key: &str, file: &FileSum) -> Result<()> {
    let mut blob = blobs.get(&key.parse()?, None).await?;
    let mut sum = Sha256::new();
    while let Some(piece) = blob.content.try_next().await? {
        sum.add(&piece);
    }
    if blob.info.bytes != file.bytes || sum.end() != file.sha256 {
        return Err(invalid(format!("The file {key} is not what was exported")));
    }
    Ok(())
}

/// Takes files away again.
pub(crate) async fn undo(blobs: &Arc<dyn Blobs>, put: &[BlobKey]) {
    for key in put {
        if let Err(error) = blobs.delete(key).await {
            tracing::warn!(code = error.code(), "a file of an import that failed could not be taken away: {}", error.message());
        }
    }
}
