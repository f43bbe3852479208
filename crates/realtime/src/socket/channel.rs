//! A channel that a socket has joined.
//!
//! Invariant: calls of presence are counted for each channel by itself, in a window of its own.

use std::sync::Arc;
use std::time::Duration;

use serde_json::{Map, Value};
use tokio::time::Instant;

use super::watching::Watching;
use crate::caller::Caller;
use crate::hub::MemberId;
use crate::rights::Rights;
use crate::told::Topic;
use crate::wire::Ref;

/// A channel of a socket.
pub(super) struct Channel {
    pub(super) topic: Topic,
    pub(super) join_ref: Ref,
    pub(super) member: MemberId,
    pub(super) caller: Arc<Caller>,
    pub(super) rights: Rights,
    /// When he was asked for last.
    pub(super) asked: Instant,
    pub(super) acknowledges: bool,
    pub(super) presence_key: Box<str>,
    pub(super) hears_presence: bool,
    /// What its client tracks.
    pub(super) tracked: Option<Map<String, Value>>,
    pub(super) calls: Calls,
    pub(super) watching: Option<Watching>,
}

/// Calls of presence in the running window.
pub(super) struct Calls {
    since: Instant,
    count: u32,
}

impl Calls {
    pub(super) fn new() -> Self {
        Self { since: Instant::now(), count: 0 }
    }

    /// Counts one; tells whether it is within the limit.
    pub(super) fn count(&mut self, max: u32, window: Duration) -> bool {
        if self.since.elapsed() >= window {
            *self = Self::new();
        }
        self.count = self.count.saturating_add(1);
        self.count <= max
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test(start_paused = true)]
    async fn calls_are_counted_by_the_window() {
        let (mut calls, window) = (Calls::new(), Duration::from_secs(30));
        assert!(calls.count(2, window) && calls.count(2, window) && !calls.count(2, window));
        tokio::time::advance(window).await;
        assert!(calls.count(2, window));
    }
}
