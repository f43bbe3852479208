//! Everything about a person with his files, as one ZIP: `data.json` first, then each file.
//!
//! Invariant: it is made as it is read, so that no more than a piece of a file is in memory. A file that is taken away meanwhile is left out; one
//! that does not come whole ends the answer, so that nobody takes a part for the whole.

use bytes::Bytes;
use futures_util::{Stream, StreamExt as _, stream};
use kernel::{BlobStream, CompanyId, Result};
use postgres::Sql;
use uuid::Uuid;

use super::export::{Export, get};
use super::zip::Zip;
use crate::Transfers;

/// A file that is to be packed.
#[derive(Debug)]
pub(super) struct Wanted {
    pub(super) company: CompanyId,
    pub(super) id: Uuid,
    /// Where it stands in the ZIP.
    pub(super) path: String,
}

enum Stage {
    Begin(Bytes),
    First(Bytes),
    Data,
    Between(std::vec::IntoIter<Wanted>),
    File(BlobStream, std::vec::IntoIter<Wanted>),
    Over,
}

struct Packing {
    transfers: Transfers,
    export: Export,
    zip: Zip,
    stage: Stage,
}

/// Returns the pieces of the ZIP.
pub(super) fn pieces(transfers: &Transfers, head: Bytes, export: Export) -> impl Stream<Item = Result<Bytes>> + Send + use<> {
    let packing = Packing { transfers: transfers.clone(), export, zip: Zip::default(), stage: Stage::Begin(head) };
    stream::unfold(packing, |mut packing| async move {
        match packing.next().await {
            Ok(Some(piece)) => Some((Ok(piece), packing)),
            Ok(None) => None,
            Err(error) => {
                packing.stage = Stage::Over;
                Some((Err(error), packing))
            }
        }
    })
}

impl Packing {
    async fn next(&mut self) -> Result<Option<Bytes>> {
        loop {
            let piece = match std::mem::replace(&mut self.stage, Stage::Over) {
                Stage::Begin(head) => {
                    self.stage = Stage::First(head);
                    self.zip.begin("data.json".to_owned())?
                }
                Stage::First(head) => {
                    self.stage = Stage::Data;
                    self.zip.put(&head);
                    head
                }
                Stage::Data => {
                    if let Some(piece) = self.export.next().await? {
                        self.stage = Stage::Data;
                        self.zip.put(&piece);
                        piece
                    } else {
                        self.stage = Stage::Between(self.export.take_packed().into_iter());
                        self.zip.end()?
                    }
                }
                Stage::Between(mut left) => match left.next() {
                    Some(wanted) => {
                        let Some(found) = content(&self.transfers, &wanted).await? else {
                            self.stage = Stage::Between(left);
                            continue;
                        };
                        self.stage = Stage::File(found, left);
                        self.zip.begin(wanted.path)?
                    }
                    None => self.zip.finish()?,
                },
                Stage::File(mut coming, left) => {
                    if let Some(piece) = coming.next().await {
                        let piece = piece?;
                        self.stage = Stage::File(coming, left);
                        self.zip.put(&piece);
                        piece
                    } else {
                        self.stage = Stage::Between(left);
                        self.zip.end()?
                    }
                }
                Stage::Over => return Ok(None),
            };
            return Ok(Some(piece));
        }
    }
}

/// What stands in a file now; nothing if it was taken away.
async fn content(transfers: &Transfers, wanted: &Wanted) -> Result<Option<BlobStream>> {
    let tx = transfers.begin("packs a file of a person").await?;
    let mut sql = Sql::new("select f.blob_key from app.person_file(");
    sql.bind(wanted.company).text("::uuid, ").bind(wanted.id).text("::uuid) f");
    let row = tx.query_opt(sql).await?;
    tx.commit().await?;
    let Some(row) = row else { return Ok(None) };
    let key: String = get(&row, "blob_key")?;
    match transfers.blobs().get(&key.parse()?, None).await {
        Ok(blob) => Ok(Some(blob.content)),
        Err(error) if error.code() == "blob_not_found" => Ok(None),
        Err(error) => Err(error),
    }
}
