//! What is selected, by what it is grouped where there are aggregates among it, and in which order it comes.
//!
//! Invariant: of rows that are grouped, everything that is no aggregate is what they are grouped by, named by its place in the list of
//! columns: a bound value that is written twice would make two expressions of one. Aggregates over what is spread from one row are those
//! of the rows around it.

use postgres::Sql;
use postgres::catalog::Column;

use super::embed;
use super::field::{self, Place};
use crate::plan::{self, Embed};
use crate::request::{Aggregate, Direction, Field, NullsPosition, OrderTerm, SelectItem};

/// The columns of what is selected, where rows are grouped; none where they are not.
#[derive(Debug, Default)]
pub(super) struct Grouped<'e>(Vec<Output<'e>>);

/// A column of what is selected.
#[derive(Debug)]
struct Output<'e> {
    /// The name in the answer.
    name: &'e str,
    /// The aggregate, and the type that its result is cast to.
    aggregate: Option<(Aggregate, Option<&'e str>)>,
    /// The function that shows it, where that is another value than the one that is kept and grouped by.
    shown_by: Option<&'e (String, String)>,
    value: Value<'e>,
}

/// What an aggregate is over, or what rows are grouped by.
#[derive(Debug)]
enum Value<'e> {
    /// The rows themselves, of whatever columns.
    Rows,
    /// Columns that nobody knows.
    Everything,
    /// A field, cast to a type.
    Field(&'e Field, Option<&'e str>),
    /// A column.
    Column(&'e str),
    /// What is embedded, as one value.
    Embedded(&'e Embed<'e>),
    /// A column of the one row that is spread, by its number.
    OfOne(&'e Embed<'e>, usize),
    /// A column of the rows that are spread, as an array.
    OfMany(&'e Embed<'e>, &'e str),
}

/// Writes what is selected, what is embedded behind it; everything if nothing is said.
pub(super) fn columns<'e>(sql: &mut Sql, place: &Place<'e>, items: &'e [SelectItem]) -> Grouped<'e> {
    if plan::has_aggregates(items, place.embeds) {
        let outputs = outputs(place.columns, items, place.embeds);
        let mut separator = "";
        for output in &outputs {
            sql.text(separator);
            separator = ", ";
            aggregated(sql, place, output);
            if !matches!(output.value, Value::Everything) {
                sql.text(" as ").ident(output.name);
            }
        }
        return Grouped(outputs);
    }
    let mut separator = "";
    for item in items {
        if matches!(item, SelectItem::Embed(_)) {
            continue;
        }
        sql.text(separator);
        separator = ", ";
        match item {
            SelectItem::Field { field: Some(field), cast, alias, .. } => selected(sql, place, field, cast.as_deref(), alias.as_deref()),
            // What has no field is an aggregate.
            SelectItem::Star | SelectItem::Field { .. } | SelectItem::Embed(_) => place.everything(sql),
        }
    }
    for embed in place.embeds.iter().filter(|embed| embed.shown) {
        sql.text(separator);
        separator = ", ";
        embed::item(sql, place, embed);
    }
    if items.is_empty() {
        place.everything(sql);
    }
    Grouped::default()
}

/// Writes what rows around this one are grouped by and what they aggregate, by numbers and not by names.
pub(super) fn spread(sql: &mut Sql, place: &Place<'_>, items: &[SelectItem]) {
    let mut separator = "";
    for (number, output) in outputs(place.columns, items, place.embeds).iter().enumerate() {
        sql.text(separator);
        separator = ", ";
        value(sql, place, &output.value);
        if !matches!(output.value, Value::Everything) {
            sql.text(" as ").ident(&numbered(number));
        }
    }
}

/// Returns the name of an item in the answer; none for everything.
pub(super) fn output_name(item: &SelectItem) -> Option<&str> {
    let SelectItem::Field { field, aggregate, alias, .. } = item else { return None };
    let field = || field.as_ref().map(|field| field::last_key(field).unwrap_or(&field.name));
    alias.as_deref().or_else(|| aggregate.map(function)).or_else(field)
}

impl Grouped<'_> {
    /// Tells whether rows are grouped.
    pub(super) fn is_grouped(&self) -> bool {
        !self.0.is_empty()
    }

    /// Writes ` group by ...`, if rows are grouped by anything.
    pub(super) fn group(&self, sql: &mut Sql, place: &Place<'_>) {
        let mut separator = "\n group by ";
        for (position, output) in (1_usize..).zip(&self.0).filter(|(_, output)| output.aggregate.is_none()) {
            sql.text(separator);
            kept(sql, place, (position, output));
            separator = ", ";
        }
    }

    /// Returns the column, and its place in the list, that rows are ordered by, where they are grouped by it.
    fn ordering(&self, place: &Place<'_>, term: &OrderTerm) -> Option<(usize, &Output<'_>)> {
        let position = self.position(place, term)?;
        self.0.get(position.checked_sub(1)?).map(|output| (position, output))
    }

    fn position(&self, place: &Place<'_>, term: &OrderTerm) -> Option<usize> {
        let Some(name) = term.embed.as_deref() else { return position(&self.0, &term.field) };
        let embed = place.embeds.iter().find(|embed| embed.name() == name && embed.is_spread_of_one())?;
        let inside = outputs(&embed.relation.columns, embed.rows.select, &embed.rows.embeds);
        let number = position(&inside, &term.field)?.checked_sub(1)?;
        let is_it = |output: &Output<'_>| {
            let Value::OfOne(of, its_number) = output.value else { return false };
            output.aggregate.is_none() && of.place == embed.place && its_number == number
        };
        (1..).zip(&self.0).find(|(_, output)| is_it(output)).map(|(position, _)| position)
    }
}

/// Writes ` order by ...`, if anything is said.
pub(super) fn order(sql: &mut Sql, place: &Place<'_>, terms: &[OrderTerm], grouped: &Grouped<'_>) {
    let mut separator = "\n order by ";
    for term in terms {
        sql.text(separator);
        separator = ", ";
        let embed = term.embed.as_deref().and_then(|name| place.embeds.iter().find(|embed| embed.name() == name));
        match (grouped.ordering(place, term), embed) {
            (Some(ordering), _) => kept(sql, place, ordering),
            (None, Some(embed)) => embed::value(sql, place, embed, &term.field),
            (None, None) => place.field(sql, &term.field),
        }
        sql.text(match term.direction {
            None => "",
            Some(Direction::Ascending) => " asc",
            Some(Direction::Descending) => " desc",
        });
        sql.text(match term.nulls {
            None => "",
            Some(NullsPosition::First) => " nulls first",
            Some(NullsPosition::Last) => " nulls last",
        });
    }
}

fn selected(sql: &mut Sql, place: &Place<'_>, field: &Field, cast: Option<&str>, alias: Option<&str>) {
    field::shown(sql, place, field, cast);
    let is_renamed = cast.is_some() || place.is_shown_otherwise(field);
    let name = alias.or_else(|| field::last_key(field)).or_else(|| is_renamed.then_some(field.name.as_str()));
    if let Some(name) = name {
        sql.text(" as ").ident(name);
    }
}

/// Returns all columns of what is selected, one by one.
fn outputs<'e>(columns: &'e [Column], items: &'e [SelectItem], embeds: &'e [Embed<'e>]) -> Vec<Output<'e>> {
    let mut outputs = Vec::new();
    let plain = |name, value| Output { name, aggregate: None, shown_by: None, value };
    let shown_by = |name: &str| columns.iter().find(|column| column.name == name).and_then(|column| column.to_json.as_ref());
    for item in items {
        let name = output_name(item).unwrap_or_default();
        match item {
            SelectItem::Star if columns.is_empty() => outputs.push(plain("", Value::Everything)),
            SelectItem::Star => outputs.extend(
                columns
                    .iter()
                    .map(|column| Output { shown_by: column.to_json.as_ref(), ..plain(&column.name, Value::Column(&column.name)) }),
            ),
            SelectItem::Field { field, aggregate, cast, aggregate_cast, .. } => {
                let value = field.as_ref().map_or(Value::Rows, |field| Value::Field(field, cast.as_deref()));
                let is_plain = aggregate.is_none() && cast.is_none();
                let shown_by = field.as_ref().filter(|field| is_plain && field.path.is_empty()).and_then(|field| shown_by(&field.name));
                outputs.push(Output { name, aggregate: aggregate.map(|it| (it, aggregate_cast.as_deref())), shown_by, value });
            }
            SelectItem::Embed(_) => {}
        }
    }
    for embed in embeds.iter().filter(|embed| embed.shown) {
        if embed.is_spread_of_one() {
            let inside = self::outputs(&embed.relation.columns, embed.rows.select, &embed.rows.embeds);
            let numbered = inside.into_iter().enumerate();
            outputs.extend(numbered.map(|(number, output)| Output { value: Value::OfOne(embed, number), ..output }));
        } else if embed.said.spread {
            outputs.extend(embed::names(embed).into_iter().map(|name| plain(name, Value::OfMany(embed, name))));
        } else {
            outputs.push(plain(embed.name(), Value::Embedded(embed)));
        }
    }
    outputs
}

/// Returns the place, counted from one, of the column that is this field and that rows are grouped by; rather one that is not cast.
fn position(outputs: &[Output<'_>], field: &Field) -> Option<usize> {
    let find = |is_it: &dyn Fn(&Value<'_>) -> bool| {
        (1..).zip(outputs).find(|(_, output)| output.aggregate.is_none() && is_it(&output.value)).map(|(position, _)| position)
    };
    find(&|value| match value {
        Value::Field(it, None) => *it == field,
        Value::Column(name) => field.path.is_empty() && field.name == *name,
        _ => false,
    })
    .or_else(|| find(&|value| matches!(value, Value::Field(it, Some(_)) if *it == field)))
}

fn aggregated(sql: &mut Sql, place: &Place<'_>, output: &Output<'_>) {
    let Some((aggregate, cast)) = output.aggregate else {
        return field::called(sql, output.shown_by, |sql| value(sql, place, &output.value));
    };
    field::as_type(sql, cast, |sql| {
        sql.text(function(aggregate)).text("(");
        match &output.value {
            Value::Rows => {
                sql.text("*");
            }
            other => value(sql, place, other),
        }
        sql.text(")");
    });
}

/// Writes what rows are grouped or ordered by: the place in the list of columns, but of what is shown otherwise than it is kept.
fn kept(sql: &mut Sql, place: &Place<'_>, (position, output): (usize, &Output<'_>)) {
    if output.shown_by.is_some() {
        value(sql, place, &output.value);
    } else {
        sql.position(position);
    }
}

fn value(sql: &mut Sql, place: &Place<'_>, value: &Value<'_>) {
    match value {
        Value::Rows => {
            sql.text("1");
        }
        Value::Everything => place.everything(sql),
        Value::Field(field, cast) => field::cast(sql, place, field, *cast),
        Value::Column(name) => place.seen(sql, name),
        // Values of the type json cannot be compared.
        Value::Embedded(embed) => {
            embed::made(sql, place, embed);
            sql.text("::jsonb");
        }
        Value::OfOne(embed, number) => {
            sql.ident(&embed.place).text(".").ident(&numbered(*number));
        }
        Value::OfMany(embed, name) => {
            sql.ident(&embed.place).text(".").ident(name).text("::jsonb");
        }
    }
}

fn numbered(number: usize) -> String {
    format!("thorbis_c{number}")
}

fn function(aggregate: Aggregate) -> &'static str {
    match aggregate {
        Aggregate::Avg => "avg",
        Aggregate::Count => "count",
        Aggregate::Max => "max",
        Aggregate::Min => "min",
        Aggregate::Sum => "sum",
    }
}
