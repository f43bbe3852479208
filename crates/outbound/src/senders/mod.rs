//! Who carries a message away: the providers of each channel, in the order that is configured.
//!
//! Invariant: whom a provider does not find nobody else looks for; whatever else goes wrong, the next provider is asked. A hook that sends
//! is alone on its channel.

mod by_hook;
mod circuit;
mod fcm;
mod refusal;
mod resend;
mod smtp;
mod twilio;
mod web_push;

use std::sync::{Arc, OnceLock};
use std::time::{Duration, Instant};

use futures_util::future::BoxFuture;
use http::HeaderMap;
use jiff::Timestamp;
use kernel::{CompanyId, Error, Result};
use uuid::Uuid;

use crate::config::OutboundConfig;
use crate::hook::Hook;
use crate::message::Push;
use crate::push::{Device, VapidKey};
use crate::{Channel, Message};

use circuit::Circuit;
use fcm::Fcm;
use resend::Resend;
use smtp::Smtp;
use twilio::Twilio;
use web_push::WebPush;

pub(crate) use by_hook::send as by_hook;
pub(crate) use refusal::{Fault, Lasting, Refusal};

/// A message with its way.
pub(crate) struct Letter<'a> {
    /// The same in every attempt.
    pub(crate) id: Uuid,
    pub(crate) company_id: Option<CompanyId>,
    pub(crate) channel: Channel,
    pub(crate) purpose: &'a str,
    pub(crate) recipient: &'a str,
    pub(crate) message: &'a Message,
    pub(crate) push: Option<&'a Push>,
    /// Where whoever gets it says that he wants no more of the kind.
    pub(crate) unsubscribe: Option<&'a str>,
    /// What the recipient of a push is.
    pub(crate) device: Option<&'a Device>,
    /// The address that others have of this server.
    pub(crate) public_url: Option<&'a str>,
    pub(crate) now: Timestamp,
}

/// A message was taken; by which name the provider knows it.
pub(crate) struct Receipt {
    pub(crate) key: Option<String>,
}

/// A way out of this server.
pub(crate) trait Sender: Send + Sync {
    /// Its name, as it is configured.
    fn name(&self) -> &'static str;
    /// Tells whether this is one for it.
    fn carries(&self, _letter: &Letter<'_>) -> bool {
        true
    }
    /// Sends it.
    fn send<'a>(&'a self, letter: &'a Letter<'_>) -> BoxFuture<'a, std::result::Result<Receipt, Refusal>>;
}

/// One try with one provider.
pub(crate) struct Attempt {
    pub(crate) provider: &'static str,
    pub(crate) outcome: std::result::Result<Receipt, Refusal>,
}

/// How sending ended over all providers.
pub(crate) struct Ended {
    pub(crate) attempts: Vec<Attempt>,
    /// Until when no provider takes anything, where that is so.
    pub(crate) not_before: Option<Timestamp>,
}

impl Ended {
    pub(crate) fn of(provider: &'static str, outcome: std::result::Result<Receipt, Refusal>) -> Self {
        Self { attempts: vec![Attempt { provider, outcome }], not_before: None }
    }
}

struct Way {
    sender: Box<dyn Sender>,
    circuit: Circuit,
}

/// The ways out of this server.
pub(crate) struct Senders {
    captures: bool,
    mail: Vec<Way>,
    sms: Vec<Way>,
    push: Vec<Way>,
    mail_hook: Option<Hook>,
    sms_hook: Option<Hook>,
    push_key: Arc<OnceLock<VapidKey>>,
    /// When no further provider is asked in one attempt.
    patience: Duration,
}

impl Senders {
    pub(crate) fn new(config: &OutboundConfig, is_development: bool) -> Result<Self> {
        let push_key = Arc::new(OnceLock::new());
        let way = |sender: Box<dyn Sender>| Way { sender, circuit: Circuit::new(&config.failover) };
        let mail =
            [Smtp::new(&config.mail)?.map(|sender| way(Box::new(sender))), Resend::new(&config.mail)?.map(|sender| way(Box::new(sender)))];
        let sms = [Twilio::new(&config.sms)?.map(|sender| way(Box::new(sender)))];
        let fcm = Fcm::new(&config.push)?.map(|sender| way(Box::new(sender)));
        let (mail_hook, sms_hook) = (Hook::new(&config.mail.hook, &config.hooks)?, Hook::new(&config.sms.hook, &config.hooks)?);
        let mail: Vec<Way> = mail.into_iter().flatten().collect();
        let sms: Vec<Way> = sms.into_iter().flatten().collect();
        // Web Push alone is always there, so it says nothing of where messages are to go.
        let leaves = !mail.is_empty() || !sms.is_empty() || fcm.is_some() || mail_hook.is_some() || sms_hook.is_some();
        let captures = config.capture.unwrap_or(is_development && !leaves);
        let web: Way = way(Box::new(WebPush::new(config, Arc::clone(&push_key))?));
        Ok(Self {
            captures,
            mail: in_order(mail, &config.mail.senders),
            sms: in_order(sms, &config.sms.senders),
            push: in_order(std::iter::once(web).chain(fcm).collect(), &config.push.senders),
            mail_hook,
            sms_hook,
            push_key,
            patience: Duration::from_millis(u64::try_from(config.outbox.lease_ms / 2).unwrap_or(0)),
        })
    }

    /// Tells whether messages stay here.
    pub(crate) fn captures(&self) -> bool {
        self.captures
    }

    /// Tells whether there is a way for this channel.
    pub(crate) fn has(&self, channel: Channel) -> bool {
        self.captures || self.hook(channel).is_some() || !self.ways(channel).is_empty()
    }

    /// Returns the hook that sends what goes this way.
    pub(crate) fn hook(&self, channel: Channel) -> Option<&Hook> {
        match channel {
            Channel::Mail => self.mail_hook.as_ref(),
            Channel::Sms => self.sms_hook.as_ref(),
            Channel::Push => None,
        }
    }

    /// Returns the key by which push services know this installation, once it is known.
    pub(crate) fn push_key(&self) -> &OnceLock<VapidKey> {
        &self.push_key
    }

    fn ways(&self, channel: Channel) -> &[Way] {
        match channel {
            Channel::Mail => &self.mail,
            Channel::Sms => &self.sms,
            Channel::Push => &self.push,
        }
    }

    /// Sends a message by the first provider that takes it; not for servers that keep them.
    pub(crate) async fn send(&self, letter: &Letter<'_>) -> Ended {
        let (mut ended, begun) = (Ended { attempts: Vec::new(), not_before: None }, Instant::now());
        let mut is_any = false;
        for Way { sender, circuit } in self.ways(letter.channel).iter().filter(|way| way.sender.carries(letter)) {
            is_any = true;
            if let Some(until) = circuit.shut_until(letter.now) {
                ended.not_before = Some(ended.not_before.map_or(until, |before| before.min(until)));
                continue;
            }
            if begun.elapsed() > self.patience {
                break;
            }
            let outcome = sender.send(letter).await;
            match &outcome {
                Err(Refusal { fault: Fault::Provider(told), .. }) => circuit.fails(*told, letter.now),
                _ => circuit.works(),
            }
            let is_over = matches!(outcome, Ok(_) | Err(Refusal { fault: Fault::Recipient(_), .. }));
            ended.attempts.push(Attempt { provider: sender.name(), outcome });
            if is_over {
                break;
            }
        }
        if !is_any {
            return Ended::of("none", Err(Refusal::passing(&"nothing is configured that sends it")));
        }
        ended
    }
}

/// Puts the ways that are named into that order, without the others; all where none are named.
fn in_order(mut ways: Vec<Way>, named: &[String]) -> Vec<Way> {
    if named.is_empty() {
        return ways;
    }
    ways.retain(|way| named.iter().any(|name| name == way.sender.name()));
    ways.sort_by_key(|way| named.iter().position(|name| name == way.sender.name()));
    ways
}

/// Reads how many seconds a provider wants to be left alone.
pub(crate) fn retry_after(headers: &HeaderMap) -> Option<Duration> {
    let seconds = headers.get(http::header::RETRY_AFTER)?.to_str().ok()?.trim().parse::<u64>().ok()?;
    Some(Duration::from_secs(seconds.max(1)))
}

pub(crate) fn unusable(what: &'static str, error: impl std::fmt::Display) -> Error {
    Error::internal(format!("{what}: {error}"))
}
