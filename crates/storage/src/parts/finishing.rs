//! Parts become one object.
//!
//! Invariant: one server puts an upload together at a time, and says so while it lasts; where it dies, the next who asks goes on. The object
//! is written as whoever asks then, so that the policies decide a second time.

use std::sync::Arc;
use std::time::Duration;

use aws_lc_rs::digest::{Context, SHA256};
use futures_util::{StreamExt as _, TryStreamExt as _, stream};
use kernel::{BlobKey, BlobStream, Error, Result};
use postgres::Sql;

use super::{Begun, Part, hex, locked};
use crate::objects::value;
use crate::{Caller, Content, Storage, failure};

/// Until when the others believe that it is being put together; said again and again while it lasts.
const LEASE_SECONDS: i32 = 30;
const LEASE_AGAIN: Duration = Duration::from_secs(10);

impl Storage {
    /// Makes an object of the parts of an upload, in their order. Does nothing where that was done.
    pub(crate) async fn finish_parts(&self, caller: &Caller, begun: &Begun, parts: Vec<Part>, etag: Option<String>) -> Result<()> {
        if begun.is_ended {
            return Ok(());
        }
        if !self.hold(begun).await? {
            return Err(locked());
        }
        let finished = {
            let finish = std::pin::pin!(self.put_together(caller, begun, parts, etag));
            let again = std::pin::pin!(self.hold_on(begun));
            tokio::select! {
                finished = finish => finished,
                lost = again => Err(lost),
            }
        };
        match &finished {
            // Nobody makes anything else of an infected file.
            Err(error) if error.code() == "file_infected" => self.forget_parts(begun, false).await?,
            Err(_) => self.let_go(begun).await?,
            Ok(()) => {}
        }
        finished
    }

    async fn put_together(&self, caller: &Caller, begun: &Begun, parts: Vec<Part>, etag: Option<String>) -> Result<()> {
        let bytes = parts.iter().map(|part| part.bytes).sum();
        // A blob that is one part of several is not the whole, whatever was listed before.
        let is_whole = |key: &&BlobKey| parts.len() == 1 || parts.iter().all(|part| part.key != **key);
        let key = match begun.whole.as_ref().filter(is_whole) {
            Some(key) => key.clone(),
            None => self.whole_key(begun, &parts).await?,
        };
        // Who died behind the object's row has nothing left to do.
        if !self.was_adopted(&key).await? {
            let sha256 = self.write_whole(&key, parts).await?;
            let content = Content { key, bytes, sha256: Some(sha256), etag };
            self.adopt(&caller.clone(), begun.upload.clone(), content).await?;
        }
        self.forget_parts(begun, true).await
    }

    /// Decides which blob will be the whole: that of the only part, or one of its own.
    async fn whole_key(&self, begun: &Begun, parts: &[Part]) -> Result<BlobKey> {
        let key = match parts {
            [only] => only.key.clone(),
            _ => self.intend_part(begun).await?,
        };
        let mut sql = Sql::new("update app.part_uploads u set whole_key = ");
        sql.bind(key.as_str()).text("::text where u.id = ").bind(begun.id).text("::uuid");
        self.write(&self.itself("puts an upload together"), sql).await?;
        Ok(key)
    }

    async fn was_adopted(&self, key: &BlobKey) -> Result<bool> {
        let mut sql = Sql::new("select b.state from app.blobs b where b.key = ");
        sql.bind(key.as_str()).text("::text");
        let rows = self.read(&self.itself("looks whether an upload is at its end"), sql).await?;
        // A blob that was adopted and had its like there already is doomed, and may be gone.
        rows.first().map_or(Ok(true), |row| value::<String>(row, "state").map(|state| state != "intended"))
    }

    /// Writes the whole, if it is not there, and returns its digest.
    async fn write_whole(&self, key: &BlobKey, parts: Vec<Part>) -> Result<String> {
        let digest = Arc::new(std::sync::Mutex::new(Context::new(&SHA256)));
        let is_part = matches!(parts.as_slice(), [only] if only.key == *key);
        let bytes: u64 = parts.iter().map(|part| part.bytes).sum();
        let mut content = self.chained(parts);
        if is_part {
            while let Some(piece) = content.try_next().await? {
                digest.lock().unwrap_or_else(std::sync::PoisonError::into_inner).update(&piece);
            }
        } else {
            let passing = Arc::clone(&digest);
            let content = content.inspect_ok(move |piece| passing.lock().unwrap_or_else(std::sync::PoisonError::into_inner).update(piece));
            let put = self.blobs().put(key, content.boxed(), bytes).await?;
            if put.bytes != bytes {
                return Err(Error::internal("an upload has fewer bytes than its parts"));
            }
        }
        let digest = digest.lock().unwrap_or_else(std::sync::PoisonError::into_inner).clone().finish();
        Ok(hex(digest.as_ref()))
    }

    /// Returns the bytes of parts one after the other. Each is opened when the one before it is over.
    fn chained(&self, parts: Vec<Part>) -> BlobStream {
        let storage = self.clone();
        stream::iter(parts)
            .then(move |part| {
                let storage = storage.clone();
                async move {
                    let blob = storage.blobs().get(&part.key, None).await?;
                    if blob.info.bytes == part.bytes { Ok(blob.content) } else { Err(failure::no_such_key()) }
                }
            })
            .try_flatten()
            .boxed()
    }

    /// Says that an upload is being put together here. False where somebody else does it.
    async fn hold(&self, begun: &Begun) -> Result<bool> {
        let mut sql = Sql::new("update app.part_uploads u set finishing_until = now() + make_interval(secs => ");
        sql.bind(LEASE_SECONDS).text("::integer) where u.ended_at is null and (u.finishing_until is null or u.finishing_until < now())");
        sql.text(" and u.id = ").bind(begun.id).text("::uuid returning u.id");
        self.write(&self.itself("puts an upload together"), sql).await.map(|rows| !rows.is_empty())
    }

    /// Says it again until it is lost.
    async fn hold_on(&self, begun: &Begun) -> Error {
        loop {
            tokio::time::sleep(LEASE_AGAIN).await;
            let mut sql = Sql::new("update app.part_uploads u set finishing_until = now() + make_interval(secs => ");
            sql.bind(LEASE_SECONDS).text("::integer) where u.finishing_until is not null and u.id = ").bind(begun.id).text("::uuid");
            if let Err(error) = self.write(&self.itself("puts an upload together"), sql).await {
                return error;
            }
        }
    }

    /// Lets others try. What was written of a whole that became no object is forgotten, so that another list of parts may become one.
    async fn let_go(&self, begun: &Begun) -> Result<()> {
        let mut sql = Sql::new("with whole as (select b.key from app.part_uploads u join app.blobs b on b.key = u.whole_key where u.id = ");
        sql.bind(begun.id).text("::uuid and b.state = 'intended'), doomed as (update app.blobs b set state = 'doomed' from whole w");
        sql.text(" where b.key = w.key and not exists (select from app.upload_parts p where p.blob_key = w.key))");
        sql.text(" update app.part_uploads u set finishing_until = null, whole_key = case when exists (select from whole) then null");
        sql.text(" else u.whole_key end where u.id = ").bind(begun.id).text("::uuid");
        self.write(&self.itself("could not put an upload together"), sql).await.map(drop)
    }
}
