//! Rows that belong to every installation, and rows for trying things out.
//!
//! Invariant: seeds are idempotent; development seeds run only when they are asked for by name.

use kernel::Result;

use super::options::Options;
use super::report::SeedReport;
use super::session::{Migrator, with_retries};
use super::source::Source;
use super::{apply, guard};

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
        let mut report = SeedReport::default();
        for file in &wanted {
            let (rows, _) = with_retries(options, || {
                Box::pin(async move {
                    session.begin(options).await?;
                    let result = async {
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
