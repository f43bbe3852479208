//! Dumps that servers make by themselves: at an interval, one of several servers, kept and forgotten, practised with, and told of.
//!
//! Invariant: nobody asked for a dump here; what a test knows of it is in the store, in `backup_logs` and in `/metrics`.

use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::Path;
use std::time::{Duration, Instant};

use reqwest::{Method, StatusCode};
use serde_json::{Value, json};
use testkit::Db;
use testkit::object_store::{self, ObjectStore};

use crate::dumps::{Machine, asked, listed, parts, url};
use crate::process::{Program, Way, folder};

const PATIENCE: Duration = Duration::from_mins(2);
const POLL: Duration = Duration::from_millis(100);

fn machine<'a>(db: &Db, store: &Path, interval_s: &str) -> Machine<'a> {
    let database = db.migrator_config().get_dbname().unwrap().to_owned();
    let mut machine = Machine::new(store, url(&db.server_config(), &database), url(&db.migrator_config(), &database));
    let more = [
        ("THORBIS_BACKUP__DUMP_INTERVAL_S", interval_s),
        ("THORBIS_BACKUP__FIRST_AFTER_S", "1"),
        ("THORBIS_BACKUP__KEEP_DAILY", "1"),
        ("THORBIS_BACKUP__KEEP_WEEKLY", "0"),
        ("THORBIS_BACKUP__KEEP_MONTHLY", "0"),
        ("THORBIS_BACKUP__WINDOW_DAYS", "0"),
    ];
    machine.settings.extend(more.map(|(name, value)| (name, value.to_owned())));
    machine
}

/// Returns a number of `/metrics` as soon as it is there and this small.
async fn number(program: &Program, name: &str, below: f64) -> f64 {
    let begun = Instant::now();
    loop {
        let text = reqwest::get(format!("{}/metrics", program.url)).await.unwrap().text().await.unwrap();
        let found = text.lines().find_map(|line| line.strip_prefix(name)?.trim().parse::<f64>().ok());
        if let Some(number) = found.filter(|number| *number < below) {
            return number;
        }
        assert!(begun.elapsed() < PATIENCE, "{name} is {found:?}");
        tokio::time::sleep(POLL).await;
    }
}

/// Returns what is written down of one kind and outcome, as soon as there are so many.
async fn written(way: &Way, query: &str, count: usize) -> Vec<Value> {
    let begun = Instant::now();
    loop {
        let rows =
            asked(way.request(Method::GET, &format!("backup_logs?select=filename,error_message,details&{query}")), StatusCode::OK).await;
        let rows = rows.as_array().unwrap().clone();
        if rows.len() >= count {
            return rows;
        }
        assert!(begun.elapsed() < PATIENCE, "{query}: {rows:?}");
        tokio::time::sleep(POLL).await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_server_makes_dumps_by_itself_and_keeps_those_that_are_to_stay() {
    let (db, store) = (Db::new().await, folder());
    let machine = machine(&db, store.path(), "5");
    let program = machine.serve();
    let way = machine.way(&program);
    written(&way, "backup_type=eq.automated&status=eq.completed", 2).await;
    number(&program, "last_backup_age_seconds", 60.0).await;
    // The newest of the day stays; the one before it goes a moment after the newest came.
    let begun = Instant::now();
    while listed(&machine) != 1 {
        assert!(begun.elapsed() < PATIENCE, "those that are not to stay are still there");
        tokio::time::sleep(POLL).await;
    }
    program.stop();
    machine.done(&["backup", "verify"]);
}

#[tokio::test(flavor = "multi_thread")]
async fn two_servers_of_one_database_make_one_dump() {
    let (db, store) = (Db::new().await, folder());
    let (one, mut two) = (machine(&db, store.path(), "3600"), machine(&db, store.path(), "3600"));
    let data = one.folder.path().join("data");
    for (name, file) in [("THORBIS_KEY_RING_FILE", "keys.json"), ("THORBIS_BACKUP__RECOVERY_KEY_FILE", "secrets/recovery_key")] {
        two.settings.push((name, data.join(file).to_str().unwrap().to_owned()));
    }
    let (first, second) = (one.serve(), two.serve());
    let way = one.way(&first);
    // Either has read that there is one: neither makes another within the hour.
    number(&first, "last_backup_age_seconds", 3600.0).await;
    number(&second, "last_backup_age_seconds", 3600.0).await;
    assert_eq!(written(&way, "backup_type=eq.automated", 1).await.len(), 1);
    assert_eq!(listed(&one), 1);
    second.stop();
    first.stop();
}

#[tokio::test(flavor = "multi_thread")]
async fn a_drill_restores_a_dump_and_finds_a_damaged_one() {
    let (db, store) = (Db::new().await, folder());
    let machine = machine(&db, store.path(), "3600");
    let program = machine.serve();
    let way = machine.way(&program);
    written(&way, "backup_type=eq.automated&status=eq.completed", 1).await;
    assert!(machine.done(&["backup", "list"]).contains("none yet"));
    let practised = machine.done(&["backup", "drill"]);
    assert!(practised.contains("as they were counted"), "{practised}");
    let told = machine.done(&["backup", "list"]);
    assert!(told.contains("last drill") && told.contains("all tables are the same"), "{told}");
    let rows = written(&way, "backup_type=eq.drill&status=eq.completed", 1).await;
    assert!(rows[0]["details"]["rows"].as_i64().unwrap() > 0, "{rows:?}");
    program.stop();
    let left = fs::read_dir(machine.folder.path().join("data")).unwrap().flatten();
    assert!(!left.into_iter().any(|entry| entry.path().is_dir() && entry.file_name().to_string_lossy().starts_with("drill-")));

    let program = machine.serve();
    way.moved(&program);
    number(&program, "last_drill_age_seconds", 600.0).await;
    for part in parts(store.path()).into_iter().filter(|name| name.contains("dump.000000")) {
        let mut bytes = fs::read(&part).unwrap();
        bytes[100] ^= 1;
        fs::write(&part, bytes).unwrap();
    }
    let failed = machine.run(&["backup", "drill"]);
    let said = String::from_utf8(failed.stdout).unwrap();
    assert!(!failed.status.success() && said.contains("backup_damaged"), "{said}{}", String::from_utf8_lossy(&failed.stderr));
    let told = machine.done(&["backup", "list"]);
    assert!(told.contains("could not be restored") && told.contains("backup_damaged"), "{told}");
    let rows = written(&way, "backup_type=eq.drill&status=eq.failed", 1).await;
    assert_ne!(rows[0]["error_message"], json!(null));
    program.stop();
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_missing_for_dumps_is_told() {
    let (db, store) = (Db::new().await, folder());
    let mut nowhere = machine(&db, store.path(), "5");
    nowhere.settings.retain(|(name, _)| *name != "THORBIS_BACKUP__DIRECTORY");
    nowhere.serve().stop();
    let log = fs::read_to_string(nowhere.folder.path().join("log")).unwrap();
    assert!(log.contains("no dumps are made by themselves") && log.contains("backup.directory or backup.s3"), "{log}");
    assert!(!nowhere.folder.path().join("data/backups").try_exists().unwrap());

    let mut machine = machine(&db, store.path(), "5");
    let programs = machine.folder.path().join("programs");
    fs::create_dir_all(&programs).unwrap();
    fs::write(programs.join("pg_dump"), "#!/bin/sh\necho 'pg_dump (PostgreSQL) 12.4'\n").unwrap();
    fs::set_permissions(programs.join("pg_dump"), fs::Permissions::from_mode(0o755)).unwrap();
    machine.settings.push(("THORBIS_DATABASE__PROGRAMS_DIRECTORY", programs.to_str().unwrap().to_owned()));
    let keys = nowhere.folder.path().join("data/keys.json");
    machine.settings.push(("THORBIS_KEY_RING_FILE", keys.to_str().unwrap().to_owned()));
    let program = machine.serve();
    let rows = written(&Way::to(&program, nowhere.folder.path()), "backup_type=eq.automated&status=eq.failed", 1).await;
    assert_eq!(rows[0]["details"]["code"], json!("dump_program_too_old"));
    let text = reqwest::get(format!("{}/metrics", program.url)).await.unwrap().text().await.unwrap();
    let age = text.lines().find_map(|line| line.strip_prefix("last_backup_age_seconds")).unwrap().trim();
    assert!(age.parse::<f64>().unwrap().is_infinite(), "{age}");
    program.stop();
}

#[tokio::test(flavor = "multi_thread")]
async fn dumps_go_to_a_store_that_speaks_s3() {
    let (db, attic) = (Db::new().await, ObjectStore::start().await);
    let mut machine = machine(&db, Path::new("/nowhere"), "5");
    machine.settings.retain(|(name, _)| *name != "THORBIS_BACKUP__DIRECTORY");
    let store = [
        ("THORBIS_BACKUP__S3__ENDPOINT", attic.address()),
        ("THORBIS_BACKUP__S3__REGION", "auto"),
        ("THORBIS_BACKUP__S3__BUCKET", object_store::BUCKET),
        ("THORBIS_BACKUP__S3__PATH_STYLE", "true"),
        ("THORBIS_BACKUP__S3__ACCESS_KEY", object_store::ACCESS_KEY),
        ("THORBIS_BACKUP__S3__SECRET_KEY", object_store::SECRET_KEY),
        ("THORBIS_BACKUP__S3__TRIES", "1"),
    ];
    machine.settings.extend(store.map(|(name, value)| (name, value.to_owned())));
    let program = machine.serve();
    let way = machine.way(&program);
    written(&way, "backup_type=eq.automated&status=eq.completed", 1).await;
    assert!(attic.names().iter().any(|name| name.contains("dump.000000")), "{:?}", attic.names());
    attic.shut(true);
    let failed = written(&way, "backup_type=eq.automated&status=eq.failed", 1).await;
    assert_eq!(failed[0]["details"]["code"], json!("backup_store_unavailable"), "{failed:?}");
    let before = written(&way, "backup_type=eq.automated&status=eq.completed", 1).await.len();
    attic.shut(false);
    written(&way, "backup_type=eq.automated&status=eq.completed", before + 1).await;
    program.stop();
    machine.done(&["backup", "verify"]);
    let practised = machine.done(&["backup", "drill"]);
    assert!(practised.contains("as they were counted"), "{practised}");
}
