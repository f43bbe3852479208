//! The three steps of changing a column while programs of both sorts write: expand (both forms are there), backfill (old rows
//! get the new form, in batches, and the database proves it), contract (the old form goes).
//!
//! Invariant: at every moment between the steps a program that knows only the old form and one that knows only the new form
//! both read and write right rows.

use super::new::Draft;

const BATCH_SIZE: u32 = 1000;

/// A column that gets another name.
pub(super) struct Rename<'a> {
    pub(super) table: &'a str,
    pub(super) from: &'a str,
    pub(super) to: &'a str,
    pub(super) sql_type: &'a str,
    pub(super) not_null: bool,
    pub(super) key: &'a [String],
}

/// Drafts the three migrations of a new column; `kind` is its type and the value of rows that have none.
pub(super) fn add(table: &str, column: &str, (sql_type, fill): (&str, &str), key: &[String]) -> Vec<Draft> {
    let filled = format!("{}_{column}_filled", last(table));
    let backfill = batched(table, key, &format!("{column} = {fill}"), &format!("{column} is null"));
    vec![
        Draft {
            verb: "expand",
            description: format!("adds {table}.{column}; rows from now on have a value"),
            rollback: "drops the column with its values",
            // Two statements: a default given together with the column could rewrite the table.
            up: format!(
                "\nalter table {table} add column {column} {sql_type};\nalter table {table} alter column {column} set default {fill};\n"
            ),
            down: format!("\nalter table {table} drop column {column};\n"),
        },
        Draft {
            verb: "backfill",
            description: format!("fills {table}.{column} of the rows that were there before, and proves that none is left"),
            rollback: "takes the proof away; the values stay",
            up: format!("{backfill}{}", proof(table, &filled, &format!("{column} is not null"))),
            down: format!("\nalter table {table} drop constraint {filled};\n"),
        },
        Draft {
            verb: "contract",
            description: format!("makes {table}.{column} not null"),
            rollback: "allows nulls again",
            up: format!(
                "{LATER}-- lint: allow adding-not-nullable-field because the validated check {filled} spares the scan\n\n\
                 alter table {table} alter column {column} set not null;\nalter table {table} drop constraint {filled};\n"
            ),
            down: format!(
                "\nalter table {table} add constraint {filled} check ({column} is not null);\nalter table {table} alter column {column} drop not null;\n"
            ),
        },
    ]
}

/// Drafts the three migrations of a new name.
pub(super) fn rename(change: &Rename<'_>) -> Vec<Draft> {
    let Rename { table, from, to, sql_type, key, .. } = *change;
    let (same, filled) = (format!("{}_{to}_same", last(table)), format!("{}_{to}_filled", last(table)));
    let both = Both::of(change);
    let if_not_null = |text: String| if change.not_null { text } else { String::new() };
    let proofs = proof(table, &same, &format!("{to} is not distinct from {from}"))
        + &if_not_null(proof(table, &filled, &format!("{to} is not null")));
    let backfill = batched(table, key, &format!("{to} = {from}"), &format!("{to} is distinct from {from}"));
    vec![
        Draft {
            verb: "expand",
            description: format!("adds {table}.{to} beside {from}; a trigger keeps both alike"),
            rollback: "drops the new column; the old one has all values",
            up: format!("{ALLOW_CODE}\nalter table {table} add column {to} {sql_type};\n{}", both.make()),
            down: format!("\n{}alter table {table} drop column {to};\n", both.remove()),
        },
        Draft {
            verb: "backfill",
            description: format!("copies {table}.{from} to {to} for the rows that were there before, and proves that they are alike"),
            rollback: "takes the proof away; the values stay",
            up: format!("{backfill}{proofs}"),
            down: format!(
                "\nalter table {table} drop constraint {same};\n{}",
                if_not_null(format!("alter table {table} drop constraint {filled};\n"))
            ),
        },
        Draft {
            verb: "contract",
            description: format!("drops {table}.{from}, which is {to} now"),
            rollback: "makes the old column again from the new one, in one statement: mind large tables",
            up: format!(
                "{LATER}-- lint: allow ban-drop-column because no program reads {from} any more\n{}\n{}{}alter table {table} drop constraint {same};\n\
                 alter table {table} drop column {from};\n",
                if_not_null(format!("-- lint: allow adding-not-nullable-field because the validated check {filled} spares the scan\n")),
                if_not_null(format!(
                    "alter table {table} alter column {to} set not null;\nalter table {table} drop constraint {filled};\n"
                )),
                both.remove(),
            ),
            down: format!(
                "-- backfill: {table} rows=any because every row is copied\n\n\
                 alter table {table} add column {from} {sql_type};\nupdate {table} set {from} = {to};\n{}{}\
                 alter table {table} add constraint {same} check ({to} is not distinct from {from});\n",
                if_not_null(format!(
                    "alter table {table} alter column {from} set not null;\nalter table {table} add constraint {filled} check ({to} is not null);\n\
                     alter table {table} alter column {to} drop not null;\n"
                )),
                both.make(),
            ),
        },
    ]
}

const LATER: &str = "-- Ship this file one release after the other two, when no program of the old form runs any more.\n";
const ALLOW_CODE: &str = "-- lint: allow code-in-migration because the trigger lives only until the old column goes\n";

/// The trigger that keeps two columns alike.
struct Both<'a> {
    change: &'a Rename<'a>,
    function: String,
    trigger: String,
}

impl<'a> Both<'a> {
    fn of(change: &'a Rename<'a>) -> Self {
        let (table, to) = (last(change.table), change.to);
        // Triggers fire in the order of their names: this one has to see what the others made.
        Self { change, function: format!("app.keep_{table}_{to}"), trigger: format!("zz_keep_{to}") }
    }

    fn make(&self) -> String {
        let Rename { table, from, to, .. } = *self.change;
        let Self { function, trigger, .. } = self;
        format!(
            "create or replace function {function}() returns trigger
  language plpgsql
  set search_path = ''
as $$
begin
  if tg_op = 'INSERT' then
    -- Only a program of the new form writes the new column; the old one may have a default.
    if new.{to} is null then
      new.{to} := new.{from};
    else
      new.{from} := new.{to};
    end if;
  elsif new.{to} is distinct from old.{to} then
    new.{from} := new.{to};
  else
    new.{to} := new.{from};
  end if;
  return new;
end $$;
revoke all on function {function}() from public;
create or replace trigger {trigger} before insert or update on {table} for each row execute function {function}();
"
        )
    }

    fn remove(&self) -> String {
        format!("drop trigger {} on {};\ndrop function {}();\n", self.trigger, self.change.table, self.function)
    }
}

/// One update along the key, with what the runner needs to know of it.
fn batched(table: &str, key: &[String], set: &str, left: &str) -> String {
    let columns = key.join(", ");
    let places = |from: usize| (from..from + key.len()).map(|number| format!("${number}")).collect::<Vec<_>>().join(", ");
    format!(
        "-- transaction: none\n-- batch: table={table} key={keys} size={BATCH_SIZE}\n\
         -- backfill: {table} rows=any because rows written since the expand have their value; the constraint below proves the rest\n\n\
         update {table} set {set}\n where ({columns}) >= ({}) and ({columns}) <= ({}) and {left};\n",
        places(1),
        places(1 + key.len()),
        keys = key.join(","),
    )
}

/// A constraint that is added without a scan and then validated without stopping writers.
fn proof(table: &str, name: &str, check: &str) -> String {
    format!(
        "\nalter table {table} drop constraint if exists {name};\nalter table {table} add constraint {name} check ({check}) not valid;\n\
         alter table {table} validate constraint {name};\n"
    )
}

fn last(table: &str) -> &str {
    table.rsplit('.').next().unwrap_or(table)
}
