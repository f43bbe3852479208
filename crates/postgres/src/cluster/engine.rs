//! Brings PostgreSQL up: makes the cluster, adopts a server that was left behind, or starts one.
//!
//! Invariant: a running server is adopted only if it is of exactly the installed version and has exactly the settings that a start
//! would give it; any other is stopped first. Whatever was spawned is in the caller's slot before the first wait, so that a start
//! that is given up loses no process.

use std::fs::File;
use std::path::Path;
use std::sync::Arc;
use std::time::Instant;

use tokio::task::spawn_blocking;
use tokio::time::sleep;

use super::account::Account;
use super::layout::{Layout, Passwords};
use super::postmaster::{Postmaster, end_leftovers, last_words};
use super::programs::Programs;
use super::settings::Configuration;
use super::{ClusterError, ClusterFacts, ClusterOptions, initdb, logins, machine};

/// Everything that a start needs, and the lock on the data folder.
pub(super) struct Engine {
    pub(super) options: ClusterOptions,
    pub(super) account: Account,
    pub(super) layout: Layout,
    pub(super) passwords: Passwords,
    _lock: File,
}

/// What is decided before a start.
pub(super) struct Plan {
    pub(super) programs: Programs,
    settings: Configuration,
}

impl Engine {
    /// Decides who PostgreSQL runs as, makes the folders, takes the lock, reads the passwords.
    pub(super) async fn prepare(options: ClusterOptions) -> Result<Arc<Self>, ClusterError> {
        blocking(move || {
            let account = Account::choose(&options.os_user)?;
            let (layout, lock) = Layout::prepare(&options.data_folder, &account)?;
            let passwords = layout.passwords()?;
            Ok(Arc::new(Self { options, account, layout, passwords, _lock: lock }))
        })
        .await
    }

    /// Returns with PostgreSQL running in `slot`, ready, with its database and login.
    pub(super) async fn bring_up(self: &Arc<Self>, slot: &mut Option<Postmaster>) -> Result<ClusterFacts, ClusterError> {
        let engine = Arc::clone(self);
        let plan = blocking(move || engine.plan()).await?;
        let cluster = &self.layout.cluster;
        let adopted = match Postmaster::find(cluster) {
            Some(found) => self.adopt(slot.insert(found), &plan).await?,
            None => None,
        };
        let was_adopted = adopted.is_some();
        let version = if let Some(version) = adopted {
            version
        } else {
            end_leftovers(cluster).await;
            plan.settings.write(cluster, &self.account)?;
            let postmaster = slot.insert(Postmaster::spawn(&plan.programs, &self.account, &self.layout)?);
            self.wait_until_ready(postmaster).await?
        };
        let administration = logins::superuser(&self.layout, &self.passwords, "postgres");
        logins::ensure(&administration, &self.options.database, &self.options.server_login, &self.passwords).await?;
        Ok(ClusterFacts {
            version,
            programs_folder: plan.programs.folder,
            data_folder: self.layout.cluster.clone(),
            log_folder: self.layout.log.clone(),
            socket_folder: self.layout.socket.clone(),
            os_user: self.account.name.clone(),
            pid: slot.as_ref().map_or(0, Postmaster::pid),
            adopted: was_adopted,
            degraded: plan.settings.degraded,
        })
    }

    /// Finds the programs and makes the cluster if there is none.
    pub(super) fn plan(&self) -> Result<Plan, ClusterError> {
        let major = self.layout.major()?;
        let wanted = major.map(|major| (major, self.layout.cluster.as_path()));
        let search_path = std::env::var_os("PATH");
        let programs = Programs::find(self.options.programs_folder.as_deref(), search_path.as_deref(), wanted)?;
        let machine = self.options.machine.unwrap_or_else(|| machine::look(self.options.memory_share_percent));
        let settings = Configuration::compose(&self.layout, &programs, machine, &self.options);
        if major.is_none() {
            let started = Instant::now();
            initdb::make(&self.layout, &self.account, &programs, &self.passwords, &settings)?;
            let folder = self.layout.cluster.display();
            tracing::info!(%folder, version = programs.version, duration_ms = started.elapsed().as_millis(), "made a PostgreSQL cluster");
        }
        Ok(Plan { programs, settings })
    }

    /// Returns the version of a server that was left behind and may stay; stops one that may not.
    async fn adopt(&self, found: &mut Postmaster, plan: &Plan) -> Result<Option<String>, ClusterError> {
        let (pid, cluster) = (found.pid(), &self.layout.cluster);
        if plan.settings.is_in(cluster) {
            match self.wait_until_ready(found).await {
                Ok(version) if version == plan.programs.version => {
                    tracing::info!(pid, version, "adopted PostgreSQL, left running by a server that was killed");
                    return Ok(Some(version));
                }
                Ok(version) => {
                    tracing::info!(pid, running = version, installed = plan.programs.version, "PostgreSQL was upgraded under its feet");
                }
                // An upgrade can leave a server that takes no new sessions: that is no reason to give up, but to restart it.
                Err(error) => tracing::warn!(pid, %error, "the PostgreSQL that was left running cannot be used"),
            }
        }
        tracing::info!(pid, "stopping the PostgreSQL that was left running");
        found.stop(cluster, self.options.stop_timeout).await?;
        Ok(None)
    }

    /// Waits until a superuser can sign in, and returns the version that the server names.
    async fn wait_until_ready(&self, postmaster: &mut Postmaster) -> Result<String, ClusterError> {
        let (cluster, log) = (&self.layout.cluster, &self.layout.log);
        let config = logins::superuser(&self.layout, &self.passwords, "postgres");
        let deadline = Instant::now() + self.options.startup_timeout;
        while Instant::now() < deadline {
            if !postmaster.is_alive(cluster) {
                return Err(ClusterError::DidNotStart { output: last_words(log) });
            }
            if postmaster.is_ready(cluster) {
                match logins::version(&config).await {
                    Ok(version) => return Ok(version),
                    Err(source) if !is_passing(&source) => return Err(ClusterError::Setup { step: "signing in", source }),
                    Err(_not_yet) => {}
                }
            }
            sleep(self.options.poll_interval.min(super::READY_POLL)).await;
        }
        Err(ClusterError::StartTimeout { seconds: self.options.startup_timeout.as_secs(), log: log.clone() })
    }

    /// Returns the installed version, if the folder still has programs of the cluster's major version that are not of the running one.
    pub(super) async fn newer_programs(&self, folder: &Path, running: &str) -> Option<String> {
        let folder = folder.to_owned();
        let installed = spawn_blocking(move || Programs::inspect(&folder)).await.ok()??;
        let is_other = installed.version != running && self.layout.major().ok()? == Some(installed.major);
        is_other.then_some(installed.version)
    }
}

/// Tells an error that waiting can heal: no socket yet, starting up, shutting down, no connection left.
fn is_passing(error: &tokio_postgres::Error) -> bool {
    error.code().is_none_or(|code| matches!(code.code(), "57P03" | "57P01" | "57P02" | "53300"))
}

/// Runs work that blocks where it holds up nobody.
async fn blocking<T: Send + 'static>(work: impl FnOnce() -> Result<T, ClusterError> + Send + 'static) -> Result<T, ClusterError> {
    spawn_blocking(work).await.unwrap_or(Err(ClusterError::Interrupted))
}
