//! Empties a database and makes it anew: for development.
//!
//! Invariant: it takes away what `app_owner` and `app_definer` own in this database, and nothing of another database or of the cluster.

use kernel::Result;

use super::options::Options;
use super::report::UpReport;
use super::run::Run;
use super::session::{Migrator, with_retries};
use super::source::Source;
use super::{error, history};

/// Whether the roles are there and this login is both: it becomes so at its first migration, and before that there is nothing of its own to take away.
const KNOWN: &str = "select count(*) = 2 from pg_catalog.pg_roles
    where rolname in ('app_owner', 'app_definer') and pg_catalog.pg_has_role(oid, 'usage')";

/// The schema public is theirs too; the bootstrap expects it as PostgreSQL makes it with a database.
const EMPTY: &str = "drop owned by app_owner, app_definer cascade;
do $$ begin
  if to_regnamespace('public') is null then
    create schema public authorization pg_database_owner;
    grant usage on schema public to public;
  end if;
end $$";

/// What a project that was brought has made goes first: it stands on ours.
const EMPTY_OF_PROJECT: &str = "do $$ begin
  if exists (select from pg_catalog.pg_roles where rolname = 'project_owner' and pg_catalog.pg_has_role(oid, 'usage')) then
    drop owned by project_owner cascade;
  end if;
end $$";

impl Migrator {
    /// Drops all tables, functions and rows, and applies everything again. All data is lost: whoever calls this has asked first.
    pub async fn reset(&self, source: &Source, options: &Options) -> Result<UpReport> {
        let files = source.read()?;
        let session = &self.connect().await?;
        session.lock(options).await?;
        let known = session.client.query_one(KNOWN, &[]).await.map_err(error::query)?;
        if known.get(0) {
            with_retries(options, || {
                Box::pin(async move {
                    session.begin_as_login(options).await?;
                    let emptied = async {
                        session.client.batch_execute(EMPTY_OF_PROJECT).await?;
                        session.client.batch_execute(EMPTY).await
                    };
                    let emptied = emptied.await.map_err(error::query);
                    session.or_rollback(emptied).await?;
                    session.commit().await
                })
            })
            .await?;
        }
        if history::exists(session, "app.migrations").await? {
            let hint = "Drop the database as its owner, create it again, and run up.";
            return Err(error::refused(error::ARGUMENT, "app.migrations does not belong to app_owner and is still there", hint));
        }
        let run = Run { session, files: &files, options, found: None };
        let report = Box::pin(run.up()).await?;
        session.unlock().await?;
        Ok(report)
    }
}
