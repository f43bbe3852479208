//! Rows that belong to every installation, and rows for trying things out.
//!
//! Invariant: seeds are idempotent; development seeds run only when they are asked for by name.

use kernel::Result;

use super::error;
use super::options::Options;
use super::report::SeedReport;
use super::session::{Migrator, Session, with_retries};
use super::source::{File, Source};
use super::{apply, guard, history, scale};

/// Which seeds run.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Seeds {
    /// What every installation needs.
    System,
    /// That, and the demo company.
    Development,
}

impl Migrator {
    /// Runs the seeds, each file one transaction of the owner.
    pub async fn seed(&self, source: &Source, seeds: Seeds, options: &Options) -> Result<SeedReport> {
        self.run_seeds(source, seeds, options, Which::All).await
    }

    /// Runs the seeds as a start does: those for development only where they were not applied as they are now. A demo company that was
    /// changed or deleted stays so.
    pub async fn seed_at_start(&self, source: &Source, seeds: Seeds, options: &Options) -> Result<SeedReport> {
        self.run_seeds(source, seeds, options, Which::New).await
    }

    async fn run_seeds(&self, source: &Source, seeds: Seeds, options: &Options, which: Which) -> Result<SeedReport> {
        let files = source.read()?;
        let session = &self.connect().await?;
        session.lock(options).await?;
        scale::heal(session, options).await?;
        let mut wanted = files.seed_system;
        if seeds == Seeds::Development {
            let applied = history::applied_seeds(session).await?;
            let is_new = |file: &File| applied.get(&file.path) != Some(&history::seed_checksum(file));
            wanted.extend(files.seed_development.into_iter().filter(|file| which == Which::All || is_new(file)));
        }
        let mut report = SeedReport::default();
        for file in &wanted {
            let (rows, _) = with_retries(options, || {
                Box::pin(async move {
                    session.begin(options).await?;
                    let result = Box::pin(one(session, file)).await;
                    let rows = session.or_rollback(result).await?;
                    session.commit().await.map(|()| rows)
                })
            })
            .await?;
            report.files.push((file.path.clone(), rows));
        }
        session.unlock().await?;
        Ok(report)
    }
}

/// Which of the wanted files run.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum Which {
    All,
    New,
}

/// Runs a file within its transaction, and writes down that it ran.
async fn one(session: &Session, file: &File) -> Result<u64> {
    // Rows that nobody entered have no author: they are told of in no audit and no timeline.
    session.client.batch_execute("set local app.unaudited = 'on'").await.map_err(error::query)?;
    guard::owner_sees_all(session, &file.path, 1).await?;
    let rows = apply::plain(session, file).await?;
    history::note_seed(session, file).await?;
    Ok(rows)
}
