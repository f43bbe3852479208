//! A plan's statement, run for the caller, and what must be true of its outcome before it is kept.
//!
//! Invariant: a write that fails a check leaves nothing behind: it is looked at before the commit, and only where there is something to
//! look at; everything else is one round trip.

use kernel::{Error, Grant, Kind, RequestContext, Result};
use postgres::{Access, Database, Row};

use crate::plan::{self, CallPlan, Checks, Plan, ResultKind};
use crate::query;
use crate::request::{ApiRequest, MediaType};

/// What came of a statement.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub(crate) struct Outcome {
    /// All rows that fit, where they were counted; of a row that is put by its key, whether it is the one of the address.
    pub(crate) total: Option<i64>,
    /// The rows of this answer, or the rows written.
    pub(crate) rows: i64,
    /// The body.
    pub(crate) body: Option<String>,
    /// The key of the first new row: names and values in turn.
    pub(crate) location: Option<Vec<String>>,
    /// How many of the merged rows are new, where it is known.
    pub(crate) new_rows: Option<i64>,
    /// How many companies the rows belong to, where it was asked.
    pub(crate) companies: Option<i64>,
    /// Headers that a trigger or a function of the database adds: a JSON array of objects of one name and its value.
    pub(crate) headers: Option<String>,
}

/// Runs the plan.
pub(crate) async fn run(
    database: &Database,
    grant: Grant,
    context: &RequestContext,
    plan: &Plan<'_>,
    request: &ApiRequest,
) -> Result<Outcome> {
    let (grant, access, checks) = match plan {
        Plan::Read(_) => (grant, Access::Read, Checks::default()),
        Plan::Call(plan) if plan.read_only => (grant, Access::Read, Checks::default()),
        Plan::Call(plan) => (grant, Access::Write, call_checks(plan, request)),
        Plan::Write(plan) if plan.needs_company => (grant.needing_company(), Access::Write, plan.checks),
        Plan::Write(plan) => (grant, Access::Write, plan.checks),
    };
    let statement = query::statement(plan, request.media, request.head);
    if !checks.any() {
        let answer = Box::pin(database.run(&grant, context, access, statement)).await?;
        return Outcome::of(answer.rows.first());
    }
    let tx = Box::pin(database.begin(&grant, context, access)).await?;
    let outcome = Outcome::of(Some(&tx.query_one(statement).await?))?;
    // Dropped with the error, the transaction is rolled back.
    check(&outcome, checks)?;
    tx.commit().await?;
    Ok(outcome)
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
    let one_row = plan.result == ResultKind::Rows && matches!(request.media, MediaType::Object | MediaType::ObjectStripped);
    Checks { one_row, ..Checks::default() }
}

fn check(outcome: &Outcome, checks: Checks<'_>) -> Result<()> {
    if outcome.companies.is_some_and(|companies| companies > 1) {
        return Err(plan::several_companies());
    }
    if checks.same_key && outcome.total != Some(1) {
        return Err(plan::other_key());
    }
    if let Some(rows_max) = checks.rows_max.filter(|rows_max| outcome.rows > *rows_max) {
        let details = format!("The query affects {} rows", outcome.rows);
        let message = "Query result exceeds max-affected preference constraint";
        return Err(Error::new(Kind::BadRequest, "PGRST124", message)
            .with_details(details)
            .with_hint(format!("At most {rows_max} are allowed")));
    }
    if checks.merged.is_some_and(|wanted| usize::try_from(outcome.rows).is_ok_and(|rows| rows < wanted)) {
        return Err(Error::new(Kind::Conflict, "row_deleted", "A row with this key is marked as deleted")
            .with_hint("Restore it first, or send Prefer: deleted=include."));
    }
    if checks.one_row { one_row(outcome) } else { Ok(()) }
}

impl Outcome {
    fn of(row: Option<&Row>) -> Result<Self> {
        let row = row.ok_or_else(|| Error::internal("the statement gave no row"))?;
        let location: Option<String> = row.try_get(3).map_err(Error::internal)?;
        Ok(Self {
            total: row.try_get(0).map_err(Error::internal)?,
            rows: row.try_get(1).map_err(Error::internal)?,
            body: row.try_get(2).map_err(Error::internal)?,
            location: location.map(|text| serde_json::from_str(&text)).transpose().map_err(Error::internal)?,
            new_rows: row.try_get(4).map_err(Error::internal)?,
            companies: row.try_get(5).map_err(Error::internal)?,
            // Only what writes is asked for them.
            headers: if row.len() > 6 { row.try_get(6).map_err(Error::internal)? } else { None },
        })
    }
}
