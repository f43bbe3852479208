//! What the change feed tells: messages that SQL sent, progress of tasks and files, and who is somebody else from now on.
//!
//! Invariant: each server hears the feed itself, so that nothing of it is told to the others. Where changes were lost, channels that live of
//! them are told, and callers are looked at anew.

use kernel::{Change, ChangeKind, ChangeListener, FeedEvent, GapCause};
use serde_json::{Map, Value};
use uuid::Uuid;

use crate::Realtime;
use crate::caller::Touched;
use crate::told::{Content, Told, Topic};
use crate::wire::NAME_BYTES_MAX;

/// Tables whose rows say who somebody is or what he may: the table, and the column that says of whom.
const CALLERS: &[(&str, &str, &str, Of)] = &[
    ("public", "team_members", "user_id", Of::User),
    ("auth", "sessions", "id", Of::Session),
    ("auth", "users", "id", Of::User),
    ("public", "companies", "id", Of::Company),
    ("public", "api_keys", "id", Of::Pass),
    ("public", "public_links", "id", Of::Pass),
    ("auth", "portal_sessions", "id", Of::Pass),
];

/// Tables whose rows tell how far something is: the table, how the channel's name begins, and what is told.
const PROGRESS: &[(&str, &str, &str, &[&str])] = &[
    ("app", "tasks", "task", &["id", "kind", "state", "attempt", "progress_percent", "progress_message"]),
    ("app", "done_tasks", "task", &["id", "kind", "outcome", "attempt", "progress_percent", "progress_message", "finished_at"]),
    ("app", "dead_tasks", "task", &["id", "kind", "attempt", "progress_percent", "progress_message", "finished_at"]),
    (
        "public",
        "data_imports",
        "import",
        &["id", "status", "rows_read", "rows_created", "rows_updated", "rows_failed", "rows_undone", "task_id", "finished_at"],
    ),
    ("public", "data_exports", "export", &["id", "status", "rows_done", "bytes", "error_code", "error_message", "finished_at"]),
];

/// What a column names.
#[derive(Clone, Copy)]
enum Of {
    User,
    Session,
    Company,
    Pass,
    Passes,
}

/// Whoever hears it.
pub(crate) struct Listener {
    realtime: Realtime,
}

impl Listener {
    pub(crate) fn new(realtime: Realtime) -> Self {
        Self { realtime }
    }

    /// Channels that live of the feed are told that something of it did not come.
    fn resync(&self) {
        self.realtime.0.hub.resync("change_feed", |topic| topic.is_private);
    }

    fn change(&self, change: &Change) {
        let (schema, name) = (&*change.table.schema, &*change.table.name);
        if (schema, name) == ("realtime", "messages") {
            if change.kind == ChangeKind::Insert {
                self.message(change);
            }
            return;
        }
        if is_behind_passes(change) {
            self.caller(change, "company_id", Of::Passes);
        }
        if let Some((.., column, of)) = CALLERS.iter().find(|(of_schema, of_name, ..)| (*of_schema, *of_name) == (schema, name)) {
            self.caller(change, column, *of);
        } else if let Some((.., prefix, columns)) =
            PROGRESS.iter().find(|(of_schema, of_name, ..)| (*of_schema, *of_name) == (schema, name))
        {
            self.progress(change, prefix, columns);
        }
    }

    /// A message that SQL sent.
    fn message(&self, change: &Change) {
        let value = |name: &str| change.value(name);
        // Without an event it was only tried whether somebody may.
        let id = value("id").and_then(|id| id.parse().ok());
        let (Some(topic), Some(event), Some(id)) = (value("topic"), value("event"), id) else { return };
        if value("extension") != Some("broadcast") {
            return;
        }
        let topic = Topic { is_private: value("private") == Some("t"), name: topic.into() };
        if !self.realtime.0.hub.is_there(&topic) || event.len() > NAME_BYTES_MAX {
            return;
        }
        let content = match (value("payload"), value("binary_payload")) {
            (Some(json), _) => Content::Json(json.into()),
            (None, Some(hex)) => match bytes(hex) {
                Some(bytes) => Content::Bytes(bytes.into()),
                None => return,
            },
            (None, None) => return,
        };
        let told = Told::kept(topic, event, content, (id, false));
        self.realtime.0.hub.tell(&told, None);
    }

    fn caller(&self, change: &Change, column: &str, of: Of) {
        for value in [change.value(column), change.old_value(column)].into_iter().flatten() {
            let Ok(id) = value.parse::<Uuid>() else { continue };
            let touched = match of {
                Of::User => Touched::User(id),
                Of::Session => Touched::Session(id),
                Of::Company => Touched::Company(id),
                Of::Pass => Touched::Pass(id),
                Of::Passes => Touched::Passes(id),
            };
            self.realtime.touch(&touched);
        }
    }

    /// How far a task or a file is.
    fn progress(&self, change: &Change, prefix: &str, columns: &[&str]) {
        // A task that is over is a row of another table from then on.
        if change.kind == ChangeKind::Delete {
            return;
        }
        let Some(id) = change.value("id") else { return };
        let topic = Topic { is_private: true, name: format!("{prefix}:{id}").into() };
        if !self.realtime.0.hub.is_there(&topic) {
            return;
        }
        let mut told = Map::new();
        for column in columns {
            told.insert((*column).to_owned(), change.value(column).map_or(Value::Null, plain));
        }
        if &*change.table.name == "dead_tasks" {
            told.insert("outcome".to_owned(), "failed".into());
        }
        let content = Content::Json(Value::Object(told).to_string().into());
        self.realtime.0.hub.tell(&Told::broadcast(topic, "progress", content, ""), None);
    }
}

impl ChangeListener for Listener {
    fn hear(&self, event: &FeedEvent) {
        match event {
            FeedEvent::Committed(rows) => rows.changes.iter().for_each(|change| self.change(change)),
            FeedEvent::Gap(cause) => {
                // What comes while the feed is away is missed, too: that is said when it is there again.
                if matches!(cause, GapCause::Disconnected | GapCause::TablesChanged) {
                    self.resync();
                }
                self.realtime.touch(&Touched::Everybody);
            }
            // What changed before the first word may have been missed.
            FeedEvent::Opened { .. } => {
                self.resync();
                self.realtime.0.hub.ready();
                self.realtime.touch(&Touched::Everybody);
            }
            FeedEvent::Beat(sent) => {
                metrics::gauge!("realtime_feed_lag_seconds").set(sent.elapsed().as_secs_f64());
            }
        }
    }
}

/// Tells whether a change may be about whoever shows a pass of its company: a key holds no more than its maker, whose member row names no
/// key, and a customer who may not come in any more has sessions and links. Of customers there are many, and few of them are such.
fn is_behind_passes(change: &Change) -> bool {
    match (&*change.table.schema, &*change.table.name) {
        ("public", "team_members") => true,
        ("public", "customers") => {
            let (value, is_in) = (|name: &str| change.value(name), ["active", "inactive"]);
            change.kind == ChangeKind::Delete
                || value("portal_enabled") == Some("f")
                || value("status").is_some_and(|status| !is_in.contains(&status))
                || value("deleted_at").or(value("archived_at")).is_some()
        }
        _ => false,
    }
}

/// A number is told as a number.
fn plain(text: &str) -> Value {
    text.parse::<i64>().map_or_else(|_not_one| Value::from(text), Value::from)
}

/// Reads bytes as PostgreSQL writes them.
fn bytes(hex: &str) -> Option<Vec<u8>> {
    let digits = hex.strip_prefix("\\x")?.as_bytes();
    let digit = |letter: u8| char::from(letter).to_digit(16).and_then(|digit| u8::try_from(digit).ok());
    digits.chunks(2).map(|pair| Some(digit(*pair.first()?)? << 4 | digit(*pair.get(1)?)?)).collect()
}

#[cfg(test)]
mod tests {
    use super::bytes;

    #[test]
    fn bytes_are_read_as_postgresql_writes_them() {
        assert_eq!(bytes("\\x00ff10"), Some(vec![0, 255, 16]));
        assert_eq!((bytes("\\x"), bytes("00"), bytes("\\x0"), bytes("\\x0g")), (Some(vec![]), None, None, None));
    }
}
