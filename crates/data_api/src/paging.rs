//! Pages one after the other, by a cursor: a page begins behind the last row of the one before, wherever rows came or went meanwhile,
//! and costs the same however many pages are before it.
//!
//! Invariant: the order is total, since the key ends it; a cursor holds nothing but values that its reader has seen the order of, and
//! what it says only becomes conditions like a client's own, behind the same walls.

use aws_lc_rs::digest::{SHA256, digest};
use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use kernel::{Error, Kind, Result};
use postgres::catalog::{Catalog, Relation};

use crate::request::{
    Action, ApiRequest, Condition, Direction, Field, Filter, IsValue, LogicOperator, NullsPosition, Operation, Operator, OrderTerm, Page,
    Paging, SelectItem, Target,
};

/// How much of the checksum of relation and order a cursor begins with.
const MARK_BYTES: usize = 6;

/// Makes of a wish for pages what is to be done; does nothing where there is no such wish.
pub(crate) fn fit(request: &mut ApiRequest, catalog: &Catalog) -> Result<()> {
    let (Some(page), Action::Read | Action::CallRead) = (&request.preferences.page, request.action) else { return Ok(()) };
    let Target::Relation(name) = &request.target else {
        return Err(impossible("Rows of a function have no key."));
    };
    // What is not there is told when it is planned.
    let Some(relation) = catalog.relation(&request.schema, name) else { return Ok(()) };
    let range = request.query.own_range();
    if range.offset != 0 {
        return Err(impossible("A page begins behind its cursor, and not at an offset."));
    }
    if range.limit == Some(0) {
        return Err(impossible("A page of no rows has no last one."));
    }
    if request.query.select.iter().any(|item| matches!(item, SelectItem::Field { aggregate: Some(_), .. })) {
        return Err(impossible("Groups of rows have no key."));
    }
    let terms = terms(relation, request.query.own_order())?;
    let mark = mark(relation, &terms);
    let after = match page {
        Page::First => None,
        Page::After(cursor) => Some(behind(relation, &terms, &read(cursor, &mark, (relation, &terms))?)),
    };
    request.paging = Some(Paging { terms, after, mark });
    Ok(())
}

/// Returns the cursor of the page behind this place.
pub(crate) fn cursor(paging: &Paging, place: &[Option<String>]) -> String {
    let said: Vec<Option<&str>> = std::iter::once(Some(paging.mark.as_str())).chain(place.iter().map(Option::as_deref)).collect();
    URL_SAFE_NO_PAD.encode(serde_json::json!(said).to_string())
}

/// Returns the order with the key behind it. The company comes last: it is the same in all rows, or comes with a key that says more.
fn terms(relation: &Relation, order: &[OrderTerm]) -> Result<Vec<OrderTerm>> {
    if relation.primary_key.is_empty() {
        return Err(impossible("The relation has no primary key."));
    }
    if relation.is_view() && !relation.is_plain {
        return Err(impossible("The view's rows are not those of one table, each of them once."));
    }
    let is_shown_otherwise = |term: &OrderTerm| {
        let column = relation.column(&term.field.name);
        column.is_none_or(|column| column.from_text.is_some()) || term.embed.is_some()
    };
    if order.iter().any(is_shown_otherwise) {
        return Err(impossible("Pages are in the order of the relation's own columns."));
    }
    let mut terms = order.to_vec();
    let tenant = relation.tenant_column();
    let (last, first): (Vec<&String>, Vec<&String>) = relation.primary_key.iter().partition(|name| tenant == Some(name.as_str()));
    for name in first.into_iter().chain(last) {
        if !terms.iter().any(|term| term.field.name == *name && term.field.path.is_empty()) {
            let field = Field { name: name.clone(), path: Vec::new() };
            terms.push(OrderTerm { embed: None, field, direction: None, nulls: None });
        }
    }
    Ok(terms)
}

fn mark(relation: &Relation, terms: &[OrderTerm]) -> String {
    let said = format!("{:?}", (&relation.schema, &relation.name, terms));
    let checksum = digest(&SHA256, said.as_bytes());
    URL_SAFE_NO_PAD.encode(checksum.as_ref().get(..MARK_BYTES).unwrap_or_default())
}

fn read(cursor: &str, mark: &str, (relation, terms): (&Relation, &[OrderTerm])) -> Result<Vec<Option<String>>> {
    let invalid = || {
        Error::new(Kind::BadRequest, "invalid_cursor", "The cursor is none of this relation in this order")
            .with_hint("Send the Next-Cursor of an answer with the same order, or begin with Prefer: paging=cursor.")
    };
    let bytes = URL_SAFE_NO_PAD.decode(cursor).map_err(|error| invalid().with_source(error))?;
    let mut said: Vec<Option<String>> = serde_json::from_slice(&bytes).map_err(|error| invalid().with_source(error))?;
    if said.len() != terms.len().saturating_add(1) || said.first().and_then(Option::as_deref) != Some(mark) {
        return Err(invalid());
    }
    said.remove(0);
    let may_be = |(term, value): (&OrderTerm, &Option<String>)| value.is_some() || may_be_null(relation, term);
    if terms.iter().zip(&said).all(may_be) { Ok(said) } else { Err(invalid()) }
}

/// Returns what holds of all rows behind the one with these values: its first value comes later, or it is the same and the next one does.
fn behind(relation: &Relation, terms: &[OrderTerm], values: &[Option<String>]) -> Condition {
    let mut condition = None;
    for (term, value) in terms.iter().zip(values).rev() {
        let later = later(relation, term, value.as_deref());
        condition = Some(match condition {
            None => any(later),
            Some(rest) => {
                let same = all(vec![compared(term, Operator::Eq, value.as_deref()), rest]);
                any(later.into_iter().chain([same]).collect())
            }
        });
    }
    let condition = condition.unwrap_or_else(|| any(Vec::new()));
    // Said of the first column alone, so that an index may begin there.
    match terms.first().zip(values.first()) {
        Some((term, Some(value))) if terms.len() > 1 && !nulls_are_behind(relation, term) => {
            let from = if is_descending(term) { Operator::Lte } else { Operator::Gte };
            all(vec![compared(term, from, Some(value)), condition])
        }
        _ => condition,
    }
}

/// Returns the ways in which a term's value can be later than this one; none where nothing is.
fn later(relation: &Relation, term: &OrderTerm, value: Option<&str>) -> Vec<Condition> {
    let behind = nulls_are_behind(relation, term);
    match value {
        None if nulls_come_last(term) => Vec::new(),
        None => vec![Condition::Filter(Filter { field: term.field.clone(), negated: true, operation: Operation::Is(IsValue::Null) })],
        Some(value) => {
            let operator = if is_descending(term) { Operator::Lt } else { Operator::Gt };
            let beyond = compared(term, operator, Some(value));
            if behind { vec![beyond, compared(term, Operator::Eq, None)] } else { vec![beyond] }
        }
    }
}

fn compared(term: &OrderTerm, operator: Operator, value: Option<&str>) -> Condition {
    let operation = match value {
        Some(value) => Operation::Compare(operator, value.to_owned()),
        None => Operation::Is(IsValue::Null),
    };
    Condition::Filter(Filter { field: term.field.clone(), negated: false, operation })
}

fn any(children: Vec<Condition>) -> Condition {
    joined(LogicOperator::Or, children)
}

fn all(children: Vec<Condition>) -> Condition {
    joined(LogicOperator::And, children)
}

fn joined(operator: LogicOperator, mut children: Vec<Condition>) -> Condition {
    match (children.len(), children.pop()) {
        (1, Some(only)) => only,
        (_, last) => {
            children.extend(last);
            Condition::Logic { negated: false, operator, children }
        }
    }
}

fn is_descending(term: &OrderTerm) -> bool {
    term.direction == Some(Direction::Descending)
}

/// PostgreSQL takes null for larger than all.
fn nulls_come_last(term: &OrderTerm) -> bool {
    term.nulls.map_or(!is_descending(term), |nulls| nulls == NullsPosition::Last)
}

/// Tells whether rows without a value may come behind one with a value.
fn nulls_are_behind(relation: &Relation, term: &OrderTerm) -> bool {
    may_be_null(relation, term) && nulls_come_last(term)
}

fn may_be_null(relation: &Relation, term: &OrderTerm) -> bool {
    !term.field.path.is_empty() || relation.column(&term.field.name).is_none_or(|column| column.nullable)
}

fn impossible(details: &'static str) -> Error {
    Error::new(Kind::BadRequest, "cursor_not_possible", "These rows cannot be paged through by a cursor").with_details(details)
}
