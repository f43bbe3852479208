//! Partitions of the coming months, what is older than it may become, and figures: sums of what was added to them.

use kernel::{Error, Result};
use postgres::Sql;

use super::{Maintenance, locked};

/// Rows that one transaction takes away at most.
const BATCH: i64 = 1000;
/// Transactions of one pass; what is left then waits for the next.
const BATCHES_MAX: usize = 500;

/// Changes of figures that one transaction folds at most.
const CHANGES: i64 = 20_000;

/// Works until nothing is left, the pass is long enough, or the server stops.
pub(super) async fn pass(maintenance: &Maintenance) -> Result<()> {
    const WORK: &str = "makes partitions and keeps retention";
    let Some(tx) = locked(&maintenance.backend, WORK).await? else { return Ok(()) };
    tx.query(Sql::new("select app.make_partitions()")).await?;
    tx.commit().await?;
    Box::pin(in_batches(maintenance, WORK, "select app.expire(", BATCH)).await?;
    Box::pin(in_batches(maintenance, "folds what was added to figures", "select app.refresh_figures(", CHANGES)).await
}

/// Calls a function that takes how much it may do and returns how much it did, each time in a transaction of its own.
async fn in_batches(maintenance: &Maintenance, work: &'static str, call: &'static str, size: i64) -> Result<()> {
    for _ in 0..BATCHES_MAX {
        if maintenance.is_stopping() {
            break;
        }
        let Some(tx) = locked(&maintenance.backend, work).await? else { break };
        let mut statement = Sql::new(call);
        statement.bind(size).text("::int) as rows");
        let rows: i64 = tx.query_one(statement).await?.try_get("rows").map_err(Error::internal)?;
        tx.commit().await?;
        if rows == 0 {
            break;
        }
    }
    Ok(())
}
