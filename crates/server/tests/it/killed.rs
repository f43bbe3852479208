//! The server is killed again and again while writers write: what was acknowledged is there, and every start recovers.
//!
//! Invariant: a writer knows of each row whether it was acknowledged; at the end each of these is asked for. `SERVER_KILLS` and `SEED`
//! make the short form the long proof.

use std::collections::BTreeSet;
use std::io::{BufRead, BufReader};
use std::os::unix::fs::PermissionsExt;
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use arc_swap::ArcSwap;
use serde_json::{Value, json};

use crate::running::know_tls;

const WRITERS: u64 = 4;
/// The longest that a start may take, with what the server before it left behind.
const START_MAX: Duration = Duration::from_secs(30);
/// The demo company.
const COMPANY: &str = "01900000-0000-7000-8000-000000000001";
/// Rows asked for at once.
const ASKED: usize = 50;

fn number(name: &str, default: u64) -> u64 {
    std::env::var_os(name).map_or(default, |text| text.to_str().unwrap().parse().unwrap())
}

/// A started server: where it answers, and how long that took.
struct Server {
    child: Child,
    url: String,
    took: Duration,
}

impl Server {
    fn start(folder: &Path) -> Self {
        let begun = Instant::now();
        let mut command = Command::new(env!("CARGO_BIN_EXE_thorbis"));
        command.args(["serve", "--env", "development", "--listen", "127.0.0.1:0", "--data"]).arg(folder.join("data"));
        command.env_clear().env("PATH", std::env::var_os("PATH").unwrap()).env("HOME", folder).env("USER", "tester");
        let log = std::fs::OpenOptions::new().create(true).append(true).open(folder.join("log")).unwrap();
        let mut child = command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(log).spawn().unwrap();
        let mut line = String::new();
        BufReader::new(child.stdout.take().unwrap()).read_line(&mut line).unwrap();
        let Some((_, url)) = line.trim().split_once(" answers at ") else {
            let log = std::fs::read_to_string(folder.join("log")).unwrap();
            panic!("it said {line:?} and logged {}", log.lines().rev().take(5).collect::<Vec<_>>().join("\n"));
        };
        Self { child, url: url.to_owned(), took: begun.elapsed() }
    }

    /// Kills it as nothing can be prepared for.
    fn kill(mut self) {
        self.child.kill().unwrap();
        self.child.wait().unwrap();
    }
}

fn service_key(folder: &Path) -> String {
    let shown =
        Command::new(env!("CARGO_BIN_EXE_thorbis")).args(["keys", "show", "--data"]).arg(folder.join("data")).env_clear().output().unwrap();
    let text = String::from_utf8(shown.stdout).unwrap();
    let line = text.lines().find(|line| line.starts_with("service key")).unwrap_or_else(|| panic!("{text}"));
    line.split_whitespace().last().unwrap().to_owned()
}

/// Where the server answers, and what opens it.
struct Way {
    url: ArcSwap<String>,
    key: String,
    client: reqwest::Client,
    stop: AtomicBool,
}

impl Way {
    fn request(&self, method: reqwest::Method, path: &str) -> reqwest::RequestBuilder {
        let url = format!("{}/rest/v1/{path}", self.url.load());
        self.client.request(method, url).bearer_auth(&self.key).header("x-company-id", COMPANY)
    }
}

/// Writes rows one after another, through all the outages; returns those that were acknowledged and how often an answer was missing.
async fn write(way: Arc<Way>, writer: u64) -> (BTreeSet<String>, usize) {
    let (mut acknowledged, mut unanswered, mut count) = (BTreeSet::new(), 0, 0_u64);
    while !way.stop.load(Ordering::Relaxed) {
        count += 1;
        let name = format!("kill-{writer}-{count}");
        let sent = way.request(reqwest::Method::POST, "customers").json(&json!({ "first_name": name })).send().await;
        match sent.map(|answer| answer.status().as_u16()) {
            Ok(201) => {
                acknowledged.insert(name);
            }
            Ok(503) | Err(_) => {
                unanswered += 1;
                tokio::time::sleep(Duration::from_millis(10)).await;
            }
            Ok(other) => panic!("{name} was answered {other}"),
        }
    }
    (acknowledged, unanswered)
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn nothing_acknowledged_is_lost_when_the_server_is_killed() {
    know_tls();
    let (kills, mut seed) = (number("SERVER_KILLS", 2), number("SEED", 1));
    let folder = tempfile::Builder::new().permissions(std::fs::Permissions::from_mode(0o755)).tempdir().unwrap();
    let mut server = Server::start(folder.path());
    let way = Arc::new(Way {
        url: ArcSwap::from_pointee(server.url.clone()),
        key: service_key(folder.path()),
        client: reqwest::Client::builder().timeout(Duration::from_secs(10)).build().unwrap(),
        stop: AtomicBool::new(false),
    });
    let writers: Vec<_> = (0..WRITERS).map(|writer| tokio::spawn(write(Arc::clone(&way), writer))).collect();
    let mut slowest = Duration::ZERO;
    for _ in 0..kills {
        // A moment between a fifth and two thirds of a second, from the seed.
        seed = seed.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        tokio::time::sleep(Duration::from_millis(200 + (seed >> 33) % 450)).await;
        server.kill();
        server = tokio::task::block_in_place(|| Server::start(folder.path()));
        assert!(server.took < START_MAX, "{:?}", server.took);
        slowest = slowest.max(server.took);
        way.url.store(Arc::new(server.url.clone()));
    }
    way.stop.store(true, Ordering::Relaxed);
    let (mut acknowledged, mut unanswered) = (Vec::new(), 0);
    for writer in writers {
        let (names, missing) = writer.await.unwrap();
        acknowledged.extend(names);
        unanswered += missing;
    }
    assert!(acknowledged.len() > 10, "only {} rows were written", acknowledged.len());
    let mut found = 0;
    for names in acknowledged.chunks(ASKED) {
        let path = format!("customers?select=first_name&first_name=in.({})", names.join(","));
        let rows: Value = way.request(reqwest::Method::GET, &path).send().await.unwrap().json().await.unwrap();
        found += rows.as_array().unwrap_or_else(|| panic!("{rows}")).len();
    }
    println!(
        "{kills} kills of the server: {} rows acknowledged, {} lost, {unanswered} requests unanswered, slowest start {} ms",
        acknowledged.len(),
        acknowledged.len() - found,
        slowest.as_millis()
    );
    assert_eq!(found, acknowledged.len());
    // Asked to stop, it takes its PostgreSQL with it.
    nix::sys::signal::kill(nix::unistd::Pid::from_raw(i32::try_from(server.child.id()).unwrap()), nix::sys::signal::Signal::SIGTERM)
        .unwrap();
    assert!(server.child.wait().unwrap().success());
}
