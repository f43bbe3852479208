//! Which rows somebody wants to hear of: `status=eq.open,total=gt.100`.
//!
//! Invariant: a row fits as PostgreSQL would find that it fits; what cannot be compared so is refused when the filter is read, with the
//! reason. A null fits nothing but what asks for it.

mod read;
mod value;

use kernel::{Cell, Error, Kind, Result};
use regex::{Regex, RegexBuilder};

use super::rights::Rights;
use super::tables::{Column, Layout, Table};
use read::Operator;
pub(super) use read::{Parsed, read};
use value::{Family, Pattern};

/// Bytes of the automaton of a regular expression.
const AUTOMATON_MAX: usize = 262_144;

/// Conditions that must all hold.
#[derive(Debug)]
pub(super) struct Filter(Box<[Condition]>);

#[derive(Debug)]
struct Condition {
    column: usize,
    family: Family,
    is_negated: bool,
    test: Test,
}

#[derive(Debug)]
enum Test {
    Compare(Operator, Box<str>),
    In(Box<[Box<str>]>),
    Like(Pattern),
    Match(Regex),
    Null,
    Bool(bool),
}

/// What a value must be cast to before it is compared: number of the condition, type, value.
#[derive(Debug)]
pub(super) struct Literal<'a> {
    pub(super) column: &'a Column,
    pub(super) text: &'a str,
}

/// Returns the values of conditions that PostgreSQL has to write as it writes those of the columns, in their order.
pub(super) fn literals<'a>(parsed: &'a [Parsed], table: &'a Table, rights: &Rights) -> Result<Vec<Literal<'a>>> {
    let mut found = Vec::new();
    for one in parsed {
        let (_, column) = column(one, table, rights)?;
        allowed(one, column)?;
        if one.operator.takes_values() {
            found.extend(one.values.iter().map(|text| Literal { column, text }));
        }
    }
    Ok(found)
}

/// Makes the filter, with the values as PostgreSQL wrote them, in the order of [`literals`].
pub(super) fn made(parsed: &[Parsed], table: &Table, rights: &Rights, mut written: impl Iterator<Item = Box<str>>) -> Result<Filter> {
    let mut conditions = Vec::with_capacity(parsed.len());
    for one in parsed {
        let (number, column) = column(one, table, rights)?;
        let family = allowed(one, column)?;
        let mut value = || written.next().ok_or_else(|| Error::internal("a value of a filter was not written"));
        let first = || one.values.first().map_or("", AsRef::as_ref);
        let test = match one.operator {
            Operator::In => Test::In(one.values.iter().map(|_| value()).collect::<Result<_>>()?),
            Operator::Like | Operator::Ilike => Test::Like(Pattern::new(first(), one.operator == Operator::Ilike)),
            Operator::Match | Operator::Imatch => Test::Match(expression(first(), one.operator == Operator::Imatch)?),
            Operator::Is => match first() {
                // Of what is true or false, unknown is null.
                "null" | "not_null" | "unknown" => Test::Null,
                other => Test::Bool(other == "true"),
            },
            operator => Test::Compare(operator, value()?),
        };
        let is_negated = one.is_negated != (one.operator == Operator::Is && first() == "not_null");
        conditions.push(Condition { column: number, family, is_negated, test });
    }
    Ok(Filter(conditions.into()))
}

impl Filter {
    /// Tells whether a row fits. What is not told of a row is taken to fit: better told than lost.
    pub(super) fn fits(&self, layout: &Layout, row: &[Cell]) -> bool {
        self.0.iter().all(|condition| match layout.cell(row, condition.column) {
            Cell::Untold => true,
            Cell::Null => condition.holds(None),
            Cell::Text(text) => condition.holds(Some(text)),
        })
    }

    /// Returns a column and its value, if only rows fit that have it.
    pub(super) fn pinned(&self) -> Option<(usize, &str)> {
        self.0.iter().find_map(|condition| match &condition.test {
            Test::Compare(Operator::Eq, value) if !condition.is_negated && condition.family.is_written_one_way() => {
                Some((condition.column, &**value))
            }
            _ => None,
        })
    }

    /// Tells whether it asks for a column.
    pub(super) fn names(&self, column: usize) -> bool {
        self.0.iter().any(|condition| condition.column == column)
    }
}

impl Condition {
    fn holds(&self, value: Option<&str>) -> bool {
        let holds = match (&self.test, value) {
            (Test::Null, value) => Some(value.is_none()),
            (Test::Bool(wanted), value) => Some(value.is_some_and(|value| (value == "t") == *wanted)),
            (Test::Compare(Operator::IsDistinct, wanted), value) => Some(value.is_none_or(|value| !self.family.is_equal(value, wanted))),
            (_, None) => None,
            (Test::Compare(operator, wanted), Some(value)) => match operator {
                Operator::Eq => Some(self.family.is_equal(value, wanted)),
                Operator::Neq => Some(!self.family.is_equal(value, wanted)),
                other => self.family.order(value, wanted).map(|order| other.accepts(order)),
            },
            (Test::In(wanted), Some(value)) => Some(wanted.iter().any(|wanted| self.family.is_equal(value, wanted))),
            (Test::Like(pattern), Some(value)) => Some(pattern.fits(value)),
            (Test::Match(expression), Some(value)) => Some(expression.is_match(value)),
        };
        holds.is_some_and(|holds| holds != self.is_negated)
    }
}

/// Finds the column that a condition names. One that may not be read is not there.
fn column<'a>(one: &Parsed, table: &'a Table, rights: &Rights) -> Result<(usize, &'a Column)> {
    let found = table.column(&one.column).and_then(|number| Some((number, table.columns.get(number)?)));
    found.filter(|(_, column)| rights.reads(table, column)).ok_or_else(|| refused(format!("invalid column for filter {}", one.column)))
}

/// Tells how values of a column are compared, if a condition can be decided so.
fn allowed(one: &Parsed, column: &Column) -> Result<Family> {
    let family = Family::of(column);
    let can = match one.operator {
        Operator::Is => match one.values.first().map(AsRef::as_ref) {
            Some("null" | "not_null") => true,
            Some("true" | "false" | "unknown") => family == Family::Bool,
            _ => {
                return Err(refused(format!(
                    "is.{} is none of null, not_null, true, false, unknown",
                    one.values.first().map_or("", AsRef::as_ref)
                )));
            }
        },
        Operator::Like | Operator::Ilike | Operator::Match | Operator::Imatch => family == Family::Text,
        Operator::Lt | Operator::Lte | Operator::Gt | Operator::Gte => family.has_order(),
        Operator::Eq | Operator::Neq | Operator::In | Operator::IsDistinct => family != Family::Other,
    };
    if can {
        Ok(family)
    } else {
        Err(refused(format!("{} cannot be asked of the column {} of the type {}", one.operator.name(), column.name, column.type_name)))
    }
}

fn expression(text: &str, is_insensitive: bool) -> Result<Regex> {
    RegexBuilder::new(text)
        .case_insensitive(is_insensitive)
        .dot_matches_new_line(true)
        .size_limit(AUTOMATON_MAX)
        .dfa_size_limit(AUTOMATON_MAX)
        .build()
        .map_err(|error| {
            refused("a regular expression is not understood here: no look-around, no references, not too large".to_owned())
                .with_source(error)
        })
}

/// The error of a filter that is not understood.
pub(super) fn refused(message: String) -> Error {
    Error::new(Kind::BadRequest, "realtime_filter_invalid", message)
}
