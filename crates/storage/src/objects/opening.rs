//! Finding objects and reading them.
//!
//! Invariant: whoever may not read the row learns no more than that nothing is there; public buckets and signed links are read as the server.

use std::ops::Range;

use kernel::{CompanyId, Error, Result};
use postgres::Sql;
use uuid::Uuid;

use super::{Object, Opened, value};
use crate::failure;
use crate::{Caller, Storage, naming};

impl Storage {
    /// Returns what is known of an object that the caller may read.
    pub async fn info(&self, caller: &Caller, bucket: &str, name: &str) -> Result<Object> {
        self.info_of(caller, bucket, name, None).await
    }

    /// Returns what is known of an object as one of its versions has it, where it is told which: the one it has, or one it had.
    pub(crate) async fn info_of(&self, caller: &Caller, bucket: &str, name: &str, version: Option<&str>) -> Result<Object> {
        let mut seen = Sql::new("select o.id, o.version from storage.objects o where o.bucket_id = ");
        seen.bind(bucket).text("::text and o.name = ").bind(name).text("::text");
        let seen = match self.read(caller, seen).await {
            Ok(rows) => rows,
            // Whoever has no right on the table at all sees nothing of it.
            Err(error) if error.code() == "42501" => Vec::new(),
            Err(error) => return Err(error),
        };
        let row = seen.first().ok_or_else(failure::no_such_key)?;
        let (id, current): (Uuid, Option<String>) = (value(row, "id")?, value(row, "version")?);
        let version = version.map(str::to_owned).or(current).ok_or_else(failure::no_such_key)?;
        self.of_version(id, &version).await
    }

    /// Returns what is known of an object that the caller may read, or everybody. What is in a public bucket the policies do not hide. Whoever
    /// shows nothing that says who he is learns of no other bucket that it is there.
    pub(crate) async fn info_of_any(
        &self,
        caller: &Caller,
        (bucket, name): (&str, &str),
        (version, is_known): (Option<&str>, bool),
    ) -> Result<Object> {
        let refused = match self.info_of(caller, bucket, name, version).await {
            Err(error) if error.code() == "NoSuchKey" => error,
            answered => return answered,
        };
        naming::check_name(name)?;
        match self.info_for_all(bucket, name, true, version).await {
            Err(error) if error.code() == "NoSuchBucket" && is_known => {
                self.check_bucket(bucket).await?;
                Err(refused)
            }
            answered => answered,
        }
    }

    /// Returns an object by its row, as one of its versions has it.
    async fn of_version(&self, id: Uuid, version: &str) -> Result<Object> {
        let mut sql = Sql::new("select ");
        sql.text(Object::COLUMNS).text(
            " from storage.objects o join storage.buckets b on b.id = o.bucket_id join app.object_versions v on v.object_id = o.id where o.id = ",
        );
        sql.bind(id).text("::uuid and v.id = ").bind(version).text("::text and").text(Object::LIVES);
        let rows = self.read(&self.itself("looks where an object's content is"), sql).await?;
        rows.first().map_or_else(|| Err(failure::no_such_key()), Object::read)
    }

    /// Returns a file of a company, as long as it is an object's content.
    pub(crate) async fn content_of(&self, company: CompanyId, version: &str) -> Result<Option<Object>> {
        let mut sql = Sql::new("select ");
        sql.text(Object::COLUMNS).text(
            " from app.object_versions v join storage.objects o on o.id = v.object_id and o.version = v.id
               join storage.buckets b on b.id = o.bucket_id where v.ended_at is null and v.id = ",
        );
        sql.bind(version).text("::text and v.company_id = ").bind(company).text("::uuid and").text(Object::LIVES);
        let rows = self.read(&self.itself("looks for a file to make a preview of"), sql).await?;
        rows.first().map(Object::read).transpose()
    }

    /// Returns an object for whoever has a link to it, or reads a public bucket.
    pub(crate) async fn info_for_all(&self, bucket: &str, name: &str, only_public: bool, version: Option<&str>) -> Result<Object> {
        let mut sql = Sql::new("select ");
        sql.text(Object::COLUMNS)
            .text(" from storage.buckets b left join (storage.objects o join app.object_versions v on v.object_id = o.id");
        match version {
            Some(version) => sql.text(" and v.id = ").bind(version).text("::text"),
            None => sql.text(" and v.id = o.version"),
        };
        sql.text(" and").text(Object::LIVES);
        sql.text(") on o.bucket_id = b.id and o.name = ")
            .bind(name)
            .text("::text where b.id = ")
            .bind(bucket)
            .text("::text and (b.public or not ");
        sql.bind(only_public).text("::boolean)");
        let rows = self.read(&self.itself("reads for whoever has a link, or what is public"), sql).await?;
        let row = rows.first().ok_or_else(failure::no_such_bucket)?;
        if value::<Option<Uuid>>(row, "id")?.is_none() {
            return Err(failure::no_such_key());
        }
        Object::read(row)
    }

    /// Opens an object that the caller may read, or a range of its bytes.
    pub async fn open(&self, caller: &Caller, bucket: &str, name: &str, range: Option<Range<u64>>) -> Result<Opened> {
        let object = self.info(caller, bucket, name).await?;
        self.open_found(object, range).await
    }

    /// Opens an object that was found.
    pub async fn open_found(&self, object: Object, range: Option<Range<u64>>) -> Result<Opened> {
        match self.blobs().get(&object.blob, range).await {
            Ok(blob) => Ok(Opened { object, range: blob.range, content: blob.content }),
            // It was replaced or removed, and taken away, since its row was read.
            Err(error) if error.code() == "blob_not_found" => {
                tracing::warn!(object = %object.id, version = object.version, "the content of an object is not there");
                Err(failure::no_such_key())
            }
            Err(error) if error.code() == "blob_range_invalid" => {
                Err(Error::new(kernel::Kind::Status(416), "InvalidRange", "The requested range is not satisfiable")
                    .with_details(object.size))
            }
            Err(error) => Err(error),
        }
    }
}
