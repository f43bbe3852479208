//! `/metrics` in Prometheus' text form.
//!
//! Invariant: unless configured otherwise only programs of this machine read it, and a proxy on this machine does not open it to the
//! world: a request that was forwarded is not from here.

use std::net::SocketAddr;

use axum::Router;
use axum::extract::{ConnectInfo, State};
use axum::response::{IntoResponse, Response};
use axum::routing::get;
use http::{HeaderMap, header};
use kernel::{Error, Kind};
use metrics_exporter_prometheus::PrometheusHandle;

use crate::backend::Backend;
use crate::config::MetricsAccess;
use crate::metrics;

/// The code of a reader from elsewhere.
pub(crate) const METRICS_NOT_ALLOWED: &str = "metrics_not_allowed";
/// The headers by which proxies say for whom they ask.
const FORWARDED: &[&str] = &["forwarded", "x-forwarded-for", "x-real-ip", "via"];

/// What the numbers are made of.
#[derive(Clone)]
pub(crate) struct Numbers {
    pub(crate) access: MetricsAccess,
    pub(crate) handle: PrometheusHandle,
    pub(crate) backend: Backend,
}

pub(super) fn router(numbers: Numbers) -> Router {
    Router::new().route("/metrics", get(render)).with_state(numbers)
}

async fn render(State(numbers): State<Numbers>, ConnectInfo(peer): ConnectInfo<SocketAddr>, headers: HeaderMap) -> Response {
    let from_here = peer.ip().to_canonical().is_loopback() && !FORWARDED.iter().any(|name| headers.contains_key(*name));
    if numbers.access == MetricsAccess::Loopback && !from_here {
        return Error::new(Kind::Forbidden, METRICS_NOT_ALLOWED, "The metrics are read from the server's own machine")
            .with_hint("metrics.access = \"anyone\" opens them")
            .into_response();
    }
    metrics::set_pool(numbers.backend.pool());
    numbers.handle.run_upkeep();
    ([(header::CONTENT_TYPE, "text/plain; version=0.0.4; charset=utf-8")], numbers.handle.render()).into_response()
}
