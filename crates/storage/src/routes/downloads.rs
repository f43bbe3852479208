//! Fetching objects: as whoever may read them, by a link, or because their bucket is public.

use axum::Json;
use axum::extract::{MatchedPath, Query, Request, State};
use axum::middleware::Next;
use axum::response::{IntoResponse as _, Response};
use http::request::Parts;
use http::{Method, StatusCode};
use kernel::{Error, Kind, Result, Subject};
use serde_json::{Value, json};

use super::input::{Named, Wish, is_known};
use crate::objects::Object;
use crate::serving::Asked;
use crate::{Caller, Storage, failure};

pub(super) async fn one(
    State(storage): State<Storage>,
    caller: Caller,
    Named { bucket, name }: Named,
    Query(wish): Query<Wish>,
    parts: Parts,
) -> Result<Response> {
    let is_known = is_known(&parts.headers);
    let object = storage.info_of_any(&caller, (&bucket, &name), (wish.version.as_deref(), is_known)).await?;
    serve_known(&storage, object, wish, parts).await
}

/// Where a public bucket is read like any other, by whoever says who he is.
pub(super) async fn authenticated(
    State(storage): State<Storage>,
    caller: Caller,
    Named { bucket, name }: Named,
    Query(wish): Query<Wish>,
    parts: Parts,
) -> Result<Response> {
    let version = wish.version.as_deref();
    let object = if is_known(&parts.headers) {
        storage.info_of_any(&caller, (&bucket, &name), (version, true)).await?
    } else {
        storage.info_of(&caller, &bucket, &name, version).await.map_err(hidden)?
    };
    serve_known(&storage, object, wish, parts).await
}

/// Of what is not there it is not told whether its bucket is. What fails is no such answer.
fn hidden(error: Error) -> Error {
    if matches!(error.code(), "NoSuchKey" | "NoSuchBucket") { failure::no_such_bucket() } else { error }
}

/// The middleware of what stands in `router`: a token that is not good hides nothing of what is public, and opens nothing else.
pub async fn strangers(
    State(storage): State<Storage>,
    route: Option<MatchedPath>,
    (named, wish): (Result<Named>, std::result::Result<Query<Wish>, axum::extract::rejection::QueryRejection>),
    request: Request,
    next: Next,
) -> Response {
    let route = route.as_ref().map_or("", MatchedPath::as_str);
    let (is_info, is_object) = (route.ends_with("/object/info/{bucket}/{*name}"), route.ends_with("/object/{bucket}/{*name}"));
    let is_read = matches!(*request.method(), Method::GET | Method::HEAD) && (is_info || is_object);
    let (true, Ok(named), Ok(wish)) = (is_read, named, wish) else { return next.run(request).await };
    let asked = Asked { is_public: true, ..Asked::new(request.method(), request.headers().clone()) };
    let response = next.run(request).await;
    if response.status() != StatusCode::UNAUTHORIZED {
        return response;
    }
    let found = storage.info_for_all(&named.bucket, &named.name, true, wish.version.as_deref()).await;
    let answer = match found {
        Ok(object) if is_info => Ok(Json(object.info()).into_response()),
        Ok(object) => {
            let asked = Asked { download: wish.0.download, is_versioned: wish.0.version.is_some(), ..asked };
            storage.serve(object, &asked).await
        }
        Err(error) => Err(error),
    };
    answer.unwrap_or_else(Error::into_response)
}

pub(super) async fn public(
    State(storage): State<Storage>,
    Named { bucket, name }: Named,
    Query(wish): Query<Wish>,
    parts: Parts,
) -> Result<Response> {
    let object = storage.info_for_all(&bucket, &name, true, wish.version.as_deref()).await?;
    let asked = Asked { is_public: true, ..asked(wish, parts) };
    storage.serve(object, &asked).await
}

pub(super) async fn public_info(State(storage): State<Storage>, Named { bucket, name }: Named) -> Result<Json<Value>> {
    storage.info_for_all(&bucket, &name, true, None).await.map(|object| Json(object.info()))
}

pub(super) async fn linked(
    State(storage): State<Storage>,
    Named { bucket, name }: Named,
    Query(wish): Query<Wish>,
    parts: Parts,
) -> Result<Response> {
    let link = storage.read_link(wish.token.as_deref().unwrap_or_default(), &bucket, &name)?.of_the_whole()?;
    let object = storage.info_for_all(&bucket, &name, false, None).await?;
    let asked = Asked { until: Some(link.ends()), ..asked(Wish { version: None, ..wish }, parts) };
    storage.serve(object, &asked).await
}

/// Nothing of ours is between us and the client that keeps anything: there is nothing to forget.
pub(super) async fn forget(caller: Caller) -> Result<Json<Value>> {
    if !matches!(caller.grant().principal().subject(), Subject::Service) {
        return Err(Error::new(Kind::Forbidden, "AccessDenied", "This needs the service key"));
    }
    Ok(Json(json!({ "message": "success" })))
}

async fn serve_known(storage: &Storage, object: Object, wish: Wish, parts: Parts) -> Result<Response> {
    let asked = Asked { is_public: object.is_public, ..asked(wish, parts) };
    storage.serve(object, &asked).await
}

fn asked(wish: Wish, parts: Parts) -> Asked {
    Asked { download: wish.download, is_versioned: wish.version.is_some(), ..Asked::new(&parts.method, parts.headers) }
}
