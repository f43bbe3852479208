//! Sending what was decided: one notification by its way, digests whose window is over, and what becomes due by itself.
//!
//! Invariant: everything here writes in the transaction that its caller commits together with the end of its task.

use std::time::Duration;

use kernel::{CompanyId, Result};
use outbound::{Asked, Channel, Limits, Message, Posting};
use postgres::Tx;
use uuid::Uuid;

use super::rows::{self, Act, Letter};
use crate::Messaging;

/// Which reason stands in the outbox; what becomes of messages with it is noted at their notification.
const PURPOSE: &str = "notification";
const NO_WAY: &str = "this installation has no way out for it";
/// How many of a topic come in an hour was asked when it was decided.
const LIMITS: Limits = Limits { pause_seconds: 0, recipient_hour_max: i64::MAX, client_hour_max: i64::MAX };

/// What became of a notification that was to be delivered.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Delivery {
    /// It is in the outbox, or there is nothing to do.
    Done,
    /// Its person is not disturbed for so long; this was written down.
    Later(Duration),
    /// Its company has written too much in this hour; nothing was written.
    Full,
}

impl Messaging {
    /// Delivers a notification, in this transaction; after the commit the outbox is to be woken.
    pub async fn deliver_notification(&self, tx: &Tx, company_id: CompanyId, id: Uuid) -> Result<Delivery> {
        let now = self.now();
        let letter = match rows::open(tx, company_id, id, now).await? {
            Act::Nothing => return Ok(Delivery::Done),
            Act::Wait(until) => {
                let pause = Duration::try_from(until.duration_since(now)).unwrap_or_default();
                return Ok(Delivery::Later(pause.max(Duration::from_secs(1))));
            }
            Act::Send(letter) => letter,
        };
        let channel = match letter.channel.as_str() {
            "email" => Channel::Mail,
            "sms" => Channel::Sms,
            // Push messages have no way out yet, and are not planned without one.
            _ => {
                rows::hand_on(tx, (company_id, id), Err(NO_WAY), now).await?;
                return Ok(Delivery::Done);
            }
        };
        if !self.outbound().sends(channel) {
            rows::hand_on(tx, (company_id, id), Err(NO_WAY), now).await?;
            return Ok(Delivery::Done);
        }
        let message = message(&letter);
        let posting = Posting {
            company_id: Some(company_id),
            channel,
            purpose: PURPOSE,
            recipient: &letter.recipient,
            client: None,
            message: &message,
            is_withheld: false,
        };
        let message_id = Uuid::now_v7();
        match self.outbound().put_as(tx, (message_id, &self.vault().outbox_seal()?), posting, LIMITS).await? {
            Asked::Taken => rows::hand_on(tx, (company_id, id), Ok(&[message_id]), now).await?,
            Asked::Pause(_) | Asked::TooMany => return Ok(Delivery::Full),
        }
        Ok(Delivery::Done)
    }

    /// Makes mails of digests whose window is over, of one company or of all; returns whether there may be more.
    pub async fn send_digests(&self, tx: &Tx, company_id: Option<CompanyId>) -> Result<bool> {
        let (config, now) = (&self.config().notifications, self.now());
        let due = rows::due_digests(tx, company_id, now, config).await?;
        for digest in &due {
            let said = self.texts().digest(&digest.locale, &digest.company, &digest.items, digest.total)?;
            rows::close_digest(tx, digest, &said, now).await?;
        }
        Ok(due.len() >= usize::try_from(config.digests_max).unwrap_or(usize::MAX))
    }

    /// Has members told of what became due by itself, and late digests sent; returns of how much became due.
    pub async fn notify_due(&self, tx: &Tx) -> Result<i64> {
        let (config, now) = (&self.config().notifications, self.now());
        let told = rows::notify_due(tx, now, config).await?;
        rows::enqueue(tx, "send_digests").await?;
        Ok(told)
    }

    /// Sends the outbox what is there.
    pub fn wake_outbox(&self) {
        self.outbound().wake();
    }
}

fn message(letter: &Letter) -> Message {
    Message {
        sender_name: letter.sender_name.chars().map(|c| if c.is_control() { ' ' } else { c }).collect(),
        subject: letter.subject.clone(),
        text: letter.body.clone(),
        html: letter.html.clone(),
        payload: None,
    }
}
