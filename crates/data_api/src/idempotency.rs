//! `Idempotency-Key`: a write that is sent again, because its answer was lost, gets the first answer and is not done twice.
//!
//! Invariant: the answer is kept in the transaction of the write itself, and belongs to one caller in one company and one route. Only
//! successes are kept: what failed left nothing behind and may be tried again.

use std::borrow::Cow;
use std::collections::BTreeMap;
use std::fmt::Write as _;

use aws_lc_rs::digest;
use axum::body::Body;
use axum::response::Response;
use bytes::Bytes;
use http::request::Parts;
use http::{HeaderMap, HeaderName, HeaderValue, Method, StatusCode};
use http_body_util::{BodyExt as _, LengthLimitError, Limited};
use kernel::{Error, Kind, Result};
use postgres::{Sql, Tx};
use serde_json::{Map, Value};

use crate::config::DataApiConfig;
use crate::response::unlettered;

const NAME: HeaderName = HeaderName::from_static("idempotency-key");
/// Tells an answer that was kept from one that was made now.
const REPLAYED: HeaderName = HeaderName::from_static("idempotency-replayed");
/// What a request says beside its address and body, as far as the answer depends on it.
const COUNTED: [&str; 5] = ["content-type", "content-profile", "accept", "prefer", "x-company-id"];
/// Beside the kept headers, where it can be the name of none: the body is bytes and is kept as hexadecimal digits.
const IN_DIGITS: &str = ":digits";
/// Characters of a key.
const LENGTH_MAX: usize = 255;
/// Characters of a path; whatever is longer names nothing that is there.
const ROUTE_LENGTH_MAX: usize = 400;

/// The key of one request.
#[derive(Debug)]
pub(crate) struct Key {
    route: String,
    /// What the client chose.
    name: String,
    /// What tells another request from the same one.
    fingerprint: String,
    hours: u32,
    bytes_max: usize,
}

impl Key {
    /// Reads the header; none where there is none, where the request writes nothing, or where keys are not kept.
    pub(crate) fn of(parts: &Parts, body: &Bytes, config: &DataApiConfig) -> Result<Option<Self>> {
        let writes = [Method::POST, Method::PATCH, Method::PUT, Method::DELETE].contains(&parts.method);
        let Some(value) = parts.headers.get(NAME).filter(|_| writes && config.idempotency_hours > 0) else { return Ok(None) };
        let key = value.to_str().ok().map(str::trim).map(unquoted).filter(|key| (1..=LENGTH_MAX).contains(&key.len()));
        let key = key.ok_or_else(|| {
            Error::new(Kind::BadRequest, "idempotency_key_invalid", "The Idempotency-Key is no key")
                .with_hint("One to 255 printable characters of ASCII, best a new UUID for each request.")
        })?;
        let route = format!("{} {}", parts.method, parts.uri.path());
        if route.len() > ROUTE_LENGTH_MAX {
            return Err(Error::new(Kind::BadRequest, "idempotency_key_invalid", "The path is too long for an Idempotency-Key"));
        }
        let (hours, bytes_max) = (config.idempotency_hours, config.idempotency_bytes_max);
        Ok(Some(Self { route, name: key.to_owned(), fingerprint: fingerprint(parts, body), hours, bytes_max }))
    }

    /// Takes the key for this transaction, which must be the writing one; returns the first answer where there is one.
    pub(crate) async fn first(&self, tx: &Tx) -> Result<Option<Response>> {
        let mut sql = Sql::new("select f.status, f.headers, f.body from app.take_idempotency_key(");
        sql.bind(self.route.as_str()).text("::text, ").bind(self.name.as_str()).text("::text, decode(");
        sql.bind(self.fingerprint.as_str()).text("::text, 'hex')) f");
        let Some(row) = tx.query_opt(sql).await? else { return Ok(None) };
        let status: i32 = row.try_get(0).map_err(Error::internal)?;
        let headers: String = row.try_get(1).map_err(Error::internal)?;
        let body: String = row.try_get(2).map_err(Error::internal)?;
        replayed(status, &headers, body).map(Some)
    }

    /// Keeps the answer in this transaction, and gives it back.
    pub(crate) async fn keep(&self, tx: &Tx, answer: Response) -> Result<Response> {
        let (parts, body) = answer.into_parts();
        let body = Limited::new(body, self.bytes_max).collect().await.map_err(too_long)?.to_bytes();
        let (headers, text) = (kept(&parts.headers), text(&body));
        let headers = if matches!(text, Cow::Owned(_)) { marked(headers) } else { headers };
        let mut sql = Sql::new("select app.keep_idempotency_key(");
        sql.bind(self.route.as_str()).text("::text, ").bind(self.name.as_str()).text("::text, decode(");
        sql.bind(self.fingerprint.as_str()).text("::text, 'hex'), ").bind(u32::from(parts.status.as_u16())).text("::integer, ");
        sql.bind(headers).text("::jsonb, ").bind(text.as_ref()).text("::text, ").bind(self.hours).text("::integer)::text");
        tx.query(sql).await?;
        Ok(Response::from_parts(parts, Body::from(body)))
    }
}

/// The standard has a quoted string; clients of payment services send it bare.
fn unquoted(key: &str) -> &str {
    key.strip_prefix('"').and_then(|key| key.strip_suffix('"')).unwrap_or(key)
}

/// Returns, as hexadecimal digits, what is another for another request.
fn fingerprint(parts: &Parts, body: &Bytes) -> String {
    let mut context = digest::Context::new(&digest::SHA256);
    // Each piece with its length, so that no two requests run into the same bytes.
    let mut add = |piece: &[u8]| {
        context.update(&piece.len().to_be_bytes());
        context.update(piece);
    };
    add(parts.uri.query().unwrap_or_default().as_bytes());
    for name in COUNTED {
        for value in parts.headers.get_all(name) {
            add(name.as_bytes());
            add(value.as_bytes());
        }
    }
    add(b"");
    add(body);
    digits(context.finish().as_ref())
}

fn digits(bytes: &[u8]) -> String {
    let mut digits = String::with_capacity(bytes.len().saturating_mul(2));
    for byte in bytes {
        // Writing into a String cannot fail.
        let _infallible = write!(digits, "{byte:02x}");
    }
    digits
}

fn kept(headers: &HeaderMap) -> Value {
    let pairs = headers.keys().map(|name| {
        let values: Vec<Value> = headers.get_all(name).iter().filter_map(|value| value.to_str().ok()).map(Value::from).collect();
        (name.as_str().to_owned(), Value::Array(values))
    });
    Value::Object(pairs.collect::<Map<String, Value>>())
}

/// Returns a body as text: as it is, or bytes that are none as hexadecimal digits.
fn text(body: &[u8]) -> Cow<'_, str> {
    match std::str::from_utf8(body) {
        // PostgreSQL's text holds no zero character.
        Ok(text) if !text.contains('\0') => Cow::Borrowed(text),
        _ => Cow::Owned(digits(body)),
    }
}

/// Says beside the headers that the body is written in digits.
fn marked(headers: Value) -> Value {
    let Value::Object(mut headers) = headers else { return headers };
    headers.insert(IN_DIGITS.to_owned(), Value::Array(Vec::new()));
    Value::Object(headers)
}

fn replayed(status: i32, headers: &str, body: String) -> Result<Response> {
    let mut listed: BTreeMap<String, Vec<String>> = serde_json::from_str(headers).map_err(Error::internal)?;
    let body = if listed.remove(IN_DIGITS).is_some() { Body::from(unlettered(&body)?) } else { Body::from(body) };
    let mut response = Response::new(body);
    let status = u16::try_from(status).map_err(Error::internal)?;
    *response.status_mut() = StatusCode::from_u16(status).map_err(Error::internal)?;
    for (name, values) in listed {
        let name = HeaderName::try_from(name).map_err(Error::internal)?;
        for value in values {
            response.headers_mut().append(name.clone(), HeaderValue::try_from(value).map_err(Error::internal)?);
        }
    }
    response.headers_mut().insert(REPLAYED, HeaderValue::from_static("true"));
    Ok(response)
}

fn too_long(error: Box<dyn std::error::Error + Send + Sync>) -> Error {
    if error.is::<LengthLimitError>() {
        Error::new(Kind::TooLarge, "idempotency_answer_too_large", "The answer is too large to be kept for the Idempotency-Key")
            .with_hint("Send Prefer: return=minimal, or select less.")
    } else {
        Error::internal(error)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use http::Request;

    fn key(method: &str, value: &str, query: &str, body: &'static str) -> Result<Option<Key>> {
        let request = Request::builder().method(method).uri(format!("/jobs{query}")).header("idempotency-key", value);
        let (parts, ()) = request.body(()).unwrap().into_parts();
        Key::of(&parts, &Bytes::from_static(body.as_bytes()), &DataApiConfig::default())
    }

    #[test]
    fn only_writes_have_keys_quoted_or_bare() {
        assert!(key("GET", "k", "", "").unwrap().is_none());
        for value in ["\"a b\"", "a b", " a b "] {
            let found = key("POST", value, "", "{}").unwrap().unwrap();
            assert_eq!((found.name.as_str(), found.route.as_str()), ("a b", "POST /jobs"));
        }
        for wrong in ["", "\"\"", &"x".repeat(256)] {
            assert_eq!(key("PATCH", wrong, "", "{}").unwrap_err().code(), "idempotency_key_invalid");
        }
    }

    #[test]
    fn another_body_or_query_is_another_request() {
        let fingerprint = |query, body| key("POST", "k", query, body).unwrap().unwrap().fingerprint;
        let first = fingerprint("", "{}");
        assert_eq!((first.len(), &first), (64, &fingerprint("", "{}")));
        assert_ne!(first, fingerprint("?select=id", "{}"));
        assert_ne!(first, fingerprint("", "{ }"));
        assert_ne!(fingerprint("?a", "b"), fingerprint("?ab", ""));
    }
}
