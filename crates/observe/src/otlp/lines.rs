//! Lines of the log, as a collector takes them.
//!
//! Invariant: they are cleaned as what is told to Sentry: no path, address, header, query or body, and no secret in words.

use std::time::SystemTime;

use kernel::trace::{Placed, TARGET};
use serde_json::Value;
use tracing::span::{Attributes, Id, Record};
use tracing::{Event, Level, Subscriber};
use tracing_subscriber::Layer;
use tracing_subscriber::layer::Context;
use tracing_subscriber::registry::LookupSpan;

use super::messages::{AnyValue, Attribute, Line};
use super::queue::{Item, Queue};
use crate::fields::{Collected, Fields};
use crate::sentry::envelope::{NEVER, PLAIN};
use crate::sentry::scrub;

/// The target of the line that every request has; its text has the path.
const ACCESS: &str = "access";

/// Sends lines.
#[derive(Debug)]
pub(crate) struct Lines {
    pub(crate) queue: Queue,
}

/// The fields of a span, for what is logged within it.
struct Around(Fields);

impl<S: Subscriber + for<'a> LookupSpan<'a>> Layer<S> for Lines {
    fn on_new_span(&self, attributes: &Attributes<'_>, id: &Id, context: Context<'_, S>) {
        let mut collected = Collected::default();
        attributes.record(&mut collected);
        if attributes.metadata().target() == TARGET {
            collected.fields.retain(|name, _| PLAIN.contains(&name.as_str()));
        }
        if let Some(span) = context.span(id) {
            span.extensions_mut().insert(Around(collected.fields));
        }
    }

    fn on_record(&self, id: &Id, values: &Record<'_>, context: Context<'_, S>) {
        if let Some(span) = context.span(id)
            && let Some(known) = span.extensions_mut().get_mut::<Around>()
        {
            let mut collected = Collected::default();
            values.record(&mut collected);
            known.0.extend(collected.fields);
        }
    }

    fn on_event(&self, event: &Event<'_>, context: Context<'_, S>) {
        let (mut fields, mut place) = (Fields::new(), None);
        for span in context.event_scope(event).into_iter().flat_map(tracing_subscriber::registry::Scope::from_root) {
            let extensions = span.extensions();
            if let Some(known) = extensions.get::<Around>() {
                fields.extend(known.0.clone());
            }
            place = extensions.get::<Placed>().copied().or(place);
        }
        let mut collected = Collected::default();
        event.record(&mut collected);
        fields.extend(collected.fields);
        let target = event.metadata().target();
        self.queue.put(Item::Line(made(*event.metadata().level(), target, &collected.message, &fields, place)));
    }
}

fn made(level: Level, target: &str, message: &str, fields: &Fields, place: Option<Placed>) -> Line {
    let (severity, severity_text) = match level {
        Level::TRACE => (1, "TRACE"),
        Level::DEBUG => (5, "DEBUG"),
        Level::INFO => (9, "INFO"),
        Level::WARN => (13, "WARN"),
        Level::ERROR => (17, "ERROR"),
    };
    let body = if target == ACCESS {
        let word = |name: &str| fields.get(name).and_then(Value::as_str).unwrap_or("none");
        format!("{} {}", word("method"), word("route"))
    } else {
        scrub::text(message)
    };
    let told = fields.iter().filter(|(name, _)| !NEVER.contains(&name.as_str()));
    let attributes = told.map(|(name, value)| match value {
        Value::String(text) if !PLAIN.contains(&name.as_str()) => Attribute::of(name, &Value::String(scrub::text(text))),
        value => Attribute::of(name, value),
    });
    let now = super::unix_nanos(SystemTime::now());
    Line {
        unix_nanos: now,
        severity,
        severity_text: severity_text.to_owned(),
        body: Some(AnyValue::from(&Value::String(body))),
        attributes: attributes.chain([Attribute::of("logger", &Value::String(target.to_owned()))]).collect(),
        flags: u32::from(place.is_some_and(|place| place.context.is_sampled)),
        trace_id: place.map(|place| place.context.trace_id.to_be_bytes().to_vec()).unwrap_or_default(),
        span_id: place.map(|place| place.context.span_id.to_be_bytes().to_vec()).unwrap_or_default(),
        observed_unix_nanos: now,
    }
}
