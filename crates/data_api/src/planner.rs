//! What PostgreSQL's planner is asked beside or instead of a statement: how many rows it expects, and how it would go about it.
//!
//! Invariant: it is asked in the caller's transaction, so that it sees what the policies make of his rows. Of a plan nothing is kept: what
//! was done to measure it is undone, since what must be true of a write cannot be looked at in a plan.

use kernel::{Error, Result};
use postgres::{Sql, Tx};
use serde_json::Value;

use crate::plan::{Counted, ReadPlan};
use crate::query;
use crate::run::Outcome;

/// Runs an EXPLAIN and answers what it says.
pub(crate) async fn explained(tx: &Tx, explain: Sql) -> Result<Outcome> {
    let said = tx.explain(explain).await?;
    Ok(Outcome { body: Some(said), ..Outcome::default() })
}

/// Runs a read whose rows the planner is to count, alone or as soon as they are too many.
pub(crate) async fn counted(tx: &Tx, statement: Sql, plan: &ReadPlan<'_>) -> Result<Outcome> {
    Ok(match plan.rows.counted {
        Counted::Planned => {
            let outcome = Outcome::of(Some(&tx.query_one(statement).await?))?;
            Outcome { total: Some(expected(tx, plan).await?), ..outcome }
        }
        Counted::UpTo(rows_max) => {
            let outcome = Outcome::of(Some(&tx.query_one(statement).await?))?;
            match outcome.total {
                // Where an answer may have any number of rows, both are asked for always.
                Some(total) if total >= rows_max || rows_max == i64::MAX => {
                    Outcome { total: Some(total.max(expected(tx, plan).await?)), ..outcome }
                }
                _ => outcome,
            }
        }
        Counted::Not | Counted::All => Outcome::of(Some(&tx.query_one(statement).await?))?,
    })
}

/// Returns how many rows fit that the planner expects.
pub(crate) async fn expected(tx: &Tx, plan: &ReadPlan<'_>) -> Result<i64> {
    expected_of(tx, query::expected(plan)).await
}

/// The same of a statement that asks the planner.
pub(crate) async fn expected_of(tx: &Tx, explain: Sql) -> Result<i64> {
    let said: Value = serde_json::from_str(&tx.explain(explain).await?).map_err(Error::internal)?;
    said.pointer("/0/Plan/Plan Rows").and_then(Value::as_i64).ok_or_else(|| Error::internal("a plan that expects no number of rows"))
}
