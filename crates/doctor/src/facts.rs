//! What is known of the database before anything is asked of it: its version and kind, what the login may see, who its callers are.
//!
//! Invariant: a check whose needs are not met is told why, in words for whoever runs the doctor.

use std::collections::BTreeMap;

use postgres::{VisitFault, VisitedRow, Visitor};
use serde::{Deserialize, Serialize};

use crate::check::Need;

/// The statement that asks.
const SQL: &str = include_str!("facts.sql");
/// What belongs to Supabase itself, and is not for its users to change.
const OF_SUPABASE: &[&str] = &[
    "_analytics",
    "_realtime",
    "_supavisor",
    "auth",
    "cron",
    "extensions",
    "graphql",
    "graphql_public",
    "net",
    "pgbouncer",
    "pgmq",
    "pgsodium",
    "pgsodium_masks",
    "realtime",
    "storage",
    "supabase_functions",
    "supabase_migrations",
    "vault",
];

/// What is asked for by name, where finding it out is not wanted.
#[derive(Clone, Debug, Default, Serialize)]
pub struct Asked {
    /// The roles that callers work as.
    pub api_roles: Vec<String>,
    /// The columns that tell companies apart.
    pub tenant_columns: Vec<String>,
    /// The version to judge, as `server_version_num`, where it is not the server's own: what will be said after an upgrade.
    #[serde(skip)]
    pub version: Option<u32>,
}

/// The database as it was found.
#[expect(clippy::struct_excessive_bools, reason = "each is another fact")]
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Facts {
    /// Its name.
    pub database: String,
    /// `server_version_num`.
    pub version: u32,
    /// The version as the server says it.
    pub version_text: String,
    /// `thorbis`, `supabase`, `rds`, `cloudsql`, `azure` or `postgresql`.
    pub kind: String,
    /// The roles that callers work as.
    pub api_roles: Vec<String>,
    /// The columns that tell companies apart.
    pub tenant_columns: Vec<String>,
    /// Whether the login is a superuser.
    pub is_superuser: bool,
    /// Whether the login sees what others do.
    pub is_monitor: bool,
    /// Whether the login may read every table.
    pub reads_all: bool,
    /// Whether the server is a copy of another one.
    pub is_copy: bool,
    /// Extensions, each with its schema.
    #[serde(skip)]
    pub extensions: BTreeMap<String, String>,
    /// Plain tables of known names that the login may read.
    #[serde(skip)]
    pub readable: Vec<String>,
}

impl Facts {
    /// Asks the database.
    pub async fn ask(visitor: &Visitor, asked: &Asked) -> Result<Self, VisitFault> {
        visitor.set("doctor.asked", &serde_json::to_string(asked).map_err(|cause| unreadable(&cause))?).await?;
        let answer = visitor.ask(SQL).await?;
        let row = answer.rows.first().ok_or_else(|| unreadable(&"no row"))?;
        let text = |column: &str| row.text(column).unwrap_or_default().to_owned();
        let is = |column: &str| row.text(column) == Some("t");
        Ok(Self {
            database: text("database"),
            version: text("version").parse().map_err(|cause| unreadable(&cause))?,
            version_text: text("version_text"),
            kind: text("kind"),
            api_roles: list(row, "api_roles")?,
            tenant_columns: list(row, "tenant_columns")?,
            is_superuser: is("is_superuser"),
            is_monitor: is("is_monitor"),
            reads_all: is("reads_all"),
            is_copy: is("is_copy"),
            extensions: list(row, "extensions")?,
            readable: list(row, "readable")?,
        })
    }

    /// Returns the major version.
    pub fn major(&self) -> u32 {
        self.version / 10_000
    }

    /// Returns the schemas that are not the user's to change.
    pub fn left_out(&self) -> &'static [&'static str] {
        if self.kind == "supabase" { OF_SUPABASE } else { &[] }
    }

    /// Returns why a need is not met; nothing where it is.
    pub fn lacks(&self, need: Need) -> Option<String> {
        match need {
            Need::Monitor => (!self.is_monitor).then(|| "the login lacks pg_monitor".to_owned()),
            Need::Superuser => (!self.is_superuser).then(|| "only a superuser sees it".to_owned()),
            Need::Statistics => (!self.reads_all).then(|| "the login may not read figures about values (pg_read_all_data)".to_owned()),
            Need::Extension(name) => (!self.extensions.contains_key(name)).then(|| format!("the extension {name} is not there")),
            Need::Version(major) => (self.major() < major).then(|| format!("PostgreSQL {major} or newer is needed")),
            Need::Table(name) => {
                (!self.readable.iter().any(|found| found == name)).then(|| format!("there is no table {name} that the login may read"))
            }
            Need::ApiRoles => self.api_roles.is_empty().then(|| "no role of callers is known: name one with --api-role".to_owned()),
            Need::Tenants => self
                .tenant_columns
                .is_empty()
                .then(|| "no column that tells companies apart is known: name one with --tenant-column".to_owned()),
            Need::Primary => self.is_copy.then(|| "the server is a copy of another; ask that one".to_owned()),
        }
    }
}

fn list<T: serde::de::DeserializeOwned>(row: &VisitedRow, column: &str) -> Result<T, VisitFault> {
    serde_json::from_str(row.text(column).unwrap_or("[]")).map_err(|cause| unreadable(&cause))
}

fn unreadable(cause: &dyn std::fmt::Display) -> VisitFault {
    VisitFault::Other { state: "XX000".to_owned(), message: format!("the server's answer about itself cannot be read: {cause}") }
}
