//! From a plan to the one statement that does it.
//!
//! Invariant: the same shape of request gives the same text; whatever a client wrote is a bound value or a quoted name. Every statement
//! answers one row with the columns that [`crate::run`] reads, and those of large results its elements behind it.

mod call;
mod condition;
mod embed;
mod field;
mod form;
mod read;
mod select;
mod write;

use postgres::Sql;

use crate::plan::{Plan, ReadPlan};
use crate::request::{ApiRequest, Explain, PlanFormat};

pub(crate) use form::{Elements, Form, IsStructured};

/// Makes the statement.
pub(crate) fn statement(plan: &Plan<'_>, request: &ApiRequest) -> Sql {
    match plan {
        Plan::Read(plan) => read::statement(plan, Form::of_rows(request, request.head)),
        Plan::Write(plan) => {
            let form = if plan.returning.is_some() { Form::of_rows(request, false) } else { Form::Nothing };
            write::statement(plan, form)
        }
        Plan::Call(plan) => call::statement(plan, Form::of_result(plan.result, request)),
    }
}

/// Makes the statement whose first row is that of [`statement`] without its body, and whose others are the elements; none where only
/// a write gives rows.
pub(crate) fn streamed(plan: &Plan<'_>, elements: Elements) -> Option<Sql> {
    let (mut sql, rows) = (Sql::new("with "), plan.rows()?);
    source(&mut sql, plan);
    read::one_by_one(&mut sql, rows, elements);
    Some(sql)
}

/// Makes the statement whose rows are the objects of a read, one each, and nothing beside them.
pub(crate) fn each(plan: &ReadPlan<'_>) -> Sql {
    let mut sql = Sql::new("with ");
    read::source(&mut sql, plan);
    sql.text("\nselect ");
    Elements::Objects.write(&mut sql);
    sql.text(" from ").text(SOURCE).text(" thorbis_row");
    sql
}

/// Makes the statement by which the planner says how many rows of a read it expects.
pub(crate) fn expected(plan: &ReadPlan<'_>) -> Sql {
    read::expected(plan)
}

/// Makes the statement that counts the rows of a read, up to so many.
pub(crate) fn counted(plan: &ReadPlan<'_>, rows_max: i64) -> Sql {
    read::counted(plan, rows_max)
}

/// Makes the statement by which the planner says what it expects of the rows that are answered; none where nothing but rows are written.
pub(crate) fn estimated(plan: &Plan<'_>) -> Option<Sql> {
    plan.rows()?;
    let mut sql = Sql::new("explain (format json) with ");
    source(&mut sql, plan);
    sql.text("\nselect * from ").text(SOURCE);
    Some(sql)
}

/// Writes where the rows come from that are read.
fn source(sql: &mut Sql, plan: &Plan<'_>) {
    match plan {
        Plan::Read(plan) => read::source(sql, plan),
        Plan::Call(plan) => call::source(sql, plan),
        Plan::Write(_) => {}
    }
}

/// Makes the statement that tells how another one is executed.
pub(crate) fn explained(statement: Sql, explain: &Explain) -> Sql {
    let mut sql = Sql::new(match explain.format {
        PlanFormat::Text => "explain (format text",
        PlanFormat::Json => "explain (format json",
    });
    for option in &explain.options {
        sql.text(", ").text(option.word());
    }
    sql.text(")\n").append(statement);
    sql
}

/// The source that every statement's rows come from.
const SOURCE: &str = "thorbis_source";
/// What triggers and functions have to say of the answer. It is looked at when all rows are read or written.
const SAID: &str = ", nullif(current_setting('response.headers', true), ''), nullif(current_setting('response.status', true), '')";

#[cfg(test)]
mod tests;
