//! Sending what waits, in batches.
//!
//! Invariant: a batch is tried so many times and then given up, so that what waits is never older than that; a process that stops sends what
//! waits within its time.

use std::io::Write;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use flate2::Compression;
use flate2::write::GzEncoder;
use http::header::{CONTENT_ENCODING, CONTENT_TYPE, HeaderMap, HeaderValue, RETRY_AFTER};
use outbound::http::{Bounds, Call, Http, HttpOptions, NamedBy};
use prost::Message;
use tokio::sync::mpsc::Receiver;
use tokio_util::sync::CancellationToken;
use url::Url;

use super::OtlpConfig;
use super::messages::{Answer, Line, Logs, Resource, ResourceLogs, ResourceSpans, Scope, ScopeLogs, ScopeSpans, Span, Traces};
use super::queue::{Item, Pending, Signal};

/// Bytes of an answer that are read.
const ANSWER_BYTES_MAX: usize = 16_384;
/// The first pause where a collector says that it is too much, and not for how long; each further one is twice as long.
const PAUSE: Duration = Duration::from_secs(1);

/// Sends batches to one collector.
pub(crate) struct Exporter {
    http: Http,
    traces: Url,
    logs: Url,
    headers: HeaderMap,
    resource: Resource,
    config: OtlpConfig,
    pending: Arc<Pending>,
    stop: CancellationToken,
    /// Whether the last batch was given up, so that it is told once when that begins and once when it ends.
    is_refused: AtomicBool,
}

/// Why a batch was not taken.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum Refused {
    /// Another time it may be; after so long, where that was said.
    Again(Option<Duration>),
    /// Never.
    Lasting,
}

impl Exporter {
    /// Makes one; none where no collector is set.
    pub(crate) fn new(
        config: &OtlpConfig,
        resource: Resource,
        pending: Arc<Pending>,
        stop: CancellationToken,
    ) -> kernel::Result<Option<Self>> {
        let (Some(traces), Some(logs)) = (config.url("/v1/traces"), config.url("/v1/logs")) else { return Ok(None) };
        let bounds = Bounds { bytes_max: ANSWER_BYTES_MAX, time: Duration::from_millis(config.time_ms) };
        let http = Http::new(HttpOptions { bounds, private_allowed: true })?;
        let mut headers: HeaderMap = config.headers.iter().filter_map(super::config::header).collect();
        headers.insert(CONTENT_TYPE, HeaderValue::from_static("application/x-protobuf"));
        let is_refused = AtomicBool::new(false);
        Ok(Some(Self { http, traces, logs, headers, resource, config: config.clone(), pending, stop, is_refused }))
    }

    /// Sends what comes until it is told to stop, and then what waits.
    pub(crate) async fn run(self, mut waiting: Receiver<Item>) {
        let (mut spans, mut lines) = (Vec::new(), Vec::new());
        let mut tick = tokio::time::interval(Duration::from_millis(self.config.interval_ms));
        tick.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Delay);
        loop {
            let is_due = tokio::select! {
                came = waiting.recv() => match came {
                    Some(Item::Span(span)) => { spans.push(span); false }
                    Some(Item::Line(line)) => { lines.push(line); false }
                    None => break,
                },
                _ = tick.tick() => true,
                () = self.stop.cancelled() => break,
            };
            self.send_if(is_due, &mut spans, &mut lines).await;
        }
        while let Ok(item) = waiting.try_recv() {
            match item {
                Item::Span(span) => spans.push(span),
                Item::Line(line) => lines.push(line),
            }
            self.send_if(false, &mut spans, &mut lines).await;
        }
        self.send_if(true, &mut spans, &mut lines).await;
    }

    async fn send_if(&self, is_due: bool, spans: &mut Vec<Span>, lines: &mut Vec<Line>) {
        let is_full = |count: usize| count >= self.config.batch_max || is_due && count > 0;
        if is_full(spans.len()) {
            let count = spans.len();
            let scopes = vec![ScopeSpans { scope: Some(scope()), spans: std::mem::take(spans) }];
            let batch = Traces { of: vec![ResourceSpans { resource: Some(self.resource.clone()), scopes }] };
            self.send(Signal::Traces, &self.traces, batch.encode_to_vec(), count).await;
        }
        if is_full(lines.len()) {
            let count = lines.len();
            let scopes = vec![ScopeLogs { scope: Some(scope()), lines: std::mem::take(lines) }];
            let batch = Logs { of: vec![ResourceLogs { resource: Some(self.resource.clone()), scopes }] };
            self.send(Signal::Logs, &self.logs, batch.encode_to_vec(), count).await;
        }
    }

    /// Sends one batch, several times if need be.
    async fn send(&self, signal: Signal, url: &Url, body: Vec<u8>, items: usize) {
        let Ok((headers, body)) = self.packed(body) else { return self.pending.came(signal, "failed", items) };
        let mut pause = PAUSE;
        for attempt in 1..=self.config.attempts_max {
            match self.post(url, headers.clone(), body.clone()).await {
                Ok(rejected) => {
                    let rejected = rejected.min(items);
                    if self.is_refused.swap(false, Ordering::Relaxed) {
                        tracing::info!(host = url.host_str(), "the collector takes traces and logs again");
                    }
                    self.pending.came(signal, "sent", items - rejected);
                    return self.pending.came(signal, "rejected", rejected);
                }
                Err(Refused::Lasting) => break,
                Err(Refused::Again(_)) if attempt == self.config.attempts_max || self.stop.is_cancelled() => break,
                Err(Refused::Again(asked)) => {
                    let wait = asked.unwrap_or(pause).min(Duration::from_secs(self.config.pause_seconds_max));
                    pause = pause.saturating_mul(2);
                    // Whoever stops tries once more at once.
                    let _stopped = self.stop.run_until_cancelled(tokio::time::sleep(wait)).await;
                }
            }
        }
        self.pending.came(signal, "failed", items);
        if !self.is_refused.swap(true, Ordering::Relaxed) {
            tracing::warn!(
                host = url.host_str(),
                signal = signal.name(),
                "the collector does not take what is sent to it: some of it is lost"
            );
        }
    }

    fn packed(&self, body: Vec<u8>) -> std::io::Result<(HeaderMap, Vec<u8>)> {
        let mut headers = self.headers.clone();
        if !self.config.gzip {
            return Ok((headers, body));
        }
        headers.insert(CONTENT_ENCODING, HeaderValue::from_static("gzip"));
        let mut encoder = GzEncoder::new(Vec::new(), Compression::fast());
        encoder.write_all(&body)?;
        Ok((headers, encoder.finish()?))
    }

    /// Posts a batch; returns how much of it was not taken.
    async fn post(&self, url: &Url, headers: HeaderMap, body: Vec<u8>) -> Result<usize, Refused> {
        let call = Call::post(url, NamedBy::Operator, headers, body);
        let answer = self.http.send_and_cut(call).await.map_err(|_fault| Refused::Again(None))?;
        match answer.status.as_u16() {
            200..=299 => {
                let rejected =
                    Answer::decode(answer.body.as_slice()).ok().and_then(|answer| answer.partial).map_or(0, |some| some.rejected);
                Ok(usize::try_from(rejected).unwrap_or_default())
            }
            429 | 502 | 503 | 504 => {
                let seconds = answer.headers.get(RETRY_AFTER).and_then(|value| value.to_str().ok()?.trim().parse().ok());
                Err(Refused::Again(seconds.map(Duration::from_secs)))
            }
            _ => Err(Refused::Lasting),
        }
    }
}

fn scope() -> Scope {
    Scope { name: "thorbis".to_owned(), version: env!("CARGO_PKG_VERSION").to_owned() }
}
