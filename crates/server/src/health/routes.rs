//! `/health/live`, `/health/ready` and `/api/health`.

use std::sync::Arc;

use axum::Json;
use axum::Router;
use axum::extract::State;
use axum::response::{IntoResponse, Response};
use axum::routing::get;
use http::{HeaderValue, StatusCode, header};
use serde_json::json;

use super::Health;

/// The routes of health. They need no credentials and tell no secrets.
pub(crate) fn router(health: Arc<Health>) -> Router {
    Router::new()
        .route("/health/live", get(live))
        .route("/health/ready", get(ready))
        .route("/api/health", get(documented))
        .with_state(health)
}

/// The process answers: no reason to start it again.
async fn live() -> Response {
    fresh(StatusCode::OK, &json!({ "status": "live" }))
}

/// Requests can be served: a balancer may send some.
async fn ready(State(health): State<Arc<Health>>) -> Response {
    let checks = health.look().await;
    let (status, word) = if checks.ready() { (StatusCode::OK, "ready") } else { (StatusCode::SERVICE_UNAVAILABLE, "not_ready") };
    fresh(status, &json!({ "status": word, "checks": checks }))
}

/// The shape that programs written against the documented endpoint read: `status` decides between 200 and 503, and a service that is
/// not part of this installation neither fails nor pretends to run. Without Redis requests are served, so it decides nothing.
async fn documented(State(health): State<Arc<Health>>) -> Response {
    let healthy = health.look().await.ready();
    let (status, word) = if healthy { (StatusCode::OK, "healthy") } else { (StatusCode::SERVICE_UNAVAILABLE, "degraded") };
    let database = if healthy { "healthy" } else { "unhealthy" };
    let timestamp = jiff::Timestamp::now().strftime("%Y-%m-%dT%H:%M:%S%.3fZ").to_string();
    let body = json!({ "timestamp": timestamp, "status": word, "services": { "database": database, "redis": health.redis() } });
    fresh(status, &body)
}

fn fresh(status: StatusCode, body: &serde_json::Value) -> Response {
    let mut response = (status, Json(body)).into_response();
    response.headers_mut().insert(header::CACHE_CONTROL, HeaderValue::from_static("no-store"));
    response
}
