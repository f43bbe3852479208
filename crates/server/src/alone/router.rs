//! Every mount of the server on one page, where the data API is served alone.
//!
//! | path | what | who |
//! |---|---|---|
//! | `/`, `/{table}`, `/rpc/{function}` | the data API | the role of the token, or the one for those without |
//!
//! From the outside in: pages that may call ([`cors`]), what every answer gets ([`answer`]), who asks ([`auth::alone::layer`]), what SQL
//! may know of it ([`context`]). The admin server has its own page: [`super::admin`].

use std::sync::Arc;

use auth::alone::{Gate, GateOptions};
use axum::extract::{DefaultBodyLimit, Request};
use axum::response::Response;
use axum::{Router, middleware};
use data_api::DataApi;
use kernel::{Authority, SystemClock};
use tower::ServiceExt;

use super::config::AloneConfig;
use super::{answer, context, cors};
use crate::middleware::route_into_response;

/// Returns all routes, as the configuration wants them.
pub(super) fn router(api: DataApi, authority: Arc<Authority>, config: &AloneConfig) -> Router {
    let gate = Gate::new(GateOptions {
        authority,
        clock: Arc::new(SystemClock),
        keys: config.token.keys.clone(),
        audience: config.token.audience.clone(),
        role_path: config.token.role_path.clone(),
        anonymous_role: config.anonymous_role.clone(),
        remembered_max: config.token.remembered_max,
    });
    let origins: cors::Origins = config.origins.clone().into();
    data_api::router(api)
        .layer(middleware::from_fn(route_into_response))
        .layer(middleware::from_fn(context::layer))
        .layer(middleware::from_fn_with_state(gate, auth::alone::layer))
        .layer(middleware::from_fn_with_state(Arc::new(config.answer.clone()), answer::layer))
        .layer(middleware::from_fn_with_state(origins, cors::layer))
        // The edge has the limit, for every route.
        .layer(DefaultBodyLimit::disable())
}

/// Returns a router that asks anew for each request which one is in use.
pub(super) fn changing(current: Arc<arc_swap::ArcSwap<Router>>) -> Router {
    Router::new().fallback(move |request: Request| {
        let current = current.load_full();
        async move {
            let Ok(response): Result<Response, std::convert::Infallible> = Router::clone(&current).oneshot(request).await;
            response
        }
    })
}
