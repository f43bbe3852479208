//! Tells a company that one of its webhooks was switched off, by a way that is not the webhook's.

use kernel::Result;
use outbound::{Channel, Limits, Message, Posting};
use postgres::Tx;

use super::rows::{self, Owner, Taken};
use crate::Messaging;

/// Notices of one webhook to one owner in an hour; who switches it on and off again is not written to every time.
const LIMITS: Limits = Limits { pause_seconds: 0, recipient_hour_max: 20, client_hour_max: i64::MAX };

/// Writes to the owners, in the transaction that switched the webhook off.
pub(super) async fn write(messaging: &Messaging, tx: &Tx, taken: &Taken) -> Result<()> {
    let outbound = messaging.outbound();
    if !outbound.sends(Channel::Mail) {
        tracing::warn!(webhook_id = %taken.webhook_id, "a webhook was switched off, and no mail is configured to say so");
        return Ok(());
    }
    let seal = messaging.vault().outbox_seal()?;
    for owner in rows::owners(tx, taken).await? {
        let posting = Posting {
            company_id: Some(taken.company_id),
            channel: Channel::Mail,
            purpose: "webhook_disabled",
            recipient: &owner.email,
            client: None,
            message: &message(&owner),
            is_asked: false,
            is_withheld: false,
        };
        outbound.put(tx, &seal, posting, LIMITS).await?;
    }
    Ok(())
}

fn message(owner: &Owner) -> Message {
    let name = one_line(&owner.webhook);
    let text = format!(
        "The webhook \"{name}\" of {} was switched off. {}\n\nWhat happens from now on is not sent to it. Once the receiver works again, switch \
         the webhook on, and have it sent what it missed: POST /api/v1/webhooks/{{id}}/replay.",
        one_line(&owner.company),
        owner.reason
    );
    Message {
        sender_name: one_line(&owner.company),
        subject: format!("The webhook \"{name}\" was switched off"),
        text,
        html: String::new(),
        payload: None,
    }
}

fn one_line(text: &str) -> String {
    text.chars().map(|c| if c.is_control() { ' ' } else { c }).collect()
}
