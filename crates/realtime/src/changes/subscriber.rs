//! Somebody who hears, and how it stands with him.
//!
//! Invariant: his queue is bounded; from the first thing that does not fit on he hears nothing until he was told to read anew.

use std::sync::Arc;

use kernel::ChangedRows;
use tokio::sync::mpsc;
use tokio::sync::mpsc::error::TrySendError;

use super::index::{Index, Kind};
use super::place::Heard;
use super::rights::Rights;
use super::tables::Tables;
use super::wish::Wish;
use super::{Position, Told};

/// Somebody who hears.
pub(super) struct Subscriber {
    pub(super) to: mpsc::Sender<Told>,
    pub(super) wishes: Arc<[Wish]>,
    pub(super) places: Vec<(usize, Kind, u64)>,
    pub(super) state: State,
    /// What he may see is not known.
    pub(super) is_blind: bool,
    /// The position that he came with, until it is found out what he missed.
    pub(super) came: Option<Position>,
    /// What he had heard when he came.
    pub(super) since: Option<Heard>,
}

#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum State {
    /// Changes do not come yet.
    Waiting,
    /// He came with a position, and what he missed is not told yet.
    Behind,
    Live,
    /// He missed something.
    Lost(&'static str),
}

impl Subscriber {
    pub(super) fn new(to: mpsc::Sender<Told>, wishes: Arc<[Wish]>, came: Option<Position>) -> Self {
        Self { to, wishes, places: Vec::new(), state: State::Waiting, is_blind: false, came, since: None }
    }

    /// Changes come: whoever has a position is told what he missed, others hear from now on.
    pub(super) fn begin(&mut self, history: &str, here: &Position) {
        if let Some(came) = &self.came {
            self.since = Heard::read(came, history);
            self.state = State::Behind;
        } else {
            self.state = State::Live;
            self.send(Told::Live(here.clone()));
        }
    }

    /// Puts him into the groups of what he sees and wants.
    pub(super) fn seat(&mut self, id: u64, rights: &Rights, tables: &Tables, index: &mut Index) {
        self.places.clear();
        for wish in &*self.wishes {
            for (table, kind, filter) in wish.kinds(rights, tables) {
                let kind = Kind { shape: index.shared(table, kind.shape), ..kind };
                index.add(table, kind.clone(), filter, (id, wish.id));
                self.places.push((table, kind, wish.id));
            }
        }
    }

    pub(super) fn unseat(&self, id: u64, index: &mut Index) {
        for (table, kind, wish) in &self.places {
            index.remove(*table, kind, (id, *wish));
        }
    }

    /// Tells whether he had heard a row before he came.
    pub(super) fn had(&mut self, rows: &ChangedRows, row: usize) -> bool {
        let Some(since) = &self.since else { return false };
        if since.is_behind(&rows.place) {
            self.since = None;
            return false;
        }
        since.has(rows.xid, &rows.place, row)
    }

    pub(super) fn resync(&mut self, reason: &'static str, position: &Position) {
        self.since = None;
        self.state = State::Lost(reason);
        if self.send(Told::Resync { reason, position: position.clone() }) {
            metrics::counter!("realtime_resyncs_total", "reason" => reason).increment(1);
            self.state = State::Live;
        }
    }

    pub(super) fn send(&mut self, told: Told) -> bool {
        match self.to.try_send(told) {
            Ok(()) => true,
            Err(TrySendError::Full(_)) => {
                self.state = match self.state {
                    State::Lost(reason) => State::Lost(reason),
                    _ => State::Lost("too_slow"),
                };
                false
            }
            // Whoever does not listen any more is let go soon.
            Err(TrySendError::Closed(_)) => false,
        }
    }
}
