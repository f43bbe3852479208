//! Carrying messages away: looking for what is due, asking providers, noting what became of it.
//!
//! Invariant: nothing is sent inside a transaction, and nothing to who refused it. A message may come twice (a server that dies between
//! sending and noting it), never not at all.

use std::sync::Arc;

use futures_util::{FutureExt, StreamExt, stream};
use jiff::{SignedDuration, Timestamp};
use kernel::trace::TARGET;
use kernel::{Error, Grant, RequestContext, Result};
use postgres::{Access, Tx};
use tracing::Instrument;
use tracing::field::Empty;

use crate::attempts::{self, Wanted};
use crate::follow::{Job, Load, Source, follow};
use crate::hook::Hook;
use crate::message::Packed;
use crate::outbox::{self, Settled, Taken, Turn};
use crate::push::{Device, devices};
use crate::senders::{Attempt, Ended, Fault, Letter, Refusal, by_hook};
use crate::{Channel, Outbound, Pass, Seal, mailbox};

/// Messages that were asked for, and others, that one server sends at the same time.
const AT_ONCE: usize = 4;

/// Who sends where a hook does.
const BY_HOOK: &str = "hook";

/// What makes the seal of messages, whose key may be changed while the server runs.
pub type Sealing = Arc<dyn Fn() -> Result<Seal> + Send + Sync>;

/// Messages that were asked for, or all others.
struct Waiting {
    outbound: Outbound,
    sealing: Sealing,
    is_asked: bool,
}

impl Source for Waiting {
    async fn woken(&self) {
        self.outbound.woken(self.is_asked).await;
    }

    async fn take(&self, room: usize) -> Result<Load> {
        // As soon as one is done, there is.
        if room == 0 {
            return Ok(Load::default());
        }
        let seal = Arc::new((self.sealing)()?);
        let taken = self.outbound.take(self.is_asked, room).await?;
        let has_more = !taken.is_empty();
        let job = |taken: Taken| -> Job {
            let (outbound, seal) = (self.outbound.clone(), Arc::clone(&seal));
            Box::pin(async move {
                if let Err(error) = outbound.traced(&seal, taken).await {
                    // It is taken again when its lease is over.
                    tracing::debug!(code = error.code(), "a message could not be carried: {}", error.message());
                }
            })
        };
        Ok(Load { jobs: taken.into_iter().map(job).collect(), has_more })
    }
}

impl Outbound {
    /// Sends messages until told to stop; one that is under way then is finished. What was asked for waits for nothing that companies write,
    /// and no message for one that takes its time, while there is room for it.
    pub async fn follow(&self, sealing: Sealing, stopped: impl Future<Output = ()> + Send) {
        let stopped = stopped.shared();
        let of = |is_asked| Waiting { outbound: self.clone(), sealing: Arc::clone(&sealing), is_asked };
        let (asked, others) = (of(true), of(false));
        tokio::join!(follow("the outbox", &asked, AT_ONCE, stopped.clone()), follow("the outbox", &others, AT_ONCE, stopped));
    }

    /// Sends what is due, once.
    pub async fn pass(&self, seal: &Seal) -> Result<Pass> {
        let rows_max = usize::try_from(self.config().outbox.batch_rows).unwrap_or(usize::MAX);
        let mut taken = self.take(true, rows_max).await?;
        taken.extend(self.take(false, rows_max).await?);
        let outcomes: Vec<Result<Pass>> =
            stream::iter(taken.into_iter().map(|taken| self.traced(seal, taken))).buffer_unordered(AT_ONCE).collect().await;
        let mut done = Pass::default();
        for outcome in outcomes {
            let one = outcome?;
            done = Pass { sent: done.sent + one.sent, again: done.again + one.again, failed: done.failed + one.failed };
        }
        Ok(done)
    }

    /// Takes what is due, and takes away what was settled long ago.
    async fn take(&self, is_asked: bool, room: usize) -> Result<Vec<Taken>> {
        let (now, config) = (self.now(), &self.config().outbox);
        let tx = self.begin("takes messages from the outbox").await?;
        if !is_asked {
            outbox::expire(&tx, config, now).await?;
            attempts::expire(&tx, &self.config().log, now).await?;
        }
        let rows_max = i64::try_from(room).unwrap_or(i64::MAX);
        let taken = outbox::take(&tx, config, Turn { is_asked, rows_max, after: self.last_turn(is_asked) }, now).await?;
        self.note_turn(is_asked, &taken);
        tx.commit().await?;
        Ok(taken)
    }

    /// Sends one message, in a trace of its own: who asked for it was answered long ago.
    async fn traced(&self, seal: &Seal, taken: Taken) -> Result<Pass> {
        let (channel, attempt) = (taken.channel.as_str(), taken.attempts);
        let span = tracing::info_span!(target: TARGET, parent: None, "message", channel, attempt, code = Empty);
        let outcome = self.carry(seal, taken).instrument(span.clone()).await;
        match &outcome {
            Ok(pass) if pass.sent == 0 => span.record("code", "not_sent"),
            Ok(_) => &span,
            Err(error) => span.record("code", error.code()),
        };
        outcome
    }

    /// Sends one message and notes how it ended.
    async fn carry(&self, seal: &Seal, taken: Taken) -> Result<Pass> {
        let packed: Option<Packed> = seal.open(taken.id, &taken.sealed).and_then(|plain| serde_json::from_str(&plain).ok());
        let Some(packed) = packed else {
            let ended = Ended::of("none", Err(Refusal::lasting(&"its key is gone")));
            return self.note(&taken, None, ended).await;
        };
        let tx = self.begin("looks who is not written to").await?;
        let wanted = Wanted {
            company_id: taken.company_id,
            channel: taken.channel.as_str(),
            recipient: &taken.recipient,
            topic: &taken.topic,
            is_asked: taken.is_asked,
        };
        if let Some(why) = attempts::suppression(&tx, wanted, self.now()).await? {
            attempts::note_suppressed(&tx, &taken, why, self.now()).await?;
            outbox::settle(&tx, &taken, Settled::Failed(why.as_str()), self.now()).await?;
            tx.commit().await?;
            count(taken.channel, "suppressed");
            return Ok(Pass { failed: 1, ..Pass::default() });
        }
        let device = match (taken.channel, taken.recipient.parse()) {
            (Channel::Push, Ok(id)) => devices::find(&tx, id).await?,
            _ => None,
        };
        tx.commit().await?;
        let letter = Letter {
            id: taken.id,
            company_id: if taken.is_asked { None } else { taken.company_id },
            channel: taken.channel,
            purpose: &taken.purpose,
            recipient: &taken.recipient,
            message: &packed.message,
            push: packed.push.as_ref(),
            unsubscribe: packed.unsubscribe.as_deref(),
            device: device.as_ref(),
            public_url: self.public_url(),
            now: self.now(),
        };
        if self.captures() {
            return self.keep(&taken, &letter).await;
        }
        let ended = match self.senders().hook(taken.channel) {
            _ if taken.channel == Channel::Push && device.is_none() => {
                Ended::of("none", Err(Refusal::lasting(&"the device is registered no more")))
            }
            Some(hook) => Ended::of(BY_HOOK, self.carry_by_hook(hook, &letter).await?),
            None => self.senders().send(&letter).await,
        };
        self.note(&taken, device.as_ref(), ended).await
    }

    async fn keep(&self, taken: &Taken, letter: &Letter<'_>) -> Result<Pass> {
        let tx = self.begin("keeps a message").await?;
        mailbox::keep(&tx, letter, self.config()).await?;
        let receipt = crate::senders::Receipt { key: None };
        attempts::note(&tx, taken, &Attempt { provider: "mailbox", outcome: Ok(receipt) }, letter.now).await?;
        outbox::settle(&tx, taken, Settled::Sent, letter.now).await?;
        tx.commit().await?;
        Ok(Pass { sent: 1, ..Pass::default() })
    }

    /// Hands a message to a hook. What its function wrote stays only if the message was taken.
    async fn carry_by_hook(&self, hook: &Hook, letter: &Letter<'_>) -> Result<std::result::Result<crate::senders::Receipt, Refusal>> {
        if !hook.is_function() {
            return Ok(by_hook(hook, None, letter).await);
        }
        let tx = self.begin("asks a hook to send a message").await?;
        let outcome = by_hook(hook, Some(&tx), letter).await;
        if outcome.is_ok() {
            tx.commit().await?;
        }
        Ok(outcome)
    }

    /// Notes every attempt and what follows of all of them.
    async fn note(&self, taken: &Taken, device: Option<&Device>, ended: Ended) -> Result<Pass> {
        let (now, config) = (self.now(), &self.config().outbox);
        let tx = self.begin("notes what became of a message").await?;
        for attempt in &ended.attempts {
            attempts::note(&tx, taken, attempt, now).await?;
            let result = if attempt.outcome.is_ok() { "accepted" } else { "refused" };
            metrics::counter!("message_attempts_total", "provider" => attempt.provider, "result" => result).increment(1);
            if let (Some(device), Err(Refusal { fault: Fault::Recipient(lasting), .. })) = (device, &attempt.outcome)
                && lasting.is_device()
            {
                devices::remove(&tx, device).await?;
            }
        }
        let (settled, pass, result) = match judge(&ended) {
            Judged::Sent => (Settled::Sent, Pass { sent: 1, ..Pass::default() }, "sent"),
            Judged::Failed(reason) => (Settled::Failed(reason), Pass { failed: 1, ..Pass::default() }, "failed"),
            Judged::Again(reason, _) if taken.attempts >= config.attempts_max => {
                (Settled::Failed(reason), Pass { failed: 1, ..Pass::default() }, "failed")
            }
            Judged::Again(reason, wanted) => {
                let due_at = now.checked_add(pause(config.retry_ms, taken.attempts)).map_err(Error::internal)?;
                let longest = self.config().failover.retry_after_seconds_max;
                let wanted = wanted.map(|seconds| now.saturating_add(SignedDuration::from_secs(seconds.min(longest.into()))));
                let wanted = wanted.transpose().map_err(Error::internal)?.max(ended.not_before);
                let due_at = wanted.map_or(due_at, |wanted| wanted.max(due_at));
                (Settled::Again(reason, due_at), Pass { again: 1, ..Pass::default() }, "again")
            }
        };
        if let Settled::Failed(reason) | Settled::Again(reason, _) = settled {
            let channel = taken.channel.as_str();
            tracing::warn!(message_id = %taken.id, channel, reason, attempts = taken.attempts, result, "a message was not sent");
        }
        outbox::settle(&tx, taken, settled, now).await?;
        tx.commit().await?;
        count(taken.channel, result);
        Ok(pass)
    }

    pub(crate) async fn begin(&self, reason: &'static str) -> Result<Tx> {
        #[expect(clippy::disallowed_methods, reason = "messages are sent for no caller")]
        let grant = Grant::system(self.authority(), None, reason);
        self.database().begin(&grant, &RequestContext::default(), Access::Write).await
    }
}

fn count(channel: Channel, result: &'static str) {
    metrics::counter!("outbox_messages_total", "channel" => channel.as_str(), "result" => result).increment(1);
}

/// What follows of all attempts.
enum Judged<'a> {
    Sent,
    Failed(&'a str),
    /// Why, and in how many seconds at the earliest, where a provider said so.
    Again(&'a str, Option<i64>),
}

fn judge(ended: &Ended) -> Judged<'_> {
    let Some(last) = ended.attempts.last() else { return Judged::Again("every provider is left alone for a while", None) };
    let refusals = || ended.attempts.iter().filter_map(|attempt| attempt.outcome.as_ref().err());
    match &last.outcome {
        Ok(_) => Judged::Sent,
        Err(Refusal { fault: Fault::Recipient(_), reason, .. }) => Judged::Failed(reason),
        // One that is left alone, or may take it later, is worth another attempt.
        Err(refusal) if ended.not_before.is_none() && refusals().all(Refusal::is_final) => Judged::Failed(&refusal.reason),
        Err(refusal) => {
            let told = refusals().filter_map(|refusal| match refusal.fault {
                Fault::Passing(told) | Fault::Provider(told) => Some(told.map(|told| i64::try_from(told.as_secs()).unwrap_or(i64::MAX))),
                _ => None,
            });
            // The one that comes back first counts.
            Judged::Again(&refusal.reason, told.min().flatten())
        }
    }
}

/// How long to wait after so many attempts.
fn pause(retry_ms: i64, attempts: i32) -> SignedDuration {
    let doubled = u32::try_from(attempts.saturating_sub(1)).unwrap_or(0).min(20);
    SignedDuration::from_millis(retry_ms.saturating_mul(1_i64 << doubled).min(86_400_000))
}

/// Now as the rows have it.
impl Outbound {
    pub(crate) fn now(&self) -> Timestamp {
        self.clock().now()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_attempt_waits_longer_and_none_for_ever() {
        let seconds: Vec<i64> = (1..=5).map(|attempts| pause(10_000, attempts).as_secs()).collect();
        assert_eq!(seconds, [10, 20, 40, 80, 160]);
        assert_eq!(pause(3_600_000, i32::MAX).as_secs(), 86_400);
    }
}
