//! What the server itself tells a channel: the event `system`.
//!
//! Invariant: each names its channel, and whoever has to read anew finds the word "resync" in it.

use axum::extract::ws::Message;

use crate::wire::{self, NULL, Outgoing, PREFIX, Version};

/// A message of the server's own.
pub(crate) struct System {
    topic: String,
    payload: String,
}

impl System {
    /// Returns the frame.
    pub(crate) fn frame(&self, version: Version) -> Message {
        Outgoing { join_ref: NULL, reference: NULL, topic: &self.topic, event: "system", payload: &self.payload }.frame(version)
    }
}

/// Makes a message of the server's own. `more` is what stands behind, with its comma.
pub(crate) fn say(topic: &str, extension: &str, outcome: Result<&str, &str>, more: &str) -> System {
    let name = topic.strip_prefix(PREFIX).unwrap_or(topic);
    let (status, message) = match outcome {
        Ok(message) => ("ok", message),
        Err(message) => ("error", message),
    };
    let payload = format!(
        "{{\"message\":{},\"status\":\"{status}\",\"extension\":\"{extension}\",\"channel\":{}{more}}}",
        wire::quoted(message),
        wire::quoted(name)
    );
    System { topic: topic.to_owned(), payload }
}

/// Tells a channel that what SQL sends is told.
pub(crate) fn ready(topic: &str) -> System {
    say(topic, "system", Ok("Replication connection established"), "")
}

/// Tells a channel that messages of it were not delivered.
pub(crate) fn resync(topic: &str, reason: &str, missed: u64) -> System {
    let message = format!("resync: messages were not delivered ({reason})");
    say(topic, "system", Err(&message), &format!(",\"code\":\"resync\",\"reason\":\"{reason}\",\"missed\":{missed}"))
}
