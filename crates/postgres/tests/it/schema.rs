//! The schema that the files make, in one file for whoever reviews a change of them: `db/schema.sql`, written by `./dev generate`.
//!
//! Invariant: it is compared where it was made, on the same major version; what only a superuser may make is left out on both sides, so
//! that every installation makes the same.

use std::path::{Path, PathBuf};
use std::process::Command;

use postgres::{Config, Host};
use testkit::Db;

const GOLDEN: &str = "db/schema.sql";

/// Objects that a plain login may not make, and those that extensions bring.
const OF_SUPERUSERS: &[&str] =
    &["thorbis_force_row_security", "force_row_security()", "thorbis_tell_schema", "tell_schema()", "; Schema: extensions;"];

/// Tables whose partitions come with the months or weeks, so that a file with them would be stale when the next begins.
const PARTITIONED: &[&str] =
    &["communications", "activities", "audit_logs", "webhook_logs", "email_logs", "messages", "done_tasks", "dead_tasks"];

#[tokio::test]
async fn the_schema_is_what_its_file_says() {
    let db = Db::new().await;
    let client = db.superuser().await;
    let row = client
        .query_one("select (select setting from pg_config where name = 'BINDIR'), current_setting('server_version_num')::int / 10000", &[])
        .await
        .unwrap();
    let (programs, major): (String, i32) = (row.get(0), row.get(1));
    let head =
        format!("-- What db/ makes of an empty database on PostgreSQL {major}, written by ./dev generate. Nothing reads it but people.\n");
    let path = in_repository(GOLDEN);
    if !is_update() && !std::fs::read_to_string(&path).unwrap().starts_with(&head) {
        // Another major version words some definitions differently.
        return;
    }
    let made = head + &normalized(&dump(&programs, &db.migrator_config()), &[db.migrator_config(), db.server_config()]);
    if is_update() {
        std::fs::write(&path, &made).unwrap();
    }
    let found = std::fs::read_to_string(&path).unwrap();
    if found != made {
        let (line, was, is) = first_difference(&found, &made);
        panic!("{GOLDEN} is stale; look at what changed and run ./dev generate. Line {line}:\n  file: {was}\n  made: {is}");
    }
}

/// Returns where a file of the repository is.
pub(crate) fn in_repository(name: &str) -> PathBuf {
    Path::new(concat!(env!("CARGO_MANIFEST_DIR"), "/../..")).join(name)
}

#[expect(clippy::disallowed_methods, reason = "whether to write the file is said by the caller's environment")]
pub(crate) fn is_update() -> bool {
    std::env::var("UPDATE").is_ok()
}

fn dump(programs: &str, config: &Config) -> String {
    let socket = config.get_hosts().iter().find_map(|host| match host {
        Host::Unix(path) => Some(path.clone()),
        Host::Tcp(_) => None,
    });
    let output = Command::new(format!("{programs}/pg_dump"))
        .arg("--schema-only")
        .arg("--host")
        .arg(socket.unwrap())
        .args(["--username", config.get_user().unwrap(), "--no-password", config.get_dbname().unwrap()])
        .env("PGPASSWORD", String::from_utf8(config.get_password().unwrap().to_vec()).unwrap())
        .output()
        .unwrap();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    String::from_utf8(output.stdout).unwrap()
}

/// Leaves away what differs between two dumps of the same schema: versions, random words, empty lines, names of logins.
fn normalized(dump: &str, logins: &[Config]) -> String {
    let [migrator, server] = [0, 1].map(|at: usize| logins[at].get_user().unwrap().to_owned());
    let mut kept = String::new();
    // Each object begins with its own comment.
    for object in dump.split("\n--\n-- Name: ").skip(1) {
        let (name, body) = object.split_once('\n').unwrap();
        if OF_SUPERUSERS.iter().any(|theirs| name.contains(theirs)) || is_of_a_time(name) {
            continue;
        }
        let lines =
            body.lines().filter(|line| !(line.is_empty() || line.starts_with("--") || line.starts_with('\\') || line.starts_with("SET ")));
        for line in lines {
            kept.push_str(&login(&login(line, &migrator, "migrator"), &server, "server_login"));
            kept.push('\n');
        }
        kept.push('\n');
    }
    kept
}

/// Tells whether an object is a partition, or a part of one: `activities_2026_11` or `done_tasks_2026_11_16` begins one of its words.
fn is_of_a_time(name: &str) -> bool {
    let is_month = |rest: &str| {
        let digits = |text: &str| text.bytes().all(|byte| byte.is_ascii_digit());
        rest.starts_with('_') && rest.get(1..5).is_some_and(digits) && rest.get(5..6) == Some("_") && rest.get(6..8).is_some_and(digits)
    };
    let words = name.split(|c: char| !(c.is_ascii_alphanumeric() || c == '_'));
    words.into_iter().any(|word| PARTITIONED.iter().any(|table| word.strip_prefix(table).is_some_and(is_month)))
}

/// Gives a login its part's name where a statement names it.
fn login(line: &str, name: &str, part: &str) -> String {
    let mut line = line.to_owned();
    for word in ["TO", "FROM", "BY", "FOR ROLE", "OWNER TO"] {
        line = line
            .replace(&format!("{word} {name};"), &format!("{word} {part};"))
            .replace(&format!("{word} {name} "), &format!("{word} {part} "));
    }
    line
}

fn first_difference<'a>(found: &'a str, made: &'a str) -> (usize, &'a str, &'a str) {
    let lines = found.lines().chain(std::iter::repeat("(nothing)")).zip(made.lines().chain(std::iter::repeat("(nothing)")));
    let (at, (was, is)) = lines.enumerate().find(|(_, (was, is))| was != is).unwrap();
    (at + 1, was, is)
}
