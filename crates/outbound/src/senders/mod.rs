//! Who carries a message away.
//!
//! Invariant: an error never repeats what the message says.

mod by_hook;
mod smtp;
mod twilio;

use jiff::Timestamp;
use kernel::{Error, Result};

use crate::config::OutboundConfig;
use crate::hook::Hook;
use crate::{Channel, Message};

use smtp::Smtp;
use twilio::Twilio;

pub(crate) use by_hook::send as by_hook;

/// Why a message was not sent.
#[derive(Debug)]
pub(crate) struct Refusal {
    /// For the log and the table.
    pub(crate) reason: String,
    /// Another attempt would end the same way.
    pub(crate) is_final: bool,
}

impl Refusal {
    fn passing(reason: &impl ToString) -> Self {
        Self { reason: reason.to_string(), is_final: false }
    }

    fn lasting(reason: &impl ToString) -> Self {
        Self { reason: reason.to_string(), is_final: true }
    }
}

/// A message with its way.
pub(crate) struct Letter<'a> {
    pub(crate) channel: Channel,
    pub(crate) purpose: &'a str,
    pub(crate) recipient: &'a str,
    pub(crate) message: &'a Message,
    pub(crate) now: Timestamp,
}

/// The ways out of this server.
pub(crate) struct Senders {
    captures: bool,
    smtp: Option<Smtp>,
    twilio: Option<Twilio>,
    mail_hook: Option<Hook>,
    sms_hook: Option<Hook>,
}

impl Senders {
    pub(crate) fn new(config: &OutboundConfig, is_development: bool) -> Result<Self> {
        let smtp = Smtp::new(&config.mail)?;
        let twilio = Twilio::new(&config.sms)?;
        let (mail_hook, sms_hook) = (Hook::new(&config.mail.hook, &config.hooks)?, Hook::new(&config.sms.hook, &config.hooks)?);
        let leaves = smtp.is_some() || twilio.is_some() || mail_hook.is_some() || sms_hook.is_some();
        let captures = config.capture.unwrap_or(is_development && !leaves);
        Ok(Self { captures, smtp, twilio, mail_hook, sms_hook })
    }

    /// Tells whether messages stay here.
    pub(crate) fn captures(&self) -> bool {
        self.captures
    }

    /// Tells whether there is a way for this channel.
    pub(crate) fn has(&self, channel: Channel) -> bool {
        self.captures
            || match channel {
                Channel::Mail => self.smtp.is_some() || self.mail_hook.is_some(),
                Channel::Sms => self.twilio.is_some() || self.sms_hook.is_some(),
            }
    }

    /// Returns the hook that sends what goes this way.
    pub(crate) fn hook(&self, channel: Channel) -> Option<&Hook> {
        match channel {
            Channel::Mail => self.mail_hook.as_ref(),
            Channel::Sms => self.sms_hook.as_ref(),
        }
    }

    /// Sends a message; not for servers that keep them.
    pub(crate) async fn send(&self, letter: &Letter<'_>) -> std::result::Result<(), Refusal> {
        match (letter.channel, &self.smtp, &self.twilio) {
            (Channel::Mail, Some(smtp), _) => smtp.send(letter).await,
            (Channel::Sms, _, Some(twilio)) => twilio.send(letter).await,
            (Channel::Mail, None, _) => Err(Refusal::passing(&"no mail server is configured")),
            (Channel::Sms, _, None) => Err(Refusal::passing(&"no account for SMS is configured")),
        }
    }
}

pub(crate) fn unusable(what: &'static str, error: impl std::fmt::Display) -> Error {
    Error::internal(format!("{what}: {error}"))
}
