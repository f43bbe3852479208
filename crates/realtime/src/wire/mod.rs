//! The words of Phoenix channels, as clients say and hear them: version 1.0.0 (JSON objects), version 2.0.0 (JSON arrays and binary frames),
//! and server-sent events, which only hear.
//!
//! Invariant: what a client said of refs comes back as it said it, and nothing that it said becomes part of a frame but as a value.

pub(crate) mod binary;
mod text;

use axum::extract::ws::Message;
use serde_json::Value;

pub(crate) use text::{Incoming, Ref, read};

/// The longest name of a channel or event: a byte says how long it is.
pub(crate) const NAME_BYTES_MAX: usize = 255;
/// How topics of channels begin.
pub(crate) const PREFIX: &str = "realtime:";

/// How somebody is spoken to.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Version {
    /// Objects.
    One,
    /// Arrays and binary frames.
    Two,
    /// Server-sent events.
    Events,
}

/// A message to a client in the making.
pub(crate) struct Outgoing<'a> {
    /// The client's ref of its join; `null` where it is meant for everybody.
    pub(crate) join_ref: &'a str,
    /// The client's ref of what is answered.
    pub(crate) reference: &'a str,
    /// The topic, with its prefix.
    pub(crate) topic: &'a str,
    /// The event.
    pub(crate) event: &'a str,
    /// JSON.
    pub(crate) payload: &'a str,
}

/// JSON's null, as refs have it.
pub(crate) const NULL: &str = "null";

impl Version {
    /// Reads what a client asks for; 1.0.0 where it asks for nothing.
    pub(crate) fn parse(said: Option<&str>) -> Option<Self> {
        match said.unwrap_or("1.0.0") {
            "1.0.0" => Some(Self::One),
            "2.0.0" => Some(Self::Two),
            _ => None,
        }
    }

    /// Returns where its own frame is kept beside those of the others.
    pub(crate) fn place(self) -> usize {
        match self {
            Self::One => 0,
            Self::Two => 1,
            Self::Events => 2,
        }
    }
}

impl Outgoing<'_> {
    /// Returns the frame.
    pub(crate) fn frame(&self, version: Version) -> Message {
        Message::Text(text::write(self, version).into())
    }
}

/// Reads whether something is private. What may be meant so is never told to all: nothing where it cannot be known.
pub(crate) fn is_private(said: &Value) -> Option<bool> {
    match said {
        Value::Null => Some(false),
        Value::Bool(said) => Some(*said),
        Value::String(said) => match said.to_ascii_lowercase().as_str() {
            "true" | "1" => Some(true),
            "false" | "0" | "" => Some(false),
            _ => None,
        },
        _ => None,
    }
}

/// Returns a text as a JSON string.
pub(crate) fn quoted(text: &str) -> String {
    let mut quoted = String::with_capacity(text.len() + 2);
    text::push_quoted(&mut quoted, text);
    quoted
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn what_may_be_meant_as_private_is_not_told_to_all() {
        for (said, expected) in [
            (json!(null), false),
            (json!(false), false),
            (json!("False"), false),
            (json!("0"), false),
            (json!(""), false),
            (json!(true), true),
            (json!("True"), true),
            (json!("1"), true),
        ] {
            assert_eq!(is_private(&said), Some(expected), "{said}");
        }
        for said in [json!("yes"), json!(1), json!({}), json!([true]), json!("private")] {
            assert_eq!(is_private(&said), None, "{said}");
        }
    }
}
