//! `thorbis companies export`, `import` and `deletion-proof`.
//!
//! Invariant: they work as the owner of the tables, who sees every row, over the migrator's login; the server's login could not.

use std::path::PathBuf;
use std::process::ExitCode;
use std::sync::Arc;

use archives::Manifest;
use blobs::Files;
use clap::Args;
use kernel::{BlobPrefix, Blobs, CompanyId};
use postgres::migrate::Migrator;
use postgres::migrate::company::Removal;

use super::place::Place;
use super::{CliError, say};
use crate::config::Settings;
use crate::start::database;

/// Files of a company that are looked for.
const FILES_SHOWN: usize = 1000;

#[derive(Debug, Args)]
pub(super) struct Export {
    /// The company's slug or id
    company: String,
    /// The archive to make; a file that is there is not replaced
    #[arg(long, value_name = "FILE")]
    to: PathBuf,
    /// Put the hashes of passwords in, so that members can sign in without recovery
    #[arg(long)]
    with_passwords: bool,
}

#[derive(Debug, Args)]
pub(super) struct Import {
    /// The archive
    file: PathBuf,
    /// Give every row a new id, so that the company can stand beside the one it was copied from
    #[arg(long)]
    new_ids: bool,
    /// Another slug than it had
    #[arg(long, value_name = "SLUG")]
    as_slug: Option<String>,
}

#[derive(Debug, Args)]
pub(super) struct DeletionProof {
    /// The company's id; its slug says nothing once it is gone
    company: String,
}

impl Export {
    pub(super) async fn run(&self, settings: &Settings) -> Result<ExitCode, CliError> {
        say(&in_place(settings, async |migrator| self.work(migrator, settings).await).await?)?;
        Ok(ExitCode::SUCCESS)
    }

    async fn work(&self, migrator: &Migrator, settings: &Settings) -> Result<String, CliError> {
        let reader = migrator.read_company(&self.company, &database::migrate_options(settings)?).await?;
        let (manifest, bytes) = archives::export(&reader, &files(settings)?, &self.to, self.with_passwords, &settings.archives).await?;
        let mut lines =
            vec![format!("exported {} ({}) to {}: {bytes} bytes", reader.company().slug, reader.company().id, self.to.display())];
        lines.push(contents(&manifest));
        lines.extend(manifest.to_make_again.iter().map(|(table, rows)| format!("not in it, to be made again: {rows} rows of {table}")));
        Ok(lines.join("\n"))
    }
}

impl Import {
    pub(super) async fn run(&self, settings: &Settings) -> Result<ExitCode, CliError> {
        say(&in_place(settings, async |migrator| self.work(migrator, settings).await).await?)?;
        Ok(ExitCode::SUCCESS)
    }

    async fn work(&self, migrator: &Migrator, settings: &Settings) -> Result<String, CliError> {
        let wanted = archives::Import {
            path: &self.file,
            new_ids: self.new_ids,
            slug: self.as_slug.as_deref(),
            rescans: settings.storage.scan.address.is_some(),
            config: &settings.archives,
        };
        let imported = archives::import(migrator, &files(settings)?, &wanted, &database::migrate_options(settings)?).await?;
        let archives::Imported { company, manifest, accounts_found, accounts_made } = imported;
        let mut lines = vec![format!("imported {} ({}): {}", company.slug, company.id, company.name), contents(&manifest)];
        lines.push("counts and checksums of all tables and files are those of the manifest".to_owned());
        lines.push(format!("accounts: {accounts_found} were here, {accounts_made} were made"));
        lines.extend(manifest.to_make_again.iter().map(|(table, rows)| format!("to be made again: {rows} rows of {table}")));
        Ok(lines.join("\n"))
    }
}

impl DeletionProof {
    pub(super) async fn run(&self, settings: &Settings) -> Result<ExitCode, CliError> {
        let (text, is_proved) = in_place(settings, async |migrator| self.work(migrator, settings).await).await?;
        say(&text)?;
        Ok(if is_proved { ExitCode::SUCCESS } else { ExitCode::FAILURE })
    }

    async fn work(&self, migrator: &Migrator, settings: &Settings) -> Result<(String, bool), CliError> {
        let (id, removal) = migrator.look_for_company(&self.company, &database::migrate_options(settings)?).await?;
        let Some(id) = id else {
            let message = "no company has this slug; one that is gone is named by its id";
            return Err(CliError::refused("company_not_found", message));
        };
        let kept = files(settings)?.list(&BlobPrefix::company(CompanyId(id)), None, FILES_SHOWN).await?;
        let is_proved = removal.is_proved() && kept.is_empty();
        let mut lines = told(&removal);
        lines.push(format!("{} tables were looked at for {id}: {} have rows with it", removal.tables, removal.remains.len()));
        lines.extend(removal.unread.iter().map(|table| format!("not looked at, since its owner does not let us: {table}")));
        lines.extend(removal.remains.iter().map(|left| format!("{:>8} rows of {}", left.rows, left.table)));
        lines.extend(removal.audit.iter().map(|left| format!("{:>8} rows of {}: the audit outlives its company", left.rows, left.table)));
        let count = if kept.len() < FILES_SHOWN { kept.len().to_string() } else { format!("{FILES_SHOWN} or more") };
        lines.push(format!("files of the company: {count}"));
        let is_found = removal.still_there_until.is_some() || !removal.remains.is_empty() || !kept.is_empty();
        lines.push(match (is_proved, is_found) {
            (true, _) => "nothing of it is left".to_owned(),
            (false, true) => "something of it is left".to_owned(),
            (false, false) => "nothing was found, and nothing is proved".to_owned(),
        });
        Ok((lines.join("\n"), is_proved))
    }
}

/// Does something at the database, which goes again if it was started for that.
async fn in_place<T>(settings: &Settings, work: impl AsyncFnOnce(&Migrator) -> Result<T, CliError>) -> Result<T, CliError> {
    let place = Place::find(settings).await?;
    let outcome = Box::pin(work(place.migrator())).await;
    place.leave().await?;
    outcome
}

fn told(removal: &Removal) -> Vec<String> {
    let mut lines = Vec::new();
    match removal.still_there_until.as_deref() {
        Some("") => lines.push("the company is open".to_owned()),
        Some(until) => lines.push(format!("the company is closed, and can be brought back until {until}")),
        None => {}
    }
    match (&removal.closed_at, &removal.removed_at) {
        (closed, Some(removed)) => {
            let closed = closed.as_deref().unwrap_or("at a time that is not known");
            lines.push(format!("closed {closed}, gone for good {removed}"));
        }
        (_, None) if removal.still_there_until.is_none() => lines.push("nothing is noted of such a company".to_owned()),
        (_, None) => {}
    }
    lines
}

fn contents(manifest: &Manifest) -> String {
    let tables = manifest.tables.values().filter(|table| table.rows > 0).count();
    let (files, bytes) = (manifest.files.len(), manifest.file_bytes());
    format!("{} rows of {tables} tables, {files} files with {bytes} bytes, {} accounts", manifest.rows(), manifest.accounts)
}

/// Returns the store that the server has its files in.
fn files(settings: &Settings) -> Result<Arc<dyn Blobs>, CliError> {
    Ok(Arc::new(Files::new(settings.blobs_directory(), &settings.blobs)?))
}
