//! `thorbis backup create` and `thorbis restore` of a database of `DATABASE_URL`: dumps.
//!
//! Invariant: whoever dumps and restores is the owner's login, never a member of a company.

use std::process::ExitCode;

use jiff::Timestamp;
use operations::{Elsewhere, Vault};

use super::{CliError, backup, psql, say};
use crate::backups;
use crate::config::Settings;
use crate::start::{DataFolder, database};

/// Makes a dump now.
pub(super) async fn create(settings: &Settings) -> Result<ExitCode, CliError> {
    std::fs::create_dir_all(&settings.data_directory)?;
    let (vault, _) = Vault::open(&settings.backup, &settings.data_directory, true)?;
    let started_at = Timestamp::now();
    let made = Box::pin(operations::create_dump(&vault, &elsewhere(settings)?)).await;
    backup::write_down(settings, operations::backup_entry("manual", started_at, &made)).await;
    let manifest = made?;
    let (tables, rows): (usize, i64) = (manifest.rows.len(), manifest.rows.values().sum());
    let (id, bytes, key) = (&manifest.id, manifest.bytes(), &manifest.key_id);
    say(&format!("made {id}: {tables} tables with {rows} rows, counted twice; {bytes} bytes, sealed with the key {key}"))?;
    Ok(ExitCode::SUCCESS)
}

/// Restores a dump into the database of the settings, which has to be empty.
pub(super) async fn restore(settings: &Settings, key: &backup::Key, id: Option<&str>, source: Option<&str>) -> Result<ExitCode, CliError> {
    let vault = key.vault(settings)?;
    let _data = DataFolder::take(&settings.data_directory)?;
    let restored = Box::pin(operations::restore_dump(&vault, &elsewhere(settings)?, id, source)).await?;
    let (manifest, files) = (&restored.manifest, restored.files);
    let (tables, rows): (usize, i64) = (manifest.rows.len(), manifest.rows.values().sum());
    say(&format!("restored {}: {tables} tables with {rows} rows, as they were counted, and {files} files", manifest.id))?;
    say("next: thorbis migrate up, which gives the logins their rights to this database, then thorbis serve")?;
    Ok(ExitCode::SUCCESS)
}

fn elsewhere(settings: &Settings) -> Result<Elsewhere, CliError> {
    let login = database::external_config(settings)?;
    let url = settings.database.migrator_url.as_ref().or(settings.database.url.as_ref());
    let environment = psql::environment(settings, &login, url.map_or("", |url| url.expose().as_str()));
    Ok(backups::elsewhere(settings, login, environment))
}
