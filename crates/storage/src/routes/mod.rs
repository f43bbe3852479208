//! `/storage/v1`: buckets, objects and links, as the official clients ask for them.
//!
//! Invariant: what stands in [`router`] is asked for as whoever shows a token; what stands in [`open_router`] is for everybody, since a link
//! or a public bucket says so.

mod buckets;
mod downloads;
mod input;
mod links;
mod objects;
mod uploads;

use axum::Router;
use axum::routing::{delete, get, post, put};
use kernel::{Error, Kind};

use crate::Storage;
pub use downloads::strangers;
pub(crate) use uploads::{drain, pieces};

/// Returns the routes that need a `Principal` in the request's extensions, to be mounted at `/storage/v1`.
pub fn router(storage: Storage) -> Router {
    Router::new()
        .route("/bucket", get(buckets::list).post(buckets::create))
        .route("/bucket/{bucket}", get(buckets::one).put(buckets::update).delete(buckets::remove))
        .route("/bucket/{bucket}/empty", post(buckets::empty))
        .route("/object/list/{bucket}", post(objects::list))
        .route("/object/list-v2/{bucket}", post(objects::list_by_key))
        .route("/object/info/{bucket}/{*name}", get(objects::info))
        .route("/object/move", post(objects::move_object))
        .route("/object/copy", post(objects::copy))
        .route("/object/restore/{bucket}/{*name}", post(objects::restore))
        .route("/object/sign/{bucket}", post(links::sign_many))
        .route("/object/sign/{bucket}/{*name}", post(links::sign))
        .route("/object/upload/sign/{bucket}/{*name}", post(links::sign_upload))
        .route("/object/authenticated/{bucket}/{*name}", get(downloads::authenticated))
        .route("/object/{bucket}", delete(objects::remove))
        .route("/object/{bucket}/{*name}", get(downloads::one).post(uploads::create).put(uploads::replace).delete(objects::remove_one))
        .route("/cdn/{bucket}", delete(downloads::forget))
        .route("/cdn/{bucket}/{*name}", delete(downloads::forget))
        .method_not_allowed_fallback(wrong_method)
        .with_state(storage)
}

/// Returns the routes for whoever has a link, and to what is public, to be mounted beside [`router`].
pub fn open_router(storage: Storage) -> Router {
    Router::new()
        .route("/object/public/{bucket}/{*name}", get(downloads::public))
        .route("/object/info/public/{bucket}/{*name}", get(downloads::public_info))
        .route("/object/sign/{bucket}/{*name}", get(downloads::linked))
        .route("/object/upload/sign/{bucket}/{*name}", put(uploads::linked))
        .with_state(storage)
}

/// Answers what has no route.
pub async fn no_route() -> Error {
    Error::new(Kind::NotFound, "route_not_found", "There is nothing at this path")
}

/// Answers what a route does not do.
async fn wrong_method() -> Error {
    Error::new(Kind::Status(405), "method_not_allowed", "This path does not have that method")
}
