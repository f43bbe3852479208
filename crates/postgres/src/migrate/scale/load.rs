//! Writes the blocks over several connections.
//!
//! Invariant: a block is one transaction; the first error stops all connections and is the one that is told.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use kernel::Result;
use tokio::sync::mpsc;
use tokio::task::JoinSet;

use super::super::error;
use super::super::options::Options;
use super::super::session::{Migrator, Session};
use super::blocks::{Block, Blocks};
use super::plan::Plan;
use super::triggers::TABLES;

const TEMPLATE: &str = include_str!("template.sql");
const COMPANY: &str = include_str!("company.sql");
const ITEMS: &str = include_str!("items.sql");
const BLOCK: &str = include_str!("block.sql");
const MONEY: &str = include_str!("money.sql");
const FIGURES: &str = include_str!("figures.sql");
/// Connections that a load may have.
const CONNECTIONS_MAX: usize = 32;

/// The SQL of a block, for the columns that this schema has.
#[derive(Clone)]
struct Script {
    money: Arc<str>,
}

pub(super) async fn run(
    migrator: &Migrator,
    plan: &Plan,
    connections: usize,
    options: &Options,
    say: &(dyn Fn(&str) + Sync),
) -> Result<()> {
    let first = prepared(migrator, options).await?;
    let script = Script::of(&first, options).await?;
    write(&first, Blocks::FIRST, &script, options).await?;
    let blocks = Arc::new(Blocks::of(plan));
    let (told, mut heard) = mpsc::unbounded_channel();
    let mut workers = JoinSet::new();
    for _ in 0..connections.clamp(1, CONNECTIONS_MAX) {
        let (migrator, options, blocks, script, told) =
            (migrator.clone(), options.clone(), Arc::clone(&blocks), script.clone(), told.clone());
        workers.spawn(async move {
            let result = Box::pin(work(&migrator, &options, &blocks, &script, &told)).await;
            if result.is_err() {
                blocks.stop();
            }
            result
        });
    }
    drop(told);
    while let Some(line) = heard.recv().await {
        say(&line);
    }
    let mut failed = None;
    while let Some(ended) = workers.join_next().await {
        let result = ended.map_err(kernel::Error::internal).flatten();
        failed = failed.or(result.err());
    }
    if let Some(error) = failed {
        return Err(error);
    }
    // Before the indexes are there, so that it reads none of them.
    over_tables(migrator, connections, options, "vacuum").await
}

/// Runs a command over each of the tables: `vacuum` makes the map of what everybody may see, `analyze` the statistics, without which the
/// first plans are those of empty tables.
pub(super) async fn over_tables(migrator: &Migrator, connections: usize, options: &Options, command: &'static str) -> Result<()> {
    let next = Arc::new(AtomicUsize::new(0));
    let mut workers = JoinSet::new();
    for _ in 0..connections.clamp(1, TABLES.len()) {
        let (migrator, options, next) = (migrator.clone(), options.clone(), Arc::clone(&next));
        workers.spawn(async move {
            let session = migrator.connect().await?;
            session.become_owner(&options).await?;
            while let Some(table) = TABLES.get(next.fetch_add(1, Ordering::Relaxed)) {
                session.client.batch_execute(&format!("{command} {table}")).await.map_err(error::query)?;
            }
            Ok::<_, kernel::Error>(())
        });
    }
    while let Some(ended) = workers.join_next().await {
        ended.map_err(kernel::Error::internal)??;
    }
    Ok(())
}

/// Connections that work at the same time.
pub(super) async fn several(migrator: &Migrator, connections: usize) -> Result<Vec<Session>> {
    let mut sessions = Vec::new();
    for _ in 0..connections.clamp(1, CONNECTIONS_MAX) {
        let session = migrator.connect().await?;
        log_quickly(&session).await;
        sessions.push(session);
    }
    Ok(sessions)
}

async fn work(
    migrator: &Migrator,
    options: &Options,
    blocks: &Blocks,
    script: &Script,
    told: &mpsc::UnboundedSender<String>,
) -> Result<()> {
    let session = prepared(migrator, options).await?;
    while let Some(block) = blocks.take() {
        write(&session, block, script, options).await?;
        if let Some(line) = blocks.done() {
            // Whoever hears is gone only when this task is about to be, too.
            drop(told.send(line));
        }
    }
    Ok(())
}

/// A connection with the temporary tables of a block.
async fn prepared(migrator: &Migrator, options: &Options) -> Result<Session> {
    let session = migrator.connect().await?;
    // A block that a crash takes away is no loss: the load begins anew.
    session
        .client
        .batch_execute(
            "set synchronous_commit = off; set client_min_messages = warning;
             set work_mem = '64MB'; set temp_buffers = '256MB'; set gin_pending_list_limit = '32MB'",
        )
        .await
        .map_err(error::query)?;
    log_quickly(&session).await;
    transaction(&session, options, &[TEMPLATE]).await?;
    Ok(session)
}

/// A seventh of the time went into compressing pages for the log. Not every build has the quicker way, and not every login may choose.
async fn log_quickly(session: &Session) {
    if let Err(refused) = session.client.batch_execute("set wal_compression = lz4").await {
        tracing::debug!(%refused, "the log of the load is compressed as everything else is");
    }
}

async fn write(session: &Session, block: Block, script: &Script, options: &Options) -> Result<()> {
    let Block { company, number } = block;
    let whose = format!(
        "delete from scale_block; insert into scale_block values
           (('01910000-0000-7000-8000-' || lpad('{company}', 12, '0'))::uuid, lpad(to_hex({company}), 3, '0'), {company}, {number})"
    );
    let items = if number == 0 { ITEMS } else { "" };
    transaction(session, options, &[&whose, COMPANY, items, BLOCK, &script.money, FIGURES]).await
}

async fn transaction(session: &Session, options: &Options, scripts: &[&str]) -> Result<()> {
    session.begin(options).await?;
    for script in scripts {
        let done = session.client.batch_execute(script).await.map_err(error::query);
        session.or_rollback(done).await?;
    }
    session.commit().await
}

impl Script {
    /// Headers that keep their lines as JSON get it from the same lines.
    async fn of(session: &Session, options: &Options) -> Result<Self> {
        session.begin(options).await?;
        let asked = "select count(*) from information_schema.columns c
                      where c.table_schema = 'public' and c.table_name in ('estimates', 'invoices') and c.column_name = 'line_items'";
        let found = session.client.query_one(asked, &[]).await.map_err(error::query);
        let columns: i64 = session.or_rollback(found).await?.get(0);
        session.commit().await?;
        let mut money = MONEY.to_owned();
        if columns == 2 {
            for (table, column) in [("estimates", "estimate_id"), ("invoices", "invoice_id")] {
                let lines = format!("scale_{}_lines", column.trim_end_matches("_id"));
                let json = format!(
                    ", (select coalesce(jsonb_agg(to_jsonb(l) - '{{company_id,{column},version,created_at,updated_at}}'::text[] \
                     order by l.position, l.id), '[]') from {lines} l where l.{column} = i.id)"
                );
                money =
                    money.replace(&format!("/*, {table}.line_items */"), ", line_items").replace(&format!("/*, {table}.lines */"), &json);
            }
        }
        Ok(Self { money: money.into() })
    }
}
