//! The log of attempts, and the list of those who are not written to.
//!
//! Invariant: what somebody asked for himself stands in no company's log, whoever's name is above it.

use jiff::{SignedDuration, Timestamp};
use kernel::{CompanyId, Error, Result};
use postgres::{Sql, Tx};

use crate::config::LogConfig;
use crate::outbox::Taken;
use crate::senders::{Attempt, Fault, Lasting};

/// Why a message is not sent.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Suppression {
    /// Nobody is at the address.
    Bounce,
    /// Whoever has it complained about mail.
    Complaint,
    /// Whoever has it wants no more of the kind.
    Unsubscribed,
    /// A member put it on the list.
    Manual,
    /// Whoever has the number said a word such as STOP.
    Stopped,
}

impl Suppression {
    /// Returns its word on the list.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Bounce => "bounce",
            Self::Complaint => "complaint",
            Self::Unsubscribed => "unsubscribe",
            Self::Manual => "manual",
            Self::Stopped => "stop",
        }
    }

    fn parse(word: &str) -> Option<Self> {
        let all = [Self::Bounce, Self::Complaint, Self::Unsubscribed, Self::Manual, Self::Stopped];
        all.into_iter().find(|suppression| suppression.as_str() == word)
    }
}

/// Whom a message is for, as the list is asked.
#[derive(Clone, Copy)]
pub(crate) struct Wanted<'a> {
    pub(crate) company_id: Option<CompanyId>,
    pub(crate) channel: &'a str,
    pub(crate) recipient: &'a str,
    pub(crate) topic: &'a str,
    pub(crate) is_asked: bool,
}

/// Returns what is against a message.
pub(crate) async fn suppression(tx: &Tx, wanted: Wanted<'_>, now: Timestamp) -> Result<Option<Suppression>> {
    let mut sql = Sql::new("select app.suppression_of(");
    sql.bind(wanted.company_id).text("::uuid, ").bind(wanted.channel).text("::text, ").bind(wanted.recipient).text("::text, ");
    sql.bind(wanted.topic).text("::text, ").bind(wanted.is_asked).text("::boolean, ").bind(now).text("::timestamptz) as reason");
    let reason: Option<String> = tx.query_one(sql).await?.try_get("reason").map_err(Error::internal)?;
    Ok(reason.as_deref().and_then(Suppression::parse))
}

/// Keeps an attempt, and whoever was not found is written to no more.
pub(crate) async fn note(tx: &Tx, taken: &Taken, attempt: &Attempt, now: Timestamp) -> Result<()> {
    let (outcome, code, key) = match &attempt.outcome {
        Ok(receipt) => ("accepted", None, receipt.key.clone()),
        Err(refusal) => (if matches!(refusal.fault, Fault::Recipient(_)) { "bounced" } else { "refused" }, refusal.code.clone(), None),
    };
    insert(tx, taken, Entry { provider: Some(attempt.provider), key, outcome, code }, now).await?;
    let lost = attempt.outcome.as_ref().err().map(|refusal| refusal.fault);
    if let Some(Fault::Recipient(lasting)) = lost
        && let Some(reason) = lasting.reason()
    {
        let mut sql = Sql::new("select app.suppress(");
        sql.bind(company_of(taken)).text("::uuid, ").bind(taken.channel.as_str()).text("::text, ").bind(taken.recipient.as_str());
        sql.text("::text, ").bind(reason).text("::text, ").bind(now).text("::timestamptz)");
        tx.query_one(sql).await?;
    }
    Ok(())
}

/// Keeps that a message was not sent.
pub(crate) async fn note_suppressed(tx: &Tx, taken: &Taken, why: Suppression, now: Timestamp) -> Result<()> {
    insert(tx, taken, Entry { provider: None, key: None, outcome: "suppressed", code: Some(why.as_str().to_owned()) }, now).await
}

struct Entry {
    provider: Option<&'static str>,
    key: Option<String>,
    outcome: &'static str,
    code: Option<String>,
}

async fn insert(tx: &Tx, taken: &Taken, entry: Entry, now: Timestamp) -> Result<()> {
    let mut sql = Sql::new(
        "insert into app.message_attempts (message_key, company_id, channel, purpose, topic, recipient, attempt, provider, provider_key, outcome,
                                           code, said_at, created_at) select ",
    );
    sql.bind(taken.id).text("::uuid, (select c.id from public.companies c where c.id = ").bind(company_of(taken)).text("::uuid), ");
    sql.bind(taken.channel.as_str()).text("::text, ").bind(taken.purpose.as_str()).text("::text, ").bind(taken.topic.as_str());
    sql.text("::text, app.address_key(").bind(taken.channel.as_str()).text("::text, ").bind(taken.recipient.as_str()).text("::text), ");
    sql.bind(taken.attempts).text("::integer, ").bind(entry.provider.map(str::to_owned)).text("::text, ").bind(entry.key).text("::text, ");
    sql.bind(entry.outcome)
        .text("::text, ")
        .bind(entry.code)
        .text("::text, ")
        .bind(now)
        .text("::timestamptz, ")
        .bind(now)
        .text("::timestamptz");
    tx.execute(sql).await?;
    Ok(())
}

/// Whose log it stands in.
fn company_of(taken: &Taken) -> Option<CompanyId> {
    if taken.is_asked { None } else { taken.company_id }
}

/// Takes away what was kept long enough, and what holds no more. Returns how many rows.
pub(crate) async fn expire(tx: &Tx, config: &LogConfig, now: Timestamp) -> Result<u64> {
    let before = now.saturating_sub(SignedDuration::from_hours(config.attempts_days * 24)).map_err(Error::internal)?;
    let mut sql =
        Sql::new("delete from app.message_attempts a where a.id in (select x.id from app.message_attempts x where x.created_at < ");
    sql.bind(before).text("::timestamptz order by x.created_at limit 1000 for update skip locked)");
    let attempts = tx.execute(sql).await?;
    let mut sql = Sql::new("delete from app.address_holds h where h.until < ");
    sql.bind(now).text("::timestamptz");
    Ok(attempts + tx.execute(sql).await?)
}

impl Lasting {
    /// Tells whether it is the device that is no more.
    pub(crate) fn is_device(self) -> bool {
        self == Self::Device
    }
}
