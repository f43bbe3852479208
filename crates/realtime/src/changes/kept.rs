//! Changes that were told, for whoever comes back.
//!
//! Invariant: everything behind its beginning that was told is in it, in order; it is as large and as old as the settings allow. What it
//! counts is what memory is taken by, since of short values most of it is not the values.

use std::collections::VecDeque;
use std::sync::Arc;
use std::time::{Duration, Instant};

use kernel::{Cell, Change, ChangedRows, Place};

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

/// What is taken by a transaction: what it is made of, and what stands around each piece of memory. Tables are everybody's.
fn size(rows: &ChangedRows) -> usize {
    let cells = |cells: &Option<Box<[Cell]>>| -> usize {
        let text = |cell: &Cell| match cell {
            Cell::Text(text) => piece(text.len()),
            Cell::Null | Cell::Untold => 0,
        };
        cells.iter().map(|cells| cells.iter().map(text).fold(piece(size_of_val(&**cells)), usize::saturating_add)).sum()
    };
    let changes = rows.changes.iter().map(|change| cells(&change.new).saturating_add(cells(&change.old)));
    let place = match &rows.place {
        Place::Log(_) => 0,
        Place::Outbox { before, after } => piece(before.len()).saturating_add(piece(after.len())),
    };
    let list = piece(rows.changes.capacity().saturating_mul(size_of::<Change>()));
    // A queue that is full takes twice as much room.
    let own = piece(size_of::<ChangedRows>().saturating_add(COUNTS)).saturating_add(2 * size_of::<Told>());
    changes.fold(place.saturating_add(list).saturating_add(own), usize::saturating_add)
}

/// How often something that is shared is held stands before it.
const COUNTS: usize = 2 * size_of::<usize>();

/// What an allocator takes for a piece of memory: its size stands before it, and it ends at a multiple of two words. The least are four.
fn piece(bytes: usize) -> usize {
    const WORD: usize = size_of::<usize>();
    if bytes == 0 { 0 } else { bytes.saturating_add(WORD).div_ceil(2 * WORD).saturating_mul(2 * WORD).max(4 * WORD) }
}

#[cfg(test)]
mod tests {
    use kernel::{ChangeKind, ChangedTable, CompanyId};
    use uuid::Uuid;

    use super::*;

    const LIMIT: usize = 64 << 20;

    fn resident() -> usize {
        let status = std::fs::read_to_string("/proc/self/status").unwrap();
        let line = status.lines().find(|line| line.starts_with("VmRSS:")).unwrap();
        line.split_whitespace().nth(1).unwrap().parse::<usize>().unwrap() * 1024
    }

    fn told(xid: u64, rows: u64, table: &Arc<ChangedTable>) -> Told {
        let cell = |text: String| Cell::Text(text.into());
        let change = |row: u64| Change {
            table: Arc::clone(table),
            kind: ChangeKind::Insert,
            company_id: Some(CompanyId(Uuid::nil())),
            new: Some(Box::from([cell(Uuid::nil().to_string()), cell(row.to_string()), cell("t".to_owned()), Cell::Null])),
            old: (row.is_multiple_of(2)).then(|| Box::from([cell(row.to_string()), Cell::Untold, Cell::Untold, Cell::Untold])),
        };
        let rows = ChangedRows { xid, place: Place::Log(xid), committed_at: None, changes: (0..rows).map(change).collect() };
        Told { rows: Arc::new(rows), at: Instant::now(), committed_at: 0 }
    }

    /// Short rows of an import, as one transaction of many and as many of one: of memory no more is taken than the setting says, and most
    /// of what it says is used.
    #[test]
    fn what_is_kept_takes_as_much_memory_as_the_setting_says() {
        let table = Arc::new(ChangedTable { schema: "public".into(), name: "stock".into(), columns: Box::default() });
        // What is given back would be taken again.
        let mut all = Vec::new();
        for (transactions, rows) in [(1000, 1000), (500_000, 1)] {
            let before = resident();
            let mut kept = Kept::new(LIMIT, Duration::from_hours(1));
            for xid in 0..transactions {
                kept.push(told(xid, rows, &table));
            }
            let taken = resident().saturating_sub(before);
            assert!(kept.begin.is_some(), "more came than is kept");
            assert!((LIMIT / 10 * 7..=LIMIT / 10 * 13).contains(&taken), "{transactions} of {rows}: {taken} of {LIMIT}");
            all.push(kept);
        }
    }
}
