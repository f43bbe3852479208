//! Which relationship an embed means.
//!
//! Invariant: exactly one fits, or the request is refused with what there is to choose from. A function over rows of the relation goes
//! before the keys; names of keys that are no longer theirs count only where nothing else does.

use kernel::{Error, Kind, Result};
use postgres::catalog::{Cardinality, Function, Relationship, TypeShape};
use serde_json::{Value, json};

use super::embed::Origin;
use super::{ALIKE_OF_FEW, Surroundings, fuzzy};
use crate::request::Embed;

/// How an embed is reached.
#[derive(Clone, Copy, Debug)]
pub(super) enum Found<'a> {
    /// By keys.
    Keys(&'a Relationship),
    /// By a function over a row.
    Function(&'a Function),
}

/// Finds what leads from a relation to an embed in the request's schema.
pub(super) fn find<'a>(origin: Origin<'a>, embed: &Embed, schema: &str, surroundings: Surroundings<'a>) -> Result<Found<'a>> {
    let Some(relation) = origin.relation else { return Err(none(origin, embed, schema, surroundings)) };
    let mut functions = surroundings.catalog.functions(schema, &embed.name).iter();
    let over_row = |function: &&Function| match function.arguments.as_slice() {
        [argument] => {
            let (data_type, returns) = (&argument.data_type, &function.returns);
            data_type.shape == TypeShape::Composite
                && (data_type.schema.as_str(), data_type.name.as_str()) == (&relation.schema, &relation.name)
                && returns.relation.is_some()
        }
        _ => false,
    };
    if let Some(function) = functions.find(over_row) {
        return Ok(Found::Function(function));
    }
    let all = surroundings.catalog.relationships(&relation.schema, &relation.name);
    let there = || all.iter().filter(|it| it.schema == schema);
    let mut fitting: Vec<&Relationship> = there().filter(|it| fits(it, &embed.name, embed.hint.as_deref())).collect();
    if fitting.is_empty() {
        fitting = there().filter(|it| fits_legacy(it, &embed.name, embed.hint.as_deref())).collect();
    }
    // Of several, those that stand aside until they are named.
    if fitting.len() > 1 && fitting.iter().any(|it| !it.named_only) {
        fitting.retain(|it| !it.named_only);
    }
    match fitting.as_slice() {
        [one] => Ok(Found::Keys(one)),
        [] => Err(none(origin, embed, schema, surroundings)),
        several => Err(ambiguous(origin, embed, several)),
    }
}

/// Tells whether a relationship is what a name and a hint mean.
fn fits(it: &Relationship, name: &str, hint: Option<&str>) -> bool {
    let is_target = it.relation == name;
    match (it.is_self, hint) {
        // Of the two ways along one key the name of the table means the many, the name of the column the one.
        (true, None) => (is_target && !it.forward && it.junction.is_none()) || (it.forward && names_column(it, name)),
        (true, Some(hint)) => is_target && !it.forward && it.junction.is_none() && (names_target_column(it, hint) || it.constraint == hint),
        (false, None) => is_target || (!it.target_is_view && (names_constraint(it, name) || names_column(it, name))),
        (false, Some(hint)) => {
            is_target && (names_constraint(it, hint) || names_column(it, hint) || names_target_column(it, hint) || names_junction(it, hint))
        }
    }
}

/// Tells whether a name that the key once had is meant: `jobs_customer_id_fkey`, `jobs_customer_id_customers_id_fk`.
fn fits_legacy(it: &Relationship, name: &str, hint: Option<&str>) -> bool {
    let Some(prefix) = it.legacy_prefix.as_deref() else { return false };
    let is_name = |text: &str| text.strip_prefix(prefix).is_some_and(|rest| rest == "fkey" || rest.ends_with("_fk"));
    match hint {
        Some(hint) => it.relation == name && is_name(hint) && !(it.is_self && it.forward),
        None => !it.target_is_view && is_name(name) && (it.forward || !it.is_self),
    }
}

fn names_constraint(it: &Relationship, name: &str) -> bool {
    it.junction.is_none() && it.constraint == name
}

fn names_column(it: &Relationship, name: &str) -> bool {
    matches!(it.named.as_slice(), [(here, _)] if here == name)
}

fn names_target_column(it: &Relationship, name: &str) -> bool {
    matches!(it.named.as_slice(), [(_, there)] if there == name)
}

fn names_junction(it: &Relationship, name: &str) -> bool {
    it.junction.as_ref().is_some_and(|junction| junction.relation == name)
}

fn none(origin: Origin<'_>, embed: &Embed, schema: &str, surroundings: Surroundings<'_>) -> Error {
    let (parent, child) = (origin.name, &embed.name);
    let message = format!("Could not find a relationship between '{parent}' and '{child}' in the schema cache");
    let hinted = embed.hint.as_ref().map_or_else(String::new, |hint| format!("' using the hint '{hint}"));
    let details = format!(
        "Searched for a foreign key relationship between '{parent}' and '{child}{hinted}' in the schema '{schema}', but no matches were found."
    );
    let error = Error::new(Kind::BadRequest, "PGRST200", message).with_details(details);
    let catalog = surroundings.catalog;
    let known: Vec<&Relationship> = catalog.relationships(schema, parent).iter().filter(|it| it.schema == schema).collect();
    let meant = if known.is_empty() {
        fuzzy::nearest(parent, catalog.related_names(schema), ALIKE_OF_FEW).filter(|meant| *meant != parent).map(|meant| (meant, parent))
    } else if known.iter().any(|it| it.relation == *child) {
        None
    } else {
        fuzzy::nearest(child, known.iter().map(|it| it.relation.as_str()), ALIKE_OF_FEW).map(|meant| (meant, child.as_str()))
    };
    match meant {
        Some((meant, said)) => error.with_hint(format!("Perhaps you meant '{meant}' instead of '{said}'.")),
        None => error,
    }
}

fn ambiguous(origin: Origin<'_>, embed: &Embed, several: &[&Relationship]) -> Error {
    let (parent, child) = (origin.name, &embed.name);
    let message = format!("Could not embed because more than one relationship was found for '{parent}' and '{child}'");
    let details: Vec<Value> = several.iter().map(|it| described(parent, it)).collect();
    let hints: Vec<String> = several
        .iter()
        .map(|it| format!("'{}!{}'", it.relation, it.junction.as_ref().map_or(&it.constraint, |junction| &junction.relation)))
        .collect();
    let hint = format!(
        "Try changing '{child}' to one of the following: {}. Find the desired relationship in the 'details' key.",
        hints.join(", ")
    );
    Error::new(Kind::Status(300), "PGRST201", message).with_details(Value::Array(details)).with_hint(hint)
}

fn described(parent: &str, it: &Relationship) -> Value {
    let (here, there): (Vec<&str>, Vec<&str>) = it.named.iter().map(|(here, there)| (here.as_str(), there.as_str())).unzip();
    let (constraint, target) = (&it.constraint, &it.relation);
    let by_key = || format!("{constraint} using {parent}({}) and {target}({})", here.join(", "), there.join(", "));
    let (cardinality, relationship) = match (&it.junction, it.cardinality) {
        (Some(junction), _) => {
            let first = format!("{constraint}({})", junction.origin_named.join(", "));
            let second = format!("{}({})", junction.target_constraint, junction.target_named.join(", "));
            ("many-to-many", format!("{} using {first} and {second}", junction.relation))
        }
        (None, Cardinality::ManyToOne) => ("many-to-one", by_key()),
        (None, Cardinality::OneToOne) => ("one-to-one", by_key()),
        (None, Cardinality::OneToMany | Cardinality::ManyToMany) => ("one-to-many", by_key()),
    };
    json!({ "embedding": format!("{parent} with {target}"), "cardinality": cardinality, "relationship": relationship })
}
