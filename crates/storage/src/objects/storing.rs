//! Writing objects: the bytes first, then the row that names them.
//!
//! Invariant: what is in the folder has had a row in `app.blobs` before its first byte, so that whatever dies in between, nothing is there
//! that nobody knows of. A row of an object is committed together with its content.

use jiff::SignedDuration;
use kernel::{BlobKey, BlobStream, CompanyId, Error, Kind, Result};
use postgres::{Row, Sql};
use serde_json::{Value, json};
use uuid::Uuid;

use super::measuring::measured;
use super::{Content, Place, Stored, Upload, value};
use crate::failure::{self, told};
use crate::{Caller, Storage, naming};

/// Letters of a content type, and of what is said about keeping.
const HEADER_MAX: usize = 255;

impl Storage {
    /// Writes an object as it comes. What is refused, breaks off or is too large leaves nothing.
    pub async fn store(&self, caller: &Caller, upload: Upload, content: BlobStream) -> Result<Stored> {
        let place = self.admit(caller, &upload).await?;
        let key = self.intend(place.company).await?;
        let (content, measured) = measured(content, place.bytes_max);
        let written = async {
            self.blobs().put(&key, content, place.bytes_max).await?;
            let (bytes, sha256) = measured.end();
            metrics::counter!("storage_bytes_uploaded_total").increment(bytes);
            self.adopt(caller, upload, Content { key: key.clone(), bytes, sha256: Some(sha256), etag: None }).await
        };
        match written.await {
            Ok(stored) => Ok(stored),
            Err(error) => {
                self.abandon(&key).await;
                Err(if error.code() == "blob_too_large" { failure::too_large() } else { error })
            }
        }
    }

    /// Looks whether a caller may write an object as it is announced, and says what holds for it.
    pub async fn admit(&self, caller: &Caller, upload: &Upload) -> Result<Place> {
        naming::check_name(&upload.name)?;
        let place = self.place(upload).await?;
        self.try_row(caller, upload).await?;
        Ok(place)
    }

    /// Looks whether a caller may write an object of which only the place is known.
    pub(crate) async fn admit_somehow(&self, caller: &Caller, upload: &Upload) -> Result<()> {
        naming::check_name(&upload.name)?;
        self.bucket_of(upload).await?;
        self.try_row(caller, upload).await
    }

    /// Writes a row and takes it back: a policy is asked with what it would see.
    async fn try_row(&self, caller: &Caller, upload: &Upload) -> Result<()> {
        let tx = self.begin(caller).await?;
        tx.execute(row(caller, upload, &Uuid::new_v4().to_string(), &json!({ "mimetype": upload.content_type }))).await.map_err(told)?;
        tx.rollback().await
    }

    /// Begins a blob. Until it is adopted it belongs to nobody, and is taken away after a while.
    pub async fn intend(&self, company: CompanyId) -> Result<BlobKey> {
        let until = self.now().checked_add(SignedDuration::from_hours(self.config().unfinished_hours.into())).map_err(Error::internal)?;
        self.intend_until(company, until).await
    }

    /// Begins a blob that is waited for until then.
    pub async fn intend_until(&self, company: CompanyId, until: jiff::Timestamp) -> Result<BlobKey> {
        let id = Uuid::new_v4().simple().to_string();
        let (folder, _) = id.split_at(2);
        let key = BlobKey::new(company, &format!("objects/{folder}/{id}"))?;
        let mut sql = Sql::new("insert into app.blobs (key, company_id, keep_until) values (");
        sql.bind(key.as_str()).text("::text, ").bind(company).text("::uuid, ").bind(until).text("::timestamptz)");
        self.write(&self.itself("begins an upload"), sql).await?;
        Ok(key)
    }

    /// Takes a blob away that was begun and nobody adopted. What cannot be taken away now is later.
    pub async fn abandon(&self, key: &BlobKey) {
        let gone = async {
            let mut doom = Sql::new("with forgotten as (delete from app.meant_contents m where m.blob_key = ");
            doom.bind(key.as_str()).text("::text) update app.blobs b set state = 'doomed' where b.state = 'intended' and b.key = ");
            doom.bind(key.as_str()).text("::text returning b.key");
            if self.write(&self.itself("gives up an upload"), doom).await?.is_empty() {
                return Ok(());
            }
            self.take_away(key).await
        };
        if let Err(error) = gone.await {
            tracing::debug!(code = error.code(), "an upload could not be taken away: {}", error.message());
        }
    }

    /// Makes an object of bytes that are in a blob already, without copying them.
    pub async fn adopt(&self, caller: &Caller, upload: Upload, content: Content) -> Result<Stored> {
        naming::check_name(&upload.name)?;
        let place = self.place(&upload).await?;
        if content.bytes > place.bytes_max {
            return Err(failure::too_large());
        }
        let scan = self.judge(&content, place.company, &upload).await?;
        let version = Uuid::new_v4().to_string();
        let etag = match (&content.etag, &content.sha256) {
            (Some(etag), _) => etag.clone(),
            (None, Some(digest)) => digest.chars().take(32).collect(),
            (None, None) => version.replace('-', ""),
        };
        self.mean((&version, &etag), &upload, &content, scan).await?;
        self.write_row(caller, &upload, &version, &facts(&upload, content.bytes, &etag, self.now())).await?;
        let id = self.id_of(&version).await?;
        Ok(Stored { id, bucket: upload.bucket, name: upload.name, version, etag, size: content.bytes })
    }

    /// Writes the row of an object as the caller.
    pub(super) async fn write_row(&self, caller: &Caller, upload: &Upload, version: &str, metadata: &Value) -> Result<()> {
        self.write(caller, row(caller, upload, version, metadata)).await.map(drop).map_err(told)
    }

    /// Returns the row that took a version.
    pub(super) async fn id_of(&self, version: &str) -> Result<Uuid> {
        let mut sql = Sql::new("select v.object_id from app.object_versions v where v.id = ");
        sql.bind(version).text("::text");
        let rows = self.read(&self.itself("looks which object was written"), sql).await?;
        rows.first().map_or_else(|| Err(failure::no_such_key()), |row| value(row, "object_id"))
    }

    /// Says what a bucket holds an upload to.
    async fn place(&self, upload: &Upload) -> Result<Place> {
        if upload.content_type.len() > HEADER_MAX || upload.cache_control.len() > HEADER_MAX {
            return Err(Error::new(Kind::BadRequest, "InvalidRequest", "A header of the object has more than 255 letters"));
        }
        // A browser takes the last of several types in one header: what the bucket allows would be another than what is shown.
        if upload.content_type.contains(',') {
            return Err(failure::no_such_type(&upload.content_type));
        }
        let row = &self.bucket_of(upload).await?;
        let limit: Option<i64> = value(row, "file_size_limit")?;
        let limit = limit.and_then(|bytes| u64::try_from(bytes).ok()).unwrap_or(u64::MAX);
        // It holds an empty folder open, whatever its bucket takes, and nothing else.
        let is_placeholder = naming::is_placeholder(&upload.name);
        let bytes_max = if is_placeholder { 0 } else { limit.min(self.config().object_bytes_max) };
        if upload.length.is_some_and(|length| length > bytes_max) {
            return Err(failure::too_large());
        }
        let room: Option<i64> = value(row, "room")?;
        if room.is_some_and(|room| upload.length.unwrap_or(0) > u64::try_from(room).unwrap_or(0)) {
            return Err(Error::new(Kind::Status(402), "quota_exceeded", "The subscription includes less room for files"));
        }
        let allowed: Option<Vec<String>> = value(row, "allowed_mime_types")?;
        if let Some(allowed) = allowed.filter(|allowed| !allowed.is_empty() && !is_placeholder)
            && !allowed.iter().any(|pattern| is_of(&upload.content_type, pattern))
        {
            return Err(failure::no_such_type(&essence(&upload.content_type)));
        }
        Ok(Place { company: CompanyId(value(row, "company_id")?), bytes_max })
    }

    /// Reads what is written in the bucket of an upload.
    async fn bucket_of(&self, upload: &Upload) -> Result<Row> {
        let mut sql = Sql::new("select b.file_size_limit, b.allowed_mime_types, c.company_id, app.file_room(c.company_id) as room");
        sql.text(" from storage.buckets b, lateral (select app.company_of_object(b.id, ").bind(upload.name.as_str());
        sql.text("::text) as company_id) c where b.id = ").bind(upload.bucket.as_str()).text("::text");
        let mut rows = self.read(&self.itself("looks what a bucket takes"), sql).await?;
        rows.pop().ok_or_else(failure::no_such_bucket)
    }

    /// Says for which version a blob is meant. It need not survive a crash by itself: what names the version is written behind it.
    async fn mean(&self, (version, etag): (&str, &str), upload: &Upload, content: &Content, scan: &str) -> Result<()> {
        let bytes = i64::try_from(content.bytes).map_err(Error::internal)?;
        let tx = self.begin(&self.itself("ends an upload")).await?;
        tx.query(Sql::new("select set_config('synchronous_commit', 'off', true)")).await?;
        let mut sql = Sql::new("update app.blobs b set bytes = ");
        sql.bind(bytes).text("::bigint, sha256 = decode(").bind(content.sha256.as_deref()).text("::text, 'hex'), scan_result = ");
        sql.bind(scan).text("::text, scanned_at = case when ").bind(scan == "clean").text("::boolean then now() end where b.key = ");
        sql.bind(content.key.as_str()).text("::text and b.state = 'intended'");
        if tx.execute(sql).await? == 0 {
            return Err(Error::new(Kind::Conflict, "upload_lost", "The content of this upload is not there any more"));
        }
        tx.execute(meant(version, content.key.as_str(), etag, upload)).await?;
        tx.commit().await
    }
}

/// The statement that says what a version will have as its content.
pub(super) fn meant(version: &str, key: &str, etag: &str, upload: &Upload) -> Sql {
    let mut sql = Sql::new("insert into app.meant_contents (version, blob_key, etag, content_type, cache_control) values (");
    sql.bind(version).text("::text, ").bind(key).text("::text, ").bind(etag).text("::text, ");
    sql.bind(upload.content_type.as_str()).text("::text, ").bind(upload.cache_control.as_str()).text("::text)");
    sql
}

/// What stands in the column `metadata`, as clients read it in lists.
pub(super) fn facts(upload: &Upload, bytes: u64, etag: &str, now: jiff::Timestamp) -> Value {
    json!({
        "eTag": format!("\"{etag}\""),
        "size": bytes,
        "mimetype": upload.content_type,
        "cacheControl": upload.cache_control,
        "lastModified": now.to_string(),
        "contentLength": bytes,
        "httpStatusCode": 200,
    })
}

/// The statement that writes the row. It reads nothing back: whoever may write may not be one who reads.
fn row(caller: &Caller, upload: &Upload, version: &str, metadata: &Value) -> Sql {
    let mut sql =
        Sql::new("insert into storage.objects (id, bucket_id, name, owner, owner_id, metadata, user_metadata, version) values (coalesce(");
    sql.bind(upload.again).text("::uuid, gen_random_uuid()), ");
    sql.bind(upload.bucket.as_str()).text("::text, ").bind(upload.name.as_str()).text("::text, ");
    sql.bind(caller.owner()).text("::uuid, coalesce(").bind(caller.owner()).text("::uuid::text, auth.jwt() ->> 'sub'), ");
    sql.bind(metadata.clone()).text("::jsonb, ").bind(upload.user_metadata.clone()).text("::jsonb, ").bind(version).text("::text)");
    if upload.upsert {
        sql.text(
            " on conflict (bucket_id, name) do update set owner = excluded.owner, owner_id = excluded.owner_id,
              metadata = excluded.metadata, user_metadata = excluded.user_metadata, version = excluded.version",
        );
    }
    sql
}

/// Tells whether a content type is one of a kind such as `image/*`.
fn is_of(content_type: &str, pattern: &str) -> bool {
    let (said, pattern) = (essence(content_type), essence(pattern));
    let Some((kind, rest)) = said.split_once('/').filter(|(kind, rest)| !kind.is_empty() && !rest.is_empty()) else { return false };
    match pattern.split_once('/') {
        None => pattern == "*",
        Some((wanted, sort)) => (wanted == "*" || wanted == kind) && (sort == "*" || sort == rest),
    }
}

/// Returns a content type without what stands behind its semicolon.
fn essence(content_type: &str) -> String {
    content_type.split(';').next().unwrap_or_default().trim().to_ascii_lowercase()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_content_type_is_of_a_kind() {
        for (said, pattern, expected) in [
            ("image/png", "image/png", true),
            ("image/PNG; q=1", "IMAGE/png", true),
            ("image/png", "image/*", true),
            ("image/png", "*/*", true),
            ("image/png", "*", true),
            ("image/png", "image/jpeg", false),
            ("imagex/png", "image/*", false),
            ("image", "*", false),
            ("", "*/*", false),
            ("text/plain;charset=UTF-8", "text/plain", true),
            ("text/plain", "text/plain; charset=utf-8", true),
        ] {
            assert_eq!(is_of(said, pattern), expected, "{said} of {pattern}");
        }
    }
}
