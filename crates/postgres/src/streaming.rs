//! Rows of one statement that are taken as they come, in a transaction that ends with them.
//!
//! Invariant: what is in memory of them is bounded, however many there are. Dropped before the end, the transaction is rolled back and the
//! statement cancelled, and the connection goes back when that is done.

use std::time::Duration;

use kernel::{Grant, RequestContext, Result};

use crate::database::Database;
use crate::error::from_wire;
use crate::row::Row;
use crate::sql::Sql;
use crate::tx::{Access, Tx};
use crate::wire::Rows;

/// Rows on their way.
#[derive(Debug)]
pub struct RowStream {
    // Dropped first: the connection must not wait for who left.
    rows: Rows,
    tx: Option<Tx>,
}

impl Database {
    /// Opens a transaction that only reads, and whose statements may run so long: somebody may be slow to take what they give. Where the
    /// database is not ours, its roles' own limits hold.
    pub async fn begin_long(&self, grant: &Grant, context: &RequestContext, statement_timeout: Duration) -> Result<Tx> {
        self.begin_with(self.opening(grant, context, Access::Read, statement_timeout), Access::Read).await
    }
}

impl Tx {
    /// Runs the last statement of this transaction. Its rows are read no further than so many bytes ahead of who takes them.
    pub fn stream(self, sql: Sql, buffer_bytes: usize) -> Result<RowStream> {
        let rows = self.rows(sql, buffer_bytes)?;
        Ok(RowStream { rows, tx: Some(self) })
    }
}

impl RowStream {
    /// Waits for rows; none when all have come and the transaction is over.
    pub async fn next(&mut self) -> Result<Option<Vec<Row>>> {
        let came = self.rows.next().await.map_err(from_wire);
        match came {
            Ok(Some(rows)) => Ok(Some(rows)),
            Ok(None) => match self.tx.take() {
                Some(tx) => tx.commit().await.map(|()| None),
                None => Ok(None),
            },
            Err(error) => {
                if let Some(tx) = self.tx.take() {
                    tx.broke(&error);
                }
                Err(error)
            }
        }
    }
}
