//! Joining a channel.
//!
//! Invariant: the answer is on its way before anything that the channel tells, and a channel is told of from the answer on.

use std::ops::ControlFlow;
use std::sync::Arc;

use axum::extract::ws::Message;
use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use kernel::Subject;
use serde_json::Value;
use tokio::time::Instant;
use uuid::Uuid;

use super::channel::{Asked, Calls, Channel};
use super::watching::Watching;
use super::{Session, TOO_MUCH, name_of};
use crate::caller::{Caller, is_key};
use crate::hub::Member;
use crate::quotas::TooMany;
use crate::rights::{Replayed, Rights};
use crate::system;
use crate::told::{Content, Told, Topic};
use crate::wire::Incoming;

/// How topics begin whose channels are private whatever a client says.
const RESERVED: [&str; 4] = ["company:", "task:", "import:", "export:"];

/// Tells whether a channel of this name is private in any case.
pub(crate) fn is_reserved(name: &str) -> bool {
    RESERVED.iter().any(|prefix| name.starts_with(prefix))
}

impl Session {
    /// Joins a channel, or says why not.
    pub(super) async fn join(&mut self, said: Incoming) -> ControlFlow<()> {
        if let Err(what) = self.seat.usage.join() {
            self.refuse(&said, what.text());
            self.outbox.close(TOO_MUCH, what.text());
            return ControlFlow::Break(());
        }
        let Some(name) = name_of(&said.topic) else {
            self.reply(&said, "error", r#"{"reason":"unmatched topic"}"#);
            return ControlFlow::Continue(());
        };
        let name: Arc<str> = name.into();
        self.close_channel(&said.topic, None);
        if self.channels.len() >= self.realtime.config().channels_max {
            self.refuse(&said, self.seat.usage.refuse(TooMany::Channels).text());
            return ControlFlow::Continue(());
        }
        let asked = match Asked::read(said.payload.get()) {
            Ok(asked) => asked,
            Err(reason) => {
                self.refuse(&said, &reason);
                self.refused = Some(reason);
                return ControlFlow::Continue(());
            }
        };
        match self.admit(&asked, &name).await {
            Ok((caller, rights)) => self.enter(said, asked, (caller, rights), Topic { is_private: false, name }).await,
            Err(reason) => {
                self.refuse(&said, &reason);
                self.refused = Some(reason);
            }
        }
        self.note_callers();
        ControlFlow::Continue(())
    }

    /// Finds out who joins, and what he may there; or why he may not.
    async fn admit(&mut self, asked: &Asked, name: &Arc<str>) -> Result<(Arc<Caller>, Rights), String> {
        let caller = self.speaker(asked.token.as_deref()).await?;
        // Before it is asked what he may, so that a change meanwhile is heard of.
        self.handle.speaks_for(&caller);
        let gate = &self.realtime.0.gate;
        if asked.is_private {
            let rights = gate.rights(&caller, name).await.map_err(|error| unanswered(&error))?;
            return if rights.hears() { Ok((caller, rights)) } else { Err(may_not_read(name)) };
        }
        if is_reserved(name) || !self.realtime.config().public_channels {
            return Err("PrivateOnly: This channel has to be joined as a private one".to_owned());
        }
        if !matches!(caller.principal.subject(), Subject::Anonymous | Subject::Service) {
            gate.greet(&caller).await.map_err(|error| unanswered(&error))?;
        }
        Ok((caller, Rights::ALL))
    }

    /// Returns for whom a token speaks; for the connection's key without one.
    pub(super) async fn speaker(&self, token: Option<&str>) -> Result<Arc<Caller>, String> {
        let Some(token) = token.filter(|token| !is_key(token)) else { return Ok(Arc::clone(&self.caller)) };
        let known = std::iter::once(&self.caller).chain(self.channels.values().map(|channel| &channel.caller));
        if let Some(known) = known.into_iter().find(|caller| caller.showed(token)) {
            let now = jiff::Timestamp::now().as_second();
            if known.expires.is_none_or(|expires| expires > now) {
                return Ok(Arc::clone(known));
            }
        }
        let shown = self.entrance.caller(&self.realtime.0.auth, Some(token)).await;
        let caller = shown.map_err(|refusal| format!("InvalidJWTToken: {}", refusal.for_data_api().message()))?;
        // A socket stays: what is forgiven to clocks that differ is not forgiven here.
        if caller.expires.is_some_and(|expires| expires <= jiff::Timestamp::now().as_second()) {
            return Err("InvalidJWTToken: Token has expired".to_owned());
        }
        Ok(caller)
    }

    async fn enter(&mut self, said: Incoming, asked: Asked, (caller, rights): (Arc<Caller>, Rights), topic: Topic) {
        let topic = Topic { is_private: asked.is_private, ..topic };
        let text: Arc<str> = said.topic.as_str().into();
        let hears_presence = asked.wants_presence && rights.hears_presence;
        let bindings = Value::Array(asked.bindings).to_string();
        self.reply(&said, "ok", &format!("{{\"postgres_changes\":{bindings}}}"));
        let member = Member {
            outbox: Arc::clone(&self.outbox),
            topic: Arc::clone(&text),
            hears_itself: asked.hears_itself,
            hears_broadcast: rights.hears_broadcast,
            hears_presence,
            user: caller.principal.user_id(),
        };
        let member = self.realtime.0.hub.join(&topic, member, hears_presence.then_some(&*said.join_ref));
        metrics::gauge!("realtime_channels").increment(1.0);
        let watching = (!asked.wanted.is_empty()).then(|| {
            let changes = self.realtime.0.changes.clone();
            Watching::begin(changes, &caller, (asked.wanted, asked.since), (Arc::clone(&self.outbox), Arc::clone(&text)))
        });
        let presence_key = if asked.presence_key.is_empty() { Uuid::now_v7().to_string() } else { asked.presence_key };
        let channel = Channel {
            topic: topic.clone(),
            join_ref: said.join_ref,
            member,
            caller,
            rights,
            asked: Instant::now(),
            acknowledges: asked.acknowledges,
            presence_key: presence_key.into(),
            hears_presence,
            calls: Calls::new(),
            watching,
        };
        self.channels.insert(Arc::clone(&text), channel);
        if let Some((since, limit)) = asked.replay {
            self.replay((&topic, &text), rights, (since, limit)).await;
        }
        if asked.says_ready {
            let ready = system::say(&text, "system", Ok("Replication connection established"), "");
            self.outbox.push(ready.frame(self.outbox.version()));
        }
    }

    /// Tells again what SQL sent to a private channel.
    async fn replay(&self, (topic, text): (&Topic, &Arc<str>), rights: Rights, (since, limit): (i64, u32)) {
        let version = self.outbox.version();
        let complain = |why: &str| self.outbox.push(system::say(text, "system", Err(why), "").frame(version));
        if !topic.is_private || !rights.hears_broadcast {
            return complain("Only private channels have messages told again");
        }
        let limit = limit.min(self.realtime.config().replay_messages_max);
        match self.realtime.0.gate.replay(&topic.name, since, limit).await {
            Ok(messages) => messages.iter().filter_map(|message| again(topic, message, version)).for_each(|frame| self.outbox.push(frame)),
            Err(error) => {
                tracing::warn!(code = error.code(), "messages could not be told again: {}", error.message());
                complain("Messages could not be told again");
            }
        }
    }
}

/// Returns the frame of a message that is told again.
fn again(topic: &Topic, message: &Replayed, version: crate::wire::Version) -> Option<Message> {
    let content = match (&message.payload, &message.bytes) {
        (Some(json), _) => Content::Json(json.as_str().into()),
        (None, Some(text)) => Content::Bytes(STANDARD.decode(text.replace('\n', "")).ok()?.into()),
        (None, None) => return None,
    };
    let meta = format!("{{\"replayed\":true,\"id\":\"{}\"}}", message.id);
    Told::broadcast(topic.clone(), &message.event, content, &meta).frame(version).cloned()
}

/// The sentence that clients know.
pub(crate) fn may_not_read(name: &str) -> String {
    format!("Unauthorized: You do not have permissions to read from this Channel topic: {name}")
}

/// Says why it could not be answered what somebody may.
fn unanswered(error: &kernel::Error) -> String {
    match error.status().as_u16() {
        401 | 403 | 404 => format!("Unauthorized: {}", error.message()),
        _ => {
            tracing::warn!(code = error.code(), "it could not be asked what a caller may: {}", error.message());
            "The channel's policies could not be asked; try again".to_owned()
        }
    }
}
