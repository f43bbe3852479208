//! What PostgreSQL says of how it executes a statement.

use std::sync::atomic::{AtomicU64, Ordering};

use kernel::{Error, Result};
use tokio_postgres::types::{FromSql, Type};

use crate::row::Row;
use crate::sql::{Shape, Sql};
use crate::tx::Tx;

/// Makes names that no other statement of this process has: one that was left behind is in nobody's way.
static NAMES: AtomicU64 = AtomicU64::new(0);
/// The planner is asked for a plan that fits all values.
const GENERIC: &str = "select pg_catalog.set_config('plan_cache_mode', 'force_generic_plan', true)";
const POINT: &str = "savepoint thorbis_shape";
const BACK: &str = "rollback to savepoint thorbis_shape";
const OVER: &str = "release savepoint thorbis_shape";

/// A line of text, or a whole document of JSON as it was written.
struct Line(String);

impl Tx {
    /// Runs an EXPLAIN and returns what it says: lines, or one document.
    pub async fn explain(&self, sql: Sql) -> Result<String> {
        said(&self.query(sql).await?)
    }

    /// Returns the plan of a shape as a document of JSON: the one that PostgreSQL has for all values. Sent as one; the transaction goes on as
    /// it was, also after an error.
    pub async fn explain_shape(&self, shape: &Shape) -> Result<String> {
        let name = format!("thorbis_shape_{}", NAMES.fetch_add(1, Ordering::Relaxed));
        let (prepare, _) = Sql::prepare(&name, shape).render();
        let (explain, _) = Sql::explain_prepared(&name, shape).render();
        let (forget, _) = Sql::new("deallocate ").ident(&name).clone().render();
        let texts = [POINT, GENERIC, &prepare, &explain, &forget, BACK, OVER];
        match self.several(&texts).await {
            Ok(parts) => said(parts.get(3).map_or(&[], Vec::as_slice)),
            Err(error) => {
                // What was prepared stays where a transaction is undone.
                self.several(&[BACK]).await?;
                let _was_not_prepared = self.several(&[&forget]).await.is_err();
                self.several(&[BACK, OVER]).await?;
                Err(error)
            }
        }
    }
}

/// Returns what an EXPLAIN says.
pub(crate) fn said(rows: &[Row]) -> Result<String> {
    let lines = rows.iter().map(|row| row.try_get(0).map(|Line(line)| line).map_err(Error::internal));
    Ok(lines.collect::<Result<Vec<_>>>()?.join("\n"))
}

impl<'a> FromSql<'a> for Line {
    fn from_sql(_: &Type, raw: &'a [u8]) -> Result<Self, Box<dyn std::error::Error + Sync + Send>> {
        Ok(Self(std::str::from_utf8(raw)?.to_owned()))
    }

    fn accepts(ty: &Type) -> bool {
        // Both are sent as they are written.
        matches!(*ty, Type::TEXT | Type::JSON)
    }
}
