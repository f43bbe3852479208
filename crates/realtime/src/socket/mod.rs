//! One socket: what its client says is understood and answered in order, what waits for it is written beside that.
//!
//! Invariant: reading, writing and looking anew at what callers may never wait for each other. A socket leaves all of its channels when it
//! ends, however it ends.

mod asked;
mod channel;
mod joining;
mod looking;
mod saying;
mod tokens;
mod waiting;
mod watching;

use std::collections::HashMap;
use std::ops::ControlFlow;
use std::sync::Arc;
use std::time::Duration;

use axum::extract::ws::{Message, WebSocket};
use futures_util::stream::SplitSink;
use futures_util::{SinkExt, Stream, StreamExt};
use serde_json::value::RawValue;
use tokio::time::Instant;
use tokio_util::sync::CancellationToken;

use crate::Realtime;
use crate::caller::{Caller, Entrance};
use crate::connect::Guest;
use crate::outbox::Outbox;
use crate::quotas::{Seat, TooMany};
use crate::sockets::Handle;
use crate::system;
use crate::wire::{self, Incoming, NULL, Outgoing, PREFIX, Version};

use channel::Channel;
pub(crate) use joining::is_reserved;
use waiting::Waiting;

/// How long a socket that ends may take to read what it was told last.
const FAREWELL: Duration = Duration::from_secs(2);
/// The codes of a close: the server goes, a frame was none, too much was asked.
const GOING: u16 = 1012;
const NOT_UNDERSTOOD: u16 = 1007;
const TOO_MUCH: u16 = 1008;
const IDLE: u16 = 1001;

/// What the client of a socket has open.
struct Session {
    realtime: Realtime,
    outbox: Arc<Outbox>,
    handle: Arc<Handle>,
    entrance: Entrance,
    /// Whom the connection's own key stands for.
    caller: Arc<Caller>,
    seat: Seat,
    channels: HashMap<Arc<str>, Channel>,
    /// Joins that are answered when their subscriptions are.
    waiting: Waiting,
    heard: Instant,
    /// When it has to be asked again what could not be answered.
    again: Option<Instant>,
    /// Why the last join was refused.
    refused: Option<String>,
}

/// Serves a socket to its end.
pub(crate) async fn serve(realtime: Realtime, guest: Guest, version: Version, stream: WebSocket) {
    let config = realtime.config();
    let (sink, mut stream) = stream.split();
    let outbox = Arc::new(Outbox::new(version, config.queue_messages_max, config.queue_bytes_max));
    let write_time = Duration::from_millis(config.write_time_ms);
    let writing = write(sink, Arc::clone(&outbox), write_time);
    let mut session = Session::new(realtime, guest, &outbox);
    let mut writing = std::pin::pin!(writing);
    tokio::select! {
        () = &mut writing => {}
        () = session.run(&mut stream) => {
            outbox.close(1000, "");
            let _in_time = tokio::time::timeout(FAREWELL.min(write_time), &mut writing).await.is_ok();
        }
    }
    session.end();
}

/// Joins channels for somebody who only listens, and stays in them until told to stop. An error where he may join none.
pub(crate) async fn listen(
    realtime: Realtime,
    guest: Guest,
    joins: Vec<(String, String)>,
    until: CancellationToken,
) -> kernel::Result<Arc<Outbox>> {
    let config = realtime.config();
    let outbox = Arc::new(Outbox::new(Version::Events, config.queue_messages_max, config.queue_bytes_max));
    let mut session = Session::new(realtime, guest, &outbox);
    for (topic, payload) in joins {
        let payload = RawValue::from_string(payload).map_err(kernel::Error::internal)?;
        let said = Incoming { join_ref: NULL.into(), reference: NULL.into(), topic, event: "phx_join".to_owned(), payload };
        if session.join(said).await.is_break() {
            break;
        }
    }
    if session.channels.is_empty() {
        let reason = session.refused.take().unwrap_or_default();
        session.end();
        return Err(kernel::Error::new(kernel::Kind::Forbidden, "realtime_join_refused", reason));
    }
    tokio::spawn(async move {
        // Nothing is ever said by whoever only listens.
        let mut silence = futures_util::stream::pending();
        let _told = until.run_until_cancelled(session.run(&mut silence)).await;
        session.outbox.close(GOING, "the server stops");
        session.leave();
    });
    Ok(outbox)
}

/// Writes what waits, until nothing comes any more or the client takes nothing.
async fn write(mut sink: SplitSink<WebSocket, Message>, outbox: Arc<Outbox>, time: Duration) {
    loop {
        let taken = outbox.next().await;
        let is_last = taken.is_last;
        let writing = async {
            for message in taken.messages {
                sink.feed(message).await?;
            }
            sink.flush().await
        };
        match tokio::time::timeout(time, writing).await {
            Ok(Ok(())) if !is_last => {}
            Ok(_) => return,
            Err(_elapsed) => {
                metrics::counter!("realtime_sockets_stuck_total").increment(1);
                tracing::debug!("a socket took nothing for too long and was closed");
                return;
            }
        }
    }
}

impl Session {
    fn new(realtime: Realtime, guest: Guest, outbox: &Arc<Outbox>) -> Self {
        let Guest { entrance, caller, seat } = guest;
        let handle = realtime.0.sockets.add();
        handle.speaks_for(&caller);
        let (channels, heard, outbox) = (HashMap::new(), Instant::now(), Arc::clone(outbox));
        let waiting = Waiting::default();
        Self { realtime, outbox, handle, entrance, caller, seat, channels, waiting, heard, again: None, refused: None }
    }

    /// Hears what the client says, until it ends.
    async fn run(&mut self, stream: &mut (impl Stream<Item = Result<Message, axum::Error>> + Unpin)) {
        let (handle, outbox) = (Arc::clone(&self.handle), Arc::clone(&self.outbox));
        let mut stopped = std::pin::pin!(self.realtime.0.stop.clone().cancelled_owned());
        let mut alarm = std::pin::pin!(tokio::time::sleep_until(self.next_alarm()));
        loop {
            tokio::select! {
                () = &mut stopped => return outbox.close(GOING, "the server stops"),
                () = handle.touched() => Box::pin(self.look_anew(true)).await,
                () = &mut alarm => {
                    if Box::pin(self.on_time()).await.is_break() {
                        return outbox.close(IDLE, "nothing was heard for too long");
                    }
                }
                subscribed = self.waiting.next() => Box::pin(self.subscribed(subscribed)).await,
                heard = async { outbox.room().await; stream.next().await } => {
                    let Some(Ok(message)) = heard else { return };
                    self.heard = Instant::now();
                    if self.hear(message).await.is_break() {
                        return;
                    }
                }
            }
            let next = self.next_alarm();
            // It is moved back only when it rings: most of what is said puts it off.
            if next < alarm.deadline() || alarm.is_elapsed() {
                alarm.as_mut().reset(next);
            }
        }
    }

    async fn hear(&mut self, message: Message) -> ControlFlow<()> {
        match message {
            Message::Text(text) => match wire::read(text.as_str(), self.outbox.version()) {
                Some(said) => Box::pin(self.understand(said, text.len())).await,
                None => self.not_understood(),
            },
            Message::Binary(_) if self.outbox.version() != Version::Two => self.not_understood(),
            Message::Binary(bytes) => match (wire::binary::read(&bytes), wire::binary::read_plain(&bytes)) {
                (Some(push), _) => {
                    self.broadcast_binary(push, bytes.len());
                    ControlFlow::Continue(())
                }
                (None, Some(said)) => Box::pin(self.understand(said, bytes.len())).await,
                (None, None) => self.not_understood(),
            },
            Message::Ping(_) | Message::Pong(_) => ControlFlow::Continue(()),
            Message::Close(_) => ControlFlow::Break(()),
        }
    }

    fn not_understood(&self) -> ControlFlow<()> {
        self.outbox.close(NOT_UNDERSTOOD, "this is no frame of this version");
        ControlFlow::Break(())
    }

    async fn understand(&mut self, said: Incoming, bytes: usize) -> ControlFlow<()> {
        if said.event == "phx_join" {
            return self.join(said).await;
        }
        if let Err(what) = self.seat.usage.message(bytes) {
            self.too_many(&said.topic, what);
            return ControlFlow::Continue(());
        }
        if said.topic == "phoenix" && said.event == "heartbeat" {
            self.reply(&said, "ok", "{}");
            return ControlFlow::Continue(());
        }
        let Some(channel) = self.channels.get(said.topic.as_str()) else {
            if said.event == "phx_leave" {
                self.waiting.forget(&said.topic);
            }
            let (status, response) = if said.event == "phx_leave" { ("ok", "{}") } else { ("error", r#"{"reason":"unmatched topic"}"#) };
            self.reply(&said, status, response);
            return ControlFlow::Continue(());
        };
        // What was said to a channel that was joined before is nobody's any more.
        if &*said.join_ref != NULL && said.join_ref != channel.join_ref {
            return ControlFlow::Continue(());
        }
        match said.event.as_str() {
            "phx_leave" => {
                self.reply(&said, "ok", "{}");
                self.close_channel(&said.topic, None);
            }
            "access_token" => self.renew(&said).await,
            "broadcast" => self.broadcast(&said),
            "presence" => self.presence(&said),
            _ => self.reply(&said, "error", r#"{"reason":"unmatched event"}"#),
        }
        ControlFlow::Continue(())
    }

    /// Answers what was said.
    fn reply(&self, said: &Incoming, status: &str, response: &str) {
        let payload = format!("{{\"status\":\"{status}\",\"response\":{response}}}");
        let reply =
            Outgoing { join_ref: &said.join_ref, reference: &said.reference, topic: &said.topic, event: "phx_reply", payload: &payload };
        self.outbox.push(reply.frame(self.outbox.version()));
    }

    /// Answers that something cannot be.
    fn refuse(&self, said: &Incoming, reason: &str) {
        self.reply(said, "error", &format!("{{\"reason\":{}}}", wire::quoted(reason)));
    }

    /// Closes a channel whose client sends too much.
    fn too_many(&mut self, topic: &str, what: TooMany) {
        if self.channels.contains_key(topic) {
            self.close_channel(topic, Some(what.text()));
        }
    }

    /// Closes a channel, with the reason if the client did not ask for it.
    fn close_channel(&mut self, topic: &str, reason: Option<&str>) {
        let Some((text, channel)) = self.channels.remove_entry(topic) else { return };
        self.let_go(&channel);
        let version = self.outbox.version();
        if let Some(reason) = reason {
            self.outbox.push(system::say(&text, "system", Err(reason), "").frame(version));
        }
        let join_ref = &channel.join_ref;
        let close = Outgoing { join_ref, reference: join_ref, topic: &text, event: "phx_close", payload: "{}" };
        self.outbox.push(close.frame(version));
        self.note_callers();
    }

    fn let_go(&self, channel: &Channel) {
        let diff = self.realtime.0.hub.leave(&channel.topic, channel.member);
        self.realtime.0.nodes.present(&channel.topic, &diff);
        metrics::gauge!("realtime_channels").decrement(1.0);
    }

    /// Notes for whom the socket speaks now.
    fn note_callers(&self) {
        let mut callers = vec![Arc::clone(&self.caller)];
        for caller in self.channels.values().map(|channel| &channel.caller).chain(self.waiting.callers()) {
            if !callers.iter().any(|known| Arc::ptr_eq(known, caller)) {
                callers.push(Arc::clone(caller));
            }
        }
        self.handle.speaks_only_for(callers);
    }

    fn end(mut self) {
        self.outbox.abandon();
        self.leave();
    }

    fn leave(&mut self) {
        self.realtime.0.sockets.remove(&self.handle);
        self.waiting = Waiting::default();
        for channel in std::mem::take(&mut self.channels).into_values() {
            self.let_go(&channel);
        }
    }
}

/// Returns the name of a channel, without the prefix.
fn name_of(topic: &str) -> Option<&str> {
    topic.strip_prefix(PREFIX).filter(|name| !name.is_empty() && topic.len() <= wire::NAME_BYTES_MAX)
}
