//! Objects without their bytes: lists, what is known of one, other names, copies, removing and bringing back.

use axum::Json;
use axum::body::Body;
use axum::extract::{Query, State};
use http::HeaderMap;
use kernel::Result;
use serde::Deserialize;
use serde_json::{Value, json};

use super::input::{InBucket, Named, Wish, is_known, json as read, keeping, said_of_it};
use crate::objects::{Instead, Listing, ListingByKey, Transport};
use crate::{Caller, Storage, lenient};

/// From where to where.
#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct Wanted {
    bucket_id: String,
    source_key: String,
    destination_key: String,
    #[serde(default, deserialize_with = "lenient::some_text")]
    destination_bucket: Option<String>,
    #[serde(default)]
    metadata: Option<Facts>,
    #[serde(default, deserialize_with = "lenient::boolean")]
    copy_metadata: Option<bool>,
}

/// What a copy is said to be.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(rename_all = "camelCase")]
struct Facts {
    #[serde(default, deserialize_with = "lenient::some_text")]
    cache_control: Option<String>,
    #[serde(default, deserialize_with = "lenient::some_text")]
    mimetype: Option<String>,
}

/// Names to remove.
#[derive(Deserialize)]
pub(super) struct Names {
    prefixes: Vec<String>,
}

impl Wanted {
    fn transport(&self) -> Transport {
        Transport {
            bucket: self.bucket_id.clone(),
            name: self.source_key.clone(),
            to_bucket: self.destination_bucket.clone().unwrap_or_else(|| self.bucket_id.clone()),
            to_name: self.destination_key.clone(),
        }
    }
}

pub(super) async fn list(
    State(storage): State<Storage>,
    caller: Caller,
    InBucket(bucket): InBucket,
    body: Body,
) -> Result<Json<Vec<Value>>> {
    let listing: Listing = read(&storage, body).await?;
    storage.list(&caller, &bucket, &listing).await.map(Json)
}

pub(super) async fn list_by_key(
    State(storage): State<Storage>,
    caller: Caller,
    InBucket(bucket): InBucket,
    body: Body,
) -> Result<Json<Value>> {
    let listing: ListingByKey = read(&storage, body).await?;
    storage.list_by_key(&caller, &bucket, &listing).await.map(Json)
}

/// Clients of some time ago write `authenticated` before the bucket.
pub(super) async fn info(
    State(storage): State<Storage>,
    caller: Caller,
    Named { bucket, name }: Named,
    headers: HeaderMap,
) -> Result<Json<Value>> {
    let (bucket, name) = match (bucket.as_str(), name.split_once('/')) {
        ("authenticated", Some((bucket, name))) => (bucket, name),
        _ => (bucket.as_str(), name.as_str()),
    };
    let object = storage.info_of_any(&caller, (bucket, name), (None, is_known(&headers))).await?;
    Ok(Json(object.info()))
}

pub(super) async fn move_object(State(storage): State<Storage>, caller: Caller, body: Body) -> Result<Json<Value>> {
    let transport = read::<Wanted>(&storage, body).await?.transport();
    let id = storage.move_object(&caller, &transport).await?;
    let key = format!("{}/{}", transport.to_bucket, transport.to_name);
    Ok(Json(json!({ "message": "Successfully moved", "Id": id, "Key": key })))
}

pub(super) async fn copy(State(storage): State<Storage>, caller: Caller, headers: HeaderMap, body: Body) -> Result<Json<Value>> {
    let wanted: Wanted = read(&storage, body).await?;
    let upsert = headers.get("x-upsert").is_some_and(|said| said == "true");
    let instead = match wanted.copy_metadata {
        Some(false) => {
            let Facts { cache_control, mimetype } = wanted.metadata.clone().unwrap_or_default();
            let cache_control = cache_control.map(|said| keeping(&said));
            Some(Instead { content_type: mimetype, cache_control, user_metadata: said_of_it(&storage, &headers)? })
        }
        _ => None,
    };
    let stored = storage.copy(&caller, &wanted.transport(), upsert, instead).await?;
    let mut said = storage.row_of(stored.id).await?;
    if let Some(said) = said.as_object_mut() {
        said.insert("Id".to_owned(), json!(stored.id));
        said.insert("Key".to_owned(), format!("{}/{}", stored.bucket, stored.name).into());
    }
    Ok(Json(said))
}

pub(super) async fn remove(
    State(storage): State<Storage>,
    caller: Caller,
    InBucket(bucket): InBucket,
    body: Body,
) -> Result<Json<Vec<Value>>> {
    let Names { prefixes } = read(&storage, body).await?;
    storage.remove(&caller, &bucket, &prefixes).await.map(Json)
}

pub(super) async fn remove_one(State(storage): State<Storage>, caller: Caller, Named { bucket, name }: Named) -> Result<Json<Value>> {
    storage.remove_one(&caller, &bucket, &name).await?;
    Ok(Json(json!({ "message": "Successfully deleted" })))
}

/// Brings an object back, or one of its former versions.
pub(super) async fn restore(
    State(storage): State<Storage>,
    caller: Caller,
    Named { bucket, name }: Named,
    Query(Wish { version, .. }): Query<Wish>,
) -> Result<Json<Value>> {
    let stored = storage.restore(&caller, &bucket, &name, version.as_deref()).await?;
    Ok(Json(json!({ "Id": stored.id, "Key": format!("{}/{}", stored.bucket, stored.name), "version": stored.version })))
}
