//! A new program on the data of the one before: a moment to come back to, and the way back. A cluster that cannot be upgraded.
//!
//! Invariant: what was there before the upgrade is there after the way back, and nothing is changed where there would be none.
//! `UPGRADE_BEFORE` names a build of an earlier commit, which `./dev prove upgrade` makes.

use std::fs;
use std::os::unix::fs::{PermissionsExt, symlink};
use std::path::{Path, PathBuf};
use std::process::Output;

use reqwest::{Method, StatusCode};
use serde_json::{Value, json};

use crate::process::{Program, Way, command, command_of, folder};

/// A server that makes no copy by itself within a test, and keeps the log at once.
pub(crate) const SETTINGS: &[(&str, &str)] = &[("THORBIS_BACKUP__LOG_PIECE_S", "1"), ("THORBIS_BACKUP__SHIP_INTERVAL_MS", "100")];

fn run(folder: &Path, arguments: &[&str]) -> Output {
    command(folder, arguments).output().unwrap()
}

fn done(folder: &Path, arguments: &[&str]) -> String {
    let output = run(folder, arguments);
    assert!(output.status.success(), "{arguments:?}: {}", String::from_utf8_lossy(&output.stderr));
    String::from_utf8(output.stdout).unwrap()
}

pub(crate) async fn add(way: &Way, name: &str) {
    let answer = way.request(Method::POST, "customers").json(&json!({ "first_name": name, "phone": "+15550100" })).send().await.unwrap();
    assert_eq!(answer.status(), StatusCode::CREATED, "{name}");
}

pub(crate) async fn names(way: &Way) -> Vec<String> {
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

fn refused(folder: &Path, arguments: &[&str], word: &str) -> String {
    let output = run(folder, arguments);
    let said = format!("{}{}", String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr));
    assert!(!output.status.success() && said.contains(word), "{arguments:?}: {said}");
    said
}

/// Makes a folder of programs that call themselves a much later version: PostgreSQL's own, but for two.
fn later(folder: &Path, real: &Path) -> PathBuf {
    let later = folder.join("later");
    fs::create_dir(&later).unwrap();
    let postgres = real.join("postgres").display().to_string();
    let own = [
        ("postgres", format!("[ \"$1\" = --version ] && echo 'postgres (PostgreSQL) 99.1' && exit\nexec {postgres} \"$@\"\n")),
        ("pg_upgrade", "echo 'Your installation contains what is not known here'\nexit 1\n".to_owned()),
    ];
    for (name, text) in own {
        fs::write(later.join(name), format!("#!/bin/sh\n{text}")).unwrap();
        fs::set_permissions(later.join(name), fs::Permissions::from_mode(0o755)).unwrap();
    }
    // What is asked after and not run may be any program.
    for (name, target) in [("initdb", "initdb"), ("pg_ctl", "pg_ctl"), ("pg_controldata", "pg_ctl"), ("pg_resetwal", "pg_ctl")] {
        symlink(real.join(target), later.join(name)).unwrap();
    }
    for name in ["pg_dump", "pg_dumpall", "pg_restore", "psql", "pg_basebackup"] {
        symlink(real.join("initdb"), later.join(name)).unwrap();
    }
    later
}

#[tokio::test(flavor = "multi_thread")]
async fn a_cluster_that_cannot_be_upgraded_stays_as_it_is() {
    let folder = folder();
    let folder = folder.path();
    let server = Program::start_with(folder, SETTINGS);
    let way = Way::to(&server, folder);
    add(&way, "kept-before").await;
    refused(folder, &["upgrade-cluster", "--yes"], "data_directory_in_use");
    server.stop();

    let elsewhere = command(folder, &["upgrade-cluster"]).env("DATABASE_URL", "postgres://somebody@127.0.0.1:1/none").output().unwrap();
    let said = String::from_utf8_lossy(&elsewhere.stderr).into_owned();
    assert!(!elsewhere.status.success() && said.contains("upgrade_of_private_cluster_only"), "{said}");
    // The first word of this file is the program that the cluster was started by.
    let started = fs::read_to_string(folder.join("data/postgres/cluster/postmaster.opts")).unwrap();
    let real = Path::new(started.split_whitespace().next().unwrap()).parent().unwrap();
    let same = refused(folder, &["upgrade-cluster", "--to-bin", real.to_str().unwrap(), "--yes"], "cluster_nothing_newer");
    assert!(same.contains("apt-get install postgresql-"), "{same}");
    refused(folder, &["upgrade-cluster", "--from-bin", folder.to_str().unwrap()], "cluster_programs_missing");

    let later = later(folder, real);
    let later = later.to_str().unwrap();
    let lacks = refused(folder, &["upgrade-cluster", "--to-bin", later, "--yes"], "cluster_tool_missing");
    assert!(lacks.contains("vacuumdb") && lacks.contains("postgresql-99"), "{lacks}");
    symlink(real.join("initdb"), Path::new(later).join("vacuumdb")).unwrap();
    let planned = refused(folder, &["upgrade-cluster", "--to-bin", later], "upgrade_not_confirmed");
    assert!(planned.contains("to PostgreSQL 99.1") && planned.contains("before-upgrade-"), "{planned}");
    assert!(!done(folder, &["backup", "list"]).contains("recovery point"), "nothing was begun");

    let failed = refused(folder, &["upgrade-cluster", "--to-bin", later, "--yes"], "cluster_program_failed");
    assert!(failed.contains("contains what is not known here") && failed.contains("named before-postgresql-99-"), "{failed}");
    let left: Vec<String> =
        fs::read_dir(folder.join("data")).unwrap().map(|entry| entry.unwrap().file_name().into_string().unwrap()).collect();
    assert!(left.iter().all(|name| !name.contains("upgrade")), "{left:?}");
    let server = Program::start_with(folder, SETTINGS);
    way.moved(&server);
    assert_eq!(names(&way).await, ["kept-before"]);
    server.stop();
}

#[tokio::test(flavor = "multi_thread")]
async fn the_program_before_goes_on_after_either_way_back() {
    let Some(before) = std::env::var_os("UPGRADE_BEFORE").and_then(|program| program.into_string().ok()) else {
        eprintln!("not run: UPGRADE_BEFORE names no build of an earlier commit; ./dev prove upgrade makes one");
        return;
    };
    let folder = folder();
    let folder = folder.path();
    let server = Program::start_as(&before, folder, SETTINGS);
    let way = Way::to(&server, folder);
    add(&way, "kept-before").await;
    server.stop();
    let status = command_of(&before, folder, &["migrate", "status"]).output().unwrap();
    let status = String::from_utf8(status.stdout).unwrap();
    let version = status.lines().filter_map(|line| line.strip_prefix("applied")?.trim().split_once('_')).map(|(version, _)| version).max();
    let version = version.unwrap().to_owned();

    let server = Program::start_with(folder, SETTINGS);
    way.moved(&server);
    let named = point(folder).expect("the start named a moment: the commit before has fewer migrations");
    assert_eq!(names(&way).await, ["kept-before"]);
    add(&way, "kept-after").await;
    server.stop();
    done(folder, &["migrate", "down", "--to", &version]);
    let server = Program::start_as(&before, folder, SETTINGS);
    way.moved(&server);
    assert_eq!(names(&way).await, ["kept-before", "kept-after"]);
    server.stop();

    done(folder, &["restore", "--to-checkpoint", &named]);
    let server = Program::start_as(&before, folder, SETTINGS);
    way.moved(&server);
    assert_eq!(names(&way).await, ["kept-before"]);
    server.stop();
    println!("schema: from {version} to the newest and back by both ways, rows the same");
}
