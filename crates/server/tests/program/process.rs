//! The real program on a data folder of the test's own, and writers that know what was acknowledged.

use std::collections::BTreeSet;
use std::io::{BufRead, BufReader};
use std::os::unix::fs::PermissionsExt;
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::time::{Duration, Instant};

use arc_swap::ArcSwap;
use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;
use reqwest::Method;
use serde_json::{Value, json};
use tempfile::TempDir;
use tokio::task::JoinHandle;

use crate::bare::know_tls;

/// The program that is tested.
const PROGRAM: &str = env!("CARGO_BIN_EXE_thorbis");
/// The demo company.
const COMPANY: &str = "01900000-0000-7000-8000-000000000001";
/// Rows asked for at once.
const ASKED: usize = 50;
/// How long a request may take.
const PATIENCE: Duration = Duration::from_mins(1);

/// Reads a count from the environment: it makes the short form the long proof.
pub(crate) fn number(name: &str, default: u64) -> u64 {
    std::env::var_os(name).map_or(default, |text| text.to_str().unwrap().parse().unwrap())
}

/// Numbers that look random and are the same for the same seed.
pub(crate) struct Dice(u64);

impl Dice {
    pub(crate) fn new() -> Self {
        Self(number("SEED", 1))
    }

    /// Returns a number below the limit.
    pub(crate) fn below(&mut self, limit: u64) -> u64 {
        self.0 = self.0.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        (self.0 >> 33) % limit
    }
}

/// A folder that PostgreSQL's own user can pass.
pub(crate) fn folder() -> TempDir {
    tempfile::Builder::new().permissions(std::fs::Permissions::from_mode(0o755)).tempdir().unwrap()
}

/// A started server: where it answers, and how long that took.
pub(crate) struct Program {
    child: Child,
    pub(crate) url: String,
    pub(crate) took: Duration,
}

impl Program {
    pub(crate) fn start(folder: &Path) -> Self {
        Self::start_with(folder, &[])
    }

    /// Starts it with settings in its environment.
    pub(crate) fn start_with(folder: &Path, settings: &[(&str, &str)]) -> Self {
        Self::start_as(PROGRAM, folder, settings)
    }

    /// Starts another build of it.
    pub(crate) fn start_as(program: &str, folder: &Path, settings: &[(&str, &str)]) -> Self {
        let begun = Instant::now();
        let mut child = spawn(program, folder, settings);
        let mut line = String::new();
        BufReader::new(child.stdout.take().unwrap()).read_line(&mut line).unwrap();
        let Some((_, url)) = line.trim().split_once(" answers at ") else {
            let log = std::fs::read_to_string(folder.join("log")).unwrap();
            panic!("it said {line:?} and logged {}", log.lines().rev().take(5).collect::<Vec<_>>().join("\n"));
        };
        Self { child, url: url.to_owned(), took: begun.elapsed() }
    }

    /// Starts it and kills it after this time, wherever it is then.
    pub(crate) fn kill_in_start(folder: &Path, after: Duration) {
        let mut child = spawn(PROGRAM, folder, &[]);
        std::thread::sleep(after);
        child.kill().unwrap();
        child.wait().unwrap();
    }

    /// Kills it as nothing can be prepared for.
    pub(crate) fn kill(mut self) {
        self.child.kill().unwrap();
        self.child.wait().unwrap();
    }

    pub(crate) fn signal(&self, signal: Signal) {
        kill(self.pid(), signal).unwrap();
    }

    /// Asks it to stop; it takes its PostgreSQL with it.
    pub(crate) fn stop(mut self) {
        self.signal(Signal::SIGTERM);
        assert!(self.child.wait().unwrap().success());
    }

    /// Returns how much memory it has, in kB.
    pub(crate) fn memory(&self) -> u64 {
        let status = std::fs::read_to_string(format!("/proc/{}/status", self.pid())).unwrap();
        let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:")).unwrap();
        line.trim().trim_end_matches(" kB").parse().unwrap()
    }

    /// Returns how many files and sockets it has open.
    pub(crate) fn open_files(&self) -> usize {
        std::fs::read_dir(format!("/proc/{}/fd", self.pid())).unwrap().count()
    }

    fn pid(&self) -> Pid {
        Pid::from_raw(i32::try_from(self.child.id()).unwrap())
    }
}

/// Nothing is left behind by a test that fails.
impl Drop for Program {
    fn drop(&mut self) {
        if matches!(self.child.try_wait(), Ok(None)) {
            let _ended = kill(self.pid(), Signal::SIGTERM).is_ok() && self.child.wait().is_ok();
        }
    }
}

fn spawn(program: &str, folder: &Path, settings: &[(&str, &str)]) -> Child {
    let mut command = command_of(program, folder, &["serve", "--env", "development", "--listen", "127.0.0.1:0"]);
    let log = std::fs::OpenOptions::new().create(true).append(true).open(folder.join("log")).unwrap();
    // A first backup would come in the middle of what is measured.
    command
        .env("THORBIS_BACKUP__FIRST_AFTER_S", "3600")
        .envs(settings.iter().copied())
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .stderr(log)
        .spawn()
        .unwrap()
}

/// A command of the program on the same folder.
pub(crate) fn command(folder: &Path, arguments: &[&str]) -> Command {
    command_of(PROGRAM, folder, arguments)
}

/// A command of another build of the program on the same folder.
pub(crate) fn command_of(program: &str, folder: &Path, arguments: &[&str]) -> Command {
    let mut command = Command::new(program);
    command.args(arguments).env_clear().env("PATH", std::env::var_os("PATH").unwrap()).env("HOME", folder).env("USER", "tester");
    command.env("THORBIS_DATA_DIRECTORY", folder.join("data"));
    command
}

/// Runs SQL as the owner of the database of a running server; PostgreSQL may just be coming back.
pub(crate) fn sql(folder: &Path, sql: &str) -> String {
    let begun = Instant::now();
    loop {
        let output = command(folder, &["psql", "--", "--quiet", "--no-psqlrc", "--tuples-only", "--no-align", "-c", sql]).output().unwrap();
        if output.status.success() {
            return String::from_utf8(output.stdout).unwrap().trim().to_owned();
        }
        assert!(begun.elapsed() < PATIENCE, "{}", String::from_utf8_lossy(&output.stderr));
        std::thread::sleep(Duration::from_millis(50));
    }
}

/// Kills the PostgreSQL of a running server as nothing can be prepared for.
pub(crate) fn kill_postgresql(folder: &Path) {
    // The first line of its lock file is its process.
    let data = sql(folder, "show data_directory");
    let lock = std::fs::read_to_string(Path::new(&data).join("postmaster.pid")).unwrap();
    kill(Pid::from_raw(lock.lines().next().unwrap().parse().unwrap()), Signal::SIGKILL).unwrap();
}

/// Returns the service key of a data folder.
pub(crate) fn service_key(folder: &Path) -> String {
    let shown = command(folder, &["keys", "show"]).output().unwrap();
    let text = String::from_utf8(shown.stdout).unwrap();
    let line = text.lines().find(|line| line.starts_with("service key")).unwrap_or_else(|| panic!("{text}"));
    line.split_whitespace().last().unwrap().to_owned()
}

/// Where the server answers, and what opens it.
pub(crate) struct Way {
    url: ArcSwap<String>,
    key: String,
    client: reqwest::Client,
    stop: AtomicBool,
    acknowledged: AtomicUsize,
}

impl Way {
    pub(crate) fn to(program: &Program, folder: &Path) -> Arc<Self> {
        know_tls();
        Arc::new(Self {
            url: ArcSwap::from_pointee(program.url.clone()),
            key: service_key(folder),
            client: reqwest::Client::builder().timeout(PATIENCE).build().unwrap(),
            stop: AtomicBool::new(false),
            acknowledged: AtomicUsize::new(0),
        })
    }

    /// The server answers elsewhere now.
    pub(crate) fn moved(&self, program: &Program) {
        self.url.store(Arc::new(program.url.clone()));
    }

    /// Returns where sockets are opened now, with the service key.
    pub(crate) fn socket_url(&self) -> String {
        format!("{}/realtime/v1/websocket?vsn=2.0.0&apikey={}&company={COMPANY}", self.url.load().replacen("http", "ws", 1), self.key)
    }

    pub(crate) fn request(&self, method: Method, path: &str) -> reqwest::RequestBuilder {
        self.service(method, &format!("{}/rest/v1/{path}", self.url.load()))
    }

    /// Asks any address with the service key, for the company.
    pub(crate) fn service(&self, method: Method, url: &str) -> reqwest::RequestBuilder {
        self.client.request(method, url).bearer_auth(&self.key).header("x-company-id", COMPANY)
    }

    /// Asks about buckets and objects.
    pub(crate) fn storage(&self, method: Method, path: &str) -> reqwest::RequestBuilder {
        self.client.request(method, format!("{}/storage/v1/{path}", self.url.load())).bearer_auth(&self.key)
    }

    /// The same, for what takes its time.
    pub(crate) fn patient(&self, method: Method, path: &str) -> reqwest::RequestBuilder {
        self.storage(method, path).timeout(Duration::from_mins(30))
    }

    /// Reads rows; the last thing that went wrong may not be over yet.
    async fn read(&self, path: &str) -> Value {
        let begun = Instant::now();
        loop {
            let answer = self.request(Method::GET, path).send().await.unwrap();
            let (status, body) = (answer.status(), answer.text().await.unwrap());
            if status.is_success() {
                return serde_json::from_str(&body).unwrap();
            }
            assert!(status.as_u16() == 503 && begun.elapsed() < PATIENCE, "{status}: {body}");
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
    }

    /// Returns how many rows were acknowledged until now.
    pub(crate) fn acknowledged(&self) -> usize {
        self.acknowledged.load(Ordering::SeqCst)
    }

    /// Notes that something was acknowledged.
    pub(crate) fn acknowledge(&self) {
        self.acknowledged.fetch_add(1, Ordering::SeqCst);
    }

    /// Waits until so much more was acknowledged: whatever ends the server ends it in the midst of that, on a slow machine, too.
    pub(crate) async fn until_more(&self, more: usize) {
        let (begun, from) = (Instant::now(), self.acknowledged());
        while self.acknowledged() < from + more {
            assert!(begun.elapsed() < PATIENCE, "{} of {more} were acknowledged", self.acknowledged() - from);
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
    }

    /// Begins to write rows, each with a name of its own.
    pub(crate) fn writers(self: &Arc<Self>, count: u64) -> Writers {
        let writers = (0..count).map(|writer| tokio::spawn(write(Arc::clone(self), writer)));
        Writers { way: Arc::clone(self), writers: writers.collect() }
    }
}

/// Writers at work.
pub(crate) struct Writers {
    way: Arc<Way>,
    writers: Vec<JoinHandle<(BTreeSet<String>, usize)>>,
}

/// What became of everything that was written.
pub(crate) struct Balance {
    pub(crate) acknowledged: usize,
    /// Acknowledged and not there.
    pub(crate) lost: usize,
    /// There more than once.
    pub(crate) doubled: usize,
    /// Requests without an answer, or told to come back.
    pub(crate) unanswered: usize,
}

impl Writers {
    /// Ends the writing and asks for every acknowledged row.
    pub(crate) async fn balance(self) -> Balance {
        self.way.stop.store(true, Ordering::Relaxed);
        let (mut acknowledged, mut unanswered) = (Vec::new(), 0);
        for writer in self.writers {
            let (names, missing) = writer.await.unwrap();
            acknowledged.extend(names);
            unanswered += missing;
        }
        let (mut lost, mut doubled) = (0, 0);
        for names in acknowledged.chunks(ASKED) {
            let path = format!("customers?select=first_name&first_name=in.({})", names.join(","));
            let rows = self.way.read(&path).await;
            let found: Vec<&str> = rows.as_array().unwrap().iter().filter_map(|row| row["first_name"].as_str()).collect();
            for name in names {
                match found.iter().filter(|found| *found == name).count() {
                    0 => lost += 1,
                    1 => {}
                    _ => doubled += 1,
                }
            }
        }
        Balance { acknowledged: acknowledged.len(), lost, doubled, unanswered }
    }
}

/// Writes rows one after another, through all the outages; returns those that were acknowledged and how often an answer was missing.
async fn write(way: Arc<Way>, writer: u64) -> (BTreeSet<String>, usize) {
    let (mut acknowledged, mut unanswered, mut count) = (BTreeSet::new(), 0, 0_u64);
    while !way.stop.load(Ordering::Relaxed) {
        count += 1;
        let name = format!("written-{writer}-{count}");
        let sent = way.request(Method::POST, "customers").json(&json!({ "first_name": name, "phone": "+15550100" })).send().await;
        match sent.map(|answer| answer.status().as_u16()) {
            Ok(201) => {
                acknowledged.insert(name);
                way.acknowledge();
            }
            Ok(503 | 504) | Err(_) => {
                unanswered += 1;
                tokio::time::sleep(Duration::from_millis(10)).await;
            }
            Ok(other) => panic!("{name} was answered {other}"),
        }
    }
    (acknowledged, unanswered)
}
