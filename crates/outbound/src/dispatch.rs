//! Messages that nobody asked for at this moment: a company's to its customers and members, of any channel, about a topic that whoever gets
//! them may refuse.
//!
//! Invariant: like every message they are written in the transaction that is their reason. What somebody refused is not written at all, and
//! is looked at once more before it is sent.

use kernel::{CompanyId, Error, Kind, Result, UserId};
use postgres::{Sql, Tx};
use uuid::Uuid;

use crate::attempts::{self, Suppression, Wanted};
use crate::message::Packed;
use crate::outbox::{self, NewRow};
use crate::push::{devices, envelope};
use crate::{Channel, Message, Outbound, Push, Seal, unsubscribe};

/// A topic's longest name.
const TOPIC_BYTES_MAX: usize = 60;
/// What a push message says beside its texts, as JSON: names, quotes and its id.
const PUSH_FRAME_BYTES: usize = 160;

/// A message that is to leave.
#[derive(Clone, Copy, Debug)]
pub struct Dispatch<'a> {
    /// In whose name; none for the installation itself.
    pub company_id: Option<CompanyId>,
    /// Its way.
    pub channel: Channel,
    /// Its reason, one word of lower-case letters and underscores.
    pub purpose: &'a str,
    /// For whom.
    pub to: To<'a>,
    /// What it is about: lower-case letters, digits, `_`, `.` and `-`. Whoever gets mail about a topic finds a link in it by which he
    /// refuses the topic. None: it belongs to something that he does with the company, such as an invoice, and cannot be refused alone.
    pub topic: Option<&'a str>,
    /// What it says.
    pub message: &'a Message,
    /// What goes to a device beside that.
    pub push: Option<&'a Push>,
}

/// For whom a message is.
#[derive(Clone, Copy, Debug)]
pub enum To<'a> {
    /// An address or a number; not for messages to devices.
    Address(&'a str),
    /// A member of the company: his address, his number, or all his devices.
    Member(UserId),
}

/// What became of it.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Dispatched {
    /// It waits to be sent: the ids of its rows, one for each device.
    Taken(Vec<Uuid>),
    /// Who should get it is not written to.
    Suppressed(Suppression),
    /// He has no address, no number or no device, or is no member of the company.
    Unreachable,
    /// The company has sent too much in this hour.
    TooMany,
}

impl Outbound {
    /// Writes a message into the outbox; after the commit, [`Self::wake`].
    pub async fn dispatch(&self, tx: &Tx, seal: &Seal, dispatch: Dispatch<'_>) -> Result<Dispatched> {
        check(&dispatch)?;
        let recipients = match dispatch.to {
            To::Address(address) => vec![address.to_owned()],
            To::Member(user_id) => self.recipients(tx, &dispatch, user_id).await?,
        };
        let topic = dispatch.topic.unwrap_or_default();
        let (mut rows, mut suppressed) = (Vec::new(), None);
        for recipient in &recipients {
            let wanted = Wanted { company_id: dispatch.company_id, channel: dispatch.channel.as_str(), recipient, topic, is_asked: false };
            match attempts::suppression(tx, wanted, self.now()).await? {
                Some(why) => suppressed = Some(why),
                None => rows.push(recipient),
            }
        }
        if rows.is_empty() {
            return Ok(suppressed.map_or(Dispatched::Unreachable, Dispatched::Suppressed));
        }
        let mut ids = Vec::new();
        for recipient in rows {
            match self.write(tx, seal, &dispatch, recipient).await? {
                Some(id) => ids.push(id),
                None => return Ok(Dispatched::TooMany),
            }
        }
        Ok(Dispatched::Taken(ids))
    }

    async fn write(&self, tx: &Tx, seal: &Seal, dispatch: &Dispatch<'_>, recipient: &str) -> Result<Option<Uuid>> {
        let id = Uuid::now_v7();
        let unsubscribe = match (dispatch.channel, dispatch.company_id, dispatch.topic) {
            (Channel::Mail, Some(company_id), Some(topic)) => self.unsubscribe_url(seal, company_id, recipient, topic)?,
            _ => None,
        };
        let packed = Packed { message: dispatch.message.clone(), push: dispatch.push.cloned(), unsubscribe };
        let plain = serde_json::to_string(&packed).map_err(Error::internal)?;
        let row = NewRow {
            id,
            company_id: dispatch.company_id,
            channel: dispatch.channel,
            purpose: dispatch.purpose,
            recipient,
            client: None,
            topic: dispatch.topic.unwrap_or_default(),
            is_asked: false,
            sealed: Some(seal.close(id, &plain)?),
            now: self.now(),
        };
        let config = &self.config().outbox;
        let standing = outbox::standing(tx, &row, 0, config.pending_max).await?;
        if standing.is_full {
            return Err(full());
        }
        if standing.by_company >= config.company_hour_max {
            return Ok(None);
        }
        outbox::insert(tx, row).await?;
        Ok(Some(id))
    }

    fn unsubscribe_url(&self, seal: &Seal, company_id: CompanyId, recipient: &str, topic: &str) -> Result<Option<String>> {
        let Some(public_url) = self.public_url() else { return Ok(None) };
        let token = unsubscribe::Refused { company_id, address: recipient.to_owned(), topic: topic.to_owned() }.seal(seal)?;
        Ok(Some(format!("{}/api/v1/unsubscribe/{token}", public_url.trim_end_matches('/'))))
    }

    /// Returns where a member is reached.
    async fn recipients(&self, tx: &Tx, dispatch: &Dispatch<'_>, user_id: UserId) -> Result<Vec<String>> {
        let mut sql = Sql::new(
            "select nullif(u.email, '') as mail, case when u.phone_confirmed_at is not null then '+' || nullif(u.phone, '') end as sms from auth.users u ",
        );
        sql.text("where u.deleted_at is null and u.id = ")
            .bind(user_id)
            .text("::uuid and (")
            .bind(dispatch.company_id)
            .text("::uuid is null or exists (");
        sql.text("select from public.team_members m where m.user_id = u.id and m.status = 'active' and m.archived_at is null and m.company_id = ");
        sql.bind(dispatch.company_id).text("::uuid))");
        let Some(row) = tx.query_opt(sql).await? else { return Ok(Vec::new()) };
        let found = |name: &str| row.try_get::<_, Option<String>>(name).map_err(Error::internal);
        Ok(match dispatch.channel {
            Channel::Mail => found("mail")?.into_iter().collect(),
            Channel::Sms => found("sms")?.into_iter().collect(),
            Channel::Push => {
                let devices: Vec<String> = devices::of(tx, user_id).await?.iter().map(Uuid::to_string).collect();
                // Where messages are kept they can be looked at without a device, too.
                if devices.is_empty() && self.captures() { vec![format!("user:{user_id}")] } else { devices }
            }
        })
    }
}

fn check(dispatch: &Dispatch<'_>) -> Result<()> {
    let is_mark = |byte: u8| byte.is_ascii_lowercase() || byte.is_ascii_digit() || matches!(byte, b'_' | b'.' | b'-');
    let is_topic = |topic: &str| {
        (1..=TOPIC_BYTES_MAX).contains(&topic.len()) && topic.bytes().all(is_mark) && topic.starts_with(|c: char| c.is_ascii_lowercase())
    };
    let fault = match dispatch {
        Dispatch { topic: Some(topic), .. } if !is_topic(topic) => Some("a topic has 1 to 60 lower-case letters, digits, _, . and -"),
        Dispatch { channel: Channel::Push, to: To::Address(_), .. } => Some("a message to devices is for a member"),
        Dispatch { channel: Channel::Push, push, message, .. } => push.and_then(Push::fault).or_else(|| {
            let extra = serde_json::to_string(&push).map_or(usize::MAX, |text| text.len());
            let texts = serde_json::to_string(&(&message.subject, &message.text)).map_or(usize::MAX, |text| text.len());
            (extra.saturating_add(texts).saturating_add(PUSH_FRAME_BYTES) > envelope::PLAIN_BYTES_MAX)
                .then_some("title, text and data of a message to devices have 3.5 kB together")
        }),
        _ => None,
    };
    fault.map_or(Ok(()), |fault| Err(Error::new(Kind::Unprocessable, "message_invalid", fault)))
}

pub(crate) fn full() -> Error {
    metrics::counter!("outbox_full_total").increment(1);
    let error = Error::new(Kind::Unavailable, "outbox_full", "Too many messages are waiting to be sent. Try again later");
    error.with_retry_after(60)
}
