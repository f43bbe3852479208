//! Buckets: what they allow, and who sees them.
//!
//! Invariant: a bucket's row is written as whoever asks, so that the policies on `storage.buckets` decide.

mod sizes;

use std::collections::BTreeMap;

use kernel::{Error, Kind, Result};
use postgres::{Row, Sql};
use serde::{Deserialize, Deserializer, Serialize};
use serde_json::Value;

use crate::failure;
use crate::objects::{invalid, value};
use crate::{Caller, Storage, lenient, naming};

use sizes::size;

/// A bucket as it is answered.
#[derive(Clone, PartialEq, Debug, Serialize)]
pub struct Bucket {
    /// What names it.
    pub id: String,
    /// The same.
    pub name: String,
    /// Whose it is.
    pub owner: String,
    /// Whether everybody may read its objects.
    pub public: bool,
    /// Bytes of one object, if less than this server takes.
    pub file_size_limit: Option<i64>,
    /// Content types that it takes; all, if not said.
    pub allowed_mime_types: Option<Vec<String>>,
    /// When it was made.
    pub created_at: String,
    /// When it was changed.
    pub updated_at: String,
    /// What kind it is; in lists alone.
    #[serde(rename = "type", skip_serializing_if = "Option::is_none")]
    pub kind: Option<String>,
}

/// What is said of a bucket when it is made or changed. What is absent stays.
#[derive(Clone, Debug, Default, Deserialize)]
pub(crate) struct Wanted {
    #[serde(default, deserialize_with = "lenient::some_text")]
    pub(crate) id: Option<String>,
    #[serde(default, deserialize_with = "lenient::some_text")]
    pub(crate) name: Option<String>,
    #[serde(default, rename = "type", deserialize_with = "lenient::some_text")]
    kind: Option<String>,
    #[serde(default, deserialize_with = "lenient::boolean")]
    public: Option<bool>,
    #[serde(default, deserialize_with = "said")]
    file_size_limit: Option<Value>,
    #[serde(default, deserialize_with = "said")]
    allowed_mime_types: Option<Value>,
}

/// Which buckets are listed.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct Shown {
    #[serde(default)]
    limit: Option<i64>,
    #[serde(default)]
    offset: Option<i64>,
    #[serde(default)]
    sort_column: Option<String>,
    #[serde(default)]
    sort_order: Option<String>,
    #[serde(default)]
    search: Option<String>,
}

/// Keeps `null`, which takes a limit away, apart from what is not said.
fn said<'de, D: Deserializer<'de>>(deserializer: D) -> std::result::Result<Option<Value>, D::Error> {
    Value::deserialize(deserializer).map(Some)
}

/// Content types that one bucket may list.
const TYPES_MAX: usize = 100;

/// How a moment is written.
const MOMENT: &str = r#"'YYYY-MM-DD"T"HH24:MI:SS.MS"Z"'"#;

/// What a bucket is read from.
const COLUMNS: &str = "b.id, b.name, coalesce(b.owner::text, '') as owner, b.public, b.file_size_limit, b.allowed_mime_types, b.type,
    to_char(b.created_at at time zone 'UTC', 'YYYY-MM-DD\"T\"HH24:MI:SS.MS\"Z\"') as created,
    to_char(b.updated_at at time zone 'UTC', 'YYYY-MM-DD\"T\"HH24:MI:SS.MS\"Z\"') as updated";

impl Storage {
    /// Lists the buckets that the caller may see.
    pub(crate) async fn buckets(&self, caller: &Caller, shown: &Shown) -> Result<Vec<Bucket>> {
        let rows_max = i64::from(self.config().list_rows_max);
        let (limit, offset) = (shown.limit.unwrap_or(rows_max).clamp(0, rows_max), shown.offset.unwrap_or(0).max(0));
        let mut sql = Sql::new("select ");
        sql.text(COLUMNS).text(" from storage.buckets b where strpos(lower(b.name), lower(").bind(shown.search.clone().unwrap_or_default());
        sql.text("::text)) > 0 order by ").text(match shown.sort_column.as_deref() {
            None | Some("id") => "b.id",
            Some("name") => "b.name",
            Some("created_at") => "b.created_at",
            Some("updated_at") => "b.updated_at",
            Some(_) => return Err(invalid("sortColumn", "id, name, created_at or updated_at")),
        });
        sql.text(match shown.sort_order.as_deref() {
            None | Some("asc") => "",
            Some("desc") => " desc",
            Some(_) => return Err(invalid("sortOrder", "asc or desc")),
        });
        sql.text(", b.id limit ").bind(limit).text("::bigint offset ").bind(offset).text("::bigint");
        self.visible(caller, sql).await?.iter().map(|row| Bucket::read(row, true)).collect()
    }

    /// Returns a bucket that the caller may see.
    pub async fn bucket(&self, caller: &Caller, id: &str) -> Result<Bucket> {
        let mut sql = Sql::new("select ");
        sql.text(COLUMNS).text(" from storage.buckets b where b.id = ").bind(id).text("::text");
        let rows = self.visible(caller, sql).await?;
        rows.first().map_or_else(|| Err(failure::no_such_bucket()), |row| Bucket::read(row, false))
    }

    /// Lists the buckets in which the caller may have objects, each with the time it was made: those that he sees, and his company's.
    pub(crate) async fn buckets_in_reach(&self, caller: &Caller) -> Result<BTreeMap<String, String>> {
        let mut sql = Sql::new("select b.id, to_char(b.created_at at time zone 'UTC', ");
        sql.text(MOMENT).text(") as created from app.buckets_in_reach() b");
        let rows = self.visible(caller, sql).await?;
        let company: Result<BTreeMap<_, _>> = rows.iter().map(|row| Ok((value(row, "id")?, value(row, "created")?))).collect();
        let seen = self.buckets(caller, &Shown::default()).await?;
        Ok(seen.into_iter().map(|bucket| (bucket.id, bucket.created_at)).chain(company?).collect())
    }

    /// Makes a bucket, and returns its name.
    pub(crate) async fn create_bucket(&self, caller: &Caller, wanted: &Wanted) -> Result<String> {
        let id = wanted.id.clone().or_else(|| wanted.name.clone()).unwrap_or_default();
        naming::check_bucket(&id)?;
        if !matches!(wanted.kind.as_deref(), None | Some("STANDARD")) {
            return Err(Error::new(Kind::BadRequest, "InvalidRequest", "This server has buckets of the type STANDARD"));
        }
        let mut sql =
            Sql::new("insert into storage.buckets (id, name, owner, owner_id, public, file_size_limit, allowed_mime_types) values (");
        sql.bind(id.as_str()).text("::text, ").bind(wanted.name.clone().unwrap_or_else(|| id.clone())).text("::text, ");
        sql.bind(caller.owner()).text("::uuid, auth.jwt() ->> 'sub', ").bind(wanted.public.unwrap_or(false)).text("::boolean, ");
        sql.bind(self.limit(wanted)?.flatten()).text("::bigint, ").append(types(wanted)?.unwrap_or_else(|| Sql::new("null"))).text(")");
        match self.write(caller, sql).await {
            Ok(_) => Ok(id),
            Err(error) if error.code() == "23505" => {
                Err(Error::new(Kind::Conflict, "BucketAlreadyExists", "The resource already exists").with_source(error))
            }
            Err(error) => Err(failure::told(error)),
        }
    }

    /// Changes a bucket. What is not said stays.
    pub(crate) async fn update_bucket(&self, caller: &Caller, id: &str, wanted: &Wanted) -> Result<()> {
        let mut sql = Sql::new("update storage.buckets b set public = coalesce(");
        sql.bind(wanted.public).text("::boolean, b.public)");
        if let Some(limit) = self.limit(wanted)? {
            sql.text(", file_size_limit = ").bind(limit).text("::bigint");
        }
        if let Some(types) = types(wanted)? {
            sql.text(", allowed_mime_types = ").append(types);
        }
        sql.text(" where b.id = ").bind(id).text("::text returning b.id");
        let rows = self.write(caller, sql).await.map_err(failure::told)?;
        if rows.is_empty() { Err(failure::no_such_bucket()) } else { Ok(()) }
    }

    /// Deletes a bucket that is empty.
    pub(crate) async fn delete_bucket(&self, caller: &Caller, id: &str) -> Result<()> {
        let not_empty = || Error::new(Kind::Conflict, "ResourceNotEmpty", "The bucket you tried to delete is not empty");
        self.bucket(caller, id).await?;
        let mut sql = Sql::new("delete from storage.buckets b where b.id = ");
        sql.bind(id).text("::text returning b.id");
        match self.write(caller, sql).await {
            Ok(rows) if rows.is_empty() => Err(failure::no_such_bucket()),
            Ok(_) => Ok(()),
            Err(error) if error.code() == "23503" => Err(not_empty().with_source(error)),
            Err(error) => Err(failure::told(error)),
        }
    }

    /// Reads rows; whoever has no right on the table at all sees none.
    async fn visible(&self, caller: &Caller, sql: Sql) -> Result<Vec<Row>> {
        match self.read(caller, sql).await {
            Err(error) if error.code() == "42501" => Ok(Vec::new()),
            answered => answered,
        }
    }

    #[expect(clippy::option_option, reason = "what is not said stays, and null takes the limit away")]
    fn limit(&self, wanted: &Wanted) -> Result<Option<Option<i64>>> {
        let Some(said) = &wanted.file_size_limit else { return Ok(None) };
        let limit = size(said)?;
        if limit.is_some_and(|bytes| u64::try_from(bytes).is_ok_and(|bytes| bytes > self.config().object_bytes_max)) {
            return Err(failure::too_large());
        }
        Ok(Some(limit))
    }
}

impl Bucket {
    fn read(row: &Row, with_kind: bool) -> Result<Self> {
        Ok(Self {
            id: value(row, "id")?,
            name: value(row, "name")?,
            owner: value(row, "owner")?,
            public: value(row, "public")?,
            file_size_limit: value(row, "file_size_limit")?,
            allowed_mime_types: value(row, "allowed_mime_types")?,
            created_at: value(row, "created")?,
            updated_at: value(row, "updated")?,
            kind: with_kind.then(|| value(row, "type")).transpose()?,
        })
    }
}

/// Returns the expression of the content types that are said, where they are.
fn types(wanted: &Wanted) -> Result<Option<Sql>> {
    let Some(said) = &wanted.allowed_mime_types else { return Ok(None) };
    let texts: Option<Vec<&str>> = match said {
        Value::Null => return Ok(Some(Sql::new("null::text[]"))),
        Value::Array(types) if types.len() <= TYPES_MAX => types.iter().map(Value::as_str).collect(),
        _ => None,
    };
    let texts = texts.ok_or_else(|| invalid("allowed_mime_types", "at most 100 texts such as image/png or image/*"))?;
    if let Some(bad) = texts.iter().find(|text| !is_type(text)) {
        let shown: String = bad.chars().filter(|c| !c.is_control()).take(100).collect();
        return Err(failure::no_such_type(&shown));
    }
    let mut sql = Sql::new("array(select jsonb_array_elements_text(");
    sql.bind(said.clone()).text("::jsonb))");
    Ok(Some(sql))
}

/// Tells whether a text is a content type, all of a kind, or one with its character set.
fn is_type(text: &str) -> bool {
    let (essence, charset) = text.split_once(';').map_or((text, None), |(essence, rest)| (essence, Some(rest.trim())));
    let is_charset = charset.is_none_or(|rest| rest.strip_prefix("charset=").is_some_and(is_word));
    is_charset && (essence == "*" || essence.split_once('/').is_some_and(|(kind, sort)| is_word(kind) && is_word(sort)))
}

fn is_word(word: &str) -> bool {
    !word.is_empty() && word.len() <= 100 && word.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"*+-._".contains(&byte))
}
