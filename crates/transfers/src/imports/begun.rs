//! An import as its row has it.

use data_api::TableShape;
use kernel::{Error, Kind, Result};
use postgres::{Row, Sql, Tx};
use serde_json::{Map, Value};
use uuid::Uuid;

use super::importable;
use super::mapping::Mapping;
use super::reader::Form;
use crate::Transfers;

/// An import that was begun.
#[derive(Debug)]
pub(crate) struct Begun {
    pub(crate) id: Uuid,
    pub(crate) table: TableShape,
    pub(crate) form: Form,
    pub(crate) blob_key: String,
    pub(crate) mapping: Mapping,
    pub(crate) key: Option<String>,
    pub(crate) skips_errors: bool,
    pub(crate) dry_run: bool,
    pub(crate) status: String,
}

impl Begun {
    /// Reads it in the company of the transaction.
    pub(crate) async fn read(transfers: &Transfers, tx: &Tx, id: Uuid) -> Result<Self> {
        let mut sql = Sql::new(
            "select i.table_name, i.format, i.blob_key, i.mapping, i.key_columns[1] as key_column, i.mode, i.dry_run, i.status
               from public.data_imports i where i.company_id = app.company_id() and i.id = ",
        );
        sql.bind(id).text("::uuid");
        let row = tx.query_opt(sql).await?.ok_or_else(not_found)?;
        let table = importable(transfers, &text(&row, "table_name")?).await?;
        let mapping: Value = row.try_get("mapping").map_err(Error::internal)?;
        let said = mapping.as_object().cloned().unwrap_or_else(Map::new);
        Ok(Self {
            id,
            form: Form::parse(&text(&row, "format")?)?,
            blob_key: row.try_get::<_, Option<String>>("blob_key").map_err(Error::internal)?.ok_or_else(not_found)?,
            mapping: if said.is_empty() { Mapping::default() } else { Mapping::read(&said, &table)? },
            key: row.try_get("key_column").map_err(Error::internal)?,
            skips_errors: text(&row, "mode")? == "skip_errors",
            dry_run: row.try_get("dry_run").map_err(Error::internal)?,
            status: text(&row, "status")?,
            table,
        })
    }
}

fn text(row: &Row, name: &str) -> Result<String> {
    row.try_get(name).map_err(Error::internal)
}

pub(crate) fn not_found() -> Error {
    Error::new(Kind::NotFound, "import_not_found", "There is no such import")
}
