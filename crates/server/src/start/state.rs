//! What a running server tells other programs of this machine: `state.json` in the data folder.
//!
//! Invariant: it holds no secret, and counts only while the folder's lock is held; a killed server leaves an old one behind.

use std::net::SocketAddr;
use std::path::{Path, PathBuf};

use postgres::cluster::ClusterFacts;
use serde::{Deserialize, Serialize};

use super::folder::{DataFolder, FolderError, write_private};
use crate::config::Environment;

const FILE: &str = "state.json";

/// A running server.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub(crate) struct State {
    /// The server's process.
    pub(crate) pid: u32,
    /// Its version and commit.
    pub(crate) version: String,
    /// Since when it runs.
    pub(crate) started_at: jiff::Timestamp,
    /// What it is for.
    pub(crate) environment: Environment,
    /// Where it listens, as URLs.
    pub(crate) addresses: Vec<String>,
    /// The address for clients.
    pub(crate) public_url: String,
    /// PostgreSQL's version, once it was reached.
    pub(crate) database_version: Option<String>,
    /// The private cluster, if there is one.
    pub(crate) cluster: Option<ClusterPlace>,
    /// Whether it answers requests, as `/health/ready` says.
    pub(crate) ready: bool,
    /// What does not work, or worse than it should, in sentences.
    pub(crate) degraded: Vec<String>,
    /// The numbers of what is kept.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) cache: Option<cache::Stats>,
    /// How sockets and channels are.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) realtime: Option<serde_json::Value>,
}

/// Where the private cluster is.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub(crate) struct ClusterPlace {
    /// Its version.
    pub(crate) version: String,
    /// PostgreSQL's programs.
    pub(crate) programs_folder: PathBuf,
    /// Its data.
    pub(crate) data_folder: PathBuf,
    /// Its logs.
    pub(crate) log_folder: PathBuf,
    /// Its socket.
    pub(crate) socket_folder: PathBuf,
    /// Who it runs as.
    pub(crate) os_user: String,
    /// The postmaster.
    pub(crate) pid: i32,
}

impl From<ClusterFacts> for ClusterPlace {
    fn from(facts: ClusterFacts) -> Self {
        let ClusterFacts { version, programs_folder, data_folder, log_folder, socket_folder, os_user, pid, .. } = facts;
        Self { version, programs_folder, data_folder, log_folder, socket_folder, os_user, pid }
    }
}

/// What runs in a data folder.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(crate) enum Look {
    /// A server.
    Running(Box<State>),
    /// A process with this id has the folder and tells nothing yet: a server that starts, or a command at work.
    Busy(String),
    /// Nothing.
    Nothing,
}

impl State {
    /// Writes it for others.
    pub(crate) fn write(&self, folder: &Path) -> Result<(), FolderError> {
        let text = serde_json::to_string_pretty(self).unwrap_or_default();
        write_private(&folder.join(FILE), &text)
    }

    /// Returns what runs in a folder.
    pub(crate) fn look(folder: &Path) -> Result<Look, FolderError> {
        let Some(holder) = DataFolder::holder(folder)? else { return Ok(Look::Nothing) };
        let written = std::fs::read_to_string(folder.join(FILE)).ok();
        let state: Option<Self> = written.and_then(|text| serde_json::from_str(&text).ok());
        // A server that is still starting has the lock, and the file is that of the one before.
        Ok(match state.filter(|state| state.pid.to_string() == holder) {
            Some(state) => Look::Running(Box::new(state)),
            None => Look::Busy(holder),
        })
    }

    /// Returns the server that runs in a folder, if one does.
    pub(crate) fn of_running(folder: &Path) -> Result<Option<Self>, FolderError> {
        Ok(match Self::look(folder)? {
            Look::Running(state) => Some(*state),
            Look::Busy(_) | Look::Nothing => None,
        })
    }

    /// Takes it away at the end. A file that stays does no harm.
    pub(crate) fn remove(folder: &Path) {
        if let Err(error) = std::fs::remove_file(folder.join(FILE)) {
            tracing::debug!(%error, "the state file could not be removed");
        }
    }
}

/// Returns the URL of an address that is listened on.
pub(crate) fn url_of(address: SocketAddr, tls: bool) -> String {
    let scheme = if tls { "https" } else { "http" };
    format!("{scheme}://{address}")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_the_state_of_the_server_that_has_the_folder_counts() {
        let home = tempfile::tempdir().unwrap();
        let state = State {
            pid: std::process::id(),
            version: "1".to_owned(),
            started_at: "2026-11-21T12:00:00Z".parse().unwrap(),
            environment: Environment::Production,
            addresses: vec![],
            public_url: String::new(),
            database_version: None,
            cluster: None,
            ready: true,
            degraded: vec![],
            cache: None,
            realtime: None,
        };
        state.write(home.path()).unwrap();
        assert_eq!(State::look(home.path()).unwrap(), Look::Nothing, "left behind by a killed server");
        let _folder = DataFolder::take(home.path()).unwrap();
        assert_eq!(State::of_running(home.path()).unwrap(), Some(state.clone()));
        State { pid: 1, ..state }.write(home.path()).unwrap();
        let busy = Look::Busy(std::process::id().to_string());
        assert_eq!(State::look(home.path()).unwrap(), busy, "of the server before");
    }
}
