//! Traces and lines of the log, sent to a collector of OpenTelemetry by OTLP over HTTP.
//!
//! Invariant: a collector that is slow, away or full holds up nobody: what does not fit into the queue is dropped and counted
//! (`otlp_items_total`). The messages are written by us and not by OpenTelemetry's own library, whose queue drops without counting and
//! whose spans take whatever fields there are.

mod config;
mod export;
mod lines;
mod messages;
mod queue;
mod spans;

use std::time::{Duration, SystemTime, UNIX_EPOCH};

use kernel::Result;
use serde_json::json;
use tokio::task::JoinHandle;
use tokio_util::sync::CancellationToken;
use tracing::Subscriber;
use tracing_subscriber::Layer;
use tracing_subscriber::filter::filter_fn;
use tracing_subscriber::layer::Filter;
use tracing_subscriber::registry::LookupSpan;

pub use config::OtlpConfig;
use export::Exporter;
use lines::Lines;
use messages::{Attribute, Resource};
use queue::Queue;
use spans::Spans;

/// What sends traces and lines.
#[derive(Debug)]
pub struct Otlp {
    queue: Queue,
    config: OtlpConfig,
    stop: CancellationToken,
    sending: JoinHandle<()>,
}

impl Otlp {
    /// Begins to send, on the runtime that this is called on; nothing where no collector is set.
    pub fn begin(config: &OtlpConfig, version: &str, environment: &str, node: &str) -> Result<Option<Self>> {
        let attribute = |key: &str, value: &str| Attribute::of(key, &json!(value));
        let resource = Resource {
            attributes: vec![
                attribute("service.name", &config.service_name),
                attribute("service.version", version),
                attribute("service.instance.id", node),
                attribute("deployment.environment.name", environment),
            ],
        };
        let stop = CancellationToken::new();
        let (queue, waiting) = Queue::new(config.queue_max);
        let Some(exporter) = Exporter::new(config, resource, queue.pending(), stop.clone())? else { return Ok(None) };
        let sending = tokio::spawn(exporter.run(waiting));
        kernel::trace::carry_to(config.propagate_hosts.clone());
        Ok(Some(Self { queue, config: config.clone(), stop, sending }))
    }

    /// Returns what notices spans.
    pub fn spans<S>(&self) -> impl Layer<S> + use<S>
    where
        S: Subscriber + for<'a> LookupSpan<'a>,
    {
        let spans = self.config.traces.then(|| Spans { queue: self.queue.clone(), sample_rate: self.config.sample_rate });
        spans.with_filter(filter_fn(spans::is_about_spans))
    }

    /// Returns what notices lines that a filter lets pass.
    pub fn lines<S, F>(&self, which: F) -> impl Layer<S> + use<S, F>
    where
        S: Subscriber + for<'a> LookupSpan<'a>,
        F: Filter<S> + Send + Sync + 'static,
    {
        self.config.logs.then(|| Lines { queue: self.queue.clone() }).with_filter(which)
    }

    /// Sends what waits, as far as the time for it goes.
    pub async fn end(mut self) {
        self.stop.cancel();
        let time = Duration::from_millis(self.config.shutdown_time_ms);
        if tokio::time::timeout(time, &mut self.sending).await.is_err() {
            self.sending.abort();
            self.queue.pending().give_up();
        }
    }
}

fn unix_nanos(moment: SystemTime) -> u64 {
    u64::try_from(moment.duration_since(UNIX_EPOCH).unwrap_or_default().as_nanos()).unwrap_or(u64::MAX)
}

#[cfg(test)]
mod tests;
