//! A database of its own for every test, cloned from a migrated template in a throw-away cluster.
//!
//! Invariant: nothing here is part of the product. The cluster is made by the program `test-cluster`, which hands its addresses to the
//! tests in one environment variable; without it a test says how to be run.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::missing_panics_doc, reason = "a test's tool fails loudly")]

pub mod clamd;
pub mod object_store;
mod ports;
mod proxy;
mod redis;
mod replica;
mod sweep;
mod throw_away;

use std::sync::atomic::{AtomicU32, Ordering};

use postgres::{Config, Database, PoolOptions};
use tokio_postgres::{Client, NoTls};

pub use ports::free_port;
pub use proxy::Proxy;
pub use redis::Redis;
pub use replica::Replica;
pub use sweep::sweep;
pub use throw_away::{Addresses, Install, ThrowAway};

/// The variable that carries the addresses of the cluster.
pub const VARIABLE: &str = "THORBIS_TEST_CLUSTER";

/// A migrated database that belongs to one test.
#[derive(Debug)]
pub struct Db {
    addresses: Addresses,
    name: String,
}

impl Db {
    /// Clones the template.
    pub async fn new() -> Self {
        static COUNT: AtomicU32 = AtomicU32::new(0);
        let addresses = Addresses::from_environment();
        let name = format!("test_{}_{}", std::process::id(), COUNT.fetch_add(1, Ordering::SeqCst));
        let client = connect(&addresses.superuser(throw_away::MAINTENANCE)).await;
        let owner = addresses.migrator_login();
        let sql = format!(r#"create database "{name}" template "{}" owner "{owner}" strategy file_copy"#, throw_away::TEMPLATE);
        client.batch_execute(&sql).await.expect("the template can be cloned");
        // Rights to a database do not come with its template: what migrating took from everybody is taken here, too.
        let taken = format!("select not has_database_privilege('anon', '{}', 'temporary')", throw_away::TEMPLATE);
        if client.query_one(&taken, &[]).await.expect("the template's rights").get(0) {
            client.batch_execute(&format!(r#"revoke temporary on database "{name}" from public"#)).await.expect("a right can be taken");
        }
        Self { addresses, name }
    }

    /// Returns how this database was installed.
    pub fn install(&self) -> Install {
        self.addresses.install
    }

    /// Returns where the server's login finds this database.
    pub fn server_config(&self) -> Config {
        self.addresses.server(&self.name)
    }

    /// Returns where the migrator finds this database.
    pub fn migrator_config(&self) -> Config {
        self.addresses.migrator(&self.name)
    }

    /// Returns a pool of the server's login with the product's defaults.
    pub fn database(&self) -> Database {
        self.database_with(|_| ())
    }

    /// Returns a pool of the server's login with other settings.
    pub fn database_with(&self, change: impl FnOnce(&mut PoolOptions)) -> Database {
        let mut options = PoolOptions { size_max: 8, ..PoolOptions::new(self.server_config()) };
        change(&mut options);
        Database::new(options).expect("the options are good")
    }

    /// Returns where the superuser finds this database.
    pub fn superuser_config(&self) -> Config {
        self.addresses.superuser(&self.name)
    }

    /// Connects as the superuser, to prepare what no caller may and to look behind the policies.
    pub async fn superuser(&self) -> Client {
        connect(&self.superuser_config()).await
    }

    /// Connects as the migrator.
    pub async fn migrator(&self) -> Client {
        connect(&self.migrator_config()).await
    }
}

/// Connects and drives the connection until its client is dropped.
pub async fn connect(config: &Config) -> Client {
    let (client, connection) = config.connect(NoTls).await.expect("the test cluster answers");
    tokio::spawn(connection);
    client
}
