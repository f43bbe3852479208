//! What waits to be sent to one socket.
//!
//! Invariant: it is bounded by count and bytes. What does not fit is counted for its channel, and the socket is told of it as soon as it
//! has read what was before; answers to what a socket said itself always fit, since nothing more is read from it while it is full.

use std::collections::VecDeque;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use axum::extract::ws::{CloseFrame, Message, Utf8Bytes};
use tokio::sync::Notify;

use crate::system;
use crate::wire::Version;

/// What it is asked for at once.
const TAKE_MAX: usize = 64;

/// The queue of one socket.
#[derive(Debug)]
pub(crate) struct Outbox {
    version: Version,
    messages_max: usize,
    bytes_max: usize,
    state: Mutex<State>,
    /// There is something to send.
    filled: Notify,
    /// There is room.
    emptied: Notify,
}

#[derive(Debug, Default)]
struct State {
    waiting: VecDeque<Message>,
    bytes: usize,
    /// How many were missed of which channel.
    missed: Vec<(Arc<str>, u64)>,
    /// Why it ends, once that is so.
    end: Option<(u16, &'static str)>,
    is_over: bool,
}

/// What is to be sent next.
#[derive(Debug, Default)]
pub(crate) struct Taken {
    pub(crate) messages: Vec<Message>,
    /// Nothing comes after them.
    pub(crate) is_last: bool,
}

impl Outbox {
    pub(crate) fn new(version: Version, messages_max: usize, bytes_max: usize) -> Self {
        Self { version, messages_max, bytes_max, state: Mutex::default(), filled: Notify::new(), emptied: Notify::new() }
    }

    /// Returns how its socket is spoken to.
    pub(crate) fn version(&self) -> Version {
        self.version
    }

    /// Puts in what answers the socket itself.
    pub(crate) fn push(&self, message: Message) {
        let mut state = self.state();
        state.put(message);
        drop(state);
        self.filled.notify_one();
    }

    /// Puts in what is told to many, or counts it as missed. Returns whether it was put in.
    pub(crate) fn tell(&self, message: &Message, topic: &Arc<str>) -> bool {
        let mut state = self.state();
        if self.is_full(&state, size(message)) {
            state.miss(topic, 1);
            metrics::counter!("realtime_missed_total").increment(1);
            return false;
        }
        state.put(message.clone());
        drop(state);
        self.filled.notify_one();
        true
    }

    /// Puts in what may wait at its source, as soon as there is room.
    pub(crate) async fn push_in_turn(&self, message: Message) {
        loop {
            let emptied = self.emptied.notified();
            {
                let mut state = self.state();
                if state.is_over || !self.is_full(&state, size(&message)) {
                    state.put(message);
                    break;
                }
            }
            emptied.await;
        }
        self.filled.notify_one();
    }

    /// Waits until there is room.
    pub(crate) async fn room(&self) {
        loop {
            let emptied = self.emptied.notified();
            {
                let state = self.state();
                if state.is_over || !self.is_full(&state, 0) {
                    return;
                }
            }
            emptied.await;
        }
    }

    /// Waits for something to send.
    pub(crate) async fn next(&self) -> Taken {
        loop {
            let filled = self.filled.notified();
            if let Some(taken) = self.take() {
                self.emptied.notify_waiters();
                return taken;
            }
            filled.await;
        }
    }

    /// Ends it: what waits is sent, then the close with this code.
    pub(crate) fn close(&self, code: u16, reason: &'static str) {
        let mut state = self.state();
        if state.end.is_none() {
            state.end = Some((code, reason));
        }
        drop(state);
        self.filled.notify_one();
    }

    /// Nobody sends any more.
    pub(crate) fn abandon(&self) {
        let mut state = self.state();
        *state = State { is_over: true, ..State::default() };
        drop(state);
        self.emptied.notify_waiters();
    }

    fn take(&self) -> Option<Taken> {
        let mut state = self.state();
        let mut messages: Vec<Message> = Vec::new();
        while messages.len() < TAKE_MAX
            && let Some(message) = state.waiting.pop_front()
        {
            state.bytes = state.bytes.saturating_sub(size(&message));
            messages.push(message);
        }
        if !state.waiting.is_empty() {
            return Some(Taken { messages, is_last: false });
        }
        // A socket that is slow now and then is as small in between as all others.
        state.waiting.shrink_to(0);
        for (topic, count) in std::mem::take(&mut state.missed) {
            messages.push(system::resync(&topic, "slow_reader", count).frame(self.version));
        }
        match state.end {
            Some((code, reason)) => {
                if self.version != Version::Events {
                    messages.push(Message::Close(Some(CloseFrame { code, reason: Utf8Bytes::from_static(reason) })));
                }
                Some(Taken { messages, is_last: true })
            }
            None => (!messages.is_empty()).then_some(Taken { messages, is_last: false }),
        }
    }

    /// The first message always fits, however large it is.
    fn is_full(&self, state: &State, more: usize) -> bool {
        !state.waiting.is_empty() && (state.waiting.len() >= self.messages_max || state.bytes.saturating_add(more) > self.bytes_max)
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl State {
    fn put(&mut self, message: Message) {
        if self.is_over || self.end.is_some() {
            return;
        }
        self.bytes = self.bytes.saturating_add(size(&message));
        self.waiting.push_back(message);
    }

    fn miss(&mut self, topic: &Arc<str>, count: u64) {
        if self.is_over {
            return;
        }
        match self.missed.iter_mut().find(|(known, _)| known == topic) {
            Some((_, missed)) => *missed = missed.saturating_add(count),
            // A socket's channels are bounded, and so is this.
            None => self.missed.push((Arc::clone(topic), count)),
        }
    }
}

fn size(message: &Message) -> usize {
    match message {
        Message::Text(text) => text.len(),
        Message::Binary(bytes) | Message::Ping(bytes) | Message::Pong(bytes) => bytes.len(),
        Message::Close(_) => 0,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn text(message: &Message) -> &str {
        message.to_text().unwrap()
    }

    #[tokio::test]
    async fn what_does_not_fit_is_said_once_the_rest_was_read() {
        let outbox = Outbox::new(Version::Two, 2, 1000);
        let (room, other): (Arc<str>, Arc<str>) = ("realtime:room".into(), "realtime:other".into());
        let told: Vec<bool> = (0..5).map(|number| outbox.tell(&Message::Text(number.to_string().into()), &room)).collect();
        assert_eq!(told, [true, true, false, false, false]);
        assert!(!outbox.tell(&Message::Text("x".into()), &other));
        outbox.push(Message::Text("reply".into()));
        let taken = outbox.next().await.messages;
        let said: Vec<&str> = taken.iter().map(text).collect();
        assert_eq!(said[..3], ["0", "1", "reply"]);
        assert!(said[3].contains("\"realtime:room\",\"system\"") && said[3].contains("\"missed\":3"), "{}", said[3]);
        assert!(said[4].contains("\"realtime:other\"") && said[4].contains("\"missed\":1"), "{}", said[4]);
        assert!(outbox.tell(&Message::Text("again".into()), &room));
    }

    #[tokio::test]
    async fn a_large_message_fits_into_an_empty_queue_and_the_end_comes_last() {
        let outbox = Outbox::new(Version::Two, 10, 4);
        let room: Arc<str> = "realtime:room".into();
        assert!(outbox.tell(&Message::Text("123456".into()), &room));
        assert!(!outbox.tell(&Message::Text("1".into()), &room));
        outbox.close(1012, "stop");
        let taken = outbox.next().await;
        assert!(taken.is_last && matches!(taken.messages.last(), Some(Message::Close(_))));
    }
}
