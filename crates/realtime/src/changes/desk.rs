//! The desk at which changes come in and go out to whoever wants and may hear of them.
//!
//! Invariant: what goes to a subscriber goes in the order of the changes; where something did not go that should have, the next that he
//! hears is that he has to read anew.

use std::collections::{HashMap, HashSet};
use std::sync::Arc;

use kernel::{Cell, ChangedRows, ChangedTable, FeedEvent};
use tokio::sync::mpsc;

use super::index::{Group, Index, Pin};
use super::judged::{Answers, Judged};
use super::kept::{Kept, Told as Transaction};
use super::place::{self, Heard};
use super::record::{Form, Shape};
use super::rights::{Rights, Sight};
use super::subscriber::{State, Subscriber};
use super::tables::{Layout, Table, Tables};
use super::wish::Wish;
use super::{Position, Told, asking};

/// Tables as they were told whose layout is remembered.
const LAYOUTS_MAX: usize = 512;

/// The desk.
pub(super) struct Desk {
    tables: Arc<Tables>,
    index: Index,
    subscribers: HashMap<u64, Subscriber>,
    kept: Kept,
    /// Up to where everything was told, while changes come.
    heard: Option<Heard>,
    /// Which history of the database that is of.
    history: Arc<str>,
    /// Why changes do not come.
    reason: &'static str,
    layouts: Vec<(Arc<ChangedTable>, Option<Arc<Layout>>)>,
    row_bytes_max: usize,
}

/// A question about rows.
pub(super) struct Question {
    pub(super) fingerprint: Arc<str>,
    pub(super) table: Arc<Table>,
    pub(super) keys: Vec<Vec<Box<str>>>,
    /// Somebody who may ask.
    pub(super) subscriber: u64,
    /// The last transaction that it is about.
    pub(super) behind: u64,
}

impl Desk {
    pub(super) fn new(tables: Arc<Tables>, kept: Kept, row_bytes_max: usize) -> Self {
        let index = Index::new(tables.len());
        Self {
            tables,
            index,
            subscribers: HashMap::new(),
            kept,
            heard: None,
            history: "".into(),
            reason: "opened",
            layouts: Vec::new(),
            row_bytes_max,
        }
    }

    pub(super) fn tables(&self) -> &Arc<Tables> {
        &self.tables
    }

    /// Tells whether a transaction has columns that are not known.
    pub(super) fn is_news(&mut self, rows: &ChangedRows) -> bool {
        rows.changes.iter().any(|change| self.layout(&change.table).is_some_and(|layout| layout.is_news))
    }

    /// Returns how many hear, and how many groups they are.
    pub(super) fn counts(&self) -> (usize, usize) {
        (self.subscribers.len(), self.index.groups())
    }

    /// Takes a subscriber. What he missed is told by [`Desk::catch_up`].
    pub(super) fn add(&mut self, id: u64, (to, wishes): (mpsc::Sender<Told>, Arc<[Wish]>), rights: &Rights, since: Option<&Position>) {
        let mut subscriber = Subscriber::new(to, wishes, since.cloned());
        subscriber.seat(id, rights, &self.tables, &mut self.index);
        if let Some(here) = self.here() {
            subscriber.begin(&self.history, &here);
        }
        self.subscribers.insert(id, subscriber);
    }

    /// Returns up to where everything was told; nothing while changes do not come.
    pub(super) fn here(&self) -> Option<Position> {
        self.heard.as_ref().map(|heard| heard.position(&self.history))
    }

    /// Returns what a subscriber missed who came back; nothing where he did not, or where that is not known any more.
    pub(super) fn missed(&self, id: u64) -> Option<Vec<Transaction>> {
        let subscriber = self.subscribers.get(&id).filter(|subscriber| subscriber.state == State::Behind)?;
        self.kept.missed(subscriber.since.as_ref()?)
    }

    /// Tells a subscriber what he missed, or that he has to read anew.
    pub(super) fn catch_up(&mut self, id: u64, missed: Option<&[Transaction]>, answers: &Answers) {
        let Some(here) = self.here() else { return };
        let Some(subscriber) = self.subscribers.get_mut(&id).filter(|subscriber| subscriber.state == State::Behind) else { return };
        subscriber.state = State::Live;
        let came = subscriber.came.take();
        let Some(missed) = missed else {
            subscriber.since = None;
            // Whoever is cut off before he hears that he has to read anew comes back with the position that he had, and hears it then.
            subscriber.send(Told::Live(came.unwrap_or_else(|| here.clone())));
            subscriber.resync("position_too_old", &here);
            return;
        };
        let from = subscriber.since.as_ref().map_or(here, |since| since.position(&self.history));
        subscriber.send(Told::Live(from));
        for transaction in missed {
            self.tell(transaction, answers, Some(id));
        }
    }

    /// Returns those who came with a position and wait for what they missed.
    pub(super) fn behind(&self) -> Vec<u64> {
        self.subscribers.iter().filter(|(_, subscriber)| subscriber.state == State::Behind).map(|(id, _)| *id).collect()
    }

    /// Tells whether somebody hears.
    pub(super) fn has(&self, id: u64) -> bool {
        self.subscribers.contains_key(&id)
    }

    /// Lets a subscriber go.
    pub(super) fn remove(&mut self, id: u64) {
        if let Some(subscriber) = self.subscribers.remove(&id) {
            subscriber.unseat(id, &mut self.index);
        }
    }

    /// Ends a subscription and says why.
    pub(super) fn end(&mut self, id: u64, why: &str) {
        if let Some(subscriber) = self.subscribers.get_mut(&id) {
            subscriber.send(Told::Ended(why.into()));
        }
        self.remove(id);
    }

    /// Says what a subscriber may see from now on; not known where it is not said. Whose sight is another one reads anew.
    pub(super) fn see(&mut self, id: u64, rights: Option<&Rights>) {
        let Some(subscriber) = self.subscribers.get_mut(&id) else { return };
        let before = std::mem::take(&mut subscriber.places);
        for (table, kind, wish) in &before {
            self.index.remove(*table, kind, (id, *wish));
        }
        let was_blind = std::mem::replace(&mut subscriber.is_blind, rights.is_none());
        let Some(rights) = rights else { return };
        // Another role may not be allowed to ask for what this one was.
        match subscriber.wishes.iter().map(|wish| wish.renewed(&self.tables, rights)).collect() {
            Ok(wishes) => subscriber.wishes = wishes,
            Err(error) => {
                let error: kernel::Error = error;
                self.end(id, error.message());
                return;
            }
        }
        subscriber.seat(id, rights, &self.tables, &mut self.index);
        if (was_blind || before != subscriber.places) && !matches!(subscriber.state, State::Waiting | State::Behind) {
            subscriber.state = State::Lost("rights_changed");
        }
        self.resume(id);
    }

    /// Takes other tables. Returns who wants what is not there any more, with the reason.
    pub(super) fn renew(&mut self, tables: Arc<Tables>, rights: impl Fn(u64) -> Option<Rights>) -> Vec<(u64, String)> {
        self.tables = tables;
        self.index = Index::new(self.tables.len());
        self.layouts.clear();
        let mut refused = Vec::new();
        for (id, subscriber) in &mut self.subscribers {
            subscriber.places.clear();
            let Some(rights) = rights(*id) else { continue };
            match subscriber.wishes.iter().map(|wish| wish.renewed(&self.tables, &rights)).collect::<kernel::Result<Arc<[Wish]>>>() {
                Ok(wishes) => {
                    subscriber.wishes = wishes;
                    subscriber.seat(*id, &rights, &self.tables, &mut self.index);
                }
                Err(error) => refused.push((*id, error.message().to_owned())),
            }
        }
        refused
    }

    /// Hears that changes come, or that they do not any more.
    pub(super) fn hear(&mut self, event: &FeedEvent) {
        match event {
            FeedEvent::Opened { place, history, .. } => {
                self.heard = Heard::all_of(place);
                self.history = Arc::clone(history);
                self.kept.restart(self.heard.clone());
                let Some(here) = self.here() else { return };
                for subscriber in self.subscribers.values_mut() {
                    match subscriber.state {
                        State::Waiting | State::Behind => subscriber.begin(history, &here),
                        State::Live | State::Lost(_) => subscriber.resync(self.reason, &here),
                    }
                }
            }
            FeedEvent::Gap(cause) => {
                self.heard = None;
                self.reason = cause.name();
                self.kept.restart(None);
            }
            FeedEvent::Committed(_) | FeedEvent::Beat(_) => {}
        }
    }

    /// Tells a transaction to all, and keeps it.
    pub(super) fn commit(&mut self, transaction: Transaction, answers: &Answers) {
        if self.heard.is_none() {
            return;
        }
        self.tell(&transaction, answers, None);
        self.heard = Heard::all_of(&transaction.rows.place).or_else(|| self.heard.take());
        self.kept.push(transaction);
    }

    /// Forgets what is too old, and tells those who missed something that they did, once they can hear it.
    pub(super) fn tidy(&mut self) {
        self.kept.forget();
        let lost = self.subscribers.iter().filter(|(_, subscriber)| matches!(subscriber.state, State::Lost(_)));
        for id in lost.map(|(id, _)| *id).collect::<Vec<_>>() {
            self.resume(id);
        }
        let gone = self.subscribers.iter().filter(|(_, subscriber)| subscriber.to.is_closed());
        for id in gone.map(|(id, _)| *id).collect::<Vec<_>>() {
            self.remove(id);
        }
    }

    fn resume(&mut self, id: u64) {
        if let (Some(here), Some(subscriber)) = (self.here(), self.subscribers.get_mut(&id))
            && let State::Lost(reason) = subscriber.state
        {
            subscriber.resync(reason, &here);
        }
    }

    /// Returns what has to be asked before these transactions are told, to one subscriber or to all.
    pub(super) fn questions(&mut self, transactions: &[Transaction], only: Option<u64>) -> Vec<Question> {
        let mut asked = HashMap::<_, (Question, HashSet<Box<str>>)>::new();
        for transaction in transactions {
            for change in &transaction.rows.changes {
                let (Some(layout), Some(new)) = (self.layout(&change.table), change.new.as_deref()) else { continue };
                let table = Arc::clone(&layout.table);
                let Some(key) = table.key().map(|(number, _)| layout.text(new, number)).collect::<Option<Vec<_>>>() else { continue };
                self.visit(&layout, new, |group| {
                    let Sight::Ask { fingerprint, .. } = &group.kind.sight else { return };
                    let mut members = group.members.iter().map(|(subscriber, _)| *subscriber);
                    let Some(subscriber) = members.find(|member| only.is_none_or(|only| only == *member)) else { return };
                    let (question, keys) = asked.entry((Arc::clone(fingerprint), table.number)).or_insert_with(|| {
                        let (fingerprint, table) = (Arc::clone(fingerprint), Arc::clone(&table));
                        (Question { fingerprint, table, keys: Vec::new(), subscriber, behind: 0 }, HashSet::new())
                    });
                    question.behind = question.behind.max(transaction.rows.xid);
                    if keys.insert(asking::key_text(key.iter().copied())) {
                        question.keys.push(key.iter().map(|value| Box::from(*value)).collect());
                    }
                });
            }
        }
        asked.into_values().map(|(question, _)| question).collect()
    }

    fn visit(&self, layout: &Layout, row: &[Cell], visit: impl FnMut(&Group)) {
        let company = layout.table.tenant().and_then(|column| layout.text(row, column));
        let pin = |column| match layout.cell(row, column) {
            Cell::Text(text) => Pin::Value(text),
            Cell::Null => Pin::Null,
            Cell::Untold => Pin::Untold,
        };
        self.index.visit(layout.table.number, company, pin, visit);
    }

    fn layout(&mut self, told: &Arc<ChangedTable>) -> Option<Arc<Layout>> {
        if let Some((_, layout)) = self.layouts.iter().find(|(known, _)| Arc::ptr_eq(known, told)) {
            return layout.clone();
        }
        let layout = self.tables.layout(told).map(Arc::new);
        if self.layouts.len() >= LAYOUTS_MAX {
            self.layouts.clear();
        }
        self.layouts.push((Arc::clone(told), layout.clone()));
        layout
    }

    fn tell(&mut self, transaction: &Transaction, answers: &Answers, only: Option<u64>) {
        let rows = &transaction.rows;
        for (number, change) in rows.changes.iter().enumerate() {
            let Some(layout) = self.layout(&change.table) else { continue };
            let Some(seen) = Judged::of(change, &layout) else { continue };
            let (mut heard, mut lost) = (Vec::new(), Vec::new());
            let mut written: Vec<(*const Shape, Form, bool, Arc<str>)> = Vec::new();
            self.visit(&layout, seen.row(), |group| {
                let Some((form, is_old_whole)) = seen.told_to(group, answers) else { return };
                let members = group.members.iter().filter(|(id, _)| only.is_none_or(|only| only == *id));
                let Some(form) = form else {
                    lost.extend(members.map(|(id, _)| *id));
                    return;
                };
                let shape = Arc::as_ptr(&group.kind.shape);
                let known = written.iter().find(|(known, of, whole, _)| (*known, *of, *whole) == (shape, form, is_old_whole));
                let data = if let Some((.., data)) = known {
                    Arc::clone(data)
                } else {
                    let data = group.kind.shape.write(&seen.written(form, is_old_whole, transaction.committed_at, self.row_bytes_max));
                    written.push((shape, form, is_old_whole, Arc::clone(&data)));
                    data
                };
                heard.extend(members.map(|(id, wish)| (*id, *wish, Arc::clone(&data))));
            });
            for id in lost {
                if let Some(subscriber) = self.subscribers.get_mut(&id) {
                    subscriber.state = State::Lost("rows_unknown");
                }
            }
            if !heard.is_empty() {
                self.send(rows, number, heard);
            }
        }
    }

    /// Sends a change: whoever wished for the same of it more than once hears it once.
    fn send(&mut self, rows: &ChangedRows, number: usize, mut heard: Vec<(u64, u64, Arc<str>)>) {
        let row = number.saturating_add(1);
        let position = place::position(&self.history, (rows.xid, &rows.place), row, row == rows.changes.len());
        heard.sort_by_key(|(id, wish, data)| (*id, Arc::as_ptr(data).cast::<u8>(), *wish));
        for same in heard.chunk_by(|a, b| a.0 == b.0 && Arc::ptr_eq(&a.2, &b.2)) {
            let Some((id, _, data)) = same.first() else { continue };
            let Some(subscriber) = self.subscribers.get_mut(id) else { continue };
            if subscriber.state != State::Live || subscriber.had(rows, row) {
                continue;
            }
            let ids = same.iter().map(|(_, wish, _)| *wish).collect();
            let is_known = subscriber.since.as_ref().is_none_or(|since| since.is_within(rows.xid, &rows.place, row));
            let position = if is_known { position.clone() } else { place::nowhere() };
            subscriber.send(Told::Change { ids, data: Arc::clone(data), position });
        }
    }
}
