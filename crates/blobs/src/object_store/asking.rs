//! Asking the store, until there is an answer that counts.
//!
//! Invariant: a request that was refused for the moment (408, 429, 5xx, no answer) is tried again a bounded number of times, each time later;
//! neither a key nor a signature is told or logged.

use std::time::Duration;

use bytes::Bytes;
use kernel::{Error, Kind, Result};
use reqwest::header::{HeaderMap, RETRY_AFTER};
use reqwest::{Method, Response, StatusCode};
use url::Url;

use super::ObjectStore;

/// The first pause before another try; it doubles.
const PAUSE: Duration = Duration::from_millis(100);
/// The longest.
const PAUSE_MAX: Duration = Duration::from_secs(10);
/// Bytes of an answer that is no file.
const ANSWER_BYTES_MAX: usize = 8_388_608;
/// Letters of the store's own words that are logged.
const WORDS_MAX: usize = 200;

/// What is asked.
pub(super) struct Asked {
    pub(super) method: Method,
    pub(super) headers: HeaderMap,
    pub(super) body: Bytes,
}

impl Asked {
    pub(super) fn new(method: Method) -> Self {
        Self { method, headers: HeaderMap::new(), body: Bytes::new() }
    }
}

impl ObjectStore {
    /// Asks. Answers a success, and 404 and 416, which say something of the file; everything else is an error.
    pub(super) async fn ask(&self, asked: &Asked, sign: impl Fn() -> Url) -> Result<Response> {
        let (mut pause, mut last) = (PAUSE, String::new());
        for number in 0..self.config.tries {
            if number > 0 {
                metrics::counter!("blob_store_retries_total").increment(1);
                tokio::time::sleep(spread(pause)).await;
                pause = pause.saturating_mul(2).min(PAUSE_MAX);
            }
            let request = self.client.request(asked.method.clone(), sign()).headers(asked.headers.clone()).body(asked.body.clone());
            let answer = match tokio::time::timeout(Duration::from_secs(self.config.request_time_s), request.send()).await {
                Ok(Ok(answer)) => answer,
                // Its words would have the signed address.
                Ok(Err(error)) => {
                    last = error.without_url().to_string();
                    continue;
                }
                Err(_elapsed) => {
                    "it did not answer in time".clone_into(&mut last);
                    continue;
                }
            };
            let status = answer.status();
            if status.is_success() || matches!(status, StatusCode::NOT_FOUND | StatusCode::RANGE_NOT_SATISFIABLE) {
                return Ok(answer);
            }
            if let Some(wanted) = asked_to_wait(answer.headers()) {
                pause = pause.max(wanted).min(PAUSE_MAX);
            }
            let said = self.text(answer).await.unwrap_or_default();
            last = format!("it answered {status} {}", code(&said));
            let is_for_now = status.is_server_error() || matches!(status, StatusCode::TOO_MANY_REQUESTS | StatusCode::REQUEST_TIMEOUT);
            if !is_for_now {
                tracing::error!(method = %asked.method, "the store of files refuses: {last}");
                return Err(unavailable(last));
            }
        }
        tracing::warn!(method = %asked.method, "the store of files is away: {last}");
        Err(unavailable(last))
    }

    /// Reads an answer that is no file.
    pub(super) async fn text(&self, mut answer: Response) -> Result<String> {
        let mut body = Vec::new();
        let idle = Duration::from_secs(self.config.idle_time_s);
        loop {
            let piece = tokio::time::timeout(idle, answer.chunk()).await.map_err(|_elapsed| unavailable("it stopped in an answer"))?;
            let Some(piece) = piece.map_err(|error| unavailable(error.without_url().to_string()))? else { break };
            if body.len().saturating_add(piece.len()) > ANSWER_BYTES_MAX {
                return Err(unavailable("its answer is too long"));
            }
            body.extend_from_slice(&piece);
        }
        Ok(String::from_utf8_lossy(&body).into_owned())
    }
}

/// The store is away, or does not let us in: both are for the operator, and a client comes back.
pub(super) fn unavailable(why: impl Into<String>) -> Error {
    Error::new(Kind::Unavailable, "blob_store_unavailable", "The store of files cannot be reached for now")
        .with_retry_after(5)
        .with_source(why.into())
}

/// Half of a pause to the whole of it, so that not everybody comes back at once.
fn spread(pause: Duration) -> Duration {
    pause.mul_f64(rand::random_range(0.5..=1.0))
}

fn asked_to_wait(headers: &HeaderMap) -> Option<Duration> {
    headers.get(RETRY_AFTER)?.to_str().ok()?.parse().ok().map(Duration::from_secs)
}

/// Returns the code of a refusal.
fn code(said: &str) -> String {
    let code = said.split_once("<Code>").and_then(|(_, rest)| rest.split_once("</Code>")).map_or("", |(code, _)| code);
    code.chars().take(WORDS_MAX).collect()
}
