//! `/admin/oauth/clients`: programs of others in the hands of the service key.
//!
//! Invariant: each route takes [`Administrator`]; a secret is answered by the request that made it and by no other.

use axum::Json;
use axum::extract::{Path, State};
use axum::response::{IntoResponse, Response};
use http::header::LINK;
use http::{HeaderValue, StatusCode};
use kernel::{Error, Kind, Result};
use postgres::Access;
use serde::Deserialize;
use serde_json::{Value, json};
use uuid::Uuid;

use super::clients::{Client, Fault, Wish, hash, new_secret};
use super::queries::{self, NewClient};
use super::required;
use crate::Auth;
use crate::errors::bad_request;
use crate::input::{Administrator, Body, Params};
use crate::tokens::AUDIENCE;

const PER_PAGE: i64 = 50;
const PER_PAGE_MAX: i64 = 1000;

/// The query of the list. Clients send both without a value when nobody chose one.
#[derive(Default, Deserialize)]
#[serde(default)]
pub(crate) struct Page {
    page: String,
    per_page: String,
}

pub(crate) async fn list(State(auth): State<Auth>, admin: Administrator, Params(page): Params<Page>) -> Result<Response> {
    required(&auth)?;
    let read = |text: &str, default: i64| if text.is_empty() { Some(default) } else { text.parse().ok() };
    let number = read(&page.page, 1).filter(|number| (1..=i64::MAX / PER_PAGE_MAX).contains(number));
    let size = read(&page.per_page, PER_PAGE).filter(|size| (1..=PER_PAGE_MAX).contains(size));
    let (Some(number), Some(size)) = (number, size) else {
        return Err(bad_request("validation_failed", "page must be at least 1, per_page 1 to 1000"));
    };
    let tx = auth.begin_as(&admin.0, Access::Read).await?;
    let (clients, total) = queries::list(&tx, size, (number - 1) * size).await?;
    tx.commit().await?;
    let clients: Vec<Value> = clients.iter().map(|client| client.document(None)).collect();
    let mut response = Json(json!({ "clients": clients, "aud": AUDIENCE })).into_response();
    let headers = response.headers_mut();
    headers.insert("x-total-count", HeaderValue::from(total));
    headers.insert(LINK, HeaderValue::try_from(links(number, size, total)).map_err(Error::internal)?);
    Ok(response)
}

/// Clients find the number of a page behind the first `=`.
fn links(number: i64, size: i64, total: i64) -> String {
    let last = ((total + size - 1) / size).max(1);
    let link = |page: i64, name: &str| format!("</admin/oauth/clients?page={page}&per_page={size}>; rel=\"{name}\"");
    if number < last { format!("{}, {}", link(number + 1, "next"), link(last, "last")) } else { link(last, "last") }
}

pub(crate) async fn create(State(auth): State<Auth>, admin: Administrator, Body(wish): Body<Wish>) -> Result<Response> {
    let config = required(&auth)?;
    wish.check(config).map_err(refused)?;
    let auth_method = wish.auth_method().map_err(refused)?;
    if wish.redirect_uris.is_none() {
        return Err(bad_request("validation_failed", "redirect_uris is required"));
    }
    let secret = if auth_method == "none" { None } else { Some(new_secret()?) };
    let secret_hash = secret.as_ref().map(|secret| hash(secret.expose()));
    let new = NewClient { wish: &wish, auth_method, secret_hash, registration: "manual", registered_from: None, now: auth.now() };
    let tx = auth.begin_as(&admin.0, Access::Write).await?;
    let client = queries::create(&tx, new).await?;
    tx.commit().await?;
    tracing::info!(client_id = %client.id, "a program was registered with the service key");
    Ok((StatusCode::CREATED, Json(client.document(secret.as_ref()))).into_response())
}

pub(crate) async fn get(State(auth): State<Auth>, admin: Administrator, Path(id): Path<String>) -> Result<Json<Value>> {
    required(&auth)?;
    let id = client_id(&id)?;
    let tx = auth.begin_as(&admin.0, Access::Read).await?;
    let client = queries::find(&tx, id).await?.ok_or_else(not_found)?;
    tx.commit().await?;
    Ok(Json(client.document(None)))
}

pub(crate) async fn update(
    State(auth): State<Auth>,
    admin: Administrator,
    Path(id): Path<String>,
    Body(wish): Body<Wish>,
) -> Result<Json<Value>> {
    let config = required(&auth)?;
    let id = client_id(&id)?;
    if wish.is_empty() {
        return Err(bad_request("validation_failed", "No fields provided for update"));
    }
    wish.check(config).map_err(refused)?;
    let tx = auth.begin_as(&admin.0, Access::Write).await?;
    let before = queries::find(&tx, id).await?.ok_or_else(not_found)?;
    stays_as_it_is(&before, &wish)?;
    let client = queries::change(&tx, id, &wish, auth.now()).await?.ok_or_else(not_found)?;
    tx.commit().await?;
    tracing::info!(client_id = %id, "a program was changed with the service key");
    Ok(Json(client.document(None)))
}

/// Whether a program can keep a secret is what it is; the way in which it sends it is not.
fn stays_as_it_is(before: &Client, wish: &Wish) -> Result<()> {
    let asked = wish.client_type.is_some() || wish.token_endpoint_auth_method.is_some();
    let is_public = wish.auth_method().map_err(refused)? == "none";
    if asked && is_public != before.is_public() {
        return Err(bad_request("validation_failed", "A program does not change between public and confidential; register another one"));
    }
    Ok(())
}

pub(crate) async fn delete(State(auth): State<Auth>, admin: Administrator, Path(id): Path<String>) -> Result<StatusCode> {
    required(&auth)?;
    let id = client_id(&id)?;
    let tx = auth.begin_as(&admin.0, Access::Write).await?;
    if !queries::delete(&tx, id).await? {
        return Err(not_found());
    }
    tx.commit().await?;
    tracing::info!(client_id = %id, "a program was deleted with the service key");
    Ok(StatusCode::NO_CONTENT)
}

pub(crate) async fn regenerate(State(auth): State<Auth>, admin: Administrator, Path(id): Path<String>) -> Result<Json<Value>> {
    required(&auth)?;
    let id = client_id(&id)?;
    let secret = new_secret()?;
    let tx = auth.begin_as(&admin.0, Access::Write).await?;
    if queries::find(&tx, id).await?.ok_or_else(not_found)?.is_public() {
        return Err(bad_request("validation_failed", "Cannot regenerate secret for public client"));
    }
    let client = queries::change_secret(&tx, id, &hash(secret.expose()), auth.now()).await?.ok_or_else(not_found)?;
    tx.commit().await?;
    tracing::info!(client_id = %id, "a program got another secret with the service key");
    Ok(Json(client.document(Some(&secret))))
}

fn client_id(text: &str) -> Result<Uuid> {
    text.parse().map_err(|error: uuid::Error| bad_request("validation_failed", "client_id must be a UUID").with_source(error))
}

fn not_found() -> Error {
    Error::new(Kind::NotFound, "oauth_client_not_found", "OAuth client not found")
}

fn refused(fault: Fault) -> Error {
    bad_request("validation_failed", fault.message())
}
