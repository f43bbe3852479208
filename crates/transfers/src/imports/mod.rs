//! Imports: files whose lines become rows of a table, tried first if somebody wants that, and taken back.
//!
//! Invariant: every row is written under the rights of the member who imports, by the rules of its table. What was committed of a file is noted
//! with it, so that after a crash it goes on behind that and no line is written twice.

mod begun;
mod csv;
mod finished;
mod json;
mod mapping;
mod reader;
mod routes;
mod run;
mod undo;
pub(crate) mod write;

use data_api::TableShape;
use kernel::{Capability, Demand, Error, Kind, Result};

use crate::Transfers;

pub use routes::router;
pub use run::DataImport;
pub use undo::UndoImport;

/// The right to import.
pub(crate) struct Importing;
impl Capability for Importing {
    const DEMAND: Demand = Demand::Permission("imports:create");
}

/// The right to take an import back.
pub(crate) struct Undoing;
impl Capability for Undoing {
    const DEMAND: Demand = Demand::Permission("imports:update");
}

/// Returns a table whose rows members make: one of a company, that members create rows of, whose rows have an id.
pub(crate) async fn importable(transfers: &Transfers, name: &str) -> Result<TableShape> {
    let table = transfers
        .data_api()
        .table(name)
        .await?
        .filter(|table| table.verbs.iter().any(|verb| verb == "create") && table.columns.iter().any(|column| column.name == "id"));
    table.ok_or_else(|| Error::new(Kind::NotFound, "table_not_importable", "There is no such table, or its rows are not made by members"))
}
