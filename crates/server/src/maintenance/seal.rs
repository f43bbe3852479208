//! Seals the audit: once every interval all rows of transactions that have ended.

use kernel::Result;
use postgres::Sql;

use super::locked;
use crate::backend::Backend;

/// Seals what is there.
pub(super) async fn pass(backend: &Backend) -> Result<()> {
    let Some(tx) = locked(backend, "seals the audit").await? else { return Ok(()) };
    tx.query(Sql::new("select app.seal_audit()")).await?;
    tx.commit().await
}
