//! A copy of a cluster that follows it: streamed to, paused, killed, promoted.
//!
//! Invariant: it runs in a folder of its own, behind a socket there, and ends with the test.

use std::os::unix::fs::{PermissionsExt as _, chown};
use std::os::unix::process::CommandExt as _;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use nix::sys::signal::{Signal, kill};
use nix::unistd::{Pid, Uid, User};
use postgres::Config;
use postgres::cluster::Cluster;
use tempfile::TempDir;
use tokio_postgres::{Client, NoTls};

use crate::connect;

const PATIENCE: Duration = Duration::from_mins(1);

/// A replica, or the place of one.
#[derive(Debug)]
pub struct Replica {
    folder: TempDir,
    superuser: Config,
    programs: PathBuf,
    running: Option<Child>,
}

impl Replica {
    /// Makes the place; nothing runs there yet.
    pub fn place(primary: &Cluster) -> Self {
        let folder = tempfile::Builder::new().prefix("thorbis-replica-").tempdir().unwrap();
        std::fs::set_permissions(folder.path(), std::fs::Permissions::from_mode(0o711)).unwrap();
        for name in ["data", "run"] {
            let path = folder.path().join(name);
            std::fs::create_dir(&path).unwrap();
            std::fs::set_permissions(&path, std::fs::Permissions::from_mode(0o700)).unwrap();
            if let Some(user) = other_user() {
                chown(&path, Some(user.uid.as_raw()), Some(user.gid.as_raw())).unwrap();
            }
        }
        Self { folder, superuser: primary.migrator_config(), programs: primary.status().facts.programs_folder, running: None }
    }

    /// Copies the primary and follows it.
    pub async fn follow(&mut self) {
        let mut copy = self.command("pg_basebackup");
        copy.arg("--pgdata").arg(self.data()).args(["--write-recovery-conf", "--checkpoint=fast", "--wal-method=stream", "--no-password"]);
        copy.args(["--username", self.superuser.get_user().unwrap(), "--port", "5432", "--host"]).arg(socket_of(&self.superuser));
        copy.env("PGPASSWORD", String::from_utf8(self.superuser.get_password().unwrap().to_vec()).unwrap());
        let copied = copy.output().unwrap();
        assert!(copied.status.success(), "{}", String::from_utf8_lossy(&copied.stderr));
        self.start().await;
    }

    /// Starts it, and returns when it takes connections.
    pub async fn start(&mut self) {
        let mut postgres = self.command("postgres");
        postgres.arg("-D").arg(self.data()).stdout(Stdio::null()).stderr(Stdio::null());
        let run = format!("unix_socket_directories={}", self.run().display());
        for setting in [run.as_str(), "listen_addresses=", "logging_collector=off", "archive_mode=off", "shared_buffers=32MB"] {
            postgres.arg("-c").arg(setting);
        }
        self.running = Some(postgres.spawn().unwrap());
        let (config, begun) = (self.config(&self.superuser), Instant::now());
        while config.connect(NoTls).await.is_err() {
            assert!(begun.elapsed() < PATIENCE, "the replica does not come up");
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
    }

    /// Kills it as a machine goes that loses its power.
    pub fn kill(&mut self) {
        if let Some(mut child) = self.running.take() {
            // Its children notice that it is gone, and end.
            kill(Pid::from_raw(i32::try_from(child.id()).unwrap()), Signal::SIGKILL).unwrap();
            child.wait().unwrap();
            let (begun, lock) = (Instant::now(), self.data().join("postmaster.pid"));
            while works_in(&self.data()) {
                assert!(begun.elapsed() < PATIENCE, "its processes stay");
                std::thread::sleep(Duration::from_millis(10));
            }
            std::fs::remove_file(lock).unwrap();
        }
    }

    /// Returns how a login of the primary comes to it.
    pub fn config(&self, login: &Config) -> Config {
        let mut config = Config::new();
        config.host_path(self.run()).port(5432).user(login.get_user().unwrap()).password(login.get_password().unwrap());
        config.dbname(login.get_dbname().unwrap()).ssl_mode(tokio_postgres::config::SslMode::Disable);
        config
    }

    /// Connects as the superuser.
    pub async fn superuser(&self) -> Client {
        connect(&self.config(&self.superuser)).await
    }

    fn command(&self, program: &str) -> Command {
        let mut command = Command::new(self.programs.join(program));
        command.env_clear().env("PATH", "/usr/bin:/bin").env("LC_ALL", "C.UTF-8").current_dir("/").stdin(Stdio::null()).process_group(0);
        if let Some(user) = other_user() {
            command.uid(user.uid.as_raw()).gid(user.gid.as_raw());
        }
        command
    }

    fn data(&self) -> PathBuf {
        self.folder.path().join("data")
    }

    fn run(&self) -> PathBuf {
        self.folder.path().join("run")
    }
}

impl Drop for Replica {
    fn drop(&mut self) {
        if let Some(mut child) = self.running.take() {
            let _gone = child.kill().is_ok();
            let _reaped = child.wait().is_ok();
        }
    }
}

/// PostgreSQL refuses to run as root.
fn other_user() -> Option<User> {
    Uid::effective().is_root().then(|| User::from_name("postgres").unwrap().unwrap())
}

fn socket_of(config: &Config) -> PathBuf {
    match config.get_hosts().first() {
        Some(postgres::Host::Unix(path)) => path.clone(),
        other => panic!("no socket: {other:?}"),
    }
}

/// Tells whether a process of PostgreSQL has this folder.
fn works_in(folder: &Path) -> bool {
    let processes = std::fs::read_dir("/proc").unwrap().filter_map(Result::ok);
    processes.filter_map(|process| std::fs::read_link(process.path().join("cwd")).ok()).any(|cwd| cwd == folder)
}
