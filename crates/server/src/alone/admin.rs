//! The admin server: every mount on one page. It has a port of its own, and no question of who asks: whoever reaches it may read it.
//!
//! | path | what |
//! |---|---|
//! | `/live` | whether the program answers |
//! | `/ready` | whether requests can be answered: 200, or 503 |
//! | `/metrics` | numbers for Prometheus |
//! | `/config` | the settings in effect, secrets left out |
//! | `/schema_cache` | the tables and functions that are known |

use std::sync::Arc;

use axum::extract::State;
use axum::response::{IntoResponse, Response};
use axum::routing::get;
use axum::{Json, Router};
use http::{StatusCode, header};
use kernel::{Error, Kind};
use metrics_exporter_prometheus::PrometheusHandle;

use super::config;
use super::serving::Serving;
use crate::middleware::ROUTE_NOT_FOUND;

#[derive(Clone)]
struct Admin {
    serving: Arc<Serving>,
    numbers: PrometheusHandle,
}

pub(super) fn router(serving: Arc<Serving>, numbers: PrometheusHandle) -> Router {
    Router::new()
        .route("/live", get(|| async { StatusCode::OK }))
        .route("/ready", get(ready))
        .route("/metrics", get(render))
        .route("/config", get(shown))
        .route("/schema_cache", get(schema))
        .fallback(|| async { Error::new(Kind::NotFound, ROUTE_NOT_FOUND, "There is nothing at this path") })
        .with_state(Admin { serving, numbers })
}

async fn ready(State(admin): State<Admin>) -> Response {
    match admin.serving.ready().await {
        Ok(()) => StatusCode::OK.into_response(),
        Err(error) => (StatusCode::SERVICE_UNAVAILABLE, Json(error.body())).into_response(),
    }
}

async fn render(State(admin): State<Admin>) -> Response {
    let status = admin.serving.database().pool_status();
    for (name, value) in
        [("pgrst_db_pool_available", status.available), ("pgrst_db_pool_waiting", status.waiting), ("pgrst_db_pool_max", status.size_max)]
    {
        metrics::gauge!(name).set(u32::try_from(value).map_or(f64::INFINITY, f64::from));
    }
    // A count that is not there yet looks like one that nobody keeps.
    metrics::counter!("pgrst_db_pool_timeouts_total").increment(0);
    admin.numbers.run_upkeep();
    ([(header::CONTENT_TYPE, "text/plain; charset=utf-8")], admin.numbers.render()).into_response()
}

async fn shown(State(admin): State<Admin>) -> Response {
    ([(header::CONTENT_TYPE, "text/plain; charset=utf-8")], config::shown(&admin.serving.values())).into_response()
}

async fn schema(State(admin): State<Admin>) -> Response {
    Json(admin.serving.schema().unwrap_or_default()).into_response()
}
