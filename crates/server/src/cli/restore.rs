//! `thorbis restore`.

use std::fs;
use std::io::{self, Write};
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::time::Duration;

use clap::Args;
use jiff::Timestamp;
use operations::{Target, Vault, Wanted};

use super::{CliError, backup, dumps, say};
use crate::config::Settings;
use crate::start::{DataFolder, StartError, database, switch};

/// What the folder begins with in which a restore works.
const STAGE: &str = "restore-";
/// What the folder begins with that keeps what was there before.
const ASIDE: &str = "before-restore-";
const STOP_TIME: Duration = Duration::from_mins(1);

/// Restore a backup, to the second; what is there is kept aside
///
/// Nothing is changed until what was restored is complete and was started once. The server has to be stopped.
#[derive(Debug, Args)]
#[command(group(clap::ArgGroup::new("target").required(true).args(["latest", "to", "to_checkpoint"])))]
#[command(after_help = "\
Examples:
  thorbis restore --latest
  thorbis restore --to 2026-11-22T14:05:00Z
  thorbis restore --to-checkpoint before-import --into /srv/thorbis-then")]
pub(super) struct Restore {
    /// Restore all that was kept
    #[arg(long)]
    latest: bool,
    /// Restore what was committed until this moment
    #[arg(long, value_name = "TIME")]
    to: Option<Timestamp>,
    /// Restore what was committed before a recovery point was named
    #[arg(long, value_name = "NAME")]
    to_checkpoint: Option<String>,
    /// Begin with this backup, not with the newest before the moment
    #[arg(long, value_name = "BACKUP")]
    backup: Option<String>,
    /// The cluster's number, where the store has backups of several
    #[arg(long, value_name = "NUMBER")]
    cluster: Option<String>,
    /// Make a data folder of its own here, and leave the server's alone
    #[arg(long, value_name = "DIR")]
    into: Option<PathBuf>,
    #[command(flatten)]
    key: backup::Key,
}

impl Restore {
    pub(super) async fn run(self, settings: Settings) -> Result<ExitCode, CliError> {
        if !settings.uses_private_cluster() {
            let is_whole = self.latest && self.into.is_none();
            let (id, source) = (self.backup.as_deref(), self.cluster.as_deref());
            return if is_whole { dumps::restore(&settings, &self.key, id, source).await } else { Err(backup::elsewhere()) };
        }
        let target = match (&self.to, &self.to_checkpoint) {
            (Some(time), _) => Target::Time(*time),
            (_, Some(name)) => Target::Checkpoint(name.clone()),
            _ => Target::Latest,
        };
        let vault = self.key.vault(&settings)?;
        let wanted = Wanted { target, backup: self.backup.clone(), source: self.cluster.clone() };
        match &self.into {
            Some(folder) => into(&vault, &wanted, &settings, folder).await,
            None => in_place(&vault, &wanted, &settings).await,
        }
    }
}

/// Restores into a folder that is not there, or is empty.
async fn into(vault: &Vault, wanted: &Wanted, settings: &Settings, folder: &Path) -> Result<ExitCode, CliError> {
    let folder = std::path::absolute(folder)?;
    if fs::read_dir(&folder).is_ok_and(|mut entries| entries.next().is_some()) {
        return Err(CliError::refused("folder_not_empty", format!("{} is there and not empty", folder.display())));
    }
    let parent = folder.parent().unwrap_or(Path::new("/"));
    let stage = parent.join(format!("{STAGE}{}", Timestamp::now().as_millisecond()));
    let sentence = stage_restore(vault, wanted, settings, &stage).await?;
    if folder.try_exists()? {
        fs::remove_dir(&folder)?;
    }
    fs::rename(&stage, &folder)?;
    say(&format!("{sentence}\nit is in {}: thorbis serve --data {}", folder.display(), folder.display()))?;
    Ok(ExitCode::SUCCESS)
}

/// Restores in place of what is there.
async fn in_place(vault: &Vault, wanted: &Wanted, settings: &Settings) -> Result<ExitCode, CliError> {
    let data = DataFolder::take(&settings.data_directory)?;
    switch::settle(data.path()).await?;
    if postgres::cluster::runs_in(data.path()) {
        let message = "the PostgreSQL of a server that was killed still runs here: start the server and stop it, then restore";
        return Err(CliError::refused("postgresql_running", message));
    }
    for entry in fs::read_dir(data.path())?.flatten() {
        if entry.file_name().to_string_lossy().starts_with(STAGE) && entry.path().is_dir() {
            // A restore that was killed may have left its PostgreSQL.
            postgres::cluster::end_in(&entry.path(), STOP_TIME).await?;
            remove(&entry.path())?;
        }
    }
    let now = Timestamp::now();
    let stage = data.path().join(format!("{STAGE}{}", now.as_millisecond()));
    let sentence = stage_restore(vault, wanted, settings, &stage).await?;
    let aside = data.path().join(format!("{ASIDE}{}", now.strftime("%Y%m%dT%H%M%SZ")));
    switch::switch(data.path(), &stage, &aside)?;
    say(&format!("{sentence}\nwhat was there before is in {}", aside.display()))?;
    if let Some(file) = &settings.key_ring_file {
        say(&format!(
            "the keys of the backup are in {}; {} was left alone",
            settings.in_data_directory("keys.json").display(),
            file.display()
        ))?;
    }
    if let Some(folder) = &settings.blobs.directory {
        say(&format!("files are in {}; {} was left alone", settings.in_data_directory("files").display(), folder.display()))?;
    }
    Ok(ExitCode::SUCCESS)
}

/// Restores into a new folder, starts it once, and gives it the recovery key. Returns what to say of it.
async fn stage_restore(vault: &Vault, wanted: &Wanted, settings: &Settings, stage: &Path) -> Result<String, CliError> {
    let restored = match Box::pin(operations::restore(vault, wanted, database::cluster_options(settings, stage))).await {
        Ok(restored) => restored,
        Err(error) => {
            postgres::cluster::end_in(stage, STOP_TIME).await?;
            remove(stage)?;
            return Err(error.into());
        }
    };
    let (id, pieces, files, took) = (restored.manifest.id.clone(), restored.pieces, restored.files, restored.took);
    operations::settle(restored, stage).await?;
    let path = stage.join("secrets/recovery_key");
    let write = || {
        let mut file = fs::OpenOptions::new().write(true).create(true).truncate(true).mode(0o600).open(&path)?;
        file.write_all(vault.key.text().expose().as_bytes())?;
        file.sync_all()
    };
    write().map_err(|source| StartError::File { path: path.clone(), source })?;
    Ok(format!("restored {id} with {pieces} pieces of the log and {files} files in {} ms", took.as_millis()))
}

/// Takes a folder away, if it is there.
pub(super) fn remove(folder: &Path) -> Result<(), CliError> {
    match fs::remove_dir_all(folder) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => Err(StartError::File { path: folder.to_owned(), source: error }.into()),
        Ok(()) | Err(_) => Ok(()),
    }
}
