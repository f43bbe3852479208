//! What can go wrong with the private cluster, each with a stable code and with what to do about it.
//!
//! Invariant: no message carries a password; programs' output is quoted, and PostgreSQL prints none.

use std::io;
use std::path::{Path, PathBuf};

use thiserror::Error;

use super::programs::VERSION_MIN;

/// Why the private cluster could not be started or stopped.
#[derive(Debug, Error)]
#[non_exhaustive]
pub enum ClusterError {
    /// No folder with PostgreSQL's programs was found.
    #[error(
        "PostgreSQL {VERSION_MIN} or newer is not installed ({looked}); on Debian and Ubuntu: apt-get install postgresql, \
         on Fedora and Red Hat: dnf install postgresql-server postgresql-contrib; or name the folder of initdb and postgres"
    )]
    ProgramsMissing {
        /// Where it was looked for, and what was there.
        looked: String,
    },
    /// The data folder belongs to a major version whose programs are not installed.
    #[error(
        "{folder} was made by PostgreSQL {wanted}, which is not installed (found: {found}); install postgresql-{wanted}, \
         and bring the folder to the new version with thorbis upgrade-cluster if you like"
    )]
    MajorMissing {
        /// The cluster's folder.
        folder: PathBuf,
        /// The major version in its `PG_VERSION`.
        wanted: u32,
        /// What is installed.
        found: String,
    },
    /// There is no cluster to upgrade.
    #[error("there is no cluster in {folder}: the first start makes one, of the newest PostgreSQL that is installed")]
    NothingToUpgrade {
        /// Where it would be.
        folder: PathBuf,
    },
    /// No newer major version is installed.
    #[error(
        "the cluster is of PostgreSQL {have}, and nothing newer is installed (the newest found: {newest}); \
         install one, on Debian and Ubuntu: apt-get install postgresql-{next}, from apt.postgresql.org if the distribution has none; or name \
         its folder with --to-bin"
    )]
    NothingNewer {
        /// The cluster's major version.
        have: u32,
        /// The newest that was found; 0 if none was.
        newest: u32,
        /// The one after the cluster's.
        next: u32,
    },
    /// A program that an upgrade runs is not there.
    #[error("{folder} has no {name}, which an upgrade needs; on Debian and Ubuntu it is in the package postgresql-{major}")]
    ToolMissing {
        /// Which.
        name: &'static str,
        /// The folder of the programs.
        folder: PathBuf,
        /// Their major version.
        major: u32,
    },
    /// The copy would not fit.
    #[error("the new cluster needs {needed} bytes beside the old one in {folder}, and {free} are free; nothing was changed")]
    NoRoom {
        /// The data folder.
        folder: PathBuf,
        /// What is needed.
        needed: u64,
        /// What there is.
        free: u64,
    },
    /// PostgreSQL refuses to run as root and the other user does not exist.
    #[error(
        "PostgreSQL does not run as root, and there is no user {user:?} to run it as; install PostgreSQL from the distribution's package, which makes \
         that user, or name another one"
    )]
    UserMissing {
        /// The user that was asked for.
        user: String,
    },
    /// The user that PostgreSQL runs as cannot get to the data folder.
    #[error(
        "PostgreSQL runs as user {user:?}, who cannot get into {folder}: {blocking} lets only others in; choose a data folder below a folder that \
         everybody may pass, such as /var/lib, or: chmod o+x {blocking}"
    )]
    Unreachable {
        /// The user.
        user: String,
        /// The data folder.
        folder: PathBuf,
        /// The folder of its path that stops him.
        blocking: PathBuf,
    },
    /// Another process of ours has this data folder.
    #[error("{folder} is in use by another server{holder}")]
    InUse {
        /// The data folder.
        folder: PathBuf,
        /// ` (process 123)`, where known.
        holder: String,
    },
    /// The cluster is there but the passwords to it are not.
    #[error("{file} is missing, but the cluster in {folder} was made with it; put the file back from a backup of the data folder")]
    SecretLost {
        /// The file.
        file: PathBuf,
        /// The cluster's folder.
        folder: PathBuf,
    },
    /// A folder where sockets would lie belongs to somebody else.
    #[error("{folder} is to hold the socket, but is not a folder that only user {user:?} may enter; remove it")]
    SocketFolder {
        /// The folder.
        folder: PathBuf,
        /// Who should own it.
        user: String,
    },
    /// A program of PostgreSQL failed.
    #[error("{program} failed ({status}): {output}")]
    Program {
        /// Which.
        program: String,
        /// Its exit status.
        status: String,
        /// The end of what it printed.
        output: String,
    },
    /// PostgreSQL ended while starting.
    #[error("PostgreSQL did not start: {output}")]
    DidNotStart {
        /// The end of its log.
        output: String,
    },
    /// PostgreSQL was not ready in time.
    #[error("PostgreSQL was not ready after {seconds} s (its log is in {log}); large recoveries need a longer limit")]
    StartTimeout {
        /// The limit.
        seconds: u64,
        /// The folder of the logs.
        log: PathBuf,
    },
    /// PostgreSQL is still there after it was told to stop, and told again.
    #[error("PostgreSQL (process {pid}) did not stop within {seconds} s")]
    StopTimeout {
        /// The postmaster.
        pid: i32,
        /// The limit.
        seconds: u64,
    },
    /// A statement of the set-up failed.
    #[error("setting up the cluster: {step}: {}", said(source))]
    Setup {
        /// What was being done.
        step: &'static str,
        /// What PostgreSQL said.
        source: tokio_postgres::Error,
    },
    /// A file could not be read or written.
    #[error("{path}: {source}")]
    File {
        /// The file or folder.
        path: PathBuf,
        /// Why.
        source: io::Error,
    },
    /// The work was cut off, as it happens when the process ends.
    #[error("the work on the cluster was cut off")]
    Interrupted,
}

impl ClusterError {
    /// Returns the stable code, for logs and for `thorbis status`.
    pub fn code(&self) -> &'static str {
        match self {
            Self::ProgramsMissing { .. } => "cluster_programs_missing",
            Self::MajorMissing { .. } => "cluster_major_missing",
            Self::NothingToUpgrade { .. } => "cluster_nothing_to_upgrade",
            Self::NothingNewer { .. } => "cluster_nothing_newer",
            Self::ToolMissing { .. } => "cluster_tool_missing",
            Self::NoRoom { .. } => "cluster_no_room",
            Self::UserMissing { .. } => "cluster_user_missing",
            Self::Unreachable { .. } => "cluster_folder_unreachable",
            Self::InUse { .. } => "cluster_in_use",
            Self::SecretLost { .. } => "cluster_secret_lost",
            Self::SocketFolder { .. } => "cluster_socket_folder",
            Self::Program { .. } => "cluster_program_failed",
            Self::DidNotStart { .. } => "cluster_did_not_start",
            Self::StartTimeout { .. } => "cluster_start_timeout",
            Self::StopTimeout { .. } => "cluster_stop_timeout",
            Self::Setup { .. } => "cluster_setup_failed",
            Self::File { .. } => "cluster_file",
            Self::Interrupted => "cluster_interrupted",
        }
    }

    /// Makes the mapping of an input or output error that names the file.
    pub(super) fn file(path: &Path) -> impl FnOnce(io::Error) -> Self {
        let path = path.to_owned();
        move |source| Self::File { path, source }
    }
}

/// The driver's own text for what PostgreSQL refuses is no more than "db error".
fn said(error: &tokio_postgres::Error) -> String {
    error.as_db_error().map_or_else(|| error.to_string(), |refused| refused.message().to_owned())
}
