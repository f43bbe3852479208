//! Deliveries: made of events, tried, settled.
//!
//! Invariant: nobody is called while a transaction is open. A delivery may come twice (a server that dies between the call and noting it),
//! under the same id, never not at all before its last try.

use std::time::{Duration, Instant};

use futures_util::{StreamExt, stream};
use http::HeaderMap;
use jiff::{SignedDuration, Timestamp};
use kernel::trace::TARGET;
use kernel::{Error, Result};
use outbound::follow::{Job, Load, Source, follow};
use outbound::http::{Answer, Bounds, Call, HttpFault, NamedBy};
use outbound::signing::{SigningKey, signed_headers};
use serde_json::{Map, Value, json};
use tracing::Instrument;
use tracing::field::Empty;
use url::Url;

use super::outcome::{Outcome, judge};
use super::rows::{self, Settled, Taken};
use super::{headers, notice};
use crate::Messaging;

/// What one look at events and deliveries did.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub struct Pass {
    /// Events that deliveries were made of.
    pub events: usize,
    /// Deliveries that were taken by their receivers.
    pub sent: usize,
    /// Deliveries that will be tried again.
    pub again: usize,
    /// Deliveries that were given up.
    pub failed: usize,
}

/// How an attempt ended.
#[derive(Clone, Copy)]
enum Ended {
    Sent,
    Again,
    Failed,
}

/// Deliveries that are due.
struct Deliveries(Messaging);

impl Source for Deliveries {
    async fn woken(&self) {
        self.0.woken().await;
    }

    async fn take(&self, room: usize) -> Result<Load> {
        let (events, taken) = self.0.take(u32::try_from(room).unwrap_or(u32::MAX)).await?;
        let has_more = events > 0 || !taken.is_empty();
        let job = |taken: Taken| -> Job {
            let messaging = self.0.clone();
            Box::pin(async move {
                if let Err(error) = messaging.traced(taken).await {
                    // It is taken again when its lease is over.
                    tracing::debug!(code = error.code(), "a delivery could not be settled: {}", error.message());
                }
            })
        };
        Ok(Load { jobs: taken.into_iter().map(job).collect(), has_more })
    }
}

impl Messaging {
    /// Makes deliveries of what happened and tries what is due, until told to stop; what is under way then is finished. A receiver that takes
    /// its time holds back no other.
    pub async fn follow_deliveries(&self, stopped: impl Future<Output = ()> + Send) {
        let at_once = usize::try_from(self.config().webhooks.deliveries_max).unwrap_or(1);
        follow("webhooks", &Deliveries(self.clone()), at_once, stopped).await;
    }

    /// Makes deliveries of what happened and tries what is due, once.
    pub async fn pass(&self) -> Result<Pass> {
        let (events, taken) = self.take(self.config().webhooks.deliveries_max).await?;
        let at_once = taken.len().max(1);
        let ended: Vec<Result<Option<Ended>>> =
            stream::iter(taken.into_iter().map(|taken| self.traced(taken))).buffer_unordered(at_once).collect().await;
        let mut pass = Pass { events: usize::try_from(events).unwrap_or(0), ..Pass::default() };
        for one in ended {
            match one? {
                Some(Ended::Sent) => pass.sent += 1,
                Some(Ended::Again) => pass.again += 1,
                Some(Ended::Failed) => pass.failed += 1,
                None => {}
            }
        }
        Ok(pass)
    }

    /// Makes deliveries of what happened, and takes what is due. Returns of how many events, and what was taken.
    async fn take(&self, rows_max: u32) -> Result<(i32, Vec<Taken>)> {
        let (now, config) = (self.now(), &self.config().webhooks);
        let tx = self.begin("makes deliveries of events").await?;
        let events = rows::fan_out(&tx, now, config).await?;
        rows::give_up(&tx, now, config).await?;
        let taken = rows::take(&tx, now, rows_max, config).await?;
        tx.commit().await?;
        Ok((events, taken))
    }

    /// Tries one delivery, in a trace of its own: who made the event was answered long ago.
    async fn traced(&self, taken: Taken) -> Result<Option<Ended>> {
        let company_id = taken.company_id;
        let span = tracing::info_span!(target: TARGET, parent: None, "delivery", %company_id, code = Empty);
        let outcome = self.deliver(taken).instrument(span.clone()).await;
        match &outcome {
            Ok(Some(Ended::Again | Ended::Failed)) => span.record("code", "not_taken"),
            Ok(_) => &span,
            Err(error) => span.record("code", error.code()),
        };
        outcome
    }

    /// Tries one delivery and writes down how it ended; nothing where another attempt took its place.
    async fn deliver(&self, taken: Taken) -> Result<Option<Ended>> {
        let config = &self.config().webhooks;
        let begun = Instant::now();
        let answer = match self.prepared(&taken) {
            Ok((url, headers)) => self.call(&taken, &url, headers).await,
            // What is wrong with it is not the receiver's fault, and may be put right.
            Err(error) => Err(HttpFault::Unreachable(error.message().to_owned())),
        };
        let now = self.now();
        let (attempt, ended) = self.weigh(&taken, &answer, now, begun.elapsed())?;
        let tx = self.begin("notes how a delivery of a webhook ended").await?;
        let settled = rows::settle(&tx, &taken, &attempt, now, config).await?;
        if settled == Settled::Disabled {
            notice::write(self, &tx, &taken).await?;
        }
        tx.commit().await?;
        if settled == Settled::Disabled {
            self.outbound().wake();
            tracing::warn!(company_id = %taken.company_id, webhook_id = %taken.webhook_id, "a webhook was switched off");
        }
        let result = match ended {
            Ended::Sent => "sent",
            Ended::Again => "again",
            Ended::Failed => "failed",
        };
        metrics::counter!("webhook_deliveries_total", "result" => result).increment(1);
        Ok((settled != Settled::Superseded).then_some(ended))
    }

    async fn call(&self, taken: &Taken, url: &Url, headers: HeaderMap) -> std::result::Result<Answer, HttpFault> {
        let config = &self.config().webhooks;
        let seconds = u64::try_from(taken.timeout_seconds).unwrap_or(1).min(config.attempt_seconds_max.into());
        let bounds = Bounds { bytes_max: config.answer_bytes_max, time: Duration::from_secs(seconds) };
        let call = Call::post(url, NamedBy::Client, headers, taken.body.clone().into_bytes()).within(bounds);
        match taken.networks() {
            Some(networks) => self.http().send_and_cut(call.only_to(&networks)).await,
            None => self.http().send_and_cut(call).await,
        }
    }

    /// Returns where a delivery goes and what is said before its body.
    fn prepared(&self, taken: &Taken) -> Result<(Url, HeaderMap)> {
        let url = Url::parse(&taken.url).map_err(Error::internal)?;
        let mut keys = Vec::new();
        for sealed in &taken.signing {
            let secret = self.vault().open(sealed.id, &sealed.secret)?;
            let text = str::from_utf8(secret.expose()).map_err(Error::internal)?;
            keys.push(SigningKey::parse(text).ok_or_else(|| Error::internal("a webhook's secret is none"))?);
        }
        if keys.is_empty() {
            return Err(Error::internal("the webhook has no secret"));
        }
        let id = format!("msg_{}", taken.id.simple());
        let signed = signed_headers(&id, self.now().as_second(), &taken.body, &keys)?;
        let mut all = match &taken.headers {
            Some(sealed) => {
                let secret = self.vault().open(sealed.id, &sealed.secret)?;
                let wanted: Map<String, Value> = serde_json::from_slice(secret.expose()).map_err(Error::internal)?;
                headers::read(&wanted)?
            }
            None => HeaderMap::new(),
        };
        all.extend(signed);
        Ok((url, all))
    }

    /// Returns what is written down of an attempt.
    fn weigh(
        &self,
        taken: &Taken,
        answer: &std::result::Result<Answer, HttpFault>,
        now: Timestamp,
        time: Duration,
    ) -> Result<(Value, Ended)> {
        let config = &self.config().webhooks;
        let mut attempt = Map::new();
        attempt.insert("response_time_ms".to_owned(), json!(i32::try_from(time.as_millis()).unwrap_or(i32::MAX)));
        if let Ok(answer) = answer {
            attempt.insert("http_status_code".to_owned(), json!(answer.status.as_u16()));
            // PostgreSQL's text has no zero.
            attempt.insert("response_body".to_owned(), json!(String::from_utf8_lossy(&answer.body).replace('\0', "\u{fffd}")));
        }
        let ended = match judge(answer, now) {
            Outcome::Taken => Ended::Sent,
            Outcome::Gone => {
                attempt.insert("is_gone".to_owned(), json!(true));
                attempt.insert("error".to_owned(), json!("it answered 410: it wants no more"));
                Ended::Failed
            }
            Outcome::Failed { reason, retry_after } => {
                attempt.insert("error".to_owned(), json!(reason));
                let attempts = usize::try_from(taken.attempt).unwrap_or(usize::MAX);
                match taken.policy.pause(attempts, retry_after, rand::random(), config) {
                    None => Ended::Failed,
                    Some(pause) => {
                        let pause = SignedDuration::try_from(pause).map_err(Error::internal)?;
                        attempt.insert("next_at".to_owned(), json!(now.checked_add(pause).map_err(Error::internal)?));
                        Ended::Again
                    }
                }
            }
        };
        let status = match ended {
            Ended::Sent => "sent",
            Ended::Again => "retrying",
            Ended::Failed => "failed",
        };
        attempt.insert("status".to_owned(), json!(status));
        Ok((Value::Object(attempt), ended))
    }
}
