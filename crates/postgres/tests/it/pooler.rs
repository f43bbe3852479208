//! Behind PgBouncer, which hands out a connection for one transaction: no prepared statements, and nothing of a caller stays.

use std::os::unix::net::UnixStream;
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use kernel::RequestContext;
use postgres::{Access, Config, Database, Host, PoolOptions, Sql, VisitLimits, Visitor};
use tempfile::TempDir;
use testkit::Db;

use crate::caller;

const PORT: u16 = 6432;
const PATIENCE: Duration = Duration::from_mins(1);

/// A pooler of the test's own, with one connection to PostgreSQL for everybody.
struct Pooler {
    child: Child,
    folder: TempDir,
}

impl Pooler {
    fn start(server: &Config) -> Self {
        let folder = tempfile::Builder::new().prefix("thorbis-pooler-").tempdir().unwrap();
        let socket = server.get_hosts().iter().find_map(|host| match host {
            Host::Unix(path) => Some(path.clone()),
            Host::Tcp(_) => None,
        });
        let here = folder.path().display();
        let settings = format!(
            "[databases]\n* = host={} port=5432\n[pgbouncer]\nunix_socket_dir = {here}\nlisten_port = {PORT}\nauth_type = trust\n\
             auth_file = {here}/users\npool_mode = transaction\ndefault_pool_size = 1\nlogfile = {here}/log\npidfile = {here}/pid\n",
            socket.unwrap().display()
        );
        let password = String::from_utf8(server.get_password().unwrap().to_vec()).unwrap();
        std::fs::write(folder.path().join("users"), format!("\"{}\" \"{password}\"\n", server.get_user().unwrap())).unwrap();
        std::fs::write(folder.path().join("settings.ini"), settings).unwrap();
        let mut command = if nix::unistd::Uid::effective().is_root() {
            // It refuses to run as root.
            let user = nix::unistd::User::from_name("postgres").unwrap().unwrap();
            for path in [folder.path(), &folder.path().join("users"), &folder.path().join("settings.ini")] {
                std::os::unix::fs::chown(path, Some(user.uid.as_raw()), Some(user.gid.as_raw())).unwrap();
            }
            let mut command = Command::new("setpriv");
            command.args(["--reuid=postgres", "--regid=postgres", "--clear-groups", "pgbouncer"]);
            command
        } else {
            Command::new("pgbouncer")
        };
        // Debian puts it where only administrators look.
        let path = format!("{}:/usr/sbin", std::env::var_os("PATH").unwrap().to_str().unwrap());
        command.env("PATH", path).arg("--quiet").arg(folder.path().join("settings.ini")).stdin(Stdio::null());
        let child = command.spawn().unwrap();
        let pooler = Self { child, folder };
        let begun = Instant::now();
        // Its socket is there a moment before it listens.
        while UnixStream::connect(pooler.folder.path().join(format!(".s.PGSQL.{PORT}"))).is_err() {
            assert!(begun.elapsed() < PATIENCE, "{}", log(pooler.folder.path()));
            std::thread::sleep(Duration::from_millis(10));
        }
        pooler
    }

    /// Makes a pool of two connections through it.
    fn database(&self, server: &Config) -> Database {
        Database::new(PoolOptions { size_max: 2, prepared_statements: false, ..PoolOptions::new(self.config(server)) }).unwrap()
    }

    /// Returns how the login connects through it.
    fn config(&self, server: &Config) -> Config {
        let mut config = Config::new();
        config.host_path(self.folder.path()).port(PORT).ssl_mode(postgres_no_tls());
        config.user(server.get_user().unwrap()).dbname(server.get_dbname().unwrap());
        config
    }
}

impl Drop for Pooler {
    fn drop(&mut self) {
        let _ended = self.child.kill().is_ok();
        let _reaped = self.child.wait().is_ok();
    }
}

fn postgres_no_tls() -> tokio_postgres::config::SslMode {
    tokio_postgres::config::SslMode::Disable
}

fn log(folder: &Path) -> String {
    std::fs::read_to_string(folder.join("log")).unwrap_or_else(|error| error.to_string())
}

async fn behind_a_pooler() -> (Db, Pooler, Database) {
    let db = caller::database_with_a_member().await;
    let pooler = Pooler::start(&db.server_config());
    let database = pooler.database(&db.server_config());
    (db, pooler, database)
}

#[tokio::test]
async fn requests_are_served_and_keep_their_callers_apart() {
    let (_db, _pooler, database) = behind_a_pooler().await;
    let context = RequestContext::default();
    let who =
        || Sql::new("select format('%s|%s|%s', current_user, current_setting('app.company_id', true), count(*)) from public.customers");
    for _ in 0..3 {
        let member = database.run(&caller::member(), &context, Access::Read, who()).await.unwrap();
        assert_eq!(member.rows[0].get::<_, String>(0), format!("authenticated|{}|1", caller::COMPANY));
        let nobody = database.run(&caller::nobody(), &context, Access::Read, who()).await.unwrap_err();
        assert_eq!(nobody.code(), "42501");
    }
}

#[tokio::test]
async fn writes_are_kept_and_undone_as_without_one() {
    let (db, _pooler, database) = behind_a_pooler().await;
    let (grant, context) = (caller::member(), RequestContext::default());
    let write = |notes: &str| Sql::new("update public.customers set notes = ").bind(notes).clone();
    database.run(&grant, &context, Access::Write, write("kept")).await.unwrap();
    let tx = database.begin(&grant, &context, Access::Write).await.unwrap();
    tx.execute(write("half")).await.unwrap();
    drop(tx);
    let tx = database.begin(&grant, &context, Access::Write).await.unwrap();
    tx.execute(Sql::new("select 1 / 0")).await.unwrap_err();
    drop(tx);
    database.run(&grant, &context, Access::Read, Sql::new("select 1")).await.unwrap();
    let notes: String = db.superuser().await.query_one("select notes from public.customers", &[]).await.unwrap().get(0);
    assert_eq!(notes, "kept");
}

#[tokio::test]
async fn many_callers_share_the_one_connection() {
    let (_db, _pooler, database) = behind_a_pooler().await;
    let asked = (0..20).map(|_| {
        let database = database.clone();
        tokio::spawn(async move {
            let read = Sql::new("select first_name from public.customers");
            let answer = database.run(&caller::member(), &RequestContext::default(), Access::Read, read).await.unwrap();
            answer.rows[0].get::<_, String>(0)
        })
    });
    for one in asked.collect::<Vec<_>>() {
        assert_eq!(one.await.unwrap(), "Ben");
    }
}

#[tokio::test]
async fn a_visitor_stays_in_its_transaction() {
    let (db, pooler, database) = behind_a_pooler().await;
    let limits = VisitLimits { connect: PATIENCE, statement: PATIENCE, lock: PATIENCE, rows_max: 10 };
    let visitor = Visitor::connect(&pooler.config(&db.server_config()), None, limits).await.unwrap();
    visitor.set("visit.word", "said").await.unwrap();
    // What fails leaves it where it was; nothing of it can write.
    assert!(visitor.ask("create table public.visited (id int)").await.unwrap_err().to_string().contains("25006"));
    let answer =
        visitor.ask("select current_setting('visit.word') as word, current_setting('transaction_read_only') as only").await.unwrap();
    assert_eq!((answer.rows[0].text("word"), answer.rows[0].text("only")), (Some("said"), Some("on")));
    visitor.leave().await;
    // The one connection is everybody's again, and has nothing of it.
    let left = Sql::new("select coalesce(nullif(current_setting('visit.word', true), ''), 'nothing')");
    let next = database.run(&caller::member(), &RequestContext::default(), Access::Read, left).await.unwrap();
    assert_eq!(next.rows[0].get::<_, String>(0), "nothing");
}
