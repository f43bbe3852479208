//! Errors as programs that speak OAuth read them: `{error, error_description}`.
//!
//! Invariant: what the standard has a word for is said in that word; everything else goes through [`kernel::Error`] like the rest of
//! this API. No description repeats what was sent.

use axum::Json;
use axum::response::{IntoResponse, Response};
use http::header::WWW_AUTHENTICATE;
use http::{HeaderValue, StatusCode};
use kernel::Error;
use serde_json::json;

use super::clients::Fault;

/// Why a program is refused.
#[derive(Debug)]
pub(crate) enum Refusal {
    /// In the words of the standard.
    Said { status: StatusCode, error: &'static str, description: &'static str, challenge: Option<&'static str> },
    /// In the words of this API.
    Failed(Error),
}

impl Refusal {
    pub(super) fn invalid_request(description: &'static str) -> Self {
        Self::bad("invalid_request", description)
    }

    pub(super) fn invalid_grant(description: &'static str) -> Self {
        Self::bad("invalid_grant", description)
    }

    /// A program that is not known, or did not prove that it is itself: which of them is not told.
    pub(super) fn invalid_client() -> Self {
        let challenge = Some("Basic realm=\"oauth\"");
        Self::Said { status: StatusCode::UNAUTHORIZED, error: "invalid_client", description: "Invalid client credentials", challenge }
    }

    pub(super) fn bad(error: &'static str, description: &'static str) -> Self {
        Self::Said { status: StatusCode::BAD_REQUEST, error, description, challenge: None }
    }
}

impl From<Error> for Refusal {
    fn from(error: Error) -> Self {
        Self::Failed(error)
    }
}

impl From<Fault> for Refusal {
    fn from(fault: Fault) -> Self {
        match fault {
            Fault::RedirectUri(message) => Self::bad("invalid_redirect_uri", message),
            Fault::Metadata(message) => Self::bad("invalid_client_metadata", message),
        }
    }
}

impl IntoResponse for Refusal {
    fn into_response(self) -> Response {
        let (status, error, description, challenge) = match self {
            Self::Said { status, error, description, challenge } => (status, error, description, challenge),
            Self::Failed(error) => return error.into_response(),
        };
        let mut response = (status, Json(json!({ "error": error, "error_description": description }))).into_response();
        if let Some(challenge) = challenge {
            response.headers_mut().insert(WWW_AUTHENTICATE, HeaderValue::from_static(challenge));
        }
        response
    }
}
