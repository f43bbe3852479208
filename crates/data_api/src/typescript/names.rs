//! Names, lines and types of PostgreSQL as `TypeScript` writes them.

use postgres::catalog::{Catalog, DataType, TypeShape};

/// What types refer to.
#[derive(Clone, Copy, Debug)]
pub(super) struct Types<'a> {
    pub(super) catalog: &'a Catalog,
    /// The schemas that are written; types of others are unknown.
    pub(super) schemas: &'a [&'a str],
}

/// Writes a name as a key: as it is where that is allowed.
pub(super) fn key(name: &str) -> String {
    let is_plain = name.starts_with(|c: char| c.is_ascii_alphabetic() || c == '_' || c == '$')
        && name.chars().all(|c| c.is_ascii_alphanumeric() || c == '_' || c == '$');
    if is_plain { name.to_owned() } else { quoted(name) }
}

/// Writes a text.
pub(super) fn quoted(text: &str) -> String {
    serde_json::Value::from(text).to_string()
}

/// Writes one member of an object type.
pub(super) fn field(indent: usize, name: &str, written: &str) -> String {
    format!("{:indent$}{}: {written}\n", "", key(name))
}

/// Writes one member that may be left out.
pub(super) fn optional(indent: usize, name: &str, written: &str) -> String {
    format!("{:indent$}{}?: {written}\n", "", key(name))
}

/// Writes an object type of such members.
pub(super) fn block(indent: usize, name: &str, members: &[String]) -> String {
    let inner = indent.saturating_add(2);
    let members = if members.is_empty() { format!("{:inner$}[_ in never]: never\n", "") } else { members.concat() };
    format!("{:indent$}{}: {{\n{members}{:indent$}}}\n", "", key(name), "")
}

impl Types<'_> {
    /// Writes a type, without null.
    pub(super) fn written(self, data_type: &DataType) -> String {
        if let Some(element) = data_type.element.as_ref().filter(|_| data_type.shape == TypeShape::Array) {
            let element = self.named(&element.schema, &element.name);
            return if element.contains('|') { format!("({element})[]") } else { format!("{element}[]") };
        }
        let own = self.named(&data_type.schema, &data_type.name);
        // A domain is what is below it.
        if own == "unknown" && data_type.base != data_type.name { self.base(data_type) } else { own }
    }

    fn base(self, data_type: &DataType) -> String {
        let of_enum = self.catalog.enums().iter().find(|it| it.name.name == data_type.base);
        match of_enum {
            Some(it) => self.named(&it.name.schema, &it.name.name),
            None => plain(&data_type.base).to_owned(),
        }
    }

    fn named(self, schema: &str, name: &str) -> String {
        if schema == "pg_catalog" || schema == "extensions" {
            return plain(name).to_owned();
        }
        if !self.schemas.contains(&schema) {
            return "unknown".to_owned();
        }
        let place = |kind: &str, row: &str| format!("Database[{}][\"{kind}\"][{}]{row}", quoted(schema), quoted(name));
        let is_it = |it: &postgres::catalog::TypeName| it.schema == schema && it.name == name;
        if self.catalog.enums().iter().any(|it| is_it(&it.name)) {
            place("Enums", "")
        } else if self.catalog.composites().iter().any(|it| is_it(&it.name)) {
            place("CompositeTypes", "")
        } else if let Some(relation) = self.catalog.relation(schema, name) {
            place(super::tables::kind(relation), "[\"Row\"]")
        } else {
            "unknown".to_owned()
        }
    }
}

/// table: PostgreSQL's own types as they are in JSON.
fn plain(name: &str) -> &'static str {
    match name {
        "bool" => "boolean",
        "int2" | "int4" | "int8" | "float4" | "float8" | "numeric" => "number",
        "bytea" | "bpchar" | "char" | "name" | "varchar" | "text" | "citext" | "uuid" | "date" | "time" | "timetz" | "timestamp"
        | "timestamptz" | "interval" | "vector" => "string",
        "json" | "jsonb" => "Json",
        "void" => "undefined",
        "record" => "Record<string, unknown>",
        _ => "unknown",
    }
}
