//! `thorbis backup create`, `thorbis backup drill` and `thorbis restore` of a database of `DATABASE_URL`: dumps.
//!
//! Invariant: whoever dumps and restores is the owner's login, never a member of a company.

use std::process::ExitCode;

use jiff::Timestamp;
use operations::{Drill, Manifest, Vault};

use super::{CliError, backup, say};
use crate::backups;
use crate::config::Settings;
use crate::start::{DataFolder, database};

/// Makes a dump now.
pub(super) async fn create(settings: &Settings) -> Result<ExitCode, CliError> {
    std::fs::create_dir_all(&settings.data_directory)?;
    let (vault, _) = Vault::open(&settings.backup, &settings.data_directory, true)?;
    let started_at = Timestamp::now();
    let made = Box::pin(operations::create_dump(&vault, &backups::elsewhere(settings)?)).await;
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
    let restored = Box::pin(operations::restore_dump(&vault, &backups::elsewhere(settings)?, id, source)).await?;
    let (manifest, files) = (&restored.manifest, restored.files);
    let (tables, rows): (usize, i64) = (manifest.rows.len(), manifest.rows.values().sum());
    say(&format!("restored {}: {tables} tables with {rows} rows, as they were counted, and {files} files", manifest.id))?;
    say("next: thorbis migrate up, which gives the logins their rights to this database, then thorbis serve")?;
    Ok(ExitCode::SUCCESS)
}

/// Says that restores of dumps cannot be practised here, if that is so.
pub(super) fn no_drill(settings: &Settings, newest: Option<&Manifest>) -> Option<String> {
    let newest = newest.filter(|_| !settings.uses_private_cluster())?;
    let error = operations::can_practise(settings.database.programs_directory.as_deref(), newest.major).err()?;
    Some(format!("no drill here         {} ({})", error.message(), error.code()))
}

/// Practises with the newest dump now.
pub(super) async fn drill(settings: &Settings) -> Result<ExitCode, CliError> {
    std::fs::create_dir_all(&settings.data_directory)?;
    let (vault, _) = Vault::open(&settings.backup, &settings.data_directory, true)?;
    let started_at = Timestamp::now();
    let options = database::cluster_options(settings, &settings.data_directory);
    let practised = Box::pin(operations::drill_dump(&vault, &backups::elsewhere(settings)?, &options)).await;
    backup::write_down(settings, operations::drill_entry(started_at, &practised)).await;
    let report = practised?;
    let Drill { backup, tables, rows, files, restore_ms, .. } = &report;
    if let Some(error) = &report.error {
        say(&format!("{backup} cannot be restored: {error}"))?;
        return Ok(ExitCode::FAILURE);
    }
    say(&format!("restored {backup} in {restore_ms} ms: {tables} tables with {rows} rows, as they were counted, and {files} files"))?;
    Ok(ExitCode::SUCCESS)
}
