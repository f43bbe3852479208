//! Gives the one error shape to refusals that the routing library makes by itself.
//!
//! Invariant: an answer that a handler made is never touched; only plain text and empty refusals are.

use axum::response::{IntoResponse, Response};
use http::{StatusCode, header};
use kernel::{Error, Kind};

/// The code of a path that leads nowhere.
pub(crate) const ROUTE_NOT_FOUND: &str = "route_not_found";
/// The code of a method that a path does not have.
pub(crate) const METHOD_NOT_ALLOWED: &str = "method_not_allowed";

/// Returns the answer, or the same refusal in our shape.
pub(super) fn in_our_shape(response: Response) -> Response {
    let status = response.status();
    if !(status.is_client_error() || status.is_server_error()) {
        return response;
    }
    let (code, message) = match (content_type(&response), status) {
        (Some(kind), _) if !kind.starts_with("text/plain") => return response,
        // Who made it ours has its shape, too: clients of some protocols read a text.
        (Some(_), _) if response.extensions().get::<std::sync::Arc<Error>>().is_some() => return response,
        (None, StatusCode::METHOD_NOT_ALLOWED) => (METHOD_NOT_ALLOWED, "This path does not have that method"),
        (None, _) => return response,
        (Some(_), StatusCode::UNSUPPORTED_MEDIA_TYPE) => ("unsupported_media_type", "This content type is not understood here"),
        (Some(_), StatusCode::BAD_REQUEST | StatusCode::UNPROCESSABLE_ENTITY) => ("request_malformed", "The request cannot be read"),
        (Some(_), _) => ("request_refused", status.canonical_reason().unwrap_or("The request was refused")),
    };
    let mut shaped = Error::new(Kind::Status(status.as_u16()), code, message).into_response();
    if let Some(allowed) = response.headers().get(header::ALLOW) {
        shaped.headers_mut().insert(header::ALLOW, allowed.clone());
    }
    if let Some(route) = response.extensions().get::<super::observation::Route>() {
        shaped.extensions_mut().insert(route.clone());
    }
    shaped
}

fn content_type(response: &Response) -> Option<&str> {
    response.headers().get(header::CONTENT_TYPE)?.to_str().ok()
}
