//! Writing how tasks ended, many at once.
//!
//! Invariant: an ending is written until the database takes it. One that it will never take spoils no other.

use std::collections::HashSet;
use std::sync::Arc;
use std::time::Duration;

use kernel::{Error, Kind, Result};
use postgres::Sql;
use postgres::error::lost_a_race;
use serde_json::{Map, Value, json};
use tokio::sync::{Mutex, mpsc};
use uuid::Uuid;

use crate::doing::{Bench, Ending, Outcome};

/// The pauses between two tries.
const PAUSE: Duration = Duration::from_millis(50);
const PAUSE_MAX: Duration = Duration::from_secs(5);

/// Writes endings until nobody sends any more. Several do it beside each other: one gathers while another's commit is under way.
pub(crate) async fn write_all(bench: Arc<Bench>, endings: Arc<Mutex<mpsc::Receiver<Ending>>>) {
    loop {
        let batch = gather(&bench, &endings).await;
        if batch.is_empty() {
            return;
        }
        let count = batch.len();
        persist(&bench, batch).await;
        bench.written(count);
    }
}

/// Waits for an ending, and then a moment for more of them.
async fn gather(bench: &Bench, endings: &Mutex<mpsc::Receiver<Ending>>) -> Vec<Ending> {
    let config = bench.queue.config();
    let mut endings = endings.lock().await;
    let mut batch = Vec::new();
    if endings.recv_many(&mut batch, config.finish_rows_max).await == 0 {
        return batch;
    }
    let until = tokio::time::Instant::now() + Duration::from_millis(config.finish_wait_ms);
    while batch.len() < config.finish_rows_max {
        let room = config.finish_rows_max - batch.len();
        match tokio::time::timeout_at(until, endings.recv_many(&mut batch, room)).await {
            Ok(count) if count > 0 => {}
            _ => break,
        }
    }
    batch
}

/// Writes a batch, however often it takes.
async fn persist(bench: &Bench, batch: Vec<Ending>) {
    let mut pause = PAUSE;
    loop {
        match write(bench, &batch).await {
            Ok(()) => return,
            Err(error) if is_passing(&error) => {
                tracing::debug!(code = error.code(), "the ends of tasks could not be written; trying again");
                tokio::time::sleep(pause).await;
                pause = pause.saturating_mul(2).min(PAUSE_MAX);
            }
            Err(_) if batch.len() > 1 => {
                for ending in batch {
                    Box::pin(persist(bench, vec![ending])).await;
                }
                return;
            }
            Err(error) => return refuse(bench, batch, &error).await,
        }
    }
}

fn is_passing(error: &Error) -> bool {
    lost_a_race(error) || matches!(error.kind(), Kind::Unavailable | Kind::Timeout)
}

/// What it returned cannot be written: that is its end. If not even that can be, its process will be held for dead by the others.
async fn refuse(bench: &Bench, batch: Vec<Ending>, error: &Error) {
    for mut ending in batch {
        tracing::error!(task_id = %ending.id, code = error.code(), "what a task returned cannot be written: {}", error.message());
        ending.outcome = Outcome::Dead(format!("what it returned cannot be written: {}", error.code()));
        if let Err(error) = write(bench, &[ending]).await {
            tracing::error!(code = error.code(), "the end of a task cannot be written");
        }
    }
}

async fn write(bench: &Bench, batch: &[Ending]) -> Result<()> {
    let (done, mut others): (Vec<&Ending>, Vec<&Ending>) =
        batch.iter().partition(|ending| matches!(ending.outcome, Outcome::Done(_)) && !ending.is_finished_within);
    if !done.is_empty() {
        let finished = finish(bench, &done).await?;
        // No longer ours, or wanted again while they ran.
        others.extend(done.into_iter().filter(|ending| !finished.contains(&ending.id)));
    }
    if others.is_empty() {
        return Ok(());
    }
    let settled = settle(bench, &others).await?;
    for ending in others.iter().filter(|ending| !ending.is_finished_within && !settled.contains(&ending.id)) {
        metrics::counter!("tasks_lost_total").increment(1);
        tracing::warn!(task_id = %ending.id, attempt = ending.attempt, "a task was another process's when it ended here");
    }
    Ok(())
}

async fn finish(bench: &Bench, done: &[&Ending]) -> Result<HashSet<Uuid>> {
    let list = |of: &dyn Fn(&Ending) -> String| format!("{{{}}}", done.iter().map(|ending| of(ending)).collect::<Vec<_>>().join(","));
    let results: Map<String, Value> = done
        .iter()
        .filter_map(|ending| match &ending.outcome {
            Outcome::Done(result) if !result.is_null() => Some((ending.id.to_string(), result.clone())),
            _ => None,
        })
        .collect();
    let mut finish = Sql::new("with e as materialized (select app.finish_tasks(");
    finish.bind(bench.worker).text("::uuid, ").bind(list(&|ending| ending.company_id.to_string())).text("::uuid[], ");
    finish.bind(list(&|ending| ending.id.to_string())).text("::uuid[], ");
    finish.bind(list(&|ending| ending.attempt.to_string())).text("::smallint[], ").bind(Value::Object(results));
    finish.text("::jsonb) as ids) select e.ids, app.woken_companies() as woken from e");
    ended(bench, &bench.queue.ask("ends tasks", finish).await?)
}

async fn settle(bench: &Bench, endings: &[&Ending]) -> Result<HashSet<Uuid>> {
    let results: Value = endings.iter().map(|ending| ending.to_json()).collect();
    let mut settle = Sql::new("with e as materialized (select app.settle_tasks(");
    settle.bind(bench.worker).text("::uuid, ").bind(results).text("::jsonb) as ids) select e.ids, app.woken_companies() as woken from e");
    ended(bench, &bench.queue.ask("ends tasks", settle).await?)
}

/// Reads which were ended, and tells of those that have a slot by that: they begin at once, and not when somebody looks.
fn ended(bench: &Bench, rows: &[postgres::Row]) -> Result<HashSet<Uuid>> {
    let row = rows.first().ok_or_else(|| Error::internal("no answer came"))?;
    if let Some(woken) = row.try_get::<_, Option<Vec<Uuid>>>("woken").map_err(Error::internal)? {
        bench.queue.bell().ring(woken.into_iter().map(|company_id| (company_id, true)));
    }
    let ids: Vec<Uuid> = row.try_get("ids").map_err(Error::internal)?;
    Ok(ids.into_iter().collect())
}

impl Ending {
    fn to_json(&self) -> Value {
        let millis = |pause: &Duration| u64::try_from(pause.as_millis()).unwrap_or(u64::MAX);
        let (outcome, error, result, delay_ms) = match &self.outcome {
            // Should its transaction not have been committed after all, it is done again.
            _ if self.is_finished_within => ("failed", Some("its transaction was not committed"), None, 1000),
            Outcome::Done(result) => ("done", None, Some(result), 0),
            Outcome::Failed(reason, pause) => ("failed", Some(reason.as_str()), None, millis(pause).max(1)),
            Outcome::Dead(reason) => ("dead", Some(reason.as_str()), None, 0),
            Outcome::Cancelled => ("cancelled", None, None, 0),
            Outcome::Back(pause) => ("back", None, None, millis(pause)),
        };
        json!({ "company_id": self.company_id, "id": self.id, "attempt": self.attempt, "outcome": outcome, "error": error, "result": result,
                "delay_ms": delay_ms })
    }
}
