//! `/functions/v1`: there are no functions at the edge here, and clients are told so in the words that they know.
//!
//! Invariant: whatever is called below it, with whichever method, is not found.

use axum::Router;
use axum::response::{IntoResponse, Json, Response};
use axum::routing::any;
use http::{HeaderName, HeaderValue, StatusCode};
use serde_json::json;

const NOT_FOUND: &str = "NOT_FOUND";
const CODE: HeaderName = HeaderName::from_static("sb-error-code");

/// Returns the routes.
pub(super) fn router() -> Router {
    Router::new().route("/functions/v1", any(missing)).route("/functions/v1/", any(missing)).route("/functions/v1/{*name}", any(missing))
}

async fn missing() -> Response {
    let body = json!({ "code": NOT_FOUND, "message": "Requested function was not found" });
    (StatusCode::NOT_FOUND, [(CODE, HeaderValue::from_static(NOT_FOUND))], Json(body)).into_response()
}
