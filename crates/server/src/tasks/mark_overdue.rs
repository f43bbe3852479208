//! Invoices become overdue when their due date is past.

use std::sync::Arc;

use queue::{Failure, Kind, Rules, Running};
use serde_json::Value;

use super::batches::{self, Nothing};

/// Marks invoices as overdue.
#[derive(Clone, Copy, Debug)]
pub(crate) struct MarkOverdueInvoices;

impl Kind for MarkOverdueInvoices {
    const NAME: &'static str = "mark_overdue_invoices";
    type Payload = Nothing;

    fn rules(&self) -> Rules {
        batches::rules()
    }

    async fn run(&self, task: Arc<Running>, _: Nothing) -> Result<Value, Failure> {
        batches::all(&task, "marks invoices as overdue", "app.mark_overdue_invoices", 500).await
    }
}
