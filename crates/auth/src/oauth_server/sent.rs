//! What programs send: a form, or the same as JSON.
//!
//! Invariant: nothing is read from the address: whatever stands there ends up in the logs of others, and these are secrets.

use axum::body::Bytes;
use axum::extract::{FromRequest, Request};
use http::header::CONTENT_TYPE;
use serde::de::DeserializeOwned;

use super::refusal::Refusal;
use crate::Auth;

/// The body of a request of a program.
pub(crate) struct Sent<T>(pub(crate) T);

impl<T: DeserializeOwned> FromRequest<Auth> for Sent<T> {
    type Rejection = Refusal;

    async fn from_request(request: Request, auth: &Auth) -> Result<Self, Refusal> {
        if request.uri().query().is_some_and(|query| !query.is_empty()) {
            return Err(Refusal::invalid_request("Parameters belong into the body, never into the address"));
        }
        let sort = request.headers().get(CONTENT_TYPE).and_then(|sort| sort.to_str().ok()).unwrap_or_default();
        let is_json = sort.starts_with("application/json");
        let body = Bytes::from_request(request, auth).await;
        let body = body.ok().ok_or_else(|| Refusal::invalid_request("The body could not be read"))?;
        let read = if is_json { serde_json::from_slice(&body).ok() } else { serde_urlencoded::from_bytes(&body).ok() };
        read.map(Self).ok_or_else(|| Refusal::invalid_request("The body must be a form in which nothing stands twice, or JSON"))
    }
}
