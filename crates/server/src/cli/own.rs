//! A statement of the operator's own, run over the server's login.
//!
//! Invariant: what a command changes it changes as a service program does, through the functions that such a program calls.

use kernel::{Authority, CompanyId, Grant, RequestContext};
use postgres::{Access, Database, PoolOptions, Row, Sql};
use queue::{Queue, QueueOptions};

use super::{CliError, place};
use crate::config::Settings;

/// A database that a command works on.
pub(super) struct Own {
    database: Database,
    place: Option<place::Place>,
}

impl Own {
    pub(super) async fn connect(settings: &Settings) -> Result<Self, CliError> {
        let (config, place) = place::connect(settings).await?;
        let root_certificate_file = settings.database.root_certificate_file.clone();
        let options = PoolOptions { root_certificate_file, size_max: 1, ..PoolOptions::new(config) };
        Ok(Self { database: Database::new(options)?, place })
    }

    /// Returns what the command may do, and why.
    pub(super) fn grant(company: Option<CompanyId>, reason: &'static str) -> Grant {
        #[expect(clippy::disallowed_methods, reason = "the command is a process of its own, run by whoever has the database's login")]
        Grant::system(&Authority::establish(), company, reason)
    }

    pub(super) fn database(&self) -> &Database {
        &self.database
    }

    /// Returns the queue, for a command of this name.
    pub(super) fn queue(&self, settings: &Settings, node: &str) -> Result<Queue, CliError> {
        #[expect(clippy::disallowed_methods, reason = "the command is a process of its own, run by whoever has the database's login")]
        let authority = Authority::establish();
        let (database, config, node) = (self.database.clone(), settings.queue.clone(), node.to_owned());
        Ok(Queue::new(QueueOptions { database, authority, config, node, listen: None })?)
    }

    /// Runs a statement, in a company where one is named, and returns what it says.
    pub(super) async fn run(&self, company: Option<CompanyId>, reason: &'static str, sql: Sql) -> kernel::Result<Vec<Row>> {
        let tx = self.database.begin(&Self::grant(company, reason), &RequestContext::default(), Access::Write).await?;
        let rows = tx.query(sql).await?;
        tx.commit().await?;
        Ok(rows)
    }

    /// Finds a company by its slug, deleted ones, too.
    pub(super) async fn company(&self, slug: &str) -> Result<CompanyId, CliError> {
        let mut sql = Sql::new("select c.id from public.companies c where c.slug = ");
        sql.bind(slug).text("::text order by c.deleted_at desc nulls first limit 1");
        let rows = self.run(None, "looks for a company", sql).await?;
        let row = rows.first().ok_or_else(|| CliError::refused("company_not_found", format!("there is no company {slug}")))?;
        Ok(CompanyId(row.try_get("id").map_err(kernel::Error::internal)?))
    }

    pub(super) async fn leave(self) -> Result<(), CliError> {
        self.database.close();
        match self.place {
            Some(place) => place.leave().await,
            None => Ok(()),
        }
    }
}

/// Returns a text that a row has, or nothing.
pub(super) fn text(row: &Row, column: &str) -> Result<String, CliError> {
    let text: Option<String> = row.try_get(column).map_err(kernel::Error::internal)?;
    Ok(text.unwrap_or_default())
}
