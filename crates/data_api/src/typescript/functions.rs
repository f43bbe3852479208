//! Functions: what goes in by name and what comes out.

use std::collections::BTreeMap;

use postgres::catalog::{Function, ReturnKind};

use super::names::{Types, field, key, optional, quoted};

pub(super) fn functions(types: Types<'_>, schema: &str) -> Vec<String> {
    let mut by_name: BTreeMap<&str, Vec<&Function>> = BTreeMap::new();
    for function in types.catalog.all_functions(schema) {
        by_name.entry(&function.name).or_default().push(function);
    }
    let of = |(name, several): (&str, Vec<&Function>)| {
        let ways: Vec<String> = several.iter().map(|function| one(types, function)).collect();
        match ways.as_slice() {
            [only] => format!("      {}: {only}\n", key(name)),
            // Whichever takes the arguments that are given.
            several => format!("      {}:\n        | {}\n", key(name), several.join("\n        | ")),
        }
    };
    by_name.into_iter().map(of).collect()
}

fn one(types: Types<'_>, function: &Function) -> String {
    let mut arguments: Vec<_> = function.arguments.iter().collect();
    arguments.sort_by(|left, right| left.name.cmp(&right.name));
    let member = |argument: &&postgres::catalog::Argument| {
        let written = types.written(&argument.data_type);
        let write = if argument.has_default { optional } else { field };
        write(0, &argument.name, &written).trim_end().to_owned()
    };
    let members: Vec<String> = arguments.iter().map(member).collect();
    let arguments = if members.is_empty() { "never".to_owned() } else { format!("{{ {} }}", members.join("; ")) };
    let options = relation(function).map(|(schema, name)| {
        let is_set = function.returns.is_set;
        let from = function
            .arguments
            .first()
            .filter(|argument| argument.name.is_empty() && types.catalog.relation(schema, &argument.data_type.name).is_some());
        let from = from.map_or("*", |argument| argument.data_type.name.as_str());
        let is_one = !is_set || function.rows <= 1.0;
        format!("; SetofOptions: {{ from: {}; to: {}; isOneToOne: {is_one}; isSetofReturn: {is_set} }}", quoted(from), quoted(name))
    });
    format!("{{ Args: {arguments}; Returns: {}{} }}", returned(types, function), options.unwrap_or_default())
}

fn relation(function: &Function) -> Option<(&str, &str)> {
    function.returns.schema.as_deref().zip(function.returns.relation.as_deref())
}

fn returned(types: Types<'_>, function: &Function) -> String {
    let returns = &function.returns;
    let one = match returns.kind {
        ReturnKind::Void => return "undefined".to_owned(),
        ReturnKind::Row if !function.returned.is_empty() => {
            let columns: Vec<String> = function
                .returned
                .iter()
                .map(|column| field(0, &column.name, &types.written(&column.data_type)).trim_end().to_owned())
                .collect();
            format!("{{ {} }}", columns.join("; "))
        }
        ReturnKind::Row | ReturnKind::Record | ReturnKind::Scalar => types.written(&returns.data_type),
    };
    if returns.is_set { format!("{one}[]") } else { one }
}
