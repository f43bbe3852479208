//! Every route of the data API, and the way of a request through it: request, plan, statement, outcome, answer.

use std::time::Instant;

use axum::Router;
use axum::body::{Bytes, HttpBody as _};
use axum::extract::rejection::PathRejection;
use axum::extract::{FromRequest, Path, Request, State};
use axum::response::{IntoResponse, Response};
use axum::routing::any;
use http::header::{ACCEPT, CONTENT_TYPE};
use http::request::Parts;
use http::{HeaderValue, Method, StatusCode};
use kernel::{AnyCaller, Can, Error, Grant, Kind, RequestContext, Result};
use limits::Meter;
use postgres::catalog::Catalog;
use serde_json::Value;

use crate::DataApi;
use crate::explain::{self, Asked};
use crate::failure::{Failure, IsAnonymous};
use crate::idempotency::Key;
use crate::paging;
use crate::plan::{self, Caller, Plan};
use crate::request::{self, ApiRequest, Target, Wanted};
use crate::run::Planned;
use crate::timing::Timing;
use crate::{html, kept, place, repeat, response, root};

/// Returns the routes, to be mounted at `/rest/v1`. They need a `Principal` in the request's extensions, and pass on a
/// `RequestContext` where there is one.
pub fn router(api: DataApi) -> Router {
    Router::new()
        .route("/", any(root))
        .route("/rpc/{function}", any(function))
        .route("/{relation}", any(relation))
        .fallback(no_such_path)
        .with_state(api)
}

/// Returns the route of the root as many programs write it, to be mounted at `/rest/v1/` beside [`router`].
pub fn root_router(api: DataApi) -> Router {
    Router::new().route("/", any(root)).with_state(api)
}

/// The name in the path; none where its bytes are no text.
type Name = std::result::Result<Path<String>, PathRejection>;

async fn relation(State(api): State<DataApi>, name: Name, who: Can<AnyCaller>, request: Request) -> Response {
    match name {
        Ok(Path(name)) => answer(&api, Target::Relation(name), who, request).await,
        Err(_) => no_such_path().await,
    }
}

async fn function(State(api): State<DataApi>, name: Name, who: Can<AnyCaller>, request: Request) -> Response {
    match name {
        Ok(Path(name)) => answer(&api, Target::Function(name), who, request).await,
        Err(_) => no_such_path().await,
    }
}

async fn root(State(api): State<DataApi>, who: Can<AnyCaller>, request: Request) -> Response {
    if !api.config().root_function.is_empty() && [Method::GET, Method::HEAD].contains(request.method()) {
        return by_function(&api, who, request).await;
    }
    let grant = who.into_grant();
    let is_anonymous = IsAnonymous::of(grant.principal());
    let (parts, _body) = request.into_parts();
    Box::pin(root::answer(&api, grant, &parts)).await.unwrap_or_else(|error| Failure::new(error, is_anonymous).into_response())
}

/// Answers the root with what a function of the database says. Who takes a description takes this.
async fn by_function(api: &DataApi, who: Can<AnyCaller>, mut request: Request) -> Response {
    let headers = request.headers_mut();
    let accepted: Vec<&str> = headers.get_all(ACCEPT).iter().filter_map(|value| value.to_str().ok()).collect();
    let accepted = accepted.join(", ");
    let takes_descriptions = accepted.contains(root::OPENAPI);
    if takes_descriptions && let Ok(value) = HeaderValue::from_str(&accepted.replace(root::OPENAPI, "application/json")) {
        headers.insert(ACCEPT, value);
    }
    let (schema, name) = api.config().root_function.split_once('.').unwrap_or(("", &api.config().root_function));
    if let (false, Ok(schema)) = (schema.is_empty(), HeaderValue::from_str(schema)) {
        headers.insert("accept-profile", schema);
    }
    let mut response = answer(api, Target::Function(name.to_owned()), who, request).await;
    let is_json = response.headers().get(CONTENT_TYPE).is_some_and(|kind| kind.as_bytes().starts_with(b"application/json"));
    if takes_descriptions && is_json && response.status().is_success() {
        response.headers_mut().insert(CONTENT_TYPE, HeaderValue::from_static("application/openapi+json; charset=utf-8"));
    }
    response
}

async fn no_such_path() -> Response {
    let error = Error::new(Kind::NotFound, "PGRST125", "Invalid path specified in request URL");
    Failure::new(error, IsAnonymous(false)).into_response()
}

async fn answer(api: &DataApi, target: Target, who: Can<AnyCaller>, request: Request) -> Response {
    let grant = who.into_grant();
    let is_anonymous = IsAnonymous::of(grant.principal());
    let answered = if *request.method() == Method::OPTIONS {
        let (parts, _body) = request.into_parts();
        Box::pin(methods(api, &target, &parts)).await
    } else {
        Box::pin(serve(api, target, grant, request)).await
    };
    answered.unwrap_or_else(|error| Failure::new(error, is_anonymous).into_response())
}

/// Tells what can be done with a relation or function; a page that asks whether it may call at all is answered before it comes here.
async fn methods(api: &DataApi, target: &Target, parts: &Parts) -> Result<Response> {
    let (schema, _named) = request::read_schema(&parts.headers, &api.config().schemas)?;
    let arguments = request::argument_names(parts.uri.query().unwrap_or_default(), &api.limits().general().parse)?;
    let catalog = api.schema().get().await?;
    let allowed = match plan::methods(&catalog, &schema, target, &arguments) {
        Err(error) if plan::may_be_outdated(&error) => match api.schema().newer_than(Some(&catalog)).await? {
            Some(newer) => plan::methods(&newer, &schema, target, &arguments)?,
            None => return Err(error),
        },
        planned => planned?,
    };
    Ok(response::methods(&allowed))
}

async fn serve(api: &DataApi, target: Target, grant: Grant, request: Request) -> Result<Response> {
    let mut timing = Timing::begin();
    let (parts, body) = request.into_parts();
    let mut context = parts.extensions.get::<RequestContext>().cloned().unwrap_or_default();
    let body = if body.is_end_stream() { Bytes::new() } else { read(Request::from_parts(parts.clone(), body)).await? };
    if let Some(meter) = parts.extensions.get::<Meter>() {
        let put_in = kinds_put_in(&target, &parts.method, &body);
        meter.requests(1, put_in.iter().map(String::as_str)).await?;
    }
    let key = Key::of(&parts, &body, api.config())?;
    let limits = api.limits().of(grant.principal().database_role());
    let wanted = Wanted {
        target,
        method: &parts.method,
        schemas: &api.config().schemas,
        raw_query: parts.uri.query().unwrap_or_default(),
        headers: &parts.headers,
        body,
        limits: &limits.parse,
        plan_enabled: api.config().plan_enabled.unwrap_or(false),
    };
    let mut request = request::parse(wanted)?;
    context.schema = request.schema.as_str().into();
    context.position = if api.database().has_replicas() { place::shown(&parts.headers)? } else { None };
    timing.parsed();
    let caller = Caller::from(grant.principal());
    let catalog = api.schema().get().await?;
    fit(api, &mut request, &catalog)?;
    context.statement_timeout = api.statement_timeout(&catalog, grant.principal());
    let surroundings = |catalog| api.surroundings(catalog, caller, limits);
    let outdated = match plan::plan(&request, surroundings(&catalog)) {
        Ok(plan) => {
            timing.planned();
            context.function_settings = plan.settings();
            let asked = Asked { api, grant, context: &context, request: &request, catalog: &catalog };
            let answered = execute(asked, &plan, key.as_ref()).await;
            if answered.as_ref().err().is_some_and(plan::shows_outdated) {
                // For the next request: this one's transaction is over.
                api.schema().newer_than(Some(&catalog)).await?;
            }
            return answered.map(|response| timing.on(kept::not_modified(&parts, response)));
        }
        Err(error) if plan::may_be_outdated(&error) => error,
        Err(error) => return Err(error),
    };
    let Some(newer) = api.schema().newer_than(Some(&catalog)).await? else { return Err(outdated) };
    fit(api, &mut request, &newer)?;
    let plan = plan::plan(&request, surroundings(&newer))?;
    timing.planned();
    context.function_settings = plan.settings();
    let asked = Asked { api, grant, context: &context, request: &request, catalog: &newer };
    execute(asked, &plan, key.as_ref()).await.map(|response| timing.on(kept::not_modified(&parts, response)))
}

/// Fits a request to what there is: the form of its answer is chosen, and labelled texts are cleaned.
pub(crate) fn fit(api: &DataApi, request: &mut ApiRequest, catalog: &Catalog) -> Result<()> {
    html::clean(request, catalog, api.config().html_elements_max)?;
    paging::fit(request, catalog)?;
    plan::negotiate(request, catalog)
}

/// Returns the kinds of the tasks that a request puts in: some are counted beside what writes.
pub(crate) fn kinds_put_in(target: &Target, method: &Method, body: &[u8]) -> Vec<String> {
    let is_queue = matches!(target, Target::Relation(name) if name == "job_queue" || name == "background_jobs");
    if !is_queue || *method != Method::POST {
        return vec![];
    }
    let kind = |row: &Value| row.get("job_type").and_then(Value::as_str).map(str::to_owned);
    match serde_json::from_slice(body) {
        Ok(Value::Array(rows)) => rows.iter().filter_map(kind).collect(),
        Ok(row) => kind(&row).into_iter().collect(),
        // Lines and forms: each letter may be of one, and what is no body is refused later.
        Err(_) => String::from_utf8_lossy(body).split(|c: char| !c.is_ascii_alphanumeric() && c != '_').map(str::to_owned).collect(),
    }
}

async fn execute(asked: Asked<'_>, plan: &Plan<'_>, key: Option<&Key>) -> Result<Response> {
    let planned = Planned { request: asked.request, plan };
    let begun = Instant::now();
    match repeat::run(asked.api, asked.grant.clone(), asked.context, planned, key).await {
        Ok(response) => Ok(place::told(asked.api, plan, response).await),
        Err(error) => {
            let limits = asked.api.limits().of(asked.grant.principal().database_role());
            Err(Box::pin(explain::explained(&asked, limits.timed(error, begun.elapsed(), asked.context.statement_timeout.as_deref())))
                .await)
        }
    }
}

/// Reads the whole body, as far as the edge lets it come.
pub(crate) async fn read(request: Request) -> Result<Bytes> {
    Bytes::from_request(request, &()).await.map_err(|rejection| {
        if rejection.status() == StatusCode::PAYLOAD_TOO_LARGE {
            Error::new(Kind::TooLarge, "body_too_large", "The request's body is too large")
        } else {
            Error::new(Kind::BadRequest, "PGRST102", "The request's body could not be read").with_source(rejection)
        }
    })
}
