//! SCIM 2.0 (RFC 7643, RFC 7644) at /scim/v2: a company's directory provisions its members and their groups.
//!
//! Invariant: a token names one company, and every statement names that one; the directory says who is a member and what groups make of
//! him, and lets nobody into an account. A member who is not active any more is refused at his next request, as the opening statement of
//! every transaction reads his row.

pub(crate) mod config;
pub(crate) mod tokens;

mod answer;
mod client;
mod condition;
mod discovery;
mod error;
mod filter;
mod groups;
mod intake;
mod invitation;
mod members;
mod names;
mod patch;
mod person;
mod request;
mod rows;
mod schema;
mod search;
mod secret;
mod users;

use axum::Router;
use axum::extract::{DefaultBodyLimit, State};
use axum::middleware::from_fn;
use axum::response::Response;
use axum::routing::{get, post};
use http::StatusCode;
use http::request::Parts;
use postgres::Access;

use answer::json_response;
use client::Directory;
use error::{Outcome, Refused};
use request::Json;
use schema::ResourceKind;
use search::Search;

use crate::{Auth, origin};

/// Returns the routes, to be mounted at `/scim/v2`.
pub fn router(auth: Auth) -> Router {
    Router::new()
        .route("/ServiceProviderConfig", get(discovery::provider))
        .route("/ResourceTypes", get(discovery::resource_types))
        .route("/ResourceTypes/{id}", get(discovery::one_resource_type))
        .route("/Schemas", get(discovery::schemas))
        .route("/Schemas/{id}", get(discovery::one_schema))
        .route("/Users", get(list_users).post(users::create))
        .route("/Users/.search", post(search_users))
        .route("/Users/{id}", get(users::get).put(users::replace).patch(users::patch).delete(users::delete))
        .route("/Groups", get(list_groups).post(groups::create))
        .route("/Groups/.search", post(search_groups))
        .route("/Groups/{id}", get(groups::get).put(groups::replace).patch(groups::patch).delete(groups::delete))
        .route("/.search", post(search_all))
        .route("/Me", get(no_one).post(no_one).put(no_one).patch(no_one).delete(no_one))
        .route("/Bulk", post(no_bulk))
        .fallback(no_endpoint)
        .method_not_allowed_fallback(no_method)
        .layer(DefaultBodyLimit::max(auth.config().scim.body_bytes_max))
        .layer(from_fn(origin::remember))
        .with_state(auth)
}

/// Returns the address of /scim/v2.
fn base(auth: &Auth) -> String {
    format!("{}/scim/v2", auth.issuer().trim_end_matches("/auth/v1"))
}

async fn list_users(State(auth): State<Auth>, directory: Directory, parts: Parts) -> Outcome<Response> {
    list(&auth, directory, (&parts, ResourceKind::User)).await
}

async fn list_groups(State(auth): State<Auth>, directory: Directory, parts: Parts) -> Outcome<Response> {
    list(&auth, directory, (&parts, ResourceKind::Group)).await
}

async fn search_users(State(auth): State<Auth>, directory: Directory, Json(body): Json) -> Outcome<Response> {
    search(&auth, directory, (body, &[ResourceKind::User])).await
}

async fn search_groups(State(auth): State<Auth>, directory: Directory, Json(body): Json) -> Outcome<Response> {
    search(&auth, directory, (body, &[ResourceKind::Group])).await
}

async fn search_all(State(auth): State<Auth>, directory: Directory, Json(body): Json) -> Outcome<Response> {
    search(&auth, directory, (body, &[ResourceKind::User, ResourceKind::Group])).await
}

async fn list(auth: &Auth, directory: Directory, (parts, kind): (&Parts, ResourceKind)) -> Outcome<Response> {
    let query = request::query(parts)?;
    let selection = answer::Selection::of_query(query.attributes.as_deref(), query.excluded_attributes.as_deref());
    found(auth, directory, (&Search::read(&auth.config().scim, query, selection)?, &[kind])).await
}

async fn search(auth: &Auth, directory: Directory, (body, kinds): (serde_json::Value, &[ResourceKind])) -> Outcome<Response> {
    let body: search::Body = request::parse(body)?;
    let (query, selection) = body.into();
    found(auth, directory, (&Search::read(&auth.config().scim, query, selection)?, kinds)).await
}

async fn found(auth: &Auth, directory: Directory, (search, kinds): (&Search, &[ResourceKind])) -> Outcome<Response> {
    let tx = directory.begin(auth, Access::Read).await?;
    let body = search.run(&tx, directory.company, (kinds, &base(auth))).await?;
    tx.commit().await?;
    Ok(json_response(StatusCode::OK, &body))
}

/// A directory is no user.
async fn no_one(_: Directory) -> Refused {
    Refused::new(StatusCode::NOT_IMPLEMENTED, "The token stands for a directory and not for a user")
}

async fn no_bulk(_: Directory) -> Refused {
    Refused::new(StatusCode::NOT_IMPLEMENTED, "Bulk requests are not taken; ServiceProviderConfig says so")
}

async fn no_endpoint() -> Refused {
    Refused::new(StatusCode::NOT_FOUND, "There is no such endpoint")
}

async fn no_method() -> Refused {
    Refused::new(StatusCode::METHOD_NOT_ALLOWED, "This endpoint does not know this method")
}
