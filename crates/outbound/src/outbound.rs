//! Putting messages into the outbox and carrying them away.
//!
//! Invariant: nothing is sent inside a transaction. A message may come twice (a server that dies between sending and noting it), never
//! not at all.

use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use futures_util::{StreamExt, stream};
use jiff::{SignedDuration, Timestamp};
use kernel::{Authority, Clock, CompanyId, Error, Grant, Kind, RequestContext, Result};
use postgres::{Access, Database, Tx};
use tokio::sync::Notify;
use uuid::Uuid;

use crate::config::OutboundConfig;
use crate::hook::Hook;
use crate::outbox::{self, Limits, NewRow, Settled, Taken};
use crate::senders::{Letter, Refusal, Senders, by_hook};
use crate::templates::Templates;
use crate::{Channel, Message, Seal, mailbox};

/// Messages that one server sends at the same time.
const AT_ONCE: usize = 4;

/// What goes out. Cheap to clone.
#[derive(Clone)]
pub struct Outbound(Arc<Inner>);

/// What it is made of.
pub struct OutboundOptions {
    /// Where the outbox is.
    pub database: Database,
    /// The right to work for no caller.
    pub authority: Arc<Authority>,
    /// What tells the time.
    pub clock: Arc<dyn Clock>,
    /// The settings.
    pub config: OutboundConfig,
    /// Whether messages are kept where no way out is configured.
    pub is_development: bool,
}

struct Inner {
    database: Database,
    authority: Arc<Authority>,
    clock: Arc<dyn Clock>,
    config: OutboundConfig,
    senders: Senders,
    templates: Templates,
    wake: Notify,
}

/// A message for somebody.
#[derive(Clone, Copy, Debug)]
pub struct Posting<'a> {
    /// Whose name stands above it.
    pub company_id: Option<CompanyId>,
    /// Its way.
    pub channel: Channel,
    /// Its reason, one word.
    pub purpose: &'a str,
    /// The address or number.
    pub recipient: &'a str,
    /// From where it was asked for.
    pub client: Option<&'a str>,
    /// What it says.
    pub message: &'a Message,
    /// It is counted and never sent: nobody has the address, and whoever asked is not told.
    pub is_withheld: bool,
}

/// What became of a message that was to be sent.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Asked {
    /// It is in the outbox.
    Taken,
    /// The last one for this reason was so short a time ago that the next may come in so many seconds.
    Pause(i64),
    /// One address was written to, or one client or company asked, too often in an hour.
    TooMany,
}

/// What one look at the outbox did.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub struct Pass {
    /// Messages that were sent or kept.
    pub sent: usize,
    /// Messages that will be tried again.
    pub again: usize,
    /// Messages that were given up.
    pub failed: usize,
}

impl Outbound {
    /// Sets everything up. Connects to nothing yet.
    pub fn new(options: OutboundOptions) -> Result<Self> {
        if let Some((key, allowed)) = options.config.faults().first() {
            return Err(Error::internal(format!("outbound.{key}: allowed is {allowed}")));
        }
        let senders = Senders::new(&options.config, options.is_development)?;
        let templates = Templates::load(&options.config.mail)?;
        let OutboundOptions { database, authority, clock, config, .. } = options;
        Ok(Self(Arc::new(Inner { database, authority, clock, config, senders, templates, wake: Notify::new() })))
    }

    /// Tells whether a message of this sort would leave.
    pub fn sends(&self, channel: Channel) -> bool {
        self.0.senders.has(channel)
    }

    /// Tells whether a hook sends messages of this sort.
    pub fn has_hook(&self, channel: Channel) -> bool {
        self.0.senders.hook(channel).is_some()
    }

    /// Tells whether messages are kept here instead of sent.
    pub fn captures(&self) -> bool {
        self.0.senders.captures()
    }

    /// Returns what messages say.
    pub fn templates(&self) -> &Templates {
        &self.0.templates
    }

    pub(crate) fn database(&self) -> &Database {
        &self.0.database
    }

    /// Writes a message into the outbox; after the commit, [`Self::wake`].
    pub async fn put(&self, tx: &Tx, seal: &Seal, posting: Posting<'_>, limits: Limits) -> Result<Asked> {
        self.put_as(tx, (Uuid::now_v7(), seal), posting, limits).await
    }

    /// The same under an id of the caller's, by which he finds out what became of it.
    pub async fn put_as(&self, tx: &Tx, (id, seal): (Uuid, &Seal), posting: Posting<'_>, limits: Limits) -> Result<Asked> {
        let plain = serde_json::to_string(posting.message).map_err(Error::internal)?;
        // Also for what is never sent: it takes as long.
        let sealed = seal.close(id, &plain)?;
        let row = NewRow {
            id,
            company_id: posting.company_id,
            channel: posting.channel,
            purpose: posting.purpose,
            recipient: posting.recipient,
            client: posting.client,
            sealed: (!posting.is_withheld).then_some(sealed),
            now: self.0.clock.now(),
        };
        let standing = outbox::standing(tx, &row, limits.pause_seconds, self.0.config.outbox.pending_max).await?;
        if standing.is_full {
            metrics::counter!("outbox_full_total").increment(1);
            let error = Error::new(Kind::Unavailable, "outbox_full", "Too many messages are waiting to be sent. Try again later");
            return Err(error.with_retry_after(60));
        }
        if standing.wait_seconds > 0 {
            return Ok(Asked::Pause(standing.wait_seconds));
        }
        let too_many = standing.to_recipient >= limits.recipient_hour_max || standing.by_client >= limits.client_hour_max;
        if too_many || standing.by_company >= self.0.config.outbox.company_hour_max {
            return Ok(Asked::TooMany);
        }
        outbox::insert(tx, row).await?;
        Ok(Asked::Taken)
    }

    /// Says that there is something to send.
    pub fn wake(&self) {
        self.0.wake.notify_one();
    }

    /// Returns when there may be something to send.
    pub async fn woken(&self) {
        let poll = Duration::from_millis(self.0.config.outbox.poll_interval_ms);
        // Whichever comes first.
        let _in_time = tokio::time::timeout(poll, self.0.wake.notified()).await.is_ok();
    }

    /// Sends what is due, once, and takes away what was settled long ago.
    pub async fn pass(&self, seal: &Seal) -> Result<Pass> {
        let now = self.0.clock.now();
        let config = &self.0.config.outbox;
        let tx = self.begin("takes messages from the outbox").await?;
        outbox::expire(&tx, config, now).await?;
        let taken = outbox::take(&tx, config, now).await?;
        tx.commit().await?;
        let outcomes: Vec<Result<Pass>> =
            stream::iter(taken.into_iter().map(|taken| self.carry(seal, taken))).buffer_unordered(AT_ONCE).collect().await;
        let mut done = Pass::default();
        for outcome in outcomes {
            let one = outcome?;
            done = Pass { sent: done.sent + one.sent, again: done.again + one.again, failed: done.failed + one.failed };
        }
        Ok(done)
    }

    /// Sends one message and notes how it ended.
    async fn carry(&self, seal: &Seal, taken: Taken) -> Result<Pass> {
        let now = self.0.clock.now();
        let message: Option<Message> = seal.open(taken.id, &taken.sealed).and_then(|plain| serde_json::from_str(&plain).ok());
        let Some(message) = message else {
            let refusal = Refusal { reason: "its key is gone".to_owned(), is_final: true };
            return self.note(&taken, Err(refusal), now).await;
        };
        let letter = Letter { channel: taken.channel, purpose: &taken.purpose, recipient: &taken.recipient, message: &message, now };
        if self.captures() {
            let tx = self.begin("keeps a message").await?;
            mailbox::keep(&tx, &letter, &self.0.config).await?;
            outbox::settle(&tx, &taken, Settled::Sent, now).await?;
            tx.commit().await?;
            return Ok(Pass { sent: 1, ..Pass::default() });
        }
        let outcome = match self.0.senders.hook(taken.channel) {
            Some(hook) => self.carry_by_hook(hook, &letter).await?,
            None => self.0.senders.send(&letter).await,
        };
        self.note(&taken, outcome, now).await
    }

    /// Hands a message to a hook. What its function wrote stays only if the message was taken.
    async fn carry_by_hook(&self, hook: &Hook, letter: &Letter<'_>) -> Result<std::result::Result<(), Refusal>> {
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

    async fn note(&self, taken: &Taken, outcome: std::result::Result<(), Refusal>, now: Timestamp) -> Result<Pass> {
        let config = &self.0.config.outbox;
        let channel = taken.channel.as_str();
        let tx = self.begin("notes what became of a message").await?;
        let pass = match &outcome {
            Ok(()) => {
                outbox::settle(&tx, taken, Settled::Sent, now).await?;
                metrics::counter!("outbox_messages_total", "channel" => channel, "result" => "sent").increment(1);
                Pass { sent: 1, ..Pass::default() }
            }
            Err(Refusal { reason, is_final }) if *is_final || taken.attempts >= config.attempts_max => {
                outbox::settle(&tx, taken, Settled::Failed(reason), now).await?;
                metrics::counter!("outbox_messages_total", "channel" => channel, "result" => "failed").increment(1);
                tracing::warn!(message_id = %taken.id, channel, reason, attempts = taken.attempts, "a message was given up");
                Pass { failed: 1, ..Pass::default() }
            }
            Err(Refusal { reason, .. }) => {
                let due_at = now.checked_add(pause(config.retry_ms, taken.attempts)).map_err(Error::internal)?;
                outbox::settle(&tx, taken, Settled::Again(reason, due_at), now).await?;
                metrics::counter!("outbox_messages_total", "channel" => channel, "result" => "again").increment(1);
                tracing::warn!(message_id = %taken.id, channel, reason, attempts = taken.attempts, "a message will be tried again");
                Pass { again: 1, ..Pass::default() }
            }
        };
        tx.commit().await?;
        Ok(pass)
    }

    async fn begin(&self, reason: &'static str) -> Result<Tx> {
        #[expect(clippy::disallowed_methods, reason = "messages are sent for no caller")]
        let grant = Grant::system(&self.0.authority, None, reason);
        self.0.database.begin(&grant, &RequestContext::default(), Access::Write).await
    }
}

impl fmt::Debug for Outbound {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Outbound").field("captures", &self.captures()).finish_non_exhaustive()
    }
}

/// How long to wait after so many attempts.
fn pause(retry_ms: i64, attempts: i32) -> SignedDuration {
    let doubled = u32::try_from(attempts.saturating_sub(1)).unwrap_or(0).min(20);
    SignedDuration::from_millis(retry_ms.saturating_mul(1_i64 << doubled).min(86_400_000))
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
