//! Errors as clients of /auth/v1 read them.
//!
//! Invariant: handlers return `kernel::Error`; the shape on the wire is chosen here alone, by the header
//! `X-Supabase-Api-Version`, and the error itself stays with the response for the log.

use std::sync::Arc;

use axum::extract::Request;
use axum::middleware::Next;
use axum::response::{IntoResponse, Response};
use http::header::{CACHE_CONTROL, CONTENT_TYPE};
use http::{HeaderMap, HeaderName, HeaderValue, StatusCode};
use kernel::{Error, Kind};
use serde_json::{Map, Value, json};

const API_VERSION: HeaderName = HeaderName::from_static("x-supabase-api-version");
const ERROR_CODE: HeaderName = HeaderName::from_static("x-sb-error-code");
/// Since when errors have the newer shape.
const VERSION: &str = "2024-01-01";

/// Our failure, in the words of this API.
const UNEXPECTED: &str = "unexpected_failure";

/// Gives every error its body, and keeps answers out of caches unless they say otherwise.
pub(crate) async fn shape(request: Request, next: Next) -> Response {
    let versioned = is_versioned(request.headers());
    let mut response = next.run(request).await;
    if let Some(error) = response.extensions().get::<Arc<Error>>().cloned() {
        let shaped = body(&error, versioned);
        *response.status_mut() = shaped.status;
        *response.body_mut() = shaped.body.to_string().into();
        let headers = response.headers_mut();
        headers.insert(CONTENT_TYPE, HeaderValue::from_static("application/json; charset=utf-8"));
        headers.remove(http::header::CONTENT_LENGTH);
        if let Ok(code) = HeaderValue::try_from(shaped.code) {
            headers.insert(ERROR_CODE, code);
        }
    }
    let headers = response.headers_mut();
    if versioned {
        headers.insert(API_VERSION, HeaderValue::from_static(VERSION));
    }
    headers.entry(CACHE_CONTROL).or_insert(HeaderValue::from_static("no-store"));
    response
}

/// Answers a path that is not there.
pub(crate) async fn not_found() -> Response {
    Error::new(Kind::NotFound, "not_found", "There is no such endpoint").into_response()
}

/// Answers a method that a path does not have.
pub(crate) async fn wrong_method() -> Response {
    Error::new(Kind::Status(405), "method_not_allowed", "This endpoint does not know this method").into_response()
}

struct Shaped {
    status: StatusCode,
    code: String,
    body: Value,
}

fn body(error: &Error, versioned: bool) -> Shaped {
    let (status, code, message) = if is_ours(error) {
        (StatusCode::INTERNAL_SERVER_ERROR, UNEXPECTED, "Something went wrong on our side")
    } else {
        (error.status(), error.code(), error.message())
    };
    let mut body = if versioned {
        json!({ "code": code, "message": message })
    } else {
        json!({ "code": status.as_u16(), "error_code": code, "msg": message })
    };
    if let (Some(object), "weak_password", Some(details)) = (body.as_object_mut(), code, error.details()) {
        object.insert("weak_password".to_owned(), details.clone());
    }
    Shaped { status, code: code.to_owned(), body }
}

/// Tells whether a failure is ours: what PostgreSQL says in its own codes means nothing to a client of this API.
fn is_ours(error: &Error) -> bool {
    let code = error.code();
    let sqlstate = code.len() == 5 && code.bytes().all(|byte| byte.is_ascii_digit() || byte.is_ascii_uppercase());
    sqlstate || code == "internal_error"
}

/// Versions are dates, so they compare as text.
fn is_versioned(headers: &HeaderMap) -> bool {
    let version = headers.get(API_VERSION).and_then(|version| version.to_str().ok());
    version.is_some_and(|version| version.len() == VERSION.len() && version >= VERSION)
}

/// Returns an error of the kind that a client shows to its user: 400.
pub(crate) fn bad_request(code: &'static str, message: &'static str) -> Error {
    Error::new(Kind::BadRequest, code, message)
}

/// Returns an error for input that is well formed and not allowed: 422.
pub(crate) fn unprocessable(code: &'static str, message: &'static str) -> Error {
    Error::new(Kind::Unprocessable, code, message)
}

/// Returns an error for a session that is over.
pub(crate) fn session_not_found() -> Error {
    Error::new(Kind::Forbidden, "session_not_found", "Session from session_id claim in JWT does not exist")
}

/// Returns an object for an answer.
pub(crate) fn object<const N: usize>(members: [(&str, Value); N]) -> Map<String, Value> {
    members.into_iter().map(|(name, value)| (name.to_owned(), value)).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn both_shapes_are_as_documented() {
        let error = Error::new(Kind::BadRequest, "invalid_credentials", "Invalid login credentials");
        assert_eq!(body(&error, true).body, json!({ "code": "invalid_credentials", "message": "Invalid login credentials" }));
        assert_eq!(
            body(&error, false).body,
            json!({ "code": 400, "error_code": "invalid_credentials", "msg": "Invalid login credentials" })
        );
    }

    #[test]
    fn a_weak_password_says_why() {
        let error =
            unprocessable("weak_password", "Password should be at least 6 characters").with_details(json!({ "reasons": ["length"] }));
        assert_eq!(body(&error, true).body["weak_password"], json!({ "reasons": ["length"] }));
        assert_eq!(body(&error, false).body["weak_password"], json!({ "reasons": ["length"] }));
    }

    #[test]
    fn the_databases_words_stay_inside() {
        let error = Error::new(Kind::Conflict, "23505", "duplicate key value violates unique constraint");
        let shaped = body(&error, true);
        assert_eq!(shaped.status, 500);
        assert_eq!(shaped.body, json!({ "code": "unexpected_failure", "message": "Something went wrong on our side" }));
    }

    #[test]
    fn the_version_decides() {
        let with = |version: &'static str| HeaderMap::from_iter([(API_VERSION, HeaderValue::from_static(version))]);
        assert!(is_versioned(&with("2024-01-01")));
        assert!(is_versioned(&with("2025-06-30")));
        assert!(!is_versioned(&with("2023-12-31")));
        assert!(!is_versioned(&with("latest")));
        assert!(!is_versioned(&HeaderMap::new()));
    }
}
