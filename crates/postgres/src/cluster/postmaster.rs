//! The running PostgreSQL: found, started, watched, stopped.
//!
//! Invariant: a process is signalled only after the system says that it is a `postgres` working in our data folder; a number in a
//! file alone, which after a restart of the machine may be anybody's, is never enough.

use std::fs::{self, OpenOptions};
use std::io;
use std::os::unix::fs::OpenOptionsExt;
use std::path::Path;
use std::process::{Child, Stdio};
use std::time::{Duration, Instant};

use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;
use tokio::time::sleep;

use super::ClusterError;
use super::account::Account;
use super::layout::{Layout, SOCKET_NAME};
use super::programs::Programs;

/// How long the processes of a dead postmaster get to notice.
const LEFTOVER_PATIENCE: Duration = Duration::from_secs(2);
/// How long a postmaster that ignored a fast shutdown gets for an immediate one.
const IMMEDIATE_PATIENCE: Duration = Duration::from_secs(10);
const POLL: Duration = Duration::from_millis(20);
/// How much of a log goes into an error.
const LOG_LINES_MAX: usize = 12;

/// A postmaster: our child, or one that a killed server left behind.
#[derive(Debug)]
pub(super) struct Postmaster {
    pid: i32,
    child: Option<Child>,
}

impl Postmaster {
    /// Finds the one that runs in this data folder.
    pub(super) fn find(cluster: &Path) -> Option<Self> {
        let (pid, _) = pid_file(cluster)?;
        is_ours(pid, cluster).then_some(Self { pid, child: None })
    }

    /// Starts PostgreSQL, where none runs. It goes on without us if we are killed, and its output goes to a file, not to a pipe that
    /// would break.
    pub(super) fn spawn(programs: &Programs, account: &Account, layout: &Layout) -> Result<Self, ClusterError> {
        remove_stale_locks(layout)?;
        let log = layout.log.join("startup.log");
        let output = OpenOptions::new().write(true).create(true).truncate(true).mode(0o600).open(&log).map_err(ClusterError::file(&log))?;
        account.give(&log)?;
        let errors = output.try_clone().map_err(ClusterError::file(&log))?;
        let program = programs.path("postgres");
        let mut command = account.command(&program);
        command.arg("-D").arg(&layout.cluster).stdin(Stdio::null()).stdout(output).stderr(errors);
        let child = command.spawn().map_err(ClusterError::file(&program))?;
        let pid = i32::try_from(child.id()).map_err(|error| ClusterError::file(&program)(io::Error::other(error)))?;
        Ok(Self { pid, child: Some(child) })
    }

    /// Returns the process.
    pub(super) fn pid(&self) -> i32 {
        self.pid
    }

    /// Tells whether it still runs.
    pub(super) fn is_alive(&mut self, cluster: &Path) -> bool {
        match &mut self.child {
            Some(child) => matches!(child.try_wait(), Ok(None)),
            None => is_ours(self.pid, cluster),
        }
    }

    /// Tells whether it takes connections, by what it writes into its lock file.
    pub(super) fn is_ready(&self, cluster: &Path) -> bool {
        pid_file(cluster).is_some_and(|(pid, status)| pid == self.pid && status == "ready")
    }

    /// Asks it to end at once but in order, without waiting.
    pub(super) fn ask_to_stop(&mut self, cluster: &Path) {
        if self.is_alive(cluster) {
            signal(self.pid, Signal::SIGINT);
        }
    }

    /// Ends it: in order within the limit, else at once (the log then repairs the data at the next start).
    pub(super) async fn stop(&mut self, cluster: &Path, limit: Duration) -> Result<(), ClusterError> {
        for (how, patience) in [(Signal::SIGINT, limit), (Signal::SIGQUIT, IMMEDIATE_PATIENCE)] {
            let deadline = Instant::now() + patience;
            if self.is_alive(cluster) {
                signal(self.pid, how);
            }
            while self.is_alive(cluster) {
                if Instant::now() >= deadline {
                    tracing::warn!(pid = self.pid, signal = %how, "PostgreSQL did not stop in time");
                    break;
                }
                sleep(POLL).await;
            }
            if !self.is_alive(cluster) {
                return Ok(());
            }
        }
        Err(ClusterError::StopTimeout { pid: self.pid, seconds: (limit + IMMEDIATE_PATIENCE).as_secs() })
    }
}

/// Ends the processes that a killed postmaster left. They hold the old shared memory, and while one of them is busy computing, a new
/// postmaster refuses to start.
pub(super) async fn end_leftovers(cluster: &Path) {
    for how in [Signal::SIGQUIT, Signal::SIGKILL] {
        let deadline = Instant::now() + LEFTOVER_PATIENCE;
        let mut left = leftovers(cluster);
        for pid in &left {
            signal(*pid, how);
        }
        while !left.is_empty() && Instant::now() < deadline {
            sleep(POLL).await;
            left.retain(|pid| is_ours(*pid, cluster));
        }
        if left.is_empty() {
            return;
        }
    }
}

/// Returns the end of the newest of the logs, for an error.
pub(super) fn last_words(folder: &Path) -> String {
    let files = fs::read_dir(folder).map(|entries| entries.flatten().map(|entry| entry.path()).collect::<Vec<_>>()).unwrap_or_default();
    let written = |path: &Path| fs::metadata(path).ok().filter(|meta| meta.len() > 0).and_then(|meta| meta.modified().ok());
    let newest = files.iter().filter_map(|path| Some((written(path)?, path))).max().map(|(_, path)| path);
    let bytes = newest.and_then(|path| fs::read(path).ok()).unwrap_or_default();
    let text = String::from_utf8_lossy(&bytes);
    let lines: Vec<&str> = text.lines().rev().take(LOG_LINES_MAX).collect();
    let lines: Vec<&str> = lines.into_iter().rev().collect();
    if lines.is_empty() { "it said nothing".to_owned() } else { lines.join("\n") }
}

/// PostgreSQL refuses to start while the process that a lock file names lives, or has ended but is not collected by its parent (as in
/// containers without an init). Whoever it is, it was looked at and is not PostgreSQL in this folder.
fn remove_stale_locks(layout: &Layout) -> Result<(), ClusterError> {
    for path in [layout.cluster.join("postmaster.pid"), layout.socket.join(format!("{SOCKET_NAME}.lock"))] {
        match fs::remove_file(&path) {
            Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(ClusterError::file(&path)(error)),
            Ok(()) => tracing::info!(file = %path.display(), "removed a lock file whose server is gone"),
            Err(_absent) => {}
        }
    }
    Ok(())
}

/// Reads process and status from PostgreSQL's lock file.
fn pid_file(cluster: &Path) -> Option<(i32, String)> {
    let text = fs::read_to_string(cluster.join("postmaster.pid")).ok()?;
    let mut lines = text.lines();
    let pid = lines.next()?.trim().parse().ok().filter(|pid| *pid > 0)?;
    // Lines: process, data folder, start time, port, socket folder, address, shared memory, status.
    let status = lines.nth(6).unwrap_or_default().trim().to_owned();
    Some((pid, status))
}

/// Tells whether a process is PostgreSQL's in this data folder: all of them work there. One that ended but was not collected by its
/// parent has no folder any more.
fn is_ours(pid: i32, cluster: &Path) -> bool {
    let process = Path::new("/proc").join(pid.to_string());
    fs::read_link(process.join("cwd")).is_ok_and(|folder| folder == cluster)
        && fs::read_to_string(process.join("comm")).is_ok_and(|name| name.trim() == "postgres")
}

fn leftovers(cluster: &Path) -> Vec<i32> {
    let Ok(entries) = fs::read_dir("/proc") else { return vec![] };
    entries.flatten().filter_map(|entry| entry.file_name().to_str()?.parse().ok()).filter(|pid| is_ours(*pid, cluster)).collect()
}

fn signal(pid: i32, signal: Signal) {
    if let Err(error) = kill(Pid::from_raw(pid), signal) {
        tracing::warn!(pid, %signal, %error, "PostgreSQL could not be signalled");
    }
}
