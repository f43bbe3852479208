//! The private cluster, copied by `pg_upgrade` to another major version of PostgreSQL.
//!
//! Invariant: the old cluster's files are read and never written over: the new one is made in a data folder of its own, the stage. Whatever
//! was killed there is found by the folder that it works in, and ended, before the stage is taken away or begun anew.

use std::fs;
use std::io;
use std::path::{Path, PathBuf};
use std::process::Stdio;
use std::time::{Duration, Instant};

use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;
use tokio::task::spawn_blocking;
use tokio::time::sleep;
use tokio_postgres::Config;

use super::engine::Engine;
use super::initdb::SUPERUSER;
use super::programs::Programs;
use super::{ClusterError, ClusterOptions, folders};
use super::{logins, postmaster};

/// How long `pg_upgrade` may take.
const UPGRADE_TIME: Duration = Duration::from_hours(24);
/// How long what was killed gets to be gone.
const END_TIME: Duration = Duration::from_secs(10);
const POLL: Duration = Duration::from_millis(20);
/// What a cluster needs beside its rows, in bytes: its log and the new version's own tables.
const ROOM_BESIDE: u64 = 512 * 1024 * 1024;
/// Lines of what a program says, and of the files that it leaves, that go into an error.
const WORDS_MAX: usize = 40;
/// The folder in the stage that `pg_upgrade` works in. What it writes there deletes the cluster that then has the old one's place.
const WORK: &str = "work";
/// Where `pg_upgrade` writes what it found, in the new cluster.
const FOUND: &str = "pg_upgrade_output.d";
/// The port that names the socket: a longer number would make its path longer than one may be.
const PORT: &str = "5432";
/// What an administrator may have set.
const OWN_SETTINGS: &[&str] = &["local.conf", "postgresql.auto.conf"];
/// What the upgrade runs, in the folder of either version.
const OLD_PROGRAMS: &[&str] = &["postgres", "pg_ctl", "pg_controldata", "pg_resetwal"];
const NEW_PROGRAMS: &[&str] = &[
    "postgres",
    "initdb",
    "pg_ctl",
    "pg_controldata",
    "pg_resetwal",
    "pg_upgrade",
    "pg_dump",
    "pg_dumpall",
    "pg_restore",
    "psql",
    "vacuumdb",
    // Not the upgrade needs it but the first backup after it.
    "pg_basebackup",
];

/// What an upgrade would do.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct UpgradePlan {
    /// The programs that the cluster is of.
    pub from_folder: PathBuf,
    /// Their version.
    pub from_version: String,
    /// The programs that it is to be of.
    pub to_folder: PathBuf,
    /// Their version.
    pub to_version: String,
    /// The major versions, old and new.
    pub majors: (u32, u32),
    /// Bytes that the copy needs.
    pub bytes_needed: u64,
}

/// Finds out what an upgrade of a data folder would do, or why there can be none. Nothing is changed.
pub fn plan_upgrade(data: &Path, from: Option<&Path>, to: Option<&Path>) -> Result<UpgradePlan, ClusterError> {
    let cluster = folders(data).cluster;
    let missing = || ClusterError::NothingToUpgrade { folder: cluster.clone() };
    let text = fs::read_to_string(cluster.join("PG_VERSION")).map_err(|_absent| missing())?;
    let old: u32 = text.trim().parse().map_err(|_no_number| missing())?;
    let search_path = std::env::var_os("PATH");
    let from = Programs::find(from, search_path.as_deref(), Some((old, &cluster)))?;
    let to = Programs::newest(to, search_path.as_deref());
    let newest = to.as_ref().map_or(0, |programs| programs.major);
    let Some(to) = to.filter(|programs| programs.major > old) else {
        return Err(ClusterError::NothingNewer { have: old, newest, next: old + 1 });
    };
    for (programs, names) in [(&from, OLD_PROGRAMS), (&to, NEW_PROGRAMS)] {
        if let Some(name) = names.iter().find(|name| !programs.path(name).is_file()) {
            return Err(ClusterError::ToolMissing { name, folder: programs.folder.clone(), major: programs.major });
        }
    }
    let bytes_needed = size(&cluster, &cluster.join("pg_wal")).map_err(ClusterError::file(&cluster))? + ROOM_BESIDE;
    let found = nix::sys::statvfs::statvfs(data).map_err(|error| ClusterError::file(data)(error.into()))?;
    let bytes_free = found.blocks_available().saturating_mul(found.fragment_size());
    if bytes_free < bytes_needed {
        return Err(ClusterError::NoRoom { folder: data.to_owned(), needed: bytes_needed, free: bytes_free });
    }
    let (from_version, to_version, majors) = (from.version, to.version, (old, to.major));
    Ok(UpgradePlan { from_folder: from.folder, from_version, to_folder: to.folder, to_version, majors, bytes_needed })
}

/// Makes a new cluster in the stage and copies the old one into it. Both are down, before and after. The stage has the old one's passwords.
pub async fn copy_to_new_major(old: ClusterOptions, new: ClusterOptions) -> Result<(), ClusterError> {
    let (old, new) = (Engine::prepare(old).await?, Engine::prepare(new).await?);
    let (from, maker) = (old.clone(), new.clone());
    let made = spawn_blocking(move || {
        let from = from.plan()?;
        let to = maker.plan()?;
        Ok::<_, ClusterError>((from.programs, to.programs))
    });
    let (from, to) = made.await.unwrap_or(Err(ClusterError::Interrupted))?;
    for name in OWN_SETTINGS {
        let (here, there) = (old.layout.cluster.join(name), new.layout.cluster.join(name));
        if here.is_file() {
            fs::copy(&here, &there).map_err(ClusterError::file(&there))?;
            new.account.give(&there)?;
        }
    }
    let work = new.layout.home.join(WORK);
    new.account.make_folder(&work)?;
    for check in [true, false] {
        run(&old, &new, (&from, &to), check).await?;
    }
    fs::remove_dir_all(&work).map_err(ClusterError::file(&work))
}

async fn run(old: &Engine, new: &Engine, (from, to): (&Programs, &Programs), check: bool) -> Result<(), ClusterError> {
    let program = to.path("pg_upgrade");
    let mut command = new.account.command(&program);
    // It is found by its folder if we are killed.
    command.current_dir(new.layout.home.join(WORK)).env("PGPASSWORD", old.passwords.superuser.expose());
    command.arg("--old-bindir").arg(&from.folder).arg("--new-bindir").arg(&to.folder);
    command.arg("--old-datadir").arg(&old.layout.cluster).arg("--new-datadir").arg(&new.layout.cluster);
    command.arg("--socketdir").arg(&new.layout.socket).args(["--username", SUPERUSER, "--old-port", PORT, "--new-port", PORT]);
    if check {
        command.arg("--check");
    }
    let mut command = tokio::process::Command::from(command);
    command.stdin(Stdio::null()).kill_on_drop(true);
    let ended = tokio::time::timeout(UPGRADE_TIME, command.output()).await.map_err(|_late| ClusterError::Interrupted)?;
    let output = ended.map_err(ClusterError::file(&program))?;
    if output.status.success() {
        return Ok(());
    }
    let said = [output.stdout, output.stderr].concat();
    let mut words = last_lines(&String::from_utf8_lossy(&said));
    // The stage goes with this error, and so do the lists that it tells of.
    for (name, text) in lists(&new.layout.cluster.join(FOUND)) {
        words = format!("{words}\n{name}:\n{}", last_lines(&text));
    }
    Err(ClusterError::Program { program: "pg_upgrade".to_owned(), status: output.status.to_string(), output: words })
}

fn last_lines(text: &str) -> String {
    let lines: Vec<&str> = text.lines().filter(|line| !line.trim().is_empty()).collect();
    lines.get(lines.len().saturating_sub(WORDS_MAX)..).unwrap_or_default().join("\n")
}

/// Reads what `pg_upgrade` listed that hinders it: each run has a folder with texts, and logs below it.
fn lists(folder: &Path) -> Vec<(String, String)> {
    let within = |folder: &Path| fs::read_dir(folder).into_iter().flatten().flatten().map(|entry| entry.path()).collect::<Vec<_>>();
    let mut files: Vec<PathBuf> = within(folder).iter().flat_map(|run| within(run)).collect();
    files.retain(|path| path.extension().is_some_and(|kind| kind == "txt"));
    files.sort();
    let read = |path: &PathBuf| Some((path.file_name()?.to_string_lossy().into_owned(), fs::read_to_string(path).ok()?));
    files.iter().filter_map(read).collect()
}

/// Does what `pg_upgrade` leaves to do: extensions get the new version's own, and the planner its figures.
pub async fn freshen(config: &Config) -> Result<(), ClusterError> {
    let failed = |step| move |source| ClusterError::Setup { step, source };
    let client = logins::connect(config).await.map_err(failed("connecting"))?;
    let outdated = "select format('alter extension %I update', e.extname) from pg_catalog.pg_extension e
                      join pg_catalog.pg_available_extensions a on a.name = e.extname
                     where a.default_version <> e.extversion order by e.extname";
    for row in client.query(outdated, &[]).await.map_err(failed("looking for extensions"))? {
        let statement: String = row.try_get(0).map_err(failed("looking for extensions"))?;
        client.batch_execute(&statement).await.map_err(failed("bringing an extension up to date"))?;
    }
    client.batch_execute("analyze").await.map_err(failed("counting rows for the planner"))
}

/// Ends what works in a stage, and a PostgreSQL that `pg_upgrade` left in the old cluster, and takes the stage away.
pub async fn forget_stage(data: &Path, stage: &Path) -> Result<(), ClusterError> {
    if !stage.try_exists().map_err(ClusterError::file(stage))? {
        return Ok(());
    }
    let stage = fs::canonicalize(stage).map_err(ClusterError::file(stage))?;
    end_all_in(&stage).await?;
    super::end_in(data, END_TIME).await?;
    // One that was just beginning has no lock file yet.
    postmaster::end_leftovers(&folders(data).cluster).await;
    tracing::info!(folder = %stage.display(), "an upgrade that was cut off is forgotten; nothing was changed");
    fs::remove_dir_all(&stage).map_err(ClusterError::file(&stage))
}

/// A killed upgrade leaves `pg_upgrade`, what that started, and a PostgreSQL: each works in a folder of the stage.
async fn end_all_in(stage: &Path) -> Result<(), ClusterError> {
    let deadline = Instant::now() + END_TIME;
    loop {
        let found = working_in(stage);
        if found.is_empty() {
            return Ok(());
        }
        if Instant::now() > deadline {
            return Err(ClusterError::StopTimeout { pid: found.first().copied().unwrap_or_default(), seconds: END_TIME.as_secs() });
        }
        for pid in found {
            let _may_be_gone = kill(Pid::from_raw(pid), Signal::SIGKILL).is_ok();
        }
        sleep(POLL).await;
    }
}

fn working_in(folder: &Path) -> Vec<i32> {
    let Ok(entries) = fs::read_dir("/proc") else { return vec![] };
    let pids = entries.flatten().filter_map(|entry| entry.file_name().to_str()?.parse::<i32>().ok());
    pids.filter(|pid| fs::read_link(format!("/proc/{pid}/cwd")).is_ok_and(|cwd| cwd.starts_with(folder))).collect()
}

/// Returns how many bytes the files of a folder have, but for one folder in it.
fn size(folder: &Path, without: &Path) -> io::Result<u64> {
    let (mut bytes, mut open) = (0_u64, vec![folder.to_owned()]);
    while let Some(path) = open.pop() {
        for entry in fs::read_dir(&path)?.flatten() {
            let (kind, path) = (entry.file_type()?, entry.path());
            if kind.is_dir() && path != without {
                open.push(path);
            } else if kind.is_file() {
                bytes = bytes.saturating_add(entry.metadata()?.len());
            }
        }
    }
    Ok(bytes)
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::PermissionsExt;

    use super::*;

    /// A folder with programs that answer only their version.
    fn fake(folder: &Path, version: &str, names: &[&str]) {
        fs::create_dir_all(folder).unwrap();
        for name in names {
            let path = folder.join(name);
            fs::write(&path, format!("#!/bin/sh\necho 'postgres (PostgreSQL) {version}'\n")).unwrap();
            fs::set_permissions(&path, fs::Permissions::from_mode(0o755)).unwrap();
        }
    }

    #[test]
    fn an_upgrade_is_planned_or_refused_before_anything_is_touched() {
        let home = tempfile::tempdir().unwrap();
        let (data, old, new) = (home.path().join("data"), home.path().join("15"), home.path().join("18"));
        fs::create_dir_all(data.join("postgres/cluster/pg_wal")).unwrap();
        let plan = |to: &Path| plan_upgrade(&data, Some(&old), Some(to));
        assert_eq!(plan(&new).unwrap_err().code(), "cluster_nothing_to_upgrade");
        fs::write(data.join("postgres/cluster/PG_VERSION"), "15\n").unwrap();
        fs::write(data.join("postgres/cluster/rows"), [0; 1000]).unwrap();
        fs::write(data.join("postgres/cluster/pg_wal/log"), [0; 5000]).unwrap();
        assert_eq!(plan(&new).unwrap_err().code(), "cluster_programs_missing");
        fake(&old, "15.4", &["initdb", "postgres", "pg_ctl", "pg_controldata", "pg_resetwal"]);
        let same = plan(&old).unwrap_err();
        assert_eq!(same.code(), "cluster_nothing_newer");
        assert!(same.to_string().contains("apt-get install postgresql-16"), "{same}");
        fake(&new, "18.1", &["initdb", "postgres", "pg_ctl"]);
        let short = plan(&new).unwrap_err();
        assert_eq!(short.code(), "cluster_tool_missing");
        assert!(short.to_string().contains("pg_controldata") && short.to_string().contains("postgresql-18"), "{short}");
        fake(&new, "18.1", NEW_PROGRAMS);
        let found = plan(&new).unwrap();
        assert_eq!((found.majors, found.from_version.as_str(), found.to_version.as_str()), ((15, 18), "15.4", "18.1"));
        assert_eq!(found.bytes_needed, 1003 + ROOM_BESIDE, "the log is not copied");
        // A file of eight terabytes of which nothing was written yet.
        fs::File::create(data.join("postgres/cluster/rows")).unwrap().set_len(8 << 40).unwrap();
        let full = plan(&new).unwrap_err();
        assert_eq!(full.code(), "cluster_no_room");
        assert!(full.to_string().contains("8796629893"), "{full}");
        assert_eq!(fs::read_dir(&data).unwrap().count(), 1);
    }

    #[test]
    fn what_hinders_an_upgrade_is_told_with_its_lists() {
        let home = tempfile::tempdir().unwrap();
        let run = home.path().join("20261123T100000.000");
        fs::create_dir_all(run.join("log")).unwrap();
        fs::write(run.join("loadable_libraries.txt"), "could not load library \"$libdir/own\"\n\nIn database: thorbis\n").unwrap();
        fs::write(run.join("log/pg_upgrade_server.log"), "words").unwrap();
        let found = lists(home.path());
        assert_eq!(found.len(), 1);
        assert_eq!(found[0].0, "loadable_libraries.txt");
        assert_eq!(last_lines(&found[0].1), "could not load library \"$libdir/own\"\nIn database: thorbis");
        assert_eq!(lists(&home.path().join("none")), []);
        let long: Vec<String> = (1..=100).map(|line: u32| line.to_string()).collect();
        assert_eq!(last_lines(&long.join("\n")).lines().next(), Some("61"));
    }

    #[tokio::test]
    async fn what_works_in_a_stage_is_ended_and_nothing_else() {
        let home = tempfile::tempdir().unwrap();
        let (stage, other) = (home.path().join("upgrade-18"), home.path().join("upgrade-18-not"));
        fs::create_dir_all(stage.join("postgres")).unwrap();
        fs::create_dir_all(&other).unwrap();
        let sleeper = |folder: &Path| std::process::Command::new("sleep").arg("600").current_dir(folder).spawn().unwrap();
        let (mut ours, mut theirs) = (sleeper(&stage.join("postgres")), sleeper(&other));
        // A child that ended works nowhere any more, although nobody asked after it yet.
        forget_stage(home.path(), &stage).await.unwrap();
        assert!(!stage.is_dir() && !ours.wait().unwrap().success());
        assert!(theirs.try_wait().unwrap().is_none());
        theirs.kill().unwrap();
        theirs.wait().unwrap();
    }
}
