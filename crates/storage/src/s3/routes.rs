//! `/storage/v1/s3`: which operation a request is.
//!
//! Invariant: nothing is done for a request before its signature was verified.

use axum::Router;
use axum::body::Body;
use axum::extract::{OriginalUri, State};
use axum::response::Response;
use axum::routing::any;
use http::Method;
use kernel::{Error, Kind, Result};

use super::answer::refused;
use super::asked::{Request, not_implemented};
use super::credentials::identify;
use super::signature::Shown;
use super::{buckets, listing, multipart, objects, post, unfinished};
use crate::Storage;

/// Returns the routes, to be mounted at `/storage/v1/s3`. They authenticate by themselves.
pub fn router(storage: Storage) -> Router {
    Router::new().route("/", any(answer)).fallback(answer).with_state(storage)
}

/// Returns what stands at the mount itself with a slash behind it, where the buckets are listed.
pub fn root(storage: Storage) -> Router {
    Router::new().route("/", any(answer)).with_state(storage)
}

async fn answer(State(storage): State<Storage>, OriginalUri(original): OriginalUri, request: axum::extract::Request) -> Response {
    let is_head = request.method() == Method::HEAD;
    let path = request.uri().path().to_owned();
    let (mut parts, body) = request.into_parts();
    // Signed is the whole address.
    parts.uri = original;
    match Box::pin(act(storage, parts, &path, body)).await {
        Ok(response) => response,
        Err(error) => refused(error, &path, is_head),
    }
}

async fn act(storage: Storage, parts: http::request::Parts, path: &str, body: Body) -> Result<Response> {
    if post::is_form(&parts, path) {
        return post::take(storage, parts, path, body).await;
    }
    let shown = Shown::read(&parts, storage.now())?;
    let shown =
        shown.ok_or_else(|| Error::new(Kind::Forbidden, "AccessDenied", "Sign the request: there is nothing for everybody here"))?;
    let (caller, key) = identify(&storage, &shown, &parts).await?;
    let request = Request::new(storage, caller, parts, (&shown, key), path)?;
    match (request.bucket.is_empty(), request.key.is_empty()) {
        (true, _) if request.parts.method == Method::GET => buckets::list(&request).await,
        (true, _) => Err(not_implemented("This operation")),
        (false, true) => of_bucket(&request, body).await,
        (false, false) => of_object(&request, body).await,
    }
}

async fn of_bucket(request: &Request, body: Body) -> Result<Response> {
    let is_asked = |name: &str| request.asked(name).is_some();
    match request.parts.method {
        Method::HEAD => buckets::head(request).await,
        Method::GET if is_asked("location") => buckets::location(request).await,
        Method::GET if is_asked("versioning") => buckets::versioning(request).await,
        Method::GET if is_asked("versions") => listing::versions(request).await,
        Method::GET if is_asked("uploads") => unfinished::uploads(request).await,
        Method::GET if UNKNOWN.iter().any(|name| is_asked(name)) => Err(not_implemented("This about a bucket")),
        Method::GET => listing::list(request).await,
        Method::POST if is_asked("delete") => objects::delete_many(request, body).await,
        Method::PUT if request.parts.uri.query().is_none_or(|query| query.is_empty() || query.starts_with("x-id=")) => {
            buckets::create(request).await
        }
        Method::DELETE if !UNKNOWN.iter().any(|name| is_asked(name)) => buckets::delete(request).await,
        _ => Err(not_implemented("This operation")),
    }
}

/// What can be asked of buckets and objects elsewhere and is nothing here.
const UNKNOWN: &[&str] = &[
    "acl",
    "accelerate",
    "analytics",
    "cors",
    "encryption",
    "intelligent-tiering",
    "inventory",
    "lifecycle",
    "logging",
    "metrics",
    "notification",
    "object-lock",
    "ownershipControls",
    "policy",
    "policyStatus",
    "publicAccessBlock",
    "replication",
    "requestPayment",
    "tagging",
    "website",
    "legal-hold",
    "retention",
    "torrent",
    "attributes",
    "select",
    "restore",
];

async fn of_object(request: &Request, body: Body) -> Result<Response> {
    let is_asked = |name: &str| request.asked(name).is_some();
    if UNKNOWN.iter().any(|name| is_asked(name)) {
        return Err(not_implemented("This about an object"));
    }
    match (&request.parts.method, is_asked("uploadId")) {
        (&Method::GET, true) => unfinished::parts(request).await,
        (&Method::PUT, true) => multipart::take(request, body).await,
        (&Method::POST, true) => multipart::complete(request, body).await,
        (&Method::DELETE, true) => multipart::abort(request).await,
        (&Method::POST, false) if is_asked("uploads") => multipart::begin(request).await,
        (&Method::GET | &Method::HEAD, false) => objects::get(request).await,
        (&Method::PUT, false) if request.header(objects::COPY_SOURCE).is_some() => objects::copy(request).await,
        (&Method::PUT, false) => objects::put(request, body).await,
        (&Method::DELETE, false) => objects::delete(request).await,
        _ => Err(not_implemented("This operation")),
    }
}
