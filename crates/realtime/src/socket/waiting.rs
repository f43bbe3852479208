//! Joins that are answered only when their changed rows are told: `postgres_changes_options.wait`.
//!
//! Invariant: whoever waits is in no channel, and holds up nothing else of the socket. What he may is looked at again before he is let in.

use std::collections::HashMap;
use std::sync::Arc;

use tokio::sync::{mpsc, oneshot};
use tokio::time::Duration;

use super::Session;
use super::asked::Asked;
use super::watching::Watching;
use crate::caller::Caller;
use crate::told::Topic;
use crate::wire::Incoming;

/// A join that waits.
pub(super) struct Join {
    pub(super) said: Incoming,
    pub(super) asked: Asked,
    pub(super) caller: Arc<Caller>,
    pub(super) topic: Topic,
    pub(super) watching: Watching,
}

/// What became of a subscription that is waited for, by its number.
pub(super) type Subscribed = (u64, Result<(), String>);

/// The joins of a socket that wait, by topic.
pub(super) struct Waiting {
    joins: HashMap<Arc<str>, (u64, Join)>,
    next: u64,
    to: mpsc::UnboundedSender<Subscribed>,
    heard: mpsc::UnboundedReceiver<Subscribed>,
}

/// Where a subscription says what became of it, and waits until that was answered.
pub(super) struct Gate {
    number: u64,
    time: Duration,
    to: mpsc::UnboundedSender<Subscribed>,
    go: oneshot::Receiver<()>,
}

impl Default for Waiting {
    fn default() -> Self {
        let (to, heard) = mpsc::unbounded_channel();
        Self { joins: HashMap::new(), next: 0, to, heard }
    }
}

impl Waiting {
    /// Makes a gate, and what opens it.
    pub(super) fn gate(&mut self, time: Duration) -> (Gate, oneshot::Sender<()>) {
        self.next = self.next.wrapping_add(1);
        let (open, go) = oneshot::channel();
        (Gate { number: self.next, time, to: self.to.clone(), go }, open)
    }

    /// Has a join wait for the gate that was made last.
    pub(super) fn add(&mut self, topic: Arc<str>, join: Join) {
        self.joins.insert(topic, (self.next, join));
    }

    /// Lets a join go that its client wants no more.
    pub(super) fn forget(&mut self, topic: &str) {
        self.joins.remove(topic);
    }

    pub(super) fn len(&self) -> usize {
        self.joins.len()
    }

    /// Returns who waits.
    pub(super) fn callers(&self) -> impl Iterator<Item = &Arc<Caller>> {
        self.joins.values().map(|(_, join)| &join.caller)
    }

    /// Waits for the next that is heard of.
    pub(super) async fn next(&mut self) -> Subscribed {
        match self.heard.recv().await {
            Some(subscribed) => subscribed,
            // There is always one who could say something: this socket.
            None => std::future::pending().await,
        }
    }

    fn take(&mut self, number: u64) -> Option<(Arc<str>, Join)> {
        let topic = self.joins.iter().find(|(_, (known, _))| *known == number).map(|(topic, _)| Arc::clone(topic))?;
        let (_, join) = self.joins.remove(&topic)?;
        Some((topic, join))
    }
}

impl Gate {
    /// Waits for a subscription, for its time, and until the join was answered. Nothing where that is refused.
    pub(super) async fn pass<T>(self, subscribing: impl Future<Output = Result<T, String>>) -> Option<T> {
        let outcome = match tokio::time::timeout(self.time, subscribing).await {
            Ok(outcome) => outcome.map_err(|reason| format!("RealtimeDisabledForConfiguration: {reason}")),
            Err(_elapsed) => {
                let millis = self.time.as_millis();
                Err(format!("PostgresChangesSubscribeTimeout: Timed out after {millis}ms waiting for the postgres_changes subscription"))
            }
        };
        let (held, said) = match outcome {
            Ok(held) => (Some(held), Ok(())),
            Err(reason) => (None, Err(reason)),
        };
        self.to.send((self.number, said)).ok()?;
        self.go.await.ok()?;
        held
    }
}

impl Session {
    /// Answers a join whose subscription was waited for.
    pub(super) async fn subscribed(&mut self, (number, outcome): Subscribed) {
        let Some((_, Join { said, asked, caller, topic, watching })) = self.waiting.take(number) else { return };
        let may = match outcome {
            Ok(()) => self.may_enter(&asked, &caller, &topic.name).await,
            Err(reason) => Err(reason),
        };
        match may {
            Ok(rights) => self.enter(said, asked, (caller, rights), (topic, Some(watching))).await,
            Err(reason) => self.refuse(&said, &reason),
        }
        self.note_callers();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn a_subscription_that_takes_too_long_refuses_its_join() {
        let mut waiting = Waiting::default();
        let (gate, open) = waiting.gate(Duration::from_millis(20));
        let passing = tokio::spawn(gate.pass(std::future::pending::<Result<(), String>>()));
        let (number, said) = waiting.next().await;
        let words = "PostgresChangesSubscribeTimeout: Timed out after 20ms waiting for the postgres_changes subscription";
        assert_eq!((number, said), (1, Err(words.to_owned())));
        drop(open);
        assert_eq!(passing.await.unwrap(), None, "nothing is held");
    }
}
