//! Looking whose time has come, and beginning its runs.
//!
//! Invariant: any number of processes look; a run begins once, since the row of its time can be written once. Whatever keeps a time from
//! being run is told three times: a failed run, a line in the log, a number.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use jiff::Timestamp;
use jiff::tz::TimeZone;
use kernel::{Clock, Error, Result};
use postgres::{Row, RowError, Sql};
use serde_json::{Value, json};
use tokio_util::sync::CancellationToken;
use uuid::Uuid;

use super::expression::Expression;
use super::times::{Due, Missed, Reach, due};
use crate::kinds::Kinds;
use crate::queue::Queue;

/// How often what is older than it is kept is taken away.
const UPKEEP: Duration = Duration::from_hours(1);
/// Rows that are taken away at once.
const ROWS: i64 = 10_000;

/// An entry of the program itself.
#[derive(Clone, Copy, Debug)]
pub struct SystemEntry {
    /// Its name.
    pub name: &'static str,
    /// When it comes.
    pub schedule: &'static str,
    /// On the clock of which zone.
    pub time_zone: &'static str,
    /// The kind of its task.
    pub kind: &'static str,
    /// What its task is told: an object.
    pub payload: &'static str,
    /// What becomes of times that no process was there for: `skip`, `one` or `all`.
    pub missed: &'static str,
}

/// What looks after everything that comes again and again.
pub struct Cron {
    queue: Queue,
    kinds: Vec<&'static str>,
    clock: Arc<dyn Clock>,
    /// Since when an entry is due whose kind this process does not know.
    unknown: Mutex<HashMap<i64, Timestamp>>,
    kept_up: Mutex<Option<Timestamp>>,
}

/// An entry whose time has come.
struct Entry {
    company_id: Uuid,
    id: i64,
    schedule: String,
    time_zone: String,
    missed: String,
    kind: String,
    counts_from: Timestamp,
    planned: Option<Timestamp>,
}

/// What is done about it.
struct Plan {
    due: Due,
    /// Why it can never come again.
    fault: Option<String>,
    /// Why its runs fail at once.
    run_fault: Option<String>,
}

impl Cron {
    /// Makes it. It looks at nothing yet.
    pub fn new(queue: Queue, kinds: &Kinds, clock: Arc<dyn Clock>) -> Self {
        Self { queue, kinds: kinds.names(), clock, unknown: Mutex::default(), kept_up: Mutex::default() }
    }

    /// Says what holds for schedules, and what the program itself has done. To be called at the start.
    pub async fn declare(&self, entries: &[SystemEntry]) -> Result<()> {
        let config = &self.queue.config().cron;
        let rules = json!({
            "entries_per_company_max": config.entries_per_company_max,
            "entries_of_service_max": config.entries_of_service_max,
            "interval_minutes_min": config.interval_minutes_min,
        });
        let mut said = Sql::new("select app.declare_cron_rules(");
        said.bind(rules).text("::jsonb)");
        self.queue.ask("declares the rules of schedules", said).await?;
        let entries = entries
            .iter()
            .map(|entry| {
                let payload: Value = serde_json::from_str(entry.payload).map_err(Error::internal)?;
                Ok(json!({ "name": entry.name, "schedule": entry.schedule, "time_zone": entry.time_zone, "kind": entry.kind,
                           "payload": payload, "missed": entry.missed }))
            })
            .collect::<Result<Value>>()?;
        let mut declare = Sql::new("select app.declare_schedules(");
        declare.bind(entries).text("::jsonb)");
        self.queue.ask("declares schedules", declare).await.map(drop)
    }

    /// Looks again and again until told to stop.
    pub async fn run(&self, stop: CancellationToken) {
        let interval = Duration::from_millis(self.queue.config().cron.tick_interval_ms);
        while stop.run_until_cancelled(tokio::time::sleep(interval)).await.is_some() {
            if let Err(error) = self.look().await {
                tracing::warn!(code = error.code(), "schedules could not be looked at: {}", error.message());
            }
        }
    }

    /// Begins what is due, and writes down what became of what began. Returns how many runs it began.
    pub async fn look(&self) -> Result<usize> {
        let now = self.clock.now();
        let mut asked = Sql::new(
            "select d.company_id, d.id, d.schedule, d.time_zone, d.missed, d.kind, d.counts_from, d.planned from app.due_schedules(",
        );
        asked.bind(now.to_string()).text("::timestamptz, ").bind(self.queue.config().cron.due_rows_max).text("::integer) d");
        let mut begun = 0;
        for row in &self.queue.ask("looks for schedules", asked).await? {
            let entry = Entry::read(row).map_err(Error::internal)?;
            if let Some(plan) = self.plan(&entry, now) {
                begun += self.fire(&entry, &plan).await?;
            }
        }
        let mut settle = Sql::new("select r.name, r.maker, r.message from app.settle_schedule_runs(");
        settle.bind(self.queue.config().cron.settle_rows_max).text("::integer) r");
        for row in &self.queue.ask("writes down what became of schedules", settle).await? {
            told(row).map_err(Error::internal)?;
        }
        self.keep_up(now).await?;
        Ok(begun)
    }

    /// Works out what is due of an entry; nothing while another process may know what this one does not.
    fn plan(&self, entry: &Entry, now: Timestamp) -> Option<Plan> {
        let config = &self.queue.config().cron;
        let mut unknown = self.unknown.lock().unwrap_or_else(PoisonError::into_inner);
        let mut run_fault = None;
        if self.kinds.contains(&entry.kind.as_str()) || entry.planned.is_none() {
            unknown.remove(&entry.id);
        } else {
            let since = *unknown.entry(entry.id).or_insert(now);
            if now.duration_since(since) < jiff::SignedDuration::try_from(Duration::from_millis(config.unknown_after_ms)).ok()? {
                return None;
            }
            unknown.remove(&entry.id);
            run_fault = Some(format!("no process that runs does tasks of the kind \"{}\"", entry.kind));
        }
        let (expression, zone, missed) = match entry.parts() {
            Ok(parts) => parts,
            Err(fault) => {
                let due = Due { runs: vec![entry.planned.unwrap_or(now)], next: None };
                return Some(Plan { due, run_fault: Some(fault.clone()), fault: Some(fault) });
            }
        };
        let Some(planned) = entry.planned.or_else(|| expression.next_after(entry.counts_from, &zone)) else {
            let fault = "it never comes".to_owned();
            return Some(Plan { due: Due { runs: vec![now], next: None }, run_fault: Some(fault.clone()), fault: Some(fault) });
        };
        let reach = Reach {
            late: Duration::from_millis(config.late_ms),
            window: Duration::from_hours(config.catch_up_hours),
            runs_max: config.catch_up_runs_max,
        };
        Some(Plan { due: due(&expression, &zone, (planned, now), missed, reach), fault: None, run_fault })
    }

    /// Begins the runs of an entry, unless another process did. Returns how many.
    async fn fire(&self, entry: &Entry, plan: &Plan) -> Result<usize> {
        let times: Value = plan.due.runs.iter().map(ToString::to_string).collect();
        let mut fire = Sql::new("select r.name, r.maker, r.message, r.status, r.works_for from app.fire_schedule(");
        fire.bind(entry.company_id).text("::uuid, ").bind(entry.id).text("::bigint, ");
        fire.bind(entry.planned.map(|time| time.to_string()))
            .text("::timestamptz, array(select t.time::timestamptz from jsonb_array_elements_text(");
        fire.bind(times).text("::jsonb) t (time)), ").bind(plan.due.next.map(|time| time.to_string())).text("::timestamptz, ");
        fire.bind(plan.fault.as_deref()).text("::text, ").bind(self.queue.config().cron.unfinished_max).text("::integer, ");
        fire.bind(plan.run_fault.as_deref()).text("::text) r");
        let rows = self.queue.ask("begins what a schedule says", fire).await?;
        let mut companies = Vec::new();
        for row in &rows {
            let status: String = row.try_get("status").map_err(Error::internal)?;
            if status == "failed" {
                told(row).map_err(Error::internal)?;
            } else {
                metrics::counter!("scheduled_runs_total", "outcome" => "begun").increment(1);
                companies.push((row.try_get::<_, Uuid>("works_for").map_err(Error::internal)?, false));
            }
        }
        self.queue.bell().ring(companies);
        Ok(rows.len())
    }

    /// Takes away what is older than it is kept, now and then.
    async fn keep_up(&self, now: Timestamp) -> Result<()> {
        {
            let mut kept_up = self.kept_up.lock().unwrap_or_else(PoisonError::into_inner);
            if kept_up.is_some_and(|last| last.checked_add(UPKEEP).is_ok_and(|due| due > now)) {
                return Ok(());
            }
            *kept_up = Some(now);
        }
        let mut forget = Sql::new("select app.forget_schedule_runs(");
        forget.bind(self.queue.config().cron.history_kept_days).text("::integer, ").bind(ROWS).text("::integer)");
        self.queue.ask("forgets old runs", forget).await.map(drop)
    }
}

impl Entry {
    fn read(row: &Row) -> std::result::Result<Self, RowError> {
        Ok(Self {
            company_id: row.try_get("company_id")?,
            id: row.try_get("id")?,
            schedule: row.try_get("schedule")?,
            time_zone: row.try_get("time_zone")?,
            missed: row.try_get("missed")?,
            kind: row.try_get("kind")?,
            counts_from: row.try_get("counts_from")?,
            planned: row.try_get("planned")?,
        })
    }

    fn parts(&self) -> std::result::Result<(Expression, TimeZone, Missed), String> {
        let expression = Expression::parse(&self.schedule).map_err(|fault| format!("its schedule cannot be read: {fault}"))?;
        let zone = TimeZone::get(&self.time_zone).map_err(|_unknown| format!("this process knows no zone \"{}\"", self.time_zone))?;
        Ok((expression, zone, Missed::parse(&self.missed).unwrap_or(Missed::Skip)))
    }
}

/// Tells of a run that failed.
fn told(row: &Row) -> std::result::Result<(), RowError> {
    let (name, maker): (Option<String>, String) = (row.try_get("name")?, row.try_get("maker")?);
    let message: Option<String> = row.try_get("message")?;
    metrics::counter!("scheduled_runs_total", "outcome" => "failed").increment(1);
    let name = name.unwrap_or_else(|| "without a name".to_owned());
    tracing::error!(schedule = name, maker, "a scheduled run failed: {}", message.unwrap_or_default());
    Ok(())
}

impl std::fmt::Debug for Cron {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Cron").field("queue", &self.queue).field("kinds", &self.kinds).finish_non_exhaustive()
    }
}
