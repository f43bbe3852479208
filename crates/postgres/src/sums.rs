//! How many rows every table has and a sum over them, to tell whether two databases hold the same.
//!
//! Invariant: all tables are looked at in one snapshot. A sum does not depend on the order of rows; where a position in the log is
//! named, the snapshot is exactly what had been committed there, neither more nor less.

use std::collections::BTreeMap;
use std::time::Duration;

use futures_util::future;
use kernel::{Error, Kind, Result};
use serde::{Deserialize, Serialize};
use tokio_postgres::{Client, Config, NoTls, SimpleQueryMessage};

use crate::error;

/// How often a snapshot is tried again in which something was committed meanwhile.
const TRIES: u32 = 2000;
/// How long is waited for whoever writes.
const PAUSE: Duration = Duration::from_millis(5);

/// What a table holds.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct TableSum {
    /// Its rows.
    pub rows: i64,
    /// A sum over them.
    pub sum: String,
}

/// What a database holds.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Sums {
    /// The position in the log at which it held that, where it was asked for.
    pub position: Option<String>,
    /// Every table that survives a crash, by schema and name.
    pub tables: BTreeMap<String, TableSum>,
}

/// Looks at every table as somebody who may read all. `pinned` names the position in the log, too, and has the log go on from there.
pub async fn sums(config: &Config, pinned: bool, statement_time: Duration) -> Result<Sums> {
    let client = connect(config).await?;
    let position = if pinned { Some(pin(&client).await?) } else { None };
    if position.is_none() {
        client.batch_execute("begin isolation level repeatable read, read only").await.map_err(refused)?;
    }
    let limit = format!("{}ms", statement_time.as_millis());
    client.execute("select set_config('statement_timeout', $1, true)", &[&limit]).await.map_err(refused)?;
    let mut tables = BTreeMap::new();
    let named = client
        .query(
            "select format('%I.%I', n.nspname, c.relname) as name,
                    format('select count(*), coalesce(sum(hashtextextended(t::text, 0)), 0)::text from only %I.%I t', n.nspname, c.relname) as look
               from pg_catalog.pg_class c join pg_catalog.pg_namespace n on n.oid = c.relnamespace
              where c.relkind = 'r' and c.relpersistence = 'p' and n.nspname not in ('pg_catalog', 'information_schema')
              order by 1",
            &[],
        )
        .await
        .map_err(refused)?;
    for row in named {
        let (name, look): (String, String) = (row.try_get(0).map_err(refused)?, row.try_get(1).map_err(refused)?);
        let row = client.query_one(&look, &[]).await.map_err(refused)?;
        tables.insert(name, TableSum { rows: row.try_get(0).map_err(refused)?, sum: row.try_get(1).map_err(refused)? });
    }
    client.batch_execute("commit").await.map_err(refused)?;
    if position.is_some() {
        // Something stands behind the position, and its piece of the log is over.
        client.batch_execute("select pg_create_restore_point('thorbis drill'), pg_switch_wal()").await.map_err(refused)?;
    }
    Ok(Sums { position, tables })
}

/// Returns the cluster's number, which its copies share, and its major version.
pub async fn identity(config: &Config) -> Result<(String, u32)> {
    let client = connect(config).await?;
    let statement = "select system_identifier::text, current_setting('server_version_num')::int / 10000 from pg_control_system()";
    let row = client.query_one(statement, &[]).await.map_err(refused)?;
    let major: i32 = row.try_get(1).map_err(refused)?;
    Ok((row.try_get(0).map_err(refused)?, u32::try_from(major).unwrap_or_default()))
}

/// Has the log go on in a new piece, so that the one until now can be kept.
pub async fn end_piece(config: &Config) -> Result<()> {
    connect(config).await?.batch_execute("select pg_switch_wal()").await.map_err(refused)
}

/// Names a moment in the log, has the log go on in a new piece, and returns the position.
pub async fn name_point(config: &Config, name: &str) -> Result<String> {
    let client = connect(config).await?;
    let row = client.query_one("select pg_create_restore_point($1)::text", &[&name]).await.map_err(refused)?;
    client.batch_execute("select pg_switch_wal()").await.map_err(refused)?;
    row.try_get(0).map_err(refused)
}

/// Where the log ends, and whether anybody is just writing there: that he commits stands in the log before others see it, and who is between
/// the two is busy. Who waits for his next statement has yet to say that he commits.
const BEFORE: &str = "select pg_current_wal_insert_lsn();
  select not exists (select from pg_stat_activity a where a.backend_xid is not null and a.state is distinct from 'idle in transaction'
                        and a.state is distinct from 'idle in transaction (aborted)')";
const WITHIN: &str = "begin isolation level repeatable read, read only; select pg_current_wal_insert_lsn()";

/// Opens a snapshot at a moment in which nothing was written: before it and in it the log ends at the same place, and nobody was committing
/// who had written so before.
async fn pin(client: &Client) -> Result<String> {
    for _ in 0..TRIES {
        // One after the other, without waiting for answers.
        let (before, within) = future::join(client.simple_query(BEFORE), client.simple_query(WITHIN)).await;
        let (before, within) = (texts(&before.map_err(refused)?), texts(&within.map_err(refused)?));
        match (before.as_slice(), within.as_slice()) {
            ([at, quiet], [position]) if at == position && quiet == "t" => return Ok(position.clone()),
            _ => client.batch_execute("rollback").await.map_err(refused)?,
        }
        tokio::time::sleep(PAUSE).await;
    }
    Err(Error::new(Kind::Unavailable, "drill_too_busy", "The database was written to all the time: no moment could be compared"))
}

fn texts(messages: &[SimpleQueryMessage]) -> Vec<String> {
    let text = |message: &SimpleQueryMessage| match message {
        SimpleQueryMessage::Row(row) => row.get(0).map(str::to_owned),
        _ => None,
    };
    messages.iter().filter_map(text).collect()
}

async fn connect(config: &Config) -> Result<Client> {
    let mut config = config.clone();
    config.application_name("thorbis backup");
    let (client, connection) = config.connect(NoTls).await.map_err(error::unavailable)?;
    tokio::spawn(async move {
        if let Err(error) = connection.await {
            tracing::debug!(%error, "a connection of a backup ended");
        }
    });
    Ok(client)
}

fn refused(source: tokio_postgres::Error) -> Error {
    let said = source.as_db_error().map_or_else(|| source.to_string(), |said| said.message().to_owned());
    Error::new(Kind::Internal, "backup_failed", format!("PostgreSQL refused what a backup needs: {said}")).with_source(source)
}
