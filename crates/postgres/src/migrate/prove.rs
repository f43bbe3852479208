//! Proves on a fresh database that every migration can be taken back and applied again.
//!
//! Invariant: the database it works on is its own: made here, and dropped whichever way the proof ends.

use kernel::Result;

use super::error;
use super::fingerprint::{self, Fingerprint};
use super::options::{Back, Options};
use super::report::ProofReport;
use super::run::Run;
use super::session::{Migrator, Session};
use super::source::{Files, Source};

impl Migrator {
    /// Applies each migration, takes it back, compares the schema with the one before, and applies it again; then takes all back
    /// with the code standing on it, and applies all again.
    pub async fn prove(&self, source: &Source, options: &Options) -> Result<ProofReport> {
        let files = source.read()?;
        let home = self.connect().await?;
        let name = format!("thorbis_proof_{}", uuid::Uuid::now_v7().simple());
        // The name is made of letters, digits and underscores only.
        home.client.batch_execute(&format!("create database {name} template template0")).await.map_err(error::query)?;
        let result = Box::pin(self.at_database(&name).prove_here(&files, options)).await;
        let dropped = home.client.batch_execute(&format!("drop database {name} with (force)")).await.map_err(error::query);
        let report = result?;
        dropped.map(|()| report)
    }

    async fn prove_here(&self, files: &Files, options: &Options) -> Result<ProofReport> {
        let session = self.connect().await?;
        let proof = Proof { session: &session, files, options };
        let reversible = proof.each().await?;
        let (objects, fingerprint) = proof.all().await?;
        Ok(ProofReport { reversible, objects, fingerprint })
    }
}

struct Proof<'a> {
    session: &'a Session,
    files: &'a Files,
    options: &'a Options,
}

impl Proof<'_> {
    async fn each(&self) -> Result<Vec<String>> {
        let mut reversible = Vec::new();
        let mut before = self.run(Some("0"), None).await?;
        for migration in &self.files.migrations {
            let version = Some(migration.version.as_str());
            let after = self.run(version, Some(&before)).await?;
            let back = self.down(&Back::Steps(1), Some(&after)).await?;
            same(&migration.up.path, "taken back, the schema is not what it was before", &back, &before)?;
            let again = self.run(version, Some(&back)).await?;
            same(&migration.up.path, "applied again, the schema is not what it was the first time", &again, &after)?;
            reversible.push(migration.version.clone());
            before = after;
        }
        Ok(reversible)
    }

    async fn all(&self) -> Result<(usize, String)> {
        let first = self.run(None, None).await?;
        let back = self.down(&Back::To("0".to_owned()), Some(&first)).await?;
        let second = self.run(None, Some(&back)).await?;
        same("migrations", "after all down and all up again the schema is another", &second, &first)?;
        Ok((first.len(), first.checksum()))
    }

    async fn run(&self, to: Option<&str>, found: Option<&Fingerprint>) -> Result<Fingerprint> {
        let options = Options { to: to.map(str::to_owned), batches_max: None, ..self.options.clone() };
        let run = Run { session: self.session, files: self.files, options: &options, found };
        Box::pin(run.up()).await?;
        self.left().await
    }

    async fn down(&self, back: &Back, found: Option<&Fingerprint>) -> Result<Fingerprint> {
        let run = Run { session: self.session, files: self.files, options: self.options, found };
        Box::pin(run.down(back)).await?;
        self.left().await
    }

    /// Returns what the schema is after a run, which has looked: nobody else is in this database.
    async fn left(&self) -> Result<Fingerprint> {
        match fingerprint::kept(self.session).await? {
            Some(kept) => Ok(kept),
            None => fingerprint::take(self.session).await,
        }
    }
}

fn same(file: &str, what: &str, now: &Fingerprint, before: &Fingerprint) -> Result<()> {
    let differences = now.differences(before);
    if differences.is_empty() {
        return Ok(());
    }
    let hint = "The .down.sql undoes exactly what the .up.sql does.";
    Err(error::refused(error::NOT_REVERSIBLE, format!("{file}: {what}: {}", differences.join(", ")), hint))
}
