//! Puts tasks in and does them as the product does, with kinds that do nothing: what is measured is the queue.
//!
//! Invariant: every task goes the way that the product's own tasks go, fair between companies, with its history, and with every commit on
//! the disk that the product has there; the kinds exist in the database that is measured and in no other.

mod kinds;
mod measures;

use std::io::Write as _;
use std::sync::Arc;
use std::time::Duration;

use anyhow::{Context, ensure};
use clap::{Parser, Subcommand};
use kernel::Authority;
use postgres::{Config, Database, PoolOptions};
use queue::{Queue, QueueConfig, QueueOptions, Worker};
use tokio::signal::unix::{SignalKind, signal};
use tokio_util::sync::CancellationToken;

use kinds::Seen;

/// What a run may have.
const TASKS_MAX: u64 = 10_000_000;
const COMPANIES_MAX: u64 = 100_000;
const CALLERS_MAX: usize = 4096;
const SECONDS_MAX: u64 = 600;

/// Measures the queue of a database.
#[derive(Debug, Parser)]
struct QueueLoad {
    /// Where PostgreSQL is, in words of libpq.
    #[arg(long)]
    database: String,
    /// The password there.
    #[arg(long, env = "PGPASSWORD", hide_env_values = true, default_value = "")]
    password: String,
    /// Tasks that run at the same time.
    #[arg(long)]
    running: Option<usize>,
    #[command(subcommand)]
    measure: Measure,
}

#[derive(Clone, Debug, Subcommand)]
enum Measure {
    /// Put tasks in, many at once.
    Fill {
        /// How many.
        #[arg(long)]
        tasks: u64,
        /// Of how many companies; the first of several has half of them.
        #[arg(long, default_value_t = 1)]
        companies: u64,
        /// How long each takes, in milliseconds.
        #[arg(long, default_value_t = 0)]
        millis: u64,
    },
    /// Do what there is.
    Drain,
    /// Do tasks until told to stop.
    Work,
    /// Put single tasks in, each on the disk before its caller goes on.
    Enqueue {
        #[arg(long, default_value_t = 16)]
        callers: usize,
        #[arg(long, default_value_t = 5)]
        seconds: u64,
    },
    /// How long a task of a small company waits, from before it is put in until it begins.
    Wait {
        #[arg(long, default_value_t = 1000)]
        tasks: u64,
        /// Milliseconds between two; 0: the next one when the one before began.
        #[arg(long, default_value_t = 0)]
        pause_ms: u64,
    },
}

impl Measure {
    fn check(&self) -> anyhow::Result<()> {
        let is_bounded = match *self {
            Self::Fill { tasks, companies, millis } => {
                tasks <= TASKS_MAX && (1..=COMPANIES_MAX).contains(&companies) && millis <= SECONDS_MAX * 1000
            }
            Self::Drain | Self::Work => true,
            Self::Enqueue { callers, seconds } => (1..=CALLERS_MAX).contains(&callers) && seconds <= SECONDS_MAX,
            Self::Wait { tasks, pause_ms } => (1..=TASKS_MAX).contains(&tasks) && pause_ms <= SECONDS_MAX * 1000,
        };
        ensure!(is_bounded, "too many tasks, companies, callers or seconds");
        Ok(())
    }
}

#[tokio::main(flavor = "multi_thread")]
async fn main() -> anyhow::Result<()> {
    let load = QueueLoad::parse();
    load.measure.check()?;
    let mut server: Config = load.database.parse().context("the database cannot be read")?;
    server.password(&load.password);
    let database = Database::new(PoolOptions::new(server.clone()))?;
    #[expect(clippy::disallowed_methods, reason = "this is where the process starts")]
    let authority = Authority::establish();
    let mut config = QueueConfig::default();
    config.running_max = load.running.unwrap_or(config.running_max);
    let options = QueueOptions { database: database.clone(), authority, config, node: "load".to_owned(), listen: Some((server, None)) };
    let queue = Queue::new(options)?;
    let seen = Arc::new(Seen::new());
    let kinds = kinds::all(&seen);
    queue.declare(&kinds).await?;
    let worker = Worker::new(queue.clone(), kinds);
    let said = match load.measure {
        Measure::Fill { tasks, companies, millis } => measures::fill(&queue, tasks, companies, millis).await?,
        Measure::Drain => measures::drain(&worker, &seen).await?,
        Measure::Work => {
            work(&worker).await?;
            serde_json::json!({ "tasks": seen.count() })
        }
        Measure::Enqueue { callers, seconds } => measures::enqueue(&queue, callers, Duration::from_secs(seconds)).await?,
        Measure::Wait { tasks, pause_ms } => measures::wait(&queue, &worker, &seen, tasks, Duration::from_millis(pause_ms)).await?,
    };
    database.close();
    writeln!(std::io::stdout(), "{said}")?;
    Ok(())
}

async fn work(worker: &Worker) -> anyhow::Result<()> {
    let stop = CancellationToken::new();
    let mut told = signal(SignalKind::terminate())?;
    let until_told = async {
        told.recv().await;
        stop.cancel();
    };
    tokio::join!(worker.run(stop.clone()), until_told);
    Ok(())
}
