//! `thorbis upgrade-cluster`.
//!
//! Invariant: the old cluster stays in place, whole, until the new one was started and has every row of it. Then both change their places
//! as a restore does, which whoever takes the data folder next finishes if it was cut off.

use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::time::{Duration, Instant};

use clap::Args;
use jiff::Timestamp;
use operations::Vault;
use postgres::cluster::{self, ClusterOptions, UpgradePlan};
use postgres::sums::{self, Sums};

use super::{CliError, say};
use crate::backups::Moments;
use crate::config::Settings;
use crate::start::{DataFolder, StartError, database, switch, write_private};

/// What the folder begins with that keeps the cluster of before.
const ASIDE: &str = "before-upgrade-";
/// The passwords of the cluster, which stay.
const PASSWORDS: &[&str] = &["secrets/postgres_superuser", "secrets/postgres_server"];
/// How long the sums of one table may take.
const SUM_TIME: Duration = Duration::from_hours(6);
/// Tables that an error names.
const NAMED_MAX: usize = 10;
/// Bytes in a unit that people read.
const MB: u64 = 1_000_000;

/// Bring the private cluster to a newer major version of PostgreSQL; the old one is kept aside
///
/// The server has to be stopped. The rows are copied by `pg_upgrade`, and every table is compared before the new cluster takes the old one's
/// place. Cut off at any moment it can be run again.
#[derive(Debug, Args)]
#[command(after_help = "\
Examples:
  thorbis upgrade-cluster
  thorbis upgrade-cluster --to-bin /usr/lib/postgresql/18/bin --yes")]
pub(super) struct UpgradeCluster {
    /// The folder of the programs that the cluster is of; looked for if not named
    #[arg(long, value_name = "DIR")]
    from_bin: Option<PathBuf>,
    /// The folder of the programs that it is to be of; the newest that is installed if not named
    #[arg(long, value_name = "DIR")]
    to_bin: Option<PathBuf>,
    /// Yes, do it
    #[arg(long)]
    yes: bool,
}

impl UpgradeCluster {
    pub(super) async fn run(self, settings: Settings) -> Result<ExitCode, CliError> {
        if !settings.uses_private_cluster() {
            let message = "the database of DATABASE_URL is upgraded by whoever runs it; this command is for the cluster of the data folder";
            return Err(CliError::refused("upgrade_of_private_cluster_only", message));
        }
        let folder = DataFolder::take(&settings.data_directory)?;
        let settings = Settings { data_directory: folder.path().to_owned(), ..settings };
        switch::settle(folder.path()).await?;
        let named = self.from_bin.as_deref().or(settings.database.programs_directory.as_deref());
        let plan = cluster::plan_upgrade(folder.path(), named, self.to_bin.as_deref()).map_err(CliError::Upgrade)?;
        let aside = folder.path().join(format!("{ASIDE}{}-{}", plan.majors.0, Timestamp::now().strftime("%Y%m%dT%H%M%SZ")));
        say(&told(&plan, folder.path(), &aside))?;
        if !self.yes {
            return Err(CliError::refused("upgrade_not_confirmed", "nothing was done; say --yes to do it"));
        }
        let begun = Instant::now();
        let upgrade = Upgrade { settings: &settings, data: folder.path(), plan: &plan };
        let (tables, rows) = Box::pin(upgrade.carry_out(&aside)).await?;
        say(&format!(
            "the cluster is of PostgreSQL {} now, after {} s: {tables} tables with {rows} rows are the same",
            plan.to_version,
            begun.elapsed().as_secs()
        ))?;
        say(&format!("the old one is in {}: remove it when you need no way back (docs/deployment.md)", aside.display()))?;
        if settings.database.programs_directory.is_some() {
            say(&format!("set database.programs_directory to {}, or take it away, before the next start", plan.to_folder.display()))?;
        }
        Ok(ExitCode::SUCCESS)
    }
}

fn told(plan: &UpgradePlan, data: &Path, aside: &Path) -> String {
    format!(
        "from PostgreSQL {} ({})\n  to PostgreSQL {} ({})\n  of {}, with {} MB beside it until you remove {}",
        plan.from_version,
        plan.from_folder.display(),
        plan.to_version,
        plan.to_folder.display(),
        data.display(),
        plan.bytes_needed.div_ceil(MB),
        aside.display(),
    )
}

/// One upgrade, from its plan to the new cluster in its place.
struct Upgrade<'a> {
    settings: &'a Settings,
    data: &'a Path,
    plan: &'a UpgradePlan,
}

impl Upgrade<'_> {
    /// Returns how many tables and rows are the same.
    async fn carry_out(&self, aside: &Path) -> Result<(usize, i64), CliError> {
        let before = self.look_before().await?;
        let stage = self.data.join(format!("{}{}", switch::UPGRADE, self.plan.majors.1));
        let compared = Box::pin(self.make_new(&stage, &before)).await;
        let compared = match compared {
            Ok(compared) => compared,
            Err(error) => {
                // Else whoever takes the folder next does it; the error that counts is the first one.
                if let Err(second) = cluster::forget_stage(self.data, &stage).await {
                    tracing::error!(error = %second, "what was made of the new cluster could not be taken away");
                }
                return Err(error);
            }
        };
        switch::switch_cluster(self.data, &stage, aside)?;
        Ok(compared)
    }

    fn old_options(&self) -> ClusterOptions {
        ClusterOptions { programs_folder: Some(self.plan.from_folder.clone()), ..database::cluster_options(self.settings, self.data) }
    }

    /// The log of the new cluster is kept from its first start in its place on, when its first backup begins a chain of its own.
    fn new_options(&self, stage: &Path) -> ClusterOptions {
        let mut options = database::cluster_options(self.settings, stage);
        options.programs_folder = Some(self.plan.to_folder.clone());
        options.archive_piece = None;
        options
    }

    /// Starts the old cluster, names a moment to come back to, and looks at every table.
    async fn look_before(&self) -> Result<Sums, CliError> {
        let old = Box::pin(cluster::start(self.old_options())).await?;
        let looked = async {
            if let Some(moments) = Moments::of(self.settings, &old) {
                let named = moments.name(&format!("before-postgresql-{}", self.plan.majors.1)).await?;
                let (source, _) = sums::identity(&old.migrator_config()).await?;
                say(&format!("named {named}: thorbis restore --to-checkpoint {named} --cluster {source} goes back"))?;
            }
            let (source, _) = sums::identity(&old.migrator_config()).await?;
            Ok::<_, CliError>((sums::sums(&old.migrator_config(), false, SUM_TIME).await?, source))
        };
        let looked = Box::pin(looked).await;
        old.stop().await?;
        let (before, source) = looked?;
        if self.settings.backup.enabled {
            // The end of the log is of the old cluster's chain. What does not come into the store stays with the old folder.
            let (vault, _) = Vault::open(&self.settings.backup, self.data, true)?;
            if let (_, Err(error)) = operations::ship(&vault, &source, self.data).await {
                tracing::warn!(code = error.code(), "the end of the log stays in the old folder: {}", error.message());
            }
        }
        Ok(before)
    }

    /// Makes the new cluster in the stage, starts it once, and compares every table.
    async fn make_new(&self, stage: &Path, before: &Sums) -> Result<(usize, i64), CliError> {
        let made = |path: PathBuf| move |source| StartError::File { path, source };
        fs::create_dir_all(stage.join("secrets")).map_err(made(stage.to_owned()))?;
        for name in PASSWORDS {
            let (here, there) = (self.data.join(name), stage.join(name));
            let password = fs::read_to_string(&here).map_err(made(here))?;
            write_private(&there, &password)?;
        }
        cluster::copy_to_new_major(self.old_options(), self.new_options(stage)).await.map_err(CliError::Upgrade)?;
        let new = Box::pin(cluster::start(self.new_options(stage))).await?;
        let looked = async {
            cluster::freshen(&new.migrator_config()).await?;
            Ok::<_, CliError>(sums::sums(&new.migrator_config(), false, SUM_TIME).await?)
        };
        let looked = Box::pin(looked).await;
        new.stop().await?;
        let after = looked?;
        let names: BTreeSet<&String> = before.tables.keys().chain(after.tables.keys()).collect();
        let different = names.iter().filter(|name| before.tables.get(**name) != after.tables.get(**name));
        let different: Vec<&str> = different.map(|name| name.as_str()).take(NAMED_MAX).collect();
        if !different.is_empty() {
            let message = format!("the new cluster does not have what the old one has, which stays in its place: {}", different.join(", "));
            return Err(CliError::refused("upgrade_differs", message));
        }
        Ok((names.len(), after.tables.values().map(|table| table.rows).sum()))
    }
}
