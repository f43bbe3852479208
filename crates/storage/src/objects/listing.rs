//! Lists of folders, page by page.
//!
//! Invariant: what is listed are rows that the caller may read, at most so many at once.

use kernel::{Error, Kind, Result};
use postgres::Sql;
use serde::Deserialize;
use serde_json::Value;
use uuid::Uuid;

use super::value;
use crate::{Caller, Storage, lenient};

/// How rows are sorted.
#[derive(Clone, Debug, Default, Deserialize)]
pub(crate) struct SortBy {
    #[serde(default, deserialize_with = "lenient::some_text")]
    column: Option<String>,
    #[serde(default, deserialize_with = "lenient::some_text")]
    order: Option<String>,
}

/// A page of a folder.
#[derive(Clone, Debug, Default, Deserialize)]
pub(crate) struct Listing {
    #[serde(default, deserialize_with = "lenient::text")]
    pub(crate) prefix: String,
    #[serde(default, deserialize_with = "lenient::number")]
    pub(crate) limit: Option<i64>,
    #[serde(default, deserialize_with = "lenient::number")]
    pub(crate) offset: Option<i64>,
    #[serde(default, rename = "sortBy")]
    pub(crate) sort_by: Option<SortBy>,
    #[serde(default, deserialize_with = "lenient::some_text")]
    pub(crate) search: Option<String>,
}

/// What rows are sorted by: the expression over `o`, and the same as text, which sorts alike.
pub(super) struct Sorting {
    column: &'static str,
    pub(super) text: &'static str,
    pub(super) is_descending: bool,
}

impl Storage {
    /// Lists a folder, by names that are relative to it: by name folders and files as one, by anything else the folders first. Letters
    /// are compared without case.
    pub(crate) async fn list(&self, caller: &Caller, bucket: &str, listing: &Listing) -> Result<Vec<Value>> {
        let sorting = Sorting::parse(listing.sort_by.as_ref())?;
        let (limit, offset) = (self.rows(listing.limit, 100)?, listing.offset.unwrap_or(0));
        if !(0..=10_000_000).contains(&offset) {
            return Err(invalid("offset", "0 to 10000000"));
        }
        let folder = match listing.prefix.trim_matches('/') {
            "" => String::new(),
            prefix => format!("{prefix}/"),
        };
        let (least, most) = bounds(&folder);
        let search = listing.search.clone().unwrap_or_default();
        let mut sql = Sql::new("with given as (select ");
        sql.bind(bucket).text("::text as bucket, ").bind(folder).text("::text as folder, lower(").bind(search);
        sql.text("::text) as search, ").bind(least).text("::text as least, ").bind(most).text("::text as most");
        sql.text(
            "),
             found as (
               select o.id, o.updated_at, o.created_at, o.last_accessed_at, o.metadata,
                      substr(o.name, length(g.folder) + 1) as rest from storage.objects o, given g
                where o.bucket_id = g.bucket and o.name collate \"C\" >= g.least
                  and (g.most = '' or o.name collate \"C\" <= g.most || chr(1114111))
                  and starts_with(lower(o.name), lower(g.folder)) and starts_with(lower(substr(o.name, length(g.folder) + 1)), g.search)),
             entries as (
               select 0 as sort, split_part(f.rest, '/', 1) as name, null::uuid as id, null::timestamptz as updated_at,
                      null::timestamptz as created_at, null::timestamptz as last_accessed_at, null::jsonb as metadata
                 from found f where strpos(f.rest, '/') > 0 group by 2
               union all
               select 1, f.rest, f.id, f.updated_at, f.created_at, f.last_accessed_at, f.metadata
                 from found f where strpos(f.rest, '/') = 0)
             select to_jsonb(o) - 'sort'::text as entry from entries o order by ",
        );
        let order = if sorting.is_descending { " desc" } else { "" };
        if !sorting.is_by_name() {
            sql.text("o.sort, ").text(sorting.column).text(order).text(", ");
        }
        sql.text("lower(o.name) collate \"C\"").text(order).text(", o.name collate \"C\"").text(order);
        sql.text(" limit ").bind(limit).text("::bigint offset ").bind(offset);
        sql.text("::bigint");
        let rows = self.seen(caller, sql).await?;
        rows.iter().map(|row| value(row, "entry")).collect()
    }

    /// Reads rows; whoever has no right on the table at all sees none.
    pub(super) async fn seen(&self, caller: &Caller, sql: Sql) -> Result<Vec<postgres::Row>> {
        match self.read(caller, sql).await {
            Err(error) if error.code() == "42501" => Ok(Vec::new()),
            answered => answered,
        }
    }

    pub(super) fn rows(&self, limit: Option<i64>, unsaid: i64) -> Result<i64> {
        let limit = limit.unwrap_or(unsaid);
        if limit < 1 {
            return Err(invalid("limit", "1 and more"));
        }
        Ok(limit.min(i64::from(self.config().list_rows_max)))
    }
}

/// Returns between which names all those lie that begin with this one without case. A first folder that is an id is meant as it is written,
/// as those of companies and people are, so that the index leads to it.
fn bounds(folder: &str) -> (String, String) {
    let ends = folder.split_once('/').filter(|(first, _)| first.parse::<Uuid>().is_ok()).map_or(0, |(first, _)| first.len());
    let (id, rest) = folder.split_at_checked(ends).unwrap_or(("", folder));
    let rest: String = rest.chars().take_while(char::is_ascii).collect();
    (format!("{id}{}", rest.to_ascii_uppercase()), format!("{id}{}", rest.to_ascii_lowercase()))
}

impl Sorting {
    pub(super) fn parse(sort_by: Option<&SortBy>) -> Result<Self> {
        let column = sort_by.and_then(|sort| sort.column.as_deref()).unwrap_or("name");
        let (column, text) = match column {
            "name" => ("o.name collate \"C\"", "o.name"),
            "created_at" => ("o.created_at", "to_char(o.created_at at time zone 'UTC', 'YYYYMMDDHH24MISSUS')"),
            "updated_at" => ("o.updated_at", "to_char(o.updated_at at time zone 'UTC', 'YYYYMMDDHH24MISSUS')"),
            "last_accessed_at" => ("o.last_accessed_at", "to_char(o.last_accessed_at at time zone 'UTC', 'YYYYMMDDHH24MISSUS')"),
            _ => return Err(invalid("sortBy.column", "name, created_at, updated_at or last_accessed_at")),
        };
        let is_descending = match sort_by.and_then(|sort| sort.order.as_deref()).unwrap_or("asc") {
            "asc" => false,
            "desc" => true,
            _ => return Err(invalid("sortBy.order", "asc or desc")),
        };
        Ok(Self { column, text, is_descending })
    }
}

impl Sorting {
    pub(super) fn is_by_name(&self) -> bool {
        self.text == "o.name"
    }
}

/// A value of the request is none that is taken.
pub(crate) fn invalid(what: &str, allowed: &str) -> Error {
    Error::new(Kind::BadRequest, "InvalidRequest", format!("{what}: allowed is {allowed}"))
}
