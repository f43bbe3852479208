//! What a schema holds, described for programs: as Swagger 2.0 in the dialect's own form, and as `OpenAPI` 3.1.
//!
//! Invariant: pure: made from the catalog and from what the caller has rights to. Keys are those that clients know: where the company's
//! column leads a key it is not named.

mod swagger;
mod three;

use postgres::catalog::{Cardinality, Catalog, Column, Function, Reach, Relation};
use serde_json::{Map, Value, json};

use crate::config::DataApiConfig;

/// Which form of description.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Version {
    /// 2.0.
    Two,
    /// 3.1.
    Three,
}

/// What is described.
#[derive(Debug)]
pub(crate) struct Subject<'a> {
    catalog: &'a Catalog,
    /// By name.
    relations: Vec<&'a Relation>,
    /// By name; of one name in the catalog's order.
    functions: Vec<&'a Function>,
    comment: Option<&'a str>,
    config: &'a DataApiConfig,
}

/// Makes the description.
pub(crate) fn document(subject: &Subject<'_>, version: Version) -> Value {
    match version {
        Version::Two => swagger::document(subject),
        Version::Three => three::document(subject),
    }
}

impl Version {
    /// Returns how the description says what it is.
    pub(crate) fn content_type(self) -> &'static str {
        match self {
            Self::Two => "application/openapi+json; charset=utf-8",
            Self::Three => "application/openapi+json;version=3.1; charset=utf-8",
        }
    }
}

impl<'a> Subject<'a> {
    /// Takes what there is in a schema, as far as it is within reach.
    pub(crate) fn of(catalog: &'a Catalog, schema: &str, reach: Option<&Reach>, config: &'a DataApiConfig) -> Self {
        let relations = catalog.relations(schema).filter(|relation| reach.is_none_or(|reach| reach.relation(relation)));
        let functions = catalog.all_functions(schema).filter(|function| reach.is_none_or(|reach| reach.function(function)));
        let (mut relations, mut functions): (Vec<_>, Vec<_>) = (relations.collect(), functions.collect());
        relations.sort_by(|left, right| left.name.cmp(&right.name));
        functions.sort_by(|left, right| left.name.cmp(&right.name));
        Self { catalog, relations, functions, comment: catalog.comment(schema), config }
    }

    /// Returns title and description of the whole: the first line of the schema's comment and what follows.
    fn titles(&self) -> (Option<&'a str>, Option<&'a str>) {
        summary(self.comment)
    }

    /// Returns the table and column that a column alone points at; tables go before views.
    fn target(&self, relation: &Relation, column: &str) -> Option<(&'a str, &'a str)> {
        let relationships = self.catalog.relationships(&relation.schema, &relation.name);
        let alone = relationships.iter().filter(|it| it.forward && it.cardinality != Cardinality::ManyToMany && it.named.len() == 1);
        let pointing = alone.filter(|it| it.named.first().is_some_and(|(here, _)| here == column));
        let found = pointing.min_by_key(|it| it.target_is_view)?;
        let (_, there) = found.named.first()?;
        Some((&found.relation, there))
    }

    /// Returns what is said of a column: its comment, and what part of which key it is.
    fn column_description(&self, relation: &Relation, column: &Column) -> Option<String> {
        let comment = column.comment.as_deref();
        let is_key = relation.primary_key.contains(&column.name) && relation.implied_key_column() != Some(&column.name);
        let key = is_key.then(|| "This is a Primary Key.<pk/>".to_owned());
        let foreign = self
            .target(relation, &column.name)
            .map(|(table, column)| format!("This is a Foreign Key to `{table}.{column}`.<fk table='{table}' column='{column}'/>"));
        let marks: Vec<String> = key.into_iter().chain(foreign).collect();
        if marks.is_empty() {
            return comment.map(str::to_owned);
        }
        let before = comment.map(|comment| format!("{comment}\n\n")).unwrap_or_default();
        Some(format!("{before}Note:\n{}", marks.join("\n")))
    }
}

/// Parts a comment into its first line and the rest, without the empty lines between.
fn summary(comment: Option<&str>) -> (Option<&str>, Option<&str>) {
    let Some(comment) = comment else { return (None, None) };
    let (first, rest) = comment.split_once('\n').unwrap_or((comment, ""));
    let rest = rest.trim_start_matches('\n');
    (Some(first), (!rest.is_empty()).then_some(rest))
}

/// What JSON calls values of a type; nothing where they can be anything.
fn kind(plain_type: &str) -> Option<&'static str> {
    match plain_type {
        "boolean" => Some("boolean"),
        "smallint" | "integer" | "bigint" => Some("integer"),
        "numeric" | "real" | "double precision" => Some("number"),
        "json" | "jsonb" => None,
        other if other.ends_with("[]") => Some("array"),
        _ => Some("string"),
    }
}

/// Returns how a value is written that has a type: PostgreSQL's name of it, but for whole numbers, whose sizes the description has words for.
fn format(written: &str) -> &str {
    match written {
        "smallint" | "integer" => "int32",
        "bigint" => "int64",
        other => other,
    }
}

/// Returns what an array consists of.
fn element(plain_type: &str) -> Option<&str> {
    plain_type.strip_suffix("[]")
}

/// Reads a default as far as it is a value: of texts without the type behind it, of others only what JSON is.
fn default(column: &Column) -> Option<Value> {
    let written = column.default.as_ref()?.as_str();
    if kind(&column.plain_type) != Some("string") {
        return serde_json::from_str(written).ok();
    }
    let value = written.strip_suffix(column.plain_type.as_str()).and_then(|rest| rest.strip_suffix("::"));
    Some(Value::from(value.map_or(written, |value| value.trim_matches('\''))))
}

/// Makes an object of what is there.
fn object<const N: usize>(members: [(&str, Option<Value>); N]) -> Map<String, Value> {
    members.into_iter().filter_map(|(name, value)| Some((name.to_owned(), value?))).collect()
}

/// The forms in which rows come and go.
fn media_types() -> Value {
    json!(["application/json", "application/vnd.pgrst.object+json;nulls=stripped", "application/vnd.pgrst.object+json", "text/csv"])
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_comment_is_a_line_and_the_rest() {
        assert_eq!(summary(Some("One\n\ntwo\nthree")), (Some("One"), Some("two\nthree")));
        assert_eq!(summary(Some("One")), (Some("One"), None));
        assert_eq!(summary(None), (None, None));
    }

    #[test]
    fn defaults_are_values_where_they_can_be() {
        let of = |plain_type: &str, written: &str| {
            let column = json!({ "name": "c", "type": { "schema": "pg_catalog", "name": "x", "base": "x", "shape": "scalar" }, "formatted_type": "x",
                "nullable": true, "has_default": true, "generated": false, "identity_always": false, "comment": null,
                "plain_type": plain_type, "default": written });
            default(&serde_json::from_value(column).unwrap())
        };
        assert_eq!(of("text", "'active'::text"), Some(json!("active")));
        assert_eq!(of("timestamp with time zone", "now()"), Some(json!("now()")));
        assert_eq!(of("integer", "7"), Some(json!(7)));
        assert_eq!(of("boolean", "true"), Some(json!(true)));
        assert_eq!(of("integer", "nextval('x'::regclass)"), None);
        assert_eq!(of("text[]", "'{}'::text[]"), None);
        assert_eq!(of("text", "('a'::text || 'b'::text)"), Some(json!("('a'::text || 'b'::text)")));
    }
}
