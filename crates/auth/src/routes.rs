//! Every route under /auth/v1, on one page.

use axum::Router;
use axum::extract::DefaultBodyLimit;
use axum::middleware::from_fn;
use axum::routing::{get, post};

use crate::{Auth, admin, companies, documents, errors, sessions, unavailable, users};

/// Returns the routes, to be mounted at `/auth/v1`.
pub fn router(auth: Auth) -> Router {
    let body_bytes_max = auth.config().body_bytes_max;
    let router = Router::new()
        .route("/signup", post(users::signup))
        .route("/token", post(sessions::token))
        .route("/logout", post(sessions::logout))
        .route("/user", get(users::get).put(users::put))
        .route("/company", post(companies::choose))
        .route("/settings", get(documents::settings))
        .route("/health", get(documents::health))
        .route("/.well-known/jwks.json", get(documents::jwks))
        .route("/admin/users", get(admin::list).post(admin::create))
        .route("/admin/users/{id}", get(admin::get).put(admin::update).delete(admin::delete));
    unavailable::add(router)
        .fallback(errors::not_found)
        .method_not_allowed_fallback(errors::wrong_method)
        .layer(DefaultBodyLimit::max(body_bytes_max))
        .layer(from_fn(errors::shape))
        .with_state(auth)
}
