//! Moving and copying objects.
//!
//! Invariant: a copy inside a company, or among buckets of nobody, shares the bytes of what it is a copy of; between companies bytes are
//! written anew. A move changes the row alone.

use futures_util::StreamExt as _;
use kernel::{CompanyId, Result};
use postgres::Sql;
use serde_json::Value;
use uuid::Uuid;

use super::storing::{facts, meant};
use super::{Object, Stored, Upload, value};
use crate::failure::{self, told};
use crate::{Caller, Storage, naming};

/// From where to where.
#[derive(Clone, Debug)]
pub(crate) struct Transport {
    pub(crate) bucket: String,
    pub(crate) name: String,
    pub(crate) to_bucket: String,
    pub(crate) to_name: String,
}

/// What a copy is said to be instead of what it is a copy of.
#[derive(Clone, Debug, Default)]
pub(crate) struct Instead {
    /// The content type; the same, if not said.
    pub(crate) content_type: Option<String>,
    /// How long others may keep it; the same, if not said.
    pub(crate) cache_control: Option<String>,
    /// What the application wants to know of it; nothing, if not said.
    pub(crate) user_metadata: Option<Value>,
}

impl Storage {
    /// Gives an object another name. Returns its id.
    pub(crate) async fn move_object(&self, caller: &Caller, transport: &Transport) -> Result<Uuid> {
        naming::check_name(&transport.to_name)?;
        let object = self.info(caller, &transport.bucket, &transport.name).await?;
        self.check_bucket(&transport.to_bucket).await?;
        let mut sql = Sql::new("update storage.objects o set bucket_id = ");
        sql.bind(transport.to_bucket.as_str()).text("::text, name = ").bind(transport.to_name.as_str()).text("::text where o.id = ");
        sql.bind(object.id).text("::uuid and o.version = ").bind(object.version.as_str()).text("::text returning o.id");
        let rows = self.write(caller, sql).await.map_err(told)?;
        rows.first().map_or_else(|| Err(failure::no_such_key()), |row| value(row, "id"))
    }

    /// Makes another object of the same content. What is said of it takes the place of what the object has, where it is given.
    pub(crate) async fn copy(&self, caller: &Caller, transport: &Transport, upsert: bool, instead: Option<Instead>) -> Result<Stored> {
        let object = self.info(caller, &transport.bucket, &transport.name).await?;
        self.copy_found(caller, object, transport, (upsert, instead)).await
    }

    /// The same of an object that was found.
    pub(crate) async fn copy_found(
        &self,
        caller: &Caller,
        object: Object,
        transport: &Transport,
        (upsert, instead): (bool, Option<Instead>),
    ) -> Result<Stored> {
        let instead = instead.unwrap_or_else(|| Instead { user_metadata: object.user_metadata.clone(), ..Instead::default() });
        let upload = Upload {
            bucket: transport.to_bucket.clone(),
            name: transport.to_name.clone(),
            content_type: instead.content_type.unwrap_or_else(|| object.content_type.clone()),
            cache_control: instead.cache_control.unwrap_or_else(|| object.cache_control.clone()),
            user_metadata: instead.user_metadata,
            upsert,
            length: Some(object.size),
            again: None,
        };
        let place = self.admit(caller, &upload).await?;
        if self.company_of(&object).await? != place.company {
            let opened = self.open_found(object, None).await?;
            return self.store(caller, upload, opened.content.boxed()).await;
        }
        let version = Uuid::new_v4().to_string();
        self.write(&self.itself("copies an object"), meant(&version, object.blob.as_str(), &object.etag, &upload)).await?;
        self.write_row(caller, &upload, &version, &facts(&upload, object.size, &object.etag, self.now())).await?;
        let id = self.id_of(&version).await?;
        Ok(Stored { id, bucket: upload.bucket, name: upload.name, version, etag: object.etag, size: object.size })
    }

    /// Returns the row of an object that was written just now.
    pub(crate) async fn row_of(&self, id: Uuid) -> Result<Value> {
        let mut sql = Sql::new("select to_jsonb(o) - 'path_tokens'::text as entry from storage.objects o where o.id = ");
        sql.bind(id).text("::uuid");
        let rows = self.read(&self.itself("tells what was copied"), sql).await?;
        rows.first().map_or_else(|| Err(failure::no_such_key()), |row| value(row, "entry"))
    }

    /// Returns whose bytes an object has.
    async fn company_of(&self, object: &Object) -> Result<CompanyId> {
        let mut sql = Sql::new("select v.company_id from app.object_versions v where v.id = ");
        sql.bind(object.version.as_str()).text("::text");
        let rows = self.read(&self.itself("looks whose content is copied"), sql).await?;
        rows.first().map_or_else(|| Err(failure::no_such_key()), |row| value(row, "company_id").map(CompanyId))
    }

    /// Refuses a bucket that is not there.
    pub(crate) async fn check_bucket(&self, bucket: &str) -> Result<()> {
        let mut sql = Sql::new("select b.id from storage.buckets b where b.id = ");
        sql.bind(bucket).text("::text");
        let rows = self.read(&self.itself("looks whether a bucket is there"), sql).await?;
        if rows.is_empty() { Err(failure::no_such_bucket()) } else { Ok(()) }
    }
}
