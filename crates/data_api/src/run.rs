//! A plan's statement, run for the caller, and what must be true of its outcome before it is kept.
//!
//! Invariant: a write that fails a check leaves nothing behind: it is looked at before the commit, and only where there is something to
//! look at; everything else is one round trip.

use axum::response::Response;
use kernel::{Error, Grant, Kind, RequestContext, Result};
use postgres::{Access, Row, Sql, Tx};

use crate::DataApi;
use crate::config::DataApiConfig;
use crate::idempotency::Key;
use crate::kept::{Asked, Question};
use crate::plan::{self, CallPlan, Checks, Plan, ResultKind};
use crate::request::{ApiRequest, MediaType};
use crate::stream::{self, Expected};
use crate::{planner, query, response};

/// What came of a statement.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub(crate) struct Outcome {
    /// All rows that fit, where they were counted; of a row that is put by its key, whether it is the one of the address; of a change by
    /// keys, how many objects are for a row that another one is for, too.
    pub(crate) total: Option<i64>,
    /// The rows of this answer, or the rows written.
    pub(crate) rows: i64,
    /// The body.
    pub(crate) body: Option<String>,
    /// The key of the first new row: names and values in turn; of a page the place of its last row, where there is another page behind.
    pub(crate) location: Option<Vec<Option<String>>>,
    /// How many of the merged rows are new, where it is known.
    pub(crate) new_rows: Option<i64>,
    /// How many companies the rows belong to, where it was asked.
    pub(crate) companies: Option<i64>,
    /// Headers that a trigger or a function of the database adds: a JSON array of objects of one name and its value.
    pub(crate) headers: Option<String>,
    /// The status that a trigger or a function of the database gives the answer.
    pub(crate) status: Option<String>,
}

/// What a request got.
#[derive(Debug)]
pub(crate) struct Answered {
    /// The answer.
    pub(crate) response: Response,
    /// How many rows it is about.
    pub(crate) rows: i64,
    /// How many bytes its body has.
    pub(crate) bytes: usize,
}

/// A request that was understood and planned.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Planned<'a> {
    /// What it said.
    pub(crate) request: &'a ApiRequest,
    /// What is to be done.
    pub(crate) plan: &'a Plan<'a>,
}

/// Runs the plan in a transaction of its own: one round trip where nothing is to be looked at before the commit.
pub(crate) async fn run(
    api: &DataApi,
    grant: Grant,
    context: &RequestContext,
    planned: Planned<'_>,
    key: Option<&Key>,
) -> Result<Answered> {
    let (grant, access) = needed(grant, planned.plan);
    // A function that only reads is called again: nothing of it could be done twice, and nothing can be kept in its transaction.
    let key = key.filter(|_| access == Access::Write);
    // Whoever shows the position of a write wants it to be there, which no kept answer knows.
    let question = if context.position.is_none() { Question::of(api, grant.principal(), planned, key) } else { None };
    let mut turn = None;
    if let Some(question) = &question {
        match Box::pin(question.ask(api, &grant, context, planned)).await? {
            Asked::Kept(answered) => return Ok(answered),
            Asked::Read(read) => turn = Some((question, read)),
        }
    }
    let statement = query::statement(planned.plan, planned.request);
    let expected = stream::expected(api, &grant, context, planned, &statement).await?;
    if let Some(large) = expected.as_ref().and_then(Expected::large) {
        return Box::pin(stream::run(api, &grant, context, planned, large)).await;
    }
    let read = match turn {
        Some((question, turn)) => Box::pin(question.read(turn, (api, &grant, context), planned)).await?,
        None => None,
    };
    let answered = match read {
        Some(answered) => answered,
        None => whole(api, (&grant, access), context, (planned, statement), key).await?,
    };
    if let Some(expected) = expected {
        expected.came(api, &answered);
    }
    Ok(answered)
}

/// Runs the plan and answers when all has come.
async fn whole(
    api: &DataApi,
    (grant, access): (&Grant, Access),
    context: &RequestContext,
    (planned, statement): (Planned<'_>, Sql),
    key: Option<&Key>,
) -> Result<Answered> {
    let Planned { request, plan } = planned;
    let database = api.database();
    // What is run to be measured is undone.
    let kept = api.config().transaction_end.keeps(request.preferences.transaction) && request.explain.is_none();
    let is_allowed = match api.guard(grant.principal().database_role(), &statement) {
        Some(guard) => guard.is_known_to_allow().await,
        None => true,
    };
    let is_plain = is_allowed && !checks(planned).any() && !planned.asks_the_planner();
    if key.is_none() && kept && is_plain && before(api.config(), request).is_empty() {
        let is_short = matches!(plan, Plan::Read(plan) if plan.is_short());
        let answer = match access {
            Access::Read => Box::pin(database.read(grant, context, statement, is_short)).await?,
            Access::Write => Box::pin(database.run(grant, context, access, statement)).await?,
        };
        return answered(api, planned, Outcome::of(answer.rows.first())?);
    }
    if key.is_none()
        && access == Access::Read
        && request.explain.is_none()
        && let Some((tx, replica)) = Box::pin(database.begin_at_replica(grant, context, None)).await?
        && let Some(answered) = replica.answer(Box::pin(within(api, &tx, planned))).await?
    {
        // It leaves nothing behind, and needs no end of its own.
        return Ok(answered);
    }
    let tx = Box::pin(database.begin(grant, context, access)).await?;
    if let Some(key) = key
        && let Some(response) = key.first(&tx).await?
    {
        tx.rollback().await?;
        return Ok(Answered { response, rows: 1, bytes: 0 });
    }
    // Dropped with an error, the transaction is rolled back.
    let mut answered = within(api, &tx, planned).await?;
    if kept {
        if let Some(key) = key {
            answered.response = key.keep(&tx, answered.response).await?;
        }
        tx.commit().await?;
    } else {
        if request.explain.is_none() {
            // What a commit would have refused is refused here, too.
            tx.execute(Sql::new("set constraints all immediate")).await?;
        }
        tx.rollback().await?;
    }
    Ok(answered)
}

/// Runs the plan in a transaction that is open, and looks whether it may be kept.
pub(crate) async fn within(api: &DataApi, tx: &Tx, planned: Planned<'_>) -> Result<Answered> {
    let Planned { request, plan } = planned;
    for statement in before(api.config(), request) {
        tx.query(statement).await?;
    }
    let statement = query::statement(plan, request);
    if let Some(guard) = api.guard(tx.role(), &statement) {
        guard.allows(tx).await?;
    }
    if let Some(explain) = &request.explain {
        return answered(api, planned, planner::explained(tx, query::explained(statement, explain)).await?);
    }
    let outcome = match plan {
        Plan::Read(read) if planned.asks_the_planner() => planner::counted(tx, statement, read).await?,
        Plan::Read(_) | Plan::Write(_) | Plan::Call(_) => Outcome::of(Some(&tx.query_one(statement).await?))?,
    };
    check(&outcome, checks(planned))?;
    answered(api, planned, outcome)
}

impl Planned<'_> {
    /// Tells whether the planner counts the rows.
    pub(crate) fn asks_the_planner(self) -> bool {
        matches!(self.plan, Plan::Read(read) if read.rows.counted.asks_the_planner())
    }
}

pub(crate) fn answered(api: &DataApi, planned: Planned<'_>, outcome: Outcome) -> Result<Answered> {
    let (rows, bytes) = (outcome.rows, outcome.body.as_deref().map_or(0, str::len));
    let response = response::response(planned.request, planned.plan, outcome, api.config())?;
    Ok(Answered { response, rows, bytes })
}

/// Returns what a transaction for this plan demands, and whether it may write.
fn needed(grant: Grant, plan: &Plan<'_>) -> (Grant, Access) {
    match plan {
        Plan::Read(_) => (grant, Access::Read),
        Plan::Call(plan) if plan.read_only => (grant, Access::Read),
        Plan::Write(plan) if plan.needs_company => (grant.needing_company(), Access::Write),
        Plan::Call(_) | Plan::Write(_) => (grant, Access::Write),
    }
}

/// Returns what must be true before it is kept.
fn checks(Planned { request, plan }: Planned<'_>) -> Checks<'_> {
    match plan {
        Plan::Call(plan) => call_checks(plan, request),
        Plan::Write(plan) => plan.checks,
        Plan::Read(_) => Checks::default(),
    }
}

/// Returns what runs in the transaction before the request's own statement.
pub(crate) fn before(config: &DataApiConfig, request: &ApiRequest) -> Vec<Sql> {
    let timezone = request.preferences.timezone.as_deref().map(|timezone| {
        let mut sql = Sql::new("select pg_catalog.set_config('TimeZone', ");
        sql.bind(timezone).text("::text, true)");
        sql
    });
    let pre_request = config.pre_request().map(|(schema, name)| {
        let mut sql = Sql::new("select ");
        sql.qualified(schema, name).text("()::text");
        sql
    });
    timezone.into_iter().chain(pre_request).collect()
}

/// Refuses anything but one row, where one is wanted.
pub(crate) fn one_row(outcome: &Outcome) -> Result<()> {
    if outcome.rows == 1 {
        return Ok(());
    }
    Err(Error::new(Kind::Status(406), "PGRST116", "Cannot coerce the result to a single JSON object")
        .with_details(format!("The result contains {} rows", outcome.rows)))
}

fn call_checks(plan: &CallPlan<'_>, request: &ApiRequest) -> Checks<'static> {
    let object = matches!(request.media, MediaType::Object | MediaType::ObjectStripped);
    // What only reads leaves nothing behind: its one row is looked at afterwards.
    let one_row = !plan.read_only && matches!(plan.result, ResultKind::Rows | ResultKind::Values) && object;
    Checks { one_row, rows_max: request.preferences.rows_max(), ..Checks::default() }
}

fn check(outcome: &Outcome, checks: Checks<'_>) -> Result<()> {
    if outcome.companies.is_some_and(|companies| companies > 1) {
        return Err(plan::several_companies());
    }
    if checks.same_key && outcome.total != Some(1) {
        return Err(plan::other_key());
    }
    if checks.each_own && outcome.total.is_some_and(|repeated| repeated > 0) {
        return Err(plan::same_row_twice());
    }
    if checks.rows_max.is_some_and(|rows_max| outcome.rows > rows_max) {
        let message = "Query result exceeds max-affected preference constraint";
        let details = format!("The query affects {} rows", outcome.rows);
        return Err(Error::new(Kind::BadRequest, "PGRST124", message).with_details(details));
    }
    if checks.merged.is_some_and(|wanted| usize::try_from(outcome.rows).is_ok_and(|rows| rows < wanted)) {
        return Err(Error::new(Kind::Conflict, "row_deleted", "A row with this key is marked as deleted")
            .with_hint("Restore it first, or send Prefer: deleted=include."));
    }
    if checks.one_row { one_row(outcome) } else { Ok(()) }
}

impl Outcome {
    pub(crate) fn of(row: Option<&Row>) -> Result<Self> {
        let row = row.ok_or_else(|| Error::internal("the statement gave no row"))?;
        let location: Option<String> = row.try_get(3).map_err(Error::internal)?;
        Ok(Self {
            total: row.try_get(0).map_err(Error::internal)?,
            rows: row.try_get(1).map_err(Error::internal)?,
            body: row.try_get(2).map_err(Error::internal)?,
            location: location.map(|text| serde_json::from_str(&text)).transpose().map_err(Error::internal)?,
            new_rows: row.try_get(4).map_err(Error::internal)?,
            companies: row.try_get(5).map_err(Error::internal)?,
            headers: row.try_get(6).map_err(Error::internal)?,
            status: row.try_get(7).map_err(Error::internal)?,
        })
    }
}
