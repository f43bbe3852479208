//! Backups as an operator has them: made by a running server, restored by a command, to the named moment, with keys and files.
//!
//! Invariant: what is restored to is exactly what was committed before. `RESTORE_ROWS` makes the short form the long proof, which prints how
//! long a restore takes (RTO) and how long a commit is only on one machine (RPO).

use std::fs;
use std::path::Path;
use std::process::Output;
use std::time::{Duration, Instant};

use reqwest::{Method, StatusCode};
use serde_json::{Value, json};
use testkit::object_store::{ACCESS_KEY, BUCKET, ObjectStore, SECRET_KEY};

use crate::process::{Program, Way, command, folder, number, sql};

/// How long the first backup may take.
const PATIENCE: Duration = Duration::from_mins(1);

/// A server that makes its first backup at once, and practises only when it is told to.
const SETTINGS: &[(&str, &str)] =
    &[("THORBIS_BACKUP__FIRST_AFTER_S", "0"), ("THORBIS_BACKUP__LOG_PIECE_S", "1"), ("THORBIS_BACKUP__SHIP_INTERVAL_MS", "100")];

fn run(folder: &Path, arguments: &[&str]) -> Output {
    command(folder, arguments).output().unwrap()
}

fn done(folder: &Path, arguments: &[&str]) -> String {
    let output = run(folder, arguments);
    let (told, said) = (String::from_utf8_lossy(&output.stderr), String::from_utf8_lossy(&output.stdout));
    assert!(output.status.success(), "{arguments:?}: {said}{told}");
    said.into_owned()
}

fn refused(folder: &Path, arguments: &[&str], word: &str) {
    let output = run(folder, arguments);
    let said = String::from_utf8_lossy(&output.stderr).into_owned();
    assert!(!output.status.success() && said.contains(word), "{arguments:?}: {said}");
}

/// Asks until a line of `thorbis backup list` has this.
fn listed(folder: &Path, word: &str) -> String {
    let deadline = Instant::now() + PATIENCE;
    loop {
        let text = done(folder, &["backup", "list"]);
        if let Some(line) = text.lines().find(|line| line.contains(word)) {
            return line.to_owned();
        }
        assert!(Instant::now() < deadline, "{word} is not in {text}");
        std::thread::sleep(Duration::from_millis(100));
    }
}

async fn add(way: &Way, name: &str) {
    let answer = way.request(Method::POST, "customers").json(&json!({ "first_name": name, "phone": "+15550100" })).send().await.unwrap();
    assert_eq!(answer.status(), StatusCode::CREATED, "{name}");
}

async fn names(way: &Way) -> Vec<String> {
    let answer = way.request(Method::GET, "customers?select=first_name&first_name=like.kept*&order=created_at").send().await.unwrap();
    let rows: Value = answer.json().await.unwrap();
    rows.as_array().unwrap().iter().map(|row| row["first_name"].as_str().unwrap().to_owned()).collect()
}

/// What must stand in no log.
fn stays_secret(folder: &Path) {
    let key = fs::read_to_string(folder.join("data/secrets/recovery_key")).unwrap();
    let password = fs::read_to_string(folder.join("data/secrets/postgres_superuser")).unwrap();
    let log = fs::read_to_string(folder.join("log")).unwrap();
    assert!(!log.contains(key.trim()) && !log.contains(password.trim()));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_server_backs_itself_up_and_is_restored_to_a_named_moment() {
    let folder = folder();
    let folder = folder.path();
    let server = Program::start_with(folder, SETTINGS);
    let way = Way::to(&server, folder);
    listed(folder, "complete");
    add(&way, "kept-before").await;

    let point = json!({ "checkpoint_name": "before-import", "description": "one customer is there" });
    let anybody = reqwest::Client::new().post(format!("{}/rest/v1/rpc/create_recovery_checkpoint", server.url)).json(&point);
    assert!(anybody.send().await.unwrap().status().is_client_error(), "not without the service key");
    let anybody = reqwest::Client::new().get(format!("{}/rest/v1/backup_logs", server.url));
    assert!(anybody.send().await.unwrap().status().is_client_error(), "not without the service key");
    let named = way.request(Method::POST, "rpc/create_recovery_checkpoint").json(&point).send().await.unwrap();
    assert_eq!(named.status(), StatusCode::OK);
    let unnamed = way.request(Method::POST, "rpc/create_recovery_checkpoint").json(&json!({ "checkpoint_name": "" })).send().await.unwrap();
    assert_eq!(unnamed.status(), StatusCode::BAD_REQUEST);
    add(&way, "kept-after").await;
    listed(folder, "before-import");
    let logs = way.request(Method::GET, "backup_logs?select=filename,size_bytes,backup_type,status,error_message").send().await.unwrap();
    let logs: Value = logs.json().await.unwrap();
    assert_eq!(
        (&logs[0]["backup_type"], &logs[0]["status"], &logs[0]["error_message"]),
        (&json!("automated"), &json!("completed"), &json!(null))
    );
    assert!(logs[0]["size_bytes"].as_i64().unwrap() > 1_000_000, "{logs}");
    let numbers = reqwest::get(format!("{}/metrics", server.url)).await.unwrap().text().await.unwrap();
    for name in ["last_backup_age_seconds", "last_drill_age_seconds", "wal_archive_lag_seconds"] {
        assert!(numbers.contains(name), "{name}");
    }
    refused(folder, &["restore", "--latest"], "data_directory_in_use");
    done(folder, &["backup", "verify"]);
    stays_secret(folder);
    server.stop();

    refused(folder, &["restore", "--to", "2020-01-01T00:00:00Z"], "backup_not_found");
    refused(folder, &["restore", "--to-checkpoint", "never"], "checkpoint_not_found");
    done(folder, &["restore", "--to-checkpoint", "before-import"]);
    let aside = fs::read_dir(folder.join("data"))
        .unwrap()
        .flatten()
        .find(|entry| entry.file_name().to_string_lossy().starts_with("before-restore-"));
    assert!(aside.unwrap().path().join("postgres/cluster/PG_VERSION").is_file(), "what was there is kept");
    let server = Program::start_with(folder, SETTINGS);
    way.moved(&server);
    // The same keys open it: the ring came back with the rows.
    assert_eq!(names(&way).await, ["kept-before"]);
    add(&way, "kept-anew").await;
    done(folder, &["backup", "create"]);
    let report = done(folder, &["backup", "drill"]);
    assert!(report.contains("all tables are the same"), "{report}");
    stays_secret(folder);
    server.stop();
}

/// A machine is lost: a new one has the store and the recovery key, nothing else.
#[tokio::test(flavor = "multi_thread")]
async fn a_new_machine_needs_the_store_and_the_recovery_key() {
    let (old, new) = (folder(), folder());
    let store = folder();
    let rows = number("RESTORE_ROWS", 0);
    let place = store.path().join("backups");
    let mut settings = SETTINGS.to_vec();
    settings.push(("THORBIS_BACKUP__DIRECTORY", place.to_str().unwrap()));
    let server = Program::start_with(old.path(), &settings);
    let way = Way::to(&server, old.path());
    listed_in(old.path(), &place, "complete");
    if rows > 0 {
        let statement =
            format!("create table public.ballast as select i, repeat(md5(i::text), 30) as word from generate_series(1, {rows}) i");
        sql(old.path(), &statement);
        let created = command(old.path(), &["backup", "create"]).env("THORBIS_BACKUP__DIRECTORY", &place).output().unwrap();
        assert!(created.status.success(), "{}", String::from_utf8_lossy(&created.stderr));
    }
    add(&way, "kept-last").await;
    let committed = Instant::now();
    let pieces = || fs::read_dir(fs::read_dir(&place).unwrap().flatten().next().unwrap().path().join("log")).unwrap().count();
    let before = pieces();
    while pieces() < before + 2 {
        assert!(committed.elapsed() < PATIENCE, "the log does not come");
        std::thread::sleep(Duration::from_millis(20));
    }
    let exposed = committed.elapsed();
    server.kill();

    let key = new.path().join("key");
    fs::copy(old.path().join("data/secrets/recovery_key"), &key).unwrap();
    let looked = |arguments: &[&str]| {
        let output = command(new.path(), arguments).env("THORBIS_BACKUP__DIRECTORY", &place).output().unwrap();
        let said = format!("{}{}", String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr));
        (output.status.success(), said)
    };
    for verb in ["list", "verify"] {
        let (ended, said) = looked(&["backup", verb]);
        assert!(!ended && said.contains("recovery_key_missing") && said.contains("--recovery-key-file"), "{verb}: {said}");
        let (ended, said) = looked(&["backup", verb, "--recovery-key-file", "/nowhere"]);
        assert!(!ended && said.contains("there is no recovery key in /nowhere (recovery_key_missing)"), "{verb}: {said}");
    }
    let (ended, said) = looked(&["backup", "list", "--recovery-key-file", key.to_str().unwrap()]);
    assert!(ended && said.contains("complete"), "{said}");
    let (ended, said) = looked(&["backup", "verify", "--recovery-key-file", key.to_str().unwrap()]);
    assert!(ended && said.contains("all as kept"), "{said}");

    let begun = Instant::now();
    let output = command(new.path(), &["restore", "--latest", "--recovery-key-file", key.to_str().unwrap()])
        .env("THORBIS_BACKUP__DIRECTORY", &place)
        .output()
        .unwrap();
    let said = format!("{}{}", String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr));
    assert!(output.status.success(), "{said}");
    let apart = new.path().join("store");
    let server = Program::start_with(new.path(), &[("THORBIS_BACKUP__DIRECTORY", apart.to_str().unwrap())]);
    let took = begun.elapsed();
    way.moved(&server);
    assert_eq!(names(&way).await, ["kept-last"]);
    let bytes = sql(new.path(), "select pg_database_size(current_database())");
    println!(
        "restore: {bytes} bytes answered {took:?} after the restore began (RTO); a commit was on one machine alone for {exposed:?} (RPO)"
    );
    if rows > 0 {
        assert_eq!(sql(new.path(), "select count(*) from public.ballast"), rows.to_string());
    }
    server.stop();
    // What the killed server left running.
    Program::start_with(old.path(), &settings).stop();
}

/// The program itself speaks to a store, with what it has of TLS and signatures.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn backups_go_to_a_bucket_and_come_back_from_it() {
    let (old, new) = (folder(), folder());
    let store = ObjectStore::start().await;
    let bucket = [
        ("THORBIS_BACKUP__S3__ENDPOINT", store.address()),
        ("THORBIS_BACKUP__S3__BUCKET", BUCKET),
        ("THORBIS_BACKUP__S3__ACCESS_KEY", ACCESS_KEY),
        ("THORBIS_BACKUP__S3__SECRET_KEY", SECRET_KEY),
    ];
    let settings = [SETTINGS, &bucket].concat();
    let server = tokio::task::block_in_place(|| Program::start_with(old.path(), &settings));
    let way = Way::to(&server, old.path());
    add(&way, "kept-in-a-bucket").await;
    tokio::task::block_in_place(|| {
        listed_with(old.path(), &bucket, "complete");
        let created = command(old.path(), &["backup", "create"]).envs(bucket).output().unwrap();
        assert!(created.status.success(), "{}", String::from_utf8_lossy(&created.stderr));
        server.stop();
    });
    assert!(!store.names().is_empty() && !old.path().join("data/backups").try_exists().unwrap());
    let key = old.path().join("data/secrets/recovery_key");
    let server = tokio::task::block_in_place(|| {
        let restore = ["restore", "--latest", "--recovery-key-file", key.to_str().unwrap()];
        let output = command(new.path(), &restore).envs(bucket).output().unwrap();
        assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
        Program::start(new.path())
    });
    way.moved(&server);
    assert_eq!(names(&way).await, ["kept-in-a-bucket"]);
    tokio::task::block_in_place(|| server.stop());
}

fn listed_in(folder: &Path, place: &Path, word: &str) {
    listed_with(folder, &[("THORBIS_BACKUP__DIRECTORY", place.to_str().unwrap())], word);
}

fn listed_with(folder: &Path, settings: &[(&str, &str)], word: &str) {
    let deadline = Instant::now() + PATIENCE;
    loop {
        let output = command(folder, &["backup", "list"]).envs(settings.iter().copied()).output().unwrap();
        let text = String::from_utf8_lossy(&output.stdout).into_owned();
        if text.contains(word) {
            return;
        }
        assert!(Instant::now() < deadline, "{text}{}", String::from_utf8_lossy(&output.stderr));
        std::thread::sleep(Duration::from_millis(100));
    }
}
