//! Sending what was decided: one notification by its way, digests whose window is over, and what becomes due by itself.
//!
//! Invariant: everything here writes in the transaction that its caller commits together with the end of its task.

use std::time::Duration;

use kernel::{CompanyId, Result, UserId};
use outbound::{Channel, Dispatch, Dispatched, Message, Push, To, Urgency};
use postgres::Tx;
use serde_json::{Map, Value};
use uuid::Uuid;

use super::rows::{self, Act, Letter};
use crate::Messaging;

/// Which reason stands in the outbox; what becomes of messages with it is noted at their notification.
const PURPOSE: &str = "notification";
const NO_WAY: &str = "this installation has no way out for it";
/// Somebody refused it, or has no device any more, since it was opened.
const NOT_WRITTEN_TO: &str = "whoever it is for is not written to";
const HOUR_SECONDS: u32 = 3600;

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
        let Some(channel) = way_of(&letter.channel).filter(|channel| self.outbound().sends(*channel)) else {
            rows::hand_on(tx, (company_id, id), Err(NO_WAY), now).await?;
            return Ok(Delivery::Done);
        };
        let (message, push) = (message(&letter), self.push(id, &letter));
        let dispatch = Dispatch {
            company_id: Some(company_id),
            channel,
            purpose: PURPOSE,
            to: if channel == Channel::Push { To::Member(UserId(letter.user_id)) } else { To::Address(&letter.recipient) },
            topic: letter.topic.as_deref(),
            message: &message,
            push: (channel == Channel::Push).then_some(&push),
        };
        match self.outbound().dispatch(tx, &self.vault().outbox_seal()?, dispatch).await? {
            Dispatched::Taken(ids) => rows::hand_on(tx, (company_id, id), Ok(&ids), now).await?,
            Dispatched::Suppressed(_) | Dispatched::Unreachable => rows::hand_on(tx, (company_id, id), Err(NOT_WRITTEN_TO), now).await?,
            Dispatched::TooMany => return Ok(Delivery::Full),
        }
        Ok(Delivery::Done)
    }

    /// What an application finds out about a message to its device: what it is of, and what it is about.
    fn push(&self, id: Uuid, letter: &Letter) -> Push {
        let mut data =
            Map::from_iter([("notification_id".to_owned(), Value::from(id.to_string())), ("type".to_owned(), letter.kind.as_str().into())]);
        if let Some((entity_type, entity_id)) = &letter.entity {
            data.insert("entity_type".to_owned(), entity_type.as_str().into());
            data.insert("entity_id".to_owned(), entity_id.to_string().into());
        }
        let urgency = match letter.priority.as_str() {
            "urgent" | "high" => Urgency::High,
            "low" => Urgency::Low,
            _ => Urgency::Normal,
        };
        // What is too old to disturb anybody is too old for a device that was away.
        let ttl_seconds = Some(self.config().notifications.disturb_hours_max.saturating_mul(HOUR_SECONDS).min(Push::TTL_SECONDS_MAX));
        Push { url: None, data, ttl_seconds, urgency, collapse_key: None }
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

/// The way out by which a channel of notifications leaves.
pub(super) fn way_of(channel: &str) -> Option<Channel> {
    match channel {
        "email" => Some(Channel::Mail),
        "sms" => Some(Channel::Sms),
        "push" => Some(Channel::Push),
        _ => None,
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
