//! One attempt, and what became of it.
//!
//! Invariant: every attempt is undone; what refused it is told by PostgreSQL's own words, never guessed. Words that are not known count as
//! broken, so that an attempt which never met a wall is not taken for one that did. Everything about an attempt is sent at once, which needs
//! a connection that prepares nothing; its savepoint is released, since PostgreSQL remembers each that is not.

use futures_util::join;
use kernel::{Error, Kind, Result};
use postgres::{Row, Sql, Tx};

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
    /// All that a client learns of it.
    pub(crate) said: String,
}

/// Runs a statement that returns a row for each that it reached, and undoes it.
pub(crate) async fn attempt(tx: &Tx, statement: Sql) -> Found {
    // Deferred keys would speak only at a commit that never comes.
    let (rows, kept) = undone(tx, statement, Sql::new("set constraints all immediate")).await;
    found(rows.and_then(|rows| kept.map(|_| rows.len())))
}

/// Runs a statement that returns one text, and undoes it: the text, and which companies' rows were written.
pub(crate) async fn ask(tx: &Tx, statement: Sql) -> std::result::Result<(String, String), Found> {
    let (answered, touched) = undone(tx, statement, Sql::new("select coalesce(current_setting('proof.touched', true), '')")).await;
    let text = |rows: Vec<Row>| rows.first().and_then(|row| row.get::<_, Option<String>>(0)).unwrap_or_default();
    answered.and_then(|answered| touched.map(|touched| (text(answered), text(touched)))).map_err(|error| found(Err(error)))
}

/// Runs a statement and one that looks at what it left, in one round trip, and undoes both.
async fn undone(tx: &Tx, statement: Sql, look: Sql) -> (Result<Vec<Row>>, Result<Vec<Row>>) {
    let (begun, made, looked, undone, released) = join!(
        tx.execute(Sql::new("savepoint attempt")),
        tx.query(statement),
        tx.query(look),
        tx.execute(Sql::new("rollback to savepoint attempt")),
        tx.execute(Sql::new("release savepoint attempt")),
    );
    begun.and(undone).and(released).expect("a savepoint that can be gone back to");
    (made, looked)
}

fn found(made: Result<usize>) -> Found {
    match made {
        Ok(rows) => {
            let outcome = if rows == 0 { Outcome::Hidden } else { Outcome::Passed };
            Found { outcome, rows, code: String::new(), words: format!("{rows} rows"), said: format!("{rows} rows") }
        }
        Err(error) => Found {
            outcome: outcome(&error),
            rows: 0,
            code: error.code().to_owned(),
            words: error.to_string(),
            said: format!("{} {} {:?} {:?}", error.code(), error.message(), error.details(), error.hint()),
        },
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
