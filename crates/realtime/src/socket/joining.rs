//! Joining a channel.
//!
//! Invariant: the answer is on its way before anything that the channel tells, and a channel is told of from the answer on.

use std::ops::ControlFlow;
use std::sync::Arc;
use std::time::Duration;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use kernel::Subject;
use postgres::feed::Way;
use serde_json::Value;
use tokio::sync::oneshot;
use tokio::time::Instant;
use uuid::Uuid;

use super::asked::Asked;
use super::channel::{Calls, Channel};
use super::waiting::{Gate, Join};
use super::watching::{EXTENSION, Teller, Watching};
use super::{Session, TOO_MUCH, name_of, tokens};
use crate::caller::{Caller, is_key};
use crate::hub::{Member, MemberId};
use crate::quotas::TooMany;
use crate::replays::Replays;
use crate::rights::{Replayed, Rights};
use crate::system;
use crate::told::{Content, Told, Topic};
use crate::wire::{Incoming, PREFIX};

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
            if said.topic == PREFIX {
                self.refuse(&said, "TopicNameRequired: You must provide a topic name");
                return ControlFlow::Continue(());
            }
            self.reply(&said, "error", r#"{"reason":"unmatched topic"}"#);
            return ControlFlow::Continue(());
        };
        let name: Arc<str> = name.into();
        self.close_channel(&said.topic, None);
        self.waiting.forget(&said.topic);
        if self.channels.len().saturating_add(self.waiting.len()) >= self.realtime.config().channels_max {
            self.refuse(&said, self.seat.usage.refuse(TooMany::Channels).text());
            return ControlFlow::Continue(());
        }
        let asked = match Asked::read(said.payload.get(), &name) {
            Ok(asked) => asked,
            Err(reason) => {
                self.refuse(&said, &reason);
                self.refused = Some(reason);
                return ControlFlow::Continue(());
            }
        };
        match self.admit(&asked, &name).await {
            Ok((caller, rights)) => {
                let topic = Topic { is_private: asked.is_private, name };
                self.begin(said, asked, (caller, rights), topic).await;
            }
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
        let rights = self.may_enter(asked, &caller, name).await?;
        Ok((caller, rights))
    }

    /// Finds out what somebody may in a channel, or why he may not be there.
    pub(super) async fn may_enter(&self, asked: &Asked, caller: &Arc<Caller>, name: &Arc<str>) -> Result<Rights, String> {
        if caller.expires.is_some_and(|expires| expires <= jiff::Timestamp::now().as_second()) {
            return Err(tokens::expired(caller.expires));
        }
        let gate = &self.realtime.0.gate;
        if asked.is_private {
            let rights = gate.rights(caller, name).await.map_err(|error| unanswered(&error))?;
            let hears = if asked.replay.is_some() { rights.hears_broadcast } else { rights.hears() };
            return if hears { Ok(rights) } else { Err(may_not_read(name)) };
        }
        if is_reserved(name) {
            return Err("PrivateOnly: This channel has to be joined as a private one".to_owned());
        }
        if !self.realtime.config().public_channels {
            return Err("PrivateOnly: This project only allows private channels".to_owned());
        }
        if !matches!(caller.principal.subject(), Subject::Anonymous | Subject::Service) {
            gate.greet(caller).await.map_err(|error| unanswered(&error))?;
        }
        Ok(Rights::ALL)
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
        let caller = shown.map_err(|refusal| tokens::refused(refusal, Some(token)))?;
        match caller.expires {
            // A socket stays: what is forgiven to clocks that differ is not forgiven here.
            Some(expires) if expires <= jiff::Timestamp::now().as_second() => Err(tokens::expired(caller.expires)),
            None if !matches!(caller.principal.subject(), Subject::Pass(_)) => Err(tokens::endless()),
            _ => Ok(caller),
        }
    }

    /// Has somebody enter who may, or wait for his subscription.
    async fn begin(&mut self, said: Incoming, mut asked: Asked, (caller, rights): (Arc<Caller>, Rights), topic: Topic) {
        let Some(time) = asked.wait.filter(|_| asked.fault.is_some() || !asked.wanted.is_empty()) else {
            return self.enter(said, asked, (caller, rights), (topic, None)).await;
        };
        if let Some(fault) = &asked.fault {
            return self.refuse(&said, &format!("RealtimeDisabledForConfiguration: {fault}"));
        }
        let time = time.min(Duration::from_millis(self.realtime.config().subscribe_wait_max_ms));
        let gate = self.waiting.gate(time);
        let text: Arc<str> = said.topic.as_str().into();
        let watching = self.watch(&mut asked, &caller, &text, Some(gate));
        self.waiting.add(text, Join { said, asked, caller, topic, watching });
    }

    /// Subscribes to the changed rows that were asked for.
    fn watch(&self, asked: &mut Asked, caller: &Caller, text: &Arc<str>, gate: Option<(Gate, oneshot::Sender<()>)>) -> Watching {
        let wanted = (std::mem::take(&mut asked.wanted), asked.since.take());
        let teller = Teller { outbox: Arc::clone(&self.outbox), topic: Arc::clone(text), is_by_topic: asked.is_by_topic };
        Watching::begin(self.realtime.0.changes.clone(), caller, wanted, teller, gate)
    }

    /// Lets somebody in, who may and whose subscription is there if he waited for it.
    pub(super) async fn enter(
        &mut self,
        said: Incoming,
        mut asked: Asked,
        (caller, rights): (Arc<Caller>, Rights),
        (topic, watching): (Topic, Option<Watching>),
    ) {
        let text: Arc<str> = said.topic.as_str().into();
        let hears_presence = asked.wants_presence && rights.hears_presence;
        let bindings = Value::Array(std::mem::take(&mut asked.bindings)).to_string();
        self.reply(&said, "ok", &format!("{{\"postgres_changes\":{bindings}}}"));
        let member = Member {
            outbox: Arc::clone(&self.outbox),
            topic: Arc::clone(&text),
            hears_itself: asked.hears_itself,
            hears_broadcast: rights.hears_broadcast,
            hears_presence,
            user: caller.principal.user_id(),
            replays: asked.replay.map(|_| Replays::default()),
            says_ready: asked.says_ready,
        };
        let member = self.realtime.0.hub.join(&topic, member, hears_presence.then_some(&*said.join_ref));
        metrics::gauge!("realtime_channels").increment(1.0);
        let watching = match (watching, &asked.fault) {
            (Some(mut watching), _) => {
                watching.open();
                Some(watching)
            }
            (None, Some(fault)) => {
                self.outbox.push(system::say(&text, EXTENSION, Err(fault), "").frame(self.outbox.version()));
                None
            }
            (None, None) => (!asked.wanted.is_empty()).then(|| self.watch(&mut asked, &caller, &text, None)),
        };
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
            tracked: None,
            calls: Calls::new(),
            watching,
        };
        self.channels.insert(Arc::clone(&text), channel);
        if let Some(replay) = asked.replay {
            self.replay((&topic, &text), member, replay).await;
        }
        // Otherwise it is said when the feed opens, which has this member by now.
        if asked.says_ready && self.realtime.0.feed.way() != Way::Closed {
            self.outbox.push(system::ready(&text).frame(self.outbox.version()));
        }
    }

    /// Tells again what SQL sent to a private channel.
    async fn replay(&self, (topic, text): (&Topic, &Arc<str>), member: MemberId, (since, limit): (i64, u32)) {
        let limit = limit.min(self.realtime.config().replay_messages_max);
        match self.realtime.0.gate.replay(&topic.name, since, limit).await {
            Ok(messages) => {
                let told: Vec<Told> = messages.iter().filter_map(|message| again(topic, message)).collect();
                self.realtime.0.hub.tell_again(topic, member, &told);
            }
            Err(error) => {
                self.realtime.0.hub.tell_again(topic, member, &[]);
                tracing::warn!(code = error.code(), "messages could not be told again: {}", error.message());
                let said = system::say(text, "system", Err("UnableToReplayMessages: Realtime was unable to replay messages"), "");
                self.outbox.push(said.frame(self.outbox.version()));
            }
        }
    }
}

/// Returns a message that is told again.
fn again(topic: &Topic, message: &Replayed) -> Option<Told> {
    let content = match (&message.payload, &message.bytes) {
        (Some(json), _) => Content::Json(json.as_str().into()),
        (None, Some(text)) => Content::Bytes(STANDARD.decode(text.replace('\n', "")).ok()?.into()),
        (None, None) => return None,
    };
    Some(Told::kept(topic.clone(), &message.event, content, (message.id, true)))
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
