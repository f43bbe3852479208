//! What a client says in a channel: broadcasts, presence, another token.
//!
//! Invariant: nothing is told to others before the limits and the caller's rights were looked at.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use serde::Deserialize;
use serde::de::IgnoredAny;
use serde_json::value::RawValue;
use serde_json::{Map, Value};
use tokio::time::Instant;

use super::Session;
use super::channel::Channel;
use super::tokens;
use crate::quotas::TooMany;
use crate::told::{Content, Told};
use crate::wire::binary::Push;
use crate::wire::{self, Incoming, NAME_BYTES_MAX, NULL, Outgoing};

/// A broadcast as most clients write it: whatever else there is beside that makes it another one.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Plain<'a> {
    r#type: String,
    event: String,
    #[serde(borrow)]
    payload: &'a RawValue,
    /// Nobody reads it.
    #[serde(default, rename = "meta")]
    _meta: IgnoredAny,
}

/// Any other, which may have an event.
type Fields<'a> = BTreeMap<String, &'a RawValue>;

#[derive(Deserialize)]
struct Presence {
    event: String,
    /// Null is no payload that could be tracked, and none at all is an empty one.
    #[serde(default, deserialize_with = "said")]
    payload: Option<Value>,
}

fn said<'de, D: serde::Deserializer<'de>>(payload: D) -> Result<Option<Value>, D::Error> {
    Value::deserialize(payload).map(Some)
}

#[derive(Deserialize)]
struct Token {
    access_token: Option<String>,
}

impl Session {
    /// A broadcast in a text frame.
    pub(super) fn broadcast(&self, said: &Incoming) {
        let Some((event, content)) = broadcast(said.payload.get()) else {
            return self.refuse(said, "The payload of a broadcast is an object");
        };
        if event.len() > NAME_BYTES_MAX {
            return self.refuse(said, "An event has at most 255 bytes");
        }
        let Some(channel) = self.channels.get(said.topic.as_str()) else { return };
        if self.tell(channel, &event, &content) && channel.acknowledges {
            self.reply(said, "ok", "{}");
        }
    }

    /// A broadcast in a binary frame.
    pub(super) fn broadcast_binary(&mut self, push: Push, bytes: usize) {
        if let Err(what) = self.seat.usage.message(bytes) {
            return self.too_many(&push.topic, what);
        }
        let join_ref = if push.join_ref.is_empty() { NULL.to_owned() } else { wire::quoted(&push.join_ref) };
        let reference = if push.reference.is_empty() { NULL.to_owned() } else { wire::quoted(&push.reference) };
        let answer = |status: &str, response: &str| {
            let payload = format!("{{\"status\":\"{status}\",\"response\":{response}}}");
            let (join_ref, reference, topic) = (join_ref.as_str(), reference.as_str(), push.topic.as_str());
            let reply = Outgoing { join_ref, reference, topic, event: "phx_reply", payload: &payload };
            self.outbox.push(reply.frame(self.outbox.version()));
        };
        let Some(channel) = self.channels.get(push.topic.as_str()) else {
            return answer("error", r#"{"reason":"unmatched topic"}"#);
        };
        if join_ref != NULL && join_ref != *channel.join_ref {
            return;
        }
        let content = if push.is_json {
            let json: Option<&RawValue> = serde_json::from_slice(&push.payload).ok();
            let Some(json) = json else { return answer("error", r#"{"reason":"The payload is no JSON"}"#) };
            Content::Json(json.get().into())
        } else {
            Content::Bytes(push.payload)
        };
        if self.tell(channel, &push.event, &content) && channel.acknowledges {
            answer("ok", "{}");
        }
    }

    /// Tells everybody in the channel, here and at the other servers; tells whether he may.
    fn tell(&self, channel: &Channel, event: &str, content: &Content) -> bool {
        if !channel.rights.tells_broadcast {
            // Clients know that by the answer that does not come.
            metrics::counter!("realtime_writes_refused_total").increment(1);
            return false;
        }
        let told = Told::broadcast(channel.topic.clone(), event, content.clone(), "");
        self.realtime.0.hub.tell(&told, Some(channel.member));
        self.realtime.0.nodes.broadcast(&channel.topic, event, content);
        true
    }

    /// Somebody is present, is so in another way, or is so no more.
    pub(super) fn presence(&mut self, said: &Incoming) {
        let config = self.realtime.config();
        let (max, window) = (config.presence_calls_max, Duration::from_secs(config.presence_window_s));
        let (bytes_max, entries_max) = (config.presence_bytes_max, config.presence_entries_max);
        let Some(channel) = self.channels.get_mut(said.topic.as_str()) else { return };
        if !channel.calls.count(max, window) {
            let what = self.seat.usage.refuse(TooMany::Presence);
            return self.close_channel(&said.topic, Some(what.text()));
        }
        let Some(channel) = self.channels.get_mut(said.topic.as_str()) else { return };
        let Ok(Presence { event, payload }) = serde_json::from_str(said.payload.get()) else {
            return self.refuse(said, "Presence has an event");
        };
        if said.payload.get().len() > bytes_max {
            return self.refuse(said, &format!("Presence has at most {bytes_max} bytes"));
        }
        let hub = &self.realtime.0.hub;
        let diff = match (event.to_ascii_lowercase().as_str(), payload) {
            ("track", _) if !channel.rights.tells_presence => {
                return self.refuse(said, "Unauthorized: You may not be present in this channel");
            }
            ("track", payload) => {
                let Value::Object(payload) = payload.unwrap_or_else(|| Map::new().into()) else {
                    return self.refuse(said, "Presence track payload must be a map");
                };
                if channel.tracked.as_ref() == Some(&payload) {
                    return self.reply(said, "ok", "{}");
                }
                match hub.track(&channel.topic, (channel.member, &channel.presence_key), payload.clone(), entries_max) {
                    Some(diff) => {
                        channel.tracked = Some(payload);
                        diff
                    }
                    None => return self.refuse(said, &format!("At most {entries_max} are present in a channel")),
                }
            }
            ("untrack", _) => {
                channel.tracked = None;
                hub.untrack(&channel.topic, channel.member)
            }
            _ => return self.refuse(said, "Presence has the events track and untrack"),
        };
        self.realtime.0.nodes.present(&channel.topic, &diff);
        let is_new = !channel.hears_presence && channel.rights.hears_presence;
        self.reply(said, "ok", "{}");
        if is_new {
            self.hear_presence(&said.topic);
        }
    }

    /// Whoever tracks wants to know of the others, too.
    fn hear_presence(&mut self, topic: &str) {
        let Some(channel) = self.channels.get_mut(topic) else { return };
        channel.hears_presence = true;
        self.realtime.0.hub.hear_presence(&channel.topic, channel.member, &channel.join_ref);
    }

    /// Another token for a channel.
    pub(super) async fn renew(&mut self, said: &Incoming) {
        let token = serde_json::from_str(said.payload.get()).ok().and_then(|Token { access_token }| access_token);
        let Some(token) = token.filter(|token| !token.is_empty() && !crate::caller::is_key(token)) else { return };
        let Some(channel) = self.channels.get(said.topic.as_str()) else { return };
        if channel.caller.showed(&token) {
            return;
        }
        match self.speaker(Some(&token)).await {
            Ok(caller) => {
                self.handle.speaks_for(&caller);
                if let Some(channel) = self.channels.get_mut(said.topic.as_str()) {
                    if let Some(watching) = &channel.watching {
                        watching.renew(&caller);
                    }
                    (channel.caller, channel.asked) = (Arc::clone(&caller), Instant::now());
                }
                self.note_callers();
                self.look_at(&[Arc::clone(&said.topic.as_str().into())]).await;
            }
            Err(reason) => self.close_channel(&said.topic, Some(tokens::without_code(&reason))),
        }
    }
}

/// Reads a broadcast: its event, and what is told. Clients write what they tell below `payload`, or beside the event. Beside a `payload`
/// clients read `meta` as the server's word, so that nobody else's is told there.
fn broadcast(payload: &str) -> Option<(String, Content)> {
    if let Ok(Plain { r#type, event, payload, .. }) = serde_json::from_str(payload)
        && r#type == "broadcast"
    {
        return Some((event, Content::Json(payload.get().into())));
    }
    let mut fields: Fields<'_> = serde_json::from_str(payload).ok()?;
    let event = fields.get("event").and_then(|event| serde_json::from_str(event.get()).ok()).unwrap_or_default();
    if fields.contains_key("payload") && fields.remove("meta").is_some() {
        return Some((event, Content::Whole(serde_json::to_string(&fields).ok()?.into())));
    }
    Some((event, Content::Whole(payload.into())))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_stands_beside_the_event_is_told_too() {
        for (payload, event, content) in [
            (r#"{"type":"broadcast","event":"hi","payload":{"a":1}}"#, "hi", Content::Json("{\"a\":1}".into())),
            (r#"{"type":"broadcast","event":"hi","payload":null}"#, "hi", Content::Json("null".into())),
            (r#"{"type":"broadcast","event":"hi","x":1}"#, "hi", Content::Whole(r#"{"type":"broadcast","event":"hi","x":1}"#.into())),
            (
                r#"{"type":"broadcast","event":"hi","payload":1,"x":1}"#,
                "hi",
                Content::Whole(r#"{"type":"broadcast","event":"hi","payload":1,"x":1}"#.into()),
            ),
            (r#"{"type":"broadcast","event":"hi","payload":1,"meta":{"id":"x"}}"#, "hi", Content::Json("1".into())),
            (
                r#"{"type":"x","event":"hi","payload":1,"\u006deta":{}}"#,
                "hi",
                Content::Whole(r#"{"event":"hi","payload":1,"type":"x"}"#.into()),
            ),
            (r#"{"payload":1,"meta":1,"x":1,"meta":2}"#, "", Content::Whole(r#"{"payload":1,"x":1}"#.into())),
            (r#"{"event":"hi","meta":{"mine":1}}"#, "hi", Content::Whole(r#"{"event":"hi","meta":{"mine":1}}"#.into())),
            (r#"{"x":1}"#, "", Content::Whole(r#"{"x":1}"#.into())),
            (r#"{"event":7}"#, "", Content::Whole(r#"{"event":7}"#.into())),
            ("{}", "", Content::Whole("{}".into())),
            (
                r#"{"type":"broadcast","event":"hi","payload":{"a":1.10},"me\u0074a":{"replayed":true},"meta":7,"q\"":[ 1 ]}"#,
                "hi",
                Content::Whole(r#"{"event":"hi","payload":{"a":1.10},"q\"":[ 1 ],"type":"broadcast"}"#.into()),
            ),
        ] {
            assert_eq!(broadcast(payload), Some((event.to_owned(), content)), "{payload}");
        }
        for none in ["null", "7", "[1]", "\"x\"", r#"{"\ud800":1,"meta":{"id":"x"}}"#] {
            assert_eq!(broadcast(none), None, "{none}");
        }
    }
}
