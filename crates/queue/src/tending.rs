//! What is done beside tasks: saying that this process lives, looking after what was lost, is due or waits, partitions, and listening.
//!
//! Invariant: nothing here is needed for what is ready to be done; each goes on for itself when another fails.

use std::sync::Arc;
use std::time::Duration;

use kernel::{Error, Result};
use postgres::{Listener, Row, Sql};
use tokio_util::sync::CancellationToken;
use uuid::Uuid;

use crate::bell::{self, CANCEL, CHANNEL};
use crate::doing::Bench;

/// How often partitions are made and slots are counted.
const UPKEEP: Duration = Duration::from_hours(1);
/// The pauses between two tries to listen.
const PAUSE: Duration = Duration::from_millis(500);
const PAUSE_MAX: Duration = Duration::from_secs(32);

impl Bench {
    /// Says that this process lives, and stops what somebody cancelled.
    pub(crate) async fn beat(&self) -> Result<()> {
        let mut beat = Sql::new("select b.id from app.beat_worker(");
        beat.bind(self.worker).text("::uuid, ").bind(self.queue.options().node.as_str()).text("::text) b (id)");
        let rows = self.queue.ask("says that a worker lives", beat).await?;
        let cancelled = rows.iter().map(|row| row.try_get(0)).collect::<Result<Vec<Uuid>, _>>().map_err(Error::internal)?;
        self.cancel(cancelled.into_iter());
        Ok(())
    }

    pub(crate) async fn keep_beating(self: Arc<Self>) {
        let interval = Duration::from_millis(self.queue.config().beat_interval_ms);
        loop {
            tokio::time::sleep(interval).await;
            if let Err(error) = self.beat().await {
                tracing::warn!(code = error.code(), "this worker could not say that it lives: {}", error.message());
            }
        }
    }

    /// Looks after what was lost, is due or waits, once. Returns how many tasks are ready by that.
    pub(crate) async fn tend(&self) -> Result<u64> {
        let config = self.queue.config();
        let mut tend = Sql::new("with t as materialized (select t.lost, t.due, t.woken from app.tend_tasks(");
        tend.bind(i64::try_from(config.dead_after_ms).unwrap_or(i64::MAX)).text("::integer, ");
        tend.bind(config.crashes_max).text("::integer, ").bind(config.tend_rows_max).text("::integer) t)");
        tend.text(" select t.lost, t.due, t.woken, app.woken_companies() as companies from t");
        let rows = self.queue.ask("looks after tasks", tend).await?;
        let row = rows.first().ok_or_else(|| Error::internal("no answer came"))?;
        let (lost, due, woken) = (count(row, "lost")?, count(row, "due")?, count(row, "woken")?);
        if let Some(companies) = row.try_get::<_, Option<Vec<Uuid>>>("companies").map_err(Error::internal)? {
            self.queue.bell().ring(companies.into_iter().map(|company_id| (company_id, true)));
        }
        if lost > 0 {
            metrics::counter!("tasks_recovered_total").increment(lost);
            tracing::warn!(tasks = lost, "tasks of a process that died are done by others");
        }
        Ok(lost + due + woken)
    }

    pub(crate) async fn keep_tending(self: Arc<Self>, stop: CancellationToken) {
        let interval = Duration::from_millis(self.queue.config().tend_interval_ms);
        let rows_max = u64::from(self.queue.config().tend_rows_max);
        while stop.run_until_cancelled(tokio::time::sleep(interval)).await.is_some() {
            loop {
                match self.tend().await {
                    Ok(count) if count >= rows_max && !stop.is_cancelled() => {}
                    Ok(_) => break,
                    Err(error) => {
                        tracing::debug!(code = error.code(), "tasks could not be looked after: {}", error.message());
                        break;
                    }
                }
            }
        }
    }

    /// Makes the partitions of the coming weeks, drops those that are older than they are kept, and counts slots anew.
    pub(crate) async fn upkeep(&self) -> Result<()> {
        let config = self.queue.config();
        self.queue.ask("makes partitions", Sql::new("select app.make_task_partitions()")).await?;
        let mut drop = Sql::new("select app.drop_task_partitions(");
        drop.bind(config.done_kept_days).text("::integer, ").bind(config.dead_kept_days).text("::integer)");
        self.queue.ask("drops partitions", drop).await?;
        self.queue.ask("counts slots", Sql::new("select app.recount_task_slots()")).await.map(std::mem::drop)
    }

    pub(crate) async fn keep_up(self: Arc<Self>, stop: CancellationToken) {
        loop {
            if let Err(error) = self.upkeep().await {
                tracing::warn!(code = error.code(), "partitions of tasks could not be looked after: {}", error.message());
            }
            if stop.run_until_cancelled(tokio::time::sleep(UPKEEP)).await.is_none() {
                return;
            }
        }
    }

    /// Hears of new tasks of other processes, where there is something to listen to.
    pub(crate) async fn keep_hearing(self: Arc<Self>, stop: CancellationToken) {
        let Some((server, root_certificate_file)) = &self.queue.options().listen else { return };
        let hear = async {
            let mut pause = PAUSE;
            loop {
                match Listener::connect(server, root_certificate_file.as_deref(), CHANNEL).await {
                    Ok(mut listener) => {
                        pause = PAUSE;
                        // Whoever was cancelled before somebody listened was told of to nobody.
                        self.hear(CANCEL).await;
                        while let Some(said) = listener.next().await {
                            self.hear(&said).await;
                        }
                    }
                    Err(error) => tracing::debug!(code = error.code(), "new tasks cannot be listened for; trying again"),
                }
                tokio::time::sleep(pause).await;
                pause = pause.saturating_mul(2).min(PAUSE_MAX);
            }
        };
        stop.run_until_cancelled(hear).await;
    }

    async fn hear(&self, said: &str) {
        if said == CANCEL {
            // What it is this process's row says; failing that the next beat asks again.
            if let Err(error) = self.beat().await {
                tracing::debug!(code = error.code(), "what was cancelled could not be read");
            }
        } else if let Some(companies) = bell::companies(said, self.queue.id()) {
            self.queue.bell().heard(companies);
        }
    }
}

fn count(row: &Row, column: &str) -> Result<u64> {
    let count: i64 = row.try_get(column).map_err(Error::internal)?;
    Ok(u64::try_from(count).unwrap_or(0))
}
