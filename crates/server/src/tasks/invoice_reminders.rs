//! Which invoices want a reminder; each is a task of its own, `invoice_reminder`.

use std::sync::Arc;

use queue::{Failure, Kind, Rules, Running};
use serde_json::Value;

use super::batches::{self, Nothing};

/// Puts in reminders.
#[derive(Clone, Copy, Debug)]
pub(crate) struct InvoiceReminders;

impl Kind for InvoiceReminders {
    const NAME: &'static str = "invoice_reminders";
    type Payload = Nothing;

    fn rules(&self) -> Rules {
        batches::rules()
    }

    async fn run(&self, task: Arc<Running>, _: Nothing) -> Result<Value, Failure> {
        batches::all(&task, "puts in reminders of invoices", "app.put_invoice_reminders", 1000).await
    }
}
