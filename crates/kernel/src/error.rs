//! The one public error: a kind that fixes the HTTP status, a stable code, a message that is safe to show, and the cause for the log.
//!
//! Invariant: `source` is never serialized. A code is declared beside the code that raises it, as a `&'static str` or as the
//! SQLSTATE that PostgreSQL gave.

use std::borrow::Cow;
use std::error::Error as StdError;
use std::fmt;

use axum_core::response::{IntoResponse, Response};
use http::{HeaderValue, StatusCode, header};
use serde_json::{Value, json};

/// A result whose error can be shown to a client.
pub type Result<T, E = Error> = std::result::Result<T, E>;

/// What sort of failure it is; each has one HTTP status.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Kind {
    /// 400: the request is not well formed.
    BadRequest,
    /// 401: nobody is signed in, or the token is not good.
    Unauthenticated,
    /// 403: signed in, but not allowed.
    Forbidden,
    /// 404: not there, or not to be known of.
    NotFound,
    /// 409: collides with what is there.
    Conflict,
    /// 413: larger than the limit.
    TooLarge,
    /// 422: well formed, but refused by a rule.
    Unprocessable,
    /// 429: too often.
    TooManyRequests,
    /// 500: our fault.
    Internal,
    /// 503: something we need is away; come back.
    Unavailable,
    /// 504: did not answer in time.
    Timeout,
    /// Any other status that a compatibility surface asks for.
    Status(u16),
}

impl Kind {
    /// Returns the HTTP status of this kind.
    pub fn status(self) -> StatusCode {
        match self {
            Self::BadRequest => StatusCode::BAD_REQUEST,
            Self::Unauthenticated => StatusCode::UNAUTHORIZED,
            Self::Forbidden => StatusCode::FORBIDDEN,
            Self::NotFound => StatusCode::NOT_FOUND,
            Self::Conflict => StatusCode::CONFLICT,
            Self::TooLarge => StatusCode::PAYLOAD_TOO_LARGE,
            Self::Unprocessable => StatusCode::UNPROCESSABLE_ENTITY,
            Self::TooManyRequests => StatusCode::TOO_MANY_REQUESTS,
            Self::Internal => StatusCode::INTERNAL_SERVER_ERROR,
            Self::Unavailable => StatusCode::SERVICE_UNAVAILABLE,
            Self::Timeout => StatusCode::GATEWAY_TIMEOUT,
            Self::Status(status) => StatusCode::from_u16(status).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR),
        }
    }

    /// Returns the kind that stands for an HTTP status.
    pub fn from_status(status: u16) -> Self {
        match status {
            400 => Self::BadRequest,
            401 => Self::Unauthenticated,
            403 => Self::Forbidden,
            404 => Self::NotFound,
            409 => Self::Conflict,
            413 => Self::TooLarge,
            422 => Self::Unprocessable,
            429 => Self::TooManyRequests,
            500 => Self::Internal,
            503 => Self::Unavailable,
            504 => Self::Timeout,
            other => Self::Status(other),
        }
    }
}

/// A failure as the client sees it, with its cause for the log.
pub struct Error(Box<Inner>);

struct Inner {
    kind: Kind,
    code: Cow<'static, str>,
    message: Cow<'static, str>,
    details: Option<Value>,
    hint: Option<String>,
    retry_after_seconds: Option<u32>,
    source: Option<Box<dyn StdError + Send + Sync>>,
}

impl Error {
    /// Makes an error. `code` is stable, `message` is shown to the client.
    pub fn new(kind: Kind, code: impl Into<Cow<'static, str>>, message: impl Into<Cow<'static, str>>) -> Self {
        Self(Box::new(Inner {
            kind,
            code: code.into(),
            message: message.into(),
            details: None,
            hint: None,
            retry_after_seconds: None,
            source: None,
        }))
    }

    /// Makes an error for a failure of ours: the client learns nothing but the code, the log gets the cause.
    pub fn internal(source: impl Into<Box<dyn StdError + Send + Sync>>) -> Self {
        Self::new(Kind::Internal, "internal_error", "Something went wrong on our side").with_source(source)
    }

    /// Adds what the client may know beyond the message.
    #[must_use]
    pub fn with_details(mut self, details: impl Into<Value>) -> Self {
        self.0.details = Some(details.into());
        self
    }

    /// Adds what the client could do.
    #[must_use]
    pub fn with_hint(mut self, hint: impl Into<String>) -> Self {
        self.0.hint = Some(hint.into());
        self
    }

    /// Adds after how many seconds a retry makes sense.
    #[must_use]
    pub fn with_retry_after(mut self, seconds: u32) -> Self {
        self.0.retry_after_seconds = Some(seconds);
        self
    }

    /// Adds the cause. It is logged and never sent.
    #[must_use]
    pub fn with_source(mut self, source: impl Into<Box<dyn StdError + Send + Sync>>) -> Self {
        self.0.source = Some(source.into());
        self
    }

    /// Returns the kind.
    pub fn kind(&self) -> Kind {
        self.0.kind
    }

    /// Returns the HTTP status.
    pub fn status(&self) -> StatusCode {
        self.0.kind.status()
    }

    /// Returns the stable code.
    pub fn code(&self) -> &str {
        &self.0.code
    }

    /// Returns the message for the client.
    pub fn message(&self) -> &str {
        &self.0.message
    }

    /// Returns the details for the client.
    pub fn details(&self) -> Option<&Value> {
        self.0.details.as_ref()
    }

    /// Returns the hint for the client.
    pub fn hint(&self) -> Option<&str> {
        self.0.hint.as_deref()
    }

    /// Returns after how many seconds a retry makes sense.
    pub fn retry_after_seconds(&self) -> Option<u32> {
        self.0.retry_after_seconds
    }

    /// Returns the answer's body: `{code, details, hint, message}`, nulls kept.
    pub fn body(&self) -> Value {
        json!({ "code": self.code(), "details": self.0.details, "hint": self.0.hint, "message": self.message() })
    }
}

impl fmt::Debug for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Error")
            .field("kind", &self.0.kind)
            .field("code", &self.0.code)
            .field("message", &self.0.message)
            .field("details", &self.0.details)
            .field("source", &self.0.source)
            .finish_non_exhaustive()
    }
}

impl fmt::Display for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {}", self.0.code, self.0.message)
    }
}

impl StdError for Error {
    fn source(&self) -> Option<&(dyn StdError + 'static)> {
        self.0.source.as_deref().map(|source| {
            let source: &(dyn StdError + 'static) = source;
            source
        })
    }
}

impl IntoResponse for Error {
    /// Answers `{code, details, hint, message}`. The error itself travels in the response's extensions, for the log at the edge.
    fn into_response(self) -> Response {
        let mut response = Response::new(self.body().to_string().into());
        *response.status_mut() = self.status();
        let headers = response.headers_mut();
        headers.insert(header::CONTENT_TYPE, HeaderValue::from_static("application/json; charset=utf-8"));
        if let Some(seconds) = self.0.retry_after_seconds {
            headers.insert(header::RETRY_AFTER, HeaderValue::from(seconds));
        }
        response.extensions_mut().insert(std::sync::Arc::new(self));
        response
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_cause_stays_out_of_the_body() {
        let error = Error::internal("password=hunter2").with_hint("try later");
        assert_eq!(
            error.body(),
            json!({ "code": "internal_error", "details": null, "hint": "try later", "message": "Something went wrong on our side" })
        );
        assert!(error.source().is_some());
        assert_eq!(error.into_response().status(), 500);
    }

    #[test]
    fn a_status_survives_the_way_there_and_back() {
        for status in [400, 401, 403, 404, 406, 409, 413, 416, 422, 429, 500, 503, 504] {
            assert_eq!(Kind::from_status(status).status().as_u16(), status);
        }
    }
}
