//! Estimates, invoices, payments and contracts.

use serde_json::Value;

use crate::expectation::{PARENT, Standing, Verb};
use crate::matrix::Expected::{self, Passed, Rule};

/// Returns the rule that refuses to add, change or delete a row that is within reach.
pub(super) fn refusal(_who: &Standing, table: &str, verb: Verb, row: &Value) -> Option<Expected> {
    match (table, verb) {
        // What was issued stays, and so do its lines.
        ("public.invoice_line_items", Verb::Delete | Verb::Create) if is_issued(&row[PARENT]) => Some(Rule("invoice_issued")),
        // What the customer was sent is fixed with its lines.
        ("public.estimate_line_items", Verb::Delete | Verb::Create) if is_sent(&row[PARENT]) => Some(Rule("estimate_not_draft")),
        ("public.customers", Verb::Delete) if owes(table, row) => Some(Rule("customer_has_balance")),
        _ => None,
    }
}

/// Returns the rule that speaks before any wall: what is asked for is refused whatever row it stands in.
pub(super) fn refusal_before_walls(who: &Standing, table: &str, row: &Value) -> Option<Expected> {
    let is_colleague = matches!(who, Standing::Member { company_id, .. } if row["company_id"] == company_id.as_str());
    match table {
        // A new invoice is a draft, and what is paid of it is computed: for imports, too.
        "public.invoices" if is_colleague && is_issued(row) => Some(Rule("invoice_transition_invalid")),
        "public.invoices" if *who == Standing::Service && is_settled(row) => Some(Rule("invoice_figures_computed")),
        // Nor is a new estimate or contract sent already.
        "public.estimates" if is_colleague && is_sent(row) => Some(Rule("estimate_transition_invalid")),
        "public.contracts" if is_colleague && is_sent(row) => Some(Rule("contract_transition_invalid")),
        "public.credit_notes" if is_colleague => Some(Rule("credit_note_number_given")),
        "public.customers" if is_colleague && has_figures(row) => Some(Rule("customer_figures_computed")),
        _ => None,
    }
}

/// Returns the rule that speaks before the key when a column of a row within reach is pointed elsewhere.
pub(super) fn refusal_to_point(who: &Standing, table: &str, column: &str, row: &Value) -> Option<Expected> {
    match (table, column) {
        ("public.invoices", "customer_id") if is_issued(row) => Some(Rule("invoice_issued")),
        ("public.estimates", "customer_id") if is_sent(row) => Some(Rule("estimate_not_draft")),
        ("public.payments", "original_payment_id") if row["status"] == "pending" => Some(Rule("refund_original_missing")),
        ("public.payments", "customer_id" | "invoice_id" | "original_payment_id") if row["status"] == "completed" => {
            Some(Rule("payment_completed"))
        }
        // An invoice that is not seen is told of as one that is not there.
        ("public.payments", "invoice_id") if *who != Standing::Service => Some(Rule("payment_invoice_unknown")),
        // Nobody reconciled what is not reconciled.
        ("public.payments", "reconciled_by") => Some(Passed),
        _ => None,
    }
}

fn is_issued(invoice: &Value) -> bool {
    invoice["invoice_number"].is_string()
}

/// Tells whether something was paid or credited of an invoice.
fn is_settled(invoice: &Value) -> bool {
    ["paid_amount", "credited_amount"].iter().any(|figure| invoice[*figure].as_i64().is_some_and(|value| value != 0))
}

fn is_sent(document: &Value) -> bool {
    document["status"] == "sent"
}

/// Tells whether a customer has figures that are computed.
fn has_figures(customer: &Value) -> bool {
    const FIGURES: [&str; 5] = ["total_revenue", "total_jobs", "total_invoices", "average_job_value", "outstanding_balance"];
    FIGURES.iter().any(|figure| customer[*figure].as_i64().is_some_and(|value| value != 0))
}

/// Tells whether a row is a customer who owes something.
pub(super) fn owes(table: &str, row: &Value) -> bool {
    table == "public.customers" && row["outstanding_balance"].as_i64().is_some_and(|balance| balance > 0)
}
