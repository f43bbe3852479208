//! Errors as RFC 7644 section 3.12 wants them.
//!
//! Invariant: what PostgreSQL says in its own words stays inside; the error itself stays with the response for the log.

use std::borrow::Cow;
use std::sync::Arc;

use axum::body::Body;
use axum::response::{IntoResponse, Response};
use http::header::{CONTENT_TYPE, RETRY_AFTER, WWW_AUTHENTICATE};
use http::{HeaderValue, StatusCode};
use kernel::{Error, Kind};
use serde_json::{Value, json};

/// The media type of everything that is said here.
pub(super) const MEDIA_TYPE: &str = "application/scim+json";
const SCHEMA: &str = "urn:ietf:params:scim:api:messages:2.0:Error";

/// A request that is refused.
#[derive(Debug)]
pub(super) struct Refused {
    status: StatusCode,
    scim_type: Option<&'static str>,
    detail: Cow<'static, str>,
    source: Option<Error>,
}

/// A result whose error a directory reads.
pub(super) type Outcome<T> = Result<T, Refused>;

impl Refused {
    /// Refuses with a status and no keyword.
    pub(super) fn new(status: StatusCode, detail: impl Into<Cow<'static, str>>) -> Self {
        Self { status, scim_type: None, detail: detail.into(), source: None }
    }

    /// Refuses a value: 400.
    pub(super) fn value(detail: impl Into<Cow<'static, str>>) -> Self {
        Self::bad("invalidValue", detail)
    }

    /// Refuses what cannot be read: 400.
    pub(super) fn syntax(detail: impl Into<Cow<'static, str>>) -> Self {
        Self::bad("invalidSyntax", detail)
    }

    /// Refuses a filter: 400.
    pub(super) fn filter(detail: impl Into<Cow<'static, str>>) -> Self {
        Self::bad("invalidFilter", detail)
    }

    /// Refuses the path of a change: 400.
    pub(super) fn path(detail: impl Into<Cow<'static, str>>) -> Self {
        Self::bad("invalidPath", detail)
    }

    /// Refuses a change that is aimed at nothing: 400.
    pub(super) fn target(detail: impl Into<Cow<'static, str>>) -> Self {
        Self::bad("noTarget", detail)
    }

    /// Refuses to change what the server alone writes: 400.
    pub(super) fn mutability(detail: impl Into<Cow<'static, str>>) -> Self {
        Self::bad("mutability", detail)
    }

    /// Refuses what is there already: 409.
    pub(super) fn uniqueness(detail: impl Into<Cow<'static, str>>) -> Self {
        Self { scim_type: Some("uniqueness"), ..Self::new(StatusCode::CONFLICT, detail) }
    }

    /// Says that there is no such resource.
    pub(super) fn not_found(id: &str) -> Self {
        let shown: String = id.chars().take(100).collect();
        Self::new(StatusCode::NOT_FOUND, format!("Resource {shown} not found"))
    }

    fn bad(scim_type: &'static str, detail: impl Into<Cow<'static, str>>) -> Self {
        Self { scim_type: Some(scim_type), ..Self::new(StatusCode::BAD_REQUEST, detail) }
    }

    fn body(&self) -> Value {
        let mut body = json!({ "schemas": [SCHEMA], "status": self.status.as_str(), "detail": self.detail });
        if let (Some(object), Some(scim_type)) = (body.as_object_mut(), self.scim_type) {
            object.insert("scimType".to_owned(), json!(scim_type));
        }
        body
    }
}

impl From<Error> for Refused {
    fn from(error: Error) -> Self {
        let refused = match (error.code(), error.kind()) {
            ("23505", _) => Self::uniqueness("The value is another resource's already"),
            (code, _) if code.len() == 5 && code.bytes().all(|byte| byte.is_ascii_digit() || byte.is_ascii_uppercase()) => {
                Self::new(StatusCode::INTERNAL_SERVER_ERROR, "Something went wrong on our side")
            }
            // What the rules of the house refuse a member, they refuse a directory.
            (_, Kind::Unprocessable) => Self::new(StatusCode::FORBIDDEN, error.message().to_owned()),
            _ => Self::new(error.status(), error.message().to_owned()),
        };
        Self { source: Some(error), ..refused }
    }
}

impl IntoResponse for Refused {
    fn into_response(self) -> Response {
        let body = self.body().to_string();
        let mut response = (self.status, Body::from(body)).into_response();
        response.headers_mut().insert(CONTENT_TYPE, HeaderValue::from_static(MEDIA_TYPE));
        if self.status == StatusCode::UNAUTHORIZED {
            response.headers_mut().insert(WWW_AUTHENTICATE, HeaderValue::from_static("Bearer realm=\"scim\""));
        }
        if let Some(source) = self.source {
            if let Some(seconds) = source.retry_after_seconds() {
                response.headers_mut().insert(RETRY_AFTER, HeaderValue::from(seconds));
            }
            response.extensions_mut().insert(Arc::new(source));
        }
        response
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_error_says_its_status_as_text_and_its_keyword() {
        let body = Refused::mutability("Attribute 'id' is readOnly").body();
        assert_eq!(
            body,
            json!({
                "schemas": ["urn:ietf:params:scim:api:messages:2.0:Error"],
                "scimType": "mutability",
                "detail": "Attribute 'id' is readOnly",
                "status": "400"
            })
        );
        assert_eq!(
            Refused::not_found("2819c223-7f76-453a-919d-413861904646").body(),
            json!({
                "schemas": ["urn:ietf:params:scim:api:messages:2.0:Error"],
                "detail": "Resource 2819c223-7f76-453a-919d-413861904646 not found",
                "status": "404"
            })
        );
    }

    #[test]
    fn the_databases_words_stay_inside() {
        let of = |code: &'static str, kind| Refused::from(Error::new(kind, code, "relation \"scim_users\" is secret")).body();
        assert_eq!(of("23505", Kind::Conflict)["scimType"], "uniqueness");
        assert_eq!(of("22P02", Kind::BadRequest)["status"], "500");
        for body in [of("23505", Kind::Conflict), of("22P02", Kind::BadRequest)] {
            assert!(!body.to_string().contains("scim_users"));
        }
        assert_eq!(of("owner_protected", Kind::Unprocessable)["status"], "403");
    }
}
