//! Messages as Mailpit shows them.

use jiff::Timestamp;
use kernel::{Error, Result};
use postgres::Row;
use serde_json::{Value, json};
use uuid::Uuid;

use super::Counts;

const SNIPPET_CHARACTERS: usize = 250;

/// What [`Captured::from_row`] reads, of the message `m`.
pub(super) const COLUMNS: &str =
    "m.id, m.channel, m.purpose, m.sender, m.recipient, m.subject, m.body_text, m.body_html, m.is_read, m.created_at, m.unsubscribe";

/// A message that was kept.
#[derive(Debug)]
pub struct Captured {
    /// Its id.
    pub id: Uuid,
    /// `mail`, `sms` or `push`.
    pub channel: String,
    /// Its reason.
    pub purpose: String,
    /// Name and address it came from.
    pub sender: String,
    /// The address or number.
    pub recipient: String,
    /// Its subject.
    pub subject: String,
    /// Its text.
    pub text: String,
    /// The same as HTML.
    pub html: String,
    /// When it was kept.
    pub created_at: Timestamp,
    is_read: bool,
    unsubscribe: Option<String>,
}

impl Captured {
    pub(super) fn from_row(row: &Row) -> Result<Self> {
        let text = |name: &str| row.try_get::<_, String>(name).map_err(Error::internal);
        Ok(Self {
            id: row.try_get("id").map_err(Error::internal)?,
            channel: text("channel")?,
            purpose: text("purpose")?,
            sender: text("sender")?,
            recipient: text("recipient")?,
            subject: text("subject")?,
            text: text("body_text")?,
            html: text("body_html")?,
            created_at: row.try_get("created_at").map_err(Error::internal)?,
            is_read: row.try_get("is_read").map_err(Error::internal)?,
            unsubscribe: row.try_get("unsubscribe").map_err(Error::internal)?,
        })
    }

    fn bytes(&self) -> usize {
        self.subject.len() + self.text.len() + self.html.len()
    }

    fn message_id(&self) -> String {
        format!("{}@thorbis.localhost", self.id)
    }

    fn from(&self) -> Value {
        let (name, address) = self.sender.trim_end_matches('>').rsplit_once(" <").unwrap_or(("", &self.sender));
        json!({ "Name": name, "Address": address })
    }

    fn to(&self) -> Value {
        json!([{ "Name": "", "Address": self.recipient }])
    }

    /// What a mail program makes a button of.
    fn list_unsubscribe(&self) -> Value {
        match &self.unsubscribe {
            None => json!({ "Header": "", "Links": [], "Errors": "", "HeaderPost": "" }),
            Some(url) => json!({ "Header": format!("<{url}>"), "Links": [url], "Errors": "", "HeaderPost": "List-Unsubscribe=One-Click" }),
        }
    }

    fn tags(&self) -> Value {
        json!([self.channel, self.purpose])
    }
}

/// A page of messages.
pub(super) fn list(messages: &[Captured], counts: Counts, start: i64) -> Value {
    let Counts { total, unread, found } = counts;
    json!({
        "total": total,
        "unread": unread,
        "count": messages.len(),
        "messages_count": found,
        "messages_unread": unread,
        "start": start,
        "tags": ["mail", "sms", "push"],
        "messages": messages.iter().map(summary).collect::<Vec<_>>(),
    })
}

fn summary(message: &Captured) -> Value {
    let snippet: String = message.text.split_whitespace().collect::<Vec<_>>().join(" ").chars().take(SNIPPET_CHARACTERS).collect();
    json!({
        "ID": message.id,
        "MessageID": message.message_id(),
        "Read": message.is_read,
        "From": message.from(),
        "To": message.to(),
        "Cc": [],
        "Bcc": [],
        "ReplyTo": [],
        "Subject": message.subject,
        "Created": message.created_at,
        "Username": "",
        "Tags": message.tags(),
        "Size": message.bytes(),
        "Attachments": 0,
        "Snippet": snippet,
    })
}

/// One message with everything it says.
pub(super) fn whole(message: &Captured) -> Value {
    json!({
        "ID": message.id,
        "MessageID": message.message_id(),
        "From": message.from(),
        "To": message.to(),
        "Cc": [],
        "Bcc": [],
        "ReplyTo": [],
        "ReturnPath": "",
        "Subject": message.subject,
        "Date": message.created_at,
        "Tags": message.tags(),
        "ListUnsubscribe": message.list_unsubscribe(),
        "Text": message.text,
        "HTML": message.html,
        "Size": message.bytes(),
        "Inline": [],
        "Attachments": [],
    })
}
