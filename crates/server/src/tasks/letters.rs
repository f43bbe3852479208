//! Mails of the server's own in the name of a company: to its members that hold a permission, and to one customer.
//!
//! Invariant: they go into the outbox in the transaction that ends their task, so that they are written once.

use kernel::{CompanyId, Error};
use outbound::{Asked, Channel, Limits, Message, Posting};
use postgres::{Sql, Tx};
use queue::Failure;

use super::send_message::Desk;

/// After how long they come back when the company has written too much in this hour.
const TOO_MANY: std::time::Duration = std::time::Duration::from_mins(15);
/// The company's own limit of an hour is the one that counts.
const LIMITS: Limits = Limits { pause_seconds: 0, recipient_hour_max: i64::MAX, client_hour_max: i64::MAX };

/// A mail.
pub(super) struct Letter<'a> {
    pub(super) purpose: &'a str,
    pub(super) sender_name: &'a str,
    pub(super) subject: String,
    pub(super) text: String,
}

/// Puts a mail into the outbox. Refused where it cannot be written now: it comes back later, as new.
pub(super) async fn post(desk: &Desk, tx: &Tx, company_id: CompanyId, recipient: &str, letter: &Letter<'_>) -> Result<(), Failure> {
    let message = Message {
        sender_name: letter.sender_name.to_owned(),
        subject: letter.subject.clone(),
        text: letter.text.clone(),
        html: String::new(),
        payload: None,
    };
    let posting = Posting {
        company_id: Some(company_id),
        channel: Channel::Mail,
        purpose: letter.purpose,
        recipient,
        client: None,
        message: &message,
        is_asked: false,
        is_withheld: false,
    };
    match desk.outbound.put(tx, &desk.auth.seal()?, posting, LIMITS).await? {
        Asked::Taken => Ok(()),
        Asked::Pause(_) | Asked::TooMany => Err(Failure::not_yet(TOO_MANY)),
    }
}

/// Puts a mail to each member of the company that holds a permission. Returns how many.
pub(super) async fn post_to_members(
    desk: &Desk,
    tx: &Tx,
    company_id: CompanyId,
    permission: &str,
    letter: &Letter<'_>,
) -> Result<usize, Failure> {
    let mut members = Sql::new("select m.email from app.members_who(");
    members.bind(company_id).text("::uuid, ").bind(permission).text("::text) m");
    let rows = tx.query(members).await?;
    for row in &rows {
        let email: String = row.try_get("email").map_err(Error::internal)?;
        post(desk, tx, company_id, &email, letter).await?;
    }
    Ok(rows.len())
}
