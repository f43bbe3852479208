//! Partitions of the coming months, what is older than it may become, deleted companies whose date has come, and figures: sums of what was
//! added to them, and files that nobody can fetch any more.

use kernel::{Error, Result};
use postgres::Sql;

use super::{Maintenance, Outcome};

/// Rows that one transaction takes away at most.
const ROWS: i64 = 1000;
/// Changes of figures that one transaction folds at most.
const CHANGES: i64 = 20_000;
/// Transactions of one pass; what is left then waits for the next.
const BATCHES_MAX: usize = 500;

pub(super) async fn partitions(maintenance: &Maintenance) -> Result<Outcome> {
    let Some(tx) = maintenance.locked("makes partitions").await? else { return Ok(Outcome::Elsewhere) };
    tx.query(Sql::new("select app.make_partitions(), app.make_message_partitions()")).await?;
    let mut sql = Sql::new("select app.drop_message_partitions(");
    sql.bind(i64::from(maintenance.backend.messages_kept_days())).text("::integer)");
    tx.query(sql).await?;
    tx.commit().await?;
    Ok(Outcome::Done)
}

pub(super) async fn retention(maintenance: &Maintenance) -> Result<Outcome> {
    in_batches(maintenance, "keeps retention", "select app.expire(", ROWS).await
}

pub(super) async fn companies(maintenance: &Maintenance) -> Result<Outcome> {
    in_batches(maintenance, "removes deleted companies", "select app.expire_company(", ROWS).await
}

pub(super) async fn figures(maintenance: &Maintenance) -> Result<Outcome> {
    in_batches(maintenance, "folds what was added to figures", "select app.refresh_figures(", CHANGES).await
}

/// Each file is taken away by one server, whoever else is at it.
pub(super) async fn files(maintenance: &Maintenance) -> Result<Outcome> {
    for _ in 0..BATCHES_MAX {
        if maintenance.is_stopping() || maintenance.backend.clean_files().await? == 0 {
            break;
        }
    }
    Ok(Outcome::Done)
}

/// Calls a function that takes how much it may do and returns how much it did, each time in a transaction of its own, until nothing is
/// left, the pass is long enough, or the server stops.
async fn in_batches(maintenance: &Maintenance, work: &'static str, call: &'static str, size: i64) -> Result<Outcome> {
    for _ in 0..BATCHES_MAX {
        if maintenance.is_stopping() {
            break;
        }
        let Some(tx) = maintenance.locked(work).await? else { return Ok(Outcome::Elsewhere) };
        let mut statement = Sql::new(call);
        statement.bind(size).text("::int) as rows");
        let rows: i64 = tx.query_one(statement).await?.try_get("rows").map_err(Error::internal)?;
        tx.commit().await?;
        if rows == 0 {
            break;
        }
    }
    Ok(Outcome::Done)
}
