//! Companies, members, customers, properties and jobs.

use serde_json::Value;

use crate::attempt::Outcome;
use crate::expectation::{Standing, Verb};
use crate::matrix::Expected;

/// Returns the rule that refuses to add, change or delete a row that is within reach.
pub(super) fn refusal(who: &Standing, table: &str, verb: Verb, row: &Value) -> Option<Expected> {
    let is = |column: &str, value: &str| row[column] == value;
    match (table, verb) {
        // A company is never without its owner, also not by the service.
        ("public.team_members", Verb::Delete) if is("role", "owner") => Some(Expected::Rule("owner_protected")),
        // His account cannot go before the company has another.
        ("auth.users" | "public.users", Verb::Delete) if is_an_owner(row) => Some(Expected::Refused(Outcome::Key)),
        // Nor that of somebody whose data has to stay.
        ("auth.users", Verb::Delete) if is_held(row) => Some(Expected::Rule("person_held")),
        ("public.team_members", Verb::Delete) if is_himself(who, row) => Some(Expected::Rule("own_membership")),
        ("public.team_members", Verb::Update) => outranks(who, row).then_some(Expected::Rule("member_outranks")),
        // A department in use stays.
        ("public.departments", Verb::Delete) if is("name", "Office") => Some(Expected::Refused(Outcome::Key)),
        // The public side of an account follows the account.
        ("public.users", Verb::Create) => Some(Expected::Refused(Outcome::Key)),
        // One owner a company.
        ("public.team_members", Verb::Create) if is("role", "owner") => Some(Expected::Refused(Outcome::Unique)),
        _ => None,
    }
}

/// Returns the rule that speaks before any wall: what is asked for is refused whatever row it stands in.
pub(super) fn refusal_before_walls(who: &Standing, table: &str, row: &Value) -> Option<Expected> {
    let gives = row["permissions"].as_object().is_some_and(|permissions| !permissions.is_empty());
    match (table, who) {
        ("public.custom_roles", Standing::Member { role, .. }) if ["owner", "admin"].contains(&role.as_str()) => None,
        // Nobody gives away what he does not hold.
        ("public.custom_roles", Standing::Member { .. } | Standing::Alone { .. }) if gives => Some(Expected::Rule("permission_escalation")),
        _ => None,
    }
}

/// Returns the rule that speaks before the key when a column of a row within reach is pointed elsewhere.
pub(super) fn refusal_to_point(who: &Standing, table: &str, column: &str, row: &Value) -> Option<Expected> {
    let is_manager = matches!(who, Standing::Member { role, .. } if role == "manager");
    match (table, column) {
        ("public.team_members", "role_id") if is_himself(who, row) => Some(Expected::Rule("own_role_change")),
        ("public.team_members", _) if outranks(who, row) => Some(Expected::Rule("member_outranks")),
        // Managers change members, not what these may do.
        ("public.team_members", "role_id") if is_manager => Some(Expected::Rule("permission_denied")),
        // The property of a job belongs to the job's customer, whoever that is.
        ("public.jobs", "customer_id") if !row["property_id"].is_null() => Some(Expected::Rule("property_not_of_customer")),
        ("public.legal_holds", "customer_id") => Some(Expected::Rule("hold_immutable")),
        ("public.properties", "customer_id") if has_jobs(row) => Some(Expected::Rule("property_has_jobs")),
        _ => None,
    }
}

fn has_jobs(property: &Value) -> bool {
    property["id"].as_str().is_some_and(|id| id.ends_with("701"))
}

fn is_himself(who: &Standing, row: &Value) -> bool {
    matches!(who, Standing::Member { user_id, .. } if row["user_id"] == user_id.as_str())
}

/// Owner and admins are changed by their like only.
fn outranks(who: &Standing, row: &Value) -> bool {
    let high = |role: &str| ["owner", "admin"].contains(&role);
    matches!(who, Standing::Member { role, .. } if !high(role)) && row["role"].as_str().is_some_and(high)
}

fn is_held(row: &Value) -> bool {
    row["id"].as_str().is_some_and(|id| id.ends_with("108"))
}

fn is_an_owner(row: &Value) -> bool {
    row["email"].as_str().is_some_and(|email| email.starts_with("owner."))
}
