//! TLS to a PostgreSQL over the network: with verification, or not at all.

use std::io::{BufRead, BufReader};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};

use postgres::{Config, Database, PoolOptions};
use rcgen::{CertificateParams, CertifiedIssuer, KeyPair};
use tempfile::TempDir;
use tokio_postgres::config::{ChannelBinding, SslMode};

/// Runs until the pipe from the test closes.
const SCRIPT: &str = r#"
set -e
command -v initdb >/dev/null || PATH="$(ls -d /usr/lib/postgresql/*/bin | sort -V | tail -n 1):$PATH"
initdb -D "$1/data" -U postgres -A trust >/dev/null
for method in password md5 scram-sha-256; do echo "hostssl all $method 127.0.0.1/32 $method"; done >"$1/hba"
cat "$1/data/pg_hba.conf" >>"$1/hba" && mv "$1/hba" "$1/data/pg_hba.conf"
postgres -D "$1/data" -k "$1" -c listen_addresses=127.0.0.1 -c port="$2" -c fsync=off -c ssl=on \
    -c ssl_cert_file="$1/server.pem" -c ssl_key_file="$1/server.key" >"$1/log" 2>&1 &
server=$!
until pg_isready -q -h "$1" -p "$2"; do sleep 0.05; done
echo ready
cat >/dev/null
kill -INT $server; wait $server || true
"#;

/// An authority of the test's own.
struct Issuer(CertifiedIssuer<'static, KeyPair>);

impl Issuer {
    fn new(name: &str) -> Self {
        let mut params = CertificateParams::new(vec![]).unwrap();
        params.is_ca = rcgen::IsCa::Ca(rcgen::BasicConstraints::Unconstrained);
        params.distinguished_name.push(rcgen::DnType::CommonName, name);
        Self(CertifiedIssuer::self_signed(params, KeyPair::generate().unwrap()).unwrap())
    }

    fn write(&self, path: &Path) -> PathBuf {
        std::fs::write(path, self.0.pem()).unwrap();
        path.to_owned()
    }
}

/// A PostgreSQL with a certificate for `localhost`.
struct Server {
    shell: Child,
    folder: TempDir,
    port: u16,
}

impl Server {
    fn start(issuer: &Issuer) -> Self {
        let folder = TempDir::with_prefix("thorbis-tls-").unwrap();
        let key = KeyPair::generate().unwrap();
        let certificate = CertificateParams::new(vec!["localhost".to_owned()]).unwrap().signed_by(&key, &issuer.0).unwrap();
        std::fs::write(folder.path().join("server.pem"), certificate.pem()).unwrap();
        std::fs::write(folder.path().join("server.key"), key.serialize_pem()).unwrap();
        let key_mode = <std::fs::Permissions as std::os::unix::fs::PermissionsExt>::from_mode(0o600);
        std::fs::set_permissions(folder.path().join("server.key"), key_mode).unwrap();
        let as_root = nix::unistd::Uid::effective().is_root();
        let mut command = Command::new(if as_root { "setpriv" } else { "sh" });
        if as_root {
            let user = nix::unistd::User::from_name("postgres").unwrap().unwrap();
            for path in ["", "server.pem", "server.key"] {
                std::os::unix::fs::chown(folder.path().join(path), Some(user.uid.as_raw()), Some(user.gid.as_raw())).unwrap();
            }
            command.args(["--reuid=postgres", "--regid=postgres", "--clear-groups", "sh"]);
        }
        let port = testkit::free_port();
        command.arg("-c").arg(SCRIPT).arg("server").arg(folder.path()).arg(port.to_string()).current_dir("/");
        let mut shell = command.stdin(Stdio::piped()).stdout(Stdio::piped()).spawn().unwrap();
        let mut line = String::new();
        BufReader::new(shell.stdout.take().unwrap()).read_line(&mut line).unwrap();
        assert_eq!(line, "ready\n", "{}", std::fs::read_to_string(folder.path().join("log")).unwrap_or_default());
        Self { shell, folder, port }
    }

    /// Connects behind the pool's back.
    async fn watch(&self) -> tokio_postgres::Client {
        let mut watch = Config::new();
        watch.host_path(self.folder.path()).port(self.port).user("postgres").dbname("postgres");
        testkit::connect(&watch).await
    }

    fn database(&self, host: &str, mode: SslMode, root: Option<PathBuf>) -> Database {
        let mut config = Config::new();
        config.host(host).port(self.port).user("postgres").dbname("postgres").ssl_mode(mode);
        Database::new(PoolOptions { root_certificate_file: root, ..PoolOptions::new(config) }).unwrap()
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        drop(self.shell.stdin.take());
        let _reaped = self.shell.wait().is_ok();
    }
}

#[tokio::test]
async fn a_certificate_is_checked_by_authority_and_name() {
    let (ours, other) = (Issuer::new("ours"), Issuer::new("other"));
    let server = Server::start(&ours);
    let ours = ours.write(&server.folder.path().join("ours.pem"));
    let other = other.write(&server.folder.path().join("other.pem"));
    server.database("localhost", SslMode::Require, Some(ours.clone())).ping().await.unwrap();
    for (what, database) in [
        ("another authority", server.database("localhost", SslMode::Require, Some(other))),
        ("another name", server.database("127.0.0.1", SslMode::Require, Some(ours))),
        ("the authorities of the machine", server.database("localhost", SslMode::Require, None)),
    ] {
        let refused = database.ping().await.unwrap_err();
        assert_eq!((refused.status().as_u16(), refused.code()), (503, "database_unavailable"), "{what}");
    }
}

#[tokio::test]
async fn the_connection_is_really_encrypted_unless_it_is_switched_off() {
    let ours = Issuer::new("ours");
    let server = Server::start(&ours);
    let root = ours.write(&server.folder.path().join("ours.pem"));
    // In this order: a connection that was just closed is seen for a moment longer.
    for (mode, encrypted) in [(SslMode::Disable, 0_i64), (SslMode::Require, 1)] {
        let database = server.database("localhost", mode, Some(root.clone()));
        database.ping().await.unwrap();
        let client = server.watch().await;
        let count = "select count(*) from pg_stat_ssl s join pg_stat_activity a using (pid) where s.ssl and a.client_addr is not null";
        assert_eq!(client.query_one(count, &[]).await.unwrap().get::<_, i64>(0), encrypted, "{mode:?}");
        database.close();
    }
}

#[tokio::test]
async fn a_password_goes_in_the_way_that_is_asked_for_and_only_the_bound_one_where_that_is_demanded() {
    let ours = Issuer::new("ours");
    let server = Server::start(&ours);
    let root = ours.write(&server.folder.path().join("ours.pem"));
    let watch = server.watch().await;
    for method in ["password", "md5", "scram-sha-256"] {
        let kept = if method == "md5" { "md5" } else { "scram-sha-256" };
        let made = format!(r#"set password_encryption = '{kept}'; create role "{method}" login password 'right'"#);
        watch.batch_execute(&made).await.unwrap();
        for (password, binding, is_let_in) in [
            (Some("right"), ChannelBinding::Prefer, true),
            (Some("right"), ChannelBinding::Disable, true),
            (Some("right"), ChannelBinding::Require, method == "scram-sha-256"),
            (Some("wrong"), ChannelBinding::Prefer, false),
            (None, ChannelBinding::Prefer, false),
        ] {
            let mut config = Config::new();
            config.host("localhost").port(server.port).user(method).dbname("postgres").ssl_mode(SslMode::Require);
            config.channel_binding(binding);
            if let Some(password) = password {
                config.password(password);
            }
            let options = PoolOptions { root_certificate_file: Some(root.clone()), ..PoolOptions::new(config) };
            let outcome = Database::new(options).unwrap().ping().await;
            assert_eq!(outcome.is_ok(), is_let_in, "{method} {password:?} {binding:?}: {outcome:?}");
        }
    }
}

#[tokio::test]
async fn a_statement_over_tls_is_given_up_too() {
    let ours = Issuer::new("ours");
    let server = Server::start(&ours);
    let root = ours.write(&server.folder.path().join("ours.pem"));
    server
        .watch()
        .await
        .batch_execute(
            "create schema app; create function app.open_request(text, uuid, uuid, uuid, text, text, boolean,
        out role text, out company_id uuid, out user_id uuid, out member_role text, out permissions text, out claims text)
        language sql as $$ select 'postgres', null::uuid, null::uuid, null, '', '{}' $$",
        )
        .await
        .unwrap();
    let mut config = Config::new();
    config.host("localhost").port(server.port).user("postgres").dbname("postgres").ssl_mode(SslMode::Require);
    let abandoned = std::time::Duration::from_millis(20);
    let database =
        Database::new(PoolOptions { size_max: 1, abandoned, root_certificate_file: Some(root), ..PoolOptions::new(config) }).unwrap();
    let (grant, context) = (crate::caller::nobody(), kernel::RequestContext::default());
    let slow = database.run(&grant, &context, postgres::Access::Write, postgres::Sql::new("select pg_sleep(200)::text"));
    assert!(tokio::time::timeout(std::time::Duration::from_secs(1), slow).await.is_err());
    let begun = std::time::Instant::now();
    database.run(&grant, &context, postgres::Access::Read, postgres::Sql::new("select 1")).await.unwrap();
    assert!(begun.elapsed() < std::time::Duration::from_mins(1), "{:?}", begun.elapsed());
}
