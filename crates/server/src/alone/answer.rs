//! What every answer gets before it leaves: who answers, the trace, how long it took, and no more of an error than was configured.

use std::sync::Arc;
use std::time::Duration;

use auth::alone::Took;
use axum::body::Body;
use axum::extract::{Request, State};
use axum::middleware::Next;
use axum::response::Response;
use data_api::Timing;
use http::header::{CONTENT_LENGTH, SERVER};
use http::{HeaderName, HeaderValue};
use kernel::Error;
use postgres::error::POOL_TIMEOUT;
use serde_json::json;

use super::config::Answer;

const SERVER_TIMING: HeaderName = HeaderName::from_static("server-timing");
/// What the dialect calls a pool without a free connection.
const POOL_TIMEOUT_TOLD: &str = "PGRST003";

/// Finishes the answer.
pub(super) async fn layer(State(how): State<Arc<Answer>>, request: Request, next: Next) -> Response {
    let trace = how.trace_header.as_ref().and_then(|name| Some((name.clone(), request.headers().get(name)?.clone())));
    let mut response = next.run(request).await;
    if let Some(error) = response.extensions().get::<Arc<Error>>().cloned() {
        if [POOL_TIMEOUT, POOL_TIMEOUT_TOLD].contains(&error.code()) {
            metrics::counter!("pgrst_db_pool_timeouts_total").increment(1);
        }
        if how.is_minimal {
            let body = json!({ "code": error.code(), "message": error.message() }).to_string();
            *response.body_mut() = Body::from(body);
            response.headers_mut().remove(CONTENT_LENGTH);
        }
    }
    let timing = how.timing.then(|| timing(&response)).flatten();
    let headers = response.headers_mut();
    // The database may have given another name.
    if !headers.contains_key(SERVER) {
        headers.insert(SERVER, HeaderValue::from_static(concat!("thorbis/", env!("CARGO_PKG_VERSION"))));
    }
    headers.extend(trace);
    headers.extend(timing.map(|timing| (SERVER_TIMING, timing)));
    response
}

/// Says how long each step took. What is not measured took no time.
fn timing(response: &Response) -> Option<HeaderValue> {
    let jwt = response.extensions().get::<Took>().map(|took| took.0);
    let steps = response.extensions().get::<Timing>();
    let of = |step: fn(&Timing) -> Duration| steps.map(step);
    let named = [
        ("jwt", jwt),
        ("parse", of(|steps| steps.parse)),
        ("plan", of(|steps| steps.plan)),
        ("transaction", of(|steps| steps.transaction)),
        ("response", of(Timing::response)),
    ];
    let shown = named.iter().filter_map(|(name, took)| Some(format!("{name};dur={:.1}", (*took)?.as_secs_f64() * 1000.0)));
    HeaderValue::from_str(&shown.collect::<Vec<_>>().join(", ")).ok().filter(|value| !value.is_empty())
}
