//! Messages of a company to its own customers and members: `send_email`, worded or by a template, and `send_sms`.
//!
//! Invariant: what is sent goes into the outbox together with the end of the task, so that it is there once.

use std::sync::Arc;
use std::time::Duration;

use auth::Auth;
use kernel::{CompanyId, Error, Kind as ErrorKind};
use messaging::{Mail, Messaging};
use outbound::{Channel, Dispatch, Dispatched, Message, Outbound, To};
use postgres::{Sql, Tx};
use queue::{Failure, Field, FieldType, Kind, Rules, Running};
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

/// Who may have a company write to somebody.
const PERMISSION: &str = "communications:create";
/// Which reason stands in the outbox.
const PURPOSE: &str = "task";
/// After how long a message comes back whose company has written too much in this hour.
const TOO_MANY: Duration = Duration::from_mins(15);

/// What writes messages.
#[derive(Clone, Debug)]
pub(crate) struct Desk {
    pub(crate) outbound: Outbound,
    pub(crate) auth: Auth,
}

/// A mail.
#[derive(Clone, Debug)]
pub(crate) struct SendEmail {
    pub(crate) desk: Desk,
    pub(crate) messaging: Messaging,
}

/// An SMS.
#[derive(Clone, Debug)]
pub(crate) struct SendSms(pub(crate) Desk);

/// An SMS to somebody.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(crate) struct Sms {
    to: String,
    text: String,
}

const fn field(name: &'static str, field_type: FieldType) -> Field {
    Field { name, field_type, is_required: true }
}

impl Kind for SendEmail {
    const NAME: &'static str = "send_email";
    type Payload = Mail;

    fn rules(&self) -> Rules {
        const fn may_be(name: &'static str, field_type: FieldType) -> Field {
            Field { name, field_type, is_required: false }
        }
        const FIELDS: &[Field] = &[
            field("to", FieldType::Email),
            may_be("subject", FieldType::Text(200)),
            may_be("text", FieldType::Text(20_000)),
            may_be("template", FieldType::Template(messaging::LETTERS)),
            may_be("variables", FieldType::Object),
            may_be("locale", FieldType::Text(10)),
            may_be("strict", FieldType::Boolean),
            may_be("estimate_id", FieldType::Id),
            may_be("invoice_id", FieldType::Id),
            may_be("schedule_id", FieldType::Id),
        ];
        Rules { permission: Some(PERMISSION), fields: FIELDS, ..Rules::default() }
    }

    async fn run(&self, task: Arc<Running>, mail: Mail) -> Result<Value, Failure> {
        let (tx, company_id) = self.desk.begin(&task, Channel::Mail).await?;
        let message = self.messaging.letter(&tx, company_id, &mail).await.map_err(lasting)?;
        self.desk.put(&task, tx, (company_id, Channel::Mail, &mail.to), &message).await
    }
}

impl Kind for SendSms {
    const NAME: &'static str = "send_sms";
    type Payload = Sms;

    fn rules(&self) -> Rules {
        const FIELDS: &[Field] = &[field("to", FieldType::Phone), field("text", FieldType::Text(1000))];
        Rules { permission: Some(PERMISSION), fields: FIELDS, ..Rules::default() }
    }

    async fn run(&self, task: Arc<Running>, sms: Sms) -> Result<Value, Failure> {
        let (tx, company_id) = self.0.begin(&task, Channel::Sms).await?;
        let (sender_name, number) = reach(&tx, company_id, &sms.to).await?;
        let message = Message { sender_name, subject: String::new(), text: sms.text, html: String::new(), payload: None };
        self.0.put(&task, tx, (company_id, Channel::Sms, &number), &message).await
    }
}

impl Desk {
    async fn begin(&self, task: &Running, channel: Channel) -> Result<(Tx, CompanyId), Failure> {
        let Some(company_id) = task.company_id() else { return Err(Failure::never("a message is of a company")) };
        if !self.outbound.sends(channel) {
            return Err(Failure::never("this installation has no way out for it"));
        }
        Ok((task.begin("writes a message of a company").await?, company_id))
    }

    async fn put(
        &self,
        task: &Running,
        tx: Tx,
        (company_id, channel, recipient): (CompanyId, Channel, &str),
        message: &Message,
    ) -> Result<Value, Failure> {
        // What a member writes to one person is about what the two have to do with each other; it is no topic.
        let dispatch = Dispatch {
            company_id: Some(company_id),
            channel,
            purpose: PURPOSE,
            to: To::Address(recipient),
            topic: None,
            message,
            push: None,
        };
        match self.outbound.dispatch(&tx, &self.auth.seal()?, dispatch).await? {
            Dispatched::Taken(_) => {}
            Dispatched::TooMany => return Err(Failure::not_yet(TOO_MANY)),
            Dispatched::Suppressed(why) => return Err(Failure::never(format!("the address is not written to: {}", why.as_str()))),
            Dispatched::Unreachable => return Err(Failure::never("there is no address to write to")),
        }
        task.finish_within(&tx, json!({})).await?;
        tx.commit().await?;
        self.outbound.wake();
        Ok(Value::Null)
    }
}

/// What a mail is refused for will be the same next time.
fn lasting(error: Error) -> Failure {
    if error.kind() == ErrorKind::Unprocessable { Failure::never(format!("{} ({})", error.message(), error.code())) } else { error.into() }
}

/// Returns the name of the company that writes, and the number if it is still one of its customers or members.
async fn reach(tx: &Tx, company_id: CompanyId, number: &str) -> Result<(String, String), Failure> {
    let mut sql = Sql::new("select c.name, app.own_number(c.id, ");
    sql.bind(number).text("::text) as number from public.companies c where c.id = ").bind(company_id).text("::uuid");
    let row = tx.query_one(sql).await?;
    let Some(number) = row.try_get::<_, Option<String>>("number").map_err(Error::internal)? else {
        return Err(Failure::never("The number is of no customer or member of the company. (recipient_unknown)"));
    };
    Ok((row.try_get("name").map_err(Error::internal)?, number))
}
