//! The statement of a read.

use postgres::Sql;

use super::condition;
use super::embed;
use super::field::Place;
use super::form::{Elements, Form};
use super::select::{self, Grouped};
use super::{SAID, SOURCE};
use crate::plan::{Counted, ReadPlan, Rows, Walls};
use crate::request::{Condition, Paging};

pub(super) fn statement(plan: &ReadPlan<'_>, form: Form<'_>) -> Sql {
    let mut sql = Sql::new("with ");
    source(&mut sql, plan);
    answer(&mut sql, &plan.rows, form);
    sql
}

/// Writes the source of the rows that are read.
pub(super) fn source(sql: &mut Sql, plan: &ReadPlan<'_>) {
    rows(sql, &Place::of(plan.relation, &plan.rows.embeds), Some(plan.walls), &plan.rows);
}

/// Makes the statement by which the planner says how many rows it expects.
pub(super) fn expected(plan: &ReadPlan<'_>) -> Sql {
    let mut sql = Sql::new("explain (format json) ");
    all(&mut sql, &Place::of(plan.relation, &plan.rows.embeds), Some(plan.walls), &plan.rows);
    sql
}

/// Makes the statement that counts the rows, up to so many.
pub(super) fn counted(plan: &ReadPlan<'_>, rows_max: i64) -> Sql {
    let mut sql = Sql::new("select count(*) as rows from (");
    all(&mut sql, &Place::of(plan.relation, &plan.rows.embeds), Some(plan.walls), &plan.rows);
    sql.text("\n limit ").amount(rows_max).text(") thorbis_counted");
    sql
}

/// Writes the source of the rows, and beside it all that fit where they are counted.
pub(super) fn rows(sql: &mut Sql, place: &Place<'_>, walls: Option<Walls<'_>>, rows: &Rows<'_>) {
    sql.text(SOURCE).text(" as (\nselect ");
    let grouped = select::columns(sql, place, rows.select);
    sql.text("\n  from ");
    place.write(sql);
    embed::beside(sql, place, grouped.is_grouped());
    condition::all(sql, place, walls, &behind(rows));
    grouped.group(sql, place);
    select::order(sql, place, rows.order, &grouped);
    sql.text("\n limit ").amount(rows.limit).text(" offset ").amount(rows.offset).text(")");
    if rows.counted.counts() {
        sql.text(",\nthorbis_all as (");
        all(sql, place, walls, rows);
        if let Counted::UpTo(rows_max) = rows.counted {
            sql.text("\n limit ").amount(rows_max);
        }
        sql.text(")");
    }
    if let Some(paging) = rows.paging {
        next(sql, place, walls, (rows, paging));
    }
}

/// Returns what must hold of the rows of the page and of all behind it.
fn behind<'a>(rows: &Rows<'a>) -> Vec<&'a Condition> {
    rows.conditions.iter().copied().chain(rows.paging.and_then(|paging| paging.after.as_ref())).collect()
}

/// Writes the source of the place of the page's last row, and of the one behind it, if there is one: then there is a next page.
fn next(sql: &mut Sql, place: &Place<'_>, walls: Option<Walls<'_>>, (rows, paging): (&Rows<'_>, &Paging)) {
    sql.text(",\nthorbis_next as (select json_build_array(");
    let mut separator = "";
    for term in &paging.terms {
        sql.text(separator).text("(");
        place.field(sql, &term.field);
        sql.text(")::text");
        separator = ", ";
    }
    sql.text(")::text as place\n  from ");
    place.write(sql);
    condition::all(sql, place, walls, &behind(rows));
    select::order(sql, place, rows.order, &Grouped::default());
    sql.text("\n limit 2 offset ").amount(rows.limit.saturating_sub(1).max(0)).text(")");
}

/// Writes a query of all rows that fit, of which only the number matters.
fn all(sql: &mut Sql, place: &Place<'_>, walls: Option<Walls<'_>>, rows: &Rows<'_>) {
    sql.text("select 1 from ");
    place.write(sql);
    condition::all(sql, place, walls, &rows.conditions);
}

/// Writes the one row that answers.
pub(super) fn answer(sql: &mut Sql, rows: &Rows<'_>, form: Form<'_>) {
    told(sql, rows, |sql| form.write(sql, SOURCE));
}

/// Writes the same row without a body, and behind it one for each element. The source is named twice, so that PostgreSQL keeps its rows
/// beside: the first row knows how many there are, and what comes behind it is only made when it is taken.
pub(super) fn one_by_one(sql: &mut Sql, rows: &Rows<'_>, elements: Elements) {
    told(sql, rows, |sql| elements.write_head(sql));
    sql.text("\nunion all\nselect null, null, ");
    elements.write(sql);
    sql.text(", null, null, null, null, null\n  from ").text(SOURCE).text(" thorbis_row");
}

fn told(sql: &mut Sql, rows: &Rows<'_>, body: impl FnOnce(&mut Sql)) {
    sql.text(if rows.counted.counts() { "\nselect (select count(*) from thorbis_all)" } else { "\nselect null::bigint" });
    sql.text(", count(thorbis_row), ");
    body(sql);
    sql.text(match rows.paging {
        Some(_) => ", (select case when count(*) > 1 then (array_agg(place))[1] end from thorbis_next)",
        None => ", null::text",
    });
    sql.text(", null::bigint, null::bigint").text(SAID);
    sql.text("\n  from ").text(SOURCE).text(" thorbis_row");
}
