//! What all requests of a directory have: a body, an id, a version, attributes that are wanted.

use axum::body::Bytes;
use axum::extract::{FromRequest, FromRequestParts, Path, Query, Request};
use axum::response::{IntoResponse, Response};
use http::header::{ETAG, IF_MATCH, IF_NONE_MATCH};
use http::request::Parts;
use http::{HeaderMap, HeaderName, HeaderValue, StatusCode};
use serde::de::DeserializeOwned;
use serde_json::{Map, Value};
use uuid::Uuid;

use super::answer::Selection;
use super::error::{Outcome, Refused};
use super::rows::Found;
use super::search::{self, unreadable};
use crate::Auth;

/// A JSON body, whatever media type it says that it is.
pub(super) struct Json(pub(super) Value);

impl FromRequest<Auth> for Json {
    type Rejection = Refused;

    async fn from_request(request: Request, auth: &Auth) -> Outcome<Self> {
        let bytes = Bytes::from_request(request, auth).await.map_err(|rejection| unreadable(rejection.status()))?;
        serde_json::from_slice(&bytes).ok().map(Self).ok_or_else(|| unreadable(StatusCode::BAD_REQUEST))
    }
}

/// Reads a body of a known shape.
pub(super) fn parse<T: DeserializeOwned>(body: Value) -> Outcome<T> {
    serde_json::from_value(body).ok().ok_or_else(|| unreadable(StatusCode::BAD_REQUEST))
}

/// Returns the members of a resource, if it says that it is one of this schema or says nothing.
pub(super) fn resource<'a>(body: &'a Value, schema: &str) -> Outcome<&'a Map<String, Value>> {
    let body = body.as_object().ok_or_else(|| unreadable(StatusCode::BAD_REQUEST))?;
    let is_it = |value: &Value| value.as_str().is_some_and(|text| text.eq_ignore_ascii_case(schema));
    match body.iter().find(|(name, _)| name.eq_ignore_ascii_case("schemas")) {
        None => Ok(body),
        Some((_, Value::Array(schemas))) if schemas.iter().any(is_it) => Ok(body),
        Some(_) => Err(Refused::syntax(format!("schemas has to name {schema}"))),
    }
}

/// Reads the id of a path. What is no id names nothing.
pub(super) fn id(text: &str) -> Outcome<Uuid> {
    text.parse().ok().ok_or_else(|| Refused::not_found(text))
}

/// The attributes that a query wants.
pub(super) struct Selected(pub(super) Selection);

impl FromRequestParts<Auth> for Selected {
    type Rejection = Refused;

    async fn from_request_parts(parts: &mut Parts, _: &Auth) -> Outcome<Self> {
        let query = query(parts)?;
        Ok(Self(Selection::of_query(query.attributes.as_deref(), query.excluded_attributes.as_deref())))
    }
}

/// Reads the query of an address.
pub(super) fn query(parts: &Parts) -> Outcome<search::Query> {
    let parsed = Query::<search::Query>::try_from_uri(&parts.uri);
    parsed.ok().map(|Query(query)| query).ok_or_else(|| Refused::syntax("The query of the address cannot be read"))
}

/// A change of one resource.
pub(super) struct Changing {
    pub(super) id: Uuid,
    pub(super) selection: Selection,
    /// The versions of which one must be the present one.
    versions: Option<String>,
}

impl FromRequestParts<Auth> for Changing {
    type Rejection = Refused;

    async fn from_request_parts(parts: &mut Parts, auth: &Auth) -> Outcome<Self> {
        let Path(text) = Path::<String>::from_request_parts(parts, auth).await.ok().ok_or_else(|| Refused::not_found(""))?;
        let Selected(selection) = Selected::from_request_parts(parts, auth).await?;
        Ok(Self { id: id(&text)?, selection, versions: listed(&parts.headers, &IF_MATCH) })
    }
}

impl Changing {
    /// Refuses a change of another version than the present one.
    pub(super) fn check(&self, found: &Found) -> Outcome<()> {
        match &self.versions {
            Some(versions) if !names(versions, found) => {
                Err(Refused::new(StatusCode::PRECONDITION_FAILED, "The resource has another version by now"))
            }
            _ => Ok(()),
        }
    }
}

/// Answers that nothing is new to whoever has the present version.
pub(super) fn unless_known(headers: &HeaderMap, found: &Found, answer: impl FnOnce() -> Response) -> Response {
    if !listed(headers, &IF_NONE_MATCH).is_some_and(|versions| names(&versions, found)) {
        return answer();
    }
    let mut response = StatusCode::NOT_MODIFIED.into_response();
    if let Ok(etag) = HeaderValue::try_from(found.etag()) {
        response.headers_mut().insert(ETAG, etag);
    }
    response
}

fn listed(headers: &HeaderMap, name: &HeaderName) -> Option<String> {
    let values: Vec<&str> = headers.get_all(name).iter().filter_map(|value| value.to_str().ok()).collect();
    (!values.is_empty()).then(|| values.join(","))
}

fn names(versions: &str, found: &Found) -> bool {
    let present = found.etag();
    let bare = |version: &str| version.trim().trim_start_matches("W/").to_owned();
    versions.split(',').any(|version| version.trim() == "*" || bare(version) == bare(&present))
}
