//! A new program on the data of the one before: a moment to come back to, and the way back.
//!
//! Invariant: what was there before the upgrade is there after the way back, and nothing is changed where there would be none.

use std::fs;
use std::path::Path;
use std::process::Output;

use reqwest::{Method, StatusCode};
use serde_json::{Value, json};

use crate::process::{Program, Way, command, folder};

/// A server that makes no copy by itself within a test, and keeps the log at once.
const SETTINGS: &[(&str, &str)] = &[("THORBIS_BACKUP__LOG_PIECE_S", "1"), ("THORBIS_BACKUP__SHIP_INTERVAL_MS", "100")];

fn run(folder: &Path, arguments: &[&str]) -> Output {
    command(folder, arguments).output().unwrap()
}

fn done(folder: &Path, arguments: &[&str]) -> String {
    let output = run(folder, arguments);
    assert!(output.status.success(), "{arguments:?}: {}", String::from_utf8_lossy(&output.stderr));
    String::from_utf8(output.stdout).unwrap()
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

/// Returns the name of the recovery point that the newest upgrade made.
fn point(folder: &Path) -> Option<String> {
    let list = done(folder, &["backup", "list"]);
    let line = list.lines().rfind(|line| line.starts_with("recovery point"))?;
    line.split_whitespace().last().map(str::to_owned)
}

#[tokio::test(flavor = "multi_thread")]
async fn a_moment_is_named_before_the_schema_changes() {
    let folder = folder();
    let folder = folder.path();
    let server = Program::start_with(folder, SETTINGS);
    let way = Way::to(&server, folder);
    add(&way, "kept-before").await;
    assert_eq!(point(folder), None, "a first start has nothing to come back to");
    server.stop();
    done(folder, &["migrate", "down", "--steps", "1"]);

    // Without a store nothing is changed, unless the operator says that he can do without.
    fs::write(folder.join("no-folder"), "").unwrap();
    let nowhere = folder.join("no-folder/backups");
    let refused = command(folder, &["serve", "--env", "development", "--listen", "127.0.0.1:0"])
        .env("THORBIS_BACKUP__DIRECTORY", &nowhere)
        .output()
        .unwrap();
    let said = String::from_utf8_lossy(&refused.stderr).into_owned();
    assert!(
        !refused.status.success() && said.contains("upgrade_not_backed_up") && said.contains("backup.before_upgrade = false"),
        "{said}"
    );
    let status = run(folder, &["migrate", "status"]);
    assert!(!status.status.success(), "{}", String::from_utf8_lossy(&status.stdout));

    let server = Program::start_with(folder, SETTINGS);
    way.moved(&server);
    let first = point(folder).unwrap();
    assert!(first.starts_with(concat!("before-", env!("CARGO_PKG_VERSION"), "-")), "{first}");
    assert!(fs::read_to_string(folder.join("log")).unwrap().contains(&first), "the log names it");
    assert_eq!(names(&way).await, ["kept-before"]);
    add(&way, "kept-after").await;
    server.stop();

    done(folder, &["restore", "--to-checkpoint", &first]);
    let status = run(folder, &["migrate", "status"]);
    let pending = String::from_utf8(status.stdout).unwrap();
    assert!(!status.status.success() && pending.contains("pending"), "the schema of before is back: {pending}");
    let settings = [SETTINGS, &[("THORBIS_BACKUP__BEFORE_UPGRADE", "false")]].concat();
    let server = Program::start_with(folder, &settings);
    way.moved(&server);
    assert_eq!(names(&way).await, ["kept-before"]);
    assert_eq!(point(folder).as_ref(), Some(&first), "none was asked for");
    server.stop();
}
