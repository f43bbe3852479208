//! `thorbis backup`.

use std::path::PathBuf;
use std::process::ExitCode;

use clap::{Args, Subcommand};
use jiff::Timestamp;
use operations::{BackupKind, Manifest, Original, RecoveryKey, Store, Target, Vault, Wanted};
use postgres::cluster::Cluster;

use super::own::Own;
use super::{CliError, dumps, say};
use crate::backups;
use crate::config::Settings;
use crate::start::{DataFolder, State, database, switch};

/// Make backups, see them, and prove that they can be restored
#[derive(Debug, Args)]
#[command(after_help = "\
Examples:
  thorbis backup create
  thorbis backup list")]
pub(super) struct Backup {
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// Make a backup now, beside those that the server makes by itself
    #[command(after_help = "Examples:\n  thorbis backup create")]
    Create,
    /// Print the backups there are, how far the log goes, named moments and the last drill
    #[command(after_help = "\
Examples:
  thorbis backup list
  thorbis backup list --recovery-key-file /run/recovery_key")]
    List {
        #[command(flatten)]
        key: Key,
    },
    /// Read a backup and all that a restore of it needs, and compare checksums; the newest if none is named
    ///
    /// Ends with 1 if anything is not as it was kept.
    #[command(after_help = "\
Examples:
  thorbis backup verify
  thorbis backup verify --deep")]
    Verify {
        /// The backup's name
        id: Option<String>,
        /// Restore it, too, into a folder that is taken away again, and start it there
        #[arg(long)]
        deep: bool,
        #[command(flatten)]
        key: Key,
    },
    /// Practise now: restore the newest backup beside the database and compare every table at one moment
    ///
    /// A dump is restored into a cluster of its own, and its rows are compared with what was counted when it was made. Ends with 1 if a
    /// table differs or nothing can be restored.
    #[command(after_help = "Examples:\n  thorbis backup drill")]
    Drill,
    /// Print the recovery key, without which no backup can be restored
    #[command(after_help = "Examples:\n  thorbis backup key")]
    Key,
}

/// Whose backups are opened, on a machine that did not make them.
#[derive(Debug, Args)]
pub(super) struct Key {
    /// The file with the recovery key, on a machine that does not have it
    #[arg(long, value_name = "FILE")]
    recovery_key_file: Option<PathBuf>,
}

impl Key {
    /// Opens the store of the settings with the key that was named, else with that of the data folder.
    pub(super) fn vault(&self, settings: &Settings) -> Result<Vault, CliError> {
        let Some(file) = &self.recovery_key_file else {
            return Ok(Vault::open(&settings.backup, &settings.data_directory, false)?.0);
        };
        let missing = || CliError::refused("recovery_key_missing", format!("there is no recovery key in {}", file.display()));
        let key = RecoveryKey::load(file)?.ok_or_else(missing)?;
        Ok(Vault { store: Store::open(&settings.backup, &settings.data_directory)?, key, config: settings.backup.clone() })
    }
}

impl Backup {
    pub(super) async fn run(&self, settings: &Settings) -> Result<ExitCode, CliError> {
        match &self.command {
            Command::Create if !settings.uses_private_cluster() => dumps::create(settings).await,
            Command::Create => create(settings).await,
            Command::List { key } => list(settings, &key.vault(settings)?).await,
            Command::Verify { deep: true, .. } if !settings.uses_private_cluster() => Err(elsewhere()),
            Command::Drill if !settings.uses_private_cluster() => dumps::drill(settings).await,
            Command::Verify { id, deep, key } => verify(settings, &key.vault(settings)?, id.as_deref(), *deep).await,
            Command::Drill => drill(settings).await,
            Command::Key => {
                say(Vault::open(&settings.backup, &settings.data_directory, true)?.0.key.text().expose())?;
                Ok(ExitCode::SUCCESS)
            }
        }
    }
}

/// Says what a dump is not enough for.
pub(super) fn elsewhere() -> CliError {
    let message = "the database of DATABASE_URL is dumped whole, and restored into an empty database; docs/backups.md says how";
    CliError::refused("backup_of_private_cluster_only", message)
}

/// A cluster that runs: the server's, or one that was started for the command.
struct Ground {
    vault: Vault,
    original: Original,
    own: Option<(Cluster, DataFolder)>,
}

impl Ground {
    async fn find(settings: &Settings) -> Result<Self, CliError> {
        let (vault, _) = Vault::open(&settings.backup, &settings.data_directory, true)?;
        if let Some(state) = State::of_running(&settings.data_directory)? {
            let programs = state.cluster.as_ref().map(|cluster| cluster.programs_folder.clone()).unwrap_or_default();
            let original = backups::original(settings, database::running_cluster(settings, &state)?, programs);
            return Ok(Self { vault, original, own: None });
        }
        let folder = DataFolder::take(&settings.data_directory)?;
        switch::settle(folder.path()).await?;
        let cluster = Box::pin(postgres::cluster::start(database::cluster_options(settings, folder.path()))).await?;
        let original = backups::original(settings, cluster.migrator_config(), cluster.status().facts.programs_folder);
        Ok(Self { vault, original, own: Some((cluster, folder)) })
    }

    async fn leave(self) -> Result<(), CliError> {
        if let Some((cluster, folder)) = self.own {
            cluster.stop().await?;
            drop(folder);
        }
        Ok(())
    }
}

/// Writes down what became of it, where the schema is there for that.
pub(super) async fn write_down(settings: &Settings, entry: operations::Entry) {
    let noted = async {
        let own = Own::connect(settings).await?;
        let outcome = own.run(None, "writes down what became of a backup", backups::note(entry)).await;
        own.leave().await?;
        outcome.map(drop).map_err(CliError::from)
    };
    if let Err(error) = Box::pin(noted).await {
        tracing::warn!(%error, "the backup could not be written down in backup_logs");
    }
}

async fn create(settings: &Settings) -> Result<ExitCode, CliError> {
    let ground = Ground::find(settings).await?;
    let started_at = Timestamp::now();
    let made = Box::pin(operations::create(&ground.vault, &ground.original)).await;
    ground.leave().await?;
    write_down(settings, operations::backup_entry("manual", started_at, &made)).await;
    let manifest = made?;
    say(&format!("made {}: {} bytes, sealed with the key {}", manifest.id, manifest.bytes(), manifest.key_id))?;
    Ok(ExitCode::SUCCESS)
}

async fn list(settings: &Settings, vault: &Vault) -> Result<ExitCode, CliError> {
    let catalog = operations::catalog(&vault.store, &vault.key, None).await?;
    let mut lines = vec![format!("backups in {}", vault.store.place())];
    lines.extend(catalog.backups.iter().map(line));
    lines.extend(catalog.unusable.iter().map(|unusable| format!("{}  not usable: {}", unusable.name, unusable.error.message())));
    lines.extend(catalog.unfinished.keys().map(|folder| format!("{folder}  not finished: the next backup takes it away")));
    for point in operations::checkpoints(vault, None).await? {
        lines.push(format!("recovery point        {}  {}", point.created_at, point.name));
    }
    if let Some(drill) = operations::last_drill(vault, None).await? {
        lines.push(drilled(&drill));
    } else {
        lines.push("last drill            none yet".to_owned());
    }
    lines.extend(dumps::no_drill(settings, catalog.backups.last()));
    say(&lines.join("\n"))?;
    Ok(ExitCode::SUCCESS)
}

fn drilled(drill: &operations::Drill) -> String {
    let (at, tables, rows, took) = (drill.started_at, drill.tables, drill.rows, drill.restore_ms);
    if let Some(error) = &drill.error {
        return format!("last drill            {at}  {} could not be restored: {error}", drill.backup);
    }
    let verdict = if drill.passed() { "all tables are the same".to_owned() } else { format!("different: {}", drill.different.join(", ")) };
    format!("last drill            {at}  {tables} tables, {rows} rows, restored in {took} ms: {verdict}")
}

fn line(manifest: &Manifest) -> String {
    let Manifest { id, kind, source, started_at, finished_at, major, .. } = manifest;
    let of = match kind {
        BackupKind::Base => "cluster",
        BackupKind::Dump => "dump of database",
    };
    format!("{id}  {of} {source}, PostgreSQL {major}, begun {started_at}, complete {finished_at}, {} bytes", manifest.bytes())
}

async fn verify(settings: &Settings, vault: &Vault, id: Option<&str>, deep: bool) -> Result<ExitCode, CliError> {
    let catalog = operations::catalog(&vault.store, &vault.key, None).await?;
    if let Some(unusable) = catalog.unusable.into_iter().find(|unusable| id.is_none_or(|id| unusable.name.contains(id))) {
        return Err(unusable.error.into());
    }
    let chosen = catalog.backups.into_iter().rfind(|manifest| id.is_none_or(|id| manifest.id == id));
    let missing = || CliError::refused("backup_not_found", "there is no such backup; thorbis backup list shows them");
    let manifest = chosen.ok_or_else(missing)?;
    let found = operations::verify(vault, &manifest).await?;
    let operations::Verified { parts, bytes, pieces, files } = found;
    say(&format!("{}: {parts} parts with {bytes} bytes, {pieces} pieces of the log, {files} files: all as kept", manifest.id))?;
    if deep {
        let folder = settings.data_directory.join(format!("verify-{}", Timestamp::now().as_millisecond()));
        let wanted = Wanted { target: Target::Latest, backup: Some(manifest.id.clone()), source: Some(manifest.source.clone()) };
        let restored = Box::pin(operations::restore(vault, &wanted, database::cluster_options(settings, &folder))).await;
        let outcome = match restored {
            Ok(restored) => {
                let took = restored.took;
                restored.cluster.stop().await.map(|()| took).map_err(CliError::from)
            }
            Err(error) => Err(error.into()),
        };
        super::restore::remove(&folder)?;
        say(&format!("{}: restored and started in {} ms", manifest.id, outcome?.as_millis()))?;
    }
    Ok(ExitCode::SUCCESS)
}

async fn drill(settings: &Settings) -> Result<ExitCode, CliError> {
    let ground = Ground::find(settings).await?;
    let started_at = Timestamp::now();
    let options = database::cluster_options(settings, &settings.data_directory);
    let practised = Box::pin(operations::drill(&ground.vault, &ground.original, &options)).await;
    ground.leave().await?;
    write_down(settings, operations::drill_entry(started_at, &practised)).await;
    let report = practised?;
    let operations::Drill { backup, tables, rows, restore_ms, log_ms, .. } = &report;
    say(&format!("restored {backup} in {restore_ms} ms; the log was kept after {log_ms} ms; compared {tables} tables with {rows} rows"))?;
    if report.passed() {
        say("all tables are the same")?;
        return Ok(ExitCode::SUCCESS);
    }
    say(&format!("different: {}", report.different.join(", ")))?;
    Ok(ExitCode::FAILURE)
}
