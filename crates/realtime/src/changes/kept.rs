//! Changes that were told, for whoever comes back.
//!
//! Invariant: everything behind its beginning that was told is in it, in order; it is as large and as old as the settings allow.

use std::collections::VecDeque;
use std::sync::Arc;
use std::time::{Duration, Instant};

use kernel::{Cell, Change, ChangedRows};

use super::place::Heard;

/// The changes.
#[derive(Debug)]
pub(super) struct Kept {
    rows: VecDeque<Told>,
    /// Behind which place all is known.
    begin: Option<Heard>,
    bytes: usize,
    bytes_max: usize,
    time: Duration,
}

/// A transaction that was told.
#[derive(Clone, Debug)]
pub(super) struct Told {
    pub(super) rows: Arc<ChangedRows>,
    /// When it was heard of.
    pub(super) at: Instant,
    /// When it was committed as far as that is known, in microseconds since 1970.
    pub(super) committed_at: i64,
}

impl Kept {
    pub(super) fn new(bytes_max: usize, time: Duration) -> Self {
        Self { rows: VecDeque::new(), begin: None, bytes: 0, bytes_max, time }
    }

    /// Forgets all; from now on everything behind a place comes. Nothing comes where there is none.
    pub(super) fn restart(&mut self, begin: Option<Heard>) {
        self.rows.clear();
        self.bytes = 0;
        self.begin = begin;
    }

    /// Keeps a transaction.
    pub(super) fn push(&mut self, told: Told) {
        self.bytes = self.bytes.saturating_add(size(&told.rows));
        self.rows.push_back(told);
        self.forget();
    }

    /// Forgets what is too old or too much.
    pub(super) fn forget(&mut self) {
        while self.rows.front().is_some_and(|first| self.bytes > self.bytes_max || first.at.elapsed() > self.time) {
            let Some(first) = self.rows.pop_front() else { return };
            self.bytes = self.bytes.saturating_sub(size(&first.rows));
            self.begin = Heard::all_of(&first.rows.place).or_else(|| self.begin.take());
        }
    }

    /// Returns what somebody missed who heard up to a place; nothing where that is not known any more.
    pub(super) fn missed(&self, heard: &Heard) -> Option<Vec<Told>> {
        let begin = self.begin.as_ref()?;
        if !heard.reaches(begin) {
            return None;
        }
        let is_missed = |told: &&Told| !heard.has(told.rows.xid, &told.rows.place, told.rows.changes.len());
        Some(self.rows.iter().filter(is_missed).cloned().collect())
    }
}

fn size(rows: &ChangedRows) -> usize {
    let cells = |cells: &Option<Box<[Cell]>>| -> usize {
        let text = |cell: &Cell| match cell {
            Cell::Text(text) => text.len(),
            Cell::Null | Cell::Untold => 0,
        };
        cells.iter().flat_map(|cells| cells.iter()).map(|cell| text(cell).saturating_add(size_of::<Cell>())).sum()
    };
    rows.changes.iter().map(|change| cells(&change.new).saturating_add(cells(&change.old)).saturating_add(size_of::<Change>())).sum()
}
