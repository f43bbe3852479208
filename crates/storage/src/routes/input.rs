//! What requests say: names in the path, JSON in the body.
//!
//! Invariant: what cannot be read is answered with what was expected, and no body that is no file is larger than its limit.

use axum::body::{Body, to_bytes};
use axum::extract::{FromRequestParts, Path};
use http::request::Parts;
use kernel::{Error, Kind, Result};
use serde::Deserialize;
use serde::de::DeserializeOwned;

use crate::{Storage, naming};

/// The bucket and the name in a path.
#[derive(Clone, Debug)]
pub(super) struct Named {
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
            Err(rejection) => Err(crate::failure::no_such_bucket().with_source(rejection)),
        }
    }
}

/// What stands behind the question mark of a download.
#[derive(Clone, Debug, Default, Deserialize)]
pub(super) struct Wish {
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
