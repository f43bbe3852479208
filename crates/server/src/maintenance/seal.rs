//! Seals the audit: once every interval all rows of transactions that have ended.

use kernel::Result;
use postgres::Sql;

use super::{Maintenance, Outcome};

/// Seals what is there.
pub(super) async fn pass(maintenance: &Maintenance) -> Result<Outcome> {
    let Some(tx) = maintenance.locked("seals the audit").await? else { return Ok(Outcome::Elsewhere) };
    tx.query(Sql::new("select app.seal_audit()")).await?;
    tx.commit().await?;
    Ok(Outcome::Done)
}
