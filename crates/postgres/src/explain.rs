//! What PostgreSQL says of how it executes a statement.

use kernel::{Error, Result};
use tokio_postgres::types::{FromSql, Type};

use crate::row::Row;
use crate::sql::Sql;
use crate::tx::Tx;

/// A line of text, or a whole document of JSON as it was written.
struct Line(String);

impl Tx {
    /// Runs an EXPLAIN and returns what it says: lines, or one document.
    pub async fn explain(&self, sql: Sql) -> Result<String> {
        said(&self.query(sql).await?)
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
