//! The body: its kind, and the keys of its objects; its values stay as they came.
//!
//! Invariant: a body that is no well-formed JSON never reaches the database; none is built up as a tree.

use std::fmt;

use bytes::Bytes;
use http::HeaderMap;
use http::header::CONTENT_TYPE;
use indexmap::IndexSet;
use kernel::{Error, Kind, Result};
use serde::de::{Deserialize, Deserializer, IgnoredAny, MapAccess, SeqAccess, Visitor};
use serde_json::{Map, Value};

use super::ParseLimits;
use super::lines::lines;
use super::syntax::{Action, Payload, RawMedia};

/// The fields of a form: a row of a table, or arguments of a function.
const FORM: &str = "application/x-www-form-urlencoded";

/// What a form says to a function: its fields by name, in their order. None of any other body.
pub(super) fn arguments(headers: &HeaderMap, bytes: &Bytes, action: Action) -> Result<Option<Vec<(String, String)>>> {
    if action != Action::Call || kind(headers).1 != FORM {
        return Ok(None);
    }
    fields(bytes).map(Some)
}

/// Reads the body, where the action has one. `columns` tells that not every object has to have the same keys.
pub(super) fn payload(headers: &HeaderMap, bytes: Bytes, action: Action, columns: bool, limits: &ParseLimits) -> Result<Option<Payload>> {
    if matches!(action, Action::Read | Action::Delete | Action::CallRead) {
        return Ok(None);
    }
    let (content_type, name) = kind(headers);
    let is_call = action == Action::Call;
    match name.as_str() {
        "application/json" | "" | "application/vnd.pgrst.object+json" => json(bytes, is_call, columns, limits).map(Some),
        FORM if is_call => Ok(None),
        FORM => form(&bytes).map(Some),
        "text/csv" => lines(&bytes, limits).map(Some),
        "text/plain" if is_call => Ok(Some(Payload::Raw { bytes, media: RawMedia::Text })),
        "text/xml" if is_call => Ok(Some(Payload::Raw { bytes, media: RawMedia::Xml })),
        "application/octet-stream" if is_call => Ok(Some(Payload::Raw { bytes, media: RawMedia::Bytes })),
        "text/plain" | "text/xml" | "application/octet-stream" => Err(not_acceptable(&name)),
        _ => Err(not_acceptable(content_type)),
    }
}

fn not_acceptable(content_type: &str) -> Error {
    Error::new(Kind::BadRequest, "PGRST102", format!("Content-Type not acceptable: {content_type}"))
}

/// Returns what a body says that it is, as it was written and without its parameters.
fn kind(headers: &HeaderMap) -> (&str, String) {
    let content_type = headers.get(CONTENT_TYPE).and_then(|value| value.to_str().ok()).unwrap_or("application/json");
    (content_type, content_type.split(';').next().unwrap_or_default().trim().to_ascii_lowercase())
}

fn json(bytes: Bytes, is_call: bool, columns: bool, limits: &ParseLimits) -> Result<Payload> {
    if is_call && bytes.is_empty() {
        return Ok(Payload::Json { text: Bytes::from_static(b"{}"), keys: Vec::new(), is_array: false, objects: 1 });
    }
    if is_deeper(&bytes, limits.body_depth_max) {
        return Err(Error::new(Kind::BadRequest, "PGRST102", "The body is nested too deeply")
            .with_details(format!("At most {} levels are allowed", limits.body_depth_max)));
    }
    let outline: Outline = serde_json::from_slice(&bytes).map_err(|error| malformed().with_source(error))?;
    // PostgreSQL's text holds no zero character, escaped or not; it says so itself for what ends in a column.
    match outline {
        Outline::Object(keys) => Ok(Payload::Json { text: bytes, keys: keys.into_iter().collect(), is_array: false, objects: 1 }),
        Outline::Array { objects, .. } if objects > limits.rows_max_in_body => Err(too_many_rows(limits)),
        Outline::Array { only_objects: false, .. } | Outline::Other if is_call => Ok(Payload::Raw { bytes, media: RawMedia::Json }),
        Outline::Array { only_objects: false, .. } | Outline::Array { same_keys: false, .. } if !columns => {
            Err(Error::new(Kind::BadRequest, "PGRST102", "All object keys must match"))
        }
        // What is neither has no rows.
        Outline::Other if !columns => Ok(Payload::Json { text: Bytes::from_static(b"[]"), keys: Vec::new(), is_array: true, objects: 0 }),
        Outline::Array { only_objects: false, .. } | Outline::Other => Err(malformed()),
        Outline::Array { keys, objects, .. } => {
            Ok(Payload::Json { text: bytes, keys: keys.into_iter().collect(), is_array: true, objects })
        }
    }
}

/// Tells whether objects and arrays are nested deeper than this: PostgreSQL reads them by recursion.
fn is_deeper(json: &[u8], levels_max: usize) -> bool {
    let (mut level, mut in_text, mut escaped) = (0_usize, false, false);
    for byte in json {
        match (in_text, byte) {
            _ if escaped => escaped = false,
            (true, b'\\') => escaped = true,
            (_, b'"') => in_text = !in_text,
            (false, b'[' | b'{') => {
                level = level.saturating_add(1);
                if level > levels_max {
                    return true;
                }
            }
            (false, b']' | b'}') => level = level.saturating_sub(1),
            _ => {}
        }
    }
    false
}

/// Makes one object of a form's fields; of a field that stands there more than once the last counts.
fn form(bytes: &[u8]) -> Result<Payload> {
    let object: Map<String, Value> = fields(bytes)?.into_iter().map(|(name, value)| (name, Value::String(value))).collect();
    let keys = object.keys().cloned().collect();
    Ok(Payload::Json { text: Value::Object(object).to_string().into(), keys, is_array: false, objects: 1 })
}

fn fields(bytes: &[u8]) -> Result<Vec<(String, String)>> {
    let fields: Vec<(String, String)> = serde_urlencoded::from_bytes(bytes)
        .map_err(|error| Error::new(Kind::BadRequest, "PGRST102", "The form could not be read").with_source(error))?;
    // PostgreSQL's text holds no zero character.
    if fields.iter().any(|(_, value)| value.contains('\0')) {
        return Err(Error::new(Kind::BadRequest, "PGRST102", "The form contains a zero character"));
    }
    Ok(fields)
}

pub(super) fn too_many_rows(limits: &ParseLimits) -> Error {
    Error::new(Kind::TooLarge, "PGRST102", "The body has too many rows")
        .with_details(format!("At most {} are allowed", limits.rows_max_in_body))
}

fn malformed() -> Error {
    Error::new(Kind::BadRequest, "PGRST102", "Empty or invalid json")
}

/// What JSON consists of on its first two levels.
#[derive(Debug, PartialEq)]
enum Outline {
    Object(IndexSet<String>),
    Array { keys: IndexSet<String>, objects: usize, same_keys: bool, only_objects: bool },
    Other,
}

impl<'de> Deserialize<'de> for Outline {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> std::result::Result<Self, D::Error> {
        deserializer.deserialize_any(OutlineVisitor)
    }
}

struct OutlineVisitor;

/// The words for a value that has no parts.
macro_rules! other {
    ($($visit:ident: $type:ty),*) => {$(
        fn $visit<E>(self, _: $type) -> std::result::Result<Outline, E> {
            Ok(Outline::Other)
        }
    )*};
}

impl<'de> Visitor<'de> for OutlineVisitor {
    type Value = Outline;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("JSON")
    }

    other!(visit_bool: bool, visit_i64: i64, visit_u64: u64, visit_f64: f64, visit_str: &str);

    fn visit_unit<E>(self) -> std::result::Result<Outline, E> {
        Ok(Outline::Other)
    }

    fn visit_map<A: MapAccess<'de>>(self, map: A) -> std::result::Result<Outline, A::Error> {
        keys(map).map(Outline::Object)
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut seq: A) -> std::result::Result<Outline, A::Error> {
        let (mut first, mut objects, mut same_keys, mut only_objects) = (None::<IndexSet<String>>, 0_usize, true, true);
        while let Some(element) = seq.next_element::<Element>()? {
            objects = objects.saturating_add(1);
            match (element.0, &first) {
                (None, _) => only_objects = false,
                (Some(keys), None) => first = Some(keys),
                (Some(keys), Some(first)) => same_keys &= keys.len() == first.len() && keys.iter().all(|key| first.contains(key)),
            }
        }
        Ok(Outline::Array { keys: first.unwrap_or_default(), objects, same_keys, only_objects })
    }
}

/// An element of an array: the keys of an object, or nothing.
struct Element(Option<IndexSet<String>>);

impl<'de> Deserialize<'de> for Element {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> std::result::Result<Self, D::Error> {
        Ok(match Outline::deserialize(deserializer)? {
            Outline::Object(keys) => Self(Some(keys)),
            Outline::Array { .. } | Outline::Other => Self(None),
        })
    }
}

/// Collects the keys in their order. A set: who sends many of them must not make it slow.
fn keys<'de, A: MapAccess<'de>>(mut map: A) -> std::result::Result<IndexSet<String>, A::Error> {
    let mut keys = IndexSet::new();
    while let Some(key) = map.next_key::<String>()? {
        map.next_value::<IgnoredAny>()?;
        keys.insert(key);
    }
    Ok(keys)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(body: &str, action: Action) -> Result<Option<Payload>> {
        let bytes = Bytes::copy_from_slice(body.as_bytes());
        payload(&HeaderMap::new(), bytes, action, false, &ParseLimits { rows_max_in_body: 3, ..ParseLimits::default() })
    }

    fn outline(body: &str) -> (Vec<String>, bool, usize) {
        match read(body, Action::Insert).unwrap().unwrap() {
            Payload::Json { text, keys, is_array, objects } => {
                assert_eq!(text, body);
                (keys, is_array, objects)
            }
            Payload::Raw { .. } => panic!("not raw"),
        }
    }

    #[test]
    fn keys_are_found_and_values_stay_as_they_came() {
        let names = |names: &[&str]| names.iter().map(|name| (*name).to_owned()).collect::<Vec<_>>();
        assert_eq!(outline(r#"{"a": 1.00, "b": {"c": [1, 2]}, "a": 2}"#), (names(&["a", "b"]), false, 1));
        assert_eq!(outline(r#"[{"a":1,"b":2},{"b":3,"a":4}]"#), (names(&["a", "b"]), true, 2));
        assert_eq!(outline("[]"), (vec![], true, 0));
        assert_eq!(outline("{}"), (vec![], false, 1));
    }

    #[test]
    fn what_is_no_row_is_refused() {
        let nested = "[".repeat(100_000);
        for bad in ["", "{", "[{]", "[1]", "{\"a\":}", "{'a':1}", "[{}] x", nested.as_str()] {
            let error = read(bad, Action::Insert).unwrap_err();
            assert_eq!((error.status().as_u16(), error.code()), (400, "PGRST102"), "{}", bad.chars().take(20).collect::<String>());
        }
        for none in ["1", "\"x\"", "null"] {
            assert!(matches!(read(none, Action::Insert), Ok(Some(Payload::Json { objects: 0, is_array: true, .. }))), "{none}");
        }
        assert_eq!(read(r#"[{"a":1},{"b":1}]"#, Action::Insert).unwrap_err().message(), "All object keys must match");
        assert_eq!(read("[{},{},{},{}]", Action::Insert).unwrap_err().status(), 413);
    }

    #[test]
    fn a_body_may_be_nested_but_not_without_end() {
        let nested = |levels: usize| format!(r#"{{"a":"[\"[[","b":{}1{}}}"#, "[".repeat(levels), "]".repeat(levels));
        let max = ParseLimits::default().body_depth_max;
        assert!(read(&nested(max - 1), Action::Insert).is_ok());
        for action in [Action::Insert, Action::Call] {
            assert_eq!(read(&nested(max), action).unwrap_err().message(), "The body is nested too deeply");
        }
        assert!(is_deeper(b"[[[", 2) && !is_deeper(b"[[][[]]]", 3));
    }

    #[test]
    fn a_function_takes_any_json_and_nothing() {
        assert!(matches!(read("", Action::Call), Ok(Some(Payload::Json { objects: 1, .. }))));
        for raw in ["[1,2]", "7", "\"text\"", "null"] {
            assert!(matches!(read(raw, Action::Call), Ok(Some(Payload::Raw { media: RawMedia::Json, .. }))), "{raw}");
        }
    }

    #[test]
    fn forms_are_rows_and_other_kinds_are_refused() {
        let with = |kind: &str, action| {
            let headers = HeaderMap::from_iter([(CONTENT_TYPE, kind.parse().unwrap())]);
            payload(&headers, Bytes::from_static(b"a=1&b=x+y"), action, false, &ParseLimits::default())
        };
        let Ok(Some(Payload::Json { text, .. })) = with("application/x-www-form-urlencoded", Action::Insert) else { panic!() };
        assert_eq!(text, r#"{"a":"1","b":"x y"}"#);
        assert_eq!(with("image/png", Action::Insert).unwrap_err().message(), "Content-Type not acceptable: image/png");
        assert!(with("text/plain", Action::Insert).is_err());
        assert!(matches!(with("text/plain; charset=utf-8", Action::Call), Ok(Some(Payload::Raw { media: RawMedia::Text, .. }))));
    }
}
