//! Brings a project made for Supabase: its own migrations and seeds, as they are.
//!
//! Invariant: its statements run on a connection whose login can become `project_owner` and nobody else. What protects our tables
//! is PostgreSQL's own: nothing here has to understand a statement to keep it away from them.

mod book;
mod extensions;
mod files;
mod import;
mod login;
mod report;
mod rewrite;
mod run;
mod target;

pub use files::Project;
pub use import::{Compared, ImportReport, Origin};
pub use report::ProjectReport;

use kernel::Result;

use super::options::Options;
use super::run::Run;
use super::session::{Migrator, Session};
use super::source::{Files, Source};
use super::{error, fingerprint, history};
use login::Login;

/// How a project is brought.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub struct Bring {
    /// Whether its seeds run, too.
    pub seed: bool,
    /// Whether row security is forced on all its tables. Where it is not, a table has it when the project says so.
    pub force_row_security: bool,
}

impl Migrator {
    /// Applies what of a project is not applied yet. The database has our own schema already.
    pub async fn bring(&self, project: &Project, bring: Bring, options: &Options) -> Result<ProjectReport> {
        let ours = Source::Embedded.read()?;
        let session = &self.connect().await?;
        session.lock(options).await?;
        if !history::exists(session, "app.migrations").await? {
            let hint = "Run migrate up first.";
            return Err(error::refused(error::ARGUMENT, "the database has no schema of ours, which a project stands on", hint));
        }
        let run = Run { session, files: &ours, options, found: None };
        let before = fingerprint::take(session).await?;
        Box::pin(prepare(&run, session)).await?;
        let mut report = ProjectReport { ignored: project.ignored.clone(), ..ProjectReport::default() };
        let result = Box::pin(self.bring_files(session, &ours, (project, bring, options), &mut report)).await;
        // What was applied before a failure stays, and so does what it made of ours.
        run.keep_fingerprint(&before, None).await?;
        result?;
        session.unlock().await?;
        Ok(report)
    }

    async fn bring_files(
        &self,
        session: &Session,
        ours: &Files,
        (project, bring, options): (&Project, Bring, &Options),
        report: &mut ProjectReport,
    ) -> Result<()> {
        let pending = book::pending(session, project, bring.seed, report).await?;
        if pending.is_empty() {
            return Ok(());
        }
        target::names_are_free(session, &pending).await?;
        let names = extensions::wanted(&pending);
        report.notes.extend(extensions::ensure(session, &ours.project_extensions, names).await?);
        Login::keep(session).await?;
        let login = Login::make(session).await?;
        let result = Box::pin(run::all(&self.as_login(login.name(), login.password()), &pending, (bring, options), report)).await;
        login.drop(session).await;
        result
    }
}

/// Makes what projects expect to be there.
async fn prepare(run: &Run<'_>, session: &Session) -> Result<()> {
    run.as_login(&run.files.project).await?;
    for file in &run.files.project_extensions {
        if !extensions::stands_by_itself(session, file).await? {
            run.as_login([file]).await?;
        }
    }
    Ok(())
}
