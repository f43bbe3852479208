//! Taking tasks: which companies have some, and so many of each.
//!
//! Invariant: what a claim returns is this process's until it says how it ended, gives it back, or is dead.

use std::collections::HashMap;

use jiff::Timestamp;
use kernel::{Error, Result, TraceContext, UserId};
use postgres::{Row, Sql};
use serde_json::Value;
use tokio::time::Instant;
use uuid::Uuid;

use crate::queue::Queue;
use crate::ring::{Place, Ring, Wanted};
use crate::running::Asker;

/// A task that was taken and has not begun.
#[derive(Debug)]
pub(crate) struct Claimed {
    pub(crate) company_id: Uuid,
    pub(crate) id: Uuid,
    pub(crate) kind: String,
    pub(crate) attempt: i16,
    pub(crate) payload: Value,
    pub(crate) asker: Option<Asker>,
    pub(crate) mark: Option<Value>,
    pub(crate) trace: Option<TraceContext>,
    /// Its company's share.
    pub(crate) weight: u16,
    pub(crate) since: Instant,
}

/// What came of asking companies for tasks.
#[derive(Debug)]
pub(crate) struct Came {
    wanted: Vec<Wanted>,
    rows: Result<Vec<Row>>,
}

/// Asks each of these companies for so many tasks.
pub(crate) async fn ask(queue: Queue, worker: Uuid, wanted: Vec<Wanted>) -> Came {
    let asked: Value = wanted.iter().map(Wanted::to_json).collect();
    let mut claim = Sql::new(
        "select c.company_id, c.id, c.kind, c.attempt, c.rank, c.run_at, c.payload, c.created_by, c.asked_with, c.mark, c.traceparent from app.claim_tasks(",
    );
    claim.bind(worker).text("::uuid, ").bind(asked).text("::jsonb) c");
    let rows = queue.ask("takes tasks", claim).await;
    Came { wanted, rows }
}

/// Reads what came, and puts the companies back into the ring.
pub(crate) fn take(ring: &mut Ring, came: Came) -> Result<Vec<Claimed>> {
    let Came { wanted, rows } = came;
    let rows = match rows {
        Ok(rows) => rows,
        Err(error) => {
            for one in wanted {
                let rows = one.rows;
                ring.back(one, rows, None);
            }
            return Err(error);
        }
    };
    let mut got: HashMap<Uuid, (usize, Option<Place>)> = HashMap::with_capacity(wanted.len());
    let weights: HashMap<Uuid, u16> = wanted.iter().map(|one| (one.company_id, one.weight)).collect();
    let mut claimed = Vec::with_capacity(rows.len());
    for row in &rows {
        let (company_id, place) = (get(row, 0)?, Place { rank: get(row, 4)?, run_at: get::<Timestamp>(row, 5)?, id: get(row, 1)? });
        let (count, last) = got.entry(company_id).or_default();
        *count = count.saturating_add(1);
        if last.as_ref().is_none_or(|last| (last.rank, last.run_at, last.id) < (place.rank, place.run_at, place.id)) {
            *last = Some(place.clone());
        }
        // What has no kind waits for a slot.
        if let Some(kind) = get(row, 2)? {
            let (attempt, payload, mark) = (get(row, 3)?, get(row, 6)?, get(row, 9)?);
            let (created_by, claims): (Option<Uuid>, Option<Value>) = (get(row, 7)?, get(row, 8)?);
            let put_in_by = created_by.zip(claims).map(|(user, claims)| Asker { user_id: UserId(user), claims });
            let trace = get::<Option<&str>>(row, 10)?.and_then(TraceContext::parse);
            claimed.push(Claimed {
                company_id,
                id: place.id,
                kind,
                attempt,
                payload,
                asker: put_in_by,
                mark,
                trace,
                weight: weights.get(&company_id).copied().unwrap_or(1),
                since: Instant::now(),
            });
        }
    }
    for one in wanted {
        let (count, last) = got.remove(&one.company_id).unwrap_or_default();
        ring.back(one, count, last);
    }
    Ok(claimed)
}

/// Puts companies that have something to do into the ring: a bounded number behind a given one. Returns the last where there may be more.
pub(crate) async fn look(queue: &Queue, ring: &mut Ring, after: Uuid) -> Result<Uuid> {
    let room = queue.config().companies_max.saturating_sub(ring.len());
    if room == 0 {
        return Ok(after);
    }
    let mut look = Sql::new("select c.company_id, c.weight from app.companies_with_tasks(");
    // The company of zeros is before all others.
    look.bind((!after.is_nil()).then_some(after)).text("::uuid, ").bind(i64::try_from(room).unwrap_or(i64::MAX)).text("::integer) c");
    let rows = queue.ask("looks for tasks", look).await?;
    let mut last = Uuid::nil();
    for row in &rows {
        last = get(row, 0)?;
        ring.add(last, u16::try_from(get::<i16>(row, 1)?).ok());
    }
    Ok(if rows.len() < room { Uuid::nil() } else { last })
}

fn get<'a, T: postgres::FromSql<'a>>(row: &'a Row, column: usize) -> Result<T> {
    row.try_get(column).map_err(Error::internal)
}
