//! A private PostgreSQL cluster: made, started, kept running and stopped by the server, with nothing to configure.
//!
//! Invariant: it lives in the product's data folder alone and touches no other cluster of the machine. It is reachable only over a
//! unix socket in a folder of its own user, with a password. A server that was killed leaves it running; the next start takes it
//! over. Each start of PostgreSQL writes the settings anew.

mod account;
mod engine;
mod error;
mod initdb;
mod layout;
mod logins;
mod machine;
mod postmaster;
mod programs;
mod settings;
mod supervise;
mod tuning;
mod upgrade;

use std::fs;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use serde::Serialize;
use tokio::sync::watch;
use tokio::task::JoinHandle;
use tokio_postgres::Config;
use tokio_util::sync::CancellationToken;

pub use error::ClusterError;
pub use programs::VERSION_MIN;
pub use tuning::Machine;
pub use upgrade::{UpgradePlan, copy_to_new_major, forget_stage, freshen, plan_upgrade};

use account::Account;
use engine::Engine;
use postmaster::Postmaster;
use supervise::Supervisor;

/// How often a starting server is asked whether it is ready.
const READY_POLL: Duration = Duration::from_millis(20);

/// How the cluster is to run. The defaults are those of production.
#[derive(Clone, Debug)]
pub struct ClusterOptions {
    /// The product's data folder; the cluster is in `postgres` below it.
    pub data_folder: PathBuf,
    /// The folder of `initdb` and `postgres`; looked for if not set.
    pub programs_folder: Option<PathBuf>,
    /// The user that PostgreSQL runs as when we are root.
    pub os_user: String,
    /// The database.
    pub database: String,
    /// The login of the server.
    pub server_login: String,
    /// How much of the memory the cluster may count on, in percent.
    pub memory_share_percent: u32,
    /// Memory and cores to count on, instead of what this machine has.
    pub machine: Option<Machine>,
    /// Whether pieces of the log are put into `postgres/archive` for a backup to keep, and after how long one that is not full.
    pub archive_piece: Option<Duration>,
    /// Settings over ours.
    pub extra_settings: Vec<(String, String)>,
    /// How long a start may take, repairs after a crash included.
    pub startup_timeout: Duration,
    /// How long PostgreSQL gets to stop in order.
    pub stop_timeout: Duration,
    /// How often the supervisor looks whether PostgreSQL lives.
    pub poll_interval: Duration,
    /// How often it looks whether the installed programs changed.
    pub version_interval: Duration,
}

impl ClusterOptions {
    /// Returns the defaults for a data folder.
    pub fn new(data_folder: impl Into<PathBuf>) -> Self {
        Self {
            data_folder: data_folder.into(),
            programs_folder: None,
            os_user: "postgres".to_owned(),
            database: "thorbis".to_owned(),
            server_login: "thorbis_server".to_owned(),
            memory_share_percent: 100,
            machine: None,
            archive_piece: None,
            extra_settings: vec![],
            startup_timeout: Duration::from_mins(5),
            stop_timeout: Duration::from_mins(1),
            poll_interval: Duration::from_millis(200),
            version_interval: Duration::from_secs(10),
        }
    }
}

/// What is running, for `thorbis status`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct ClusterFacts {
    /// `15.18 (Debian 15.18-0+deb12u1)`.
    pub version: String,
    /// Where its programs are.
    pub programs_folder: PathBuf,
    /// PostgreSQL's data folder.
    pub data_folder: PathBuf,
    /// Its logs.
    pub log_folder: PathBuf,
    /// Its socket's folder.
    pub socket_folder: PathBuf,
    /// Who it runs as.
    pub os_user: String,
    /// The postmaster.
    pub pid: i32,
    /// Whether it was left running by a killed server and taken over.
    pub adopted: bool,
    /// What is worse than it should be, in sentences.
    pub degraded: Vec<String>,
}

/// How the cluster is.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case", tag = "state")]
pub enum ClusterState {
    /// It takes connections.
    Running,
    /// It is being started again.
    Restarting {
        /// Why.
        reason: String,
    },
    /// It could not be started, and is tried again and again.
    Down {
        /// The error's stable code.
        code: &'static str,
        /// The error.
        message: String,
    },
}

/// State and facts at one moment.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct ClusterStatus {
    /// How it is.
    #[serde(flatten)]
    pub state: ClusterState,
    /// What is running, or was last.
    pub facts: ClusterFacts,
}

/// The running cluster. Dropped without [`Cluster::stop`], it is asked to stop but not waited for.
pub struct Cluster {
    engine: Arc<Engine>,
    status: watch::Receiver<ClusterStatus>,
    stop: CancellationToken,
    /// `None` once it was waited for.
    task: Option<JoinHandle<Option<Postmaster>>>,
}

/// Where a cluster's files are in a data folder, for what copies and restores it.
#[derive(Clone, Debug)]
pub struct ClusterFolders {
    /// PostgreSQL's data folder.
    pub cluster: PathBuf,
    /// Pieces of its log that wait to be kept.
    pub archive: PathBuf,
}

/// Returns where the files of a data folder's cluster are.
pub fn folders(data_folder: &Path) -> ClusterFolders {
    let home = data_folder.join("postgres");
    ClusterFolders { cluster: home.join("cluster"), archive: home.join("archive") }
}

/// Tells whether a PostgreSQL runs in a data folder.
pub fn runs_in(data_folder: &Path) -> bool {
    Postmaster::find(&folders(data_folder).cluster).is_some()
}

/// Stops a PostgreSQL that was left running in a data folder that is to go.
pub async fn end_in(data_folder: &Path, limit: Duration) -> Result<(), ClusterError> {
    let cluster = folders(data_folder).cluster;
    match Postmaster::find(&cluster) {
        Some(mut found) => found.stop(&cluster, limit).await,
        None => Ok(()),
    }
}

/// Gives files that were put into a data folder to the user that PostgreSQL runs as.
pub fn hand_over(os_user: &str, data_folder: &Path) -> Result<(), ClusterError> {
    let account = Account::choose(os_user)?;
    let mut open = vec![data_folder.join("postgres")];
    while let Some(path) = open.pop() {
        let meta = fs::symlink_metadata(&path).map_err(ClusterError::file(&path))?;
        // What a link points to is not part of the folder.
        if meta.is_symlink() {
            continue;
        }
        account.give(&path)?;
        if meta.is_dir() {
            for entry in fs::read_dir(&path).map_err(ClusterError::file(&path))? {
                open.push(entry.map_err(ClusterError::file(&path))?.path());
            }
        }
    }
    Ok(())
}

/// Returns the newest major version of which the programs of a server are here: in the named folder, else where they are looked for.
pub fn newest_major(named: Option<&Path>) -> Option<u32> {
    programs::Programs::newest(named, std::env::var_os("PATH").as_deref()).map(|programs| programs.major)
}

/// Starts the cluster, or takes over the one that a killed server left; makes it first if there is none.
pub async fn start(options: ClusterOptions) -> Result<Cluster, ClusterError> {
    let engine = Engine::prepare(options).await?;
    let mut slot = None;
    let facts = match Box::pin(engine.bring_up(&mut slot)).await {
        Ok(facts) => facts,
        Err(error) => {
            // A start that failed leaves nothing running; the error that counts is the first one.
            if let Some(mut postmaster) = slot
                && let Err(second) = postmaster.stop(&engine.layout.cluster, engine.options.stop_timeout).await
            {
                tracing::error!(error = %second, "PostgreSQL could not be stopped after its start failed");
            }
            return Err(error);
        }
    };
    let stop = CancellationToken::new();
    let (supervisor, status) = Supervisor::new(Arc::clone(&engine), slot, facts);
    let task = Some(tokio::spawn(supervisor.run(stop.clone())));
    Ok(Cluster { engine, status, stop, task })
}

impl Cluster {
    /// Returns how the migrator connects: the superuser, over the socket.
    pub fn migrator_config(&self) -> Config {
        logins::superuser(&self.engine.layout, &self.engine.passwords, &self.engine.options.database)
    }

    /// Returns how the server connects, over the socket.
    pub fn server_config(&self) -> Config {
        let Engine { layout, passwords, options, .. } = &*self.engine;
        logins::config(layout, &options.server_login, &passwords.server, &options.database)
    }

    /// Returns how the cluster is now.
    pub fn status(&self) -> ClusterStatus {
        self.status.borrow().clone()
    }

    /// Returns what tells of every change.
    pub fn watch(&self) -> watch::Receiver<ClusterStatus> {
        self.status.clone()
    }

    /// Stops PostgreSQL: sessions end, nothing is lost. Returns when it is down.
    pub async fn stop(mut self) -> Result<(), ClusterError> {
        match self.end_supervision().await? {
            Some(mut postmaster) => postmaster.stop(&self.engine.layout.cluster, self.engine.options.stop_timeout).await,
            None => Ok(()),
        }
    }

    /// Lets go of PostgreSQL without stopping it, for the next start to take over: a restart of the server without one of the database.
    pub async fn detach(mut self) -> Result<(), ClusterError> {
        self.end_supervision().await.map(drop)
    }

    async fn end_supervision(&mut self) -> Result<Option<Postmaster>, ClusterError> {
        self.stop.cancel();
        match self.task.take() {
            Some(task) => task.await.map_err(|_cut_off| ClusterError::Interrupted),
            None => Ok(None),
        }
    }
}

impl Drop for Cluster {
    fn drop(&mut self) {
        self.stop.cancel();
        if self.task.is_some()
            && let Some(mut postmaster) = Postmaster::find(&self.engine.layout.cluster)
        {
            postmaster.ask_to_stop(&self.engine.layout.cluster);
        }
    }
}
