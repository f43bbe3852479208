//! Rules of the business that refuse what the permission alone would allow, by hand: who may do it all the same meets this.
//!
//! Invariant: only rules that are written in the documents of the product stand here; a refusal that does not is a finding.

mod money;
mod people;
mod platform;
mod price_book;
mod work;

use serde_json::Value;

use crate::expectation::{Standing, Verb};
use crate::matrix::Expected;

/// Returns the rule that refuses to add, change or delete a row that is within reach.
pub(crate) fn refusal(who: &Standing, table: &str, verb: Verb, row: &Value) -> Option<Expected> {
    // What may be marked as deleted is kept for a while; of a customer who owes something that is told first.
    if verb == Verb::Delete && !money::owes(table, row) && row.get("permanent_delete_scheduled_at").is_some() && table != "public.companies"
    {
        return Some(Expected::Rule("permanent_deletion_early"));
    }
    let areas = [people::refusal, work::refusal, price_book::refusal, money::refusal, platform::refusal];
    areas.iter().find_map(|area| area(who, table, verb, row))
}

/// Returns the rule that speaks before any wall: what is asked for is refused whatever row it stands in.
pub(crate) fn refusal_before_walls(who: &Standing, table: &str, row: &Value) -> Option<Expected> {
    let areas = [
        people::refusal_before_walls,
        work::refusal_before_walls,
        price_book::refusal_before_walls,
        money::refusal_before_walls,
        platform::refusal_before_walls,
    ];
    areas.iter().find_map(|area| area(who, table, row))
}

/// Returns the rule that speaks before the key when a column of a row within reach is pointed elsewhere.
pub(crate) fn refusal_to_point(who: &Standing, table: &str, column: &str, row: &Value) -> Option<Expected> {
    let areas = [
        people::refusal_to_point,
        work::refusal_to_point,
        price_book::refusal_to_point,
        money::refusal_to_point,
        platform::refusal_to_point,
    ];
    areas.iter().find_map(|area| area(who, table, column, row))
}

/// Tells what keeps a row of a customer's from him: it is deleted, or nobody showed it to him yet.
pub(crate) fn not_shown_yet(table: &str, row: &Value) -> bool {
    let is = |column: &str, values: &[&str]| values.iter().any(|value| row[column] == *value);
    let is_kept = match table {
        "public.estimates" | "public.contracts" => is("status", &["draft", "archived"]),
        "public.invoices" => is("status", &["draft"]),
        "public.communications" => {
            let is_on_its_way = is("status", &["draft", "queued", "scheduled", "sending", "failed"]);
            is_on_its_way || row["is_internal"] == true || is("type", &["note"])
        }
        "public.attachments" => row["is_internal"] == true,
        "public.file_storage" => row["is_public"] != true,
        _ => false,
    };
    is_kept || row["deleted_at"].is_string()
}

/// Tells whether what a new row is pointed at by this column counts for nothing: a trigger writes there what is so.
pub(crate) fn is_pointer_overwritten(table: &str, column: &str) -> bool {
    match table {
        "public.absences" => column == "decided_by",
        "public.attachments" | "public.notes" => column == "job_id",
        "public.payments" => column == "reconciled_by",
        "public.purchase_orders" | "public.time_entries" => column == "approved_by",
        "public.schedules" => column == "cancelled_by",
        _ => false,
    }
}
