//! Making links: to read one object or many, and to write one.
//!
//! Invariant: nobody has a link made to what he may not read, or to where he may not write, himself; a guest's ends with what let him in.

use axum::Json;
use axum::body::Body;
use axum::extract::State;
use http::HeaderMap;
use kernel::{Error, Kind, Result};
use serde::Deserialize;
use serde_json::{Value, json};

use super::input::{InBucket, Named, json as read};
use crate::signing::{Link, Use};
use crate::{Caller, Storage, Upload, lenient};

/// How long a link is good, and for what.
#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct Wanted {
    #[serde(default, deserialize_with = "lenient::number")]
    expires_in: Option<i64>,
    #[serde(default)]
    transform: Option<Value>,
    #[serde(default)]
    paths: Vec<String>,
}

pub(super) async fn sign(State(storage): State<Storage>, caller: Caller, Named { bucket, name }: Named, body: Body) -> Result<Json<Value>> {
    let wanted: Wanted = read(&storage, body).await?;
    let seconds = storage.link_seconds(&caller, seconds(&storage, wanted.expires_in)?).await?;
    let transformations = made_of_it(&storage, wanted.transform)?;
    storage.info(&caller, &bucket, &name).await?;
    let mut link = Link::reading(&bucket, &name, storage.now(), seconds);
    link.transformations = transformations;
    Ok(Json(json!({ "signedURL": address(&storage, &link)? })))
}

pub(super) async fn sign_many(
    State(storage): State<Storage>,
    caller: Caller,
    InBucket(bucket): InBucket,
    body: Body,
) -> Result<Json<Vec<Value>>> {
    let wanted: Wanted = read(&storage, body).await?;
    let seconds = storage.link_seconds(&caller, seconds(&storage, wanted.expires_in)?).await?;
    let names_max = storage.config().names_max;
    if wanted.paths.is_empty() || wanted.paths.len() > names_max {
        return Err(Error::new(Kind::BadRequest, "InvalidRequest", format!("paths: allowed are 1 to {names_max} names")));
    }
    let there = storage.readable(&caller, &bucket, &wanted.paths).await?;
    let one = |name: &String| {
        if !there.contains(name) {
            let error = "Either the object does not exist or you do not have access to it";
            return Ok(json!({ "error": error, "path": name, "signedURL": null }));
        }
        let link = Link::reading(&bucket, name, storage.now(), seconds);
        Ok(json!({ "error": null, "path": name, "signedURL": address(&storage, &link)? }))
    };
    wanted.paths.iter().map(one).collect::<Result<_>>().map(Json)
}

pub(super) async fn sign_upload(
    State(storage): State<Storage>,
    caller: Caller,
    Named { bucket, name }: Named,
    headers: HeaderMap,
) -> Result<Json<Value>> {
    let upsert = headers.get("x-upsert").is_some_and(|said| said == "true");
    storage.admit_somehow(&caller, &upload(&bucket, &name, upsert)).await?;
    let seconds = storage.link_seconds(&caller, storage.config().upload_link_time_s).await?;
    let mut link = Link::reading(&bucket, &name, storage.now(), seconds);
    link.for_use = Use::Write;
    link.upsert = upsert;
    link.owner = caller.owner();
    let token = storage.sign(&link)?;
    Ok(Json(json!({ "url": format!("/object/upload/sign/{}?token={token}", link.url), "token": token })))
}

/// Returns what is to be made of an image, if anything is: its own format alone is the object itself.
fn made_of_it(storage: &Storage, transform: Option<Value>) -> Result<Option<Value>> {
    let Some(transform) = transform.filter(|transform| !transform.is_null()) else { return Ok(None) };
    let asked = serde_json::from_value::<crate::image::Asked>(transform.clone());
    let asked = asked
        .map_err(|error| Error::new(Kind::BadRequest, "InvalidRequest", "transform says what is made of an image").with_source(error))?;
    asked.parse(&storage.config().images)?;
    let changes = |fields: &serde_json::Map<String, Value>| fields.iter().any(|(name, value)| name != "format" || value != "origin");
    Ok(Some(transform).filter(|transform| transform.as_object().is_some_and(changes)))
}

/// Returns an upload of which nothing but its place is known yet.
fn upload(bucket: &str, name: &str, upsert: bool) -> Upload {
    Upload {
        bucket: bucket.to_owned(),
        name: name.to_owned(),
        content_type: String::new(),
        cache_control: String::new(),
        user_metadata: None,
        upsert,
        length: None,
        again: None,
    }
}

/// The clients encode what they get: a name stands here as it is.
fn address(storage: &Storage, link: &Link) -> Result<String> {
    let token = storage.sign(link)?;
    let place = if link.transformations.is_some() { "/render/image/sign" } else { "/object/sign" };
    Ok(format!("{place}/{}?token={token}", link.url))
}

fn seconds(storage: &Storage, expires_in: Option<i64>) -> Result<u64> {
    let most = storage.config().link_time_s;
    match expires_in.and_then(|seconds| u64::try_from(seconds).ok()).filter(|seconds| (1..=most).contains(seconds)) {
        Some(seconds) => Ok(seconds),
        None => Err(Error::new(Kind::BadRequest, "InvalidRequest", format!("expiresIn: allowed is 1 to {most} seconds"))),
    }
}
