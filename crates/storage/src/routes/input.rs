//! What requests say: names in the path, JSON in the body.
//!
//! Invariant: what cannot be read is answered with what was expected, and no body that is no file is larger than its limit.

use axum::body::{Body, to_bytes};
use axum::extract::{FromRequestParts, Path};
use base64::Engine as _;
use base64::engine::general_purpose::{STANDARD_NO_PAD, URL_SAFE_NO_PAD};
use http::request::Parts;
use http::{HeaderMap, header};
use kernel::{Error, Kind, Result};
use serde::Deserialize;
use serde::de::DeserializeOwned;
use serde_json::Value;

use crate::{Storage, failure, naming};

/// The bucket and the name in a path.
#[derive(Clone, Debug)]
pub struct Named {
    pub(super) bucket: String,
    pub(super) name: String,
}

impl<S: Send + Sync> FromRequestParts<S> for Named {
    type Rejection = Error;

    async fn from_request_parts(parts: &mut Parts, state: &S) -> Result<Self> {
        match Path::<(String, String)>::from_request_parts(parts, state).await {
            Ok(Path((bucket, name))) => Ok(Self { bucket, name }),
            Err(rejection) => Err(naming::invalid_key("").with_source(rejection)),
        }
    }
}

/// The bucket in a path.
#[derive(Clone, Debug)]
pub(super) struct InBucket(pub(super) String);

impl<S: Send + Sync> FromRequestParts<S> for InBucket {
    type Rejection = Error;

    async fn from_request_parts(parts: &mut Parts, state: &S) -> Result<Self> {
        match Path::<String>::from_request_parts(parts, state).await {
            Ok(Path(bucket)) => Ok(Self(bucket)),
            Err(rejection) => Err(failure::no_such_bucket().with_source(rejection)),
        }
    }
}

/// What stands behind the question mark of a download.
#[derive(Clone, Debug, Default, Deserialize)]
pub struct Wish {
    /// The name to save it under; empty for its own.
    #[serde(default)]
    pub(super) download: Option<String>,
    /// One version of it.
    #[serde(default)]
    pub(super) version: Option<String>,
    /// The link's.
    #[serde(default)]
    pub(super) token: Option<String>,
}

/// Tells whether somebody says who he is, be it with the public key.
pub(super) fn is_known(headers: &HeaderMap) -> bool {
    [header::AUTHORIZATION.as_str(), "apikey"].into_iter().any(|name| headers.get(name).is_some_and(|value| !value.is_empty()))
}

/// Returns what is said about keeping: seconds alone are meant as such.
pub(super) fn keeping(said: &str) -> String {
    if said.parse::<u64>().is_ok() { format!("max-age={said}") } else { said.to_owned() }
}

/// Reads what an application says of an object in a header, in base64. What cannot be read is nothing.
pub(super) fn said_of_it(storage: &Storage, headers: &HeaderMap) -> Result<Option<Value>> {
    let Some(said) = headers.get("x-metadata") else { return Ok(None) };
    let said: Vec<u8> = said.as_bytes().iter().copied().filter(|byte| !byte.is_ascii_whitespace() && *byte != b'=').collect();
    match STANDARD_NO_PAD.decode(&said).or_else(|_| URL_SAFE_NO_PAD.decode(&said)) {
        Ok(text) => metadata(storage, &text),
        Err(_) => Ok(None),
    }
}

/// Reads what an application says of an object: any JSON. What is none is nothing.
pub(super) fn metadata(storage: &Storage, text: &[u8]) -> Result<Option<Value>> {
    if text.len() > storage.config().metadata_bytes_max {
        return Err(failure::too_much_metadata());
    }
    Ok(serde_json::from_slice(text).ok().filter(|said: &Value| !said.is_null()))
}

/// Reads a body of JSON; nothing at all is an object without anything in it.
pub(super) async fn json<T: DeserializeOwned>(storage: &Storage, body: Body) -> Result<T> {
    let bytes_max = storage.config().json_bytes_max;
    let bytes = to_bytes(body, bytes_max).await.map_err(|error| {
        Error::new(Kind::TooLarge, "EntityTooLarge", format!("The body has more than {bytes_max} bytes, or broke off")).with_source(error)
    })?;
    let text: &[u8] = if bytes.is_empty() { b"{}" } else { &bytes };
    serde_json::from_slice(text).map_err(|error| {
        Error::new(Kind::BadRequest, "InvalidRequest", format!("The body is no JSON of the shape that this takes: {error}"))
    })
}
