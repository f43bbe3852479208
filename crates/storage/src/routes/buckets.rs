//! `/bucket`: what buckets there are, and what they allow.

use axum::Json;
use axum::body::Body;
use axum::extract::{Query, State};
use kernel::{Error, Kind, Result};
use serde_json::{Value, json};

use super::input::{InBucket, json as read};
use crate::buckets::{Shown, Wanted};
use crate::{Bucket, Caller, Storage};

pub(super) async fn list(
    State(storage): State<Storage>,
    caller: Caller,
    shown: std::result::Result<Query<Shown>, axum::extract::rejection::QueryRejection>,
) -> Result<Json<Vec<Bucket>>> {
    let Query(shown) =
        shown.map_err(|error| Error::new(Kind::BadRequest, "InvalidRequest", "limit and offset are numbers").with_source(error))?;
    storage.buckets(&caller, &shown).await.map(Json)
}

pub(super) async fn one(State(storage): State<Storage>, caller: Caller, InBucket(bucket): InBucket) -> Result<Json<Bucket>> {
    storage.bucket(&caller, &bucket).await.map(Json)
}

pub(super) async fn create(State(storage): State<Storage>, caller: Caller, body: Body) -> Result<Json<Value>> {
    let wanted: Wanted = read(&storage, body).await?;
    let name = storage.create_bucket(&caller, &wanted).await?;
    Ok(Json(json!({ "name": name })))
}

pub(super) async fn update(State(storage): State<Storage>, caller: Caller, InBucket(bucket): InBucket, body: Body) -> Result<Json<Value>> {
    let wanted: Wanted = read(&storage, body).await?;
    storage.update_bucket(&caller, &bucket, &wanted).await?;
    Ok(Json(json!({ "message": "Successfully updated" })))
}

pub(super) async fn remove(State(storage): State<Storage>, caller: Caller, InBucket(bucket): InBucket) -> Result<Json<Value>> {
    storage.delete_bucket(&caller, &bucket).await?;
    Ok(Json(json!({ "message": "Successfully deleted" })))
}

/// The rows go now, the bytes with the next look for what is to go.
pub(super) async fn empty(State(storage): State<Storage>, caller: Caller, InBucket(bucket): InBucket) -> Result<Json<Value>> {
    storage.bucket(&caller, &bucket).await?;
    storage.empty(&caller, &bucket).await?;
    Ok(Json(json!({ "message": "Empty bucket has been queued. Completion may take up to an hour." })))
}
