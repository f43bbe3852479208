//! What goes out, set up once; and putting in what somebody asked for.
//!
//! Invariant: a message is written in the transaction that is its reason, and counted whether it is ever sent or not.

use std::fmt;
use std::sync::{Arc, Mutex, MutexGuard, OnceLock, PoisonError};
use std::time::Duration;

use kernel::{Authority, Clock, CompanyId, Error, Result};
use postgres::{Database, Tx};
use tokio::sync::Notify;
use uuid::Uuid;

use crate::config::OutboundConfig;
use crate::message::Packed;
use crate::outbox::{self, Limits, NewRow, Taken};
use crate::push::VapidKey;
use crate::senders::Senders;
use crate::templates::Templates;
use crate::{Channel, Message, Seal, dispatch};

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
    wake_asked: Notify,
    wake_others: Notify,
    /// Whose turn was the last, of messages that were asked for and of others.
    turns: [Mutex<Uuid>; 2],
    public_url: OnceLock<String>,
}

/// A message that somebody asked for.
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
    /// Whoever gets it just asked for it himself: he has not refused it, and it waits for nothing that a company writes.
    pub is_asked: bool,
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
        Ok(Self(Arc::new(Inner {
            database,
            authority,
            clock,
            config,
            senders,
            templates,
            wake_asked: Notify::new(),
            wake_others: Notify::new(),
            turns: [const { Mutex::new(Uuid::nil()) }; 2],
            public_url: OnceLock::new(),
        })))
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

    /// Says which address others have of this server: links in messages lead there, and providers tell it what became of them. The first
    /// one counts.
    pub fn found_at(&self, public_url: &str) {
        self.0.public_url.get_or_init(|| public_url.to_owned());
    }

    /// Takes the key by which push services know this installation. The first one counts.
    pub fn adopt_push_key(&self, key: VapidKey) {
        self.0.senders.push_key().get_or_init(|| key);
    }

    /// Returns what browsers are told of that key, once there is one.
    pub fn push_public_key(&self) -> Option<&str> {
        self.0.senders.push_key().get().map(VapidKey::public)
    }

    /// Returns the settings.
    pub fn config(&self) -> &OutboundConfig {
        &self.0.config
    }

    pub(crate) fn public_url(&self) -> Option<&str> {
        self.0.public_url.get().map(String::as_str)
    }

    pub(crate) fn database(&self) -> &Database {
        &self.0.database
    }

    pub(crate) fn authority(&self) -> &Authority {
        &self.0.authority
    }

    pub(crate) fn clock(&self) -> &dyn Clock {
        self.0.clock.as_ref()
    }

    pub(crate) fn senders(&self) -> &Senders {
        &self.0.senders
    }

    /// Writes a message into the outbox that somebody asked for; after the commit, [`Self::wake`]. Others go by [`Self::dispatch`].
    pub async fn put(&self, tx: &Tx, seal: &Seal, posting: Posting<'_>, limits: Limits) -> Result<Asked> {
        let id = Uuid::now_v7();
        let packed = Packed { message: posting.message.clone(), push: None, unsubscribe: None };
        let plain = serde_json::to_string(&packed).map_err(Error::internal)?;
        // Also for what is never sent: it takes as long.
        let sealed = seal.close(id, &plain)?;
        let row = NewRow {
            id,
            company_id: posting.company_id,
            channel: posting.channel,
            purpose: posting.purpose,
            recipient: posting.recipient,
            client: posting.client,
            topic: "",
            is_asked: posting.is_asked,
            sealed: (!posting.is_withheld).then_some(sealed),
            now: self.0.clock.now(),
        };
        let standing = outbox::standing(tx, &row, limits.pause_seconds, self.0.config.outbox.pending_max).await?;
        if standing.is_full {
            return Err(dispatch::full());
        }
        if standing.wait_seconds > 0 {
            return Ok(Asked::Pause(standing.wait_seconds));
        }
        let too_many = standing.to_recipient >= limits.recipient_hour_max || standing.by_client >= limits.client_hour_max;
        if too_many || !posting.is_asked && standing.by_company >= self.0.config.outbox.company_hour_max {
            return Ok(Asked::TooMany);
        }
        outbox::insert(tx, row).await?;
        Ok(Asked::Taken)
    }

    /// Says that there is something to send.
    pub fn wake(&self) {
        self.0.wake_asked.notify_one();
        self.0.wake_others.notify_one();
    }

    /// Returns when there may be something to send that was asked for, or something else.
    pub(crate) async fn woken(&self, is_asked: bool) {
        let poll = Duration::from_millis(self.0.config.outbox.poll_interval_ms);
        let wake = if is_asked { &self.0.wake_asked } else { &self.0.wake_others };
        // Whichever comes first.
        let _in_time = tokio::time::timeout(poll, wake.notified()).await.is_ok();
    }

    /// Returns whose turn was the last.
    pub(crate) fn last_turn(&self, is_asked: bool) -> Uuid {
        *self.turn(is_asked)
    }

    /// Notes who was taken: the next turn begins behind the last of them.
    pub(crate) fn note_turn(&self, is_asked: bool, taken: &[Taken]) {
        let mut turn = self.turn(is_asked);
        let after = *turn;
        let companies = taken.iter().map(|taken| taken.company_id.map_or(Uuid::nil(), |company| company.0));
        *turn = companies.max_by_key(|company| (*company <= after, *company)).unwrap_or(after);
    }

    fn turn(&self, is_asked: bool) -> MutexGuard<'_, Uuid> {
        let [asked, others] = &self.0.turns;
        (if is_asked { asked } else { others }).lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl fmt::Debug for Outbound {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Outbound").field("captures", &self.captures()).finish_non_exhaustive()
    }
}
