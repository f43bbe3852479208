//! Every mount of the server on one page.
//!
//! | path | what | who |
//! |---|---|---|
//! | `/` | what runs here and where things are | anybody |
//! | `/health/live`, `/health/ready`, `/api/health` | [`crate::health`] | anybody |
//! | `/metrics` | numbers for Prometheus | programs on this machine, unless configured |
//! | `auth.path`, `/auth/v1` | sign-in, sessions, companies | authenticates by itself: its errors have another shape |
//! | `/scim/v2` | companies' directories | knows tokens of its own, and answers as RFC 7644 says |
//! | `/.well-known/…` | where the OAuth server is, for programs that look at the root | anybody |
//! | `/rest/v1` | the data API | a principal, by [`auth::layer`] |
//! | `/realtime/v1` | sockets and channels | authenticates by itself: its errors have another shape |
//! | `/batch/v1` | several of its requests in one transaction | the same |
//! | `/api/v1/webhooks` | webhooks of companies | the same |
//! | `/api/v1/unsubscribe` | where links in mails lead by which a topic is refused | whoever has the link |
//! | `/api/v1/push` | the key that browsers need for messages to them | anybody |
//! | `/storage/v1/upload/resumable` | uploads that go on where they broke off; errors keep their statuses | the same, or whoever has a link |
//! | `/storage/v1/s3` | the same as programs of S3 ask for it, in their XML | whoever signs with a key that the server knows |
//! | `/api/v1/s3-keys` | keys to sign with | a principal, by [`auth::layer`] |
//! | `/api/v1/exports` | files of rows; one is fetched by its link | the same, or whoever has the link |
//! | `/api/v1/imports` | files that become rows, and taking them back | the same |
//! | `/api/gdpr` | what is known of a person, and erasing him | the same, or whoever has the link of a file |
//! | `/api/v1/suppliers` | secrets of suppliers, and what they offer | the same |
//! | `/storage/v1` | buckets and objects; errors have the shape of its clients | the same, whoever has a link, or anybody where it is public |
//! | `/functions/v1` | nothing: clients are told that there is no such function | anybody |
//! | `/webhooks/v1` | what providers tell this server | whoever signs as they do |
//! | `/mailbox` | messages kept instead of sent, in development | the service key |

mod front;
mod functions;
mod numbers;

use std::sync::Arc;

use axum::extract::DefaultBodyLimit;
use axum::{Router, middleware};
use kernel::{Error, Kind};

use crate::backend::Backend;
use crate::health::{self, Health};
use crate::middleware::{METHOD_NOT_ALLOWED, ROUTE_NOT_FOUND, route_into_response};

pub(crate) use front::Front;
pub(crate) use numbers::Numbers;

/// What the routes work with.
pub(crate) struct Mounts {
    pub(crate) front: Front,
    pub(crate) numbers: Numbers,
    pub(crate) health: Arc<Health>,
    pub(crate) backend: Backend,
    /// Whether sign-in is all that is served.
    pub(crate) auth_alone: bool,
}

/// Returns all routes.
pub(crate) fn router(mounts: Mounts) -> Router {
    let Mounts { front, numbers, health, backend, auth_alone } = mounts;
    let routes = Router::new()
        .merge(front::router(front))
        .merge(numbers::router(numbers))
        .merge(health::router(health))
        .merge(backend.well_known_routes());
    let routes = if auth_alone {
        routes
    } else {
        routes
            .nest("/scim/v2", backend.scim_routes())
            .nest("/rest/v1", backend.data_api_routes())
            .nest("/rest/v1/", backend.data_api_root())
            .nest("/realtime/v1", backend.realtime_routes())
            .nest("/batch/v1", backend.batch_routes())
            .nest("/api/v1/webhooks", backend.webhook_routes())
            .nest("/api/v1/unsubscribe", backend.unsubscribe_routes())
            .nest("/api/v1/push", backend.push_routes())
            .nest("/api/v1/exports", backend.export_routes())
            .nest("/api/v1/imports", backend.import_routes())
            .nest("/api/gdpr", backend.privacy_routes())
            .nest("/api/v1/suppliers", backend.supplier_routes())
            .nest("/storage/v1", backend.storage_routes())
            .nest("/storage/v1/upload/resumable", backend.resumable_routes())
            .nest("/storage/v1/s3", backend.s3_routes())
            .nest("/storage/v1/s3/", backend.s3_root())
            .nest("/api/v1/s3-keys", backend.s3_key_routes())
            .nest("/webhooks/v1", backend.inbound_routes())
            .merge(functions::router())
    };
    let routes = match backend.mailbox_routes() {
        Some(mailbox) => routes.nest("/mailbox", mailbox),
        None => routes,
    };
    let auth = backend.auth_routes();
    let routes = match backend.auth_path() {
        // What nothing else has is sign-in's, and so is the answer to what nobody has.
        "" => routes.layer(middleware::from_fn(route_into_response)).fallback_service(auth.layer(middleware::from_fn(route_into_response))),
        path => routes
            .nest(path, auth)
            .layer(middleware::from_fn(route_into_response))
            .fallback(|| async { Error::new(Kind::NotFound, ROUTE_NOT_FOUND, "There is nothing at this path") }),
    };
    routes
        .method_not_allowed_fallback(|| async { Error::new(Kind::Status(405), METHOD_NOT_ALLOWED, "This path does not have that method") })
        // The edge has the limit, for every route.
        .layer(DefaultBodyLimit::disable())
}
