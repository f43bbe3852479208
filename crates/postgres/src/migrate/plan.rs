//! What a migration file is about to do, decided before its first statement runs.
//!
//! Invariant: a planned statement is allowed where it stands, and each that changes rows has the number it announced.

use kernel::Result;

use super::error;
use super::header::{Header, Rows};
use super::lex::Kind;
use super::source::File;
use super::split::{self, Sort, Statement};

/// One statement with what is expected of it.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(super) struct Step {
    pub(super) statement: Statement,
    pub(super) sort: Sort,
    /// For statements that change rows.
    pub(super) rows: Option<Rows>,
}

/// Plans the statements of a migration file.
pub(super) fn plan(file: &File, header: &Header) -> Result<Vec<Step>> {
    let steps = expectations(file, header, allowed(file)?)?;
    if header.without_transaction {
        rerunnable(file, &steps)?;
    }
    match &header.batch {
        Some(batch) => batched(file, header, batch.key.len(), &steps)?,
        None => no_parameters(file, &steps)?,
    }
    Ok(steps)
}

/// Returns the statements of a file; refuses those that would leave the transaction or the role.
pub(super) fn allowed(file: &File) -> Result<Vec<Statement>> {
    let statements = split::statements(&file.text);
    for statement in &statements {
        let why = match statement.sort() {
            Sort::Transaction => "begins or ends a transaction; the runner does that",
            Sort::Role => "changes the role; everything here runs as app_owner",
            _ => continue,
        };
        return Err(error::at(error::CONTROL, &file.path, statement.line, &format!("the statement {why}")));
    }
    Ok(statements)
}

fn expectations(file: &File, header: &Header, statements: Vec<Statement>) -> Result<Vec<Step>> {
    let mut announced = header.backfills.iter();
    let mut steps = Vec::with_capacity(statements.len());
    for statement in statements {
        let sort = statement.sort();
        let mut rows = None;
        if sort == Sort::ChangesRows {
            let Some(backfill) = announced.next() else {
                return Err(error::at(
                    error::UNDECLARED,
                    &file.path,
                    statement.line,
                    "the statement changes rows and the file does not say how many",
                )
                .with_hint("Add, in the order of the statements: -- backfill: <table> rows=<n, min..max or any because ...>"));
            };
            if let Some(table) = backfill.table.as_deref().filter(|table| !names(&statement, table)) {
                let why = format!("announces a backfill of {table}, but the statement of line {} does not name it", statement.line);
                return Err(error::at(error::UNDECLARED, &file.path, backfill.line, &why));
            }
            rows = Some(backfill.rows);
        }
        steps.push(Step { statement, sort, rows });
    }
    match announced.next() {
        None => Ok(steps),
        Some(spare) => Err(error::at(error::UNDECLARED, &file.path, spare.line, "announces a backfill for which there is no statement")),
    }
}

/// Whether a statement names a table, with or without its schema.
fn names(statement: &Statement, table: &str) -> bool {
    let last = table.rsplit('.').next().unwrap_or(table);
    statement.tokens().iter().any(|token| token.is(last) || token.text.trim_matches('"') == last)
}

/// What was done before a failure is done again at the next try, so that every statement must bear it.
fn rerunnable(file: &File, steps: &[Step]) -> Result<()> {
    for (position, step) in steps.iter().enumerate() {
        if let Err(why) = bears_repetition(&step.statement, steps.get(..position).unwrap_or_default()) {
            return Err(error::at(error::NOT_RERUNNABLE, &file.path, step.statement.line, why)
                .with_hint("Outside a transaction a file may fail half-way and is then run again from its start."));
        }
    }
    Ok(())
}

fn bears_repetition(statement: &Statement, before: &[Step]) -> Result<(), &'static str> {
    let tokens = statement.tokens();
    let has = |word: &str| tokens.iter().any(|token| token.is(word));
    let first = tokens.first().map(|token| token.text.to_ascii_lowercase()).unwrap_or_default();
    match first.as_str() {
        "create" if has("index") && index_name(statement).is_none() => Err("an index made here needs a name and if not exists"),
        "create" if has("exists") || (has("or") && has("replace")) => Ok(()),
        "create" => Err("create needs if not exists or or replace here"),
        "drop" if has("exists") => Ok(()),
        "drop" => Err("drop needs if exists here"),
        "alter" if has("add") && has("constraint") && !dropped_before(statement, before) => {
            Err("add constraint needs a drop constraint if exists of the same name before it")
        }
        "alter" if has("add") && !has("constraint") && !has("exists") => Err("add needs if not exists here"),
        "alter" if has("drop") && !(has("exists") || has("default") || has("null")) => Err("drop needs if exists here"),
        "alter" if has("rename") => Err("a renaming cannot be run twice"),
        "insert" | "delete" | "merge" | "with" => Err("rows are changed in a transaction, or with update in batches (-- batch: ...)"),
        "update" if !tokens.iter().any(|token| token.kind == Kind::Parameter) => Err("an update here runs in batches (-- batch: ...)"),
        _ => Ok(()),
    }
}

fn dropped_before(statement: &Statement, before: &[Step]) -> bool {
    let Some(name) = word_after(statement, "constraint") else { return false };
    before.iter().any(|step| {
        let tokens = step.statement.tokens();
        step.statement.begins_with(&["alter", "table"])
            && tokens.windows(2).any(|pair| matches!(pair, [exists, dropped] if exists.is("exists") && dropped.text == name))
    })
}

fn word_after(statement: &Statement, word: &str) -> Option<String> {
    let tokens = statement.tokens();
    let at = tokens.iter().position(|token| token.is(word))?;
    tokens.get(at + 1).map(|token| token.text.to_owned())
}

/// Returns the name of the index that a statement makes, without its quotes.
pub(super) fn index_name(statement: &Statement) -> Option<String> {
    let tokens = statement.tokens();
    let at = tokens.iter().position(|token| token.is("exists"))?;
    let name = tokens.get(at + 1).filter(|token| !token.is("on"))?;
    let last = match (tokens.get(at + 2), tokens.get(at + 3)) {
        (Some(dot), Some(last)) if dot.is_symbol(".") => last,
        _ => name,
    };
    Some(match last.kind {
        Kind::Quoted => last.text.trim_matches('"').replace("\"\"", "\""),
        _ => last.text.to_ascii_lowercase(),
    })
}

fn batched(file: &File, header: &Header, key: usize, steps: &[Step]) -> Result<()> {
    let wrong = |line: usize, why: &str| Err(error::at(error::HEADER, &file.path, line, why));
    if !header.without_transaction {
        return wrong(1, "a batch runs outside a transaction: add -- transaction: none");
    }
    let mut changing = steps.iter().filter(|step| step.sort == Sort::ChangesRows);
    let (Some(step), None) = (changing.next(), changing.next()) else {
        return wrong(1, "a file with a batch has exactly one statement that changes rows");
    };
    let mut parameters: Vec<String> =
        step.statement.tokens().iter().filter(|token| token.kind == Kind::Parameter).map(|token| token.text.to_owned()).collect();
    parameters.sort();
    parameters.dedup();
    let mut expected: Vec<String> = (1..=key * 2).map(|number| format!("${number}")).collect();
    expected.sort();
    if parameters != expected {
        let why = format!("the statement takes the first key of a batch in $1..${key} and the last in ${}..${}", key + 1, key * 2);
        return wrong(step.statement.line, &why);
    }
    Ok(())
}

fn no_parameters(file: &File, steps: &[Step]) -> Result<()> {
    let parameter =
        |step: &&Step| step.sort == Sort::ChangesRows && step.statement.tokens().iter().any(|token| token.kind == Kind::Parameter);
    match steps.iter().find(parameter) {
        None => Ok(()),
        Some(step) => Err(error::at(error::HEADER, &file.path, step.statement.line, "a statement with $1 needs a -- batch: line")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::migrate::header;

    fn planned(sql: &str) -> Result<Vec<Step>> {
        let file = File { path: "f.up.sql".to_owned(), text: sql.to_owned() };
        plan(&file, &header::parse("f.up.sql", sql)?)
    }

    fn check(sql: &str, code: &str, line: usize) {
        let error = planned(sql).unwrap_err();
        assert_eq!(error.code(), code, "{sql}");
        assert!(error.message().starts_with(&format!("f.up.sql:{line}:")), "{}", error.message());
    }

    #[test]
    fn statements_and_announcements_are_matched_in_order() {
        let steps = planned("-- backfill: a rows=1\n-- backfill: rows=0..2\nupdate a set x = 1;\nselect 1;\ndelete from s.b;").unwrap();
        assert_eq!(steps.iter().map(|step| step.rows.map(|rows| rows.max)).collect::<Vec<_>>(), [Some(1), None, Some(2)]);
        check("select 1;\nupdate a set x = 1", error::UNDECLARED, 2);
        check("-- backfill: b rows=1\nupdate a set x = 1", error::UNDECLARED, 1);
        check("\n-- backfill: rows=1\nselect 1", error::UNDECLARED, 2);
    }

    #[test]
    fn the_transaction_and_the_role_belong_to_the_runner() {
        check("select 1;\ncommit", error::CONTROL, 2);
        check("set role postgres", error::CONTROL, 1);
    }

    #[test]
    fn outside_a_transaction_every_statement_can_run_twice() {
        let none = |sql: &str| format!("-- transaction: none\n{sql}");
        for good in [
            "create index concurrently if not exists a_idx on t (a)",
            "drop index concurrently if exists a_idx",
            "alter table t validate constraint c",
            "alter table t drop constraint if exists c; alter table t add constraint c check (a > 0) not valid",
            "alter table t alter column a set not null",
            "alter table t drop column if exists a",
            "vacuum t",
        ] {
            planned(&none(good)).unwrap();
        }
        for bad in [
            "create index concurrently a_idx on t (a)",
            "create index concurrently if not exists on t (a)",
            "drop index a_idx",
            "alter table t add constraint c check (a > 0)",
            "alter table t add column a int",
            "alter table t rename column a to b",
        ] {
            check(&none(bad), error::NOT_RERUNNABLE, 2);
        }
    }

    #[test]
    fn a_batch_is_whole_or_refused() {
        let batch = "-- transaction: none\n-- batch: table=public.t key=id size=10\n-- backfill: rows=any because some are done\n";
        planned(&format!("{batch}update t set a = 1 where id between $1 and $2")).unwrap();
        check(&format!("{batch}update t set a = 1 where id > $1"), error::HEADER, 4);
        check("-- backfill: rows=1\nupdate t set a = 1 where id > $1", error::HEADER, 2);
        check(
            "-- batch: table=public.t key=id size=10\n-- backfill: rows=1\nupdate t set a = 1 where id between $1 and $2",
            error::HEADER,
            1,
        );
    }

    #[test]
    fn the_name_of_an_index_is_found() {
        let name = |sql: &str| index_name(&split::statements(sql)[0]);
        assert_eq!(name("create unique index concurrently if not exists A_Idx on t (a)").as_deref(), Some("a_idx"));
        assert_eq!(name("drop index concurrently if exists s.\"B\"").as_deref(), Some("B"));
        assert_eq!(name("create index concurrently if not exists on t (a)"), None);
    }
}
