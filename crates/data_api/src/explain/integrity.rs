//! What a value has to be: for a missing one, one that names nothing, one that is there already, one that a check refuses.
//!
//! Invariant: made from the names that PostgreSQL gives beside its message, and from the catalog; no row is read for it. The company's column is not named.

use kernel::Error;
use postgres::catalog::{Catalog, Constraint, Relation};
use postgres::error::{About, about};

use crate::request::{Action, ApiRequest, Target};

/// Where a comment says that a key is only meant where it is named; the sentence stands behind it.
const TAG: &str = "@named_only";

/// Returns a sentence or two; nothing where PostgreSQL has said enough, or not what it is about.
pub(super) fn hint(catalog: &Catalog, request: &ApiRequest, error: &Error) -> Option<String> {
    if error.hint().is_some() || !matches!(error.code(), "23502" | "23503" | "23505" | "23514") {
        return None;
    }
    let About { schema, table, column, constraint: name } = about(error)?;
    let (schema, table) = (schema.unwrap_or(&request.schema), table?);
    let relation = catalog.relation(schema, table);
    if error.code() == "23502" {
        return Some(format!("{} needs a value.", field(relation, &[column?])));
    }
    let name = name?;
    let constraint = catalog.constraint(schema, Some(table), name);
    let what = match error.code() {
        "23503" => reference(request, relation, (table, name))?,
        "23505" => format!("Another row has this value of {} already.", lower(field(relation, &columns(constraint, relation)))),
        _ => format!("{} must fit the check \"{name}\".", field(relation, &columns(constraint, relation))),
    };
    Some(said(what, constraint))
}

/// Tells which end of a foreign key was touched. PostgreSQL names the key and the table that has it in either case; whoever deletes rows, or
/// writes rows of the table that it leads to, is at the other end.
fn reference(request: &ApiRequest, relation: Option<&Relation>, (table, name): (&str, &str)) -> Option<String> {
    let key = relation?.foreign_keys.iter().find(|key| key.name == name)?;
    let there = key.foreign_relation.as_str();
    let is_other_end = request.action == Action::Delete || target(request).is_some_and(|own| own == there && own != table);
    Some(if is_other_end {
        format!("Rows of \"{table}\" still name this row of \"{there}\".")
    } else {
        let columns: Vec<&str> = key.columns.iter().map(String::as_str).collect();
        format!("{} names no row of \"{there}\".", field(relation, &without_tenant(&columns, relation)))
    })
}

/// Adds the sentence of the constraint's comment.
fn said(what: String, constraint: Option<&Constraint>) -> String {
    let comment = constraint.and_then(|it| it.comment.as_deref()).map(|comment| comment.trim_start_matches(TAG).trim());
    match comment.filter(|comment| !comment.is_empty()) {
        Some(sentence) => format!("{what} {sentence}"),
        None => what,
    }
}

fn target(request: &ApiRequest) -> Option<&str> {
    match &request.target {
        Target::Relation(name) => Some(name),
        Target::Function(_) => None,
    }
}

/// Returns the columns of a constraint. PostgreSQL itself leaves them out where policies guard the rows.
fn columns<'a>(constraint: Option<&'a Constraint>, relation: Option<&Relation>) -> Vec<&'a str> {
    let columns: Vec<&str> = constraint.and_then(|it| it.columns.as_ref()).into_iter().flatten().map(String::as_str).collect();
    without_tenant(&columns, relation)
}

fn without_tenant<'a>(columns: &[&'a str], relation: Option<&Relation>) -> Vec<&'a str> {
    let tenant = relation.and_then(Relation::tenant_column).filter(|_| columns.len() > 1);
    columns.iter().copied().filter(|column| Some(*column) != tenant).collect()
}

/// Names fields, each with the class of its values.
fn field(relation: Option<&Relation>, columns: &[&str]) -> String {
    let named: Vec<String> = columns
        .iter()
        .map(|name| match relation.and_then(|relation| relation.column(name)) {
            Some(column) => format!("\"{name}\" ({})", column.formatted_type),
            None => format!("\"{name}\""),
        })
        .collect();
    match named.as_slice() {
        [] => "The row".to_owned(),
        [one] => format!("The field {one}"),
        several => format!("The fields {} together", several.join(", ")),
    }
}

/// Makes the beginning of a sentence fit its middle.
fn lower(text: String) -> String {
    text.strip_prefix("The ").map(|rest| format!("the {rest}")).unwrap_or(text)
}
