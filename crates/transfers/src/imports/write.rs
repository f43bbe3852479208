//! Lines written as rows, in a transaction of the member who imports.
//!
//! Invariant: a line that is refused leaves nothing behind and hinders no other; which row a line became is known, since a new row's id is made
//! here.

use bytes::Bytes;
use data_api::Writing;
use http::Method;
use indexmap::IndexMap;
use kernel::{Error, Kind, Principal, Result};
use percent_encoding::{NON_ALPHANUMERIC, utf8_percent_encode};
use postgres::Tx;
use serde_json::{Map, Value, json};
use uuid::Uuid;

use super::reader::Fault;
use crate::Transfers;

/// A line that is to be written.
#[derive(Clone, Debug)]
pub(crate) struct Line {
    pub(crate) line: u64,
    pub(crate) row: Map<String, Value>,
}

/// What lines became.
#[derive(Debug, Default)]
pub(crate) struct Written {
    /// Objects with `row_id`, `line`, `is_new` and `before`.
    pub(crate) rows: Vec<Value>,
    pub(crate) faults: Vec<(u64, Fault)>,
    pub(crate) created: u64,
    pub(crate) updated: u64,
}

/// Where lines are written.
#[derive(Clone, Copy)]
pub(crate) struct Writer<'a> {
    pub(crate) transfers: &'a Transfers,
    pub(crate) tx: &'a Tx,
    pub(crate) principal: &'a Principal,
    pub(crate) table: &'a str,
    /// The column by which a line finds the row that is there already.
    pub(crate) key: Option<&'a str>,
}

impl Writer<'_> {
    /// Writes lines: together where that goes, and otherwise in ever smaller parts, until what is refused stands alone.
    pub(crate) async fn write(&self, lines: &[Line]) -> Result<Written> {
        let mut written = Written::default();
        let mut parts = vec![lines];
        while let Some(part) = parts.pop() {
            let [first, ..] = part else { continue };
            match self.tx.attempt(self.together(part)).await? {
                Ok(came) => {
                    written.rows.extend(came.rows);
                    written.created = written.created.saturating_add(came.created);
                    written.updated = written.updated.saturating_add(came.updated);
                }
                Err(error) if !is_the_lines(&error) => return Err(error),
                Err(error) if part.len() == 1 => written.faults.push((first.line, fault(&error))),
                Err(_) => {
                    let (left, right) = part.split_at(part.len() / 2);
                    parts.extend([right, left]);
                }
            }
        }
        Ok(written)
    }

    async fn together(&self, lines: &[Line]) -> Result<Written> {
        let there = match self.key {
            Some(key) => self.there(key, lines).await?,
            None => IndexMap::new(),
        };
        let mut written = Written::default();
        let (mut new, mut changed): (Vec<Value>, IndexMap<Vec<String>, Vec<Value>>) = (vec![], IndexMap::new());
        for line in lines {
            let mut row = line.row.clone();
            let before = self.key.and_then(|key| there.get(&text(row.get(key)?)?));
            let (id, is_new) = match (before.and_then(|before| before.get("id")), row.get("id")) {
                (Some(id), _) => (id.clone(), false),
                (None, Some(said)) => (said.clone(), true),
                (None, None) => (json!(Uuid::now_v7()), true),
            };
            row.insert("id".to_owned(), id.clone());
            let before = before.map(|before| -> Map<String, Value> {
                row.keys()
                    .filter(|column| *column != "id")
                    .map(|column| (column.clone(), before.get(column).cloned().unwrap_or_default()))
                    .collect()
            });
            written.rows.push(json!({ "row_id": id, "line": line.line, "is_new": is_new, "before": before }));
            if is_new {
                new.push(Value::Object(row));
            } else {
                changed.entry(row.keys().cloned().collect()).or_default().push(Value::Object(row));
            }
        }
        written.created = count(new.len());
        self.insert(&new).await?;
        for (columns, rows) in &changed {
            written.updated = written.updated.saturating_add(count(rows.len()));
            change(self, columns, rows).await?;
        }
        Ok(written)
    }

    /// Returns the rows that are there by their keys, with what stands in the columns that lines write.
    async fn there(&self, key: &str, lines: &[Line]) -> Result<IndexMap<String, Map<String, Value>>> {
        let values: Vec<String> = lines.iter().filter_map(|line| text(line.row.get(key)?)).collect();
        if values.is_empty() {
            return Ok(IndexMap::new());
        }
        let mut columns: Vec<&str> = lines.iter().flat_map(|line| line.row.keys().map(String::as_str)).chain(["id", key]).collect();
        columns.sort_unstable();
        columns.dedup();
        let listed: Vec<String> = values.iter().map(|value| format!("\"{}\"", value.replace('\\', "\\\\").replace('"', "\\\""))).collect();
        let query =
            format!("select={}&{key}=in.{}", columns.join(","), utf8_percent_encode(&format!("({})", listed.join(",")), NON_ALPHANUMERIC));
        let found = self.ask(&Method::GET, &query, "", Bytes::new()).await?;
        let mut there = IndexMap::new();
        for row in found.as_array().into_iter().flatten().filter_map(Value::as_object) {
            let Some(value) = row.get(key).and_then(text) else { continue };
            if there.insert(value, row.clone()).is_some() {
                return Err(Error::new(Kind::Unprocessable, "key_ambiguous", format!("Several rows have the same {key}")));
            }
        }
        Ok(there)
    }

    async fn insert(&self, rows: &[Value]) -> Result<()> {
        if rows.is_empty() {
            return Ok(());
        }
        let mut columns: Vec<&str> = rows.iter().filter_map(Value::as_object).flat_map(|row| row.keys().map(String::as_str)).collect();
        columns.sort_unstable();
        columns.dedup();
        let query = format!("select=id&columns={}", columns.join(","));
        let made = self.ask(&Method::POST, &query, "return=representation, missing=default", body(rows)?).await?;
        all_were(rows, &made)
    }

    pub(crate) async fn ask(&self, method: &Method, query: &str, prefer: &'static str, body: Bytes) -> Result<Value> {
        let writing = Writing { table: self.table, method, query, prefer };
        Box::pin(self.transfers.data_api().write_within(self.tx, self.principal, writing, body)).await
    }
}

/// Changes rows, each to its own values of the same columns.
pub(crate) async fn change(writer: &Writer<'_>, columns: &[String], rows: &[Value]) -> Result<()> {
    let query = format!("on_conflict=id&select=id&columns={}", columns.join(","));
    let changed = writer.ask(&Method::PATCH, &query, "return=representation", body(rows)?).await?;
    all_were(rows, &changed)
}

/// Deletes rows by the rules of their table: marked as deleted where that is its rule.
pub(crate) async fn delete(writer: &Writer<'_>, ids: &[String]) -> Result<()> {
    let query = format!("select=id&id=in.({})", ids.join(","));
    let deleted = writer.ask(&Method::DELETE, &query, "return=representation", Bytes::new()).await?;
    let count = deleted.as_array().map_or(0, Vec::len);
    if count == ids.len() { Ok(()) } else { Err(not_reached()) }
}

fn all_were(rows: &[Value], answered: &Value) -> Result<()> {
    if answered.as_array().map_or(0, Vec::len) == rows.len() { Ok(()) } else { Err(not_reached()) }
}

fn not_reached() -> Error {
    Error::new(Kind::Unprocessable, "row_not_reached", "A row is not there any more, or not for whoever imports")
}

fn body(rows: &[Value]) -> Result<Bytes> {
    serde_json::to_vec(rows).map(Bytes::from).map_err(Error::internal)
}

fn text(value: &Value) -> Option<String> {
    match value {
        Value::Null => None,
        Value::String(text) => Some(text.clone()),
        other => Some(other.to_string()),
    }
}

/// Tells whether an error is due to a line, and not to whoever imports or to the house.
pub(crate) fn is_the_lines(error: &Error) -> bool {
    match error.kind() {
        Kind::BadRequest | Kind::Conflict | Kind::Unprocessable | Kind::NotFound | Kind::TooLarge | Kind::Status(406) => {
            error.code() != "40001" && error.code() != "40P01"
        }
        Kind::Forbidden => error.code() == "42501",
        _ => false,
    }
}

/// Says what is wrong with a line in the words of the error.
fn fault(error: &Error) -> Fault {
    let named = |text: &str| text.split_once("column \"").and_then(|(_, rest)| rest.split('"').next().map(str::to_owned));
    let keyed = |text: &str| {
        text.split_once("Key (").and_then(|(_, rest)| rest.split(')').next()).and_then(|key| key.rsplit(", ").next().map(str::to_owned))
    };
    let details = error.details().and_then(Value::as_str).unwrap_or_default();
    let column = named(error.message()).or_else(|| keyed(details)).or_else(|| named(details));
    Fault { column, code: error.code().to_owned(), message: error.message().to_owned() }
}

fn count(rows: usize) -> u64 {
    u64::try_from(rows).unwrap_or(u64::MAX)
}
