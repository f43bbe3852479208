//! `thorbis seed --scale`: a thousand companies, one of them two hundred times as large as the others, to measure against.
//!
//! Invariant: it works only where there is nothing to lose. Triggers are off while rows come in, so every row carries what its triggers
//! would have made of it, and `check.sql` looks whether that is so. Foreign keys and secondary indexes are aside meanwhile, and every key is
//! held against all rows at the end; checks and unique keys stay on. Whatever happens, all of it is there again before anybody else works
//! here: at the end, after an error, and at the next migration or seed after a kill.
//!
//! Why triggers are off: an import of five million jobs would write an audit row for each row, queue at the counters of numbers and sum
//! every header once for each of its lines. COPY into a table with forced row security is refused, so rows are made by INSERT ... SELECT
//! from temporary tables that hold one block of 1,000 customers.

mod aside;
mod blocks;
mod check;
mod load;
mod plan;
mod triggers;

use std::time::{Duration, Instant};

use kernel::Result;

use super::error::{self, SCALE_IN_USE, SCALE_NOT_EMPTY};
use super::options::Options;
use super::session::{Migrator, Session, with_retries};

pub use plan::Plan;

/// The one company that may be there before: the demo company, in development.
const DEMO: &str = "01900000-0000-7000-8000-000000000001";
/// How long somebody may take to leave.
const LEAVING: Duration = Duration::from_secs(3);

/// What was written, and how long it took.
#[derive(Clone, Debug)]
pub struct Report {
    /// Rows by table.
    pub rows: Vec<(String, u64)>,
    /// How long the rows took.
    pub loaded_in: Duration,
    /// How long it took with indexes, keys, statistics and checks.
    pub took: Duration,
    /// What the database grew by.
    pub bytes: u64,
}

impl Migrator {
    /// Fills an installation that has no companies, or in development only the demo company. `say` hears of the progress.
    pub async fn scale(&self, plan: &Plan, connections: usize, allow_demo: bool, say: &(dyn Fn(&str) + Sync)) -> Result<Report> {
        let options = &Options::default();
        let started = Instant::now();
        let session = &self.connect().await?;
        session.lock(options).await?;
        heal(session, options).await?;
        refuse_others(session, options, allow_demo).await?;
        let before = size(session).await?;
        let loaded = async {
            triggers::switch_off(session, options).await?;
            aside::put(session, options).await?;
            // Somebody may have come between the first look and this moment.
            refuse_others(session, options, allow_demo).await?;
            load::run(self, plan, connections, options, say).await
        };
        let loaded = Box::pin(loaded).await;
        let loaded_in = started.elapsed();
        if loaded.is_ok() {
            say(&format!("rows are in after {} s; indexes and keys", loaded_in.as_secs()));
        }
        // Also after an error: whatever was written stays, and rules hold for it from now on.
        if let Err(back) = self.restore(session, connections, options).await {
            let told = "rules are still off, since triggers, indexes or keys could not be made again; thorbis migrate up does it";
            tracing::error!(error = %back, "{told}");
            say(&format!("{told}: {back}"));
            // What failed first is the one to tell.
            return Err(loaded.err().unwrap_or(back));
        }
        loaded?;
        say(&format!("indexes and keys are there after {} s; statistics and checks", started.elapsed().as_secs()));
        load::over_tables(self, connections, options, "analyze").await?;
        let several = load::several(self, connections).await?;
        check::check(&several, options).await?;
        let rows = check::count(&several, options).await?;
        let bytes = size(session).await?.saturating_sub(before);
        session.unlock().await?;
        Ok(Report { rows, loaded_in, took: started.elapsed(), bytes })
    }

    async fn restore(&self, session: &Session, connections: usize, options: &Options) -> Result<()> {
        triggers::switch_on(session, options).await?;
        let several = load::several(self, connections).await?;
        aside::bring_back(&several.iter().collect::<Vec<_>>(), options).await.map(|_| ())
    }
}

/// Makes good what a scale seed that was killed left: triggers off, foreign keys and indexes aside.
pub(super) async fn heal(session: &Session, options: &Options) -> Result<()> {
    let (count, _) = with_retries(options, || Box::pin(triggers::switch_on(session, options))).await?;
    if count > 0 {
        tracing::warn!(triggers = count, "triggers were off and are on again");
    }
    let count = aside::bring_back(&[session], options).await?;
    if count > 0 {
        tracing::warn!(count, "foreign keys and indexes were aside and are there again");
    }
    Ok(())
}

/// Refuses where there is something to lose, or somebody who would write without the rules.
async fn refuse_others(session: &Session, options: &Options, allow_demo: bool) -> Result<()> {
    session.begin(options).await?;
    let spared = if allow_demo { DEMO } else { "" };
    let found = session.client.query_one("select count(*) from public.companies c where c.id::text <> $1", &[&spared]).await;
    let companies: i64 = session.or_rollback(found.map_err(error::query)).await?.get(0);
    session.commit().await?;
    if companies > 0 {
        let message = format!("there are {companies} companies already; a scale seed is for an installation without any");
        return Err(error::refused(
            SCALE_NOT_EMPTY,
            message,
            "Take another database, or in development: thorbis migrate reset --env development --yes",
        ));
    }
    // Somebody who has just left is still there for a moment.
    let limit = tokio::time::Instant::now() + LEAVING;
    loop {
        let others = "select count(*) from pg_catalog.pg_stat_activity a
                       where a.datname = current_database() and a.usesysid is not null and a.pid <> pg_backend_pid()";
        let others: i64 = session.client.query_one(others, &[]).await.map_err(error::query)?.get(0);
        if others == 0 {
            return Ok(());
        }
        if tokio::time::Instant::now() >= limit {
            let message = format!("{others} others are connected, and rules are off while rows come in");
            return Err(error::refused(SCALE_IN_USE, message, "Stop the server and whatever else uses this database."));
        }
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
}

async fn size(session: &Session) -> Result<u64> {
    let row = session.client.query_one("select pg_database_size(current_database())", &[]).await.map_err(error::query)?;
    Ok(u64::try_from(row.get::<_, i64>(0)).unwrap_or_default())
}

impl std::fmt::Display for Report {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        for (table, rows) in &self.rows {
            writeln!(f, "{table} {rows}")?;
        }
        let (loaded, took) = (self.loaded_in.as_secs_f64(), self.took.as_secs_f64());
        writeln!(f, "rows in {loaded:.1} s, with indexes, keys, statistics and checks {took:.1} s, {} MB", self.bytes / 1_000_000)
    }
}
