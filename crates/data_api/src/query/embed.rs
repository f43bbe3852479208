//! Related rows inside of rows: as a value in the list of columns, as columns of the row around them, as a condition.
//!
//! Invariant: a value is a query of its own in the list of columns, so that PostgreSQL makes it for no other row than those that are
//! answered; what decides which rows those are is written as `exists`, which can be turned round. Each query has the walls of its relation.

use postgres::Sql;
use postgres::catalog::RelationKind;

use super::condition::{self, Where};
use super::field::Place;
use super::select::{self, Grouped};
use crate::plan::{Embed, Way};
use crate::request::{Field, SelectItem};

/// The embedded rows before they become a value.
const ROWS: &str = "thorbis_embedded";

/// Writes what stands in the list of columns.
pub(super) fn item(sql: &mut Sql, parent: &Place<'_>, embed: &Embed<'_>) {
    if embed.said.spread {
        sql.ident(&embed.place).text(".*");
        return;
    }
    made(sql, parent, embed);
    sql.text(" as ").ident(embed.name());
}

/// Writes what is embedded as one value.
pub(super) fn made(sql: &mut Sql, parent: &Place<'_>, embed: &Embed<'_>) {
    sql.text(if embed.to_one { "(select row_to_json(" } else { "(select coalesce(json_agg(" });
    sql.text(ROWS).text(if embed.to_one { ") from (" } else { "), '[]') from (" });
    rows(sql, parent, embed, Columns::Named);
    sql.text(") ").text(ROWS).text(")");
}

/// Writes what has to stand beside the source: what is spread over the row. Where rows are grouped, one row's columns have numbers.
pub(super) fn beside(sql: &mut Sql, parent: &Place<'_>, is_grouped: bool) {
    for embed in parent.embeds.iter().filter(|embed| embed.said.spread && embed.shown) {
        sql.text("\n  left join lateral (");
        if embed.to_one {
            rows(sql, parent, embed, if is_grouped { Columns::Numbered } else { Columns::Named });
        } else {
            sql.text("select ");
            let mut separator = "";
            for name in names(embed) {
                sql.text(separator).text("coalesce(json_agg(").text(ROWS).text(".").ident(name).text("), '[]') as ").ident(name);
                separator = ", ";
            }
            sql.text(" from (");
            rows(sql, parent, embed, Columns::Named);
            sql.text(") ").text(ROWS);
        }
        sql.text(") ").ident(&embed.place).text(" on true");
    }
}

/// Writes that there is an embedded row.
pub(super) fn exists(sql: &mut Sql, parent: &Place<'_>, embed: &Embed<'_>) {
    sql.text("exists (select 1");
    let place = place(embed);
    source(sql, parent, &place, embed);
    chosen(sql, parent, &place, embed);
    if embed.ranged {
        part(sql, embed);
    }
    sql.text(")");
}

/// Writes a field of the one embedded row.
pub(super) fn value(sql: &mut Sql, parent: &Place<'_>, embed: &Embed<'_>, field: &Field) {
    sql.text("(select ");
    let place = place(embed);
    place.field(sql, embed.ordered(field));
    source(sql, parent, &place, embed);
    chosen(sql, parent, &place, embed);
    one_row(sql, embed);
    sql.text(")");
}

/// What the columns of embedded rows are called.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Columns {
    /// As in the answer.
    Named,
    /// By numbers: the rows around them are grouped and give them their names.
    Numbered,
}

/// Writes the query of the embedded rows.
fn rows(sql: &mut Sql, parent: &Place<'_>, embed: &Embed<'_>, columns: Columns) {
    let place = place(embed);
    sql.text("select ");
    let grouped = match columns {
        Columns::Named => select::columns(sql, &place, embed.rows.select),
        Columns::Numbered => {
            select::spread(sql, &place, embed.rows.select);
            Grouped::default()
        }
    };
    source(sql, parent, &place, embed);
    beside(sql, &place, columns == Columns::Numbered || grouped.is_grouped());
    chosen(sql, parent, &place, embed);
    grouped.group(sql, &place);
    select::order(sql, &place, embed.rows.order, &grouped);
    if embed.to_one {
        one_row(sql, embed);
    } else {
        part(sql, embed);
    }
}

/// Writes where they come from.
fn source(sql: &mut Sql, parent: &Place<'_>, place: &Place<'_>, embed: &Embed<'_>) {
    sql.text("\n  from ");
    match &embed.way {
        Way::Function(function) => {
            sql.qualified(&function.schema, &function.name).text("(");
            parent.row(sql);
            sql.text(")");
        }
        Way::Columns(_) | Way::Junction { .. } => {
            sql.qualified(&embed.relation.schema, &embed.relation.name);
        }
    }
    sql.text(" as ").ident(&embed.place);
    if let Way::Junction { place: name, relation, target, .. } = &embed.way {
        let junction = Place::named(name, &relation.columns, &[]);
        sql.text(" join ").qualified(&relation.schema, &relation.name).text(" as ").ident(name).text(" on ");
        let mut separator = "";
        for (there, between) in *target {
            sql.text(separator);
            equal(sql, (place, there), (&junction, between));
            separator = " and ";
        }
    }
}

/// Writes all that must hold of them.
fn chosen(sql: &mut Sql, parent: &Place<'_>, place: &Place<'_>, embed: &Embed<'_>) {
    let mut before = Where::default();
    condition::apart(sql, place, embed.walls, &mut before);
    match &embed.way {
        Way::Columns(pairs) => {
            for (here, there) in *pairs {
                before.next(sql);
                equal(sql, (place, there), (parent, here));
            }
        }
        Way::Junction { place: name, relation, walls, origin, .. } => {
            let junction = Place::named(name, &relation.columns, &[]);
            condition::apart(sql, &junction, *walls, &mut before);
            for (here, between) in *origin {
                before.next(sql);
                equal(sql, (&junction, between), (parent, here));
            }
        }
        Way::Function(_) => {}
    }
    condition::rest(sql, place, &embed.rows.conditions, &mut before);
}

fn equal(sql: &mut Sql, (left, left_column): (&Place<'_>, &str), (right, right_column): (&Place<'_>, &str)) {
    left.column(sql, left_column);
    sql.text(" = ");
    right.column(sql, right_column);
}

/// A key leads to no more than one row of a table; of a view or a function nothing is certain.
fn one_row(sql: &mut Sql, embed: &Embed<'_>) {
    let is_table = matches!(embed.relation.kind, RelationKind::Table | RelationKind::PartitionedTable);
    if embed.ranged {
        sql.text("\n limit ").amount(embed.rows.limit.min(1)).text(" offset ").amount(embed.rows.offset);
    } else if !is_table || !matches!(embed.way, Way::Columns(_)) {
        sql.text("\n limit 1");
    }
}

fn part(sql: &mut Sql, embed: &Embed<'_>) {
    sql.text("\n limit ").amount(embed.rows.limit).text(" offset ").amount(embed.rows.offset);
}

/// Returns the names of the columns that an embed's query has.
pub(super) fn names<'e>(embed: &'e Embed<'_>) -> Vec<&'e str> {
    let mut names: Vec<&str> = Vec::new();
    for item in embed.rows.select {
        match item {
            SelectItem::Star => names.extend(embed.relation.columns.iter().map(|column| column.name.as_str())),
            SelectItem::Field { .. } => names.extend(select::output_name(item)),
            SelectItem::Embed(_) => {}
        }
    }
    for below in embed.rows.embeds.iter().filter(|below| below.shown) {
        if below.said.spread {
            names.extend(self::names(below));
        } else {
            names.push(below.name());
        }
    }
    names
}

fn place<'e>(embed: &'e Embed<'_>) -> Place<'e> {
    Place::named(&embed.place, &embed.relation.columns, &embed.rows.embeds)
}
