//! Partitions of the coming months, and what is older than it may become.

use kernel::{Error, Result};
use postgres::Sql;

use super::{Maintenance, locked};

/// Rows that one transaction takes away at most.
const BATCH: i64 = 1000;
/// Transactions of one pass; what is left then waits for the next.
const BATCHES_MAX: usize = 500;

/// Works until nothing is left, the pass is long enough, or the server stops.
pub(super) async fn pass(maintenance: &Maintenance) -> Result<()> {
    const WORK: &str = "makes partitions and keeps retention";
    let Some(tx) = locked(&maintenance.backend, WORK).await? else { return Ok(()) };
    tx.query(Sql::new("select app.make_partitions()")).await?;
    tx.commit().await?;
    for _ in 0..BATCHES_MAX {
        if maintenance.is_stopping() {
            break;
        }
        let Some(tx) = locked(&maintenance.backend, WORK).await? else { break };
        let mut statement = Sql::new("select app.expire(");
        statement.bind(BATCH).text("::int) as rows");
        let rows: i64 = tx.query_one(statement).await?.try_get("rows").map_err(Error::internal)?;
        tx.commit().await?;
        if rows == 0 {
            break;
        }
    }
    Ok(())
}
