//! The routes of files, and of work over many rows: what each of them needs in front of it.
//!
//! Invariant: whoever has no token reaches nothing here but what is public, what a link opens, and what is signed.

use axum::{Router, middleware};

use super::{Backend, rates};

impl Backend {
    /// Returns the routes of buckets and objects. Links and what is public are for whoever has the address.
    pub(crate) fn storage_routes(&self) -> Router {
        let (storage, images) = (self.0.storage.clone(), self.0.storage.images().clone());
        let open = storage::open_router(storage.clone()).merge(storage::image::open_router(storage.clone(), images.clone()));
        let open = open.layer(middleware::from_fn_with_state(self.0.limiter.clone(), rates::visits));
        let known = self.guarded(storage::router(storage.clone()).merge(storage::image::router(storage.clone(), images)));
        let routes = known.layer(middleware::from_fn_with_state(storage, storage::strangers)).merge(open);
        routes.fallback(storage::no_route).layer(middleware::map_response(storage::shape))
    }

    /// Returns the routes of uploads that go on where they broke off.
    pub(crate) fn resumable_routes(&self) -> Router {
        self.guarded(storage::tus_router(self.0.storage.clone())).layer(middleware::map_response(storage::tus_as_text))
    }

    /// Returns the routes for programs of S3, who sign what they ask.
    pub(crate) fn s3_routes(&self) -> Router {
        storage::s3_router(self.0.storage.clone()).layer(middleware::from_fn_with_state(self.0.limiter.clone(), rates::visits))
    }

    /// Returns the route where they list buckets.
    pub(crate) fn s3_root(&self) -> Router {
        storage::s3_root(self.0.storage.clone()).layer(middleware::from_fn_with_state(self.0.limiter.clone(), rates::visits))
    }

    /// Returns the routes of the keys that they sign with.
    pub(crate) fn s3_key_routes(&self) -> Router {
        self.guarded(storage::s3_keys_router(self.0.storage.clone()))
    }

    /// Returns the routes of exports. Whoever has a link fetches without a token.
    pub(crate) fn export_routes(&self) -> Router {
        self.guarded(transfers::exports_router(self.0.transfers.clone()))
    }

    /// Returns the routes of what is known of people. Whoever has a link to a file fetches it without a token.
    pub(crate) fn privacy_routes(&self) -> Router {
        self.guarded(transfers::privacy_router(self.0.transfers.clone()))
    }

    /// Returns the routes of suppliers.
    pub(crate) fn supplier_routes(&self) -> Router {
        self.guarded(transfers::suppliers_router(self.0.transfers.clone()))
    }

    /// Returns the routes of imports.
    pub(crate) fn import_routes(&self) -> Router {
        self.guarded(transfers::imports_router(self.0.transfers.clone()))
    }
}
