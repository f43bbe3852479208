//! Dumps of a database that is not ours to copy: made, proved, restored elsewhere, and served.
//!
//! Invariant: what cannot be dumped whole is no backup, and what is restored is what was dumped.

use std::collections::BTreeSet;
use std::fs;
use std::path::Path;
use std::process::{Command, Output, Stdio};
use std::time::{Duration, Instant};

use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;
use reqwest::{Method, StatusCode};
use serde_json::{Value, json};
use tempfile::TempDir;
use testkit::{Db, Install};
use tokio_postgres::Config;
use tokio_postgres::config::Host;

use crate::process::{Program, Way, command, folder};

const PATIENCE: Duration = Duration::from_mins(2);
/// Held by whoever dumps a database.
const LOCK: i64 = 8_388_076_843_079_921_008;
const PASSWORD: &str = "correct horse battery staple";

pub(crate) fn url(config: &Config, database: &str) -> String {
    let Host::Unix(socket) = &config.get_hosts()[0] else { panic!("a socket") };
    let socket = socket.to_str().unwrap().replace('/', "%2F");
    let (login, password) = (config.get_user().unwrap(), std::str::from_utf8(config.get_password().unwrap()).unwrap());
    let password: Vec<String> = password.bytes().map(|byte| format!("%{byte:02X}")).collect();
    let password = password.concat();
    format!("postgres://{login}:{password}@{socket}/{database}")
}

/// A machine with a data folder of its own, and a store that all of them see.
pub(crate) struct Machine<'a> {
    pub(crate) folder: TempDir,
    pub(crate) settings: Vec<(&'a str, String)>,
}

impl<'a> Machine<'a> {
    pub(crate) fn new(store: &Path, server: String, migrator: String) -> Self {
        let store = store.to_str().unwrap().to_owned();
        let settings = vec![
            ("THORBIS_BACKUP__DIRECTORY", store),
            ("DATABASE_URL", server),
            ("MIGRATOR_URL", migrator),
            ("THORBIS_BACKUP__PART_BYTES", "1048576".to_owned()),
        ];
        Self { folder: folder(), settings }
    }

    pub(crate) fn with(&self, name: &'a str, value: &str) -> Vec<(&'a str, String)> {
        let mut settings = self.settings.clone();
        settings.push((name, value.to_owned()));
        settings
    }

    fn command(&self, settings: &[(&str, String)], arguments: &[&str]) -> Command {
        let mut command = command(self.folder.path(), arguments);
        command.envs(settings.iter().map(|(name, value)| (name, value)));
        command
    }

    pub(crate) fn run(&self, arguments: &[&str]) -> Output {
        self.command(&self.settings, arguments).output().unwrap()
    }

    pub(crate) fn done(&self, arguments: &[&str]) -> String {
        let output = self.run(arguments);
        assert!(output.status.success(), "{arguments:?}: {}", String::from_utf8_lossy(&output.stderr));
        String::from_utf8(output.stdout).unwrap()
    }

    fn refused(&self, settings: &[(&str, String)], arguments: &[&str], code: &str) {
        let output = self.command(settings, arguments).output().unwrap();
        let said = String::from_utf8_lossy(&output.stderr).into_owned();
        assert!(
            !output.status.success() && said.contains(code),
            "{arguments:?} and not {code}: {said}{}",
            String::from_utf8_lossy(&output.stdout)
        );
        let secret = self.settings.iter().any(|(name, value)| name.ends_with("URL") && said.contains(value.as_str()));
        assert!(!secret, "{said}");
    }

    pub(crate) fn serve(&self) -> Program {
        let settings: Vec<(&str, &str)> = self.settings.iter().map(|(name, value)| (*name, value.as_str())).collect();
        Program::start_with(self.folder.path(), &settings)
    }

    pub(crate) fn way(&self, program: &Program) -> std::sync::Arc<Way> {
        Way::to(program, self.folder.path())
    }
}

/// How many complete backups are listed.
pub(crate) fn listed(machine: &Machine<'_>) -> usize {
    machine.done(&["backup", "list"]).lines().filter(|line| line.contains("dump of database")).count()
}

pub(crate) async fn asked(request: reqwest::RequestBuilder, wanted: StatusCode) -> Value {
    let answer = request.send().await.unwrap();
    let (status, body) = (answer.status(), answer.text().await.unwrap());
    assert_eq!(status, wanted, "{body}");
    serde_json::from_str(&body).unwrap_or_default()
}

/// Signs in, and returns the token.
async fn token(program: &Program, email: &str) -> String {
    let way = format!("{}/auth/v1/token?grant_type=password", program.url);
    let body = json!({ "email": email, "password": PASSWORD });
    asked(reqwest::Client::new().post(way).json(&body), StatusCode::OK).await["access_token"].as_str().unwrap().to_owned()
}

/// Somebody founds a company and has one customer of this name.
async fn found(program: &Program, name: &str) {
    let (client, email) = (reqwest::Client::new(), format!("{name}@example.com"));
    let post = |path: &str| client.post(format!("{}/{path}", program.url));
    asked(post("auth/v1/signup").json(&json!({ "email": email, "password": PASSWORD })), StatusCode::OK).await;
    let first = token(program, &email).await;
    asked(
        post("rest/v1/rpc/create_company_with_owner").bearer_auth(first).json(&json!({ "name": name, "industry": "home_services" })),
        StatusCode::OK,
    )
    .await;
    let member = token(program, &email).await;
    asked(post("rest/v1/customers").bearer_auth(member).json(&json!({ "first_name": name, "phone": "+15550100" })), StatusCode::CREATED)
        .await;
}

/// Returns the customers that somebody sees who signs in.
async fn seen(program: &Program, name: &str) -> Vec<String> {
    let token = token(program, &format!("{name}@example.com")).await;
    let customers = reqwest::Client::new().get(format!("{}/rest/v1/customers?select=first_name", program.url)).bearer_auth(token);
    let rows = asked(customers, StatusCode::OK).await;
    rows.as_array().unwrap().iter().map(|row| row["first_name"].as_str().unwrap().to_owned()).collect()
}

#[tokio::test(flavor = "multi_thread")]
async fn a_dump_is_restored_into_another_database_and_served() {
    crate::bare::know_tls();
    let (db, store) = (Db::new().await, folder());
    let database = db.migrator_config().get_dbname().unwrap().to_owned();
    let (server, migrator) = (db.server_config(), db.migrator_config());
    let old = Machine::new(store.path(), url(&server, &database), url(&migrator, &database));
    let program = old.serve();
    found(&program, "ann").await;
    found(&program, "ben").await;
    // Nobody who comes over HTTP sees these rows.
    let hidden = "set role app_owner; create table app.hidden (word text); alter table app.hidden enable row level security, force row level security;
        drop policy if exists app_owner_all on app.hidden;
        create policy app_owner_all on app.hidden to app_owner using (true) with check (true);
        create policy nobody on app.hidden for select to anon, authenticated, service_role using (false);
        insert into app.hidden values ('one'), ('two'), ('three')";
    db.superuser().await.batch_execute(hidden).await.unwrap();
    let made = old.done(&["backup", "create"]);
    assert!(made.contains("counted twice"), "{made}");
    assert_eq!(listed(&old), 1);
    let proved = old.done(&["backup", "verify"]);
    assert!(proved.contains("all as kept"), "{proved}");
    let way = old.way(&program);
    let logs = asked(way.request(Method::GET, "backup_logs?select=backup_type,status,size_bytes"), StatusCode::OK).await;
    assert_eq!((&logs[0]["backup_type"], &logs[0]["status"]), (&json!("manual"), &json!("completed")), "{logs}");
    old.refused(&old.settings, &["backup", "verify", "--deep"], "backup_of_private_cluster_only");
    old.refused(&old.settings, &["restore", "--to", "2026-01-01T00:00:00Z"], "backup_of_private_cluster_only");
    program.stop();

    let copy = format!("{database}_copy");
    let superuser = db.superuser().await;
    superuser.batch_execute(&format!("create database {copy} template template0 owner app_owner")).await.unwrap();
    let key = old.folder.path().join("data/secrets/recovery_key");
    let restore = ["restore", "--latest", "--recovery-key-file", key.to_str().unwrap()];
    let mut new = Machine::new(store.path(), url(&server, &copy), url(&migrator, &copy));
    if db.install() == Install::Plain {
        new.refused(&new.settings, &restore, "dump_restorer_not_superuser");
    }
    let stranger = Machine::new(folder().path(), url(&server, &copy), url(&migrator, &copy));
    stranger.done(&["backup", "list", "--recovery-key-file", key.to_str().unwrap()]);
    let other = Machine::new(store.path(), url(&server, &copy), url(&migrator, &copy));
    other.done(&["backup", "key"]);
    other.refused(&other.settings, &["restore", "--latest"], "recovery_key_wrong");
    let full = Machine::new(store.path(), url(&server, &database), url(&db.superuser_config(), &database));
    full.refused(&full.settings, &restore, "dump_database_not_empty");
    new.settings[2].1 = url(&db.superuser_config(), &copy);
    let restored = new.done(&restore);
    assert!(restored.contains("as they were counted"), "{restored}");
    new.refused(&new.settings, &restore, "dump_database_not_empty");
    new.settings[2].1 = url(&migrator, &copy);
    new.done(&["migrate", "up"]);

    let mut config = db.superuser_config();
    config.dbname(&copy);
    let there = testkit::connect(&config).await;
    let rows: i64 = there.query_one("select count(*) from app.hidden", &[]).await.unwrap().get(0);
    assert_eq!(rows, 3);
    let owners = "select format('%s %s', p.oid::regprocedure, p.proowner::regrole)
                    from pg_proc p join pg_namespace n on n.oid = p.pronamespace where n.nspname in ('app', 'public', 'auth')
                  union all
                  select format('%s %s', c.oid::regclass, c.relowner::regrole)
                    from pg_class c join pg_namespace n on n.oid = c.relnamespace
                   where n.nspname in ('app', 'public', 'auth') and c.relkind in ('r', 'p', 'v')";
    let (here, there) = (superuser.query(owners, &[]).await.unwrap(), there.query(owners, &[]).await.unwrap());
    let names = |rows: &[tokio_postgres::Row]| rows.iter().map(|row| row.get(0)).collect::<BTreeSet<String>>();
    let (here, there) = (names(&here), names(&there));
    assert_eq!(here.symmetric_difference(&there).collect::<Vec<_>>(), [""; 0], "owners are the same");
    // Keys came along: the same passwords, and a service key of before.
    let program = new.serve();
    way.moved(&program);
    assert_eq!((seen(&program, "ann").await, seen(&program, "ben").await), (vec!["ann".to_owned()], vec!["ben".to_owned()]));
    asked(way.request(Method::GET, "backup_logs?select=id"), StatusCode::OK).await;
    program.stop();
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_not_whole_is_no_backup() {
    let (db, store) = (Db::new().await, folder());
    let database = db.migrator_config().get_dbname().unwrap().to_owned();
    let machine = Machine::new(store.path(), url(&db.server_config(), &database), url(&db.migrator_config(), &database));
    let superuser = db.superuser().await;

    // The server's login is nobody who sees every row.
    let mut plain = machine.settings.clone();
    plain[2].1 = url(&db.server_config(), &database);
    machine.refused(&plain, &["backup", "create"], "dump_login_not_owner");
    let hiding = "set role app_owner; create table app.hidden (word text); insert into app.hidden values ('one');
                  alter table app.hidden enable row level security, force row level security; drop policy if exists app_owner_all on app.hidden; reset role";
    superuser.batch_execute(hiding).await.unwrap();
    machine.refused(&machine.settings, &["backup", "create"], "dump_hides_rows");
    let whole = "set role app_owner; create policy app_owner_all on app.hidden to app_owner using (true) with check (true); reset role";
    superuser.batch_execute(whole).await.unwrap();

    // A program of the path of before.
    let old = machine.folder.path().join("old");
    fs::create_dir_all(&old).unwrap();
    fs::write(old.join("pg_dump"), "#!/bin/sh\necho 'pg_dump (PostgreSQL) 12.4'\n").unwrap();
    fs::set_permissions(old.join("pg_dump"), std::os::unix::fs::PermissionsExt::from_mode(0o755)).unwrap();
    let settings = machine.with("THORBIS_DATABASE__PROGRAMS_DIRECTORY", old.to_str().unwrap());
    machine.refused(&settings, &["backup", "create"], "dump_program_too_old");
    // It leaves rows out and says that all is well.
    fs::write(old.join("pg_dump"), "#!/bin/sh\necho 'pg_dump (PostgreSQL) 99.1'\n").unwrap();
    machine.refused(&settings, &["backup", "create"], "dump_counts_differ");
    assert_eq!(listed(&machine), 0, "none of these is a backup");

    superuser.execute("select pg_advisory_lock($1)", &[&LOCK]).await.unwrap();
    let settings = machine.with("THORBIS_BACKUP__TURN_TIME_S", "1");
    machine.refused(&settings, &["backup", "create"], "backup_running");
    superuser.execute("select pg_advisory_unlock($1)", &[&LOCK]).await.unwrap();

    // Killed where some parts are there: a table has enough that does not become smaller.
    let ballast = "set role app_owner; create table app.ballast as select gen_random_uuid() as a, gen_random_uuid() as b from generate_series(1, 400000); reset role";
    superuser.batch_execute(ballast).await.unwrap();
    let mut creating = machine.command(&machine.settings, &["backup", "create"]);
    let mut creating = creating.stdout(Stdio::null()).stderr(Stdio::null()).spawn().unwrap();
    let begun = Instant::now();
    while !parts(store.path()).iter().any(|name| name.contains("dump.000003")) {
        assert!(begun.elapsed() < PATIENCE && creating.try_wait().unwrap().is_none(), "it ended before it was killed");
        std::thread::sleep(Duration::from_millis(1));
    }
    kill(Pid::from_raw(i32::try_from(creating.id()).unwrap()), Signal::SIGKILL).unwrap();
    creating.wait().unwrap();
    let text = machine.done(&["backup", "list"]);
    assert!(text.contains("not finished") && listed(&machine) == 0, "{text}");
    machine.refused(&machine.settings, &["backup", "verify"], "backup_not_found");

    // Two at once wait for each other, and the first takes away what was left.
    let mut one = machine.command(&machine.settings, &["backup", "create"]).stdout(Stdio::null()).spawn().unwrap();
    machine.done(&["backup", "create"]);
    assert!(one.wait().unwrap().success());
    let text = machine.done(&["backup", "list"]);
    assert!(!text.contains("not finished"), "{text}");
    machine.done(&["backup", "verify"]);
    for part in parts(store.path()).into_iter().filter(|name| name.contains("dump.000000")) {
        let mut bytes = fs::read(&part).unwrap();
        bytes[100] ^= 1;
        fs::write(&part, bytes).unwrap();
    }
    machine.refused(&machine.settings, &["backup", "verify"], "backup_damaged");
}

/// The names of everything in the store.
pub(crate) fn parts(folder: &Path) -> Vec<String> {
    let (mut found, mut open) = (vec![], vec![folder.to_owned()]);
    while let Some(folder) = open.pop() {
        for entry in fs::read_dir(folder).into_iter().flatten().flatten() {
            if entry.path().is_dir() {
                open.push(entry.path());
            } else {
                found.push(entry.path().display().to_string());
            }
        }
    }
    found.sort();
    found
}
