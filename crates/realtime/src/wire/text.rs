//! JSON frames, in both versions.

use std::borrow::Cow;

use serde::Deserialize;
use serde_json::value::RawValue;

use super::{Outgoing, Version};

/// The longest ref that comes back.
const REF_BYTES_MAX: usize = 255;

/// A client's number for what it said, as it wrote it: a string, a number, or null.
pub(crate) type Ref = Box<str>;

/// What a client said.
#[derive(Debug)]
pub(crate) struct Incoming {
    pub(crate) join_ref: Ref,
    pub(crate) reference: Ref,
    pub(crate) topic: String,
    pub(crate) event: String,
    /// JSON; `null` where there is none.
    pub(crate) payload: Box<RawValue>,
}

#[derive(Deserialize)]
struct Object<'a> {
    #[serde(borrow)]
    topic: Cow<'a, str>,
    #[serde(borrow)]
    event: Cow<'a, str>,
    #[serde(borrow, default)]
    payload: Option<&'a RawValue>,
    #[serde(borrow, rename = "ref", default)]
    reference: Option<&'a RawValue>,
    #[serde(borrow, default)]
    join_ref: Option<&'a RawValue>,
}

#[derive(Deserialize)]
struct Array<'a>(
    #[serde(borrow)] Option<&'a RawValue>,
    #[serde(borrow)] Option<&'a RawValue>,
    #[serde(borrow)] Cow<'a, str>,
    #[serde(borrow)] Cow<'a, str>,
    #[serde(borrow)] &'a RawValue,
);

/// Reads a frame; nothing where it is none.
pub(crate) fn read(text: &str, version: Version) -> Option<Incoming> {
    let (join_ref, reference, topic, event, payload) = match version {
        Version::One | Version::Events => {
            let said: Object<'_> = serde_json::from_str(text).ok()?;
            (said.join_ref, said.reference, said.topic, said.event, said.payload)
        }
        Version::Two => {
            let Array(join_ref, reference, topic, event, payload) = serde_json::from_str(text).ok()?;
            (join_ref, reference, topic, event, Some(payload))
        }
    };
    Some(Incoming {
        join_ref: number(join_ref)?,
        reference: number(reference)?,
        topic: topic.into_owned(),
        event: event.into_owned(),
        payload: payload.map_or_else(|| RawValue::NULL.to_owned(), ToOwned::to_owned),
    })
}

fn number(said: Option<&RawValue>) -> Option<Ref> {
    let text = said.map_or(super::NULL, RawValue::get);
    let is_one = text == super::NULL || text.starts_with(|first: char| first == '"' || first == '-' || first.is_ascii_digit());
    (is_one && text.len() <= REF_BYTES_MAX).then(|| text.into())
}

/// Writes a frame.
pub(super) fn write(said: &Outgoing<'_>, version: Version) -> String {
    let mut text = String::with_capacity(said.payload.len() + said.topic.len() + said.event.len() + 64);
    match version {
        Version::One => {
            text.push_str("{\"ref\":");
            text.push_str(said.reference);
            text.push_str(",\"topic\":");
            push_quoted(&mut text, said.topic);
            text.push_str(",\"event\":");
            push_quoted(&mut text, said.event);
            text.push_str(",\"payload\":");
            text.push_str(said.payload);
            text.push('}');
        }
        Version::Two => {
            text.push('[');
            text.push_str(said.join_ref);
            text.push(',');
            text.push_str(said.reference);
            text.push(',');
            push_quoted(&mut text, said.topic);
            text.push(',');
            push_quoted(&mut text, said.event);
            text.push(',');
            text.push_str(said.payload);
            text.push(']');
        }
        Version::Events => {
            text.push_str("event: ");
            text.extend(said.event.chars().filter(|letter| !letter.is_control()));
            text.push_str("\ndata: ");
            // Between the parts of JSON an end of line is as good as a space; inside of strings there is none.
            text.extend(said.payload.chars().map(|letter| if matches!(letter, '\n' | '\r') { ' ' } else { letter }));
            text.push_str("\n\n");
        }
    }
    text
}

pub(super) fn push_quoted(text: &mut String, value: &str) {
    // A string always has a form in JSON.
    text.push_str(&serde_json::Value::from(value).to_string());
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn both_versions_are_read_and_refs_come_back_as_they_were() {
        let one = read(r#"{"topic":"realtime:a\"b","event":"phx_join","payload":{"x":1},"ref":"7","join_ref":"7"}"#, Version::One).unwrap();
        assert_eq!((one.topic.as_str(), &*one.reference, one.payload.get()), ("realtime:a\"b", "\"7\"", "{\"x\":1}"));
        let two = read(r#"["1",2,"realtime:a","access_token",{}]"#, Version::Two).unwrap();
        assert_eq!((&*two.join_ref, &*two.reference, two.event.as_str()), ("\"1\"", "2", "access_token"));
        let bare = read(r#"{"topic":"phoenix","event":"heartbeat"}"#, Version::One).unwrap();
        assert_eq!((&*bare.join_ref, bare.payload.get()), ("null", "null"));
    }

    #[test]
    fn what_is_no_frame_is_none() {
        for wrong in ["", "[]", "{}", "null", r#"["1","2","t"]"#, r#"[{"a":1},"2","t","e",{}]"#, r#"["1","2",3,"e",{}]"#] {
            assert!(read(wrong, Version::Two).is_none(), "{wrong}");
        }
        assert!(read(r#"["1","2","t","e",{}]"#, Version::One).is_none());
    }

    #[test]
    fn each_version_is_written_as_its_clients_read_it() {
        let said = Outgoing { join_ref: "\"1\"", reference: "\"2\"", topic: "realtime:a\"", event: "phx_reply", payload: "{\"a\":\n1}" };
        assert_eq!(
            write(&said, Version::One),
            "{\"ref\":\"2\",\"topic\":\"realtime:a\\\"\",\"event\":\"phx_reply\",\"payload\":{\"a\":\n1}}"
        );
        assert_eq!(write(&said, Version::Two), "[\"1\",\"2\",\"realtime:a\\\"\",\"phx_reply\",{\"a\":\n1}]");
        assert_eq!(write(&said, Version::Events), "event: phx_reply\ndata: {\"a\": 1}\n\n");
    }
}
