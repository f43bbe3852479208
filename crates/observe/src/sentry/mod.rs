//! Errors, and some of the requests, told to Sentry or what speaks like it.
//!
//! Invariant: whoever logs never waits. What does not fit into the queue is dropped and counted, and while the other side asks for a pause
//! nothing is sent.

pub(crate) mod envelope;
pub(crate) mod scrub;

use std::time::Duration;

use http::header::{CONTENT_TYPE, HeaderMap, HeaderName, HeaderValue, RETRY_AFTER};
use kernel::{Error, Result};
use outbound::http::{Bounds, Call, Http, HttpOptions, NamedBy};
use serde_json::Value;
use tokio::sync::mpsc::{Receiver, Sender, channel};
use tokio::time::Instant;
use tracing::span::{Attributes, Id, Record};
use tracing::{Event, Level, Subscriber};
use tracing_subscriber::Layer;
use tracing_subscriber::layer::Context;
use tracing_subscriber::registry::LookupSpan;

use crate::config::SentryConfig;
use crate::fields::{Collected, Fields, SpanFields};
use envelope::{About, Dsn};

/// The target of the line that every request has.
const ACCESS: &str = "access";
/// The pause where the other side says that it is too much, and not for how long.
const PAUSE: Duration = Duration::from_mins(1);
/// The longest pause that is kept.
const PAUSE_MAX: Duration = Duration::from_hours(1);
/// What a call may take.
const BOUNDS: Bounds = Bounds { bytes_max: 4096, time: Duration::from_secs(10) };

/// Tells of what is logged.
#[derive(Debug)]
pub struct Sentry {
    about: About,
    queue: Sender<String>,
    sample_rate: f64,
    traces_sample_rate: f64,
}

impl Sentry {
    /// Begins to send, on the runtime that this is called on; nothing where no DSN is set.
    pub fn begin(config: &SentryConfig, release: &str, environment: &str) -> Result<Option<Self>> {
        let Some(dsn) = &config.dsn else { return Ok(None) };
        let dsn = Dsn::parse(dsn.expose()).ok_or_else(|| Error::internal("sentry.dsn cannot be read"))?;
        let http = Http::new(HttpOptions { bounds: BOUNDS, private_allowed: true })?;
        let (queue, waiting) = channel(config.queue_max);
        tokio::spawn(send(http, dsn, waiting));
        let about =
            About { release: release.to_owned(), environment: config.environment.clone().unwrap_or_else(|| environment.to_owned()) };
        Ok(Some(Self { about, queue, sample_rate: config.sample_rate, traces_sample_rate: config.traces_sample_rate }))
    }

    fn put(&self, envelope: String) {
        if self.queue.try_send(envelope).is_err() {
            metrics::counter!("sentry_envelopes_total", "result" => "dropped").increment(1);
        }
    }

    fn request(&self, fields: &Fields) {
        let word = |name: &str| fields.get(name).and_then(Value::as_str).unwrap_or("none");
        let taken = fields.get("duration_ms").and_then(Value::as_f64).unwrap_or_default() / 1000.0;
        let taken = Duration::try_from_secs_f64(taken).unwrap_or_default();
        self.put(self.about.request(&format!("{} {}", word("method"), word("route")), taken, fields));
    }
}

fn is_drawn(rate: f64) -> bool {
    rate >= 1.0 || rate > 0.0 && rand::random::<f64>() < rate
}

/// Sends what waits, until nobody can put anything in any more.
async fn send(http: Http, dsn: Dsn, mut waiting: Receiver<String>) {
    let mut silent_until = Instant::now();
    while let Some(envelope) = waiting.recv().await {
        let result = if Instant::now() < silent_until { Err(None) } else { post(&http, &dsn, envelope).await };
        let told = if result.is_ok() { "sent" } else { "dropped" };
        metrics::counter!("sentry_envelopes_total", "result" => told).increment(1);
        if let Err(Some(pause)) = result {
            silent_until = Instant::now() + pause.min(PAUSE_MAX);
        }
    }
}

/// Posts one; an answer may ask for a pause.
async fn post(http: &Http, dsn: &Dsn, envelope: String) -> std::result::Result<(), Option<Duration>> {
    let mut headers = HeaderMap::new();
    headers.insert(CONTENT_TYPE, HeaderValue::from_static("application/x-sentry-envelope"));
    let mut shown = HeaderValue::from_str(&dsn.shown()).map_err(|_unusual| None)?;
    shown.set_sensitive(true);
    headers.insert(HeaderName::from_static("x-sentry-auth"), shown);
    let answer = http.send_and_cut(Call::post(&dsn.url, NamedBy::Operator, headers, envelope.into_bytes())).await.map_err(|_fault| None)?;
    match answer.status.as_u16() {
        200..=299 => Ok(()),
        429 => {
            let seconds = answer.headers.get(RETRY_AFTER).and_then(|value| value.to_str().ok()?.trim().parse().ok());
            Err(Some(seconds.map_or(PAUSE, Duration::from_secs)))
        }
        _ => Err(None),
    }
}

impl<S: Subscriber + for<'a> LookupSpan<'a>> Layer<S> for Sentry {
    fn on_new_span(&self, attributes: &Attributes<'_>, id: &Id, context: Context<'_, S>) {
        let mut collected = Collected::default();
        attributes.record(&mut collected);
        if let Some(span) = context.span(id) {
            span.extensions_mut().insert(SpanFields(collected.fields));
        }
    }

    fn on_record(&self, id: &Id, values: &Record<'_>, context: Context<'_, S>) {
        let mut collected = Collected::default();
        values.record(&mut collected);
        if let Some(span) = context.span(id)
            && let Some(known) = span.extensions_mut().get_mut::<SpanFields>()
        {
            known.0.extend(collected.fields);
        }
    }

    fn on_event(&self, event: &Event<'_>, context: Context<'_, S>) {
        let is_error = *event.metadata().level() == Level::ERROR;
        let is_request = event.metadata().target() == ACCESS;
        if !(is_error && is_drawn(self.sample_rate) || is_request && is_drawn(self.traces_sample_rate)) {
            return;
        }
        let mut fields = Fields::new();
        for span in context.event_scope(event).into_iter().flat_map(tracing_subscriber::registry::Scope::from_root) {
            if let Some(known) = span.extensions().get::<SpanFields>() {
                fields.extend(known.0.clone());
            }
        }
        let mut collected = Collected::default();
        event.record(&mut collected);
        fields.extend(collected.fields);
        if is_error {
            self.put(self.about.error(event.metadata().target(), &collected.message, &fields));
        } else {
            self.request(&fields);
        }
    }
}

/// Tells whether a text can be a DSN.
pub(crate) fn is_dsn(text: &str) -> bool {
    Dsn::parse(text).is_some()
}

#[cfg(test)]
mod tests;
