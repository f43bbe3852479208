//! An error as the dialect tells it.
//!
//! Invariant: the code stands in the body and in `Proxy-Status`; a 401 says how to sign in.

use std::collections::BTreeMap;

use axum::response::{IntoResponse, Response};
use http::header::WWW_AUTHENTICATE;
use http::{HeaderMap, HeaderName, HeaderValue, StatusCode};
use kernel::{Error, Kind, Principal, Subject};
use postgres::error::{DATABASE_UNAVAILABLE, POOL_TIMEOUT};
use serde::Deserialize;
use serde_json::Value;

/// The SQLSTATE with which SQL writes out the whole answer.
const RAISED: &str = "PGRST";
const PROXY_STATUS: HeaderName = HeaderName::from_static("proxy-status");

/// Whether nobody is signed in: what the database refuses is then answered with "sign in".
#[derive(Clone, Copy, Debug)]
pub(crate) struct IsAnonymous(pub(crate) bool);

impl IsAnonymous {
    pub(crate) fn of(principal: &Principal) -> Self {
        Self(matches!(principal.subject(), Subject::Anonymous | Subject::Role { is_anonymous: true, .. }))
    }
}

/// An error on its way out, with the headers that the database gives it.
#[derive(Debug)]
pub(crate) struct Failure {
    error: Error,
    headers: HeaderMap,
    /// Which request of a batch had it.
    step: Option<String>,
}

impl Failure {
    /// Gives the errors of the floors below the dialect's codes.
    pub(crate) fn new(error: Error, IsAnonymous(is_anonymous): IsAnonymous) -> Self {
        let retry = error.retry_after_seconds().unwrap_or(1);
        if error.code() == RAISED {
            return raised(&error).unwrap_or_else(|malformed| Self { error: malformed, headers: HeaderMap::new(), step: None });
        }
        let error = match error.code() {
            POOL_TIMEOUT => Error::new(Kind::Timeout, "PGRST003", "Timed out acquiring connection from connection pool.")
                .with_retry_after(retry)
                .with_source(error),
            DATABASE_UNAVAILABLE => Error::new(Kind::Unavailable, "PGRST000", "Database connection error. Retrying the connection.")
                .with_retry_after(retry)
                .with_source(error),
            "42501" if is_anonymous => again(error, Kind::Unauthenticated),
            _ => error,
        };
        Self { error, headers: HeaderMap::new(), step: None }
    }

    /// Names the request of a batch that had it.
    pub(crate) fn of_step(mut self, id: Option<String>) -> Self {
        self.step = id;
        self
    }
}

impl IntoResponse for Failure {
    fn into_response(self) -> Response {
        let Self { error, headers, step } = self;
        let code = error.code().to_owned();
        let named = step.map(|step| {
            let mut body = error.body();
            if let Some(members) = body.as_object_mut() {
                members.insert("request".to_owned(), Value::from(step));
            }
            body.to_string()
        });
        let mut response = error.into_response();
        if let Some(named) = named {
            *response.body_mut() = named.into();
        }
        if let Ok(value) = HeaderValue::from_str(&format!("PostgREST; error={code}")) {
            response.headers_mut().insert(PROXY_STATUS, value);
        }
        if response.status() == StatusCode::UNAUTHORIZED {
            response.headers_mut().insert(WWW_AUTHENTICATE, HeaderValue::from_static("Bearer"));
        }
        response.headers_mut().extend(headers);
        response
    }
}

/// What `raise sqlstate 'PGRST'` has in its message.
#[derive(Deserialize)]
struct RaisedMessage {
    code: String,
    message: String,
    details: Option<String>,
    hint: Option<String>,
}

/// What `raise sqlstate 'PGRST'` has in its detail. The words beside the status are the client's own to choose.
#[derive(Deserialize)]
struct RaisedDetail {
    status: u16,
    headers: BTreeMap<String, String>,
}

/// Reads the answer that SQL wrote out by raising [`RAISED`].
fn raised(error: &Error) -> kernel::Result<Failure> {
    const MESSAGE: &str = "MESSAGE must be a JSON object with obligatory keys: 'code', 'message' and optional keys: 'details', 'hint'.";
    const DETAIL: &str = "DETAIL must be a JSON object with obligatory keys: 'status', 'headers' and optional key: 'status_text'.";
    let malformed = |details: String, hint: &str| {
        let message = "Could not parse JSON in the \"RAISE SQLSTATE 'PGRST'\" error";
        Error::new(Kind::Internal, "PGRST121", message).with_details(details).with_hint(hint)
    };
    let message: RaisedMessage = serde_json::from_str(error.message())
        .map_err(|cause| malformed(format!("Invalid JSON value for MESSAGE: '{}'", error.message()), MESSAGE).with_source(cause))?;
    let detail = error.details().and_then(Value::as_str);
    let detail = detail.ok_or_else(|| malformed("DETAIL is missing in the RAISE statement".to_owned(), DETAIL))?;
    let invalid = || malformed(format!("Invalid JSON value for DETAIL: '{detail}'"), DETAIL);
    let RaisedDetail { status, headers: listed } = serde_json::from_str(detail).map_err(|cause| invalid().with_source(cause))?;
    if StatusCode::from_u16(status).is_err() {
        return Err(invalid());
    }
    let mut headers = HeaderMap::new();
    for (name, value) in listed {
        let (Ok(name), Ok(value)) = (HeaderName::try_from(name), HeaderValue::try_from(value)) else { return Err(invalid()) };
        headers.insert(name, value);
    }
    let mut raised = Error::new(Kind::from_status(status), message.code, message.message);
    if let Some(details) = message.details {
        raised = raised.with_details(details);
    }
    if let Some(hint) = message.hint {
        raised = raised.with_hint(hint);
    }
    Ok(Failure { error: raised, headers, step: None })
}

/// Makes the same error with another status.
fn again(error: Error, kind: Kind) -> Error {
    let mut other = Error::new(kind, error.code().to_owned(), error.message().to_owned());
    if let Some(details) = error.details() {
        other = other.with_details(details.clone());
    }
    if let Some(hint) = error.hint() {
        other = other.with_hint(hint.to_owned());
    }
    other.with_source(error)
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn told(code: &'static str, is_anonymous: bool) -> (u16, String) {
        let Failure { error, .. } = Failure::new(Error::new(Kind::Forbidden, code, "no"), IsAnonymous(is_anonymous));
        (error.status().as_u16(), error.code().to_owned())
    }

    #[test]
    fn whoever_is_not_signed_in_is_asked_to() {
        assert_eq!(told("42501", true), (401, "42501".to_owned()));
        assert_eq!(told("42501", false), (403, "42501".to_owned()));
        assert_eq!(told("permission_denied", true), (403, "permission_denied".to_owned()));
    }

    #[test]
    fn sql_writes_out_the_whole_answer() {
        let raise = |message: &str, detail: Option<&str>| {
            let error = Error::new(Kind::BadRequest, RAISED, message.to_owned());
            let error = detail.into_iter().fold(error, Error::with_details);
            let Failure { error, headers, .. } = Failure::new(error, IsAnonymous(false));
            (error.status().as_u16(), error.body(), headers)
        };
        let message = r#"{"code": "123", "message": "ABC", "details": "DEF", "hint": "XYZ"}"#;
        let (status, body, headers) = raise(message, Some(r#"{"status": 332, "status_text": "My Own", "headers": {"X-Header": "str"}}"#));
        assert_eq!((status, headers.get("x-header").unwrap().to_str().unwrap()), (332, "str"));
        assert_eq!(body, json!({ "code": "123", "message": "ABC", "details": "DEF", "hint": "XYZ" }));
        let refused = |message: &str, detail, details: &str, hint: &str| {
            let (status, body, _) = raise(message, detail);
            assert_eq!((status, &body["code"], &body["details"]), (500, &json!("PGRST121"), &json!(details)));
            assert!(body["hint"].as_str().unwrap().starts_with(hint), "{body}");
            assert_eq!(body["message"], "Could not parse JSON in the \"RAISE SQLSTATE 'PGRST'\" error");
        };
        refused("INVALID", Some("{}"), "Invalid JSON value for MESSAGE: 'INVALID'", "MESSAGE must");
        refused(message, Some("INVALID"), "Invalid JSON value for DETAIL: 'INVALID'", "DETAIL must");
        refused(
            message,
            Some(r#"{"status": 1, "headers": {}}"#),
            r#"Invalid JSON value for DETAIL: '{"status": 1, "headers": {}}'"#,
            "DETAIL must",
        );
        refused(message, None, "DETAIL is missing in the RAISE statement", "DETAIL must");
    }

    #[test]
    fn a_busy_pool_and_a_database_that_is_away_have_the_codes_of_the_dialect() {
        assert_eq!(told(POOL_TIMEOUT, false), (504, "PGRST003".to_owned()));
        assert_eq!(told(DATABASE_UNAVAILABLE, false), (503, "PGRST000".to_owned()));
    }
}
