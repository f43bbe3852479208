//! Which rows are read and how they look.
//!
//! Invariant: what comes out of here names no embed and no aggregate; whoever writes the SQL can trust that.

use kernel::{Error, Kind, Result};
use postgres::catalog::{Column, Relation};

use super::{Surroundings, Walls, not_implemented};
use crate::request::{ApiRequest, Condition, Count, OrderTerm, Query, SelectItem};

/// Rows of a relation.
#[derive(Debug)]
pub(crate) struct ReadPlan<'a> {
    /// The relation.
    pub(crate) relation: &'a Relation,
    /// What keeps rows apart.
    pub(crate) walls: Walls<'a>,
    /// Which rows.
    pub(crate) rows: Rows<'a>,
}

/// Which rows of a source, and what of them.
#[derive(Debug)]
pub(crate) struct Rows<'a> {
    /// The items; empty means all columns.
    pub(crate) select: &'a [SelectItem],
    /// What must hold.
    pub(crate) conditions: Vec<&'a Condition>,
    /// What comes first.
    pub(crate) order: &'a [OrderTerm],
    /// How many at most.
    pub(crate) limit: i64,
    /// How many are left out before.
    pub(crate) offset: i64,
    /// Whether all that fit are counted.
    pub(crate) counted: bool,
    /// The source's columns, where they are known.
    pub(crate) columns: &'a [Column],
}

pub(super) fn plan<'a>(request: &'a ApiRequest, relation: &'a Relation, surroundings: Surroundings<'a>) -> Result<ReadPlan<'a>> {
    let walls = Walls::of(relation, surroundings.caller, request.preferences.deleted);
    let rows = rows(request, &relation.columns, surroundings.rows_max)?;
    Ok(ReadPlan { relation, walls, rows })
}

/// Checks the query's items and puts them together.
pub(super) fn rows<'a>(request: &'a ApiRequest, columns: &'a [Column], rows_max: i64) -> Result<Rows<'a>> {
    let query = &request.query;
    let counted = counted(request.preferences.count)?;
    check_select(&query.select)?;
    let conditions = top_level(query)?;
    let mut order: &[OrderTerm] = &[];
    for (path, terms) in &query.orders {
        at_top_level(path, query)?;
        order = terms;
    }
    if order.iter().any(|term| term.embed.is_some()) {
        return Err(not_implemented("Ordering by an embedded table is not implemented yet"));
    }
    let (mut limit, mut offset) = (rows_max, 0);
    for (path, range) in &query.ranges {
        at_top_level(path, query)?;
        limit = range.limit.map_or(limit, |wanted| wanted.min(rows_max));
        offset = range.offset;
    }
    Ok(Rows { select: &query.select, conditions, order, limit, offset, counted, columns })
}

/// Returns the conditions on the rows themselves.
pub(super) fn top_level(query: &Query) -> Result<Vec<&Condition>> {
    query.conditions.iter().map(|(path, condition)| at_top_level(path, query).map(|()| condition)).collect()
}

/// Checks that there is nothing in `select` that is not done yet.
pub(super) fn check_select(select: &[SelectItem]) -> Result<()> {
    for item in select {
        match item {
            SelectItem::Star | SelectItem::Field { aggregate: None, field: Some(_), .. } => {}
            SelectItem::Field { .. } => {
                return Err(Error::new(Kind::BadRequest, "PGRST123", "Use of aggregate functions is not allowed"));
            }
            SelectItem::Embed(_) => return Err(not_implemented("Embedding of related tables is not implemented yet")),
        }
    }
    Ok(())
}

pub(super) fn counted(count: Option<Count>) -> Result<bool> {
    match count {
        None => Ok(false),
        Some(Count::Exact) => Ok(true),
        Some(Count::Planned | Count::Estimated) => Err(not_implemented("Only count=exact is implemented yet")),
    }
}

/// Refuses what belongs to an embed that is not there.
fn at_top_level(path: &[String], query: &Query) -> Result<()> {
    let Some(name) = path.first() else { return Ok(()) };
    if query.select.iter().any(|item| matches!(item, SelectItem::Embed(_))) {
        return Err(not_implemented("Embedding of related tables is not implemented yet"));
    }
    Err(Error::new(Kind::BadRequest, "PGRST108", format!("'{name}' is not an embedded resource in this request"))
        .with_hint(format!("Verify that '{name}' is included in the 'select' query parameter.")))
}
