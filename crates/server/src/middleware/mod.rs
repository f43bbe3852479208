//! What happens to every request before its route and to every answer after it.
//!
//! Invariant: every answer has a request id and a line in the log, whatever happened; every error has the one shape.

mod asked_address;
mod body_limit;
mod client_address;
mod cors;
mod observation;
mod refusal;
mod request_id;

use std::net::SocketAddr;
use std::panic::AssertUnwindSafe;
use std::sync::Arc;
use std::time::Duration;

use axum::Router;
use axum::body::{Body, Bytes};
use axum::extract::ConnectInfo;
use axum::response::{IntoResponse, Response};
use futures_util::FutureExt;
use http::{HeaderMap, HeaderName, HeaderValue, Request, header};
use http_body::Body as HttpBody;
use kernel::{AskedAddress, ClientAddress, Error, Kind, TraceContext, trace};
use observe::Signals;
use tower::ServiceExt;
use tracing::field::Empty;
use tracing::{Instrument, Span};

use crate::config::Limits;

pub(crate) use asked_address::OwnAddress;
pub(crate) use client_address::{Proxies, range};
pub(crate) use cors::Cors;
pub(crate) use observation::route_into_response;
pub(crate) use refusal::{METHOD_NOT_ALLOWED, ROUTE_NOT_FOUND};
pub(crate) use request_id::RequestId;

use body_limit::Limited;
use cors::Decision;
use observation::Observation;

/// The code of a request whose line and headers are too large.
pub(crate) const HEADERS_TOO_LARGE: &str = "headers_too_large";
/// The code of a request that was not answered in time.
pub(crate) const REQUEST_TIMEOUT: &str = "request_timeout";

/// Where a trace comes in, and where the answer says which it became.
const TRACE_PARENT: HeaderName = HeaderName::from_static("traceparent");
const TRACE_RESPONSE: HeaderName = HeaderName::from_static("traceresponse");

/// The way of every request.
#[derive(Debug)]
pub(crate) struct Pipeline {
    router: Router,
    cors: Cors,
    limits: Limits,
    proxies: Proxies,
    own: OwnAddress,
    uploads: Vec<Uploads>,
    signals: Arc<Signals>,
    strict_transport: Option<HeaderValue>,
}

/// Where files are sent that may be larger than every other body, and may take longer.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Uploads {
    /// What the paths begin with that take them by `POST`, `PUT` or `PATCH`.
    pub(crate) path: &'static str,
    /// Bytes of one.
    pub(crate) bytes_max: u64,
    /// How long sending one may take.
    pub(crate) time: Duration,
}

impl Uploads {
    fn has(&self, path: &str) -> bool {
        path.strip_prefix(self.path).is_some_and(|rest| rest.is_empty() || rest.starts_with('/'))
    }
}

impl Pipeline {
    pub(crate) fn new(router: Router, cors: Cors, limits: Limits) -> Self {
        Self {
            router,
            cors,
            limits,
            proxies: Proxies::default(),
            own: OwnAddress::default(),
            uploads: Vec::new(),
            signals: Arc::default(),
            strict_transport: None,
        }
    }

    /// Believes these proxies.
    #[must_use]
    pub(crate) fn behind(mut self, proxies: Proxies) -> Self {
        self.proxies = proxies;
        self
    }

    /// Is found at this address, where a request does not say another one.
    #[must_use]
    pub(crate) fn found_at(mut self, own: OwnAddress) -> Self {
        self.own = own;
        self
    }

    /// Counts here what rules of alerts look at.
    #[must_use]
    pub(crate) fn counting(mut self, signals: Arc<Signals>) -> Self {
        self.signals = signals;
        self
    }

    /// Has browsers come by TLS alone for so many seconds; none is as long as nothing.
    #[must_use]
    pub(crate) fn by_tls_alone(mut self, seconds: u64) -> Self {
        self.strict_transport = (seconds > 0).then(|| HeaderValue::try_from(format!("max-age={seconds}")).ok()).flatten();
        self
    }

    /// Takes files below paths.
    #[must_use]
    pub(crate) fn taking(mut self, uploads: impl IntoIterator<Item = Uploads>) -> Self {
        self.uploads.extend(uploads);
        self
    }

    /// Answers a request, whatever happens.
    pub(crate) async fn answer<B>(&self, mut request: Request<B>, peer: SocketAddr) -> Response
    where
        B: HttpBody<Data = Bytes> + Send + Unpin + 'static,
        B::Error: Into<axum::BoxError>,
    {
        let id = RequestId::of(request.headers());
        let span =
            tracing::info_span!("request", request_id = %id, trace_id = Empty, user_id = Empty, company_id = Empty, principal = Empty);
        let place = self.place(&span, peer, request.headers());
        request.extensions_mut().insert(id.clone());
        request.extensions_mut().insert(ConnectInfo(peer));
        let client = self.proxies.client(peer.ip(), request.headers());
        request.extensions_mut().insert(ClientAddress(client));
        let asked = self.own.asked(&self.proxies, peer.ip(), &request);
        request.extensions_mut().insert(AskedAddress(asked));
        let observation = Observation::begin(&request, (peer, client), span.clone(), Arc::clone(&self.signals));
        async {
            let decision = self.cors.decide(request.method(), request.headers());
            let mut response = match &decision {
                Decision::Preflight(answer) => answer.to_response(),
                Decision::Refused(error) => error().into_response(),
                Decision::Pass(_) => self.route(request).await,
            };
            decision.mark(response.headers_mut());
            let headers = response.headers_mut();
            headers.insert(request_id::HEADER, id.header());
            headers.insert(header::X_CONTENT_TYPE_OPTIONS, HeaderValue::from_static("nosniff"));
            if let Some(strict) = &self.strict_transport {
                headers.insert(header::STRICT_TRANSPORT_SECURITY, strict.clone());
            }
            if let Some(place) = place.and_then(|place| HeaderValue::try_from(place.to_string()).ok()) {
                headers.insert(TRACE_RESPONSE, place);
            }
            observation.end(&response);
            response
        }
        .instrument(span)
        .await
    }

    /// Returns the request's place in its trace, where traces are gathered. A client's id is taken over; whether it is traced a client does
    /// not say, since that costs something: only a proxy of ours does.
    fn place(&self, span: &Span, peer: SocketAddr, headers: &HeaderMap) -> Option<TraceContext> {
        let from = headers.get(TRACE_PARENT).and_then(|value| TraceContext::parse(value.to_str().ok()?));
        let place = trace::go_on(span, from, self.proxies.trusts(peer.ip().to_canonical()))?;
        span.record("trace_id", format_args!("{:032x}", place.trace_id));
        Some(place)
    }

    async fn route<B>(&self, request: Request<B>) -> Response
    where
        B: HttpBody<Data = Bytes> + Send + Unpin + 'static,
        B::Error: Into<axum::BoxError>,
    {
        if header_bytes(&request) > self.limits.header_bytes_max {
            return headers_too_large(self.limits.header_bytes_max).into_response();
        }
        let writes = [http::Method::POST, http::Method::PUT, http::Method::PATCH].contains(request.method());
        let upload = self.uploads.iter().find(|uploads| writes && uploads.has(request.uri().path()));
        let limit = upload.map_or(self.limits.body_bytes_max, |uploads| uploads.bytes_max.max(self.limits.body_bytes_max));
        if body_limit::announced(request.headers()).is_some_and(|bytes| bytes > limit) {
            return body_limit::refuse_unread(request, limit).await;
        }
        let (parts, body) = request.into_parts();
        let (body, overrun) = Limited::new(body, limit);
        let request = Request::from_parts(parts, Body::new(body));
        let time = upload.map_or(Duration::from_millis(self.limits.request_time_ms), |uploads| uploads.time);
        let work = AssertUnwindSafe(self.router.clone().oneshot(request)).catch_unwind();
        let response = match tokio::time::timeout(time, work).await {
            Ok(Ok(Ok(response))) => response,
            Ok(Ok(Err(impossible))) => match impossible {},
            Ok(Err(panic)) => Error::internal(panic_text(panic.as_ref())).into_response(),
            Err(_elapsed) => request_timeout(time).into_response(),
        };
        if overrun.happened() {
            return body_limit::too_large(limit).into_response();
        }
        refusal::in_our_shape(response)
    }
}

fn header_bytes<B>(request: &Request<B>) -> usize {
    // As on the wire: `name: value` and the end of the line.
    let headers: usize = request.headers().iter().map(|(name, value)| name.as_str().len() + value.len() + 4).sum();
    let uri = request.uri().path_and_query().map_or(0, |text| text.as_str().len());
    headers + uri + request.method().as_str().len()
}

fn headers_too_large(limit: usize) -> Error {
    Error::new(Kind::Status(431), HEADERS_TOO_LARGE, format!("The request's line and headers are larger than {limit} bytes"))
}

fn request_timeout(time: Duration) -> Error {
    Error::new(Kind::Timeout, REQUEST_TIMEOUT, format!("The request was not finished within {} ms", time.as_millis()))
}

fn panic_text(panic: &(dyn std::any::Any + Send)) -> String {
    let text = panic.downcast_ref::<&str>().map(|text| (*text).to_owned());
    let text = text.or_else(|| panic.downcast_ref::<String>().cloned());
    format!("panic: {}", text.unwrap_or_else(|| "without a message".to_owned()))
}

#[cfg(test)]
mod tests {
    use super::*;
    use axum::routing::get;
    use http_body_util::{BodyExt, Empty};
    use serde_json::{Value, json};

    async fn broken() -> &'static str {
        let secrets: [&str; 0] = [];
        secrets.first().expect("hunter2 is not here")
    }

    #[tokio::test]
    async fn a_panic_is_an_error_like_any_other() {
        let pipeline = Pipeline::new(Router::new().route("/", get(broken)), Cors::Anybody, Limits::default());
        for _ in 0..2 {
            let response = pipeline.answer(Request::new(Empty::new()), "127.0.0.1:9".parse().unwrap()).await;
            assert_eq!(response.status(), 500);
            assert!(response.headers().contains_key("x-request-id"));
            let body: Value = serde_json::from_slice(&response.into_body().collect().await.unwrap().to_bytes()).unwrap();
            let message = "Something went wrong on our side";
            assert_eq!(body, json!({ "code": "internal_error", "details": null, "hint": null, "message": message }));
        }
    }
}
