//! The statement of a function's call.
//!
//! Invariant: arguments are given by name, with the types of the catalog, so that PostgreSQL finds the very function that was planned.

use postgres::Sql;
use postgres::catalog::Argument;

use super::field::Place;
use super::form::{Form, VALUE};
use super::read;
use crate::plan::{Arguments, CallPlan, ResultKind, Texts};

pub(super) fn statement(plan: &CallPlan<'_>, form: Form<'_>) -> Sql {
    let mut sql = Sql::new("with ");
    source(&mut sql, plan);
    read::answer(&mut sql, &plan.rows, form);
    sql
}

/// Writes the call, and the source of the rows that come of it.
pub(super) fn source(sql: &mut Sql, plan: &CallPlan<'_>) {
    let function = plan.function;
    sql.text("thorbis_call as (\nselect c.*\n  from ");
    match &plan.arguments {
        Arguments::None => sql.text("(select) a"),
        Arguments::Named { given, json, each } => named(sql, given, json, *each),
        Arguments::Texts(given) => texts(sql, given),
        Arguments::Whole { argument, text } => {
            sql.text("(select ").bind(text.as_ref()).text("::").qualified(&argument.data_type.schema, &argument.data_type.name);
            sql.text(" as whole) a")
        }
    };
    let is_value = matches!(plan.result, ResultKind::Value | ResultKind::Values | ResultKind::Nothing);
    sql.text(if is_value { ",\n       lateral (select " } else { ",\n       lateral " });
    sql.qualified(&function.schema, &function.name).text("(");
    given(sql, &plan.arguments);
    sql.text(")");
    if is_value {
        sql.text(" as ").text(VALUE).text(")");
    }
    sql.text(" c),\n");
    // Filters and orders name the function, as they would a table.
    let place = Place { row_of: plan.relation, ..Place::named("thorbis_call", plan.rows.columns, &plan.rows.embeds) };
    read::rows(sql, &place, None, &plan.rows);
}

fn named<'a>(sql: &'a mut Sql, arguments: &[&Argument], json: &str, each: bool) -> &'a mut Sql {
    sql.text(if each { "json_to_recordset(" } else { "json_to_record(" }).bind(json).text("::json) as a (");
    let mut separator = "";
    for argument in arguments {
        sql.text(separator).ident(&argument.name).text(" ").qualified(&argument.data_type.schema, &argument.data_type.name);
        separator = ", ";
    }
    sql.text(")")
}

/// Writes the texts as values of their arguments' types. A value of several is one of an array.
fn texts<'a>(sql: &'a mut Sql, given: &[(&Argument, Texts<'_>)]) -> &'a mut Sql {
    let mut separator = "(select ";
    for (argument, texts) in given {
        sql.text(separator);
        separator = ", ";
        match texts {
            Texts::One(text) => {
                sql.bind(*text);
            }
            // One value, so that the statement is the same for any number of them.
            Texts::All(texts) => {
                sql.text("array(select x.value from json_array_elements_text(").bind(serde_json::Value::from(texts.as_slice()));
                sql.text("::json) with ordinality x (value, place) order by x.place)");
            }
        }
        sql.text("::").qualified(&argument.data_type.schema, &argument.data_type.name).text(" as ").ident(&argument.name);
    }
    sql.text(") a")
}

fn given(sql: &mut Sql, arguments: &Arguments<'_>) {
    match arguments {
        Arguments::None => {}
        Arguments::Whole { .. } => {
            sql.text("a.whole");
        }
        Arguments::Named { given, .. } => by_name(sql, given.iter().copied()),
        Arguments::Texts(given) => by_name(sql, given.iter().map(|(argument, _)| *argument)),
    }
}

fn by_name<'a>(sql: &mut Sql, arguments: impl Iterator<Item = &'a Argument>) {
    let mut separator = "";
    for argument in arguments {
        sql.text(separator);
        separator = ", ";
        if argument.variadic {
            sql.text("variadic ");
        }
        sql.ident(&argument.name).text(" => a.").ident(&argument.name);
    }
}
