//! Errors that say more than the dialect does.
//!
//! Invariant: code, status and message stay; only a hint or details that were empty are filled. What refused a request is told to
//! service programs and to members with [`PERMISSION`], asked at that moment in their own transaction; to everybody else the answer is,
//! byte for byte, that of the dialect. Nothing is read beyond the caller's company.

mod integrity;
mod refused;

use kernel::{Error, Grant, RequestContext, Subject};
use postgres::catalog::Catalog;

use crate::DataApi;
use crate::request::ApiRequest;

/// Who holds it is told what refused a request.
const PERMISSION: &str = "schema:read";

/// A request that came to nothing, and what it was asked with.
pub(crate) struct Asked<'a> {
    pub(crate) api: &'a DataApi,
    pub(crate) grant: Grant,
    pub(crate) context: &'a RequestContext,
    pub(crate) request: &'a ApiRequest,
    pub(crate) catalog: &'a Catalog,
}

/// Returns the error with what can be said of it. A database without declarations knows no permissions: there the dialect is all.
pub(crate) async fn explained(asked: &Asked<'_>, error: Error) -> Error {
    if !asked.api.config().errors_explained || !asked.catalog.is_declared() {
        return error;
    }
    if let Some(hint) = integrity::hint(asked.catalog, asked.request, &error) {
        return error.with_hint(hint);
    }
    let is_somebody = !matches!(asked.grant.principal().subject(), Subject::Anonymous);
    match refused::Refusal::of(&error).filter(|_| is_somebody) {
        None => error,
        Some(refusal) => match Box::pin(refused::told(asked, &refusal)).await {
            Ok(Some((details, hint))) => refused::with(error, details, hint),
            Ok(None) => error,
            Err(unexplained) => {
                tracing::debug!(%unexplained, "a refusal could not be explained");
                error
            }
        },
    }
}
