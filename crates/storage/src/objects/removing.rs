//! Removing objects.
//!
//! Invariant: what the caller may not remove is passed over like what is not there; a removed object can be brought back for a while.

use std::collections::HashSet;

use kernel::{Error, Kind, Result};
use postgres::Sql;
use serde_json::{Value, json};

use super::value;
use crate::failure;
use crate::{Caller, Storage};

/// Rows of a bucket that is emptied, in one statement.
const EMPTIED_AT_ONCE: i64 = 5000;

impl Storage {
    /// Removes objects by name, and returns the rows that are gone.
    pub async fn remove(&self, caller: &Caller, bucket: &str, names: &[String]) -> Result<Vec<Value>> {
        if names.len() > self.config().names_max {
            return Err(Error::new(Kind::BadRequest, "InvalidRequest", format!("At most {} names at once", self.config().names_max)));
        }
        let mut sql = Sql::new("delete from storage.objects o where o.bucket_id = ");
        sql.bind(bucket).text("::text and o.name = any (array(select jsonb_array_elements_text(").bind(json!(names));
        sql.text("::jsonb))) returning to_jsonb(o) - 'path_tokens'::text as gone");
        let rows = match self.write(caller, sql).await {
            Ok(rows) => rows,
            Err(error) if error.code() == "42501" => Vec::new(),
            Err(error) => return Err(failure::told(error)),
        };
        rows.iter().map(|row| value(row, "gone")).collect()
    }

    /// Removes one object; refused where there is none for the caller.
    pub(crate) async fn remove_one(&self, caller: &Caller, bucket: &str, name: &str) -> Result<()> {
        let gone = self.remove(caller, bucket, &[name.to_owned()]).await?;
        if gone.is_empty() { Err(failure::no_such_key()) } else { Ok(()) }
    }

    /// Removes all objects of a bucket that the caller may remove, some at a time.
    pub(crate) async fn empty(&self, caller: &Caller, bucket: &str) -> Result<u64> {
        let mut removed = 0_u64;
        loop {
            let mut sql = Sql::new("delete from storage.objects o where o.id in (select x.id from storage.objects x where x.bucket_id = ");
            sql.bind(bucket).text("::text limit ").bind(EMPTIED_AT_ONCE).text("::bigint) returning 1 as one");
            let rows = self.write(caller, sql).await.map_err(failure::told)?;
            removed = removed.saturating_add(u64::try_from(rows.len()).unwrap_or_default());
            if rows.is_empty() {
                return Ok(removed);
            }
        }
    }

    /// Returns which of these names the caller may read.
    pub(crate) async fn readable(&self, caller: &Caller, bucket: &str, names: &[String]) -> Result<HashSet<String>> {
        let mut sql = Sql::new("select o.name from storage.objects o where o.bucket_id = ");
        sql.bind(bucket).text("::text and o.name = any (array(select jsonb_array_elements_text(").bind(json!(names)).text("::jsonb)))");
        let rows = match self.read(caller, sql).await {
            Err(error) if error.code() == "42501" => Vec::new(),
            answered => answered?,
        };
        rows.iter().map(|row| value(row, "name")).collect()
    }
}
