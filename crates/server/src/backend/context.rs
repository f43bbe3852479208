//! What SQL may know of a request, put beside it.
//!
//! Invariant: credentials stay out: SQL has the verified claims, and what is in a setting can end in an error's text or a log. What the
//! audit writes down of a request, its id and the address it came from, is what the server knows and not what a client says.

use axum::extract::Request;
use axum::middleware::Next;
use axum::response::Response;
use http::{HeaderMap, header};
use kernel::{ClientAddress, Principal, RequestContext};
use serde_json::{Map, Value};
use tracing::Span;

use crate::middleware::RequestId;

/// Headers that hold credentials; cookies have a setting of their own.
const LEFT_OUT: &[&str] = &["authorization", "proxy-authorization", "apikey", "cookie"];
/// Headers that the server gives its own values, or none.
const REQUEST_ID: &str = "x-request-id";
const ADDRESS: &str = "x-real-ip";
const TRACE: &str = "thorbis-traceparent";

/// Puts the [`RequestContext`] into the request's extensions, and says in its log whose it is.
pub(super) async fn layer(mut request: Request, next: Next) -> Response {
    let context = RequestContext {
        method: request.method().as_str().into(),
        path: path_of(&request).into(),
        headers_json: headers_json(request.headers(), &known(&request)).into(),
        cookies_json: cookies_json(request.headers()).into(),
        ..RequestContext::default()
    };
    request.extensions_mut().insert(context);
    if let Some(principal) = request.extensions().get::<Principal>() {
        let span = Span::current();
        span.record("principal", principal.subject().name());
        if let Some(user) = principal.user_id() {
            span.record("user_id", tracing::field::display(user));
        }
        if let Some(company) = principal.requested_company().or_else(|| principal.claimed_company()) {
            span.record("company_id", tracing::field::display(company));
        }
    }
    next.run(request).await
}

/// Returns the path as the client wrote it: the mount has taken its part off the request's own.
fn path_of(request: &Request) -> &str {
    request.extensions().get::<axum::extract::OriginalUri>().map_or(request.uri().path(), |uri| uri.path())
}

/// Returns what the server itself knows of a request.
fn known(request: &Request) -> [(&'static str, Option<String>); 2] {
    let id = request.extensions().get::<RequestId>().map(ToString::to_string);
    let address = request.extensions().get::<ClientAddress>().map(|client| client.0.to_string());
    [(REQUEST_ID, id), (ADDRESS, address)]
}

fn headers_json(headers: &HeaderMap, known: &[(&'static str, Option<String>); 2]) -> String {
    let mut object = Map::new();
    for (name, value) in known {
        if let Some(value) = value {
            object.insert((*name).to_owned(), Value::String(value.clone()));
        }
    }
    // Tasks that SQL puts in go on with it.
    if let Some(trace) = kernel::trace::current() {
        object.insert(TRACE.to_owned(), Value::String(trace.to_string()));
    }
    let is_known = |name: &str| known.iter().any(|(known, _)| *known == name) || name == TRACE;
    for name in headers.keys().filter(|name| !LEFT_OUT.contains(&name.as_str()) && !is_known(name.as_str())) {
        let values: Vec<&str> = headers.get_all(name).iter().filter_map(|value| value.to_str().ok()).collect();
        object.insert(name.as_str().to_owned(), Value::String(values.join(", ")));
    }
    Value::Object(object).to_string()
}

fn cookies_json(headers: &HeaderMap) -> String {
    let lines = headers.get_all(header::COOKIE).iter().filter_map(|value| value.to_str().ok());
    let pairs = lines.flat_map(|line| line.split(';')).filter_map(|pair| pair.trim().split_once('='));
    let object: Map<String, Value> = pairs.map(|(name, value)| (name.to_owned(), Value::String(value.to_owned()))).collect();
    Value::Object(object).to_string()
}

#[cfg(test)]
mod tests {
    use super::*;
    use http::HeaderName;

    #[test]
    fn sql_sees_headers_and_cookies_but_no_credentials() {
        let headers: HeaderMap = [("x-own", "1"), ("x-own", "2"), ("authorization", "Bearer t"), ("apikey", "k"), ("cookie", "a=1; b=c=d")]
            .into_iter()
            .map(|(name, value)| (HeaderName::from_static(name), value.parse().unwrap()))
            .collect();
        let nothing = [(REQUEST_ID, None), (ADDRESS, None)];
        assert_eq!(headers_json(&headers, &nothing), r#"{"x-own":"1, 2"}"#);
        assert_eq!(cookies_json(&headers), r#"{"a":"1","b":"c=d"}"#);
    }

    #[test]
    fn nobody_says_himself_where_he_comes_from() {
        let headers: HeaderMap = [("x-real-ip", "10.0.0.1"), ("x-request-id", "forged")]
            .into_iter()
            .map(|(name, value)| (HeaderName::from_static(name), value.parse().unwrap()))
            .collect();
        let mut request = Request::new(axum::body::Body::empty());
        assert_eq!(headers_json(&headers, &known(&request)), "{}");
        request.extensions_mut().insert(ClientAddress([203, 0, 113, 7].into()));
        request.extensions_mut().insert(RequestId::of(
            &[("x-request-id", "r1")].map(|(name, value)| (HeaderName::from_static(name), value.parse().unwrap())).into_iter().collect(),
        ));
        assert_eq!(headers_json(&headers, &known(&request)), r#"{"x-request-id":"r1","x-real-ip":"203.0.113.7"}"#);
    }
}
