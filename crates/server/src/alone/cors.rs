//! Which web pages may call, as the dialect answers it.
//!
//! Invariant: a page that is not listed gets its answer without the headers that would let it read it; nothing else changes.

use std::sync::Arc;

use axum::body::Body;
use axum::extract::{Request, State};
use axum::middleware::Next;
use axum::response::Response;
use http::header::{
    ACCESS_CONTROL_ALLOW_CREDENTIALS, ACCESS_CONTROL_ALLOW_HEADERS, ACCESS_CONTROL_ALLOW_METHODS, ACCESS_CONTROL_ALLOW_ORIGIN,
    ACCESS_CONTROL_EXPOSE_HEADERS, ACCESS_CONTROL_MAX_AGE, ACCESS_CONTROL_REQUEST_HEADERS, ACCESS_CONTROL_REQUEST_METHOD, ORIGIN,
};
use http::{HeaderMap, HeaderValue, Method};

const METHODS: HeaderValue = HeaderValue::from_static("GET, POST, PATCH, PUT, DELETE, OPTIONS, HEAD");
const EXPOSED: HeaderValue = HeaderValue::from_static(
    "Content-Encoding, Content-Location, Content-Range, Content-Type, Date, Location, Server, Transfer-Encoding, Range-Unit",
);
/// A day.
const MAX_AGE: HeaderValue = HeaderValue::from_static("86400");

/// Pages that may call; all where none is listed.
pub(super) type Origins = Arc<[HeaderValue]>;

/// Answers a preflight, or marks the answer of what is behind.
pub(super) async fn layer(State(origins): State<Origins>, request: Request, next: Next) -> Response {
    let allowed = request.headers().get(ORIGIN).and_then(|origin| allowed(&origins, origin));
    let Some(allowed) = allowed else { return next.run(request).await };
    let is_preflight = request.method() == Method::OPTIONS && request.headers().contains_key(ACCESS_CONTROL_REQUEST_METHOD);
    let mut response = if is_preflight {
        let mut response = Response::new(Body::empty());
        let headers = response.headers_mut();
        headers.insert(ACCESS_CONTROL_ALLOW_METHODS, METHODS);
        headers.insert(ACCESS_CONTROL_ALLOW_HEADERS, allowed_headers(request.headers()));
        headers.insert(ACCESS_CONTROL_MAX_AGE, MAX_AGE);
        response
    } else {
        let mut response = next.run(request).await;
        response.headers_mut().insert(ACCESS_CONTROL_EXPOSE_HEADERS, EXPOSED);
        response
    };
    let headers = response.headers_mut();
    if !origins.is_empty() {
        headers.insert(ACCESS_CONTROL_ALLOW_CREDENTIALS, HeaderValue::from_static("true"));
    }
    headers.insert(ACCESS_CONTROL_ALLOW_ORIGIN, allowed);
    response
}

fn allowed(origins: &Origins, origin: &HeaderValue) -> Option<HeaderValue> {
    if origins.is_empty() {
        return Some(HeaderValue::from_static("*"));
    }
    origins.contains(origin).then(|| origin.clone())
}

/// Returns what the page asked for between those that are always allowed.
fn allowed_headers(headers: &HeaderMap) -> HeaderValue {
    let asked = headers.get(ACCESS_CONTROL_REQUEST_HEADERS).and_then(|value| value.to_str().ok()).unwrap_or_default();
    let asked = asked.split(',').map(str::trim).filter(|name| !name.is_empty());
    let all: Vec<&str> = ["Authorization"].into_iter().chain(asked).chain(["Accept", "Accept-Language", "Content-Language"]).collect();
    HeaderValue::from_str(&all.join(", ")).unwrap_or_else(|_never_unprintable| HeaderValue::from_static("Authorization"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_a_page_asks_for_is_allowed() {
        let asked = HeaderMap::from_iter([(ACCESS_CONTROL_REQUEST_HEADERS, HeaderValue::from_static("Foo, Bar"))]);
        assert_eq!(allowed_headers(&asked), "Authorization, Foo, Bar, Accept, Accept-Language, Content-Language");
        assert_eq!(allowed_headers(&HeaderMap::new()), "Authorization, Accept, Accept-Language, Content-Language");
    }

    #[test]
    fn only_listed_pages_may_call() {
        let page = HeaderValue::from_static("https://a.example");
        assert_eq!(allowed(&Origins::default(), &page).unwrap(), "*");
        assert_eq!(allowed(&[page.clone()].into(), &page).unwrap(), "https://a.example");
        assert_eq!(allowed(&[page].into(), &HeaderValue::from_static("https://b.example")), None);
    }
}
