//! What SQL may know of a request: method, path, headers and cookies, as the dialect has them.
//!
//! Invariant: the names and their form are public API; functions and policies of users read them. All headers are there, also the one
//! with the token: who reads them is the operator's own database.

use axum::extract::Request;
use axum::middleware::Next;
use axum::response::Response;
use http::{HeaderMap, header};
use kernel::RequestContext;
use serde_json::{Map, Value};

/// Puts the [`RequestContext`] into the request's extensions.
pub(super) async fn layer(mut request: Request, next: Next) -> Response {
    let context = RequestContext {
        method: request.method().as_str().into(),
        path: request.uri().path().into(),
        headers_json: headers_json(request.headers()).into(),
        cookies_json: cookies_json(request.headers()).into(),
        ..RequestContext::default()
    };
    request.extensions_mut().insert(context);
    next.run(request).await
}

/// Of a header that stands there more than once the last counts.
fn headers_json(headers: &HeaderMap) -> String {
    let others = headers.iter().filter(|(name, _)| **name != header::COOKIE);
    let object: Map<String, Value> = others.map(|(name, value)| (name.as_str().to_owned(), text(value.as_bytes()))).collect();
    Value::Object(object).to_string()
}

fn cookies_json(headers: &HeaderMap) -> String {
    let lines = headers.get_all(header::COOKIE).iter().filter_map(|value| value.to_str().ok());
    let pairs = lines.flat_map(|line| line.split(';')).filter_map(|pair| pair.trim().split_once('='));
    let object: Map<String, Value> = pairs.map(|(name, value)| (name.to_owned(), text(value.as_bytes()))).collect();
    Value::Object(object).to_string()
}

/// PostgreSQL cannot hold the character U+0000; a header cannot either.
fn text(bytes: &[u8]) -> Value {
    Value::String(String::from_utf8_lossy(bytes).into_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn headers_are_in_lower_case_and_cookies_apart() {
        let mut headers = HeaderMap::new();
        for (name, value) in [("X-Own", "1"), ("x-own", "2"), ("Authorization", "Bearer t"), ("Cookie", "a=1; b=c=d")] {
            headers.append(name.parse::<http::HeaderName>().unwrap(), value.parse().unwrap());
        }
        assert_eq!(headers_json(&headers), r#"{"x-own":"2","authorization":"Bearer t"}"#);
        assert_eq!(cookies_json(&headers), r#"{"a":"1","b":"c=d"}"#);
        assert_eq!(cookies_json(&HeaderMap::new()), "{}");
    }
}
