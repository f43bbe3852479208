//! Changed rows for one channel of a socket.
//!
//! Invariant: a change waits at its source while the socket is full, so that what is lost is known there and told. It ends with the channel.

use std::borrow::Cow;
use std::sync::Arc;

use axum::extract::ws::Message;
use serde::Deserialize;
use tokio::sync::{mpsc, oneshot, watch};
use tokio::task::JoinHandle;

use crate::caller::Caller;
use crate::changes::{Changes, Position, Told, Viewer, Wanted};
use crate::outbox::Outbox;
use crate::system;
use crate::wire::{self, NULL, Outgoing, Version};

use super::waiting::Gate;

/// What the messages about changed rows are called.
pub(super) const EXTENSION: &str = "postgres_changes";

/// A subscription of a channel.
pub(super) struct Watching {
    task: JoinHandle<()>,
    viewer: watch::Sender<Option<Viewer>>,
    open: Option<oneshot::Sender<()>>,
}

impl Watching {
    /// Subscribes, and tells the socket from then on; behind a gate when that is opened.
    pub(super) fn begin(
        changes: Changes,
        caller: &Caller,
        (wanted, since): (Vec<(u64, Wanted)>, Option<Position>),
        teller: Teller,
        gate: Option<(Gate, oneshot::Sender<()>)>,
    ) -> Self {
        let (gate, open) = gate.unzip();
        let (viewer, renewed) = watch::channel(None);
        let first = viewer_of(caller);
        let task = tokio::spawn(async move { teller.follow(changes, (first, renewed), (wanted, since), gate).await });
        Self { task, viewer, open }
    }

    /// Opens the gate: the join was answered.
    pub(super) fn open(&mut self) {
        // Where it is over nobody waits there.
        let _gone = self.open.take().map(|open| open.send(()));
    }

    /// Says who hears from now on.
    pub(super) fn renew(&self, caller: &Caller) {
        self.viewer.send_replace(Some(viewer_of(caller)));
    }
}

impl Drop for Watching {
    fn drop(&mut self) {
        self.task.abort();
    }
}

/// Whoever tells the socket.
pub(super) struct Teller {
    pub(super) outbox: Arc<Outbox>,
    pub(super) topic: Arc<str>,
    /// Each change is an event of its own name, and the change alone.
    pub(super) is_by_topic: bool,
}

/// What is read of a change.
#[derive(Deserialize)]
struct Named<'a> {
    #[serde(borrow)]
    r#type: Cow<'a, str>,
}

impl Teller {
    async fn follow(
        self,
        changes: Changes,
        (first, mut renewed): (Viewer, watch::Receiver<Option<Viewer>>),
        (wanted, since): (Vec<(u64, Wanted)>, Option<Position>),
        gate: Option<Gate>,
    ) {
        let (to, mut told) = mpsc::channel(changes.waiting_max());
        // Large, and over soon: it is nothing that the task holds for as long as it lives.
        let subscribing = Box::pin(changes.subscribe(first, wanted, since, to));
        let subscription = if let Some(gate) = gate {
            let begun = Box::pin(gate.pass(async {
                let subscription = subscribing.await.map_err(|error| error.message().to_owned())?;
                match told.recv().await {
                    Some(Told::Ended(why)) => Err(why.to_string()),
                    Some(first) => Ok((subscription, first)),
                    None => Err("changes are not told".to_owned()),
                }
            }));
            let Some((subscription, first)) = begun.await else { return };
            self.tell(first).await;
            subscription
        } else {
            match subscribing.await {
                Ok(subscription) => subscription,
                Err(error) => return self.say(Err(error.message()), &format!(",\"code\":{}", wire::quoted(error.code()))).await,
            }
        };
        loop {
            tokio::select! {
                next = told.recv() => match next {
                    Some(told) => self.tell(told).await,
                    None => return,
                },
                another = renewed.changed() => {
                    let viewer = renewed.borrow_and_update().clone();
                    match (another, viewer) {
                        (Ok(()), Some(viewer)) => subscription.renew(viewer),
                        (Ok(()), None) => {}
                        (Err(_gone), _) => return,
                    }
                }
            }
        }
    }

    async fn tell(&self, told: Told) {
        match told {
            Told::Live(position) => self.say(Ok("Subscribed to PostgreSQL"), &at(&position)).await,
            Told::Change { data, position, .. } if self.is_by_topic => {
                let Ok(Named { r#type: event }) = serde_json::from_str(&data) else { return };
                let said = Outgoing { join_ref: NULL, reference: NULL, topic: &self.topic, event: &event, payload: &data };
                self.push(said.frame(self.outbox.version()), &position).await;
            }
            Told::Change { ids, data, position } => {
                let ids: Vec<String> = ids.iter().map(ToString::to_string).collect();
                let payload = format!("{{\"ids\":[{}],\"data\":{data}{}}}", ids.join(","), at(&position));
                let said = Outgoing { join_ref: NULL, reference: NULL, topic: &self.topic, event: EXTENSION, payload: &payload };
                self.push(said.frame(self.outbox.version()), &position).await;
            }
            Told::Resync { reason, position } => {
                let more = format!(",\"code\":\"resync\",\"reason\":\"{reason}\"{}", at(&position));
                self.say(Err(&format!("resync: changes may be missing ({reason})")), &more).await;
            }
            Told::Ended(why) => self.say(Err(&why), "").await,
        }
    }

    async fn say(&self, outcome: Result<&str, &str>, more: &str) {
        let said = system::say(&self.topic, EXTENSION, outcome, more);
        self.outbox.push_in_turn(said.frame(self.outbox.version())).await;
    }

    /// Whoever listens by server-sent events comes back with the position of the last.
    async fn push(&self, frame: Message, position: &Position) {
        let frame = match (&frame, self.outbox.version()) {
            (Message::Text(text), Version::Events) => Message::Text(format!("id: {}\n{text}", position.0).into()),
            _ => frame,
        };
        self.outbox.push_in_turn(frame).await;
    }
}

fn at(position: &Position) -> String {
    format!(",\"position\":{}", wire::quoted(&position.0))
}

fn viewer_of(caller: &Caller) -> Viewer {
    Viewer { principal: caller.principal.clone(), context: caller.context.clone() }
}
