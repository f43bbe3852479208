//! One attempt, and what became of it.
//!
//! Invariant: every attempt is undone; what refused it is told by PostgreSQL's own words, never guessed. Words that are not known count as
//! broken, so that an attempt which never met a wall is not taken for one that did.

use kernel::{Error, Kind};
use postgres::{Sql, Tx};

/// What became of an attempt: it passed, or what refused it.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub(crate) enum Outcome {
    /// It reached the row.
    Passed,
    /// A policy hid the row: nothing was reached, and nothing said.
    Hidden,
    /// A policy refused what the row would become.
    Check,
    /// A policy refused to take over the row that an upsert met.
    Using,
    /// The right to the table or column is missing.
    Grant,
    /// A foreign key refused.
    Key,
    /// A primary or unique key refused.
    Unique,
    /// A rule of the business refused: its code is ours.
    Rule,
    /// Something that is no wall.
    Broken,
}

/// What was found.
#[derive(Debug)]
pub(crate) struct Found {
    pub(crate) outcome: Outcome,
    /// How many rows were reached.
    pub(crate) rows: usize,
    /// The code of a refusal.
    pub(crate) code: String,
    /// What PostgreSQL said.
    pub(crate) words: String,
}

/// Runs a statement that returns a row for each that it reached, and undoes it.
pub(crate) async fn attempt(tx: &Tx, statement: Sql) -> Found {
    tx.execute(Sql::new("savepoint attempt")).await.expect("a savepoint");
    // Deferred keys would speak only at a commit that never comes.
    let made = match tx.query(statement).await {
        Ok(rows) => tx.execute(Sql::new("set constraints all immediate")).await.map(|_| rows.len()),
        Err(error) => Err(error),
    };
    tx.execute(Sql::new("rollback to savepoint attempt")).await.expect("back to the savepoint");
    found(made)
}

/// Runs a statement that returns one text, and undoes it: the text, and which companies' rows were written.
pub(crate) async fn ask(tx: &Tx, statement: Sql) -> Result<(String, String), Found> {
    tx.execute(Sql::new("savepoint attempt")).await.expect("a savepoint");
    let answered = tx.query_one(statement).await;
    let touched = match &answered {
        Ok(_) => tx.query_one(Sql::new("select coalesce(current_setting('proof.touched', true), '')")).await.expect("a setting").get(0),
        Err(_) => String::new(),
    };
    tx.execute(Sql::new("rollback to savepoint attempt")).await.expect("back to the savepoint");
    match answered {
        Ok(row) => Ok((row.get::<_, Option<String>>(0).unwrap_or_default(), touched)),
        Err(error) => Err(found(Err(error))),
    }
}

fn found(made: Result<usize, Error>) -> Found {
    match made {
        Ok(rows) => {
            let outcome = if rows == 0 { Outcome::Hidden } else { Outcome::Passed };
            Found { outcome, rows, code: String::new(), words: format!("{rows} rows") }
        }
        Err(error) => Found { outcome: outcome(&error), rows: 0, code: error.code().to_owned(), words: error.to_string() },
    }
}

fn outcome(error: &Error) -> Outcome {
    const NAMED: [&str; 4] = ["table", "view", "materialized view", "schema"];
    let said = error.message();
    match error.code() {
        "42501" if said.starts_with("new row violates row-level security policy (USING expression)") => Outcome::Using,
        "42501" if said.starts_with("new row violates row-level security policy") => Outcome::Check,
        "42501" if NAMED.iter().any(|kind| said.starts_with(&format!("permission denied for {kind} "))) => Outcome::Grant,
        "23503" => Outcome::Key,
        "23505" => Outcome::Unique,
        // SQLSTATEs have no small letters; our own codes are words. Those for failures of ours are no rules.
        code if code.contains('_') && !matches!(error.kind(), Kind::Internal | Kind::Unavailable | Kind::Timeout) => Outcome::Rule,
        _ => Outcome::Broken,
    }
}
