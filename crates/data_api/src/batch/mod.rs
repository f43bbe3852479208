//! `POST /batch/v1`: several requests of the data API in one transaction. All of them are kept or none; later ones may use what earlier
//! ones answered.
//!
//! Invariant: a request in a batch passes exactly what it would pass alone: parsed, planned against the catalog, run as the batch's
//! caller, checked. One transaction has one caller and one company, so what says these stands at the batch and nowhere inside it.

mod reference;
mod wanted;

use std::sync::Arc;
use std::time::Instant;

use axum::Router;
use axum::body::{Body, Bytes};
use axum::extract::{Request, State};
use axum::response::{IntoResponse, Response};
use axum::routing::post;
use http::HeaderValue;
use http::header::CONTENT_TYPE;
use http_body_util::{BodyExt as _, LengthLimitError, Limited};
use kernel::{AnyCaller, Can, Error, Grant, Kind, Principal, RequestContext, Result};
use limits::Meter;
use postgres::catalog::Catalog;
use postgres::{Access, Sql, Tx};
use serde::Serialize;
use serde_json::Value;
use serde_json::value::RawValue;

use crate::DataApi;
use crate::explain::{self, Asked};
use crate::failure::{Failure, IsAnonymous};
use crate::idempotency::Key;
use crate::place;
use crate::plan::{self, Caller, Plan};
use crate::repeat;
use crate::request::{Action, ApiRequest, TransactionEnd};
use crate::routes::{fit, read};
use crate::run::{self, Planned};

use reference::Answers;
use wanted::Step;

/// Returns the route, to be mounted at `/batch/v1`. It needs what [`crate::router`] needs.
pub fn router(api: DataApi) -> Router {
    Router::new().route("/", post(batch)).with_state(api)
}

/// What one request of the batch was answered.
#[derive(Serialize)]
struct StepAnswer {
    id: String,
    status: u16,
    headers: serde_json::Map<String, Value>,
    body: Option<Box<RawValue>>,
}

#[derive(Serialize)]
struct BatchAnswer<'a> {
    responses: &'a [StepAnswer],
}

/// What is to be done.
struct Batch {
    steps: Vec<Step>,
    key: Option<Key>,
    end: Option<TransactionEnd>,
}

/// What has been done of it.
#[derive(Default)]
struct Progress {
    answers: Answers,
    responses: Vec<StepAnswer>,
    bytes: usize,
}

/// An error, and which request of the batch had it.
struct StepError {
    id: Option<String>,
    error: Error,
}

/// An error, and the request that had it, where it was understood and run.
struct Refused {
    error: Error,
    request: Option<(ApiRequest, Arc<Catalog>)>,
}

impl From<Error> for Refused {
    fn from(error: Error) -> Self {
        Self { error, request: None }
    }
}

impl From<Error> for StepError {
    fn from(error: Error) -> Self {
        Self { id: None, error }
    }
}

async fn batch(State(api): State<DataApi>, who: Can<AnyCaller>, request: Request) -> Response {
    let grant = who.into_grant();
    let is_anonymous = IsAnonymous::of(grant.principal());
    match Box::pin(serve(&api, grant, request)).await {
        Ok(response) => response,
        Err(StepError { id, error }) => Failure::new(error, is_anonymous).of_step(id).into_response(),
    }
}

async fn serve(api: &DataApi, grant: Grant, request: Request) -> Result<Response, StepError> {
    let (parts, body) = request.into_parts();
    let mut context = parts.extensions.get::<RequestContext>().cloned().unwrap_or_default();
    context.statement_timeout = api.statement_timeout(&*api.schema().get().await?, grant.principal());
    let body = read(Request::from_parts(parts.clone(), body)).await?;
    let key = Key::of(&parts, &body, api.config())?;
    let batch = Batch { steps: wanted::steps(&body, api.config())?, key, end: wanted::end(&parts.headers)? };
    // The edge counted one.
    if let Some(meter) = parts.extensions.get::<Meter>() {
        let requests = u32::try_from(batch.steps.len()).unwrap_or(u32::MAX);
        let put_in: Vec<String> = batch.steps.iter().flat_map(Step::kinds_put_in).collect();
        let operations = batch.steps.iter().filter_map(Step::function).chain(put_in.iter().map(String::as_str));
        meter.requests(requests, operations).await?;
    }
    let attempt = async || all(api, &grant, &context, &batch).await;
    let mut answered = attempt().await;
    // All of it was undone, so all of it may be run again.
    for round in 0..api.config().write_retries_max {
        let Err(StepError { error, .. }) = &answered else { break };
        if !repeat::waits_and_passes(api, error, round).await {
            break;
        }
        answered = attempt().await;
    }
    match answered {
        Ok(response) if !batch.steps.iter().all(Step::only_reads) => Ok(place::told_anyway(api, response).await),
        answered => answered,
    }
}

/// Runs all steps in one transaction.
async fn all(api: &DataApi, grant: &Grant, context: &RequestContext, batch: &Batch) -> Result<Response, StepError> {
    let access = if batch.steps.iter().all(Step::only_reads) { Access::Read } else { Access::Write };
    let key = batch.key.as_ref();
    let tx = Box::pin(api.database().begin(grant, context, access)).await?;
    if let Some(key) = key
        && let Some(response) = key.first(&tx).await?
    {
        tx.rollback().await?;
        return Ok(response);
    }
    let mut progress = Progress::default();
    for step in &batch.steps {
        if let Err(Refused { error, request }) = Box::pin(one(api, &tx, grant.principal(), step, &mut progress)).await {
            // What explains it is asked in another transaction, which may need this one's connection.
            drop(tx);
            let error = match &request {
                Some((request, catalog)) => {
                    let asked = Asked { api, grant: grant.clone(), context, request, catalog };
                    Box::pin(explain::explained(&asked, error)).await
                }
                None => error,
            };
            return Err(StepError { id: Some(step.id.clone()), error });
        }
    }
    let text = serde_json::to_string(&BatchAnswer { responses: &progress.responses }).map_err(Error::internal)?;
    let mut response = Response::new(Body::from(text));
    response.headers_mut().insert(CONTENT_TYPE, HeaderValue::from_static("application/json; charset=utf-8"));
    if api.config().transaction_end.keeps(batch.end) {
        if let Some(key) = key {
            response = key.keep(&tx, response).await?;
        }
        tx.commit().await?;
    } else {
        tx.execute(Sql::new("set constraints all immediate")).await?;
        tx.rollback().await?;
    }
    Ok(response)
}

/// Runs one step: what it would be alone, with what earlier ones answered.
async fn one(api: &DataApi, tx: &Tx, principal: &Principal, step: &Step, progress: &mut Progress) -> Result<(), Refused> {
    let limits = api.limits().of(principal.database_role());
    let mut request = step.request(api, &limits.parse, &progress.answers)?;
    let surroundings = |catalog| api.surroundings(catalog, Caller::from(principal), limits);
    let catalog = api.schema().get().await?;
    fit(api, &mut request, &catalog)?;
    let newer;
    let (plan, catalog) = match plan::plan(&request, surroundings(&catalog)) {
        Ok(plan) => (plan, &catalog),
        Err(error) if plan::may_be_outdated(&error) => {
            let Some(found) = api.schema().newer_than(Some(&catalog)).await? else { return Err(error.into()) };
            newer = found;
            (plan::plan(&request, surroundings(&newer))?, &newer)
        }
        Err(error) => return Err(error.into()),
    };
    if matches!(&plan, Plan::Write(plan) if plan.needs_company) && tx.opened().company_id.is_none() {
        return Err(Error::new(Kind::Forbidden, "company_required", "No company is chosen.")
            .with_hint("Make one active with POST /auth/v1/company, or send the header X-Company-Id.")
            .into());
    }
    tx.query(step.settings()).await?;
    // What may only read may only read here, too: for as long as the savepoint stands.
    let reads = only_reads(&request, &plan);
    if reads {
        tx.execute(Sql::new("savepoint thorbis_reads")).await?;
        tx.execute(Sql::new("set local transaction_read_only = on")).await?;
    }
    let begun = Instant::now();
    let answered = run::within(api, tx, Planned { request: &request, plan: &plan }).await;
    let answered = match answered {
        Ok(answered) => answered,
        Err(error) => {
            let timeout = api.statement_timeout(catalog, principal);
            let error = limits.timed(error, begun.elapsed(), timeout.as_deref());
            let catalog = Arc::clone(catalog);
            drop(plan);
            return Err(Refused { error, request: Some((request, catalog)) });
        }
    };
    if reads {
        tx.execute(Sql::new("release savepoint thorbis_reads")).await?;
    }
    let bytes_left = api.config().batch_answer_bytes_max.saturating_sub(progress.bytes);
    let (answer, bytes) = told(step, answered.response, bytes_left).await?;
    progress.bytes = progress.bytes.saturating_add(bytes);
    progress.answers.add(&step.id, answer.body.as_deref());
    progress.responses.push(answer);
    Ok(())
}

fn only_reads(request: &ApiRequest, plan: &Plan<'_>) -> bool {
    match plan {
        Plan::Read(_) => true,
        Plan::Call(plan) => plan.read_only || request.action == Action::CallRead,
        Plan::Write(_) => false,
    }
}

/// Reads the answer, which may have so many bytes, and says how many it has.
async fn told(step: &Step, response: Response, bytes_max: usize) -> Result<(StepAnswer, usize)> {
    let (parts, body) = response.into_parts();
    let bytes = Limited::new(body, bytes_max).collect().await.map_err(too_long)?.to_bytes();
    let headers = parts.headers.iter().filter_map(|(name, value)| Some((name.as_str().to_owned(), Value::from(value.to_str().ok()?))));
    let (id, status) = (step.id.clone(), parts.status.as_u16());
    Ok((StepAnswer { id, status, headers: headers.collect(), body: embedded(&bytes)? }, bytes.len()))
}

/// Returns the body as it is where it is JSON, and as a JSON text otherwise.
fn embedded(bytes: &Bytes) -> Result<Option<Box<RawValue>>> {
    let text = std::str::from_utf8(bytes).map_err(Error::internal)?;
    if text.is_empty() {
        return Ok(None);
    }
    match RawValue::from_string(text.to_owned()) {
        Ok(json) => Ok(Some(json)),
        Err(_not_json) => serde_json::value::to_raw_value(text).map(Some).map_err(Error::internal),
    }
}

fn too_long(error: Box<dyn std::error::Error + Send + Sync>) -> Error {
    if error.is::<LengthLimitError>() {
        Error::new(Kind::TooLarge, "batch_answer_too_large", "The answers of the batch are too large together")
            .with_hint("Send Prefer: return=minimal, or select less.")
    } else {
        Error::internal(error)
    }
}
