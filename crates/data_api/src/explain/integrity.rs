//! What a value has to be: for a missing one, one that names nothing, one that is there already, one that a check refuses.
//!
//! Invariant: made from what PostgreSQL said and from the catalog; no row is read for it. The company's column is not named.

use kernel::Error;
use postgres::catalog::{Catalog, Constraint, Relation};

use crate::request::{ApiRequest, Target};

/// Where a comment says that a key is only meant where it is named; the sentence stands behind it.
const TAG: &str = "@named_only";

/// Returns a sentence or two; nothing where PostgreSQL has said enough, or not in words that are known.
pub(super) fn hint(catalog: &Catalog, request: &ApiRequest, error: &Error) -> Option<String> {
    if error.hint().is_some() {
        return None;
    }
    let details = error.details().and_then(|details| details.as_str()).unwrap_or_default();
    let names: Vec<&str> = error.message().split('"').skip(1).step_by(2).collect();
    let schema = &request.schema;
    let relation = |name: &str| catalog.relation(schema, name);
    match (error.code(), names.as_slice()) {
        ("23502", [column, table]) => Some(format!("{} needs a value.", field(relation(table), &[column]))),
        ("23503", [table, name]) => {
            let there = details.rsplit('"').nth(1).unwrap_or("another table");
            let table_of = relation(table);
            let keys = table_of.into_iter().flat_map(|it| &it.foreign_keys);
            // PostgreSQL leaves the columns out where policies guard the rows.
            let columns: Vec<&str> = keys.filter(|key| key.name == **name).flat_map(|key| &key.columns).map(String::as_str).collect();
            let what = format!("{} names no row of \"{there}\".", field(table_of, &without_tenant(&columns, table_of)));
            Some(said(what, catalog.constraint(schema, Some(table), name)))
        }
        ("23503", [table, name, from]) => {
            let what = format!("Rows of \"{from}\" still name this row of \"{table}\".");
            Some(said(what, catalog.constraint(schema, Some(from), name)))
        }
        ("23505", [name]) => {
            let constraint = catalog.constraint(schema, target(request), name);
            let relation = constraint.and_then(|it| catalog.relation(&it.schema, &it.relation));
            let what = format!("Another row has this value of {} already.", lower(field(relation, &columns(constraint, relation))));
            Some(said(what, constraint))
        }
        ("23514", [table, name]) => {
            let constraint = catalog.constraint(schema, Some(table), name);
            let relation = relation(table);
            let what = format!("{} must fit the check \"{name}\".", field(relation, &columns(constraint, relation)));
            Some(said(what, constraint))
        }
        _ => None,
    }
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
