//! The database and the server's login, made if they are not there.
//!
//! Invariant: a password is sent only as the SCRAM verifier computed here, so that no log and no statistics of PostgreSQL can show
//! it. Names and values become SQL by PostgreSQL's own `format()`.

use kernel::Secret;
use postgres_protocol::password::scram_sha_256;
use tokio_postgres::{Client, Config, NoTls};

use super::ClusterError;
use super::initdb::SUPERUSER;
use super::layout::{Layout, Passwords};

/// Returns how to connect over the socket.
pub(super) fn config(layout: &Layout, user: &str, password: &Secret<String>, database: &str) -> Config {
    let mut config = Config::new();
    config.host_path(&layout.socket).port(5432).user(user).password(password.expose()).dbname(database).application_name("thorbis");
    config
}

/// Returns how the superuser connects.
pub(super) fn superuser(layout: &Layout, passwords: &Passwords, database: &str) -> Config {
    config(layout, SUPERUSER, &passwords.superuser, database)
}

/// Asks the running server for its version.
pub(super) async fn version(config: &Config) -> Result<String, tokio_postgres::Error> {
    let client = connect(config).await?;
    client.query_one("show server_version", &[]).await?.try_get(0)
}

/// Makes the database and the login.
pub(super) async fn ensure(config: &Config, database: &str, login: &str, passwords: &Passwords) -> Result<(), ClusterError> {
    let failed = |step| move |source| ClusterError::Setup { step, source };
    let client = connect(config).await.map_err(failed("connecting"))?;
    let verifier = scram_sha_256(passwords.server.expose().as_bytes());
    // It reads the log for the change feed; who may copy the whole cluster stands in pg_hba.conf.
    let present = client
        .query_opt("select rolreplication from pg_catalog.pg_roles where rolname = $1", &[&login])
        .await
        .map_err(failed("looking for the login"))?;
    let replicates = present.as_ref().map(|row| row.try_get::<_, bool>(0)).transpose().map_err(failed("looking for the login"))?;
    if replicates.is_none() {
        let make = "select format('create role %I login noinherit replication password %L', $1::text, $2::text)";
        run(&client, make, &[login, &verifier]).await.map_err(failed("making the login"))?;
    } else if passwords.server_is_new {
        let change = "select format('alter role %I login noinherit replication password %L', $1::text, $2::text)";
        run(&client, change, &[login, &verifier]).await.map_err(failed("giving the login its password"))?;
    } else if replicates == Some(false) {
        let change = "select format('alter role %I replication', $1::text) where $2::text is not null";
        run(&client, change, &[login, &verifier]).await.map_err(failed("letting the login read the log"))?;
    }
    let present = client
        .query_opt("select from pg_catalog.pg_database where datname = $1", &[&database])
        .await
        .map_err(failed("looking for the database"))?;
    if present.is_none() {
        let make = "select format('create database %I template template0 encoding %L', $1::text, $2::text)";
        run(&client, make, &[database, "UTF8"]).await.map_err(failed("making the database"))?;
    }
    Ok(())
}

/// Lets PostgreSQL write a statement, then runs it.
async fn run(client: &Client, write: &str, values: &[&str; 2]) -> Result<(), tokio_postgres::Error> {
    let statement: String = client.query_one(write, &[&values[0], &values[1]]).await?.try_get(0)?;
    client.batch_execute(&statement).await
}

/// Connects, where nothing of a caller's is done.
pub(super) async fn connect(config: &Config) -> Result<Client, tokio_postgres::Error> {
    let (client, connection) = config.connect(NoTls).await?;
    tokio::spawn(async move {
        if let Err(error) = connection.await {
            tracing::debug!(%error, "a connection of the set-up ended");
        }
    });
    Ok(client)
}
