//! One line in the log and one count in the metrics for every request; for our own failures the cause too.
//!
//! Invariant: the query of a URL is never logged: it holds what people look for. A request whose client went away is seen as well.

use std::net::{IpAddr, SocketAddr};
use std::sync::Arc;
use std::time::Instant;

use axum::extract::{MatchedPath, Request};
use axum::middleware::Next;
use axum::response::Response;
use http::{Method, StatusCode};
use kernel::Error;
use observe::Signals;
use tracing::Span;

use crate::metrics::{self, OfTier};

/// The status that is logged where the client went away before its answer; nothing is sent.
const CLIENT_CLOSED: u16 = 499;

/// The pattern of the route that answered: `/rest/v1/{table}`.
#[derive(Clone, Debug)]
pub(crate) struct Route(Arc<str>);

/// Notes the matched route on the answer. Goes around every route.
pub(crate) async fn route_into_response(request: Request, next: Next) -> Response {
    let route = request.extensions().get::<MatchedPath>().map(|path| Route(path.as_str().into()));
    let mut response = next.run(request).await;
    if let Some(route) = route {
        response.extensions_mut().insert(route);
    }
    response
}

/// A request being watched.
#[derive(Debug)]
pub(super) struct Observation {
    started: Instant,
    method: Method,
    path: String,
    peer: SocketAddr,
    client: IpAddr,
    span: Span,
    signals: Arc<Signals>,
    ended: bool,
}

impl Observation {
    /// Begins with who sent it, and for whom.
    pub(super) fn begin<B>(request: &http::Request<B>, (peer, client): (SocketAddr, IpAddr), span: Span, signals: Arc<Signals>) -> Self {
        let (method, path) = (request.method().clone(), told(request.uri().path()));
        Self { started: Instant::now(), method, path, peer, client, span, signals, ended: false }
    }

    pub(super) fn end(mut self, response: &Response) {
        self.ended = true;
        let error = response.extensions().get::<Arc<Error>>();
        let route = response.extensions().get::<Route>().map(|route| &*route.0);
        let status = response.status().as_u16();
        // What is not offered is the caller's matter, however its status is numbered.
        if let Some(error) = error.filter(|_| status >= 500 && status != StatusCode::NOT_IMPLEMENTED.as_u16()) {
            let source = chain(error);
            tracing::error!(code = error.code(), status, path = self.path, source, "the request failed: {}", error.message());
        }
        self.write((route.unwrap_or("none"), status), response.extensions().get(), error.map(|error| error.code()));
    }

    fn write(&self, (route, status): (&str, u16), tier: Option<&OfTier>, code: Option<&str>) {
        let taken = self.started.elapsed();
        self.signals.note_request(status, taken);
        metrics::count_request((&self.method, route, status), tier, taken);
        let duration_ms = taken.as_secs_f64() * 1000.0;
        let (method, path, peer, client) = (metrics::method_name(&self.method), &self.path, self.peer, self.client);
        tracing::info!(target: "access", method, path, status, duration_ms, %peer, %client, route, code, "{method} {path} {status}");
    }
}

impl Drop for Observation {
    fn drop(&mut self) {
        if !self.ended {
            let _entered = self.span.clone().entered();
            self.write(("none", CLIENT_CLOSED), None, Some("client_closed"));
        }
    }
}

/// Returns the causes of an error, outermost first. For the log only.
fn chain(error: &Error) -> String {
    let mut text = String::new();
    let mut next = std::error::Error::source(error);
    while let Some(source) = next {
        if !text.is_empty() {
            text.push_str(": ");
        }
        text.push_str(&source.to_string());
        next = source.source();
    }
    text
}

/// What is told of a path: files have names that people give them, and those stay out of logs.
fn told(path: &str) -> String {
    // The slash, `storage`, `v1`, `object` and what is done with it, or the bucket; then the bucket, or the company's folder.
    const TOLD: usize = 6;
    // Where a name may follow the bucket at once.
    const BUCKET: usize = 5;
    let parts: Vec<&str> = path.split('/').collect();
    let is_deep = path.starts_with("/storage/v1/") && parts.len() > TOLD;
    let is_named = ["/storage/v1/object/", "/storage/v1/s3/"].iter().any(|begin| path.starts_with(begin));
    let is_bucket = path.starts_with("/storage/v1/object/") && parts.get(4).is_some_and(|deed| DEEDS.contains(deed));
    match parts.get(..if is_deep { TOLD } else { BUCKET }) {
        Some(begin) if is_deep || is_named && !is_bucket && parts.get(BUCKET).is_some_and(|name| !name.is_empty()) => {
            format!("{}/...", begin.join("/"))
        }
        Some(_) | None => path.to_owned(),
    }
}

/// What may stand before the bucket, so that a bucket alone follows; a bucket called so has its files named like folders.
const DEEDS: [&str; 8] = ["authenticated", "info", "list", "list-v2", "public", "sign", "upload", "render"];

#[cfg(test)]
mod tests {
    use super::told;

    #[test]
    fn names_of_files_are_not_told() {
        for (path, expected) in [
            ("/rest/v1/customers", "/rest/v1/customers"),
            ("/storage/v1/object/attachments/01/jane.pdf", "/storage/v1/object/attachments/01/..."),
            ("/storage/v1/object/sign/attachments/01/jane.pdf", "/storage/v1/object/sign/attachments/..."),
            ("/storage/v1/s3/attachments/01/jane.pdf", "/storage/v1/s3/attachments/01/..."),
            ("/storage/v1/s3/public/jane.pdf", "/storage/v1/s3/public/..."),
            ("/storage/v1/bucket", "/storage/v1/bucket"),
            ("/storage/v1/object/avatars/jane.pdf", "/storage/v1/object/avatars/..."),
            ("/storage/v1/s3/avatars/jane.pdf", "/storage/v1/s3/avatars/..."),
            ("/storage/v1/s3/avatars", "/storage/v1/s3/avatars"),
            ("/storage/v1/s3/avatars/", "/storage/v1/s3/avatars/"),
            ("/storage/v1/object/list/avatars", "/storage/v1/object/list/avatars"),
            ("/storage/v1/object/sign/avatars", "/storage/v1/object/sign/avatars"),
            ("/storage/v1/object/public/avatars/jane.pdf", "/storage/v1/object/public/avatars/..."),
        ] {
            assert_eq!(told(path), expected);
        }
    }
}
