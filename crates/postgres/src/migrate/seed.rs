//! Rows that belong to every installation, and rows for trying things out.
//!
//! Invariant: seeds are idempotent; development seeds run only when they are asked for by name.

use kernel::Result;

use super::error;
use super::options::Options;
use super::report::SeedReport;
use super::session::{Migrator, with_retries};
use super::source::Source;
use super::{apply, guard, scale};

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
        let files = source.read()?;
        let mut wanted = files.seed_system;
        if seeds == Seeds::Development {
            wanted.extend(files.seed_development);
        }
        let session = &self.connect().await?;
        session.lock(options).await?;
        // A scale seed that was killed left them off.
        let switched_on = scale::switch_on(session, options).await?;
        if switched_on > 0 {
            tracing::warn!(triggers = switched_on, "triggers were off and are on again");
        }
        let mut report = SeedReport::default();
        for file in &wanted {
            let (rows, _) = with_retries(options, || {
                Box::pin(async move {
                    session.begin(options).await?;
                    let result = async {
                        // Rows that nobody entered have no author: they are told of in no audit and no timeline.
                        session.client.batch_execute("set local app.unaudited = 'on'").await.map_err(error::query)?;
                        guard::owner_sees_all(session, &file.path, 1).await?;
                        apply::plain(session, file).await
                    };
                    let result = Box::pin(result).await;
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
