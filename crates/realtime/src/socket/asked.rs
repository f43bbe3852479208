//! What a join asks for.
//!
//! Invariant: what a client asks for is read once. What cannot be meant about a channel is refused with the field's name; what cannot be meant
//! about changed rows leaves the join as it is, and the channel is told of it.

use std::sync::atomic::{AtomicU32, Ordering};
use std::time::Duration;

use serde_json::{Map, Value};

use crate::changes::{Position, Sort, Wanted};
use crate::wire;

/// Bindings to changed rows that one channel may have.
const WANTED_MAX: usize = 100;
/// Bytes of a key of presence.
const KEY_BYTES_MAX: usize = 255;
/// Messages that are told again where it is not said how many.
const REPLAYED: u32 = 25;
/// How long an answer waits for its subscription where it is not said how long.
const WAIT: Duration = Duration::from_secs(15);

/// Numbers of bindings, which are never 0.
static NEXT_BINDING: AtomicU32 = AtomicU32::new(1);

/// What a join asks for.
#[derive(Debug, Default)]
#[expect(clippy::struct_excessive_bools, reason = "they are the wire's switches, each for itself")]
pub(super) struct Asked {
    pub(super) is_private: bool,
    pub(super) acknowledges: bool,
    pub(super) hears_itself: bool,
    /// Since when messages are told again, and how many.
    pub(super) replay: Option<(i64, u32)>,
    pub(super) says_ready: bool,
    pub(super) presence_key: String,
    pub(super) wants_presence: bool,
    pub(super) wanted: Vec<(u64, Wanted)>,
    /// The topic says what is wanted, and each change is an event of its own name.
    pub(super) is_by_topic: bool,
    pub(super) since: Option<Position>,
    /// Why changed rows cannot be told.
    pub(super) fault: Option<String>,
    /// How long the answer waits until changed rows are told.
    pub(super) wait: Option<Duration>,
    /// The bindings as they were asked for, with their numbers.
    pub(super) bindings: Vec<Value>,
    pub(super) token: Option<String>,
}

impl Asked {
    /// Reads the payload of a join of a channel.
    pub(super) fn read(payload: &str, name: &str) -> Result<Self, String> {
        let payload: Value = serde_json::from_str(payload).map_err(|error| format!("The payload cannot be read: {error}"))?;
        let empty = Value::Object(Map::new());
        let config = payload.get("config").filter(|config| config.is_object()).unwrap_or(&empty);
        let (broadcast, presence) = (config.get("broadcast"), config.get("presence"));
        let part = |of: Option<&Value>, name: &str| of.and_then(|of| of.get(name)).cloned().unwrap_or(Value::Null);
        let shown = |name: &str| payload.get(name)?.as_str().filter(|token| !token.is_empty());
        let mut asked = Self {
            is_private: private(config.get("private").unwrap_or(&Value::Null))?,
            acknowledges: is_true(&part(broadcast, "ack")),
            hears_itself: is_true(&part(broadcast, "self")),
            says_ready: is_true(&part(broadcast, "replication_ready")),
            presence_key: key(&part(presence, "key")),
            wants_presence: is_true(&part(presence, "enabled")),
            since: config.get("since").and_then(Value::as_str).map(position),
            wait: config.get("postgres_changes_options").and_then(wait),
            token: ["user_token", "access_token"].into_iter().find_map(shown).map(str::to_owned),
            ..Self::default()
        };
        asked.replay = replay(&part(broadcast, "replay"), asked.is_private)?;
        if asked.presence_key.len() > KEY_BYTES_MAX {
            return Err(format!("presence.key has at most {KEY_BYTES_MAX} bytes"));
        }
        if payload.get("config").is_none() {
            asked.want_by_topic(name);
        }
        match config.get("postgres_changes") {
            None | Some(Value::Null) => {}
            Some(Value::Array(bindings)) if bindings.len() <= WANTED_MAX => asked.want(bindings),
            Some(Value::Array(_)) => return Err(format!("postgres_changes has at most {WANTED_MAX} bindings")),
            Some(_) => asked.fault = Some("postgres_changes is a list".to_owned()),
        }
        Ok(asked)
    }

    /// The oldest clients know no config: they join `schema:table:filter`, or less of it.
    fn want_by_topic(&mut self, name: &str) {
        let mut parts = name.splitn(3, ':');
        let (schema, table) = (parts.next().unwrap_or_default(), parts.next());
        // Any other word alone is the name of a channel.
        if table.is_none() && !matches!(schema, "*" | "public") {
            return;
        }
        let said = [("event", Some("*")), ("schema", Some(schema)), ("table", table), ("filter", parts.next())];
        let fields: Map<String, Value> = said.into_iter().filter_map(|(name, said)| Some((name.to_owned(), said?.into()))).collect();
        self.is_by_topic = true;
        self.want(&[fields.into()]);
    }

    fn want(&mut self, bindings: &[Value]) {
        for binding in bindings.iter().filter(|binding| !binding.is_null()) {
            let Value::Object(fields) = binding else {
                self.fault.get_or_insert_with(|| "each of postgres_changes is an object".to_owned());
                continue;
            };
            let number = u64::from(NEXT_BINDING.fetch_add(1, Ordering::Relaxed).max(1));
            match wanted(fields) {
                Ok(wanted) => self.wanted.push((number, wanted)),
                Err(fault) => _ = self.fault.get_or_insert(fault),
            }
            if let Some(since) = fields.get("since").and_then(Value::as_str) {
                self.since.get_or_insert_with(|| position(since));
            }
            let mut told = Map::new();
            told.insert("id".to_owned(), number.into());
            told.extend(fields.iter().filter(|(name, _)| *name != "id").map(|(name, value)| (name.clone(), value.clone())));
            self.bindings.push(Value::Object(told));
        }
    }
}

/// Reads what of which table somebody wants to hear.
fn wanted(fields: &Map<String, Value>) -> Result<Wanted, String> {
    let text = |name: &str| match fields.get(name) {
        None | Some(Value::Null) => Ok(None),
        Some(Value::String(text)) if text.trim().is_empty() => Ok(None),
        Some(Value::String(text)) => Ok(Some(text.clone())),
        Some(_) => Err(format!("postgres_changes.{name} is a text")),
    };
    let event = text("event")?.unwrap_or_default().to_ascii_uppercase();
    let event = match event.as_str() {
        "INSERT" => Sort::Insert,
        "UPDATE" => Sort::Update,
        "DELETE" => Sort::Delete,
        // What is no event of rows is every one, as clients know it.
        _ => Sort::All,
    };
    let select = match fields.get("select") {
        None | Some(Value::Null) => None,
        Some(Value::Array(list)) => {
            let names: Option<Vec<String>> = list.iter().map(|name| name.as_str().map(str::to_owned)).collect();
            Some(names.ok_or("postgres_changes.select is a list of columns")?).filter(|names| !names.is_empty())
        }
        Some(_) => return Err("postgres_changes.select is a list of columns".to_owned()),
    };
    let table = text("table")?.filter(|table| table != "*");
    Ok(Wanted { event, schema: text("schema")?.unwrap_or_else(|| "public".to_owned()), table, filter: text("filter")?, select })
}

fn position(text: &str) -> Position {
    Position(text.into())
}

/// A key that is a number or a truth value is its text.
fn key(said: &Value) -> String {
    match said {
        Value::String(text) => text.clone(),
        Value::Number(_) | Value::Bool(_) => said.to_string(),
        Value::Null | Value::Array(_) | Value::Object(_) => String::new(),
    }
}

fn wait(options: &Value) -> Option<Duration> {
    let said = options.get("timeout").and_then(Value::as_u64).filter(|millis| *millis > 0);
    is_true(options.get("wait")?).then(|| said.map_or(WAIT, Duration::from_millis))
}

fn replay(asked: &Value, is_private: bool) -> Result<Option<(i64, u32)>, String> {
    if asked.is_null() {
        return Ok(None);
    }
    if !is_private {
        return Err("UnableToReplayMessages: Replay is not allowed for public channels".to_owned());
    }
    let number = |name: &str, missing: i64| match asked.get(name) {
        None | Some(Value::Null) => Some(missing),
        Some(said) => said.as_i64(),
    };
    let said = asked.as_object().and_then(|_| number("since", 0).zip(number("limit", REPLAYED.into())));
    let (since, limit) = said.ok_or("UnableToReplayMessages: Replay params are not valid")?;
    Ok(Some((since, u32::try_from(limit.max(1)).unwrap_or(u32::MAX))))
}

/// A channel that somebody means to be private is no public one because he wrote it in another way.
fn private(said: &Value) -> Result<bool, String> {
    wire::is_private(said).ok_or_else(|| "InvalidJoinPayload: private is true or false".to_owned())
}

fn is_true(value: &Value) -> bool {
    matches!(value, Value::Bool(true)) || value.as_str().is_some_and(|text| text.eq_ignore_ascii_case("true"))
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn read(config: &Value) -> Asked {
        Asked::read(&json!({ "config": config }).to_string(), "room").unwrap()
    }

    #[test]
    fn bindings_come_back_as_they_were_asked_for() {
        let bindings = json!([
            { "event": "INSERT", "schema": "public", "table": "jobs", "filter": "status=eq.open" },
            { "event": "*", "schema": "public", "filter": "  ", "select": [] },
            { "event": "update", "table": "jobs", "select": ["id"] },
            { "event": "TRUNCATE", "table": "jobs" },
        ]);
        let asked = read(&json!({ "private": "True", "broadcast": { "ack": "TRUE" }, "postgres_changes": bindings }));
        assert!(asked.is_private && asked.acknowledges && !asked.hears_itself && asked.fault.is_none());
        for (told, wanted) in asked.bindings.iter().zip(bindings.as_array().unwrap()) {
            let mut told = told.clone();
            assert!(told.as_object_mut().unwrap().remove("id").unwrap().as_u64().unwrap() > 0);
            assert_eq!(told, *wanted);
        }
        let first = &asked.wanted[0].1;
        assert_eq!((first.event, first.table.as_deref(), first.filter.as_deref()), (Sort::Insert, Some("jobs"), Some("status=eq.open")));
        let second = &asked.wanted[1].1;
        assert_eq!((second.table.as_deref(), second.event, &second.filter, &second.select), (None, Sort::All, &None, &None));
        assert_eq!((asked.wanted[2].1.event, asked.wanted[3].1.event), (Sort::Update, Sort::All));
    }

    #[test]
    fn what_cannot_be_meant_of_changed_rows_is_said_and_no_refusal() {
        for (bindings, field) in [
            (json!({}), "postgres_changes"),
            (json!([7]), "postgres_changes"),
            (json!([{ "table": 7 }]), "postgres_changes.table"),
            (json!([{ "select": [1] }]), "postgres_changes.select"),
            (json!([{ "select": "id" }, { "table": "jobs" }]), "postgres_changes.select"),
        ] {
            let fault = read(&json!({ "postgres_changes": bindings })).fault.unwrap();
            assert!(fault.contains(field), "{fault}");
        }
        let asked = read(&json!({ "postgres_changes": [null, { "table": "jobs" }, null] }));
        assert_eq!((asked.wanted.len(), asked.bindings.len(), asked.fault), (1, 1, None));
    }

    #[test]
    fn what_cannot_be_meant_of_the_channel_is_refused() {
        let invalid = "UnableToReplayMessages: Replay params are not valid";
        for (config, why) in [
            (json!({ "presence": { "key": "x".repeat(256) } }), "presence.key has at most 255 bytes"),
            (json!({ "postgres_changes": vec![json!({}); 101] }), "postgres_changes has at most 100 bindings"),
            (json!({ "private": true, "broadcast": { "replay": 7 } }), invalid),
            (json!({ "private": true, "broadcast": { "replay": { "since": "7" } } }), invalid),
            (json!({ "private": true, "broadcast": { "replay": { "limit": 1.5 } } }), invalid),
            (json!({ "broadcast": { "replay": {} } }), "UnableToReplayMessages: Replay is not allowed for public channels"),
        ] {
            assert_eq!(Asked::read(&json!({ "config": config }).to_string(), "room").unwrap_err(), why);
        }
        assert!(Asked::read("null", "room").is_ok() && Asked::read("{}", "room").is_ok());
        for (replay, read_as) in [
            (json!({}), (0, 25)),
            (json!({ "since": null, "limit": null }), (0, 25)),
            (json!({ "since": 7, "limit": 0 }), (7, 1)),
            (json!({ "limit": -3 }), (0, 1)),
        ] {
            assert_eq!(read(&json!({ "private": true, "broadcast": { "replay": replay } })).replay, Some(read_as));
        }
    }

    #[test]
    fn keys_tokens_and_waiting_are_read_as_clients_write_them() {
        for (said, key) in [(json!("ann"), "ann"), (json!(7), "7"), (json!(true), "true"), (json!(null), ""), (json!([1]), "")] {
            assert_eq!(read(&json!({ "presence": { "key": said } })).presence_key, key);
        }
        let token = |payload: Value| Asked::read(&payload.to_string(), "room").unwrap().token;
        assert_eq!(token(json!({ "user_token": "a", "access_token": "b" })).as_deref(), Some("a"));
        assert_eq!(token(json!({ "user_token": "", "access_token": "b" })).as_deref(), Some("b"));
        let waits = |options: Value| read(&json!({ "postgres_changes_options": options })).wait;
        assert_eq!(waits(json!({ "wait": true })), Some(Duration::from_secs(15)));
        assert_eq!(waits(json!({ "wait": "true", "timeout": 200 })), Some(Duration::from_millis(200)));
        assert_eq!(waits(json!({ "wait": true, "timeout": -1 })), Some(Duration::from_secs(15)));
        assert_eq!((waits(json!({ "timeout": 200 })), waits(json!(7))), (None, None));
    }

    #[test]
    fn a_join_without_config_says_by_its_topic_what_it_wants() {
        let of = |wanted: &Wanted| (wanted.schema.clone(), wanted.table.clone(), wanted.filter.clone());
        let text = |text: &str| Some(text.to_owned());
        for (name, schema, table, filter) in [
            ("*", "*", None, None),
            ("public", "public", None, None),
            ("public:*", "public", None, None),
            ("public:jobs", "public", text("jobs"), None),
            ("public:jobs:title=eq.a:b", "public", text("jobs"), text("title=eq.a:b")),
        ] {
            for payload in ["null", "{}", r#"{"user_token":"x"}"#] {
                let asked = Asked::read(payload, name).unwrap();
                let [(number, wanted)] = &asked.wanted[..] else { panic!("{name}") };
                assert!(asked.is_by_topic && wanted.event == Sort::All && asked.fault.is_none(), "{name}");
                assert_eq!(of(wanted), (schema.to_owned(), table.clone(), filter.clone()), "{name}");
                assert_eq!(asked.bindings[0]["id"], *number);
            }
            let asked = Asked::read(r#"{"config":{}}"#, name).unwrap();
            assert!(asked.wanted.is_empty() && !asked.is_by_topic, "{name}");
        }
        let asked = Asked::read("{}", "room").unwrap();
        assert!(asked.wanted.is_empty() && asked.bindings.is_empty() && !asked.is_by_topic);
    }

    #[test]
    fn a_channel_is_private_in_every_writing_that_may_be_meant() {
        for said in [json!(true), json!("true"), json!("TRUE"), json!("1")] {
            assert!(read(&json!({ "private": said })).is_private, "{said}");
        }
        for said in [json!(null), json!(false), json!("False"), json!("0"), json!("")] {
            assert!(!read(&json!({ "private": said })).is_private, "{said}");
        }
        for said in [json!(1), json!("yes"), json!({}), json!([true])] {
            let refused = Asked::read(&json!({ "config": { "private": said } }).to_string(), "room").unwrap_err();
            assert_eq!(refused, "InvalidJoinPayload: private is true or false", "{said}");
        }
    }
}
