//! The types of a database for programs in `TypeScript`, as users of `@supabase/supabase-js` know them.
//!
//! Invariant: pure, and the same text for the same database: everything is ordered by its name. A key is what clients know of it: where
//! the company's column leads it, that column is not named.

mod functions;
mod names;
mod tables;

use std::fmt::Write as _;

use postgres::catalog::{Catalog, CompositeType, EnumType};

use names::{Types, block, field, quoted};

/// What is in every file: JSON itself.
const HEAD: &str = "\
export type Json =
  | string
  | number
  | boolean
  | null
  | { [key: string]: Json | undefined }
  | Json[]

export type Database = {
  // Says to the client which dialect the server speaks.
  __InternalSupabase: {
    PostgrestVersion: \"14\"
  }
";

/// What is in every file: short names for rows, behind the line that names the first schema.
const SHORT_NAMES: &str = include_str!("short_names.ts");

/// Writes the types of these schemas, the first of which is the one that a client means when it names none.
pub fn typescript(catalog: &Catalog, schemas: &[String]) -> String {
    let mut names: Vec<&str> = schemas.iter().map(String::as_str).collect();
    names.sort_unstable();
    names.dedup();
    let types = Types { catalog, schemas: &names };
    let mut text = HEAD.to_owned();
    for name in &names {
        text.push_str(&schema(types, name));
    }
    text.push_str("}\n\n");
    let first = schemas.first().map_or("public", String::as_str);
    // Writing into a String cannot fail.
    let _infallible =
        writeln!(text, "type Schemas = Omit<Database, \"__InternalSupabase\">\n\ntype DefaultSchema = Schemas[{}]\n", quoted(first));
    text.push_str(SHORT_NAMES);
    text.push_str(&constants(catalog, &names));
    text
}

fn schema(types: Types<'_>, name: &str) -> String {
    let parts = [
        block(4, "Tables", &tables::tables(types, name)),
        block(4, "Views", &tables::views(types, name)),
        block(4, "Functions", &functions::functions(types, name)),
        block(4, "Enums", &of_schema(types.catalog.enums(), name).map(|it| field(6, &it.name.name, &union(it))).collect::<Vec<_>>()),
        block(4, "CompositeTypes", &composites(types, name)),
    ];
    format!("  {}: {{\n{}  }}\n", names::key(name), parts.concat())
}

fn of_schema<'a>(enums: &'a [EnumType], schema: &'a str) -> impl Iterator<Item = &'a EnumType> {
    enums.iter().filter(move |it| it.name.schema == schema)
}

fn union(it: &EnumType) -> String {
    it.values.iter().map(|value| quoted(value)).collect::<Vec<_>>().join(" | ")
}

fn composites(types: Types<'_>, schema: &str) -> Vec<String> {
    let of = |it: &CompositeType| {
        let columns: Vec<String> =
            it.columns.iter().map(|column| field(8, &column.name, &format!("{} | null", types.written(&column.data_type)))).collect();
        block(6, &it.name.name, &columns)
    };
    types.catalog.composites().iter().filter(|it| it.name.schema == schema).map(of).collect()
}

/// Writes the lists of values for programs that need them while they run.
fn constants(catalog: &Catalog, schemas: &[&str]) -> String {
    let of_enum = |it: &EnumType| {
        let values: Vec<String> = it.values.iter().map(|value| quoted(value)).collect();
        format!("      {}: [{}],\n", names::key(&it.name.name), values.join(", "))
    };
    let of = |schema: &&str| {
        let enums: String = of_schema(catalog.enums(), schema).map(of_enum).collect();
        let enums = if enums.is_empty() { "{}".to_owned() } else { format!("{{\n{enums}    }}") };
        format!("  {}: {{\n    Enums: {enums},\n  }},\n", names::key(schema))
    };
    format!("\nexport const Constants = {{\n{}}} as const\n", schemas.iter().map(of).collect::<String>())
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use super::*;

    fn of_type(schema: &str, name: &str, shape: &str) -> Value {
        let element = name.strip_prefix('_').map(|element| json!({ "schema": schema, "name": element }));
        json!({ "schema": schema, "name": name, "base": name, "shape": shape, "element": element })
    }

    fn column(name: &str, data_type: &Value, marks: &Value) -> Value {
        let mut column = json!({ "name": name, "type": data_type, "formatted_type": "", "nullable": false, "has_default": false, "generated": false,
            "identity_always": false, "comment": null });
        column.as_object_mut().unwrap().extend(marks.as_object().unwrap().clone());
        column
    }

    fn written() -> String {
        let (text, mood) = (of_type("pg_catalog", "text", "scalar"), of_type("public", "mood", "scalar"));
        let domain = json!({ "schema": "public", "name": "code", "base": "int4", "shape": "scalar" });
        let columns = json!([
            column("odd name", &text, &json!({})),
            column("feeling", &mood, &json!({ "nullable": true })),
            column("feelings", &of_type("public", "_mood", "array"), &json!({ "has_default": true })),
            column("computed", &domain, &json!({ "generated": true })),
        ]);
        let relation = |kind: &str, name: &str, insertable: bool| {
            json!({ "schema": "public", "name": name, "kind": kind, "insertable": insertable, "updatable": insertable, "deletable": false,
                "comment": null, "columns": columns, "primary_key": [], "uniques": [], "foreign_keys": [] })
        };
        let argument = |name: &str, data_type: &Value, has_default: bool| json!({ "name": name, "type": data_type, "formatted_type": "", "has_default": has_default, "variadic": false });
        let function = |name: &str, arguments: Value, returns: Value| json!({ "schema": "public", "name": name, "arguments": arguments, "returns": returns, "volatility": "stable", "comment": null, "rows": 1000.0 });
        let value =
            |data_type: &Value, set: bool| json!({ "kind": "scalar", "set": set, "type": data_type, "schema": null, "relation": null });
        let nothing =
            json!({ "kind": "void", "set": false, "type": of_type("pg_catalog", "void", "pseudo"), "schema": null, "relation": null });
        let document = json!({
            "relations": [relation("table", "things", true), relation("view", "seen", false)],
            "functions": [
                function("twice", json!([argument("a", &text, false)]), value(&text, false)),
                function("twice", json!([argument("b", &mood, true)]), value(&mood, true)),
                function("quiet", json!([]), nothing),
            ],
            "enums": [{ "schema": "public", "name": "mood", "values": ["calm", "c\"ross"] }],
            "composites": [{ "schema": "public", "name": "pair", "columns": [{ "name": "a", "type": text }] }],
            "has_declarations": false,
        });
        typescript(&Catalog::from_documents(&document.to_string(), None).unwrap(), &["public".to_owned()])
    }

    #[test]
    fn rows_lists_and_functions_are_written() {
        let text = written();
        let feeling = "Database[\"public\"][\"Enums\"][\"mood\"]";
        for expected in [
            format!(
                "    Tables: {{\n      things: {{\n        Row: {{\n          computed: number\n          feeling: {feeling} | null\n          feelings: {feeling}[]\n          \"odd name\": string\n        }}\n"
            ),
            format!(
                "        Insert: {{\n          computed?: never\n          feeling?: {feeling} | null\n          feelings?: {feeling}[]\n          \"odd name\": string\n        }}\n"
            ),
            format!(
                "        Update: {{\n          computed?: never\n          feeling?: {feeling} | null\n          feelings?: {feeling}[]\n          \"odd name\"?: string\n        }}\n        Relationships: []\n"
            ),
            "          \"odd name\": string | null\n        }\n        Relationships: []\n".to_owned(),
            "      quiet: { Args: never; Returns: undefined }\n".to_owned(),
            format!(
                "      twice:\n        | {{ Args: {{ a: string }}; Returns: string }}\n        | {{ Args: {{ b?: {feeling} }}; Returns: {feeling}[] }}\n"
            ),
            "    Enums: {\n      mood: \"calm\" | \"c\\\"ross\"\n    }\n".to_owned(),
            "    CompositeTypes: {\n      pair: {\n        a: string | null\n      }\n    }\n".to_owned(),
            "      mood: [\"calm\", \"c\\\"ross\"],\n".to_owned(),
        ] {
            assert!(text.contains(&expected), "{expected}\n--\n{text}");
        }
    }
}
