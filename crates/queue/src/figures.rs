//! How many tasks there are that are not finished, as numbers for whoever watches.
//!
//! Invariant: of a queue of millions no more is read than a limit of rows: what is shown is then that limit, and the alert about the oldest
//! task, which looks for it alone, is exact.

use std::sync::Arc;
use std::time::Duration;

use kernel::{Error, Result};
use postgres::Sql;
use tokio_util::sync::CancellationToken;

use crate::doing::Bench;

/// Tasks that are not finished, in the database.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct Unfinished {
    /// Of each state how many: `ready`, `running`, `later` (its time has not come) and `waiting` (for a slot).
    pub tasks: Vec<(String, u64)>,
    /// Seconds since the oldest of those that are ready could have begun.
    pub ready_age_s: u64,
}

impl Bench {
    /// Counts once.
    pub(crate) async fn measure(&self) -> Result<Unfinished> {
        let mut sql = Sql::new(
            "select s.state, t.tasks, case s.state when 'ready' then greatest(extract(epoch from now() - t.oldest), 0)::bigint end as age
               from unnest('{ready,running,later,waiting}'::text[]) with ordinality s (state, place)
              cross join lateral (select count(*) as tasks, min(n.run_at) as oldest
                                    from (select t.run_at from app.tasks t where t.state = s.state limit ",
        );
        sql.bind(i64::from(self.queue.config().measure_rows_max)).text("::bigint) n) t order by s.place");
        let mut unfinished = Unfinished::default();
        for row in self.queue.ask("counts tasks", sql).await? {
            let get = |column| row.try_get::<_, Option<i64>>(column).map_err(Error::internal);
            let number = |column| Ok::<_, Error>(u64::try_from(get(column)?.unwrap_or_default()).unwrap_or_default());
            unfinished.tasks.push((row.try_get("state").map_err(Error::internal)?, number("tasks")?));
            unfinished.ready_age_s = unfinished.ready_age_s.max(number("age")?);
        }
        for (state, tasks) in &unfinished.tasks {
            metrics::gauge!("tasks_unfinished", "state" => state.clone()).set(gauge(*tasks));
        }
        metrics::gauge!("tasks_ready_age_seconds").set(gauge(unfinished.ready_age_s));
        Ok(unfinished)
    }

    pub(crate) async fn keep_measuring(self: Arc<Self>, stop: CancellationToken) {
        let interval = Duration::from_millis(self.queue.config().measure_interval_ms);
        loop {
            if let Err(error) = self.measure().await {
                tracing::debug!(code = error.code(), "tasks could not be counted: {}", error.message());
            }
            if stop.run_until_cancelled(tokio::time::sleep(interval)).await.is_none() {
                return;
            }
        }
    }
}

fn gauge(number: u64) -> f64 {
    u32::try_from(number).map_or(f64::INFINITY, f64::from)
}
