//! Messages, timeline, audit, webhooks, notifications, files, links, chats.

use serde_json::Value;

use crate::attempt::Outcome;
use crate::expectation::{Standing, Verb};
use crate::matrix::Expected;

/// Returns the rule that refuses to add, change or delete a row that is within reach.
pub(super) fn refusal(_who: &Standing, table: &str, verb: Verb, _row: &Value) -> Option<Expected> {
    // Every bucket here has a file, and all bytes are a version's.
    (matches!(table, "storage.buckets" | "app.blobs") && verb == Verb::Delete).then_some(Expected::Refused(Outcome::Key))
}

/// Returns the rule that speaks before any wall: what is asked for is refused whatever row it stands in.
pub(super) fn refusal_before_walls(_who: &Standing, _table: &str, _row: &Value) -> Option<Expected> {
    None
}

/// Returns the rule that speaks before the key when a column of a row within reach is pointed elsewhere.
pub(super) fn refusal_to_point(_who: &Standing, table: &str, column: &str, row: &Value) -> Option<Expected> {
    // The file of something has the job of that, whatever job is named beside it.
    let is_file = matches!(table, "public.attachments" | "public.file_storage");
    (is_file && column == "job_id" && row["entity_type"].is_string()).then_some(Expected::Passed)
}
