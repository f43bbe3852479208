//! Lists of keys, from behind where the last page ended.
//!
//! Invariant: what is listed are rows that the caller may read, at most so many at once. By name a page is sought in the index: what is before
//! it, behind it or below a folder of it is not read, so that a page of a bucket of millions takes as long as one of a hundred.

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use kernel::{Error, Result};
use postgres::Sql;
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

use super::listing::{SortBy, Sorting, invalid};
use super::value;
use crate::{Caller, Storage, lenient};

/// A page of all keys that begin with something.
#[derive(Clone, Debug, Default, Deserialize)]
pub(crate) struct ListingByKey {
    #[serde(default, deserialize_with = "lenient::some_text")]
    pub(crate) prefix: Option<String>,
    #[serde(default, deserialize_with = "lenient::number")]
    pub(crate) limit: Option<i64>,
    #[serde(default, deserialize_with = "lenient::some_text")]
    pub(crate) cursor: Option<String>,
    #[serde(default, deserialize_with = "lenient::boolean")]
    pub(crate) with_delimiter: Option<bool>,
    #[serde(default, rename = "sortBy")]
    pub(crate) sort_by: Option<SortBy>,
}

/// Where a page ended.
#[derive(Serialize, Deserialize)]
struct Cursor {
    place: String,
    key: String,
}

/// What is shown of an object.
const ENTRY: &str = "jsonb_build_object('name', o.name, 'key', o.name, 'id', o.id, 'updated_at', o.updated_at, 'created_at', o.created_at,
                                        'last_accessed_at', o.last_accessed_at, 'metadata', o.metadata)";
/// The folder that a name is shown as.
const FOLDER: &str = "case when strpos(substr(o.name, length(g.prefix) + 1), '/') > 0
                           then g.prefix || split_part(substr(o.name, length(g.prefix) + 1), '/', 1) || '/' end";
/// Names that begin with the prefix: none has a letter behind the last one of Unicode.
const WITHIN: &str = "o.bucket_id = g.bucket and o.name collate \"C\" >= g.prefix and o.name collate \"C\" <= g.prefix || chr(1114111)";

impl Storage {
    /// Lists keys in order, from behind where the last page ended.
    pub(crate) async fn list_by_key(&self, caller: &Caller, bucket: &str, listing: &ListingByKey) -> Result<Value> {
        let sorting = Sorting::parse(listing.sort_by.as_ref())?;
        let limit = self.rows(listing.limit, 1000)?;
        let cursor = listing.cursor.as_deref().filter(|cursor| !cursor.is_empty()).map(read_cursor).transpose()?;
        let page = Page {
            bucket,
            prefix: listing.prefix.as_deref().unwrap_or_default(),
            is_delimited: listing.with_delimiter.unwrap_or(false),
            is_descending: sorting.is_descending,
            cursor,
            rows: limit.saturating_add(1),
        };
        let sql = match (sorting.is_by_name(), page.is_delimited) {
            (true, false) => page.names(),
            (true, true) => page.names_and_folders(),
            (false, _) => page.sorted_by(sorting.text),
        };
        let mut rows = self.seen(caller, sql).await?;
        let has_next = rows.len() > usize::try_from(limit).unwrap_or(usize::MAX);
        if has_next {
            rows.pop();
        }
        let (mut folders, mut objects) = (Vec::new(), Vec::new());
        for row in &rows {
            if value(row, "is_folder")? {
                let key: String = value(row, "key")?;
                folders.push(json!({ "key": key.trim_end_matches('/'), "name": key }));
            } else {
                objects.push(value::<Value>(row, "entry")?);
            }
        }
        let mut said = json!({ "hasNext": has_next, "folders": folders, "objects": objects });
        if let (true, Some(last), Some(said)) = (has_next, rows.last(), said.as_object_mut()) {
            let cursor = Cursor { place: value(last, "place")?, key: value(last, "key")? };
            let cursor = serde_json::to_vec(&cursor).map_err(Error::internal)?;
            said.insert("nextCursor".to_owned(), URL_SAFE_NO_PAD.encode(cursor).into());
        }
        Ok(said)
    }
}

/// A page that is wanted.
struct Page<'a> {
    bucket: &'a str,
    prefix: &'a str,
    is_delimited: bool,
    is_descending: bool,
    cursor: Option<Cursor>,
    rows: i64,
}

impl Page<'_> {
    fn given(&self, begin: &'static str) -> Sql {
        let mut sql = Sql::new(begin);
        sql.bind(self.bucket).text("::text as bucket, ").bind(self.prefix).text("::text as prefix)");
        sql
    }

    fn order(&self) -> &'static str {
        if self.is_descending { " order by o.name collate \"C\" desc limit " } else { " order by o.name collate \"C\" limit " }
    }

    /// Adds that a name is behind where the last page ended.
    fn behind(&self, sql: &mut Sql) {
        let Some(cursor) = &self.cursor else { return };
        sql.text(if self.is_descending { " and o.name collate \"C\" < " } else { " and o.name collate \"C\" > " });
        sql.bind(cursor.key.as_str()).text("::text");
        // Whatever is below a folder that was shown was shown with it.
        if self.is_delimited && !self.is_descending && cursor.key.len() > self.prefix.len() && cursor.key.ends_with('/') {
            sql.text(" || chr(1114111)");
        }
    }

    /// Names alone.
    fn names(&self) -> Sql {
        let mut sql = self.given("with given as (select ");
        sql.text(" select false as is_folder, o.name as key, o.name as place, ").text(ENTRY);
        sql.text(" as entry from storage.objects o, given g where ").text(WITHIN);
        self.behind(&mut sql);
        sql.text(self.order()).bind(self.rows).text("::bigint");
        sql
    }

    /// Names and folders: each step seeks the first name behind the last one, and behind all that is below a folder.
    fn names_and_folders(&self) -> Sql {
        let mut sql = self.given("with recursive given as (select ");
        // Each step is lateral, the first, too: what is limited to one row is sought and not sorted.
        sql.text(", steps (name, folder, step) as (select n.name, n.folder, 1 from given g, lateral (select o.name, ");
        sql.text(FOLDER).text(" as folder from storage.objects o where ").text(WITHIN);
        self.behind(&mut sql);
        sql.text(self.order()).text("1) n union all select n.name, n.folder, s.step + 1 from steps s, given g, lateral (select o.name, ");
        sql.text(FOLDER).text(" as folder from storage.objects o where ").text(WITHIN);
        sql.text(if self.is_descending {
            " and o.name collate \"C\" < coalesce(s.folder, s.name)"
        } else {
            " and o.name collate \"C\" > coalesce(s.folder || chr(1114111), s.name)"
        });
        sql.text(self.order()).text("1) n where s.step < ").bind(self.rows).text("::bigint) ");
        sql.text("select s.folder is not null as is_folder, coalesce(s.folder, s.name) as key, s.name as place, ").text(ENTRY);
        sql.text(" as entry from steps s cross join given g ");
        sql.text("left join storage.objects o on s.folder is null and o.bucket_id = g.bucket and o.name = s.name order by s.step");
        sql
    }

    /// Sorted by something else: there all that the prefix has is read.
    fn sorted_by(&self, place: &'static str) -> Sql {
        let mut sql = self.given("with given as (select ");
        // By their names: whoever is a guest reads these columns and no others.
        sql.text(", found as (select ").text(place).text(" as place, o.name, ").text(ENTRY).text(" as entry, ");
        if self.is_delimited {
            sql.text(FOLDER);
        } else {
            sql.text("null::text");
        }
        sql.text(" as folder from storage.objects o, given g where ").text(WITHIN);
        sql.text(
            "), entries as (
               select f.folder is not null as is_folder, coalesce(f.folder, f.name) collate \"C\" as key,
                      min(f.place) collate \"C\" as place, (array_agg(f.entry))[1] as entry
                 from found f group by 1, 2)
             select e.is_folder, e.key, e.place, e.entry from entries e where true",
        );
        if let Some(cursor) = &self.cursor {
            sql.text(if self.is_descending { " and (e.place, e.key) < (" } else { " and (e.place, e.key) > (" });
            sql.bind(cursor.place.as_str()).text("::text collate \"C\", ").bind(cursor.key.as_str()).text("::text collate \"C\")");
        }
        sql.text(if self.is_descending { " order by e.place desc, e.key desc limit " } else { " order by e.place, e.key limit " });
        sql.bind(self.rows).text("::bigint");
        sql
    }
}

fn read_cursor(cursor: &str) -> Result<Cursor> {
    let bytes = URL_SAFE_NO_PAD.decode(cursor).map_err(|error| invalid("cursor", "what nextCursor said").with_source(error))?;
    serde_json::from_slice(&bytes).map_err(|error| invalid("cursor", "what nextCursor said").with_source(error))
}
