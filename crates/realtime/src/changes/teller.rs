//! The one task that tells: it takes what the feed says and who comes and goes, one after the other.
//!
//! Invariant: before a change is told, the rights of everybody whom an earlier change concerned have been read anew; while the feed lags,
//! rights that are older than it may lag have, too.

use std::collections::HashSet;
use std::convert::Infallible;
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::{Duration, Instant, SystemTime};

use futures_util::StreamExt as _;
use futures_util::stream;
use kernel::{ChangedRows, FeedEvent, Kind, Result};
use tokio::sync::mpsc;

use super::asking::{Alive, Asking};
use super::config::ChangesConfig;
use super::desk::{Desk, Question};
use super::eyes::Eyes;
use super::judged::{Answer, Answers};
use super::kept::{Kept, Told as Transaction};
use super::rights::Rights;
use super::tables::Tables;
use super::wish::Wish;
use super::{Inner, Position, Told, Viewer, lock};

/// Rights that are read anew in one turn only because they are old.
const OLD_IN_A_TURN: usize = 32;

/// What the task is told to do.
pub(super) enum Order {
    Add(Box<Newcomer>),
    Remove(u64),
    Renew(u64, Box<Viewer>),
    /// Which of those sessions are still good.
    Alive(HashSet<String>, Vec<Alive>),
    /// The tables are others.
    Tables,
}

/// Somebody who comes.
pub(super) struct Newcomer {
    pub(super) id: u64,
    pub(super) viewer: Viewer,
    pub(super) rights: Rights,
    /// How often rights had changed before his were read, and when that was.
    pub(super) turn: u64,
    pub(super) read_at: Instant,
    pub(super) wishes: Arc<[Wish]>,
    pub(super) tables: Arc<Tables>,
    pub(super) since: Option<Position>,
    pub(super) to: mpsc::Sender<Told>,
}

/// The task.
pub(super) struct Teller {
    asking: Asking,
    config: ChangesConfig,
    orders: mpsc::UnboundedReceiver<Order>,
    events: mpsc::Receiver<FeedEvent>,
    desk: Desk,
    eyes: Eyes,
    /// Everything that was committed before was told.
    told_until: Instant,
    /// The last transaction that was heard of.
    last_xid: u64,
    looked: Instant,
}

impl Teller {
    pub(super) fn new(
        asking: Asking,
        config: ChangesConfig,
        orders: mpsc::UnboundedReceiver<Order>,
        events: mpsc::Receiver<FeedEvent>,
    ) -> Self {
        let kept = Kept::new(config.kept_bytes_max, Duration::from_secs(config.kept_s));
        let desk = Desk::new(Arc::default(), kept, config.row_bytes_max);
        let now = Instant::now();
        Self { asking, config, orders, events, desk, eyes: Eyes::default(), told_until: now, last_xid: 0, looked: now }
    }

    /// Tells, for ever.
    pub(super) async fn run(mut self, inner: Arc<Inner>) -> Infallible {
        let mut ticks = tokio::time::interval(Duration::from_millis(self.config.sessions_ms));
        ticks.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Delay);
        loop {
            tokio::select! {
                Some(order) = self.orders.recv() => Box::pin(self.obey(&inner, order)).await,
                Some(event) = self.events.recv() => {
                    let mut batch = vec![event];
                    while batch.len() < self.config.batch_max && let Ok(event) = self.events.try_recv() {
                        batch.push(event);
                    }
                    Box::pin(self.hear(&inner, batch)).await;
                }
                _ = ticks.tick() => Box::pin(self.tick(&inner)).await,
            }
        }
    }

    async fn obey(&mut self, inner: &Inner, order: Order) {
        match order {
            Order::Add(newcomer) => self.add(inner, *newcomer).await,
            Order::Remove(id) => {
                self.desk.remove(id);
                self.eyes.remove(id);
            }
            Order::Renew(id, viewer) => {
                if let Some(key) = self.eyes.replace(id, *viewer) {
                    self.read(&HashSet::from([key])).await;
                }
            }
            Order::Alive(asked, alive) => {
                let changed = self.eyes.not_as(&asked, &alive);
                self.read(&changed).await;
            }
            Order::Tables => self.adopt(inner).await,
        }
    }

    async fn add(&mut self, inner: &Inner, newcomer: Newcomer) {
        self.adopt(inner).await;
        let Newcomer { id, viewer, rights, turn, read_at, wishes, tables, since, to } = newcomer;
        let wishes = if Arc::ptr_eq(&tables, self.desk.tables()) {
            Ok(wishes)
        } else {
            wishes.iter().map(|wish| wish.renewed(self.desk.tables(), &rights)).collect()
        };
        let wishes = match wishes {
            Ok(wishes) => wishes,
            Err(error) => {
                // He hears of it, or is gone.
                let _full = to.try_send(Told::Ended(error.message().into()));
                return;
            }
        };
        let key = self.eyes.add(id, viewer, rights.clone(), read_at);
        self.desk.add(id, (to, wishes), &rights, since.as_ref());
        if inner.turns.load(Ordering::SeqCst) != turn {
            self.read(&HashSet::from([key])).await;
        }
        self.catch_up(id).await;
    }

    /// Takes the tables as they were read last.
    async fn adopt(&mut self, inner: &Inner) {
        let known = lock(&inner.tables).as_ref().map(|known| Arc::clone(&known.tables));
        let Some(tables) = known.filter(|tables| !Arc::ptr_eq(tables, self.desk.tables())) else { return };
        let eyes = &self.eyes;
        for (id, why) in self.desk.renew(tables, |id| eyes.rights(id).cloned()) {
            self.desk.end(id, &why);
            self.eyes.remove(id);
        }
        let all = self.eyes.all();
        self.read(&all).await;
    }

    async fn catch_up(&mut self, id: u64) {
        let missed = self.desk.missed(id);
        let answers = match &missed {
            Some(missed) => {
                let questions = self.desk_questions(missed, Some(id));
                self.ask(questions).await
            }
            None => Answers::new(),
        };
        self.desk.catch_up(id, missed.as_deref(), &answers);
    }

    async fn hear(&mut self, inner: &Inner, batch: Vec<FeedEvent>) {
        let mut transactions = Vec::new();
        for event in batch {
            match event {
                FeedEvent::Committed(rows) => transactions.push(rows),
                FeedEvent::Beat(sent) => {
                    self.tell(inner, std::mem::take(&mut transactions)).await;
                    self.told_until = sent;
                }
                FeedEvent::Opened { .. } => {
                    self.told_until = Instant::now();
                    // Nobody was told meanwhile whose rights changed.
                    let all = self.eyes.all();
                    inner.turns.fetch_add(1, Ordering::SeqCst);
                    self.read(&all).await;
                    self.desk.hear(&event);
                    for id in self.desk.behind() {
                        self.catch_up(id).await;
                    }
                }
                FeedEvent::Gap(_) => {
                    self.tell(inner, std::mem::take(&mut transactions)).await;
                    self.desk.hear(&event);
                    *lock(&inner.position) = None;
                }
            }
        }
        self.tell(inner, transactions).await;
    }

    /// Tells transactions.
    async fn tell(&mut self, inner: &Inner, transactions: Vec<Arc<ChangedRows>>) {
        if transactions.is_empty() {
            return;
        }
        self.last_xid = transactions.iter().map(|rows| rows.xid).fold(self.last_xid, u64::max);
        if transactions.iter().any(|rows| self.desk.is_news(rows)) && inner.read_tables().await.is_ok() {
            self.adopt(inner).await;
        }
        let changed = self.eyes.concerned(&transactions);
        if changed.is_some() {
            inner.turns.fetch_add(1, Ordering::SeqCst);
        }
        let mut stale = changed.unwrap_or_default();
        let lag_max = Duration::from_millis(self.config.lag_max_ms);
        if self.told_until.elapsed() > lag_max {
            stale.extend(self.eyes.older_than(lag_max, usize::MAX));
        }
        self.read(&stale).await;
        let now = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH).unwrap_or_default();
        let now = i64::try_from(now.as_micros()).unwrap_or(i64::MAX);
        let at = Instant::now();
        let transactions: Vec<Transaction> =
            transactions.into_iter().map(|rows| Transaction { committed_at: rows.committed_at.unwrap_or(now), rows, at }).collect();
        let questions = self.desk_questions(&transactions, None);
        let answers = self.ask(questions).await;
        for transaction in transactions {
            metrics::counter!("realtime_changes_total").increment(transaction.rows.changes.len().try_into().unwrap_or(u64::MAX));
            self.desk.commit(transaction, &answers);
        }
        *lock(&inner.position) = self.desk.here();
    }

    fn desk_questions(&mut self, transactions: &[Transaction], only: Option<u64>) -> Vec<(Question, Viewer)> {
        let questions = self.desk.questions(transactions, only);
        let viewer = |question: Question| {
            let viewer = self.eyes.viewer(question.subscriber)?.clone();
            Some((question, viewer))
        };
        questions.into_iter().filter_map(viewer).collect()
    }

    /// Asks PostgreSQL which rows are seen.
    async fn ask(&self, questions: Vec<(Question, Viewer)>) -> Answers {
        let asked = stream::iter(questions.into_iter().map(|(question, viewer)| async move {
            let keys: Vec<Vec<&str>> = question.keys.iter().map(|key| key.iter().map(AsRef::as_ref).collect()).collect();
            let answer = match self.asking.visible(&viewer, &question.table, &keys, question.behind).await {
                Ok(seen) => Answer::Seen(seen),
                Err(error) => {
                    tracing::debug!(code = error.code(), "it is not known who sees a change: {}", error.message());
                    Answer::Failed
                }
            };
            ((question.fingerprint, question.table.number), answer)
        }));
        asked.buffer_unordered(self.config.queries_max).collect().await
    }

    /// Reads rights anew, and shows from now on what they allow.
    async fn read(&mut self, keys: &HashSet<Arc<str>>) {
        if keys.is_empty() {
            return;
        }
        let (asking, behind) = (self.asking.clone(), self.last_xid);
        let viewers: Vec<(Arc<str>, Viewer)> = keys.iter().filter_map(|key| Some((Arc::clone(key), self.eyes.get(key)?.clone()))).collect();
        let reading = stream::iter(viewers.into_iter().map(|(key, viewer)| {
            let asking = asking.clone();
            async move {
                let at = Instant::now();
                (key, at, asking.rights(&viewer, behind).await)
            }
        }));
        let found: Vec<(Arc<str>, Instant, Result<Rights>)> = reading.buffer_unordered(self.config.queries_max).collect().await;
        for (key, at, rights) in found {
            self.found(&key, at, rights);
        }
    }

    fn found(&mut self, key: &Arc<str>, at: Instant, rights: Result<Rights>) {
        match rights {
            Ok(rights) => {
                if self.eyes.set(key, at, rights.clone()) {
                    for id in self.eyes.of(key) {
                        self.desk.see(id, Some(&rights));
                        if !self.desk.has(id) {
                            self.eyes.remove(id);
                        }
                    }
                }
            }
            Err(error) if matches!(error.kind(), Kind::Unauthenticated | Kind::Forbidden | Kind::NotFound) => {
                for id in self.eyes.of(key) {
                    self.desk.end(id, error.message());
                    self.eyes.remove(id);
                }
            }
            Err(error) => {
                tracing::debug!(code = error.code(), "it is not known what somebody may see: {}", error.message());
                self.eyes.lose(key);
                for id in self.eyes.of(key) {
                    self.desk.see(id, None);
                }
            }
        }
    }

    async fn tick(&mut self, inner: &Arc<Inner>) {
        self.desk.tidy();
        let (subscribers, groups) = self.desk.counts();
        metrics::gauge!("realtime_subscriptions").set(f64::from(u32::try_from(subscribers).unwrap_or(u32::MAX)));
        metrics::gauge!("realtime_kinds").set(f64::from(u32::try_from(groups).unwrap_or(u32::MAX)));
        if subscribers == 0 {
            return;
        }
        let old = self.eyes.older_than(Duration::from_secs(self.config.rights_s), OLD_IN_A_TURN);
        self.read(&old).await;
        let sessions = self.eyes.sessions();
        if !sessions.is_empty() {
            let (asking, orders) = (self.asking.clone(), inner.orders.clone());
            tokio::spawn(async move {
                let asked: Vec<String> = sessions.iter().cloned().collect();
                if let Ok(alive) = asking.alive(&asked).await {
                    let _gone = orders.send(Order::Alive(sessions, alive));
                }
            });
        }
        if self.looked.elapsed() > Duration::from_millis(self.config.tables_ms) {
            self.looked = Instant::now();
            let inner = Arc::clone(inner);
            tokio::spawn(async move {
                let known = lock(&inner.tables).as_ref().map(|known| known.mark.clone());
                let is_other = inner.asking.mark().await.is_ok_and(|mark| known.as_deref() != Some(&mark));
                if is_other && inner.read_tables().await.is_ok() {
                    let _gone = inner.orders.send(Order::Tables);
                }
            });
        }
    }
}
