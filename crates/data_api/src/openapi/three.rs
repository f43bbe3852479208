//! The description in version 3.1, where types are those of JSON Schema.
//!
//! Invariant: valid: a name that no component may have is written otherwise, and every reference leads somewhere.

use std::fmt::Write as _;

use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, utf8_percent_encode};
use postgres::catalog::{Argument, Column, Function, Relation, ReturnKind, Volatility};
use serde_json::{Map, Value, json};

use super::{Subject, default, element, kind, object, summary};

/// What stands for itself in a path.
const PLAIN: &AsciiSet = &NON_ALPHANUMERIC.remove(b'-').remove(b'.').remove(b'_').remove(b'~');
const JSON: &str = "application/json";

pub(super) fn document(subject: &Subject<'_>) -> Value {
    let (title, description) = subject.titles();
    let info = object([
        ("title", Some(json!(title.unwrap_or("Data API")))),
        ("description", description.map(Value::from)),
        ("version", Some(json!(env!("CARGO_PKG_VERSION")))),
    ]);
    let schemas: Map<String, Value> =
        subject.relations.iter().map(|relation| (component(&relation.name), row(subject, relation))).collect();
    let mut paths: Map<String, Value> =
        subject.relations.iter().map(|relation| (path("/", &relation.name), of_relation(relation))).collect();
    // Of several functions with one name the last is described.
    paths.extend(subject.functions.iter().map(|function| (path("/rpc/", &function.name), of_function(subject, function))));
    let (parameters, responses) = (shared_parameters(), shared_responses());
    let sign_in = json!({ "bearer": { "type": "http", "scheme": "bearer", "bearerFormat": "JWT" } });
    json!({
        "openapi": "3.1.0",
        "info": info,
        "servers": [{ "url": subject.config.openapi_server_url }],
        // Without a token a request is one of nobody, who has some rights, too.
        "security": [{ "bearer": [] }, {}],
        "paths": paths,
        "components": { "schemas": schemas, "parameters": parameters, "responses": responses, "securitySchemes": sign_in },
    })
}

/// Writes a name as components may be called: letters, digits, dot, hyphen and underscore.
fn component(name: &str) -> String {
    let mut written = String::with_capacity(name.len());
    for c in name.chars() {
        if c.is_ascii_alphanumeric() || matches!(c, '.' | '-' | '_') {
            written.push(c);
        } else {
            // Writing into a String cannot fail.
            let _infallible = write!(written, "_{:x}_", u32::from(c));
        }
    }
    written
}

fn path(before: &str, name: &str) -> String {
    format!("{before}{}", utf8_percent_encode(name, PLAIN))
}

fn reference(relation: &str) -> Value {
    json!({ "$ref": format!("#/components/schemas/{}", component(relation)) })
}

fn row(subject: &Subject<'_>, relation: &Relation) -> Value {
    let columns = relation.columns.iter().map(|column| (column.name.clone(), property(subject, relation, column)));
    let properties: Map<String, Value> = columns.collect();
    Value::Object(object([
        ("description", relation.comment.as_deref().map(Value::from)),
        ("type", Some(json!("object"))),
        ("properties", Some(Value::Object(properties))),
    ]))
}

fn property(subject: &Subject<'_>, relation: &Relation, column: &Column) -> Value {
    let values = subject.catalog.values(&column.data_type).map(|values| {
        let null = column.nullable.then_some(Value::Null);
        Value::Array(values.iter().map(|value| json!(value)).chain(null).collect())
    });
    let mut schema = of_type(&column.plain_type, column.nullable);
    schema.extend(object([
        ("description", subject.column_description(relation, column).map(Value::from)),
        ("default", default(column).filter(|_| column.default.as_ref().is_none_or(|written| !written.as_str().contains('(')))),
        ("enum", values),
        ("maxLength", column.max_length.map(Value::from)),
        ("readOnly", column.generated.then_some(json!(true))),
    ]));
    Value::Object(schema)
}

/// What JSON Schema says of a type of PostgreSQL.
fn of_type(plain_type: &str, nullable: bool) -> Map<String, Value> {
    let kind = kind(plain_type).map(|kind| if nullable { json!([kind, "null"]) } else { json!(kind) });
    let format = match plain_type {
        "uuid" => Some("uuid"),
        "date" => Some("date"),
        "timestamp with time zone" => Some("date-time"),
        "smallint" | "integer" => Some("int32"),
        "bigint" => Some("int64"),
        "real" => Some("float"),
        "double precision" => Some("double"),
        _ => None,
    };
    let items = element(plain_type).map(|element| Value::Object(of_type(element, true)));
    object([("type", kind), ("format", format.map(Value::from)), ("items", items)])
}

fn shared_parameters() -> Value {
    let query =
        |name: &str, description: &str| json!({ "name": name, "in": "query", "description": description, "schema": { "type": "string" } });
    let number = |name: &str, description: &str| json!({ "name": name, "in": "query", "description": description, "schema": { "type": "integer", "minimum": 0 } });
    json!({
        "select": query("select", "Columns, aliases, casts and related tables"),
        "order": query("order", "Columns, each with .asc or .desc, .nullsfirst or .nullslast"),
        "on_conflict": query("on_conflict", "The columns of the key that rows are merged by"),
        "limit": number("limit", "How many rows at most"),
        "offset": number("offset", "How many rows are left out before"),
        "prefer": { "name": "Prefer", "in": "header", "description": "Preferences, separated by commas", "schema": { "type": "string" } },
    })
}

fn shared_responses() -> Value {
    let text_or_null = json!({ "type": ["string", "null"] });
    let error = json!({
        "type": "object",
        "required": ["code", "message", "details", "hint"],
        "properties": { "code": { "type": "string" }, "message": { "type": "string" }, "details": {}, "hint": text_or_null },
    });
    json!({ "error": { "description": "What was refused, and why", "content": { JSON: { "schema": error } } } })
}

fn of_relation(relation: &Relation) -> Value {
    let name = &relation.name;
    let (line, description) = summary(relation.comment.as_deref());
    let rows = json!({ "type": "array", "items": reference(name) });
    let content = |schema: &Value| json!({ JSON: { "schema": schema } });
    let body = json!({ "required": true, "content": content(&json!({ "anyOf": [reference(name), rows.clone()] })) });
    let filters = relation.columns.iter().map(|column| {
        json!({ "name": column.name, "in": "query", "description": "An operator and a value: eq.1", "schema": { "type": "string" } })
    });
    let filters: Vec<Value> = filters.filter(|filter| !is_shared(filter)).collect();
    let operation = |method: &str, filtered: bool, shared: &[&str], body: Option<&Value>, responses: Value| {
        let mut parameters = if filtered { filters.clone() } else { Vec::new() };
        parameters.extend(shared.iter().map(|name| json!({ "$ref": format!("#/components/parameters/{name}") })));
        Some(Value::Object(object([
            ("operationId", Some(json!(format!("{method}.{}", component(name))))),
            ("tags", Some(json!([name]))),
            ("summary", line.map(Value::from)),
            ("description", description.map(Value::from)),
            ("parameters", Some(Value::Array(parameters))),
            ("requestBody", body.cloned()),
            ("responses", Some(responses)),
        ])))
    };
    let shown = |description: &str| json!({ "description": description, "content": content(&rows) });
    let error = json!({ "$ref": "#/components/responses/error" });
    let preferred = "The rows, where return=representation is preferred";
    let changed = || json!({ "200": shown(preferred), "204": { "description": "Done" }, "default": error });
    let read = json!({ "200": shown("All rows that fit"), "206": shown("A part of the rows that fit"), "default": error });
    let added = json!({ "200": shown("Merged with rows that were there"), "201": shown("Added"), "default": error });
    let asked = ["select", "order", "limit", "offset", "prefer"];
    let write = ["select", "prefer"];
    let add = ["select", "on_conflict", "prefer"];
    Value::Object(object([
        ("get", operation("get", true, &asked, None, read)),
        ("post", operation("post", false, &add, Some(&body), added).filter(|_| relation.insertable)),
        ("patch", operation("patch", true, &write, Some(&body), changed()).filter(|_| relation.updatable)),
        ("delete", operation("delete", true, &write, None, changed()).filter(|_| relation.deletable)),
    ]))
}

/// A column that has the name of something that every table is asked cannot be filtered by.
fn is_shared(filter: &Value) -> bool {
    filter["name"].as_str().is_some_and(|name| ["select", "order", "limit", "offset", "on_conflict"].contains(&name))
}

fn of_function(subject: &Subject<'_>, function: &Function) -> Value {
    let (line, description) = summary(function.comment.as_deref());
    let responses = json!({
        "200": { "description": "What it gives back", "content": { JSON: { "schema": returned(subject, function) } } },
        "204": { "description": "It gives nothing back" },
        "default": { "$ref": "#/components/responses/error" },
    });
    let operation = |method: &str, parameters: Option<Vec<Value>>, body: Option<Value>| {
        Some(Value::Object(object([
            ("operationId", Some(json!(format!("{method}.rpc.{}", component(&function.name))))),
            ("tags", Some(json!([format!("rpc {}", function.name)]))),
            ("summary", line.map(Value::from)),
            ("description", description.map(Value::from)),
            ("parameters", parameters.map(Value::Array)),
            ("requestBody", body),
            ("responses", Some(responses.clone())),
        ])))
    };
    let named: Vec<&Argument> = function.arguments.iter().filter(|argument| !argument.name.is_empty()).collect();
    let in_query = named.iter().map(|argument| {
        let schema = Value::Object(of_type(&argument.formatted_type, false));
        let schema = if argument.variadic { schema } else { json!({ "type": "string" }) };
        json!({ "name": argument.name, "in": "query", "required": !argument.has_default, "schema": schema })
    });
    let get = operation("get", Some(in_query.collect()), None).filter(|_| function.volatility != Volatility::Volatile);
    let body = json!({ "required": true, "content": { JSON: { "schema": arguments(function, &named) } } });
    Value::Object(object([("get", get), ("post", operation("post", None, Some(body)))]))
}

fn arguments(function: &Function, named: &[&Argument]) -> Value {
    if named.len() < function.arguments.len() {
        // The whole body is the one argument without a name.
        return json!({});
    }
    let of = |argument: &&Argument| (argument.name.clone(), Value::Object(of_type(&argument.formatted_type, true)));
    let properties: Map<String, Value> = named.iter().map(of).collect();
    let required: Vec<&str> = named.iter().filter(|argument| !argument.has_default).map(|argument| argument.name.as_str()).collect();
    Value::Object(object([
        ("type", Some(json!("object"))),
        ("properties", Some(Value::Object(properties))),
        ("required", (!required.is_empty()).then(|| json!(required))),
    ]))
}

fn returned(subject: &Subject<'_>, function: &Function) -> Value {
    let returns = &function.returns;
    let is_known = |name: &&str| subject.relations.iter().any(|relation| relation.name == **name);
    let one = match (returns.relation.as_deref().filter(is_known), returns.kind) {
        (Some(relation), _) => reference(relation),
        (None, ReturnKind::Row | ReturnKind::Record) => json!({ "type": "object" }),
        (None, ReturnKind::Scalar | ReturnKind::Void) => json!({}),
    };
    if returns.is_set { json!({ "type": "array", "items": one }) } else { one }
}

#[cfg(test)]
mod tests {
    use super::{component, path};

    #[test]
    fn odd_names_are_written_otherwise() {
        assert_eq!(component("jobs_archive.v1-2"), "jobs_archive.v1-2");
        assert_eq!(component("odd name/é"), "odd_20_name_2f__e9_");
        assert_eq!(path("/rpc/", "odd {name}"), "/rpc/odd%20%7Bname%7D");
    }
}
