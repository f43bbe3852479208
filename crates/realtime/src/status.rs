//! `GET /api/status`: how realtime is at this server, for the operator's console.
//!
//! Invariant: only for the service key. It names channels and companies, and shows nothing of what is said.

use std::cmp::Reverse;
use std::sync::atomic::Ordering;

use axum::Json;
use axum::extract::{Request, State};
use axum::response::{IntoResponse, Response};
use kernel::{Error, ServiceOnly};
use postgres::feed::Way;
use serde_json::{Value, json};

use crate::Realtime;
use crate::caller::Tenant;
use crate::requests;

/// Channels and companies that are shown, the largest first.
const SHOWN_MAX: usize = 100;

/// Shows it.
pub(crate) async fn show(State(realtime): State<Realtime>, request: Request) -> Response {
    let (parts, _body) = request.into_parts();
    let allowed = async {
        let caller = requests::who(&realtime, &parts).await?;
        caller.principal.clone().require::<ServiceOnly>().map(drop)
    };
    match allowed.await {
        Ok(()) => Json(document(&realtime)).into_response(),
        Err(error) => refused(&error),
    }
}

fn refused(error: &Error) -> Response {
    requests::told(error)
}

pub(crate) fn document(realtime: &Realtime) -> Value {
    let inner = &realtime.0;
    let mut topics = inner.hub.sizes();
    let (channels, joined): (usize, usize) = (topics.len(), topics.iter().map(|(_, sockets, _)| sockets).sum());
    topics.sort_by_key(|(topic, sockets, _)| (Reverse(*sockets), topic.clone()));
    let topics = topics.into_iter().take(SHOWN_MAX);
    let topics = topics.map(
        |(topic, sockets, present)| json!({ "topic": &*topic.name, "private": topic.is_private, "sockets": sockets, "present": present }),
    );
    let mut companies = inner.quotas.all();
    companies.sort_by_key(|(tenant, sockets, _)| (Reverse(*sockets), *tenant));
    let companies = companies.into_iter().take(SHOWN_MAX).map(|(tenant, sockets, usage)| {
        let (kind, id) = match tenant {
            Tenant::Company(id) => ("company", Some(id.to_string())),
            Tenant::Network(address) => ("network", address.map(|address| address.to_string())),
            Tenant::Service => ("service", None),
        };
        let counted = &usage.counted;
        json!({
            "kind": kind, "id": id, "sockets": sockets, "joins": counted.joins.load(Ordering::Relaxed),
            "messages": counted.messages.load(Ordering::Relaxed), "bytes": counted.bytes.load(Ordering::Relaxed),
            "refused": counted.refused.load(Ordering::Relaxed),
        })
    });
    let way = match inner.feed.way() {
        Way::Streamed => "streamed",
        Way::Polled => "polled",
        Way::Closed => "closed",
    };
    let lag = inner.feed.lag().map(|lag| u64::try_from(lag.as_millis()).unwrap_or(u64::MAX));
    let nodes = inner.nodes.state().map(|(is_open, others)| json!({ "connected": is_open, "others": others }));
    json!({
        "node": inner.hub.node(), "sockets": inner.quotas.sockets(), "channels": channels, "joined": joined,
        "change_feed": { "way": way, "lag_ms": lag }, "nodes": nodes,
        "companies": companies.collect::<Vec<Value>>(), "topics": topics.collect::<Vec<Value>>(),
    })
}
