//! Several servers as one: what is said in a channel at one of them is told at all, and so is who is present.
//!
//! Invariant: a server needs no other. What could not be told to the others, or may not have come from them, is told to sockets as a
//! resync; who is present at a server that is heard of no more is so no longer.

mod peers;
mod said;

use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use futures_util::StreamExt;
use kernel::{Error, Result};
use redis_link::RedisConfig;
use redis_link::redis::aio::{MultiplexedConnection, PubSubStream};
use redis_link::redis::{AsyncConnectionConfig, Client, RedisError, pipe};
use tokio::sync::mpsc;

use crate::config::RealtimeConfig;
use crate::hub::Hub;
use crate::presence::Diff;
use crate::told::{Content, Told, Topic};

use peers::Peers;
use said::{Said, Word};

/// Messages that are told at once.
const TOLD_MAX: usize = 64;
/// The pauses between two tries to reach Redis.
const PAUSE: Duration = Duration::from_millis(50);
const PAUSE_MAX: Duration = Duration::from_secs(1);
/// How long the last word may take.
const FAREWELL: Duration = Duration::from_secs(1);

/// The other servers.
pub(crate) struct Nodes {
    hub: Arc<Hub>,
    line: Option<Line>,
}

/// The way to them.
struct Line {
    client: Client,
    settings: AsyncConnectionConfig,
    channel: String,
    beat: Duration,
    peers: Mutex<Peers>,
    queue: mpsc::Sender<Vec<u8>>,
    waiting: tokio::sync::Mutex<mpsc::Receiver<Vec<u8>>>,
    /// Changes of presence that were said.
    changes: AtomicU64,
    /// Something did not fit.
    has_gap: AtomicBool,
    is_open: AtomicBool,
}

impl Nodes {
    /// Makes the way to the others; none where no Redis is configured.
    pub(crate) fn new(redis: &RedisConfig, hub: Arc<Hub>, config: &RealtimeConfig) -> Result<Self> {
        let Some(url) = &redis.url else { return Ok(Self { hub, line: None }) };
        // What the library says of an address may hold it.
        let client = Client::open(url.expose().as_str()).map_err(|_unreadable| Error::internal("redis.url is no address of Redis"))?;
        let settings = AsyncConnectionConfig::new()
            .set_connection_timeout(Some(Duration::from_millis(redis.connect_time_ms)))
            .set_response_timeout(Some(Duration::from_millis(redis.command_time_ms.max(1000))));
        let (queue, waiting) = mpsc::channel(config.nodes_queue_max);
        let line = Line {
            client,
            settings,
            channel: format!("{}realtime", redis.prefix),
            beat: Duration::from_millis(config.nodes_beat_ms),
            peers: Mutex::new(Peers::new(Duration::from_millis(config.nodes_lease_ms))),
            queue,
            waiting: tokio::sync::Mutex::new(waiting),
            changes: AtomicU64::new(0),
            has_gap: AtomicBool::new(false),
            is_open: AtomicBool::new(false),
        };
        Ok(Self { hub, line: Some(line) })
    }

    /// Tells the others of a broadcast.
    pub(crate) fn broadcast(&self, topic: &Topic, event: &str, content: &Content) {
        self.say(|| Word::broadcast(topic, event, content));
    }

    /// Tells the others who is present now.
    pub(crate) fn present(&self, topic: &Topic, diff: &Diff) {
        if diff.is_empty() {
            return;
        }
        if let Some(line) = &self.line {
            line.changes.fetch_add(1, Ordering::AcqRel);
        }
        self.say(|| Word::present(topic, diff));
    }

    /// Tells whether there are others, and whether they can be reached.
    pub(crate) fn state(&self) -> Option<(bool, usize)> {
        let line = self.line.as_ref()?;
        Some((line.is_open.load(Ordering::Acquire), line.peers().count()))
    }

    /// Says good-bye, so that nobody waits for the end of the lease.
    pub(crate) async fn farewell(&self) {
        let Some(line) = &self.line else { return };
        let Some(frame) = self.frame(Word::Bye) else { return };
        let said = async {
            let mut connection = line.client.get_multiplexed_async_connection_with_config(&line.settings).await?;
            pipe().publish(&line.channel, frame).ignore().query_async::<()>(&mut connection).await
        };
        if !matches!(tokio::time::timeout(FAREWELL, said).await, Ok(Ok(()))) {
            tracing::debug!("the other servers could not be told that this one goes");
        }
    }

    /// Hears the others and tells them, for ever.
    pub(crate) async fn follow(&self) {
        let Some(line) = &self.line else { return std::future::pending().await };
        let mut waiting = line.waiting.lock().await;
        let mut pause = PAUSE;
        let mut was_open = false;
        loop {
            match self.open(line).await {
                Ok((stream, connection)) => {
                    // What waited is old by now: whoever is there is told that something is missing.
                    while waiting.try_recv().is_ok() {
                        line.has_gap.store(true, Ordering::Release);
                    }
                    if was_open {
                        self.hub.resync("other_servers", |_| true);
                        line.has_gap.store(true, Ordering::Release);
                    }
                    (pause, was_open) = (PAUSE, true);
                    line.is_open.store(true, Ordering::Release);
                    metrics::gauge!("realtime_nodes_connected").set(1.0);
                    let told = tokio::select! {
                        () = self.hear(line, stream) => "it ended the connection".to_owned(),
                        error = self.tell(line, connection, &mut waiting) => category(&error).to_owned(),
                    };
                    line.is_open.store(false, Ordering::Release);
                    metrics::gauge!("realtime_nodes_connected").set(0.0);
                    tracing::warn!(why = told, "the other servers are out of reach until Redis is back");
                }
                Err(error) => tracing::debug!(error = category(&error), "Redis cannot be reached"),
            }
            line.peers().drop_lost(&self.hub);
            tokio::time::sleep(pause).await;
            pause = pause.saturating_mul(2).min(PAUSE_MAX);
        }
    }

    async fn open(&self, line: &Line) -> std::result::Result<(PubSubStream, MultiplexedConnection), RedisError> {
        let connection = line.client.get_multiplexed_async_connection_with_config(&line.settings).await?;
        let (mut sink, stream) = line.client.get_async_pubsub().await?.split();
        sink.subscribe(&line.channel).await?;
        Ok((stream, connection))
    }

    async fn hear(&self, line: &Line, mut stream: PubSubStream) {
        while let Some(message) = stream.next().await {
            let Some(said) = Said::read(message.get_payload_bytes()) else { continue };
            if said.node != self.hub.node() {
                self.understand(line, said);
            }
        }
    }

    fn understand(&self, line: &Line, said: Said) {
        let node = said.node;
        let asks = line.peers().hear(node, &said.word, &self.hub);
        if asks {
            self.say(|| Word::Ask { of: node });
        }
        match said.word {
            Word::Broadcast { is_private, topic, event, json, bytes, whole } => {
                let Some(content) = said::content(json, bytes, whole) else { return };
                let topic = Topic { is_private, name: topic.into() };
                self.hub.tell(&Told::broadcast(topic, &event, content, ""), None);
            }
            Word::Ask { of } if of == self.hub.node() => {
                let changes = line.changes.load(Ordering::Acquire);
                for word in Word::all(changes, &self.hub.present_here()) {
                    self.say(|| word);
                }
            }
            Word::Gap => self.hub.resync("other_servers", |_| true),
            // Of presence the book of the others knows.
            Word::Ask { .. } | Word::Present { .. } | Word::All { .. } | Word::Alive { .. } | Word::Bye => {}
        }
    }

    /// Tells what waits, and now and then that this server lives. Returns why it cannot.
    async fn tell(&self, line: &Line, mut connection: MultiplexedConnection, waiting: &mut mpsc::Receiver<Vec<u8>>) -> RedisError {
        let mut beats = tokio::time::interval(line.beat);
        beats.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Delay);
        let mut frames = Vec::new();
        loop {
            tokio::select! {
                _count = waiting.recv_many(&mut frames, TOLD_MAX) => {}
                _tick = beats.tick() => {
                    line.peers().drop_lost(&self.hub);
                    frames.extend(self.frame(Word::Alive { changes: line.changes.load(Ordering::Acquire) }));
                }
            }
            if line.has_gap.swap(false, Ordering::AcqRel) {
                frames.extend(self.frame(Word::Gap));
            }
            let mut commands = pipe();
            for frame in frames.drain(..) {
                commands.publish(&line.channel, frame).ignore();
            }
            if let Err(error) = commands.query_async::<()>(&mut connection).await {
                return error;
            }
        }
    }

    fn say(&self, word: impl FnOnce() -> Word) {
        let Some(line) = &self.line else { return };
        let Some(frame) = self.frame(word()) else { return };
        if line.queue.try_send(frame).is_err() {
            metrics::counter!("realtime_nodes_overrun_total").increment(1);
            line.has_gap.store(true, Ordering::Release);
        }
    }

    fn frame(&self, word: Word) -> Option<Vec<u8>> {
        Said { node: self.hub.node(), word }.write()
    }
}

impl Line {
    fn peers(&self) -> std::sync::MutexGuard<'_, Peers> {
        self.peers.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// What may be said of an error: what sort it is, and nothing of an address.
fn category(error: &RedisError) -> &str {
    error.category()
}
