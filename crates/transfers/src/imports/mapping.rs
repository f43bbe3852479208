//! Which column of a file is which column of a table, and its values as that column takes them.
//!
//! Invariant: nothing is mapped to a column that is not there or takes no value; no two columns of a file to one of the table.

use data_api::TableShape;
use indexmap::IndexMap;
use kernel::{Error, Kind, Result};
use serde_json::{Map, Value};

use super::reader::Fault;

/// Columns that the house fills in.
const OWN: &[&str] =
    &["company_id", "version", "created_at", "updated_at", "deleted_at", "deleted_by", "archived_at", "permanent_delete_scheduled_at"];

/// Columns of a file with those of the table that they become.
#[derive(Clone, Debug, Default)]
pub(crate) struct Mapping(IndexMap<String, Target>);

#[derive(Clone, Debug)]
struct Target {
    column: String,
    is_json: bool,
}

impl Mapping {
    /// Reads what was said: names of the file with columns of the table.
    pub(crate) fn read(said: &Map<String, Value>, table: &TableShape) -> Result<Self> {
        let mut targets: IndexMap<String, Target> = IndexMap::new();
        for (name, column) in said {
            let column = column.as_str().unwrap_or_default();
            let shape = table.columns.iter().find(|shape| shape.name == column && shape.is_writable && column != "company_id");
            let Some(shape) = shape else {
                return Err(invalid(format!("{} has no column \"{}\" that takes values", table.name, short(column))));
            };
            if targets.values().any(|target| target.column == column) {
                return Err(invalid(format!("Two columns of the file are mapped to \"{column}\"")));
            }
            targets.insert(name.clone(), Target { column: column.to_owned(), is_json: shape.is_json });
        }
        if targets.is_empty() { Err(invalid("Nothing is mapped to a column of the table".to_owned())) } else { Ok(Self(targets)) }
    }

    /// Finds the columns that names of a file mean by how they are written.
    pub(crate) fn suggested(names: &[String], table: &TableShape) -> Map<String, Value> {
        let mut found: IndexMap<String, String> = IndexMap::new();
        for name in names {
            let wanted = letters(name);
            let free = table.columns.iter().filter(|column| column.is_writable && !OWN.contains(&column.name.as_str()));
            let mut free = free.filter(|column| found.values().all(|taken| *taken != column.name));
            let column = free.find(|column| letters(&column.name) == wanted || SYNONYMS.contains(&(wanted.as_str(), column.name.as_str())));
            if let Some(column) = column {
                found.insert(name.clone(), column.name.clone());
            }
        }
        found.into_iter().map(|(name, column)| (name, Value::String(column))).collect()
    }

    /// Returns the columns of the table that are written.
    pub(crate) fn columns(&self) -> impl Iterator<Item = &str> {
        self.0.values().map(|target| target.column.as_str())
    }

    /// Makes of a line what is written, by the columns of the table. What nothing is said of is left out.
    pub(crate) fn apply(&self, mut values: Map<String, Value>) -> std::result::Result<Map<String, Value>, Fault> {
        let mut row = Map::new();
        for (name, target) in &self.0 {
            let Some(value) = values.shift_remove(name) else { continue };
            let value = match value {
                Value::String(text) if target.is_json => json(text, name)?,
                value => value,
            };
            row.insert(target.column.clone(), value);
        }
        if row.is_empty() { Err(Fault::new(None, "line_empty", "The line says nothing of any column that is imported")) } else { Ok(row) }
    }
}

/// Names that are usual for columns of the house.
const SYNONYMS: &[(&str, &str)] = &[
    ("mail", "email"),
    ("emailaddress", "email"),
    ("telephone", "phone"),
    ("phonenumber", "phone"),
    ("mobile", "secondary_phone"),
    ("company", "company_name"),
    ("givenname", "first_name"),
    ("surname", "last_name"),
    ("familyname", "last_name"),
    ("zip", "zip_code"),
    ("postalcode", "zip_code"),
    ("postcode", "zip_code"),
    ("street", "address"),
];

/// A list or an object is JSON; what is neither is a text for the column itself, such as PostgreSQL's own lists.
fn json(text: String, name: &str) -> std::result::Result<Value, Fault> {
    if !text.starts_with(['[', '{', '"']) || text.starts_with('{') && !text.contains(['"', '}']) {
        return Ok(Value::String(text));
    }
    match serde_json::from_str(&text) {
        Ok(value) => Ok(value),
        // `{a,b}` is a list as PostgreSQL writes it.
        Err(_) if text.starts_with('{') && !text.contains(':') => Ok(Value::String(text)),
        Err(error) => Err(Fault::new(Some(name), "json_malformed", format!("The value is no JSON: {error}"))),
    }
}

fn letters(name: &str) -> String {
    name.chars().filter(|c| c.is_alphanumeric()).flat_map(char::to_lowercase).collect()
}

fn short(name: &str) -> String {
    name.chars().take(80).collect()
}

fn invalid(message: String) -> Error {
    Error::new(Kind::BadRequest, "mapping_invalid", message)
}

#[cfg(test)]
mod tests {
    use super::*;
    use data_api::ColumnShape;
    use serde_json::json;

    fn table() -> TableShape {
        let column =
            |name: &str, is_json, is_writable| ColumnShape { name: name.to_owned(), is_json, is_writable, is_required: false, label: None };
        TableShape {
            name: "customers".to_owned(),
            noun: "customers".to_owned(),
            verbs: vec![],
            soft_delete: true,
            columns: vec![
                column("company_id", false, true),
                column("id", false, true),
                column("first_name", false, true),
                column("email", false, true),
                column("tags", true, true),
                column("email_key", false, false),
                column("version", false, true),
            ],
            keys: vec![],
        }
    }

    fn read(said: &Value) -> Result<Mapping> {
        Mapping::read(said.as_object().unwrap(), &table())
    }

    #[test]
    fn names_are_understood_and_the_houses_own_columns_left_alone() {
        let names = ["First Name", "E-Mail Address", "email", "Version", "Nonsense", "TAGS"].map(str::to_owned);
        let suggested = Mapping::suggested(&names, &table());
        assert_eq!(Value::Object(suggested), json!({ "First Name": "first_name", "E-Mail Address": "email", "TAGS": "tags" }));
    }

    #[test]
    fn what_is_no_mapping_is_refused() {
        for bad in [
            json!({}),
            json!({ "a": "nothing" }),
            json!({ "a": "company_id" }),
            json!({ "a": "email_key" }),
            json!({ "a": 1 }),
            json!({ "a": "email", "b": "email" }),
        ] {
            assert_eq!(read(&bad).unwrap_err().code(), "mapping_invalid", "{bad}");
        }
    }

    #[test]
    fn a_line_is_written_as_its_columns_take_it() {
        let mapping = read(&json!({ "n": "first_name", "m": "email", "t": "tags" })).unwrap();
        let apply = |said: Value| mapping.apply(said.as_object().unwrap().clone()).map(Value::Object).map_err(|fault| fault.code);
        assert_eq!(apply(json!({ "n": "[x]", "t": "[\"a\"]", "other": "x" })), Ok(json!({ "first_name": "[x]", "tags": ["a"] })));
        assert_eq!(apply(json!({ "n": "x", "t": "{a,b}", "m": null })), Ok(json!({ "first_name": "x", "email": null, "tags": "{a,b}" })));
        assert_eq!(apply(json!({ "n": "x", "t": "[a" })), Err("json_malformed".to_owned()));
        assert_eq!(apply(json!({ "other": 1 })), Err("line_empty".to_owned()));
    }
}
