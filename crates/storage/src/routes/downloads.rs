//! Fetching objects: as whoever may read them, by a link, or because their bucket is public.

use axum::Json;
use axum::extract::{Query, State};
use axum::response::Response;
use http::request::Parts;
use kernel::{Error, Kind, Result, Subject};
use serde_json::{Value, json};

use super::input::{Named, Wish};
use crate::serving::Asked;
use crate::{Caller, Storage};

pub(super) async fn one(
    State(storage): State<Storage>,
    caller: Caller,
    Named { bucket, name }: Named,
    Query(wish): Query<Wish>,
    parts: Parts,
) -> Result<Response> {
    let object = storage.info_of(&caller, &bucket, &name, wish.version.as_deref()).await?;
    storage.serve(object, &asked(wish, parts)).await
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
    storage.read_link(wish.token.as_deref().unwrap_or_default(), &bucket, &name)?.of_the_whole()?;
    let object = storage.info_for_all(&bucket, &name, false, None).await?;
    storage.serve(object, &asked(Wish { version: None, ..wish }, parts)).await
}

/// Nothing of ours is between us and the client that keeps anything: there is nothing to forget.
pub(super) async fn forget(caller: Caller) -> Result<Json<Value>> {
    if !matches!(caller.grant().principal().subject(), Subject::Service) {
        return Err(Error::new(Kind::Forbidden, "AccessDenied", "This needs the service key"));
    }
    Ok(Json(json!({ "message": "success" })))
}

fn asked(wish: Wish, parts: Parts) -> Asked {
    Asked { download: wish.download, is_versioned: wish.version.is_some(), ..Asked::new(&parts.method, parts.headers) }
}
