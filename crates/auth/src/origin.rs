//! Where a request comes from, for what the database writes down of it: the history of an account, the audit.
//!
//! Invariant: only the address that the server knows and the program's own name go there, never a header that holds credentials.

use axum::extract::{FromRequestParts, Request};
use axum::middleware::Next;
use axum::response::Response;
use kernel::RequestContext;
use serde_json::{Map, json};

use crate::input::Device;

tokio::task_local! {
    static ORIGIN: RequestContext;
}

/// Has the transactions of a request say where it comes from.
pub(crate) async fn remember(request: Request, next: Next) -> Response {
    let (mut parts, body) = request.into_parts();
    let device = Device::from_request_parts(&mut parts, &()).await;
    let device = device.unwrap_or(Device { user_agent: None, address: None });
    let said = [("x-real-ip", device.address), ("user-agent", device.user_agent)];
    let headers: Map<_, _> = said.into_iter().filter_map(|(name, value)| Some((name.to_owned(), json!(value?)))).collect();
    let context = RequestContext {
        method: parts.method.as_str().into(),
        path: parts.uri.path().into(),
        headers_json: serde_json::Value::Object(headers).to_string().into(),
        ..RequestContext::default()
    };
    ORIGIN.scope(context, next.run(Request::from_parts(parts, body))).await
}

/// Returns where the request comes from that is being answered; nothing outside of one.
pub(crate) fn current() -> RequestContext {
    ORIGIN.try_with(Clone::clone).unwrap_or_default()
}
