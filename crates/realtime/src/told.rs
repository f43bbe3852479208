//! One message for everybody in a channel, written once for each way in which its members are spoken to.
//!
//! Invariant: whoever is told has the same bytes as all others of his version.

use std::sync::{Arc, OnceLock};

use axum::extract::ws::Message;
use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use bytes::Bytes;
use uuid::Uuid;

use crate::wire::{self, NULL, Outgoing, PREFIX, Version};

/// A channel: private ones and public ones of one name are two.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub(crate) struct Topic {
    pub(crate) is_private: bool,
    pub(crate) name: Arc<str>,
}

/// What a broadcast holds.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(crate) enum Content {
    /// JSON text that was read as such.
    Json(Box<str>),
    /// The whole payload of the message as its client wrote it, a JSON object: what is told stands beside its event, or it has none.
    Whole(Box<str>),
    /// Bytes.
    Bytes(Bytes),
}

/// Who in the channel is told.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Audience {
    /// Who may hear broadcasts.
    Broadcast,
    /// Who wants to know of presence, and may.
    Presence,
}

/// A message.
#[derive(Debug)]
pub(crate) struct Told {
    pub(crate) topic: Topic,
    pub(crate) audience: Audience,
    /// What tells it apart, where it is kept.
    pub(crate) id: Option<Uuid>,
    event: &'static str,
    body: Body,
    frames: [OnceLock<Option<Message>>; 3],
}

#[derive(Debug)]
enum Body {
    Payload(String),
    Broadcast { event: Box<str>, content: Content, meta: Box<str> },
}

impl Told {
    /// Makes a broadcast. `meta` is a JSON object, or nothing.
    pub(crate) fn broadcast(topic: Topic, event: &str, content: Content, meta: &str) -> Self {
        let body = Body::Broadcast { event: event.into(), content, meta: meta.into() };
        Self { topic, audience: Audience::Broadcast, id: None, event: "broadcast", body, frames: Default::default() }
    }

    /// Makes a broadcast that is kept, and told apart by its id.
    pub(crate) fn kept(topic: Topic, event: &str, content: Content, (id, is_again): (Uuid, bool)) -> Self {
        let again = if is_again { "\"replayed\":true," } else { "" };
        Self { id: Some(id), ..Self::broadcast(topic, event, content, &format!("{{{again}\"id\":\"{id}\"}}")) }
    }

    /// Makes a change of presence.
    pub(crate) fn presence(topic: Topic, payload: String) -> Self {
        let body = Body::Payload(payload);
        Self { topic, audience: Audience::Presence, id: None, event: "presence_diff", body, frames: Default::default() }
    }

    /// Returns the frame; nothing where this version has none for it.
    pub(crate) fn frame(&self, version: Version) -> Option<&Message> {
        self.frames.get(version.place())?.get_or_init(|| self.write(version)).as_ref()
    }

    fn write(&self, version: Version) -> Option<Message> {
        let topic = format!("{PREFIX}{}", self.topic.name);
        let payload = match &self.body {
            Body::Payload(payload) => payload.as_str().into(),
            Body::Broadcast { event, content, meta } => match (content, version) {
                (Content::Bytes(bytes), Version::Two) => return wire::binary::write(&topic, event, meta, bytes).map(Message::Binary),
                // Clients of that version cannot read bytes.
                (Content::Bytes(_), Version::One) => return None,
                (Content::Bytes(bytes), Version::Events) => {
                    let text = wire::quoted(&STANDARD.encode(bytes));
                    broadcast_payload(event, &text, meta, ",\"encoding\":\"base64\"").into()
                }
                (Content::Whole(json), _) => (&**json).into(),
                (Content::Json(json), _) => std::borrow::Cow::from(broadcast_payload(event, json, meta, "")),
            },
        };
        Some(Outgoing { join_ref: NULL, reference: NULL, topic: &topic, event: self.event, payload: &payload }.frame(version))
    }
}

/// Writes the payload of a broadcast. `meta` is a JSON object, or nothing; `more` is what stands behind the payload, with its comma.
pub(crate) fn broadcast_payload(event: &str, payload: &str, meta: &str, more: &str) -> String {
    let event = wire::quoted(event);
    let (key, meta) = if meta.is_empty() { ("", "") } else { (",\"meta\":", meta) };
    format!("{{\"type\":\"broadcast\",\"event\":{event},\"payload\":{payload}{more}{key}{meta}}}")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn topic() -> Topic {
        Topic { is_private: false, name: "room".into() }
    }

    #[test]
    fn a_broadcast_is_written_for_each_version() {
        let told = Told::broadcast(topic(), "hi", Content::Json("{\"a\":1}".into()), "{\"id\":\"x\"}");
        let payload = r#"{"type":"broadcast","event":"hi","payload":{"a":1},"meta":{"id":"x"}}"#;
        let text = |version| told.frame(version).unwrap().to_text().unwrap().to_owned();
        assert_eq!(text(Version::One), format!(r#"{{"ref":null,"topic":"realtime:room","event":"broadcast","payload":{payload}}}"#));
        assert_eq!(text(Version::Two), format!(r#"[null,null,"realtime:room","broadcast",{payload}]"#));
        assert_eq!(text(Version::Events), format!("event: broadcast\ndata: {payload}\n\n"));
    }

    #[test]
    fn a_whole_payload_is_told_as_it_came() {
        let told = Told::broadcast(topic(), "hi", Content::Whole("{\"x\": 1,\n\"event\":\"hi\"}".into()), "");
        let text = |version| told.frame(version).unwrap().to_text().unwrap().to_owned();
        assert_eq!(
            text(Version::One),
            "{\"ref\":null,\"topic\":\"realtime:room\",\"event\":\"broadcast\",\"payload\":{\"x\": 1,\n\"event\":\"hi\"}}"
        );
        assert_eq!(text(Version::Two), "[null,null,\"realtime:room\",\"broadcast\",{\"x\": 1,\n\"event\":\"hi\"}]");
        assert_eq!(text(Version::Events), "event: broadcast\ndata: {\"x\": 1, \"event\":\"hi\"}\n\n");
    }

    #[test]
    fn bytes_are_told_to_those_who_can_read_them() {
        let told = Told::broadcast(topic(), "hi", Content::Bytes(Bytes::from_static(b"\xff")), "");
        assert!(told.frame(Version::One).is_none());
        assert_eq!(told.frame(Version::Two), Some(&Message::Binary(Bytes::from_static(b"\x04\x0d\x02\x00\x00realtime:roomhi\xff"))));
        let events = told.frame(Version::Events).unwrap().to_text().unwrap();
        assert_eq!(
            events,
            "event: broadcast\ndata: {\"type\":\"broadcast\",\"event\":\"hi\",\"payload\":\"/w==\",\"encoding\":\"base64\"}\n\n"
        );
    }
}
