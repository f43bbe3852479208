//! What servers say to each other.
//!
//! Invariant: what cannot be read is nothing; a payload travels as the JSON or the bytes that it was.

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use serde::{Deserialize, Serialize};
use serde_json::value::RawValue;
use uuid::Uuid;

use crate::hub::MemberId;
use crate::presence::{Diff, Entry, Holder};
use crate::told::{Content, Topic};

/// Entries of presence in one message.
const ENTRIES_MAX: usize = 500;

/// A message of a server.
#[derive(Debug, Serialize, Deserialize)]
pub(super) struct Said {
    pub(super) node: Uuid,
    pub(super) word: Word,
}

/// What it says.
#[derive(Debug, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(super) enum Word {
    /// A broadcast.
    Broadcast {
        is_private: bool,
        topic: String,
        event: String,
        json: Option<Box<RawValue>>,
        bytes: Option<String>,
        /// Servers of before know nothing of it, and tell nothing then.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        whole: Option<Box<RawValue>>,
    },
    /// Who came and went in a channel.
    Present { is_private: bool, topic: String, joins: Vec<Card>, leaves: Vec<Box<str>> },
    /// It lives, and said so many changes of presence.
    Alive { changes: u64 },
    /// A server is asked for all who are present with it.
    Ask { of: Uuid },
    /// All who are present, in parts, after so many changes.
    All { changes: u64, cards: Vec<Card>, is_last: bool },
    /// It could not say everything.
    Gap,
    /// It goes.
    Bye,
}

/// An entry of presence on its way.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(super) struct Card {
    pub(super) is_private: bool,
    pub(super) topic: String,
    pub(super) key: Box<str>,
    member: u64,
    reference: Box<str>,
    json: Box<RawValue>,
}

impl Said {
    pub(super) fn read(bytes: &[u8]) -> Option<Self> {
        serde_json::from_slice(bytes).ok()
    }

    pub(super) fn write(&self) -> Option<Vec<u8>> {
        serde_json::to_vec(self).ok()
    }
}

impl Word {
    pub(super) fn broadcast(topic: &Topic, event: &str, content: &Content) -> Self {
        let raw = |json: &str| RawValue::from_string(json.to_owned()).ok();
        let (json, bytes, whole) = match content {
            Content::Json(json) => (raw(json), None, None),
            Content::Bytes(bytes) => (None, Some(STANDARD.encode(bytes)), None),
            Content::Whole(json) => (None, None, raw(json)),
        };
        Self::Broadcast { is_private: topic.is_private, topic: topic.name.to_string(), event: event.to_owned(), json, bytes, whole }
    }

    pub(super) fn present(topic: &Topic, diff: &Diff) -> Self {
        Self::Present {
            is_private: topic.is_private,
            topic: topic.name.to_string(),
            joins: diff.joins.iter().filter_map(|(key, entry)| Card::of(topic, key, entry)).collect(),
            leaves: diff.leaves.iter().map(|(_, entry)| entry.reference.clone()).collect(),
        }
    }

    /// All who are present; one part at least.
    pub(super) fn all(changes: u64, present: &[(Topic, Box<str>, Entry)]) -> Vec<Self> {
        let cards: Vec<Card> = present.iter().filter_map(|(topic, key, entry)| Card::of(topic, key, entry)).collect();
        let mut parts: Vec<Self> =
            cards.chunks(ENTRIES_MAX).map(|part| Self::All { changes, cards: part.to_vec(), is_last: false }).collect();
        match parts.last_mut() {
            Some(Self::All { is_last, .. }) => *is_last = true,
            _ => parts.push(Self::All { changes, cards: Vec::new(), is_last: true }),
        }
        parts
    }
}

impl Card {
    fn of(topic: &Topic, key: &str, entry: &Entry) -> Option<Self> {
        Some(Self {
            is_private: topic.is_private,
            topic: topic.name.to_string(),
            key: key.into(),
            member: entry.holder.member.0,
            reference: entry.reference.clone(),
            json: RawValue::from_string(entry.json.to_string()).ok()?,
        })
    }

    pub(super) fn entry(&self, node: Uuid) -> Entry {
        let holder = Holder { node, member: MemberId(self.member) };
        Entry { holder, reference: self.reference.clone(), json: self.json.get().into() }
    }

    pub(super) fn channel(&self) -> Topic {
        Topic { is_private: self.is_private, name: self.topic.as_str().into() }
    }
}

/// Reads what a broadcast holds.
pub(super) fn content(json: Option<Box<RawValue>>, bytes: Option<String>, whole: Option<Box<RawValue>>) -> Option<Content> {
    match (json, bytes, whole) {
        (Some(json), None, None) => Some(Content::Json(json.get().into())),
        (None, None, Some(json)) => Some(Content::Whole(json.get().into())),
        (None, Some(bytes), None) => STANDARD.decode(bytes).ok().map(|bytes| Content::Bytes(bytes.into())),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_broadcast_comes_as_it_went() {
        let topic = Topic { is_private: true, name: "room".into() };
        for content in
            [Content::Json("{\"a\": [1, \"ä\"]}".into()), Content::Whole("{\"a\":1}".into()), Content::Bytes(vec![0, 255].into())]
        {
            let written = Said { node: Uuid::nil(), word: Word::broadcast(&topic, "hi", &content) }.write().unwrap();
            let Word::Broadcast { is_private, topic, event, json, bytes, whole } = Said::read(&written).unwrap().word else { panic!() };
            assert_eq!(
                (is_private, topic.as_str(), event.as_str(), super::content(json, bytes, whole)),
                (true, "room", "hi", Some(content))
            );
        }
        assert!(Said::read(b"{}").is_none());
    }

    #[test]
    fn all_are_told_in_parts_and_nobody_is_a_part_too() {
        assert!(matches!(&Word::all(3, &[])[..], [Word::All { changes: 3, is_last: true, .. }]));
    }
}
