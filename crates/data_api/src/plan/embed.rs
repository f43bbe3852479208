//! Related rows inside of rows.
//!
//! Invariant: whatever is embedded has the walls that it has when it is read by itself, and so has a junction that leads there. What is
//! said of an embed (filters, orders, parts) is said of one that is there, or the request is refused.

use std::cell::Cell;

use kernel::{Error, Kind, Result};
use postgres::catalog::{Function, Relation};

use super::read::{self, Counted, Rows};
use super::relationship::{self, Found};
use super::{Surroundings, Walls};
use crate::config::EmbedNames;
use crate::request::{ApiRequest, Condition, JoinKind, OrderTerm, Query, Range, SelectItem};
use crate::request::{Embed as Said, Field, targets};

/// A related relation, its rows embedded in each row around it.
#[derive(Clone, Debug)]
pub(crate) struct Embed<'a> {
    /// What the request says of it.
    pub(crate) said: &'a Said,
    /// Its name in the statement.
    pub(crate) place: String,
    /// The relation.
    pub(crate) relation: &'a Relation,
    /// What keeps its rows apart.
    pub(crate) walls: Walls<'a>,
    /// How it is reached.
    pub(crate) way: Way<'a>,
    /// Whether there is at most one row.
    pub(crate) to_one: bool,
    /// Whether it is a part of the answer, and not only a condition.
    pub(crate) shown: bool,
    /// Whether the request asks for a part of the rows.
    pub(crate) ranged: bool,
    /// How much the statement grows by asking whether there is one.
    pub(super) size: usize,
    /// Which rows, and what of them.
    pub(crate) rows: Rows<'a>,
}

/// How an embed is reached from the rows around it.
#[derive(Clone, Debug)]
pub(crate) enum Way<'a> {
    /// By columns there and here that are equal.
    Columns(&'a [(String, String)]),
    /// Through a junction.
    Junction {
        /// Its name in the statement.
        place: String,
        /// The junction.
        relation: &'a Relation,
        /// What keeps its rows apart.
        walls: Walls<'a>,
        /// Columns here and in the junction.
        origin: &'a [(String, String)],
        /// Columns there and in the junction.
        target: &'a [(String, String)],
    },
    /// By a function over the row.
    Function(&'a Function),
}

/// What embeds are embedded in.
#[derive(Clone, Copy, Debug)]
pub(super) struct Origin<'a> {
    /// The name.
    pub(super) name: &'a str,
    /// The relation; none for what a function makes up.
    pub(super) relation: Option<&'a Relation>,
}

/// What a request says of one level and of those below: the path names the levels still to go.
#[derive(Debug, Default)]
pub(super) struct Level<'a> {
    conditions: Vec<(&'a [String], &'a Condition)>,
    orders: Vec<(&'a [String], &'a [OrderTerm])>,
    ranges: Vec<(&'a [String], Range)>,
}

/// What planning an embed has to know.
#[derive(Clone, Copy, Debug)]
pub(super) struct Planner<'a, 'p> {
    request: &'a ApiRequest,
    surroundings: Surroundings<'a>,
    /// Numbers the places.
    places: &'p Cell<usize>,
}

/// What holds on one level itself.
#[derive(Debug)]
pub(super) struct Own<'a> {
    pub(super) conditions: Vec<&'a Condition>,
    pub(super) order: &'a [OrderTerm],
    pub(super) range: Option<Range>,
    pub(super) embeds: Vec<Embed<'a>>,
    size: usize,
}

impl<'a> Level<'a> {
    /// Returns all that a query says.
    pub(super) fn of(query: &'a Query) -> Self {
        Self {
            conditions: query.conditions.iter().map(|(path, condition)| (path.as_slice(), condition)).collect(),
            orders: query.orders.iter().map(|(path, terms)| (path.as_slice(), terms.as_slice())).collect(),
            ranges: query.ranges.iter().map(|(path, range)| (path.as_slice(), *range)).collect(),
        }
    }
}

/// Plans what a level has of its own, and the embeds below.
pub(super) fn plan<'a>(request: &'a ApiRequest, origin: Origin<'a>, surroundings: Surroundings<'a>) -> Result<Own<'a>> {
    let places = Cell::new(0);
    let planner = Planner { request, surroundings, places: &places };
    planner.level(origin, &request.query.select, Level::of(&request.query))
}

/// Plans what is shown of rows that were written. Conditions on the rows themselves choose what is written, and not what is shown of it.
pub(super) fn written<'a>(request: &'a ApiRequest, relation: &'a Relation, surroundings: Surroundings<'a>) -> Result<Own<'a>> {
    let places = Cell::new(0);
    let planner = Planner { request, surroundings, places: &places };
    let mut level = Level::of(&request.query);
    level.conditions.retain(|(path, _)| !path.is_empty());
    planner.level(Origin { name: &relation.name, relation: Some(relation) }, &request.query.select, level)
}

impl<'a> Planner<'a, '_> {
    fn level(self, origin: Origin<'a>, select: &'a [SelectItem], level: Level<'a>) -> Result<Own<'a>> {
        read::check_select(select, self.surroundings)?;
        let said: Vec<&'a Said> = select.iter().filter_map(SelectItem::embed).collect();
        let mut below: Vec<Level<'a>> = said.iter().map(|_| Level::default()).collect();
        let mut conditions = Vec::with_capacity(level.conditions.len());
        for (path, condition) in level.conditions {
            match self.deeper(path, &said, &mut below)? {
                None => conditions.push(condition),
                Some((below, rest)) => below.conditions.push((rest, condition)),
            }
        }
        let (mut order, mut range) = (None, None);
        for (path, terms) in level.orders {
            match self.deeper(path, &said, &mut below)? {
                // Of several the first counts.
                None => order = order.or(Some(terms)),
                Some((below, rest)) => below.orders.push((rest, terms)),
            }
        }
        for (path, part) in level.ranges {
            match self.deeper(path, &said, &mut below)? {
                None => range = Some(part),
                Some((below, rest)) => below.ranges.push((rest, part)),
            }
        }
        let embeds = said.into_iter().zip(below).map(|(said, level)| self.embed(origin, said, level)).collect::<Result<Vec<_>>>()?;
        let order = order.unwrap_or_default();
        check_order(origin, order, &embeds)?;
        let inner = embeds.iter().filter(|embed| embed.is_inner()).fold(0_usize, |sum, embed| sum.saturating_add(embed.size));
        let mut size = inner;
        for condition in &conditions {
            size = size.saturating_add(check_condition(condition, origin, &embeds)?);
        }
        // Each time that an embed is asked for, all that is asked inside of it is written again.
        if size > self.surroundings.conditions_max {
            let details = format!("At most {} are allowed, those inside of embedded tables included", self.surroundings.conditions_max);
            return Err(Error::new(Kind::BadRequest, "PGRST100", "Too many conditions on embedded tables").with_details(details));
        }
        Ok(Own { conditions, order, range, embeds, size })
    }

    fn embed(self, origin: Origin<'a>, said: &'a Said, level: Level<'a>) -> Result<Embed<'a>> {
        let place = self.place();
        let found = relationship::find(origin, said, &self.request.schema, self.surroundings)?;
        let (relation, way, to_one) = match found {
            Found::Function(function) => {
                let (schema, name) = (function.returns.schema.as_deref(), function.returns.relation.as_deref());
                // One row that may be there is what a function says of itself: `rows 1`.
                let to_one = (function.rows - 1.0).abs() < f32::EPSILON;
                (self.relation(schema.unwrap_or_default(), name.unwrap_or_default())?, Way::Function(function), to_one)
            }
            Found::Keys(found) => {
                let way = match &found.junction {
                    None => Way::Columns(&found.columns),
                    Some(junction) => {
                        let relation = self.relation(&junction.schema, &junction.relation)?;
                        let (place, walls) = (self.place(), self.walls(relation));
                        Way::Junction { place, relation, walls, origin: &junction.origin, target: &junction.target }
                    }
                };
                (self.relation(&found.schema, &found.relation)?, way, found.is_to_one())
            }
        };
        let inside = Origin { name: &relation.name, relation: Some(relation) };
        let own = self.level(inside, &said.select, level)?;
        let shown = said.select.iter().any(|item| !matches!(item, SelectItem::Embed(_))) || own.embeds.iter().any(|embed| embed.shown);
        let size = own.size.saturating_add(1);
        let part = own.range.unwrap_or_default();
        let rows = Rows {
            select: &said.select,
            conditions: own.conditions,
            order: own.order,
            limit: self.surroundings.rows.of(part.limit)?,
            offset: part.offset,
            paging: None,
            counted: Counted::Not,
            columns: &relation.columns,
            embeds: own.embeds,
        };
        let walls = self.walls(relation);
        Ok(Embed { said, place, relation, walls, way, to_one, shown, ranged: own.range.is_some(), size, rows })
    }

    /// Returns the level below that a path leads to, and what is left of the path; none for the level itself.
    fn deeper<'b>(
        self,
        path: &'a [String],
        said: &[&Said],
        below: &'b mut [Level<'a>],
    ) -> Result<Option<(&'b mut Level<'a>, &'a [String])>> {
        let Some((name, rest)) = path.split_first() else { return Ok(None) };
        let Some((at, is_legacy)) = targets::meant(said, name) else { return Err(not_embedded(name)) };
        if is_legacy && self.surroundings.embed_names != EmbedNames::AliasFirst {
            let alias = said.get(at).and_then(|said| said.alias.as_deref()).unwrap_or(name);
            return Err(not_embedded(name)
                .with_details("Target names are not allowed in filters if they have an alias")
                .with_hint(format!("Change '{name}' to '{alias}' in filters, orders or limits.")));
        }
        below.get_mut(at).map(|level| Some((level, rest))).ok_or_else(|| not_embedded(name))
    }

    fn walls(self, relation: &'a Relation) -> Walls<'a> {
        Walls::of(relation, self.surroundings.caller, self.request.preferences.deleted)
    }

    fn relation(self, schema: &str, name: &str) -> Result<&'a Relation> {
        super::relation(self.surroundings.catalog, schema, name)
    }

    fn place(self) -> String {
        let number = self.places.get().saturating_add(1);
        self.places.set(number);
        format!("thorbis_{number}")
    }
}

impl<'a> Embed<'a> {
    /// Returns its name in the answer.
    pub(crate) fn name(&self) -> &'a str {
        self.said.alias.as_deref().unwrap_or(&self.said.name)
    }

    /// Tells whether rows around it without a match stay away.
    pub(crate) fn is_inner(&self) -> bool {
        self.said.join == Some(JoinKind::Inner)
    }

    /// Tells whether the columns of one row become columns of the row around it.
    pub(crate) fn is_spread_of_one(&self) -> bool {
        self.said.spread && self.to_one
    }

    /// Returns the columns around it that the way begins with; none where it needs the whole row.
    pub(crate) fn needed(&self) -> Option<impl Iterator<Item = &'a str>> {
        let pairs = match &self.way {
            Way::Columns(pairs) => pairs,
            Way::Junction { origin, .. } => origin,
            Way::Function(_) => return None,
        };
        Some(pairs.iter().map(|(here, _)| here.as_str()))
    }

    /// Returns the field that a name means here: a column, or what was selected under that name.
    pub(crate) fn ordered<'f>(&'f self, field: &'f Field) -> &'f Field {
        let is_named = |item: &'a SelectItem| match item {
            SelectItem::Field { field: Some(selected), alias: Some(alias), .. } if *alias == field.name => Some(selected),
            _ => None,
        };
        if !field.path.is_empty() || self.relation.column(&field.name).is_some() {
            return field;
        }
        self.said.select.iter().find_map(is_named).unwrap_or(field)
    }
}

/// Checks that rows are ordered by no more than one row.
fn check_order(origin: Origin<'_>, order: &[OrderTerm], embeds: &[Embed<'_>]) -> Result<()> {
    for name in order.iter().filter_map(|term| term.embed.as_deref()) {
        let embed = embeds.iter().find(|embed| embed.name() == name).ok_or_else(|| not_embedded(name))?;
        if !embed.to_one {
            let details = format!("'{}' and '{name}' do not form a many-to-one or one-to-one relationship", origin.name);
            return Err(
                Error::new(Kind::BadRequest, "PGRST118", format!("A related order on '{name}' is not possible")).with_details(details)
            );
        }
    }
    Ok(())
}

/// Checks that of an embed nothing but its being there is a condition; a column of the same name is asked about otherwise. Returns how much
/// the statement grows by it.
fn check_condition(condition: &Condition, origin: Origin<'_>, embeds: &[Embed<'_>]) -> Result<usize> {
    let filter = match condition {
        Condition::Logic { children, .. } => {
            return children.iter().try_fold(0_usize, |sum, child| Ok(sum.saturating_add(check_condition(child, origin, embeds)?)));
        }
        Condition::Filter(filter) => filter,
    };
    let name = &filter.field.name;
    let Some(embed) = embeds.iter().find(|embed| filter.field.path.is_empty() && embed.name() == name) else { return Ok(1) };
    if filter.may_ask_for_presence() {
        return Ok(embed.size);
    }
    if origin.relation.is_some_and(|relation| relation.column(name).is_some()) {
        return Ok(1);
    }
    Err(Error::new(Kind::BadRequest, "PGRST120", format!("Bad operator on the '{}' embedded resource", embed.said.name))
        .with_details("Only is null or not is null filters are allowed on embedded resources"))
}

fn not_embedded(name: &str) -> Error {
    Error::new(Kind::BadRequest, "PGRST108", format!("'{name}' is not an embedded resource in this request"))
        .with_hint(format!("Verify that '{name}' is included in the 'select' query parameter."))
}
