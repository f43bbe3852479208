//! Which rows are read and how they look.
//!
//! Invariant: what comes out of here has an embed for each that the query names, in its order, and aggregates only where they are
//! allowed; whoever writes the SQL can trust that.

use kernel::{Error, Kind, Result};
use postgres::catalog::{Column, Relation, RelationKind};

use super::embed::{self, Embed, Origin};
use super::{Surroundings, Walls};
use crate::request::{Action, ApiRequest, Condition, Count, Filter, Operation, Operator, OrderTerm, Paging, Query, SelectItem};

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
#[derive(Clone, Debug)]
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
    /// Where pages are cut, where they are asked for by a cursor.
    pub(crate) paging: Option<&'a Paging>,
    /// How all that fit are counted.
    pub(crate) counted: Counted,
    /// The source's columns, where they are known.
    pub(crate) columns: &'a [Column],
    /// What is embedded, one for each in `select`.
    pub(crate) embeds: Vec<Embed<'a>>,
}

/// How all rows that fit are counted, beside those that are answered.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Counted {
    /// Not at all.
    Not,
    /// One by one.
    All,
    /// One by one up to so many. Where there are as many the planner is asked, too, and the larger number counts.
    UpTo(i64),
    /// By the planner.
    Planned,
}

impl ReadPlan<'_> {
    /// Tells whether it is over in a moment whatever the tables hold: one row of a table, found by a key, and nothing that is computed.
    pub(crate) fn is_short(&self) -> bool {
        let Rows { select, conditions, embeds, counted, .. } = &self.rows;
        let is_column = |name: &str| self.relation.columns.iter().any(|column| column.name == name);
        let is_looked_at = |condition: &Condition| match condition {
            Condition::Filter(filter) => is_column(&filter.field.name),
            Condition::Logic { .. } => false,
        };
        let is_plain = |item: &SelectItem| match item {
            SelectItem::Star => true,
            SelectItem::Field { field: Some(field), aggregate: None, .. } => is_column(&field.name),
            SelectItem::Field { .. } | SelectItem::Embed(_) => false,
        };
        let mut fixed: Vec<&str> = self.walls.tenant_column.into_iter().collect();
        fixed.extend(conditions.iter().filter_map(|condition| fixed_column(condition)));
        let keys = self.relation.uniques.iter().chain([&self.relation.primary_key]);
        let is_fixed = |key: &Vec<String>| !key.is_empty() && key.iter().all(|column| fixed.contains(&column.as_str()));
        self.relation.kind == RelationKind::Table
            && *counted == Counted::Not
            && embeds.is_empty()
            && select.iter().all(is_plain)
            && conditions.iter().all(|condition| is_looked_at(condition))
            && keys.into_iter().any(is_fixed)
    }
}

pub(super) fn plan<'a>(request: &'a ApiRequest, relation: &'a Relation, surroundings: Surroundings<'a>) -> Result<ReadPlan<'a>> {
    let walls = Walls::of(relation, surroundings.caller, request.preferences.deleted);
    let origin = Origin { name: &relation.name, relation: Some(relation) };
    let rows = rows(request, origin, surroundings)?;
    Ok(ReadPlan { relation, walls, rows })
}

/// Checks the query's items and puts them together.
pub(super) fn rows<'a>(request: &'a ApiRequest, origin: Origin<'a>, surroundings: Surroundings<'a>) -> Result<Rows<'a>> {
    let counted = counted(request, surroundings.rows.max);
    let own = embed::plan(request, origin, surroundings)?;
    let part = own.range.unwrap_or_default();
    Ok(Rows {
        select: &request.query.select,
        conditions: own.conditions,
        order: request.paging.as_ref().map_or(own.order, |paging| &paging.terms),
        paging: request.paging.as_ref(),
        limit: surroundings.rows.of(part.limit)?,
        offset: part.offset,
        counted,
        columns: origin.relation.map_or(&[], |relation| &relation.columns),
        embeds: own.embeds,
    })
}

/// Returns the column whose value a condition fixes.
fn fixed_column(condition: &Condition) -> Option<&str> {
    match condition {
        Condition::Filter(Filter { field, negated: false, operation: Operation::Compare(Operator::Eq, _) }) if field.path.is_empty() => {
            Some(&field.name)
        }
        Condition::Filter(_) | Condition::Logic { .. } => None,
    }
}

/// Returns the conditions on the rows themselves.
pub(super) fn top_level(query: &Query) -> Vec<&Condition> {
    query.conditions.iter().filter(|(path, _)| path.is_empty()).map(|(_, condition)| condition).collect()
}

/// Checks that there is no aggregate in `select` where none is allowed.
pub(super) fn check_select(select: &[SelectItem], surroundings: Surroundings<'_>) -> Result<()> {
    let is_aggregate = |item: &SelectItem| matches!(item, SelectItem::Field { aggregate: Some(_), .. });
    if !surroundings.aggregates_enabled && select.iter().any(is_aggregate) {
        return Err(Error::new(Kind::BadRequest, "PGRST123", "Use of aggregate functions is not allowed"));
    }
    Ok(())
}

/// Tells whether there are aggregates over the rows: in `select`, or in what is spread over each from one other row.
pub(crate) fn has_aggregates(select: &[SelectItem], embeds: &[Embed<'_>]) -> bool {
    select.iter().any(|item| matches!(item, SelectItem::Field { aggregate: Some(_), .. }))
        || embeds.iter().any(|embed| embed.is_spread_of_one() && has_aggregates(embed.rows.select, &embed.rows.embeds))
}

/// Of what a function gives the planner knows nothing: there all are counted, or none.
fn counted(request: &ApiRequest, rows_max: i64) -> Counted {
    match (request.preferences.count, request.action) {
        (Some(Count::Planned), Action::Read) => Counted::Planned,
        (None | Some(Count::Planned), _) => Counted::Not,
        // One more than is answered tells that there are more.
        (Some(Count::Estimated), Action::Read) => Counted::UpTo(rows_max.saturating_add(1)),
        (Some(Count::Exact | Count::Estimated), _) => Counted::All,
    }
}

impl Counted {
    /// Tells whether the planner may have to be asked.
    pub(crate) fn asks_the_planner(self) -> bool {
        matches!(self, Self::UpTo(_) | Self::Planned)
    }

    /// Tells whether rows are counted one by one.
    pub(crate) fn counts(self) -> bool {
        matches!(self, Self::All | Self::UpTo(_))
    }
}
