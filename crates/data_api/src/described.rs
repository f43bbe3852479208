//! What is known of the database, for the operator who looks into the server.

use postgres::catalog::{Argument, Catalog, Function, Relation};
use serde_json::{Map, Value, json};

/// Returns tables with their columns and keys, and functions with their arguments, by schema and name.
pub(crate) fn described(catalog: &Catalog, schemas: &[String]) -> Value {
    let of_schema = |schema: &String| {
        let relations: Map<String, Value> =
            catalog.relations(schema).map(|relation| (relation.name.clone(), table(catalog, relation))).collect();
        let functions: Map<String, Value> = catalog
            .function_names(schema)
            .map(|name| (name.to_owned(), catalog.functions(schema, name).iter().map(function).collect()))
            .collect();
        (schema.clone(), json!({ "relations": relations, "functions": functions }))
    };
    Value::Object(schemas.iter().map(of_schema).collect())
}

fn table(catalog: &Catalog, relation: &Relation) -> Value {
    let columns: Map<String, Value> =
        relation.columns.iter().map(|column| (column.name.clone(), column.formatted_type.as_str().into())).collect();
    json!({
        "columns": columns,
        "primary_key": relation.primary_key,
        "insertable": relation.insertable,
        "updatable": relation.updatable,
        "deletable": relation.deletable,
        "relationships": catalog.relationships(&relation.schema, &relation.name).len(),
    })
}

fn function(function: &Function) -> Value {
    let argument = |argument: &Argument| json!({ "name": argument.name, "type": argument.formatted_type });
    json!({ "arguments": function.arguments.iter().map(argument).collect::<Vec<_>>(), "comment": function.comment })
}
