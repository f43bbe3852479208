//! Which web pages may call us, as browsers ask it (<https://fetch.spec.whatwg.org/#http-cors-protocol>).
//!
//! Invariant: nothing here uses cookies, so that `*` gives a page no more than any program has. Where origins are listed, a request
//! from another one does not reach a handler.

use std::net::SocketAddr;

use axum::body::Body;
use axum::response::Response;
use http::header::{self, HeaderMap, HeaderName, HeaderValue};
use http::{Method, StatusCode};
use kernel::{Error, Kind};

use crate::config::Settings;

/// The code of a page that may not call.
pub(crate) const ORIGIN_NOT_ALLOWED: &str = "origin_not_allowed";

const METHODS: HeaderValue = HeaderValue::from_static("GET, HEAD, POST, PUT, PATCH, DELETE, OPTIONS");
/// What the clients send; more is allowed when a preflight names it, since policies and functions read headers of users' own.
const REQUEST_HEADERS: &str = "authorization, x-client-info, apikey, content-type, x-retry-count, prefer, accept, accept-profile, \
    content-profile, range, range-unit, x-upsert, x-supabase-api-version, x-company-id, x-request-id, database-position, \
    traceparent, tracestate, baggage, tus-resumable, upload-length, upload-metadata, upload-offset, upload-concat, upload-defer-length, \
    x-http-method-override";
const RESPONSE_HEADERS: HeaderValue = HeaderValue::from_static(
    "content-range, content-location, next-cursor, content-encoding, content-length, date, x-total-count, link, location, range-unit, \
     preference-applied, retry-after, ratelimit, ratelimit-policy, ratelimit-limit, ratelimit-remaining, ratelimit-reset, x-request-id, \
     x-supabase-api-version, tus-resumable, tus-complete, upload-offset, upload-length, upload-metadata, upload-expires, warning, traceresponse, \
     database-position",
);
/// A day.
const MAX_AGE: HeaderValue = HeaderValue::from_static("86400");
/// The longest list of further headers that a preflight gets back.
const ASKED_BYTES_MAX: usize = 4096;

/// The rule.
#[derive(Clone, Debug)]
pub(crate) enum Cors {
    /// The routes themselves answer it.
    Routes,
    /// Any page.
    Anybody,
    /// These pages and our own.
    Listed(Vec<HeaderValue>),
}

/// What the rule says of one request.
#[derive(Debug)]
pub(super) enum Decision {
    /// The browser only asks.
    Preflight(Preflight),
    /// A foreign page.
    Refused(fn() -> Error),
    /// Goes on; the origin to allow, if a page asks.
    Pass(Option<Allowed>),
}

/// The answer's origin, and whether it differs by page.
#[derive(Clone, Debug)]
pub(super) struct Allowed {
    origin: HeaderValue,
    varies: bool,
}

/// The answer to a preflight.
#[derive(Debug)]
pub(super) struct Preflight {
    allowed: Allowed,
    headers: HeaderValue,
}

impl Cors {
    /// Makes the rule. Our own pages are those of the public address and of the addresses that we listen on.
    pub(crate) fn new(settings: &Settings, addresses: &[SocketAddr]) -> Self {
        if settings.cors.allowed_origins.is_empty() {
            return Self::Anybody;
        }
        let public = settings.public_url.as_deref().and_then(|url| url::Url::parse(url).ok());
        let public = public.map(|url| url.origin().ascii_serialization());
        let scheme = if settings.tls.is_on() { "https" } else { "http" };
        let ours = addresses.iter().flat_map(|address| {
            let by_name = address.ip().is_loopback().then(|| format!("{scheme}://localhost:{}", address.port()));
            by_name.into_iter().chain([format!("{scheme}://{address}")])
        });
        let listed = settings.cors.allowed_origins.iter().cloned().chain(public).chain(ours);
        Self::Listed(listed.filter_map(|origin| origin.parse().ok()).collect())
    }

    pub(super) fn decide(&self, method: &Method, headers: &HeaderMap) -> Decision {
        let Some(origin) = headers.get(header::ORIGIN) else {
            return Decision::Pass(None);
        };
        let allowed = match self {
            Self::Routes => return Decision::Pass(None),
            Self::Anybody => Allowed { origin: HeaderValue::from_static("*"), varies: false },
            Self::Listed(origins) if origins.contains(origin) => Allowed { origin: origin.clone(), varies: true },
            Self::Listed(_) => return Decision::Refused(origin_not_allowed),
        };
        if method == Method::OPTIONS && headers.contains_key(header::ACCESS_CONTROL_REQUEST_METHOD) {
            let headers = allowed_headers(headers.get(header::ACCESS_CONTROL_REQUEST_HEADERS));
            return Decision::Preflight(Preflight { allowed, headers });
        }
        Decision::Pass(Some(allowed))
    }
}

impl Decision {
    /// Writes what the browser wants to know.
    pub(super) fn mark(&self, headers: &mut HeaderMap) {
        let allowed = match self {
            Self::Pass(Some(allowed)) => {
                headers.insert(header::ACCESS_CONTROL_EXPOSE_HEADERS, RESPONSE_HEADERS);
                allowed
            }
            Self::Preflight(Preflight { allowed, .. }) => allowed,
            Self::Refused(_) => {
                headers.append(header::VARY, HeaderValue::from_static("Origin"));
                return;
            }
            Self::Pass(None) => return,
        };
        headers.insert(header::ACCESS_CONTROL_ALLOW_ORIGIN, allowed.origin.clone());
        if allowed.varies {
            headers.append(header::VARY, HeaderValue::from_static("Origin"));
        }
    }
}

impl Preflight {
    pub(super) fn to_response(&self) -> Response {
        let mut response = Response::new(Body::empty());
        *response.status_mut() = StatusCode::NO_CONTENT;
        let headers = response.headers_mut();
        headers.insert(header::ACCESS_CONTROL_ALLOW_METHODS, METHODS);
        headers.insert(header::ACCESS_CONTROL_ALLOW_HEADERS, self.headers.clone());
        headers.insert(header::ACCESS_CONTROL_MAX_AGE, MAX_AGE);
        headers.append(header::VARY, HeaderValue::from_static("Access-Control-Request-Headers"));
        response
    }
}

fn origin_not_allowed() -> Error {
    Error::new(Kind::Forbidden, ORIGIN_NOT_ALLOWED, "Pages of this origin may not call here")
        .with_hint("The operator lists allowed origins in cors.allowed_origins")
}

/// Returns our list and what was asked for besides, as far as it is made of names.
fn allowed_headers(asked: Option<&HeaderValue>) -> HeaderValue {
    let asked = asked.and_then(|value| value.to_str().ok()).filter(|text| text.len() <= ASKED_BYTES_MAX).unwrap_or_default();
    let known: Vec<&str> = REQUEST_HEADERS.split(',').map(str::trim).collect();
    let mut list = known.join(", ");
    for name in asked.split(',').filter_map(|name| name.trim().parse::<HeaderName>().ok()) {
        if !known.contains(&name.as_str()) {
            list.push_str(", ");
            list.push_str(name.as_str());
        }
    }
    HeaderValue::from_str(&list).unwrap_or_else(|_never_unprintable| HeaderValue::from_static("authorization, apikey"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn further_headers_are_allowed_by_name_only() {
        let list = allowed_headers(Some(&HeaderValue::from_static("X-My-Own, apikey, no good, x-other")));
        let list = list.to_str().unwrap();
        assert!(list.ends_with(", x-http-method-override, x-my-own, x-other"), "{list}");
        assert_eq!(list.matches("apikey").count(), 1);
    }

    #[test]
    fn an_origin_that_is_almost_ours_is_foreign() {
        let mut settings = Settings::default();
        settings.cors.allowed_origins = vec!["https://app.example.com".to_owned()];
        let cors = Cors::new(&settings, &[]);
        let decide =
            |origin: &'static str| cors.decide(&Method::GET, &HeaderMap::from_iter([(header::ORIGIN, HeaderValue::from_static(origin))]));
        assert!(matches!(decide("https://app.example.com"), Decision::Pass(Some(_))));
        for almost in [
            "null",
            "https://app.example.com.evil.example",
            "https://evilapp.example.com",
            "https://app.example.com:8443",
            "https://app.example.com@evil.example",
            "https://APP.example.com",
            "https://app.example.com/",
            "http://app.example.com",
            "*",
        ] {
            assert!(matches!(decide(almost), Decision::Refused(_)), "{almost}");
        }
        // Neither with listed origins nor without are credentials allowed: nothing here is a cookie.
        for decision in [
            decide("https://app.example.com"),
            Cors::Anybody.decide(&Method::GET, &HeaderMap::from_iter([(header::ORIGIN, HeaderValue::from_static("null"))])),
        ] {
            let mut headers = HeaderMap::new();
            decision.mark(&mut headers);
            assert!(
                headers.contains_key(header::ACCESS_CONTROL_ALLOW_ORIGIN)
                    && !headers.contains_key(header::ACCESS_CONTROL_ALLOW_CREDENTIALS)
            );
        }
    }

    #[test]
    fn our_own_pages_need_not_be_listed() {
        let mut settings = Settings::default();
        settings.cors.allowed_origins = vec!["https://app.example.com".to_owned()];
        settings.public_url = Some("https://api.example.com/x".to_owned());
        let Cors::Listed(origins) = Cors::new(&settings, &["127.0.0.1:7".parse().unwrap()]) else { panic!("not listed") };
        let expected = ["https://app.example.com", "https://api.example.com", "http://localhost:7", "http://127.0.0.1:7"];
        assert_eq!(origins, expected);
    }
}
