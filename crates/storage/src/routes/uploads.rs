//! Uploads: the bytes as the body, or as one part of a form.
//!
//! Invariant: a body is handed on piece by piece. One that is refused is read on for a moment, so that the client gets to the answer.

use std::sync::Arc;
use std::time::Duration;

use axum::Json;
use axum::body::{Body, BodyDataStream};
use axum::extract::{Query, State};
use futures_util::{StreamExt as _, stream};
use http::{HeaderMap, header};
use kernel::{BlobStream, Error, Kind, Result};
use multer::{Constraints, Multipart, SizeLimit};
use serde_json::{Value, json};
use tokio::sync::Mutex;

use super::input::{Named, Wish, keeping, metadata, said_of_it};
use crate::{Caller, Storage, Stored, Upload, failure};

/// How long a body that nobody wants is read.
const DRAIN_TIME: Duration = Duration::from_secs(3);
/// How much of it.
const DRAIN_BYTES: usize = 268_435_456;
/// Bytes of a field that nobody knows.
const UNKNOWN_BYTES: usize = 1_048_576;
/// What is said about keeping where nothing is said.
const UNKEPT: &str = "no-cache";

pub(super) async fn create(
    State(storage): State<Storage>,
    caller: Caller,
    named: Named,
    headers: HeaderMap,
    body: Body,
) -> Result<Json<Value>> {
    let upsert = headers.get("x-upsert").is_some_and(|said| said == "true");
    let stored = take(&storage, &caller, (named, upsert), &headers, body).await?;
    Ok(Json(json!({ "Id": stored.id, "Key": format!("{}/{}", stored.bucket, stored.name) })))
}

pub(super) async fn replace(
    State(storage): State<Storage>,
    caller: Caller,
    named: Named,
    headers: HeaderMap,
    body: Body,
) -> Result<Json<Value>> {
    let stored = take(&storage, &caller, (named, true), &headers, body).await?;
    Ok(Json(json!({ "Id": stored.id, "Key": format!("{}/{}", stored.bucket, stored.name) })))
}

/// Takes an object from whoever has a link to write it.
pub(super) async fn linked(
    State(storage): State<Storage>,
    named: Named,
    Query(wish): Query<Wish>,
    headers: HeaderMap,
    body: Body,
) -> Result<Json<Value>> {
    let link = storage.write_link(wish.token.as_deref().unwrap_or_default(), &named.bucket, &named.name)?;
    let caller = storage.itself("takes an upload by its link").for_owner(link.owner);
    let stored = take(&storage, &caller, (named, link.upsert), &headers, body).await?;
    Ok(Json(json!({ "Key": format!("{}/{}", stored.bucket, stored.name) })))
}

async fn take(storage: &Storage, caller: &Caller, place: (Named, bool), headers: &HeaderMap, body: Body) -> Result<Stored> {
    let body = Arc::new(Mutex::new(body.into_data_stream()));
    let taken = match boundary(headers)? {
        Some(boundary) => Box::pin(take_form(storage, caller, place, (&boundary, Arc::clone(&body)))).await,
        None => Box::pin(take_whole(storage, caller, place, (headers, Arc::clone(&body)))).await,
    };
    if taken.is_err() {
        drain(&body).await;
    }
    taken
}

/// Takes the body as it is.
async fn take_whole(
    storage: &Storage,
    caller: &Caller,
    (Named { bucket, name }, upsert): (Named, bool),
    (headers, body): (&HeaderMap, Arc<Mutex<BodyDataStream>>),
) -> Result<Stored> {
    let said = |name| headers.get(name).and_then(|value: &http::HeaderValue| value.to_str().ok());
    let user_metadata = said_of_it(storage, headers)?;
    let upload = Upload {
        bucket,
        name,
        content_type: said(header::CONTENT_TYPE).unwrap_or("application/octet-stream").to_owned(),
        cache_control: said(header::CACHE_CONTROL).unwrap_or(UNKEPT).to_owned(),
        user_metadata,
        upsert,
        length: said(header::CONTENT_LENGTH).and_then(|length| length.parse().ok()),
        again: None,
    };
    storage.store(caller, upload, pieces(body)).await
}

/// Takes the part of a form that is a file. What stands before it is about it.
async fn take_form(
    storage: &Storage,
    caller: &Caller,
    (Named { bucket, name }, upsert): (Named, bool),
    (boundary, body): (&str, Arc<Mutex<BodyDataStream>>),
) -> Result<Stored> {
    let metadata_max = u64::try_from(storage.config().metadata_bytes_max).unwrap_or(u64::MAX);
    let sizes = SizeLimit::new().for_field("cacheControl", 255).for_field("contentType", 255);
    let sizes = sizes.for_field("metadata", metadata_max).for_field("userMetadata", metadata_max);
    let mut form = Multipart::with_constraints(pieces(body), boundary, Constraints::new().size_limit(sizes));
    let (mut cache_control, mut user_metadata, mut content_type) = (UNKEPT.to_owned(), None, None);
    // Few fields are known; whoever sends many has no file.
    for _ in 0..16 {
        let Some(field) = form.next_field().await.map_err(broken)? else { break };
        let is_file = field.file_name().is_some() || matches!(field.name(), None | Some("" | "file"));
        match field.name().filter(|_| !is_file) {
            Some("cacheControl") => cache_control = keeping(&field.text().await.map_err(broken)?),
            Some("contentType") => content_type = Some(field.text().await.map_err(broken)?).filter(|said| !said.is_empty()),
            Some("metadata" | "userMetadata") => {
                let text = field.text().await.map_err(|error| match error {
                    multer::Error::FieldSizeExceeded { .. } => failure::too_much_metadata(),
                    error => broken(error),
                })?;
                user_metadata = metadata(storage, text.as_bytes())?;
            }
            Some(_) => pass_over(field).await?,
            None => {
                let said = field.content_type().map(ToString::to_string);
                let content_type = content_type.or(said).unwrap_or_else(|| "application/octet-stream".to_owned());
                let upload = Upload { bucket, name, content_type, cache_control, user_metadata, upsert, length: None, again: None };
                let content = field.map(|piece| piece.map_err(broken)).boxed();
                return storage.store(caller, upload, content).await;
            }
        }
    }
    Err(Error::new(Kind::BadRequest, "InvalidRequest", "The form has no file"))
}

/// Passes a field over that nobody knows.
async fn pass_over(mut field: multer::Field<'_>) -> Result<()> {
    let mut left = UNKNOWN_BYTES;
    while let Some(piece) = field.chunk().await.map_err(broken)? {
        left = left.checked_sub(piece.len()).ok_or_else(failure::too_large)?;
    }
    Ok(())
}

/// The pieces of a body that somebody else may read on.
pub(crate) fn pieces(body: Arc<Mutex<BodyDataStream>>) -> BlobStream {
    stream::unfold(body, |body| async move {
        let piece = body.lock().await.next().await?;
        Some((piece.map_err(broken), body))
    })
    .boxed()
}

/// Reads what is left of a body, for a moment.
pub(crate) async fn drain(body: &Mutex<BodyDataStream>) {
    let drained = async {
        let mut left = DRAIN_BYTES;
        while let Some(Ok(piece)) = body.lock().await.next().await {
            left = left.saturating_sub(piece.len());
            if left == 0 {
                return;
            }
        }
    };
    // Whether it was read to its end makes no difference to the answer.
    let _read = tokio::time::timeout(DRAIN_TIME, drained).await.is_ok();
}

fn boundary(headers: &HeaderMap) -> Result<Option<String>> {
    let said = headers.get(header::CONTENT_TYPE).and_then(|value| value.to_str().ok()).unwrap_or_default();
    if !said.to_ascii_lowercase().starts_with("multipart/form-data") {
        return Ok(None);
    }
    multer::parse_boundary(said).map(Some).map_err(broken)
}

/// The body broke off, or is no form.
fn broken(error: impl Into<Box<dyn std::error::Error + Send + Sync>>) -> Error {
    Error::new(Kind::BadRequest, "upload_broken", "The body broke off, or is not well formed").with_source(error)
}
