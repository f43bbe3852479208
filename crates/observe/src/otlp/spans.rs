//! Spans of requests, tasks and what is done for them, as a collector takes them.
//!
//! Invariant: a span has what is listed here and no more: routes, methods, statuses, codes, ids of companies; no path, query, header, body
//! or text of a statement. Only requests, tasks, messages and deliveries begin a trace, so that what the server does by itself all the time is in none.

use std::time::SystemTime;

use kernel::TraceContext;
use kernel::trace::{Placed, REQUEST, TARGET, TASK};
use serde_json::Value;
use tracing::span::{Attributes, Id, Record};
use tracing::{Event, Metadata, Subscriber};
use tracing_subscriber::Layer;
use tracing_subscriber::layer::Context;
use tracing_subscriber::registry::LookupSpan;

use super::messages::{Attribute, Span, Status};
use super::queue::{Item, Queue};
use crate::fields::{Collected, Fields};

/// The target of the line that every request has.
const ACCESS: &str = "access";
/// What is told of a span, with the names of OpenTelemetry where it has one.
const TOLD: &[(&str, &str)] = &[
    ("method", "http.request.method"),
    ("route", "http.route"),
    ("status", "http.response.status_code"),
    ("code", "error.type"),
    ("request_id", "thorbis.request_id"),
    ("company_id", "thorbis.company_id"),
    ("principal", "thorbis.principal"),
    ("access", "thorbis.access"),
    ("system", "db.system.name"),
    ("operation", "db.operation.name"),
    ("rows", "db.response.returned_rows"),
    ("kind", "thorbis.task.kind"),
    ("task_id", "thorbis.task.id"),
    ("attempt", "thorbis.attempt"),
    ("channel", "thorbis.channel"),
    ("host", "server.address"),
];

/// What begins a trace beside requests.
const BEGIN: &[&str] = &[TASK, "message", "delivery"];

/// Makes spans.
#[derive(Debug)]
pub(crate) struct Spans {
    pub(crate) queue: Queue,
    pub(crate) sample_rate: f64,
}

/// A span that has begun.
struct Begun {
    at: SystemTime,
    fields: Fields,
}

/// Tells whether something is about spans: they themselves, and the line that ends a request.
pub(crate) fn is_about_spans(metadata: &Metadata<'_>) -> bool {
    if metadata.is_span() { metadata.target() == TARGET || is_request(metadata) } else { metadata.target() == ACCESS }
}

fn is_request(metadata: &Metadata<'_>) -> bool {
    metadata.name() == REQUEST && metadata.target() != TARGET
}

impl Spans {
    /// Returns where a new span stands; none where it belongs to no trace.
    fn place(&self, metadata: &Metadata<'_>, above: Option<TraceContext>) -> Option<Placed> {
        let span_id = rand::random_range(1..=u64::MAX);
        if let Some(above) = above {
            return Some(Placed { context: TraceContext { span_id, ..above }, parent_id: Some(above.span_id) });
        }
        let begins = is_request(metadata) || BEGIN.contains(&metadata.name());
        let is_sampled = self.sample_rate >= 1.0 || self.sample_rate > 0.0 && rand::random::<f64>() < self.sample_rate;
        begins
            .then(|| Placed { context: TraceContext { trace_id: rand::random_range(1..=u128::MAX), span_id, is_sampled }, parent_id: None })
    }
}

impl<S: Subscriber + for<'a> LookupSpan<'a>> Layer<S> for Spans {
    fn on_new_span(&self, attributes: &Attributes<'_>, id: &Id, context: Context<'_, S>) {
        let Some(span) = context.span(id) else { return };
        let above = span.scope().skip(1).find_map(|span| span.extensions().get::<Placed>().map(|placed| placed.context));
        let Some(placed) = self.place(span.metadata(), above) else { return };
        let begins = above.is_none();
        let mut extensions = span.extensions_mut();
        extensions.insert(placed);
        // A trace from elsewhere may yet say that it is told.
        if placed.context.is_sampled || begins {
            let mut collected = Collected::default();
            attributes.record(&mut collected);
            extensions.insert(Begun { at: SystemTime::now(), fields: collected.fields });
        }
    }

    fn on_record(&self, id: &Id, values: &Record<'_>, context: Context<'_, S>) {
        if let Some(span) = context.span(id)
            && let Some(begun) = span.extensions_mut().get_mut::<Begun>()
        {
            let mut collected = Collected::default();
            values.record(&mut collected);
            begun.fields.extend(collected.fields);
        }
    }

    fn on_event(&self, event: &Event<'_>, context: Context<'_, S>) {
        if event.metadata().target() != ACCESS {
            return;
        }
        let request = context.event_scope(event).and_then(|mut around| around.find(|span| is_request(span.metadata())));
        if let Some(request) = request
            && let Some(begun) = request.extensions_mut().get_mut::<Begun>()
        {
            let mut collected = Collected::default();
            event.record(&mut collected);
            begun.fields.extend(collected.fields);
        }
    }

    fn on_close(&self, id: Id, context: Context<'_, S>) {
        let Some(span) = context.span(&id) else { return };
        let mut extensions = span.extensions_mut();
        let (placed, begun) = (extensions.remove::<Placed>(), extensions.remove::<Begun>());
        if let (Some(placed), Some(begun)) = (placed, begun)
            && placed.context.is_sampled
        {
            self.queue.put(Item::Span(made(span.name(), placed, &begun)));
        }
    }
}

fn made(name: &str, placed: Placed, begun: &Begun) -> Span {
    let word = |key: &str| begun.fields.get(key).and_then(Value::as_str).unwrap_or("none");
    let shown = match name {
        REQUEST => format!("{} {}", word("method"), word("route")),
        TASK => format!("{TASK} {}", word("kind")),
        name => name.to_owned(),
    };
    // Of requests only what is our own fault is an error.
    let failed = match begun.fields.get("status").and_then(Value::as_u64) {
        Some(status) if name == REQUEST => status >= 500,
        _ => begun.fields.contains_key("code"),
    };
    let told = |(key, shown): &(&str, &str)| begun.fields.get(*key).map(|value| Attribute::of(shown, value));
    Span {
        trace_id: placed.context.trace_id.to_be_bytes().to_vec(),
        span_id: placed.context.span_id.to_be_bytes().to_vec(),
        parent_span_id: placed.parent_id.map(|id| id.to_be_bytes().to_vec()).unwrap_or_default(),
        name: shown,
        kind: kind(name),
        began_unix_nanos: super::unix_nanos(begun.at),
        ended_unix_nanos: super::unix_nanos(SystemTime::now()),
        attributes: TOLD.iter().filter_map(told).collect(),
        status: failed.then_some(Status { code: 2 }),
        flags: 1,
    }
}

/// Returns the kind of a span: internal, server, client, producer or consumer.
fn kind(name: &str) -> i32 {
    match name {
        REQUEST => 2,
        "statement" | "call" => 3,
        "message" | "delivery" => 4,
        TASK => 5,
        _ => 1,
    }
}
