//! The rows of one company, read in one snapshot and written in one transaction, both as the owner of the tables, who sees all of them.
//!
//! Invariant: what is read or written is named by the catalog of this database, never by an archive; rows of a company that is written
//! are that company's alone, and nobody sees any of them before all of them are right.

mod accounts;
mod reader;
mod removal;
mod tables;
mod writer;

pub use accounts::Account;
pub use reader::{CompanyReader, Lines};
pub use removal::{Remains, Removal};
pub use tables::{Archived, LEFT_OUT, LeftOut};
pub use writer::{CompanyWriter, Rows};

use kernel::Result;
use uuid::Uuid;

use super::error;
use super::session::Session;

/// Both sides write values as the same text; what makes rows out of other rows knows that nothing happened.
const SAME_TEXT: &str = "set local datestyle = 'ISO, YMD'; set local intervalstyle = 'postgres'; set local timezone = 'UTC';
    set local extra_float_digits = 3; set local bytea_output = 'hex'; set local search_path = ''; set local app.unaudited = 'on'";

/// A company, as an archive names it.
#[derive(Clone, PartialEq, Eq, Debug, serde::Serialize, serde::Deserialize)]
#[serde(deny_unknown_fields)]
pub struct CompanyName {
    /// Its id.
    pub id: Uuid,
    /// Its slug.
    pub slug: String,
    /// Its name.
    pub name: String,
}

/// The newest migration: databases with the same one have the same tables.
async fn schema(session: &Session) -> Result<String> {
    let newest = "select coalesce(max(m.version), '') from app.migrations m";
    Ok(session.client.query_one(newest, &[]).await.map_err(error::query)?.get(0))
}
