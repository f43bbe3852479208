//! Objects: what they are, and what can be done with them.
//!
//! Invariant: the row of an object is written as whoever asks, so that the policies decide; its content is there before it, and is found by
//! the version that the row names.

mod copying;
mod keys;
mod listing;
mod measuring;
mod opening;
mod removing;
mod restoring;
mod storing;

use std::ops::Range;

use jiff::Timestamp;
use kernel::{BlobKey, BlobStream, CompanyId, Error, Result};
use postgres::Row;
use serde_json::{Value, json};
use uuid::Uuid;

pub(crate) use copying::{Instead, Transport};
pub(crate) use keys::ListingByKey;
pub(crate) use listing::{Listing, invalid};

/// What is uploaded, before its bytes.
#[derive(Clone, Debug)]
pub struct Upload {
    /// The bucket.
    pub bucket: String,
    /// The name in it.
    pub name: String,
    /// What it is said to be.
    pub content_type: String,
    /// How long others may keep it.
    pub cache_control: String,
    /// What the application wants to know of it.
    pub user_metadata: Option<Value>,
    /// Whether it may take the place of one that is there.
    pub upsert: bool,
    /// How many bytes are said to come.
    pub length: Option<u64>,
    /// The file that it was before and is again, where it is brought back.
    pub again: Option<Uuid>,
}

/// What holds for an upload in its bucket.
#[derive(Clone, Copy, Debug)]
pub struct Place {
    /// Whose bytes they are: the company of the first folder, or nobody's.
    pub company: CompanyId,
    /// How many bytes it may have.
    pub bytes_max: u64,
}

/// Bytes that are in a blob already.
#[derive(Clone, Debug)]
pub struct Content {
    /// The blob, which was intended by [`crate::Storage::intend`].
    pub key: BlobKey,
    /// How many they are.
    pub bytes: u64,
    /// Their digest, in hexadecimal, where it is known: equal ones of a company are kept once then.
    pub sha256: Option<String>,
    /// What changes when they do, without quotes; made of the digest or the version where it is not given.
    pub etag: Option<String>,
}

/// An object that was written.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Stored {
    /// Its row.
    pub id: Uuid,
    /// Its bucket.
    pub bucket: String,
    /// Its name there.
    pub name: String,
    /// What names its content.
    pub version: String,
    /// What changes with its content, without quotes.
    pub etag: String,
    /// How many bytes it has.
    pub size: u64,
}

/// What is known of an object.
#[derive(Clone, Debug)]
pub struct Object {
    /// Its row.
    pub id: Uuid,
    /// Its bucket.
    pub bucket: String,
    /// Its name there.
    pub name: String,
    /// What names its content.
    pub version: String,
    /// Where its bytes are.
    pub blob: BlobKey,
    /// How many bytes it has.
    pub size: u64,
    /// What it was said to be.
    pub content_type: String,
    /// How long others may keep it.
    pub cache_control: String,
    /// What changes with its content, without quotes.
    pub etag: String,
    /// What the application wants to know of it.
    pub user_metadata: Option<Value>,
    /// When its row was made.
    pub created_at: Timestamp,
    /// When its content came.
    pub modified_at: Timestamp,
    /// Whether everybody may read its bucket.
    pub is_public: bool,
}

/// An object that is being read.
pub struct Opened {
    /// What is known of it.
    pub object: Object,
    /// Which of its bytes come.
    pub range: Range<u64>,
    /// They themselves.
    pub content: BlobStream,
}

impl Object {
    /// The columns that it is read from, of `o` (the object), `v` (its version) and `b` (its bucket).
    const COLUMNS: &str = "o.id, o.bucket_id, o.name, v.id as version, v.blob_key, v.bytes, v.content_type, v.cache_control, v.etag,
        o.user_metadata, o.created_at, v.created_at as modified_at, b.public as is_public";

    /// What must be true of it beside that: a file that a row gives a time is over with it, unless another row has it that lives.
    const LIVES: &str =
        " (not exists (select from public.file_storage f where f.company_id = v.company_id and f.storage_bucket = o.bucket_id
          and f.storage_path = o.name and f.object_id = o.id and f.expires_at <= now())
        or exists (select from public.file_storage f where f.company_id = v.company_id and f.storage_bucket = o.bucket_id
          and f.storage_path = o.name and f.object_id = o.id and f.deleted_at is null and coalesce(f.expires_at > now(), true))
        or exists (select from public.attachments a where a.company_id = v.company_id and a.storage_bucket = o.bucket_id
          and a.storage_path = o.name and a.object_id = o.id and a.deleted_at is null))";

    fn read(row: &Row) -> Result<Self> {
        let bytes: i64 = value(row, "bytes")?;
        Ok(Self {
            id: value(row, "id")?,
            bucket: value(row, "bucket_id")?,
            name: value(row, "name")?,
            version: value(row, "version")?,
            blob: value::<String>(row, "blob_key")?.parse()?,
            size: u64::try_from(bytes).map_err(Error::internal)?,
            content_type: value(row, "content_type")?,
            cache_control: value(row, "cache_control")?,
            etag: value(row, "etag")?,
            user_metadata: value(row, "user_metadata")?,
            created_at: value(row, "created_at")?,
            modified_at: value(row, "modified_at")?,
            is_public: value(row, "is_public")?,
        })
    }

    /// Returns what `info` answers.
    pub fn info(&self) -> Value {
        json!({
            "id": self.id,
            "name": self.name,
            "version": self.version,
            "bucket_id": self.bucket,
            "size": self.size,
            "content_type": self.content_type,
            "cache_control": self.cache_control,
            "etag": format!("\"{}\"", self.etag),
            "metadata": self.user_metadata.clone().unwrap_or_else(|| json!({})),
            "last_modified": self.modified_at.to_string(),
            "created_at": self.created_at.to_string(),
        })
    }
}

impl std::fmt::Debug for Opened {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Opened").field("object", &self.object).field("range", &self.range).finish_non_exhaustive()
    }
}

/// Reads a column.
pub(crate) fn value<'a, T: postgres::FromSql<'a>>(row: &'a Row, name: &str) -> Result<T> {
    row.try_get(name).map_err(Error::internal)
}
