//! A channel that a socket has joined, and what a join asks for.
//!
//! Invariant: what a client asks for is read once; what cannot be meant is refused with the field's name.

use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::Duration;

use serde_json::{Map, Value};
use tokio::time::Instant;

use super::watching::Watching;
use crate::caller::Caller;
use crate::changes::{Position, Sort, Wanted};
use crate::hub::MemberId;
use crate::rights::Rights;
use crate::told::Topic;
use crate::wire::Ref;

/// Bindings to changed rows that one channel may have.
const WANTED_MAX: usize = 100;
/// Bytes of a key of presence.
const KEY_BYTES_MAX: usize = 255;

/// Numbers of bindings, which are never 0.
static NEXT_BINDING: AtomicU32 = AtomicU32::new(1);

/// A channel of a socket.
pub(super) struct Channel {
    pub(super) topic: Topic,
    pub(super) join_ref: Ref,
    pub(super) member: MemberId,
    pub(super) caller: Arc<Caller>,
    pub(super) rights: Rights,
    /// When he was asked for last.
    pub(super) asked: Instant,
    pub(super) acknowledges: bool,
    pub(super) presence_key: Box<str>,
    pub(super) hears_presence: bool,
    pub(super) calls: Calls,
    pub(super) watching: Option<Watching>,
}

/// Calls of presence in the running window.
pub(super) struct Calls {
    since: Instant,
    count: u32,
}

/// What a join asks for.
#[derive(Debug, Default)]
#[expect(clippy::struct_excessive_bools, reason = "they are the wire's switches, each for itself")]
pub(super) struct Asked {
    pub(super) is_private: bool,
    pub(super) acknowledges: bool,
    pub(super) hears_itself: bool,
    pub(super) replay: Option<(i64, u32)>,
    pub(super) says_ready: bool,
    pub(super) presence_key: String,
    pub(super) wants_presence: bool,
    pub(super) wanted: Vec<(u64, Wanted)>,
    pub(super) since: Option<Position>,
    /// The bindings as they were asked for, with their numbers.
    pub(super) bindings: Vec<Value>,
    pub(super) token: Option<String>,
}

impl Calls {
    pub(super) fn new() -> Self {
        Self { since: Instant::now(), count: 0 }
    }

    /// Counts one; tells whether it is within the limit.
    pub(super) fn count(&mut self, max: u32, window: Duration) -> bool {
        if self.since.elapsed() >= window {
            *self = Self::new();
        }
        self.count = self.count.saturating_add(1);
        self.count <= max
    }
}

impl Asked {
    /// Reads the payload of a join.
    pub(super) fn read(payload: &str) -> Result<Self, String> {
        let payload: Value = serde_json::from_str(payload).map_err(|error| format!("The payload cannot be read: {error}"))?;
        let empty = Value::Object(Map::new());
        let config = payload.get("config").filter(|config| config.is_object()).unwrap_or(&empty);
        let (broadcast, presence) = (config.get("broadcast"), config.get("presence"));
        let part = |of: Option<&Value>, name: &str| of.and_then(|of| of.get(name)).cloned().unwrap_or(Value::Null);
        let token = ["access_token", "user_token"].into_iter().find_map(|name| payload.get(name)?.as_str());
        let mut asked = Self {
            is_private: is_true(config.get("private").unwrap_or(&Value::Null)),
            acknowledges: is_true(&part(broadcast, "ack")),
            hears_itself: is_true(&part(broadcast, "self")),
            says_ready: is_true(&part(broadcast, "replication_ready")),
            replay: replay(&part(broadcast, "replay"))?,
            presence_key: part(presence, "key").as_str().unwrap_or_default().to_owned(),
            wants_presence: is_true(&part(presence, "enabled")),
            since: config.get("since").and_then(Value::as_str).map(position),
            token: token.filter(|token| !token.is_empty()).map(str::to_owned),
            ..Self::default()
        };
        if asked.presence_key.len() > KEY_BYTES_MAX {
            return Err(format!("presence.key has at most {KEY_BYTES_MAX} bytes"));
        }
        match config.get("postgres_changes") {
            None | Some(Value::Null) => {}
            Some(Value::Array(bindings)) if bindings.len() <= WANTED_MAX => asked.want(bindings)?,
            Some(Value::Array(_)) => return Err(format!("postgres_changes has at most {WANTED_MAX} bindings")),
            Some(_) => return Err("postgres_changes is a list".to_owned()),
        }
        Ok(asked)
    }

    fn want(&mut self, bindings: &[Value]) -> Result<(), String> {
        for binding in bindings {
            let Value::Object(fields) = binding else { return Err("each of postgres_changes is an object".to_owned()) };
            let number = u64::from(NEXT_BINDING.fetch_add(1, Ordering::Relaxed).max(1));
            self.wanted.push((number, wanted(fields)?));
            if let Some(since) = fields.get("since").and_then(Value::as_str) {
                self.since.get_or_insert_with(|| position(since));
            }
            let mut told = Map::new();
            told.insert("id".to_owned(), number.into());
            told.extend(fields.iter().filter(|(name, _)| *name != "id").map(|(name, value)| (name.clone(), value.clone())));
            self.bindings.push(Value::Object(told));
        }
        Ok(())
    }
}

/// Reads what of which table somebody wants to hear.
pub(crate) fn wanted(fields: &Map<String, Value>) -> Result<Wanted, String> {
    let text = |name: &str| match fields.get(name) {
        None | Some(Value::Null) => Ok(None),
        Some(Value::String(text)) if text.is_empty() => Ok(None),
        Some(Value::String(text)) => Ok(Some(text.clone())),
        Some(_) => Err(format!("postgres_changes.{name} is a text")),
    };
    let event = match text("event")?.as_deref().unwrap_or("*") {
        "*" => Sort::All,
        "INSERT" => Sort::Insert,
        "UPDATE" => Sort::Update,
        "DELETE" => Sort::Delete,
        _ => return Err("postgres_changes.event is *, INSERT, UPDATE or DELETE".to_owned()),
    };
    let select = match fields.get("select") {
        None | Some(Value::Null) => None,
        Some(Value::String(list)) => Some(list.split(',').map(|name| name.trim().to_owned()).collect()),
        Some(Value::Array(list)) => {
            let names: Option<Vec<String>> = list.iter().map(|name| name.as_str().map(str::to_owned)).collect();
            Some(names.ok_or("postgres_changes.select is a list of columns")?)
        }
        Some(_) => return Err("postgres_changes.select is a list of columns".to_owned()),
    };
    let table = text("table")?.filter(|table| table != "*");
    Ok(Wanted { event, schema: text("schema")?.unwrap_or_else(|| "public".to_owned()), table, filter: text("filter")?, select })
}

fn position(text: &str) -> Position {
    Position(text.into())
}

fn replay(asked: &Value) -> Result<Option<(i64, u32)>, String> {
    if asked.is_null() {
        return Ok(None);
    }
    let since = asked.get("since").and_then(Value::as_i64).ok_or("broadcast.replay.since is a time in milliseconds")?;
    let limit = match asked.get("limit") {
        None | Some(Value::Null) => 25,
        Some(limit) => limit.as_u64().and_then(|limit| u32::try_from(limit).ok()).ok_or("broadcast.replay.limit is a number")?,
    };
    Ok(Some((since, limit)))
}

fn is_true(value: &Value) -> bool {
    matches!(value, Value::Bool(true)) || value.as_str() == Some("true")
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn bindings_come_back_as_they_were_asked_for() {
        let bindings = json!([
            { "event": "INSERT", "schema": "public", "table": "jobs", "filter": "status=eq.open" },
            { "event": "*", "schema": "public" },
        ]);
        let payload = json!({ "config": { "private": "true", "broadcast": { "ack": true }, "postgres_changes": bindings } });
        let asked = Asked::read(&payload.to_string()).unwrap();
        assert!(asked.is_private && asked.acknowledges && !asked.hears_itself);
        for (told, wanted) in asked.bindings.iter().zip(bindings.as_array().unwrap()) {
            let mut told = told.clone();
            assert!(told.as_object_mut().unwrap().remove("id").unwrap().as_u64().unwrap() > 0);
            assert_eq!(told, *wanted);
        }
        let first = &asked.wanted[0].1;
        assert_eq!((first.event, first.table.as_deref(), first.filter.as_deref()), (Sort::Insert, Some("jobs"), Some("status=eq.open")));
        assert_eq!((asked.wanted[1].1.table.as_deref(), asked.wanted[1].1.event), (None, Sort::All));
    }

    #[test]
    fn what_cannot_be_meant_is_refused_with_its_name() {
        for (config, field) in [
            (json!({ "postgres_changes": {} }), "postgres_changes"),
            (json!({ "postgres_changes": [{ "event": "TRUNCATE" }] }), "postgres_changes.event"),
            (json!({ "postgres_changes": [{ "table": 7 }] }), "postgres_changes.table"),
            (json!({ "postgres_changes": [{ "select": [1] }] }), "postgres_changes.select"),
            (json!({ "broadcast": { "replay": {} } }), "broadcast.replay.since"),
            (json!({ "presence": { "key": "x".repeat(256) } }), "presence.key"),
        ] {
            let refused = Asked::read(&json!({ "config": config }).to_string()).unwrap_err();
            assert!(refused.contains(field), "{refused}");
        }
        assert!(Asked::read("null").is_ok() && Asked::read("{}").is_ok());
    }

    #[tokio::test(start_paused = true)]
    async fn calls_are_counted_by_the_window() {
        let (mut calls, window) = (Calls::new(), Duration::from_secs(30));
        assert!(calls.count(2, window) && calls.count(2, window) && !calls.count(2, window));
        tokio::time::advance(window).await;
        assert!(calls.count(2, window));
    }
}
