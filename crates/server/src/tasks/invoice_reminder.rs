//! A customer reminded of an invoice that is overdue.
//!
//! Invariant: at most once in 24 hours, held by the database: the right to remind is taken in the transaction that writes the mail and ends
//! the task.

use std::sync::Arc;

use kernel::{Error, shown_amount};
use outbound::Channel;
use postgres::{Row, RowError, Sql};
use queue::{Failure, Kind, Rules, Running};
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};
use uuid::Uuid;

use super::letters::{self, Letter};
use super::send_message::Desk;

/// Reminds of one invoice.
#[derive(Clone, Debug)]
pub(crate) struct InvoiceReminder(pub(crate) Desk);

/// Which one.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(crate) struct Reminded {
    invoice_id: Uuid,
}

/// What the mail says.
struct Bill {
    email: String,
    customer: String,
    company: String,
    number: String,
    amount: String,
    due_on: String,
}

impl Kind for InvoiceReminder {
    const NAME: &'static str = "invoice_reminder";
    type Payload = Reminded;

    fn rules(&self) -> Rules {
        Rules::default()
    }

    async fn run(&self, task: Arc<Running>, reminded: Reminded) -> Result<Value, Failure> {
        let Some(company_id) = task.company_id() else { return Err(Failure::never("an invoice is of a company")) };
        if !self.0.outbound.sends(Channel::Mail) {
            return Err(Failure::never("this installation has no way out for mail"));
        }
        let tx = task.begin("reminds of an invoice").await?;
        let mut take = Sql::new(
            "select r.email, r.customer_name, r.company_name, r.invoice_number, r.currency, r.amount, r.due_on::text as due_on
               from app.take_invoice_reminder(",
        );
        take.bind(company_id).text("::uuid, ").bind(reminded.invoice_id).text("::uuid) r");
        let Some(row) = tx.query_opt(take).await? else {
            // Paid meanwhile, or reminded of a short while ago.
            return Ok(json!({ "message": "there was nothing to remind of" }));
        };
        let bill = Bill::read(&row).map_err(Error::internal)?;
        let letter = Letter {
            purpose: "invoice_reminder",
            sender_name: &bill.company,
            subject: format!("Reminder: invoice {} of {}", bill.number, bill.company),
            text: bill.text(),
        };
        letters::post(&self.0, &tx, company_id, &bill.email, &letter).await?;
        task.finish_within(&tx, json!({ "message": "reminded" })).await?;
        tx.commit().await?;
        self.0.outbound.wake();
        Ok(Value::Null)
    }
}

impl Bill {
    fn read(row: &Row) -> Result<Self, RowError> {
        let currency: String = row.try_get("currency")?;
        Ok(Self {
            email: row.try_get("email")?,
            customer: row.try_get("customer_name")?,
            company: row.try_get("company_name")?,
            number: row.try_get("invoice_number")?,
            amount: shown_amount(row.try_get("amount")?, &currency, "en"),
            due_on: row.try_get("due_on")?,
        })
    }

    fn text(&self) -> String {
        let Self { customer, company, number, amount, due_on, .. } = self;
        format!(
            "Dear {customer},\n\ninvoice {number} was due on {due_on}. {amount} of it is still to be paid.\n\nIf you have paid it in the \
             meantime, thank you, and please disregard this message.\n\n{company}\n"
        )
    }
}
