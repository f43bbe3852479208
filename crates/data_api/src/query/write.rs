//! The statements of inserts, updates and deletes.
//!
//! Invariant: the body reaches PostgreSQL whole, as one value; its columns get their types from the catalog. Nothing that nobody asked
//! to see is returned, so that who may write but not read can write.

use postgres::Sql;
use postgres::catalog::Column;

use super::condition::Where;
use super::field::{self, Place};
use super::form::Form;
use super::select::{self, Grouped};
use super::{SAID, SOURCE, condition, embed};
use crate::plan::{self, Conflict, Deleted, Embed, JsonRows, Mark, WriteKind, WritePlan};
use crate::request::{Resolution, SelectItem};

/// The rows that are shown, where something has to be known of them.
const SHOWN: &str = "thorbis_shown";
/// What of the body the writing statement sees.
const BODY: &str = "thorbis_body";
/// How many rows were new so far, where it is counted.
const NEW_ROWS: &str = "coalesce(nullif(pg_catalog.current_setting('thorbis.new_rows', true), ''), '0')::bigint";

pub(super) fn statement(plan: &WritePlan<'_>, form: Form<'_>) -> Sql {
    let relation = plan.relation;
    let place = Place::of(relation, &[]);
    let mut sql = Sql::new("with ");
    sql.text(SOURCE).text(" as (\n");
    match &plan.kind {
        // Nothing is written, and still only for whoever reaches the relation.
        WriteKind::Nothing => {
            sql.text("select ");
            place.write(&mut sql);
            sql.text(".* from ");
            place.write(&mut sql);
            sql.text(" where false");
        }
        WriteKind::Insert { .. } => insert(&mut sql, plan, &place),
        WriteKind::Repeated { conditions } => {
            sql.text("select ");
            place.write(&mut sql);
            sql.text(".* from ");
            place.write(&mut sql);
            condition::all(&mut sql, &place, Some(plan.walls), &conditions.iter().collect::<Vec<_>>());
        }
        WriteKind::Update { columns, rows, conditions, key } => {
            sql.text("update ");
            place.write(&mut sql);
            sql.text(" set ");
            let mut separator = "";
            for column in columns {
                sql.text(separator).ident(&column.name).text(" = ").text(BODY).text(".").ident(&column.name);
                separator = ", ";
            }
            sql.text("\n  from (");
            if key.is_empty() {
                body(&mut sql, columns, *rows);
                sql.text(" limit 1");
            } else {
                body(&mut sql, &with_key(plan, columns, key), *rows);
            }
            sql.text(") ").text(BODY);
            let mut before = Where::default();
            condition::apart(&mut sql, &place, plan.walls, &mut before);
            for name in key {
                before.next(&mut sql);
                place.column(&mut sql, name);
                sql.text(" = ").text(BODY).text(".").ident(name);
            }
            condition::rest(&mut sql, &place, conditions, &mut before);
        }
        WriteKind::Delete { conditions, mark: None } => {
            sql.text("delete from ");
            place.write(&mut sql);
            condition::all(&mut sql, &place, Some(plan.walls), conditions);
        }
        WriteKind::Delete { conditions, mark: Some(mark) } => {
            sql.text("update ");
            place.write(&mut sql);
            sql.text(" set deleted_at = now()");
            condition::all(&mut sql, &place, Some(plan.walls), conditions);
            may_delete(&mut sql, *mark);
        }
    }
    if !matches!(plan.kind, WriteKind::Nothing | WriteKind::Repeated { .. }) {
        returning(&mut sql, plan, &place);
    }
    sql.text(")");
    answer(&mut sql, plan, form);
    sql
}

/// Returns what is read of the body: what is written, and whose it is.
fn with_key<'a>(plan: &WritePlan<'a>, columns: &[&'a Column], key: &[&str]) -> Vec<&'a Column> {
    columns.iter().copied().chain(key.iter().filter_map(|name| plan.relation.column(name))).collect()
}

/// Writes that whoever asks may delete at all: who may not reaches no row, as with a table that forgets its rows at once.
fn may_delete(sql: &mut Sql, mark: Mark<'_>) {
    let Mark::ByDeletersOf(noun) = mark else { return };
    let mut separator = "\n   and (select ";
    for scope in ["", "_assigned", "_own"] {
        sql.text(separator).text("app.has_permission(").bind(format!("{noun}:delete{scope}")).text(")");
        separator = " or ";
    }
    sql.text(")");
}

fn insert(sql: &mut Sql, plan: &WritePlan<'_>, place: &Place<'_>) {
    let WriteKind::Insert { columns, rows, conflict, equals } = &plan.kind else { return };
    sql.text("insert into ");
    place.write(sql);
    if columns.is_empty() && !rows.is_array {
        sql.text(" default values");
    } else {
        if !columns.is_empty() {
            sql.text(" (");
            names(sql, columns.iter().map(|column| column.name.as_str()));
            sql.text(")");
        }
        sql.text("\n");
        body(sql, columns, *rows);
        equal(sql, equals);
        if plan.counts_new_rows() {
            counted(sql, if equals.is_empty() { " where " } else { " and " }, " + 1");
        }
    }
    if let Some(conflict) = conflict {
        merge(sql, plan, place, conflict, columns);
    }
}

/// Writes what happens to a row whose key is there already.
fn merge(sql: &mut Sql, plan: &WritePlan<'_>, place: &Place<'_>, conflict: &Conflict<'_>, columns: &[&Column]) {
    sql.text("\n on conflict (");
    names(sql, conflict.columns.iter().copied());
    sql.text(")");
    if conflict.resolution == Resolution::IgnoreDuplicates {
        sql.text(" do nothing");
        return;
    }
    let all: Vec<&str> = columns.iter().map(|column| column.name.as_str()).collect();
    let others: Vec<&str> = all.iter().copied().filter(|name| !conflict.columns.contains(name)).collect();
    // With nothing but the key there is nothing to change; the row is still to be returned.
    let changed = if others.is_empty() { all } else { others };
    if changed.is_empty() {
        sql.text(" do nothing");
        return;
    }
    let mut separator = " do update set ";
    for name in changed {
        sql.text(separator).ident(name).text(" = excluded.").ident(name);
        separator = ", ";
    }
    if plan.walls.deleted != Deleted::Shown {
        sql.text(" where ");
        condition::undeleted(sql, &Place { schema: None, ..*place }, plan.walls.deleted);
    }
    if plan.counts_new_rows() {
        counted(sql, if plan.walls.deleted == Deleted::Shown { " where " } else { " and " }, " - 1");
    }
}

/// Writes a condition that always holds and counts: each row that is to be written, less those that were there.
fn counted(sql: &mut Sql, before: &'static str, change: &'static str) {
    sql.text(before).text("pg_catalog.set_config('thorbis.new_rows', (").text(NEW_ROWS).text(change).text(")::text, true) is not null");
}

/// Writes a query of the body's rows with the types of the columns.
fn body(sql: &mut Sql, columns: &[&Column], rows: JsonRows<'_>) {
    sql.text("select ");
    let mut separator = "";
    for column in columns {
        sql.text(separator);
        separator = ", ";
        // Where defaults stand in, each value has its type already.
        let cast = column.from_json.as_ref().filter(|_| !rows.defaults);
        field::called(sql, cast, |sql| {
            sql.ident(&column.name);
        });
        if cast.is_some() {
            sql.text(" as ").ident(&column.name);
        }
    }
    if columns.is_empty() {
        // Rows of nothing but defaults.
        sql.text("from json_array_elements(").bind(rows.text).text("::json) b");
    } else if rows.defaults {
        sql.text(" from (");
        with_defaults(sql, columns, rows);
        sql.text(") b");
    } else {
        sql.text(if rows.is_array { " from json_to_recordset(" } else { " from json_to_record(" }).bind(rows.text).text("::json) as b (");
        typed(sql, columns);
        sql.text(")");
    }
}

/// Writes a query of the body's rows in which what an object leaves out is its column's default, made for that row alone.
fn with_defaults(sql: &mut Sql, columns: &[&Column], rows: JsonRows<'_>) {
    let mut separator = "select ";
    for column in columns {
        sql.text(separator).text("case when ").bind(column.name.as_str()).text("::text = any (k.keys) then ");
        field::called(sql, column.from_json.as_ref(), |sql| {
            sql.text("r.").ident(&column.name);
        });
        if let Some(default) = &column.default {
            sql.text(" else (").expression(default).text(")::").qualified(&column.data_type.schema, &column.data_type.name);
        }
        sql.text(" end as ").ident(&column.name);
        separator = ",\n       ";
    }
    sql.text("\n  from ");
    if rows.is_array {
        sql.text("json_array_elements(").bind(rows.text).text("::json) o (value)");
    } else {
        sql.text("(select ").bind(rows.text).text("::json) o (value)");
    }
    sql.text(
        " cross join lateral (select array(select json_object_keys(o.value)) as keys) k cross join lateral json_to_record(o.value) as r (",
    );
    typed(sql, columns);
    sql.text(")");
}

/// Writes the columns with their types.
fn typed(sql: &mut Sql, columns: &[&Column]) {
    let mut separator = "";
    for column in columns {
        sql.text(separator).ident(&column.name).text(" ");
        separator = ", ";
        match &column.from_json {
            // Its domain's own cast takes it from there.
            Some(_) => sql.qualified("pg_catalog", "json"),
            None => sql.qualified(&column.data_type.schema, &column.data_type.name),
        };
    }
}

/// Writes that the body's row has these values.
fn equal(sql: &mut Sql, values: &[(&str, &str)]) {
    let mut separator = " where ";
    for (column, value) in values {
        sql.text(separator).text("b.").ident(column).text(" = ").bind(*value);
        separator = " and ";
    }
}

fn names<'a>(sql: &mut Sql, names: impl Iterator<Item = &'a str>) {
    let mut separator = "";
    for name in names {
        sql.text(separator).ident(name);
        separator = ", ";
    }
}

/// Writes what of the written rows is needed: what is shown, what makes the place, what is checked.
fn returning(sql: &mut Sql, plan: &WritePlan<'_>, place: &Place<'_>) {
    sql.text("\n returning ");
    let mut needed: Vec<&str> = Vec::new();
    let mut everything = false;
    if let Some(select) = plan.returning {
        everything = select.is_empty();
        for item in select {
            match item {
                // A field that is no column is computed from the whole row.
                SelectItem::Field { field: Some(field), .. } if plan.relation.column(&field.name).is_some() => needed.push(&field.name),
                SelectItem::Star | SelectItem::Field { field: Some(_), .. } => everything = true,
                // Rows are counted, whatever is in them.
                SelectItem::Field { field: None, .. } | SelectItem::Embed(_) => {}
            }
        }
        for embed in &plan.embeds {
            match embed.needed() {
                Some(columns) => needed.extend(columns),
                None => everything = true,
            }
        }
        needed.extend(plan.order.iter().filter(|term| term.embed.is_none()).map(|term| term.field.name.as_str()));
    }
    needed.extend(&plan.location);
    needed.extend(plan.checks.one_company);
    needed.sort_unstable();
    needed.dedup();
    if everything {
        place.write(sql);
        sql.text(".*");
    } else if needed.is_empty() {
        sql.text("1 as thorbis_written");
    } else {
        let mut separator = "";
        for name in needed {
            sql.text(separator);
            place.column(sql, name);
            separator = ", ";
        }
    }
    if plan.tells_new_rows() {
        sql.text(", (");
        place.write(sql);
        sql.text(".xmax = 0) as thorbis_is_new");
    }
}

/// Writes the one row that answers.
fn answer(sql: &mut Sql, plan: &WritePlan<'_>, form: Form<'_>) {
    let embeds = if plan.returning.is_some() { plan.embeds.as_slice() } else { &[] };
    let (spelled_out, row_of) = (plan.tells_new_rows(), Some(plan.relation));
    let source = Place { spelled_out, row_of, ..Place::named(SOURCE, &plan.relation.columns, embeds) };
    let shown = shown(plan, &source, embeds);
    // Lines begin with the names of what is shown, which is not all that was written, and not in that order.
    let (rows, names_of) = if matches!(form, Form::Csv) {
        sql.text(", ").text(SHOWN).text(" as (").append(shown).text(")");
        (Sql::new(SHOWN), SHOWN)
    } else {
        let mut rows = Sql::new("(");
        rows.append(shown).text(")");
        (rows, SOURCE)
    };
    match &plan.kind {
        WriteKind::Insert { columns, rows, equals, .. } if plan.checks.same_key => {
            sql.text("\nselect (select count(*) from (");
            body(sql, columns, *rows);
            equal(sql, equals);
            sql.text(") thorbis_same)");
        }
        WriteKind::Update { columns, rows, key, .. } if !key.is_empty() => {
            sql.text("\nselect (select count(*) - count(distinct (");
            names(sql, key.iter().copied());
            sql.text(")) from (");
            body(sql, &with_key(plan, columns, key), *rows);
            sql.text(") thorbis_each)");
        }
        _ => {
            sql.text("\nselect null::bigint");
        }
    }
    // What must be embedded chooses what is shown, and not what was written; aggregates are fewer rows than were written.
    let is_counted = plan.checks.rows_max.is_some() || plan.checks.merged.is_some();
    let is_aggregated = plan.returning.is_some_and(|items| is_counted && plan::has_aggregates(items, embeds));
    let is_chosen = is_aggregated || embeds.iter().any(Embed::is_inner);
    if is_chosen {
        sql.text(", (select count(*) from ").text(SOURCE).text("), ");
    } else {
        sql.text(", count(thorbis_row), ");
    }
    form.write(sql, names_of);
    sql.text(", ");
    location(sql, plan);
    sql.text(", ");
    if plan.tells_new_rows() {
        sql.text("(select count(*) from ").text(SOURCE).text(" where thorbis_is_new)");
    } else if plan.counts_new_rows() {
        // Asked for beside the rows, it is asked for when all of them were written.
        sql.text("case when count(*) >= 0 then ").text(NEW_ROWS);
        // The next statement of a batch counts from nothing.
        sql.text(" + pg_catalog.length(pg_catalog.set_config('thorbis.new_rows', '', true)) end");
    } else if matches!(plan.kind, WriteKind::Repeated { .. }) {
        sql.text("0::bigint");
    } else {
        sql.text("null::bigint");
    }
    companies(sql, plan);
    sql.text(SAID).text("\n  from ").append(rows).text(" thorbis_row");
}

/// Returns the query of the rows that are shown of those that were written.
fn shown(plan: &WritePlan<'_>, source: &Place<'_>, embeds: &[Embed<'_>]) -> Sql {
    let mut sql = Sql::new("select ");
    let grouped = if let Some(items) = plan.returning {
        select::columns(&mut sql, source, items)
    } else {
        sql.text("1");
        Grouped::default()
    };
    sql.text(" from ").text(SOURCE);
    embed::beside(&mut sql, source, grouped.is_grouped());
    condition::rest(&mut sql, source, &[], &mut Where::default());
    grouped.group(&mut sql, source);
    select::order(&mut sql, source, if plan.returning.is_some() { plan.order } else { &[] }, &grouped);
    if !embeds.is_empty() {
        // Otherwise PostgreSQL would make what is embedded once for the count and once for the body.
        sql.text("\n offset 0");
    }
    sql
}

/// Writes how many companies the rows belong to, the active one among them where there is one.
fn companies(sql: &mut Sql, plan: &WritePlan<'_>) {
    let Some(column) = plan.checks.one_company else {
        sql.text(", null::bigint");
        return;
    };
    sql.text(", (select count(distinct ").ident(column).text(") from ");
    if plan.walls.tenant_column.is_some() {
        sql.text("(select ").ident(column).text(" from ").text(SOURCE).text(" union all select app.company_id()) c)");
    } else {
        sql.text(SOURCE).text(")");
    }
}

/// Writes the key of the first new row as a JSON array of names and values.
fn location(sql: &mut Sql, plan: &WritePlan<'_>) {
    if plan.location.is_empty() {
        sql.text("null::text");
        return;
    }
    sql.text("(select json_build_array(");
    let mut separator = "";
    for column in &plan.location {
        sql.text(separator).bind(*column).text("::text, f.").ident(column).text("::text");
        separator = ", ";
    }
    sql.text(")::text from ").text(SOURCE).text(" f limit 1)");
}
