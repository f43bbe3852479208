//! `bulk_email`: one letter to each of many customers.
//!
//! Invariant: a customer gets it once: letters go into the outbox together with the mark that says up to whom all is done. Whoever must not be
//! written to is not, and no address is written to twice. Every letter has a topic, and in it a link by which whoever gets it refuses that.

use std::collections::HashSet;
use std::sync::Arc;
use std::time::Duration;

use data_api::Selection;
use kernel::{Capability, Demand, Error, Kind as ErrorKind, Result};
use outbound::{Channel, Dispatch, Dispatched, Message, To};
use postgres::{Access, Sql, Tx};
use queue::{Failure, Field, FieldType, Kind, Rules, Running};
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};
use uuid::Uuid;

use crate::Transfers;
use crate::failing::{failure, stopped};

/// Letters that go into the outbox at once.
const BATCH: usize = 50;
/// After how long it goes on when the company has written too much in this hour, or too much waits to be sent.
const LATER: Duration = Duration::from_mins(10);
/// What a letter is about that does not say it.
const TOPIC: &str = "news";

struct Writing;
impl Capability for Writing {
    const DEMAND: Demand = Demand::Permission("communications:create");
}

/// A letter to many customers.
#[derive(Clone, Debug)]
pub struct BulkEmail(pub Transfers);

/// To whom, and what.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Letter {
    /// Which customers, as the query string of the data API has it.
    filter: Option<String>,
    /// Or these.
    customer_ids: Option<Vec<Uuid>>,
    subject: String,
    text: String,
    /// What it is about, which whoever gets it may refuse.
    topic: Option<String>,
}

/// How far it is.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
#[serde(default)]
struct Mark {
    last: Option<Uuid>,
    sent: u64,
    suppressed: u64,
    without_address: u64,
}

#[derive(Deserialize)]
struct Customer {
    id: Uuid,
    email: Option<String>,
}

/// Why a batch ended.
enum Ended {
    All,
    /// The hour is full.
    Later,
}

impl Kind for BulkEmail {
    const NAME: &'static str = "bulk_email";
    type Payload = Letter;

    fn rules(&self) -> Rules {
        const FIELDS: &[Field] = &[
            Field { name: "filter", field_type: FieldType::Text(20_000), is_required: false },
            Field { name: "customer_ids", field_type: FieldType::List, is_required: false },
            Field { name: "subject", field_type: FieldType::Text(200), is_required: true },
            Field { name: "text", field_type: FieldType::Text(20_000), is_required: true },
            Field { name: "topic", field_type: FieldType::Text(60), is_required: false },
        ];
        Rules {
            permission: Some("communications:create"),
            runs_as_caller: true,
            fields: FIELDS,
            priority: -5,
            timeout: Duration::from_hours(1),
            running_per_company_max: Some(1),
            ..Rules::default()
        }
    }

    async fn run(&self, task: Arc<Running>, letter: Letter) -> Result<Value, Failure> {
        if !self.0.outbound().sends(Channel::Mail) {
            return Err(Failure::never("this installation has no way out for it"));
        }
        let mut mark: Mark = task.marked().and_then(|mark| serde_json::from_value(mark.clone()).ok()).unwrap_or_default();
        let ended = Box::pin(self.write(&task, &letter, &mut mark)).await;
        self.0.outbound().wake();
        match ended {
            Ok(Ended::All) => Ok(json!({ "sent": mark.sent, "suppressed": mark.suppressed, "without_address": mark.without_address })),
            Ok(Ended::Later) => Err(Failure::not_yet(LATER)),
            Err(error) if error.code() == "outbox_full" => Err(Failure::not_yet(LATER)),
            Err(error) => Err(failure(error)),
        }
    }
}

impl BulkEmail {
    async fn write(&self, task: &Running, letter: &Letter, mark: &mut Mark) -> Result<Ended> {
        let customers = self.customers(task, letter).await?;
        // Of two customers with one address the first is written to.
        let mut seen: HashSet<String> = HashSet::new();
        let mut batch: Vec<(Uuid, Option<String>)> = vec![];
        for customer in customers {
            let address = customer.email.map(|email| email.trim().to_lowercase()).filter(|email| !email.is_empty());
            let is_first = address.as_ref().is_none_or(|address| seen.insert(address.clone()));
            if mark.last.is_none_or(|last| customer.id > last) {
                batch.push((customer.id, address.filter(|_| is_first)));
            }
        }
        let count = batch.len();
        for (number, part) in batch.chunks(BATCH).enumerate() {
            if task.stop().is_cancelled() {
                return Err(stopped());
            }
            if let Ended::Later = self.batch(task, letter, part, mark).await? {
                return Ok(Ended::Later);
            }
            // What an attempt before this one wrote is not in the batch.
            let percent = number.saturating_add(1).saturating_mul(BATCH).saturating_mul(100).checked_div(count).unwrap_or(99).min(99);
            task.progress(u8::try_from(percent).unwrap_or(99), &format!("{} letters", mark.sent)).await?;
        }
        Ok(Ended::All)
    }

    /// Reads whom it is for, as whoever writes.
    async fn customers(&self, task: &Running, letter: &Letter) -> Result<Vec<Customer>> {
        let customers_max = self.0.config().bulk_mails_max;
        let filter = match (&letter.filter, &letter.customer_ids) {
            (Some(filter), None) if !filter.trim().is_empty() => filter.clone(),
            (None, Some(ids)) if !ids.is_empty() && ids.len() <= customers_max => {
                let ids: Vec<String> = ids.iter().map(Uuid::to_string).collect();
                format!("id=in.({})", ids.join(","))
            }
            _ => {
                let message = format!("A letter to many says a filter on customers, or one to {customers_max} customer_ids");
                return Err(Error::new(ErrorKind::BadRequest, "recipients_invalid", message));
            }
        };
        let tx = task.begin_as_asker::<Writing>(Access::Read).await?;
        tx.query(Sql::new("select app.demand('communications:create'), app.demand('customers:read')")).await?;
        tx.rollback().await?;
        let grant = task.grant_of_asker::<Writing>()?.needing_company();
        let columns = ["id", "email"].map(str::to_owned);
        let selection = Selection { table: "customers", columns: &columns, filter: &filter };
        let mut rows = self.0.data_api().json_rows(&grant, selection, self.0.statement_time()).await?;
        let mut customers: Vec<Customer> = vec![];
        while let Some(came) = rows.next().await? {
            for row in came {
                customers.push(serde_json::from_slice(&row).map_err(Error::internal)?);
            }
            if customers.len() > customers_max {
                let message = format!("One letter goes to at most {customers_max} customers");
                return Err(Error::new(ErrorKind::TooLarge, "bulk_too_large", message));
            }
        }
        Ok(customers)
    }

    async fn batch(&self, task: &Running, letter: &Letter, part: &[(Uuid, Option<String>)], mark: &mut Mark) -> Result<Ended> {
        let tx = task.begin("writes letters to many").await?;
        let (sender_name, refused) = about(&tx, part).await?;
        let message =
            Message { sender_name, subject: letter.subject.clone(), text: letter.text.clone(), html: String::new(), payload: None };
        let seal = self.0.auth().seal()?;
        let mut next = mark.clone();
        let mut ended = Ended::All;
        for (id, address) in part {
            if refused.contains(id) {
                next.suppressed = next.suppressed.saturating_add(1);
            } else if let Some(address) = address {
                let dispatch = Dispatch {
                    company_id: task.company_id(),
                    channel: Channel::Mail,
                    purpose: "bulk",
                    to: To::Address(address),
                    topic: Some(letter.topic.as_deref().unwrap_or(TOPIC)),
                    message: &message,
                    push: None,
                };
                match self.0.outbound().dispatch(&tx, &seal, dispatch).await? {
                    Dispatched::Taken(_) => next.sent = next.sent.saturating_add(1),
                    Dispatched::Suppressed(_) => next.suppressed = next.suppressed.saturating_add(1),
                    Dispatched::Unreachable => next.without_address = next.without_address.saturating_add(1),
                    Dispatched::TooMany => {
                        ended = Ended::Later;
                        break;
                    }
                }
            } else {
                next.without_address = next.without_address.saturating_add(1);
            }
            next.last = Some(*id);
        }
        task.mark(&tx, &serde_json::to_value(&next).map_err(Error::internal)?).await?;
        tx.commit().await?;
        *mark = next;
        Ok(ended)
    }
}

/// Returns the name of the company, and which of these customers took back that they agreed to letters.
async fn about(tx: &Tx, part: &[(Uuid, Option<String>)]) -> Result<(String, HashSet<Uuid>)> {
    let customers: Vec<Uuid> = part.iter().map(|(id, _)| *id).collect();
    let mut sql = Sql::new("select c.name, coalesce((select jsonb_agg(g.id) from jsonb_array_elements_text(");
    sql.bind(json!(customers)).text("::jsonb) g (id) where app.has_refused(c.id, g.id::uuid, 'marketing_email')), '[]') as refused");
    sql.text(" from public.companies c where c.id = app.company_id()");
    let row = tx.query_one(sql).await?;
    let refused: Value = row.try_get("refused").map_err(Error::internal)?;
    let refused = refused.as_array().into_iter().flatten().filter_map(|id| id.as_str()?.parse().ok()).collect();
    Ok((row.try_get("name").map_err(Error::internal)?, refused))
}
