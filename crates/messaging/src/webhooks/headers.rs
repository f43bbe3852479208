//! Headers that a company adds to the calls of a webhook.
//!
//! Invariant: none of them changes whom a call is for, how long it is, what it says or how it is signed.

use http::{HeaderMap, HeaderName, HeaderValue};
use kernel::{Error, Kind, Result};
use serde_json::{Map, Value};

const HEADERS_MAX: usize = 20;
const NAME_BYTES_MAX: usize = 100;
const VALUE_BYTES_MAX: usize = 1000;

/// What the server or the connection says itself.
const RESERVED: &[&str] = &[
    "accept",
    "accept-encoding",
    "connection",
    "content-encoding",
    "content-length",
    "content-type",
    "cookie",
    "expect",
    "forwarded",
    "host",
    "http2-settings",
    "keep-alive",
    "te",
    "trailer",
    "transfer-encoding",
    "upgrade",
    "user-agent",
    "via",
];
/// How the names of others begin that are not a company's to say.
const RESERVED_BEGINNINGS: &[&str] = &["proxy-", "webhook-", "svix-", "x-forwarded-", "sec-"];

/// Reads the headers that a company wants, or says what is wrong with them.
pub(super) fn read(wanted: &Map<String, Value>) -> Result<HeaderMap> {
    let wrong = |message: String| Error::new(Kind::Unprocessable, "webhook_header_invalid", message);
    if wanted.len() > HEADERS_MAX {
        return Err(wrong(format!("A webhook has at most {HEADERS_MAX} headers of its own")));
    }
    let mut headers = HeaderMap::new();
    for (name, value) in wanted {
        let named = HeaderName::from_bytes(name.as_bytes()).ok().filter(|_| name.len() <= NAME_BYTES_MAX);
        let Some(named) = named else {
            return Err(wrong("The name of a header has letters, digits and hyphens, at most 100".to_owned()));
        };
        if is_reserved(named.as_str()) {
            return Err(wrong(format!("The header {named} is the server's own to say")));
        }
        let value = value.as_str().filter(|value| value.len() <= VALUE_BYTES_MAX).and_then(|value| HeaderValue::from_str(value).ok());
        let Some(value) = value else {
            return Err(wrong(format!("The header {named} has a text of visible characters, at most {VALUE_BYTES_MAX}")));
        };
        headers.insert(named, value);
    }
    Ok(headers)
}

fn is_reserved(name: &str) -> bool {
    RESERVED.contains(&name) || RESERVED_BEGINNINGS.iter().any(|beginning| name.starts_with(beginning))
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn a_company_says_who_it_is_and_nothing_of_the_call() {
        let Value::Object(wanted) = json!({ "Authorization": "Bearer t", "X-Shop": "7" }) else { panic!() };
        let headers = read(&wanted).unwrap();
        assert_eq!((headers["authorization"].to_str().unwrap(), headers["x-shop"].to_str().unwrap()), ("Bearer t", "7"));
        for (name, value) in [
            ("Host", json!("metadata")),
            ("content-length", json!("0")),
            ("Webhook-Signature", json!("v1,x")),
            ("proxy-authorization", json!("x")),
            ("a b", json!("x")),
            ("", json!("x")),
            ("x", json!("a\r\nhost: b")),
            ("x", json!(7)),
            ("x", json!("y".repeat(1001))),
        ] {
            let refused = read(&Map::from_iter([(name.to_owned(), value)])).unwrap_err();
            assert_eq!(refused.code(), "webhook_header_invalid", "{name}");
        }
        let many = (0..21).map(|number| (format!("x-{number}"), json!("y"))).collect();
        assert!(read(&many).is_err());
    }
}
