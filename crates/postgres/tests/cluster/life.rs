//! The private cluster, really made, killed, left behind and upgraded. Each test has a data folder of its own.
//!
//! Invariant: what a test started it stops, also when it fails: the guard stops whatever is left in its folder.

use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;
use postgres::cluster::{self, Cluster, ClusterOptions, ClusterState, Machine};
use tempfile::TempDir;
use tokio_postgres::{Client, Config, NoTls};

/// A data folder that PostgreSQL's user can reach.
pub(crate) struct Home(TempDir);

impl Home {
    pub(crate) fn new() -> Self {
        let folder = tempfile::Builder::new().prefix("thorbis-cluster-").tempdir().unwrap();
        fs::set_permissions(folder.path(), fs::Permissions::from_mode(0o711)).unwrap();
        Self(folder)
    }

    fn data(&self) -> PathBuf {
        self.0.path().join("data")
    }

    pub(crate) fn options(&self) -> ClusterOptions {
        let mut options = ClusterOptions::new(self.data());
        options.machine = Some(Machine { memory_bytes: 512 << 20, cores: 2 });
        options.startup_timeout = Duration::from_mins(1);
        options.poll_interval = Duration::from_millis(50);
        options
    }
}

impl Drop for Home {
    fn drop(&mut self) {
        let text = fs::read_to_string(self.data().join("postgres/cluster/postmaster.pid")).unwrap_or_default();
        if let Some(pid) = text.lines().next().and_then(|line| line.parse().ok()).filter(|pid| works_in(*pid, &self.data())) {
            kill(Pid::from_raw(pid), Signal::SIGQUIT).ok();
            let deadline = Instant::now() + Duration::from_secs(10);
            while works_in(pid, &self.data()) && Instant::now() < deadline {
                std::thread::sleep(Duration::from_millis(20));
            }
        }
    }
}

fn works_in(pid: i32, folder: &Path) -> bool {
    fs::read_link(format!("/proc/{pid}/cwd")).is_ok_and(|cwd| cwd.starts_with(folder))
}

async fn connect(config: &Config) -> Client {
    let (client, connection) = config.connect(NoTls).await.unwrap();
    tokio::spawn(connection);
    client
}

async fn setting(client: &Client, name: &str) -> String {
    client.query_one("select current_setting($1)", &[&name]).await.unwrap().get(0)
}

async fn restarted(cluster: &Cluster, pid_before: i32) -> Duration {
    let begun = Instant::now();
    while begun.elapsed() < Duration::from_mins(1) {
        let status = cluster.status();
        if status.state == ClusterState::Running && status.facts.pid != pid_before {
            return begun.elapsed();
        }
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
    panic!("not back after a minute: {:?}", cluster.status());
}

#[tokio::test]
async fn a_first_start_makes_a_cluster_as_promised_and_a_second_one_finds_it() {
    let home = Home::new();
    let cluster = cluster::start(home.options()).await.unwrap();
    let facts = cluster.status().facts;
    assert!(!facts.adopted && facts.degraded.is_empty(), "{facts:?}");
    assert_ne!(facts.os_user, "root");

    let migrator = connect(&cluster.migrator_config()).await;
    for (name, value) in [
        ("data_checksums", "on"),
        ("wal_level", "logical"),
        ("shared_preload_libraries", "pg_stat_statements"),
        ("log_min_duration_statement", "1s"),
        ("shared_buffers", "128MB"),
        ("effective_cache_size", "384MB"),
        ("listen_addresses", ""),
        ("jit", "off"),
        ("server_encoding", "UTF8"),
        ("password_encryption", "scram-sha-256"),
    ] {
        assert_eq!(setting(&migrator, name).await, value, "{name}");
    }
    assert_eq!(setting(&migrator, "is_superuser").await, "on");
    migrator.batch_execute("create table kept (n int); insert into kept values (7)").await.unwrap();

    let server = connect(&cluster.server_config()).await;
    let row = server
        .query_one("select current_database()::text, rolname::text, rolinherit, rolsuper, rolcreaterole from pg_roles where rolname = current_user", &[])
        .await
        .unwrap();
    let (database, login): (String, String) = (row.get(0), row.get(1));
    assert_eq!((database.as_str(), login.as_str()), ("thorbis", "thorbis_server"));
    assert_eq!((row.get::<_, bool>(2), row.get::<_, bool>(3), row.get::<_, bool>(4)), (false, false, false));

    let mut nobody = cluster.server_config();
    nobody.password("guess");
    assert_eq!(nobody.connect(NoTls).await.err().unwrap().code().unwrap().code(), "28P01", "the socket alone is not enough");

    cluster.stop().await.unwrap();
    assert!(!works_in(facts.pid, &home.data()));

    let begun = Instant::now();
    let cluster = cluster::start(home.options()).await.unwrap();
    println!("second start: {:?}", begun.elapsed());
    let migrator = connect(&cluster.migrator_config()).await;
    assert_eq!(migrator.query_one("select n from kept", &[]).await.unwrap().get::<_, i32>(0), 7);
    cluster.stop().await.unwrap();
}

#[tokio::test]
async fn a_server_that_was_left_running_is_taken_over_and_then_really_stopped() {
    let home = Home::new();
    let first = cluster::start(home.options()).await.unwrap();
    let pid = first.status().facts.pid;
    first.detach().await.unwrap();
    assert!(works_in(pid, &home.data()), "detaching leaves PostgreSQL running");

    let begun = Instant::now();
    let second = cluster::start(home.options()).await.unwrap();
    println!("adoption: {:?}", begun.elapsed());
    let facts = second.status().facts;
    assert_eq!((facts.pid, facts.adopted), (pid, true));
    connect(&second.server_config()).await;
    second.stop().await.unwrap();
    assert!(!works_in(pid, &home.data()));
}

#[tokio::test]
async fn a_server_with_other_settings_is_not_taken_over() {
    let home = Home::new();
    let first = cluster::start(home.options()).await.unwrap();
    let pid = first.status().facts.pid;
    first.detach().await.unwrap();

    let mut options = home.options();
    options.machine = Some(Machine { memory_bytes: 1 << 30, cores: 2 });
    let second = cluster::start(options).await.unwrap();
    assert_ne!(second.status().facts.pid, pid);
    assert_eq!(setting(&connect(&second.migrator_config()).await, "shared_buffers").await, "256MB");
    second.stop().await.unwrap();
}

#[tokio::test]
async fn a_killed_postgresql_comes_back_with_what_was_committed() {
    let home = Home::new();
    let cluster = cluster::start(home.options()).await.unwrap();
    let client = connect(&cluster.migrator_config()).await;
    client.batch_execute("create table kept (n int)").await.unwrap();
    for round in 0..2_i32 {
        let client = connect(&cluster.migrator_config()).await;
        client.execute("insert into kept values ($1)", &[&round]).await.unwrap();
        // A session that computes does not notice that the postmaster is gone, and holds the old shared memory.
        let busy = connect(&cluster.migrator_config()).await;
        let busy = tokio::spawn(async move { busy.batch_execute("select count(*) from generate_series(1, 4000000000)").await });
        tokio::time::sleep(Duration::from_millis(100)).await;

        let pid = cluster.status().facts.pid;
        kill(Pid::from_raw(pid), Signal::SIGKILL).unwrap();
        println!("back after {:?}", restarted(&cluster, pid).await);
        assert!(busy.await.unwrap().is_err());
        let client = connect(&cluster.migrator_config()).await;
        assert_eq!(client.query_one("select count(*) from kept", &[]).await.unwrap().get::<_, i64>(0), i64::from(round) + 1);
    }
    cluster.stop().await.unwrap();
}

#[tokio::test]
async fn a_postgresql_that_died_with_its_server_is_started_again() {
    let home = Home::new();
    let first = cluster::start(home.options()).await.unwrap();
    let pid = first.status().facts.pid;
    first.detach().await.unwrap();
    kill(Pid::from_raw(pid), Signal::SIGKILL).unwrap();

    let second = cluster::start(home.options()).await.unwrap();
    assert!(!second.status().facts.adopted);
    connect(&second.server_config()).await;
    second.stop().await.unwrap();
}

#[tokio::test]
async fn a_lock_file_that_names_another_process_does_not_stop_the_start() {
    let home = Home::new();
    cluster::start(home.options()).await.unwrap().stop().await.unwrap();
    // As after a restart of the machine: the number is somebody else's now, here our own.
    let text =
        format!("{}\n{}\n1700000000\n5432\n/tmp\n\n  1 1\nready   \n", std::process::id(), home.data().join("postgres/cluster").display());
    fs::write(home.data().join("postgres/cluster/postmaster.pid"), text).unwrap();
    let cluster = cluster::start(home.options()).await.unwrap();
    assert_ne!(cluster.status().facts.pid, i32::try_from(std::process::id()).unwrap());
    cluster.stop().await.unwrap();
}

/// A folder of programs whose `postgres` claims the version in a file, until it is really run: an upgrade to play with.
fn programs_with_a_version(home: &Home, real: &Path, version: &str) -> PathBuf {
    let folder = home.0.path().join("bin");
    fs::create_dir_all(&folder).unwrap();
    fs::write(folder.join("version"), version).unwrap();
    // Libraries are looked for beside the programs.
    let library = home.0.path().join("lib");
    if !library.try_exists().unwrap() {
        std::os::unix::fs::symlink(real.parent().unwrap().join("lib"), library).unwrap();
    }
    for name in ["initdb", "postgres"] {
        let claim =
            format!("if [ \"$1\" = --version ]; then echo \"postgres (PostgreSQL) $(/bin/cat {0}/version)\"; exit; fi\n", folder.display());
        let script = format!("#!/bin/sh\n{}exec {}/{name} \"$@\"\n", if name == "postgres" { &claim } else { "" }, real.display());
        let path = folder.join(name);
        fs::write(&path, script).unwrap();
        fs::set_permissions(&path, fs::Permissions::from_mode(0o755)).unwrap();
    }
    fs::set_permissions(&folder, fs::Permissions::from_mode(0o755)).unwrap();
    folder
}

#[tokio::test]
async fn programs_upgraded_under_its_feet_restart_it() {
    let home = Home::new();
    let first = cluster::start(home.options()).await.unwrap();
    let facts = first.status().facts;
    first.detach().await.unwrap();

    // Running and installed are the same at first.
    let mut options = home.options();
    options.programs_folder = Some(programs_with_a_version(&home, &facts.programs_folder, &facts.version));
    options.version_interval = Duration::from_millis(100);
    let cluster = cluster::start(options.clone()).await.unwrap();
    assert_eq!((cluster.status().facts.adopted, cluster.status().facts.pid), (true, facts.pid));
    tokio::time::sleep(Duration::from_millis(500)).await;
    assert_eq!(cluster.status().facts.pid, facts.pid, "nothing changed, nothing restarts");

    let major = facts.version.split('.').next().unwrap();
    programs_with_a_version(&home, &facts.programs_folder, &format!("{major}.999 (Debian {major}.999-1)"));
    restarted(&cluster, facts.pid).await;
    let pid = cluster.status().facts.pid;
    cluster.detach().await.unwrap();

    // What a killed server left behind is compared, too: the running one does not have the version that is installed.
    let cluster = cluster::start(options).await.unwrap();
    assert!(!cluster.status().facts.adopted && cluster.status().facts.pid != pid);
    cluster.stop().await.unwrap();
}

#[tokio::test]
async fn one_process_at_a_time() {
    let home = Home::new();
    let cluster = cluster::start(home.options()).await.unwrap();
    let Err(error) = cluster::start(home.options()).await else { panic!("two servers on one folder") };
    assert_eq!(error.code(), "cluster_in_use");
    connect(&cluster.server_config()).await;
    cluster.stop().await.unwrap();
}

#[tokio::test]
async fn a_folder_that_postgresqls_user_cannot_reach_is_named() {
    if !nix::unistd::geteuid().is_root() {
        println!("only root runs PostgreSQL as somebody else");
        return;
    }
    let home = Home::new();
    let closed = home.0.path().join("closed");
    fs::create_dir(&closed).unwrap();
    fs::set_permissions(&closed, fs::Permissions::from_mode(0o700)).unwrap();
    let mut options = home.options();
    options.data_folder = closed.join("data");
    let Err(error) = cluster::start(options).await else { panic!("started in a folder that is closed") };
    assert_eq!(error.code(), "cluster_folder_unreachable");
    assert!(error.to_string().contains(&format!("chmod o+x {}", closed.display())), "{error}");
}

#[tokio::test]
async fn a_path_too_long_for_a_socket_has_it_elsewhere() {
    let home = Home::new();
    let mut options = home.options();
    options.data_folder =
        home.data().join("a-name-of-fifty-letters-that-somebody-likes-a-lot--").join("and-another-one-of-the-same-length-to-be-sure-of-it");
    fs::create_dir_all(options.data_folder.parent().unwrap()).unwrap();
    let cluster = cluster::start(options.clone()).await.unwrap();
    let socket = cluster.status().facts.socket_folder;
    assert!(!socket.starts_with(home.data()), "{socket:?}");
    assert_eq!(fs::metadata(&socket).unwrap().permissions().mode() & 0o777, 0o700);
    connect(&cluster.server_config()).await;
    cluster.stop().await.unwrap();

    // Somebody else's folder of that name is not used.
    fs::remove_dir_all(&socket).unwrap();
    std::os::unix::fs::symlink("/tmp", &socket).unwrap();
    let Err(error) = cluster::start(options).await else { panic!("followed a link") };
    assert_eq!(error.code(), "cluster_socket_folder");
    fs::remove_file(&socket).unwrap();
}

#[tokio::test]
async fn a_first_start_that_was_killed_half_way_is_made_anew() {
    let home = Home::new();
    let half = home.data().join("postgres/new-half/cluster");
    fs::create_dir_all(&half).unwrap();
    fs::write(half.join("PG_VERSION"), "15\n").unwrap();
    let cluster = cluster::start(home.options()).await.unwrap();
    connect(&cluster.server_config()).await;
    assert!(!half.try_exists().unwrap());
    cluster.stop().await.unwrap();
}

#[tokio::test]
async fn a_setting_that_postgresql_refuses_is_shown() {
    let home = Home::new();
    let mut options = home.options();
    options.extra_settings = vec![("no_such_setting".to_owned(), "1".to_owned())];
    let Err(error) = cluster::start(options).await else { panic!("started with an unknown setting") };
    assert_eq!(error.code(), "cluster_did_not_start");
    assert!(error.to_string().contains("no_such_setting"), "{error}");
    cluster::start(home.options()).await.unwrap().stop().await.unwrap();
}

#[tokio::test]
async fn a_lost_password_file_is_told_not_replaced() {
    let home = Home::new();
    cluster::start(home.options()).await.unwrap().stop().await.unwrap();
    let file = home.data().join("secrets/postgres_superuser");
    assert_eq!(fs::metadata(&file).unwrap().permissions().mode() & 0o777, 0o600);
    let kept = fs::read(&file).unwrap();
    fs::remove_file(&file).unwrap();
    let Err(error) = cluster::start(home.options()).await else { panic!("started without its password") };
    assert_eq!(error.code(), "cluster_secret_lost");
    assert!(!file.try_exists().unwrap());

    fs::write(&file, kept).unwrap();
    fs::remove_file(home.data().join("secrets/postgres_server")).unwrap();
    let cluster = cluster::start(home.options()).await.unwrap();
    connect(&cluster.server_config()).await;
    cluster.stop().await.unwrap();
}
