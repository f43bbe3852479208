//! Images that were made, kept beside what they were made of.
//!
//! Invariant: one is of a version of an object and of what was wanted, so that it never has to be asked whether it is still true; it goes when
//! its version ends, when its days are over, or for a younger one. Whoever gets it was found to be a reader of the object first.

use futures_util::{StreamExt as _, TryStreamExt as _, stream};
use jiff::SignedDuration;
use kernel::{BlobKey, CompanyId, Error, Result};
use postgres::Sql;

use super::{Images, Made, Wanted};
use crate::Storage;
use crate::objects::{Object, value};

/// The most that an image may have that is kept: a PNG of the largest side, and some.
const MADE_BYTES_MAX: u64 = 1_073_741_824;

impl Storage {
    /// Returns an image made of an object, as an object of its own that can be served: the one that is kept, or one that is made now.
    pub(crate) async fn render(&self, images: &Images, object: Object, wanted: &Wanted, takes_webp: bool) -> Result<Object> {
        let is_webp = takes_webp && !wanted.is_origin;
        let name = format!("{}-{}", wanted.name(images.config().quality), if is_webp { "webp" } else { "own" });
        if let Some(kept) = self.kept(&object, &name).await? {
            return Ok(kept);
        }
        let bytes_max = images.config().bytes_max(&object.content_type);
        if object.size > bytes_max {
            return Err(super::too_large(bytes_max));
        }
        let thread = images.thread().await?;
        let content: Vec<bytes::Bytes> = self.open_found(object.clone(), None).await?.content.try_collect().await?;
        let made = images.make(thread, content.concat().into(), wanted.clone(), takes_webp).await?;
        metrics::counter!("storage_images_made_total").increment(1);
        self.keep(images, &object, &name, made).await
    }

    async fn kept(&self, object: &Object, name: &str) -> Result<Option<Object>> {
        let mut sql = Sql::new("select d.blob_key, d.content_type, d.bytes from app.derived_images d where d.version = ");
        sql.bind(object.version.as_str()).text("::text and d.name = ").bind(name).text("::text");
        let rows = self.read(&self.itself("looks for an image that was made"), sql).await?;
        let Some(row) = rows.first() else { return Ok(None) };
        let key: BlobKey = value::<String>(row, "blob_key")?.parse()?;
        let size = u64::try_from(value::<i64>(row, "bytes")?).map_err(Error::internal)?;
        // It may be on its way out.
        if self.blobs().head(&key).await?.is_none() {
            return Ok(None);
        }
        Ok(Some(derived(object, name, (key, size), value(row, "content_type")?)))
    }

    async fn keep(&self, images: &Images, object: &Object, name: &str, made: Made) -> Result<Object> {
        let company = object.blob.segments().next().and_then(|id| id.parse().ok()).map(CompanyId);
        let company = company.ok_or_else(|| Error::internal("a blob is a company's"))?;
        let days = SignedDuration::from_hours(i64::from(images.config().kept_days) * 24);
        let until = self.now().checked_add(days).map_err(Error::internal)?;
        let key = self.intend_until(company, until).await?;
        let Made { content, content_type } = made;
        let put = self.blobs().put(&key, stream::iter([Ok(content)]).boxed(), MADE_BYTES_MAX).await?;
        let mut sql = Sql::new("select app.keep_derived_image(");
        sql.bind(object.version.as_str()).text("::text, ").bind(name).text("::text, ").bind(key.as_str()).text("::text, ");
        sql.bind(content_type).text("::text, ").bind(i64::try_from(put.bytes).map_err(Error::internal)?).text("::bigint, ");
        sql.bind(images.config().kept_per_object).text("::integer)");
        self.write(&self.itself("keeps an image that was made"), sql).await?;
        Ok(derived(object, name, (key, put.bytes), content_type.to_owned()))
    }
}

fn derived(object: &Object, name: &str, (blob, size): (BlobKey, u64), content_type: String) -> Object {
    Object { blob, size, content_type, etag: format!("{}-{name}", object.etag), ..object.clone() }
}
