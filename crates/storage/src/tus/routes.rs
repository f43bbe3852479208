//! `/upload/resumable`: beginning, going on, asking how far it is, taking it back.
//!
//! Invariant: bytes are taken by a task of their own, so that what came before a client went away is kept.

use std::sync::Arc;

use axum::Router;
use axum::body::Body;
use axum::extract::{FromRequestParts, Path, State};
use axum::response::{IntoResponse as _, Response};
use axum::routing::{options, post};
use futures_util::{StreamExt as _, TryStreamExt as _};
use http::request::Parts;
use http::{Extensions, HeaderMap, HeaderName, HeaderValue, Method, StatusCode, header};
use kernel::{Error, Kind, Result};
use uuid::Uuid;

use super::headers::{
    CHECKSUMS, Checksum, EXTENSIONS, TUS_COMPLETE, TUS_RESUMABLE, TUS_VERSION, UPLOAD_DEFER_LENGTH, UPLOAD_EXPIRES, UPLOAD_LENGTH,
    UPLOAD_METADATA, UPLOAD_OFFSET, VERSION, check_extensions, check_version, checksum, invalid, is_deferred, number, text, upload,
};
use crate::parts::{self, Begun, Part, Protocol, Source, moved_on, no_such_upload};
use crate::{Caller, Storage, failure};

/// What bytes are sent as.
const BYTES: &str = "application/offset+octet-stream";
/// What a link to upload is shown as.
const SIGNATURE: HeaderName = HeaderName::from_static("x-signature");
const OVERRIDE: HeaderName = HeaderName::from_static("x-http-method-override");

/// Whoever goes on with an upload, and by what he is known.
#[derive(Clone, Debug)]
struct Asker {
    caller: Caller,
    name: String,
    /// The link that he has, for whoever has no right of his own.
    link: Option<String>,
}

/// Returns the routes, to be mounted at `/storage/v1/upload/resumable` behind the auth layer. Errors keep their statuses, as clients of TUS
/// expect it.
pub fn router(storage: Storage) -> Router {
    Router::new()
        .route("/", options(capabilities).post(create))
        .route("/sign", options(capabilities).post(create))
        .route("/{id}", options(capabilities).patch(act).head(act).delete(act).post(act))
        .route("/sign/{id}", post(act).options(capabilities).patch(act).head(act).delete(act))
        .with_state(storage)
}

impl FromRequestParts<Storage> for Asker {
    type Rejection = Response;

    async fn from_request_parts(parts: &mut Parts, storage: &Storage) -> Result<Self, Response> {
        let asker = async {
            let is_signed =
                parts.extensions.get::<axum::extract::MatchedPath>().is_some_and(|path| path.as_str().contains("/resumable/sign"));
            if !is_signed {
                let caller = Caller::from_request_parts(parts, storage).await?;
                return Ok(Self { name: parts::asker(&caller), caller, link: None });
            }
            let token = text(&parts.headers, &SIGNATURE)?.filter(|token| !token.is_empty());
            let token =
                token.ok_or_else(|| Error::new(Kind::BadRequest, "InvalidJWT", "x-signature is the token of a signed link to upload"))?;
            // Which object it is of is known with the upload; until then nothing is done with it.
            let digest = aws_lc_rs::digest::digest(&aws_lc_rs::digest::SHA256, token.as_bytes());
            let digest = parts::hex(digest.as_ref());
            Ok(Self {
                caller: storage.itself("uploads for whoever has a link"),
                name: format!("link:{digest}"),
                link: Some(token.to_owned()),
            })
        };
        asker.await.map_err(|error: Error| answered(Err(error)))
    }
}

impl Asker {
    /// Holds a link to the object that it is of.
    fn for_upload(mut self, storage: &Storage, upload: &mut crate::Upload) -> Result<Self> {
        if let Some(token) = &self.link {
            let link = storage.write_link(token, &upload.bucket, &upload.name)?;
            upload.upsert = link.upsert;
            self.caller = self.caller.for_owner(link.owner);
        }
        Ok(self)
    }
}

async fn capabilities(State(storage): State<Storage>) -> Response {
    let mut response = StatusCode::NO_CONTENT.into_response();
    let headers = response.headers_mut();
    headers.insert(TUS_VERSION, HeaderValue::from_static(VERSION));
    headers.insert("tus-extension", HeaderValue::from_static(EXTENSIONS));
    headers.insert("tus-checksum-algorithm", HeaderValue::from_static(CHECKSUMS));
    headers.insert("tus-max-size", HeaderValue::from(storage.config().object_bytes_max));
    answered(Ok(response))
}

async fn create(State(storage): State<Storage>, asker: Asker, extensions: Extensions, headers: HeaderMap, body: Body) -> Response {
    let server = storage.asked_at(&extensions);
    answered(Box::pin(creating((storage, server), asker, headers, body)).await)
}

async fn creating((storage, server): (Storage, String), asker: Asker, headers: HeaderMap, body: Body) -> Result<Response> {
    check_version(&headers)?;
    check_extensions(&headers)?;
    let length = number(&headers, &UPLOAD_LENGTH)?;
    if length.is_some() == is_deferred(&headers)? {
        return Err(invalid("Upload-Length says how many bytes will come, or Upload-Defer-Length: 1 that it will be said later"));
    }
    let (mut upload, said) = upload(&headers, length, storage.config().metadata_bytes_max)?;
    let base = if asker.link.is_some() { "upload/resumable/sign" } else { "upload/resumable" };
    let asker = asker.for_upload(&storage, &mut upload)?;
    let id = storage.begin_parts(Protocol::Tus, &asker.name, &asker.caller, (upload, &said)).await?;
    let begun = storage.begun(Protocol::Tus, &asker.name, id).await?;
    let has_bytes = text(&headers, &header::CONTENT_TYPE)? == Some(BYTES);
    let offset = match (has_bytes, length) {
        (true, _) => take(&storage, &asker, begun.clone(), (checksum(&headers)?, body)).await?,
        (false, Some(0)) => finish_if_whole(&storage, &asker, &begun).await.map(|()| 0)?,
        (false, _) => 0,
    };
    let mut response = StatusCode::CREATED.into_response();
    let headers = response.headers_mut();
    headers.insert(header::LOCATION, value(&format!("{server}/storage/v1/{base}/{id}"))?);
    if length == Some(offset) {
        headers.insert(TUS_COMPLETE, HeaderValue::from_static("1"));
    }
    headers.insert(UPLOAD_OFFSET, HeaderValue::from(offset));
    headers.insert(UPLOAD_EXPIRES, expires(&begun)?);
    Ok(response)
}

/// Goes on, asks, or takes back. Clients that cannot send these methods say them in a header.
async fn act(
    State(storage): State<Storage>,
    asker: Asker,
    (method, Path(id), headers): (Method, Path<String>, HeaderMap),
    body: Body,
) -> Response {
    let method = match headers.get(OVERRIDE).and_then(|method| method.to_str().ok()) {
        Some(said) => Method::from_bytes(said.to_ascii_uppercase().as_bytes()).unwrap_or(method),
        None => method,
    };
    answered(
        Box::pin(async move {
            check_version(&headers)?;
            let id: Uuid = id.parse().map_err(|error: uuid::Error| no_such_upload().with_source(error))?;
            let mut begun = storage.begun(Protocol::Tus, &asker.name, id).await?;
            let asker = asker.for_upload(&storage, &mut begun.upload)?;
            if begun.expires_at <= storage.now() {
                return Err(Error::new(Kind::Status(410), "upload_expired", "The time of this upload is over; begin it anew"));
            }
            match method {
                Method::HEAD | Method::GET => ask(&storage, &asker, begun).await,
                Method::PATCH => go_on(&storage, &asker, begun, &headers, body).await,
                Method::DELETE if begun.is_ended => Err(no_such_upload()),
                Method::DELETE => storage.forget_parts(&begun, false).await.map(|()| StatusCode::NO_CONTENT.into_response()),
                _ => Err(Error::new(Kind::Status(405), "method_not_allowed", "An upload knows PATCH, HEAD and DELETE")),
            }
        })
        .await,
    )
}

async fn ask(storage: &Storage, asker: &Asker, begun: Begun) -> Result<Response> {
    // A server that died behind the last byte left this to whoever asks.
    finish_if_whole(storage, asker, &begun).await?;
    let mut response = StatusCode::OK.into_response();
    let headers = response.headers_mut();
    headers.insert(UPLOAD_OFFSET, HeaderValue::from(begun.received));
    match begun.upload.length {
        Some(length) => headers.insert(UPLOAD_LENGTH, HeaderValue::from(length)),
        None => headers.insert(UPLOAD_DEFER_LENGTH, HeaderValue::from_static("1")),
    };
    if !begun.said.is_empty() {
        headers.insert(UPLOAD_METADATA, value(&begun.said)?);
    }
    headers.insert(UPLOAD_EXPIRES, expires(&begun)?);
    Ok(response)
}

async fn go_on(storage: &Storage, asker: &Asker, mut begun: Begun, headers: &HeaderMap, body: Body) -> Result<Response> {
    if text(headers, &header::CONTENT_TYPE)? != Some(BYTES) {
        return Err(Error::new(Kind::Status(415), "tus_content_type_unsupported", format!("Content-Type is {BYTES}")));
    }
    let offset = number(headers, &UPLOAD_OFFSET)?.ok_or_else(|| invalid("Upload-Offset says where the bytes go on"))?;
    if offset != begun.received {
        return Err(moved_on());
    }
    match (number(headers, &UPLOAD_LENGTH)?, begun.upload.length) {
        (Some(said), Some(known)) if said != known => return Err(invalid("Upload-Length is another one than before")),
        (Some(said), None) => {
            if said < begun.received {
                return Err(invalid("Upload-Length is less than what has come"));
            }
            begun.upload.length = Some(said);
            storage.admit(&asker.caller, &begun.upload).await?;
            storage.set_length(&begun, said).await?;
        }
        _ => {}
    }
    let announced = number(headers, &header::CONTENT_LENGTH)?.unwrap_or(0);
    if begun.upload.length.is_some_and(|length| offset.saturating_add(announced) > length) {
        return Err(failure::too_large());
    }
    let (expires, length) = (expires(&begun)?, begun.upload.length);
    let offset = take(storage, asker, begun, (checksum(headers)?, body)).await?;
    let mut response = StatusCode::NO_CONTENT.into_response();
    response.headers_mut().insert(UPLOAD_OFFSET, HeaderValue::from(offset));
    response.headers_mut().insert(UPLOAD_EXPIRES, expires);
    if length == Some(offset) {
        response.headers_mut().insert(TUS_COMPLETE, HeaderValue::from_static("1"));
    }
    Ok(response)
}

/// Takes what comes, in a task that goes on when the client is gone. Returns how far it is.
async fn take(storage: &Storage, asker: &Asker, begun: Begun, (checksum, body): (Option<Checksum>, Body)) -> Result<u64> {
    let (storage, asker) = (storage.clone(), asker.clone());
    let taking = tokio::spawn(async move {
        let body = body.into_data_stream().map_err(Error::internal).boxed();
        let source = Source::new(body, checksum.as_ref().map(|checksum| checksum.algorithm));
        let begun = match checksum {
            Some(checksum) => take_checked(&storage, begun, &source, &checksum.expected).await?,
            None => take_all(&storage, begun, &source).await?,
        };
        finish_if_whole(&storage, &asker, &begun).await?;
        Ok(begun.received)
    });
    taking.await.map_err(Error::internal)?
}

/// Takes bytes and makes them safe again and again.
async fn take_all(storage: &Storage, mut begun: Begun, source: &Source) -> Result<Begun> {
    loop {
        let (part, is_last) = next(storage, &begun, source, begun.received).await?;
        if let Some(part) = part {
            let (from, bytes, key) = (begun.received, part.bytes, part.key.clone());
            if !storage.append(&begun, from, &[part]).await? {
                storage.abandon(&key).await;
                return Err(moved_on());
            }
            begun = begun.at(from.saturating_add(bytes));
        }
        if is_last {
            return Ok(begun);
        }
    }
}

/// Takes bytes, and keeps them if they are what the client says they are.
async fn take_checked(storage: &Storage, begun: Begun, source: &Source, expected: &[u8]) -> Result<Begun> {
    let (mut parts, from) = (Vec::<Part>::new(), begun.received);
    let mut received = from;
    let checked = async {
        loop {
            let (part, is_last) = next(storage, &begun, source, received).await?;
            if let Some(part) = part {
                received = received.saturating_add(part.bytes);
                parts.push(part);
            }
            if is_last {
                break;
            }
        }
        if source.digest().await.as_deref() != Some(expected) {
            return Err(Error::new(Kind::Status(460), "tus_checksum_mismatch", "The bytes are others than the client sent"));
        }
        if parts.is_empty() || storage.append(&begun, from, &parts).await? { Ok(()) } else { Err(moved_on()) }
    };
    match checked.await {
        Ok(()) => Ok(begun.at(received)),
        Err(error) => {
            for part in &parts {
                storage.abandon(&part.key).await;
            }
            Err(error)
        }
    }
}

/// Takes the next part, and says whether nothing comes behind it.
async fn next(storage: &Storage, begun: &Begun, source: &Source, received: u64) -> Result<(Option<Part>, bool)> {
    let length = begun.upload.length.unwrap_or(storage.config().object_bytes_max);
    let left = length.saturating_sub(received);
    let taken = storage.take_part(begun, source, received, left.min(storage.config().parts.safe_bytes)).await?;
    match taken.part {
        Some(part) if part.bytes == left && !taken.is_last => {
            storage.abandon(&part.key).await;
            Err(failure::too_large())
        }
        part => Ok((part, taken.is_last)),
    }
}

async fn finish_if_whole(storage: &Storage, asker: &Asker, begun: &Begun) -> Result<()> {
    if begun.is_ended || begun.upload.length != Some(begun.received) {
        return Ok(());
    }
    let parts = storage.parts_of(begun.id, None, storage.config().parts.count_max.saturating_add(1)).await?;
    storage.finish_parts(&asker.caller, begun, parts, None).await
}

fn expires(begun: &Begun) -> Result<HeaderValue> {
    value(&begun.expires_at.strftime("%a, %d %b %Y %H:%M:%S GMT").to_string())
}

/// Gives an answer that is one of our errors the body that clients of TUS expect: what went wrong, as a text.
pub async fn as_text(mut response: Response) -> Response {
    let Some(error) = response.extensions().get::<Arc<Error>>().cloned() else { return response };
    if response.status() == StatusCode::UNAUTHORIZED {
        *response.status_mut() = StatusCode::FORBIDDEN;
    }
    let headers = response.headers_mut();
    headers.remove(header::CONTENT_LENGTH);
    headers.insert(header::CONTENT_TYPE, HeaderValue::from_static("text/plain; charset=utf-8"));
    *response.body_mut() = Body::from(failure::message(&error).to_owned());
    response
}

/// Gives every answer what the protocol wants of it.
fn answered(answer: Result<Response>) -> Response {
    let mut response = answer.unwrap_or_else(|error| {
        let status = error.status();
        let mut response = error.into_response();
        // The middleware would tell it in another shape otherwise: clients of TUS look at the status.
        if status == StatusCode::UNAUTHORIZED {
            *response.status_mut() = StatusCode::FORBIDDEN;
        }
        response
    });
    let is_version = response.status() == StatusCode::PRECONDITION_FAILED;
    let headers = response.headers_mut();
    headers.insert(TUS_RESUMABLE, HeaderValue::from_static(VERSION));
    headers.insert(header::CACHE_CONTROL, HeaderValue::from_static("no-store"));
    if is_version {
        headers.insert(TUS_VERSION, HeaderValue::from_static(VERSION));
    }
    response
}

fn value(text: &str) -> Result<HeaderValue> {
    text.parse().map_err(Error::internal)
}
