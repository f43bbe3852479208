//! Equipment, plans, schedules, time and what else field work needs.

use serde_json::Value;

use crate::attempt::Outcome;
use crate::expectation::{Standing, Verb};
use crate::matrix::Expected;

/// Returns the rule that refuses to add, change or delete a row that is within reach.
pub(super) fn refusal(_who: &Standing, table: &str, verb: Verb, row: &Value) -> Option<Expected> {
    match (table, verb) {
        // The same person at the same time.
        ("public.schedules", Verb::Create) if !row["assigned_to"].is_null() => Some(Expected::Rule("double_booking")),
        // Who is on a job is on it once.
        ("public.job_team_assignments", Verb::Create) => Some(Expected::Refused(Outcome::Unique)),
        // A form that was filled in stays.
        ("public.form_templates", Verb::Delete) if row["name"] == "Safety" => Some(Expected::Refused(Outcome::Key)),
        _ => None,
    }
}

/// Returns the rule that speaks before any wall: what is asked for is refused whatever row it stands in.
pub(super) fn refusal_before_walls(who: &Standing, table: &str, row: &Value) -> Option<Expected> {
    let is_colleague = matches!(who, Standing::Member { company_id, .. } if row["company_id"] == company_id.as_str());
    // A new customer has no jobs, whoever's row he is like.
    let has_jobs = row["total_jobs"].as_i64().is_some_and(|jobs| jobs > 0);
    (table == "public.customers" && is_colleague && has_jobs).then_some(Expected::Rule("customer_figures_computed"))
}

/// Returns the rule that speaks before the key when a column of a row within reach is pointed elsewhere.
pub(super) fn refusal_to_point(_who: &Standing, table: &str, column: &str, row: &Value) -> Option<Expected> {
    match (table, column) {
        ("public.job_team_assignments", _) => Some(Expected::Rule("team_row_fixed")),
        ("public.schedules", "customer_id") if !row["job_id"].is_null() => Some(Expected::Rule("job_not_of_customer")),
        ("public.equipment", "customer_id") if !row["property_id"].is_null() => Some(Expected::Rule("property_not_of_customer")),
        // Written by triggers, whatever is sent.
        ("public.absences", "decided_by") | ("public.time_entries", "approved_by") | ("public.notes" | "public.attachments", "job_id") => {
            Some(Expected::Passed)
        }
        _ => None,
    }
}
