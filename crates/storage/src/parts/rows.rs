//! The rows of uploads in parts.
//!
//! Invariant: the bytes that an upload has received and its parts are written in one statement, and only from where it stands.

use jiff::SignedDuration;
use kernel::{BlobKey, CompanyId, Error, Kind, Result};
use postgres::{Row, Sql};
use serde_json::json;
use uuid::Uuid;

use super::taking::uploads_too_large;
use super::{Begin, Begun, Part, Protocol, Unfinished, moved_on, no_such_upload};
use crate::objects::value;
use crate::{Caller, Place, Storage, Upload};

/// Hours that parts stay longer than their upload, which may be at its end.
const GRACE_HOURS: i64 = 24;

impl Storage {
    /// Begins an upload that the caller may make, and returns its id.
    pub(crate) async fn begin_parts(&self, protocol: Protocol, asker: &str, caller: &Caller, begun: (Upload, &str)) -> Result<Uuid> {
        let (upload, said) = begun;
        let place = self.admit(caller, &upload).await?;
        let itself = self.itself("begins an upload in parts");
        let id = Uuid::new_v4();
        let begun = self.write(&itself, self.beginning(id, (protocol, asker), (caller, place), (&upload, said))?).await?;
        if begun.is_empty() {
            let message = format!("At most {} uploads at once that are not at their end", self.config().parts.open_max);
            return Err(Error::new(Kind::TooManyRequests, "uploads_too_many", message).with_retry_after(60));
        }
        Ok(id)
    }

    fn beginning(
        &self,
        id: Uuid,
        (protocol, asker): (Protocol, &str),
        (caller, place): (&Caller, Place),
        (upload, said): (&Upload, &str),
    ) -> Result<Sql> {
        let hours = SignedDuration::from_hours(self.config().parts.expiry_hours.into());
        let expires_at = self.now().checked_add(hours).map_err(Error::internal)?;
        let length = upload.length.map(i64::try_from).transpose().map_err(Error::internal)?;
        let mut sql = Sql::new(
            "insert into app.part_uploads (id, kind, asker, company_id, owner, bucket_id, name, content_type, cache_control, user_metadata, upsert,
                                           said, bytes, expires_at) select ",
        );
        sql.bind(id).text("::uuid, ").bind(protocol.name()).text("::text, ").bind(asker).text("::text, ").bind(place.company);
        sql.text("::uuid, ").bind(caller.owner()).text("::uuid, ").bind(upload.bucket.as_str()).text("::text, ");
        sql.bind(upload.name.as_str()).text("::text, ").bind(upload.content_type.as_str()).text("::text, ");
        sql.bind(upload.cache_control.as_str()).text("::text, ").bind(upload.user_metadata.clone()).text("::jsonb, ");
        sql.bind(upload.upsert).text("::boolean, ").bind(said).text("::text, ").bind(length).text("::bigint, ").bind(expires_at);
        sql.text("::timestamptz where (select count(*) from app.part_uploads u where u.asker = ").bind(asker);
        sql.text("::text and u.ended_at is null and u.expires_at > ").bind(self.now()).text("::timestamptz) < ");
        sql.bind(i64::from(self.config().parts.open_max)).text("::bigint returning id");
        Ok(sql)
    }

    /// Finds an upload of whoever asks.
    pub(crate) async fn begun(&self, protocol: Protocol, asker: &str, id: Uuid) -> Result<Begun> {
        let mut sql = Sql::new(
            "select u.id, u.company_id, u.bucket_id, u.name, u.content_type, u.cache_control,
                    u.user_metadata, u.upsert, u.said, u.bytes, u.received, u.ended_at is not null as is_ended, u.expires_at, u.whole_key,
                    (select count(*) from app.upload_parts p where p.upload_id = u.id) as parts,
                    (select coalesce(sum(o.received), 0)::bigint from app.part_uploads o
                      where o.asker = u.asker and o.ended_at is null and o.id <> u.id) as others_bytes
               from app.part_uploads u where u.id = ",
        );
        sql.bind(id).text("::uuid and u.kind = ").bind(protocol.name()).text("::text and u.asker = ").bind(asker).text("::text");
        let rows = self.read(&self.itself("looks how far an upload is"), sql).await?;
        Begun::read(rows.first().ok_or_else(no_such_upload)?)
    }

    /// Notes how long an upload will be, where that was not said before.
    pub(crate) async fn set_length(&self, begun: &Begun, bytes: u64) -> Result<()> {
        let mut sql = Sql::new("update app.part_uploads u set bytes = ");
        sql.bind(i64::try_from(bytes).map_err(Error::internal)?).text("::bigint where u.bytes is null and u.id = ").bind(begun.id);
        sql.text("::uuid returning u.id");
        let rows = self.write(&self.itself("notes how long an upload is"), sql).await?;
        if rows.is_empty() { Err(moved_on()) } else { Ok(()) }
    }

    /// Adds parts at the place where an upload stands. Returns whether it still stood there.
    pub(crate) async fn append(&self, begun: &Begun, from: u64, parts: &[Part]) -> Result<bool> {
        let total: u64 = parts.iter().map(|part| part.bytes).sum();
        let list: Vec<_> = parts
            .iter()
            .map(|part| json!({ "position": part.position, "bytes": part.bytes, "etag": part.etag, "blob_key": part.key.as_str() }))
            .collect();
        let mut sql = Sql::new("with moved as (update app.part_uploads u set received = u.received + ");
        sql.bind(i64::try_from(total).map_err(Error::internal)?).text("::bigint where u.ended_at is null and u.id = ").bind(begun.id);
        sql.text("::uuid and u.received = ").bind(i64::try_from(from).map_err(Error::internal)?);
        sql.text(
            "::bigint returning u.id) insert into app.upload_parts (upload_id, position, bytes, etag, blob_key)
                  select m.id, p.position, p.bytes, p.etag, p.blob_key
                    from moved m, jsonb_to_recordset(",
        );
        sql.bind(json!(list)).text("::jsonb) as p (position bigint, bytes bigint, etag text, blob_key text) returning upload_id");
        let rows = self.write(&self.itself("adds to an upload"), sql).await?;
        Ok(!rows.is_empty())
    }

    /// Puts a part in the place of the one of its number, if there was one, whose blob goes.
    pub(crate) async fn replace_part(&self, begun: &Begun, part: &Part) -> Result<()> {
        let (position, bytes) =
            (i64::try_from(part.position).map_err(Error::internal)?, i64::try_from(part.bytes).map_err(Error::internal)?);
        let itself = self.itself("adds to an upload");
        let tx = self.begin(&itself).await?;
        let mut lock = Sql::new("select u.id from app.part_uploads u where u.ended_at is null and u.finishing_until is null and u.id = ");
        lock.bind(begun.id).text("::uuid for update");
        tx.query_opt(lock).await?.ok_or_else(no_such_upload)?;
        let mut old = Sql::new("delete from app.upload_parts p where p.upload_id = ");
        old.bind(begun.id).text("::uuid and p.position = ").bind(position).text("::bigint returning p.bytes, p.blob_key");
        let old = tx.query_opt(old).await?;
        let (gone_bytes, gone_key) = match &old {
            Some(row) => (value::<i64>(row, "bytes")?, Some(value::<String>(row, "blob_key")?)),
            None => (0, None),
        };
        let mut add = Sql::new("insert into app.upload_parts (upload_id, position, bytes, etag, blob_key) values (");
        add.bind(begun.id).text("::uuid, ").bind(position).text("::bigint, ").bind(bytes).text("::bigint, ").bind(part.etag.as_str());
        add.text("::text, ").bind(part.key.as_str()).text("::text)");
        tx.execute(add).await?;
        let mut count = Sql::new("update app.part_uploads u set received = u.received + ");
        count.bind(bytes.saturating_sub(gone_bytes)).text("::bigint where u.id = ").bind(begun.id).text("::uuid returning u.received");
        let received: i64 = tx.query_opt(count).await?.ok_or_else(no_such_upload).and_then(|row| value(&row, "received"))?;
        // Several parts come at once, each of which found room when it began.
        if begun.others_bytes.saturating_add(u64::try_from(received).unwrap_or(0)) > self.config().parts.open_bytes_max {
            return Err(uploads_too_large());
        }
        tx.commit().await?;
        if let Some(key) = gone_key {
            self.abandon(&key.parse()?).await;
        }
        Ok(())
    }

    /// Returns the parts that an upload has, in their order, from behind one of them.
    pub(crate) async fn parts_of(&self, id: Uuid, after: Option<u64>, rows_max: u64) -> Result<Vec<Part>> {
        let after = after.map(i64::try_from).transpose().map_err(Error::internal)?.unwrap_or(-1);
        let mut sql = Sql::new("select p.position, p.bytes, p.etag, p.blob_key, p.created_at from app.upload_parts p where p.upload_id = ");
        sql.bind(id).text("::uuid and p.position > ").bind(after).text("::bigint order by p.position limit ");
        sql.bind(i64::try_from(rows_max).map_err(Error::internal)?).text("::bigint");
        let rows = self.read(&self.itself("looks what an upload has"), sql).await?;
        rows.iter().map(Part::read).collect()
    }

    /// Returns the uploads of an asker to a bucket that are not at their end, by their names and ids; those of a folder as one where that is
    /// wanted.
    pub(crate) async fn uploads_of(
        &self,
        (protocol, asker, bucket): (Protocol, &str, &str),
        begin: &Begin<'_>,
        rows_max: u64,
    ) -> Result<Vec<Unfinished>> {
        let (key, id) = begin.after.map_or((None, None), |(key, id)| (Some(key), id));
        let mut sql = Sql::new("with given as (select ");
        sql.bind(begin.prefix).text("::text as prefix, ").bind(begin.is_delimited).text("::boolean as is_delimited, ");
        sql.bind(key).text("::text collate \"C\" as after_key, ").bind(id).text("::text collate \"C\" as after_id)");
        sql.text(
            ", found as (
               select u.id, u.name, u.created_at, case when g.is_delimited and strpos(substr(u.name, length(g.prefix) + 1), '/') > 0
                        then g.prefix || split_part(substr(u.name, length(g.prefix) + 1), '/', 1) || '/' end as folder
                 from app.part_uploads u, given g
                where starts_with(u.name, g.prefix) and u.ended_at is null and u.kind = ",
        );
        sql.bind(protocol.name()).text("::text and u.asker = ").bind(asker).text("::text and u.bucket_id = ").bind(bucket);
        sql.text("::text and u.expires_at > ").bind(self.now());
        sql.text(
            "::timestamptz), entries as (
               select distinct f.folder, coalesce(f.folder, f.name) collate \"C\" as key,
                      case when f.folder is null then f.id end as id, case when f.folder is null then f.created_at end as created_at
                 from found f, given g
                where g.after_key is null or f.name collate \"C\" > g.after_key and f.folder is distinct from g.after_key
                   or f.folder is null and f.name = g.after_key and f.id::text collate \"C\" > g.after_id)
             select e.folder, e.key, e.id, e.created_at from entries e order by e.key, e.id::text collate \"C\" limit ",
        );
        sql.bind(i64::try_from(rows_max).map_err(Error::internal)?).text("::bigint");
        let rows = self.read(&self.itself("lists uploads"), sql).await?;
        rows.iter().map(Unfinished::read).collect()
    }

    /// Forgets an upload, at its end or before it. Its parts go with the next look of the server.
    pub(crate) async fn forget_parts(&self, begun: &Begun, has_ended: bool) -> Result<()> {
        let mut sql = Sql::new("with gone as (delete from app.upload_parts p where p.upload_id = ");
        sql.bind(begun.id)
            .text("::uuid returning p.blob_key), doomed as (update app.blobs b set state = 'doomed' where b.state = 'intended'");
        sql.text(" and (b.key in (select g.blob_key from gone g) or b.key = (select u.whole_key from app.part_uploads u where u.id = ");
        sql.bind(begun.id).text("::uuid)))");
        if has_ended {
            sql.text(" update app.part_uploads u set ended_at = ").bind(self.now()).text("::timestamptz where u.id = ").bind(begun.id);
        } else {
            sql.text(" delete from app.part_uploads u where u.id = ").bind(begun.id);
        }
        sql.text("::uuid");
        self.write(&self.itself("forgets the parts of an upload"), sql).await.map(drop)
    }

    /// Begins the blob of a part.
    pub(super) async fn intend_part(&self, begun: &Begun) -> Result<BlobKey> {
        let until = begun.expires_at.checked_add(SignedDuration::from_hours(GRACE_HOURS)).map_err(Error::internal)?;
        self.intend_until(begun.company, until).await
    }
}

impl Begun {
    fn read(row: &Row) -> Result<Self> {
        let count = |name: &str| value::<i64>(row, name).and_then(|count| u64::try_from(count).map_err(Error::internal));
        let length = value::<Option<i64>>(row, "bytes")?.map(u64::try_from).transpose().map_err(Error::internal)?;
        Ok(Self {
            id: value(row, "id")?,
            company: CompanyId(value(row, "company_id")?),
            upload: Upload {
                bucket: value(row, "bucket_id")?,
                name: value(row, "name")?,
                content_type: value(row, "content_type")?,
                cache_control: value(row, "cache_control")?,
                user_metadata: value(row, "user_metadata")?,
                upsert: value(row, "upsert")?,
                length,
                again: None,
            },
            said: value(row, "said")?,
            received: count("received")?,
            is_ended: value(row, "is_ended")?,
            expires_at: value(row, "expires_at")?,
            whole: value::<Option<String>>(row, "whole_key")?.map(|key| key.parse()).transpose()?,
            parts: count("parts")?,
            others_bytes: count("others_bytes")?,
        })
    }
}

impl Unfinished {
    fn read(row: &Row) -> Result<Self> {
        if let Some(folder) = value(row, "folder")? {
            return Ok(Self::Folder(folder));
        }
        Ok(Self::Upload { id: value(row, "id")?, name: value(row, "key")?, created_at: value(row, "created_at")? })
    }
}

impl Part {
    fn read(row: &Row) -> Result<Self> {
        let count = |name: &str| value::<i64>(row, name).and_then(|count| u64::try_from(count).map_err(Error::internal));
        Ok(Self {
            position: count("position")?,
            bytes: count("bytes")?,
            etag: value(row, "etag")?,
            key: value::<String>(row, "blob_key")?.parse()?,
            created_at: value(row, "created_at")?,
        })
    }
}
