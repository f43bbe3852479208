//! An error as the dialect tells it.
//!
//! Invariant: the code stands in the body and in `Proxy-Status`; a 401 says how to sign in.

use axum::response::{IntoResponse, Response};
use http::header::WWW_AUTHENTICATE;
use http::{HeaderName, HeaderValue, StatusCode};
use kernel::{Error, Kind, Principal, Subject};
use postgres::error::{DATABASE_UNAVAILABLE, POOL_TIMEOUT};

const PROXY_STATUS: HeaderName = HeaderName::from_static("proxy-status");

/// Whether nobody is signed in: what the database refuses is then answered with "sign in".
#[derive(Clone, Copy, Debug)]
pub(crate) struct IsAnonymous(pub(crate) bool);

impl IsAnonymous {
    pub(crate) fn of(principal: &Principal) -> Self {
        Self(matches!(principal.subject(), Subject::Anonymous))
    }
}

/// An error on its way out.
#[derive(Debug)]
pub(crate) struct Failure(Error);

impl Failure {
    /// Gives the errors of the floors below the dialect's codes.
    pub(crate) fn new(error: Error, IsAnonymous(is_anonymous): IsAnonymous) -> Self {
        let retry = error.retry_after_seconds().unwrap_or(1);
        Self(match error.code() {
            POOL_TIMEOUT => Error::new(Kind::Timeout, "PGRST003", "Timed out acquiring connection from connection pool.")
                .with_retry_after(retry)
                .with_source(error),
            DATABASE_UNAVAILABLE => {
                Error::new(Kind::Unavailable, "PGRST000", "Database connection error. Retrying.").with_retry_after(retry).with_source(error)
            }
            "42501" if is_anonymous => again(error, Kind::Unauthenticated),
            _ => error,
        })
    }
}

impl IntoResponse for Failure {
    fn into_response(self) -> Response {
        let code = self.0.code().to_owned();
        let mut response = self.0.into_response();
        if let Ok(value) = HeaderValue::from_str(&format!("PostgREST; error={code}")) {
            response.headers_mut().insert(PROXY_STATUS, value);
        }
        if response.status() == StatusCode::UNAUTHORIZED {
            response.headers_mut().insert(WWW_AUTHENTICATE, HeaderValue::from_static("Bearer"));
        }
        response
    }
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

    fn told(code: &'static str, is_anonymous: bool) -> (u16, String) {
        let Failure(error) = Failure::new(Error::new(Kind::Forbidden, code, "no"), IsAnonymous(is_anonymous));
        (error.status().as_u16(), error.code().to_owned())
    }

    #[test]
    fn whoever_is_not_signed_in_is_asked_to() {
        assert_eq!(told("42501", true), (401, "42501".to_owned()));
        assert_eq!(told("42501", false), (403, "42501".to_owned()));
        assert_eq!(told("permission_denied", true), (403, "permission_denied".to_owned()));
    }

    #[test]
    fn a_busy_pool_and_a_database_that_is_away_have_the_codes_of_the_dialect() {
        assert_eq!(told(POOL_TIMEOUT, false), (504, "PGRST003".to_owned()));
        assert_eq!(told(DATABASE_UNAVAILABLE, false), (503, "PGRST000".to_owned()));
    }
}
