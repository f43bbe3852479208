//! The cluster that tests share, and the addresses in it.
//!
//! Invariant: it is installed the way that was asked for: by a superuser, or by a plain role that may only create roles and databases.

use std::path::PathBuf;
use std::time::Duration;

use postgres::cluster::{self, Cluster, ClusterOptions};
use postgres::migrate::{Migrator, Options, Seeds, Source};
use postgres::{Config, Host};
use serde::{Deserialize, Serialize};
use tempfile::TempDir;

use crate::{VARIABLE, connect};

pub(crate) const TEMPLATE: &str = "template_thorbis";
pub(crate) const MAINTENANCE: &str = "postgres";
const PLAIN_LOGIN: &str = "thorbis_plain";
/// Not a secret: it opens a cluster that exists for minutes behind a socket in a private folder.
const PLAIN_PASSWORD: &str = "throw-away";

/// Who installs.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Install {
    /// A superuser.
    Superuser,
    /// NOSUPERUSER CREATEROLE CREATEDB, owner of its databases.
    Plain,
}

/// How to reach the cluster.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Addresses {
    /// Who installed it.
    pub install: Install,
    socket: PathBuf,
    superuser: Login,
    server: Login,
}

#[derive(Clone, Debug, Serialize, Deserialize)]
struct Login {
    name: String,
    password: String,
}

impl Addresses {
    /// Reads the addresses that `test-cluster` hands on.
    #[expect(clippy::disallowed_methods, reason = "tests have no configuration; this is the one thing handed to them")]
    pub fn from_environment() -> Self {
        let text = std::env::var(VARIABLE).unwrap_or_else(|_| panic!("this test needs a database: run it by ./dev test"));
        serde_json::from_str(&text).expect("test-cluster wrote it")
    }

    /// Returns the superuser's way to a database.
    pub fn superuser(&self, database: &str) -> Config {
        self.config(&self.superuser, database)
    }

    /// Returns the server login's way to a database.
    pub fn server(&self, database: &str) -> Config {
        self.config(&self.server, database)
    }

    /// Returns the migrator's way to a database.
    pub fn migrator(&self, database: &str) -> Config {
        match self.install {
            Install::Superuser => self.superuser(database),
            Install::Plain => self.config(&plain(), database),
        }
    }

    /// Returns the login that migrates.
    pub fn migrator_login(&self) -> &str {
        match self.install {
            Install::Superuser => &self.superuser.name,
            Install::Plain => PLAIN_LOGIN,
        }
    }

    fn config(&self, login: &Login, database: &str) -> Config {
        let mut config = Config::new();
        config.host_path(&self.socket).user(&login.name).password(&login.password).dbname(database);
        config.ssl_mode(tokio_postgres::config::SslMode::Disable);
        config
    }
}

/// A running cluster with a migrated template.
pub struct ThrowAway {
    cluster: Cluster,
    addresses: Addresses,
    _folder: TempDir,
}

impl ThrowAway {
    /// Makes the cluster and migrates the template.
    pub async fn start(install: Install) -> anyhow::Result<Self> {
        let folder = tempfile::Builder::new().prefix("thorbis-test-").permissions(folder_mode()).tempdir()?;
        let mut options = ClusterOptions::new(folder.path().join("data"));
        options.memory_share_percent = 10;
        options.poll_interval = Duration::from_secs(1);
        for (key, value) in [
            ("fsync", "off"),
            ("full_page_writes", "off"),
            ("synchronous_commit", "off"),
            ("max_connections", "300"),
            // Each server of each test reads the log.
            ("max_wal_senders", "60"),
            ("max_replication_slots", "60"),
            // Hundreds of databases come and go, and whoever begins to read the log waits for all that is under way.
            ("autovacuum_vacuum_cost_delay", "0"),
            ("min_wal_size", "80MB"),
            ("max_wal_size", "1GB"),
        ] {
            options.extra_settings.push((key.to_owned(), value.to_owned()));
        }
        let cluster = cluster::start(options).await?;
        let addresses = addresses(&cluster, install)?;
        let this = Self { cluster, addresses, _folder: folder };
        this.make_template().await?;
        Ok(this)
    }

    /// Returns how to reach it.
    pub fn addresses(&self) -> &Addresses {
        &self.addresses
    }

    /// Stops it; its folder goes with it.
    pub async fn stop(self) -> anyhow::Result<()> {
        Ok(self.cluster.stop().await?)
    }

    async fn make_template(&self) -> anyhow::Result<()> {
        let superuser = connect(&self.addresses.superuser(MAINTENANCE)).await;
        if self.addresses.install == Install::Plain {
            let sql = format!("create role {PLAIN_LOGIN} login createrole createdb password '{PLAIN_PASSWORD}'");
            superuser.batch_execute(&sql).await?;
        }
        let sql = format!(r#"create database {TEMPLATE} owner "{}""#, self.addresses.migrator_login());
        superuser.batch_execute(&sql).await?;
        let migrator = Migrator::new(self.addresses.migrator(TEMPLATE));
        let options = Options { server_login: Some(self.addresses.server.name.clone()), ..Options::default() };
        migrator.up(&Source::Embedded, &options).await?;
        migrator.seed(&Source::Embedded, Seeds::System, &options).await?;
        Ok(())
    }
}

impl std::fmt::Debug for ThrowAway {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("ThrowAway").field("addresses", &self.addresses).finish_non_exhaustive()
    }
}

fn plain() -> Login {
    Login { name: PLAIN_LOGIN.to_owned(), password: PLAIN_PASSWORD.to_owned() }
}

fn addresses(cluster: &Cluster, install: Install) -> anyhow::Result<Addresses> {
    let superuser = cluster.migrator_config();
    let socket = superuser.get_hosts().iter().find_map(|host| match host {
        Host::Unix(path) => Some(path.clone()),
        Host::Tcp(_) => None,
    });
    let socket = socket.ok_or_else(|| anyhow::anyhow!("the cluster listens on no socket"))?;
    Ok(Addresses { install, socket, superuser: login(&superuser)?, server: login(&cluster.server_config())? })
}

fn login(config: &Config) -> anyhow::Result<Login> {
    let name = config.get_user().unwrap_or_default().to_owned();
    let password = String::from_utf8(config.get_password().unwrap_or_default().to_vec())?;
    Ok(Login { name, password })
}

fn folder_mode() -> std::fs::Permissions {
    use std::os::unix::fs::PermissionsExt as _;
    std::fs::Permissions::from_mode(0o711)
}
