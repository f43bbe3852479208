//! Large results: rows become JSON or lines of CSV one by one in PostgreSQL, and are sent on as they come.
//!
//! Invariant: status and headers are those of the same answer made whole, since the first row says what it would have said; so is the body,
//! byte for byte. However large it is, no more than a few buffers of it are in memory. What goes wrong behind the first byte breaks the
//! transfer off: half a result never looks like a whole one.

mod body;
mod pump;

use std::time::Duration;

use axum::response::Response;
use kernel::{Error, Grant, Kind, RequestContext, Result};
use postgres::{Access, Row, RowStream, Sql, Tx};
use tokio::sync::OwnedSemaphorePermit;

use crate::DataApi;
use crate::estimate::{Asker, Estimate, Shape};
use crate::plan::{Counted, Plan};
use crate::query::{self, Elements};
use crate::run::{self, Answered, Outcome, Planned};
use crate::{planner, response};

use pump::Pump;

/// Too many large results are on their way.
const BUSY: &str = "streams_busy";
/// Seconds after which a client may come back.
const RETRY_AFTER_SECONDS: u32 = 1;

/// What is expected of a request whose result may be large.
#[derive(Debug)]
pub(crate) struct Expected {
    shape: Shape,
    elements: Elements,
    is_large: bool,
}

impl Expected {
    /// Returns how a result comes that is sent row by row.
    pub(crate) fn large(&self) -> Option<Elements> {
        self.is_large.then_some(self.elements)
    }

    /// Takes into account what came.
    pub(crate) fn came(&self, api: &DataApi, answered: &Answered) {
        let rows = u64::try_from(answered.rows).unwrap_or_default();
        api.estimates().saw(self.shape, rows, u64::try_from(answered.bytes).unwrap_or(u64::MAX));
    }
}

/// Asks the planner for a request that allows a large result; none for all others.
pub(crate) async fn expected(
    api: &DataApi,
    grant: &Grant,
    context: &RequestContext,
    Planned { request, plan }: Planned<'_>,
    statement: &Sql,
) -> Result<Option<Expected>> {
    let config = api.config();
    let Some(rows) = plan.rows().filter(|rows| u64::try_from(rows.limit).is_ok_and(|limit| limit >= config.stream_rows_min)) else {
        return Ok(None);
    };
    let only_reads = match plan {
        Plan::Read(plan) => !plan.is_short(),
        // What a function wrote is kept before anything is said of it.
        Plan::Call(plan) => plan.read_only,
        Plan::Write(_) => false,
    };
    if !only_reads || request.explain.is_some() || config.streams_max == 0 {
        return Ok(None);
    }
    let Some(elements) = Elements::of(plan, request) else { return Ok(None) };
    let expected =
        |shape, estimate: Estimate| Ok(Some(Expected { shape, elements, is_large: estimate.bytes() >= config.stream_bytes_min }));
    let (shape, known) = api.estimates().of(grant, statement, rows.limit);
    if let Some(estimate) = known {
        return expected(shape, estimate);
    }
    let Some(explain) = query::estimated(plan) else { return Ok(None) };
    let asker = Asker { grant, context, access: Access::Read };
    match api.estimates().learn(shape, api.database(), asker, explain).await {
        Ok(estimate) => expected(shape, estimate),
        Err(error) if error.kind() == Kind::Unavailable => Err(error),
        // The request itself will say it, in its own words.
        Err(_refused) => Ok(None),
    }
}

/// Runs the plan and answers as soon as it is known how many rows there are.
pub(crate) async fn run(
    api: &DataApi,
    grant: &Grant,
    context: &RequestContext,
    planned: Planned<'_>,
    elements: Elements,
) -> Result<Answered> {
    let place = place(api).await?;
    let time = Duration::from_millis(api.config().stream_time_ms);
    let elsewhere = match Box::pin(api.database().begin_at_replica(grant, context, Some(time))).await? {
        Some((tx, replica)) => replica.answer(Box::pin(first(api, tx, planned, elements))).await?,
        None => None,
    };
    let begun = match elsewhere {
        Some(begun) => begun,
        None => first(api, Box::pin(api.database().begin_long(grant, context, time)).await?, planned, elements).await?,
    };
    let Begun { rows, mut outcome, first } = begun;
    let config = api.config();
    let head = outcome.body.take();
    let mut answered = run::answered(api, planned, outcome)?;
    if response::has_rows(&answered.response) {
        let pump = Pump { rows, elements, place, idle: Duration::from_millis(config.stream_idle_ms) };
        sent(&mut answered.response, pump.start(head, first, Duration::from_millis(config.stream_time_ms)));
    }
    Ok(answered)
}

/// A result of which the first rows have come.
struct Begun {
    rows: RowStream,
    outcome: Outcome,
    first: Vec<Row>,
}

/// Asks for the rows, and waits for the first one.
async fn first(api: &DataApi, tx: Tx, planned: Planned<'_>, elements: Elements) -> Result<Begun> {
    let Planned { request, plan } = planned;
    let config = api.config();
    for statement in run::before(config, request) {
        tx.query(statement).await?;
    }
    let planner_counts = match plan {
        Plan::Read(read) if planned.asks_the_planner() => Some(planner::expected(&tx, read).await?),
        Plan::Read(_) | Plan::Call(_) | Plan::Write(_) => None,
    };
    let statement = query::streamed(plan, elements).ok_or_else(|| Error::internal("rows that are written do not come one by one"))?;
    if let Some(guard) = api.guard(tx.role(), &statement) {
        guard.allows(&tx).await?;
    }
    let mut rows = tx.stream(statement, config.stream_buffer_bytes)?;
    let (mut outcome, first) = begun(&mut rows).await?;
    outcome.total = counted(plan, outcome.total, planner_counts);
    Ok(Begun { rows, outcome, first })
}

/// Waits for the turn of one more large result.
async fn place(api: &DataApi) -> Result<OwnedSemaphorePermit> {
    let wait = Duration::from_millis(api.config().stream_wait_ms);
    match tokio::time::timeout(wait, api.streams().clone().acquire_owned()).await {
        Ok(place) => place.map_err(Error::internal),
        Err(_elapsed) => Err(Error::new(Kind::Unavailable, BUSY, "Too many large results are being sent at this moment")
            .with_hint("Come back later, or ask for fewer rows.")
            .with_retry_after(RETRY_AFTER_SECONDS)),
    }
}

/// Waits for the first row, which says what is to be said before the others.
async fn begun(rows: &mut RowStream) -> Result<(Outcome, Vec<Row>)> {
    let mut first = rows.next().await?.unwrap_or_default().into_iter();
    let outcome = Outcome::of(first.next().as_ref())?;
    Ok((outcome, first.collect()))
}

/// Returns how many rows fit, as the whole answer would say.
fn counted(plan: &Plan<'_>, total: Option<i64>, planner_counts: Option<i64>) -> Option<i64> {
    match (plan.rows().map(|rows| rows.counted), planner_counts) {
        (Some(Counted::Planned), expected) => expected,
        (Some(Counted::UpTo(rows_max)), Some(expected)) => total.map(|total| if total >= rows_max { total.max(expected) } else { total }),
        _ => total,
    }
}

fn sent(response: &mut Response, body: body::Arriving) {
    *response.body_mut() = axum::body::Body::new(body);
}
