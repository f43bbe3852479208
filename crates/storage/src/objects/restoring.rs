//! The trash: objects that were removed, and bringing them back.
//!
//! Invariant: whoever brings an object back writes its row, by the same policies as one who uploads it; what somebody removed is seen by
//! whoever may remove it there.

use kernel::{Error, Kind, Result};
use postgres::Sql;
use serde_json::Value;
use uuid::Uuid;

use super::storing::{facts, meant};
use super::{Stored, Upload, value};
use crate::failure;
use crate::{Caller, Storage};

impl Storage {
    /// Brings an object back as it was when it was removed last, or as one of its versions was. It gets a version of its own.
    pub(crate) async fn restore(&self, caller: &Caller, bucket: &str, name: &str, version: Option<&str>) -> Result<Stored> {
        let mut sql = Sql::new(
            "select v.blob_key, v.bytes, v.etag, v.content_type, v.cache_control, v.user_metadata,
                 (select v.object_id where not exists (select from storage.objects o where o.id = v.object_id)) as again
               from app.object_versions v",
        );
        sql.text(" where v.bucket_id = ").bind(bucket).text("::text and v.name = ").bind(name).text("::text and v.ended_at is not null");
        match version {
            Some(version) => sql.text(" and v.id = ").bind(version).text("::text"),
            None => sql.text(" and v.ended_how = 'removed'"),
        };
        sql.text(" order by v.ended_at desc, v.id limit 1");
        let gone = || Error::new(Kind::NotFound, "NoSuchKey", "Object not found").with_hint("It was not removed, or that is too long ago.");
        let rows = self.read(&self.itself("looks what can be brought back"), sql).await?;
        let found = rows.first();
        let upload = Upload {
            bucket: bucket.to_owned(),
            name: name.to_owned(),
            content_type: found.map_or_else(|| Ok("application/octet-stream".to_owned()), |row| value(row, "content_type"))?,
            cache_control: found.map_or_else(|| Ok(String::new()), |row| value(row, "cache_control"))?,
            user_metadata: found.map_or(Ok(None), |row| value::<Option<Value>>(row, "user_metadata"))?,
            upsert: version.is_some(),
            length: None,
            // Rows that meant it mean it again.
            again: found.map_or(Ok(None), |row| value(row, "again"))?,
        };
        // Whoever may not write there does not learn whether something was.
        self.admit(caller, &upload).await?;
        let row = found.ok_or_else(gone)?;
        let (key, etag): (String, String) = (value(row, "blob_key")?, value(row, "etag")?);
        let bytes: i64 = value(row, "bytes")?;
        let size = u64::try_from(bytes).map_err(Error::internal)?;
        let version = Uuid::new_v4().to_string();
        self.write(&self.itself("brings an object back"), meant(&version, &key, &etag, &upload)).await?;
        self.write_row(caller, &upload, &version, &facts(&upload, size, &etag, self.now())).await?;
        let id = self.id_of(&version).await.map_err(|_gone| failure::no_such_key())?;
        Ok(Stored { id, bucket: upload.bucket, name: upload.name, version, etag, size })
    }
}
