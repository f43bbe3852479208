//! The private cluster brought to another major version of PostgreSQL by the real programs of both, and killed in the midst.
//!
//! Invariant: at every moment the old cluster is whole or the new one is, with the same rows. It needs a newer PostgreSQL than the one that makes
//! the cluster: `UPGRADE_TO_BIN` names its programs, which `./dev prove upgrade` fetches. `UPGRADE_KILLS`, `UPGRADE_ROWS` and `SEED` make it long.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use tempfile::TempDir;

use crate::process::{Dice, Program, Way, command, folder, number, sql};
use crate::upgrades::{SETTINGS, add, names};

/// What a table that nobody else knows has.
const LOOK: &str = "select count(*), sum(hashtextextended(b::text, 0)) from public.ballast b";

/// A data folder, and both versions on the search path: that which makes the cluster goes first.
struct Ground {
    folder: TempDir,
    path: String,
}

impl Ground {
    fn of(newer: &str) -> Self {
        Self { folder: folder(), path: format!("{}:{newer}", std::env::var_os("PATH").unwrap().into_string().unwrap()) }
    }

    fn data(&self) -> PathBuf {
        self.folder.path().join("data")
    }

    fn command(&self, arguments: &[&str]) -> Command {
        let mut command = command(self.folder.path(), arguments);
        command.env("PATH", &self.path);
        command
    }

    fn done(&self, arguments: &[&str]) -> String {
        let output = self.command(arguments).output().unwrap();
        assert!(output.status.success(), "{arguments:?}: {}", String::from_utf8_lossy(&output.stderr));
        String::from_utf8(output.stdout).unwrap()
    }

    fn start(&self) -> Program {
        let settings = [SETTINGS, &[("PATH", self.path.as_str())]].concat();
        Program::start_with(self.folder.path(), &settings)
    }

    /// Returns the major version of the cluster in its place; none while one takes the place of the other.
    fn major(&self) -> Option<u32> {
        let is_between = self.data().join("restore.json").is_file();
        let text = fs::read_to_string(self.data().join("postgres/cluster/PG_VERSION"));
        text.ok().filter(|_| !is_between).map(|text| text.trim().parse().unwrap())
    }

    /// Returns the folders that begin so.
    fn folders(&self, beginning: &str) -> Vec<PathBuf> {
        let entries = fs::read_dir(self.data()).unwrap().map(|entry| entry.unwrap().path());
        entries.filter(|path| path.file_name().unwrap().to_str().unwrap().starts_with(beginning)).collect()
    }

    /// Kills an upgrade after this time; tells whether it was not over yet.
    fn kill_in_upgrade(&self, after: Duration) -> bool {
        let mut child =
            self.command(&["upgrade-cluster", "--yes"]).stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null()).spawn().unwrap();
        std::thread::sleep(after);
        let is_over = child.try_wait().unwrap().is_some();
        if !is_over {
            child.kill().unwrap();
        }
        child.wait().unwrap();
        !is_over
    }

    /// The way back of docs/deployment.md: the old cluster has its place again.
    fn go_back(&self) {
        let aside = self.folders("before-upgrade-");
        assert_eq!(aside.len(), 1, "{aside:?}");
        let new = self.data().join("postgres-after");
        fs::rename(self.data().join("postgres"), &new).unwrap();
        fs::rename(aside[0].join("postgres"), self.data().join("postgres")).unwrap();
        fs::remove_dir(&aside[0]).unwrap();
        fs::remove_dir_all(&new).unwrap();
    }

    /// Starts the server, compares what it has, and stops it.
    async fn has(&self, way: &Way, look: &str) {
        let server = self.start();
        way.moved(&server);
        assert_eq!(names(way).await, ["kept-before"]);
        assert_eq!(sql(self.folder.path(), LOOK), look);
        server.stop();
        assert!(self.folders("upgrade-").is_empty(), "a start leaves nothing of an upgrade that was cut off");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_new_major_version_has_the_rows_of_the_old_one() {
    let Some(newer) = std::env::var_os("UPGRADE_TO_BIN").and_then(|folder| folder.into_string().ok()) else {
        eprintln!("not run: UPGRADE_TO_BIN names no newer PostgreSQL than that of the machine; ./dev prove upgrade fetches one");
        return;
    };
    assert!(Path::new(&newer).join("pg_upgrade").is_file(), "{newer}");
    let (kills, rows, mut dice, ground) = (number("UPGRADE_KILLS", 2), number("UPGRADE_ROWS", 1000), Dice::new(), Ground::of(&newer));
    let server = ground.start();
    let way = Way::to(&server, ground.folder.path());
    add(&way, "kept-before").await;
    let ballast = format!("create table public.ballast as select i, repeat(md5(i::text), 30) as word from generate_series(1, {rows}) i");
    sql(ground.folder.path(), &ballast);
    let look = sql(ground.folder.path(), LOOK);
    server.stop();
    let old = ground.major().unwrap();

    // Once without harm, to know how long it takes, and back.
    let begun = Instant::now();
    let said = ground.done(&["upgrade-cluster", "--yes"]);
    let took = begun.elapsed();
    let new = ground.major().unwrap();
    assert!(new > old && said.contains("are the same") && said.contains("before-upgrade-"), "{said}");
    ground.has(&way, &look).await;
    // The new cluster has a chain of copies of its own.
    let created = ground.done(&["backup", "create"]);
    assert!(!created.is_empty());
    ground.done(&["backup", "verify", "--deep"]);
    ground.go_back();
    assert_eq!(ground.major(), Some(old));
    ground.has(&way, &look).await;

    let span = u64::try_from(took.as_millis()).unwrap();
    let (mut killed, mut finished) = (0, 0);
    while killed < kills {
        killed += u64::from(ground.kill_in_upgrade(Duration::from_millis(dice.below(span))));
        // Every second time the next one who takes the folder is another upgrade.
        if dice.below(2) == 0 || ground.major().is_none() {
            ground.has(&way, &look).await;
        }
        if ground.major() == Some(new) {
            finished += 1;
            ground.go_back();
        }
    }
    ground.done(&["upgrade-cluster", "--yes"]);
    assert_eq!(ground.major(), Some(new));
    ground.has(&way, &look).await;
    println!(
        "cluster: {killed} kills of an upgrade from PostgreSQL {old} to {new} with {rows} rows beside the demo company, which takes {} ms: \
         rows the same after each, {finished} times in the new cluster",
        took.as_millis()
    );
}
