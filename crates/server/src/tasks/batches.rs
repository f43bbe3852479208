//! Work in batches: a function of the database that takes how much it may do and returns how much it did, called until nothing is left.
//!
//! Invariant: each batch is a transaction of its own, so that nothing that is done is lost with what comes after; a task that is told to
//! stop begins no more.

use std::time::Duration;

use kernel::Error;
use postgres::Sql;
use queue::{Failure, Rules, Running};
use serde_json::{Value, json};

/// Batches of one task; what is left then waits for the next time.
const BATCHES_MAX: usize = 1000;

/// Calls a function until it has nothing to do. Says what it did by its result.
pub(super) async fn all(task: &Running, reason: &'static str, call: &'static str, rows_max: i64) -> Result<Value, Failure> {
    let mut done = 0;
    for _ in 0..BATCHES_MAX {
        if task.stop().is_cancelled() {
            break;
        }
        let tx = task.begin(reason).await?;
        // Longer than a client waits, and shorter than the task may take.
        tx.query(Sql::new("select set_config('statement_timeout', '300000', true), set_config('lock_timeout', '5000', true)")).await?;
        let mut statement = Sql::new("select ");
        statement.text(call).text("(").bind(rows_max).text("::integer)::bigint as rows");
        let rows: i64 = tx.query_one(statement).await?.try_get("rows").map_err(Error::internal)?;
        tx.commit().await?;
        done += rows;
        if rows == 0 {
            break;
        }
    }
    Ok(json!({ "message": format!("{done} rows") }))
}

/// How tasks of this sort are tried: one at a time, and what is left is there the next time.
pub(super) fn rules() -> Rules {
    Rules { timeout: Duration::from_mins(30), running_max: Some(1), priority: -10, ..Rules::default() }
}

/// A task that needs to know nothing.
#[derive(Clone, Copy, Debug, Default, serde::Serialize, serde::Deserialize)]
pub(crate) struct Nothing {}
