//! A throw-away PostgreSQL for the tests of migrations, and folders of SQL to try on it.
//!
//! Invariant: it ends with the test program, whichever way that ends: a shell holds the server and stops it when the pipe from
//! the program closes.

use std::io::{BufRead, BufReader};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::OnceLock;
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::Duration;

use postgres::migrate::{Migrator, Options, Source};
use tempfile::TempDir;
use tokio_postgres::{Client, Config, NoTls};

/// Who migrates.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum As {
    Superuser,
    /// NOSUPERUSER CREATEROLE CREATEDB, owner of its database.
    Plain,
}

struct Cluster {
    _shell: Child,
    folder: PathBuf,
}

const SCRIPT: &str = r#"
set -e
command -v initdb >/dev/null || PATH="$(ls -d /usr/lib/postgresql/*/bin | sort -V | tail -n 1):$PATH"
initdb -D "$1/data" -U postgres -A trust -E UTF8 --locale=C.UTF-8 >/dev/null
postgres -D "$1/data" -k "$1" -c listen_addresses= -c fsync=off -c full_page_writes=off -c wal_level=logical -c max_connections=200 >"$1/log" 2>&1 &
server=$!
until pg_isready -q -h "$1"; do sleep 0.05; done
psql -q -h "$1" -U postgres -d postgres -c "create role plain login createrole createdb; create role thorbis_server login noinherit"
echo ready
cat >/dev/null
kill -INT $server; wait $server || true; rm -rf "$1"
"#;

impl Cluster {
    /// One for each sort of migrator: roles are the cluster's, and from PostgreSQL 16 on whoever made one is who may give it.
    fn of(who: As) -> &'static Self {
        static SUPERUSERS: OnceLock<Cluster> = OnceLock::new();
        static PLAIN: OnceLock<Cluster> = OnceLock::new();
        let shared = if who == As::Plain { &PLAIN } else { &SUPERUSERS };
        shared.get_or_init(|| {
            let folder = TempDir::with_prefix("thorbis-migrate-").unwrap().keep();
            let as_root = nix::unistd::Uid::effective().is_root();
            let mut command = if as_root { Command::new("setpriv") } else { Command::new("sh") };
            if as_root {
                let user = nix::unistd::User::from_name("postgres").unwrap().unwrap();
                std::os::unix::fs::chown(&folder, Some(user.uid.as_raw()), Some(user.gid.as_raw())).unwrap();
                command.args(["--reuid=postgres", "--regid=postgres", "--clear-groups", "sh"]);
            }
            let mut shell = command
                .arg("-c")
                .arg(SCRIPT)
                .arg("cluster")
                .arg(&folder)
                .current_dir("/")
                .stdin(Stdio::piped())
                .stdout(Stdio::piped())
                .spawn()
                .unwrap();
            let mut line = String::new();
            BufReader::new(shell.stdout.take().unwrap()).read_line(&mut line).unwrap();
            assert_eq!(line, "ready\n", "see {}/log", folder.display());
            Self { _shell: shell, folder }
        })
    }

    fn config(&self, user: &str, database: &str) -> Config {
        let mut config = Config::new();
        config.host_path(&self.folder).user(user).dbname(database);
        config
    }
}

/// An empty database of its own, with the folder of SQL for it.
pub(crate) struct Fixture {
    pub(crate) config: Config,
    pub(crate) folder: TempDir,
    superuser: Config,
}

impl Fixture {
    /// Makes a database, and a folder with the real bootstrap files.
    pub(crate) async fn new(who: As) -> Self {
        static NEXT: AtomicU32 = AtomicU32::new(1);
        let cluster = Cluster::of(who);
        let database = format!("t{}", NEXT.fetch_add(1, Ordering::Relaxed));
        let user = if who == As::Plain { "plain" } else { "postgres" };
        let admin = connect(&cluster.config(user, "postgres")).await;
        admin.batch_execute(&format!("create database {database} template template0")).await.unwrap();
        let fixture = Self {
            config: cluster.config(user, &database),
            superuser: cluster.config("postgres", &database),
            folder: TempDir::new().unwrap(),
        };
        for below in ["bootstrap", "migrations", "code", "seed/system", "seed/development"] {
            std::fs::create_dir_all(fixture.folder.path().join(below)).unwrap();
        }
        for entry in std::fs::read_dir(repository().join("db/bootstrap")).unwrap() {
            let path = entry.unwrap().path();
            std::fs::copy(&path, fixture.folder.path().join("bootstrap").join(path.file_name().unwrap())).unwrap();
        }
        fixture
    }

    /// Writes a file; of a migration, the header comes before the text.
    pub(crate) fn write(&self, path: &str, text: &str) -> &Self {
        std::fs::write(self.folder.path().join(path), text).unwrap();
        self
    }

    /// Writes a migration `2026010100000N_name` and its way back.
    pub(crate) fn migration(&self, number: u32, name: &str, up: &str, down: &str) -> &Self {
        let stem = format!("migrations/202601010000{number:02}_{name}");
        self.write(&format!("{stem}.up.sql"), &with_header(up));
        self.write(&format!("{stem}.down.sql"), &with_header(down))
    }

    pub(crate) fn source(&self) -> Source {
        Source::Folder(self.folder.path().to_owned())
    }

    pub(crate) fn migrator(&self) -> Migrator {
        Migrator::new(self.config.clone())
    }

    /// Connects as the migrator's login.
    pub(crate) async fn connect(&self) -> Client {
        connect(&self.config).await
    }

    /// Connects as the administrator of the cluster, who made and saw things before us.
    pub(crate) async fn administrator(&self) -> Client {
        connect(&self.superuser).await
    }

    /// Asks as the administrator for one text.
    pub(crate) async fn ask(&self, sql: &str) -> String {
        let client = self.administrator().await;
        client
            .query_one(&format!("select ({sql})::text"), &[])
            .await
            .unwrap()
            .get::<_, Option<String>>(0)
            .unwrap_or_else(|| "null".to_owned())
    }
}

/// Options that do not wait for long.
pub(crate) fn options() -> Options {
    Options {
        lock_timeout: Duration::from_millis(200),
        backoff: Duration::from_millis(50),
        lock_wait: Duration::from_millis(400),
        batch_pause: Duration::ZERO,
        ..Options::default()
    }
}

fn repository() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../..")
}

fn with_header(sql: &str) -> String {
    format!("-- description: a test\n-- author: Test\n-- date: 2026-01-01\n-- depends: none\n-- rollback: the other file\n{sql}")
}

async fn connect(config: &Config) -> Client {
    let (client, connection) = config.connect(NoTls).await.unwrap();
    tokio::spawn(connection);
    client
}
