//! What changed of which table of which company, and so what kept readings still count.
//!
//! Invariant: bounded. What is no longer remembered one by one is remembered as a floor, which refuses too much and never too little.

use std::collections::HashMap;
use std::sync::Arc;
use std::time::Instant;

use kernel::CompanyId;

use crate::snapshot::Snapshot;

/// Transactions of one tag that are remembered one by one.
const XIDS_MAX: usize = 16;

/// A table of a company; of no company it stands for the table of all.
#[derive(Clone, PartialEq, Eq, Hash, Debug)]
pub struct Tag {
    /// The company.
    pub company: Option<CompanyId>,
    /// The table's name, without its schema.
    pub table: Arc<str>,
}

/// What is to be read anew, as an operator writes it.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Flush<'a> {
    /// `*`.
    Everything,
    /// `customers:*`, or `customers:` and a company.
    Table(&'a str, Option<CompanyId>),
}

impl<'a> Flush<'a> {
    /// Reads it; nothing where it is none.
    pub fn parse(text: &'a str) -> Option<Self> {
        match text.split_once(':') {
            None => (text == "*").then_some(Self::Everything),
            Some((table, "*")) => Some(Self::Table(table, None)),
            Some((table, company)) => Some(Self::Table(table, Some(company.parse().ok()?))),
        }
    }
}

/// What touched the tags.
#[derive(Debug)]
pub(crate) struct Tags {
    touched: HashMap<Tag, Touched>,
    room: usize,
    /// What cannot see everything below does not count.
    floor: u64,
    highest: u64,
    /// Who wanted everything read anew.
    all: Touched,
}

#[derive(Debug, Default)]
struct Touched {
    /// The last transactions, in no order.
    xids: Vec<u64>,
    /// Before those came others, all below this.
    below: u64,
    /// What was read before does not count.
    flushed: Option<Instant>,
}

impl Tags {
    pub(crate) fn new(room: usize) -> Self {
        Self { touched: HashMap::new(), room, floor: 0, highest: 0, all: Touched::default() }
    }

    /// Begins anew: only what sees everything below the floor counts.
    pub(crate) fn begin(&mut self, floor: u64) {
        self.touched.clear();
        self.all = Touched::default();
        self.floor = self.floor.max(floor);
    }

    /// Notes that a transaction changed something.
    pub(crate) fn touch(&mut self, tag: Tag, xid: u64) {
        self.highest = self.highest.max(xid);
        if let Some(touched) = self.at(tag) {
            touched.note(xid);
        }
    }

    /// Notes that a transaction wants everything read anew.
    pub(crate) fn touch_all(&mut self, xid: u64) {
        self.highest = self.highest.max(xid);
        self.all.note(xid);
    }

    /// Notes that what was read until now is not wanted any more.
    pub(crate) fn flush(&mut self, tag: Tag, now: Instant) {
        if let Some(touched) = self.at(tag) {
            touched.flushed = Some(now);
        }
    }

    /// Tells whether what was read in a snapshot at a moment still counts.
    pub(crate) fn admit(&self, tags: &[Tag], snapshot: &Snapshot, read: Instant) -> bool {
        snapshot.sees_all_below(self.floor)
            && tags.iter().filter_map(|tag| self.touched.get(tag)).chain([&self.all]).all(|touched| touched.admits(snapshot, read))
    }

    pub(crate) fn len(&self) -> usize {
        self.touched.len()
    }

    /// Finds what is remembered of a tag. Nothing where there were too many: then nothing that was read before counts.
    fn at(&mut self, tag: Tag) -> Option<&mut Touched> {
        if self.touched.len() >= self.room && !self.touched.contains_key(&tag) {
            self.touched.clear();
            self.floor = self.floor.max(self.highest.saturating_add(1));
            return None;
        }
        Some(self.touched.entry(tag).or_default())
    }
}

impl Touched {
    fn note(&mut self, xid: u64) {
        if self.xids.contains(&xid) {
            return;
        }
        self.xids.push(xid);
        if self.xids.len() > XIDS_MAX
            && let Some(lowest) = self.xids.iter().copied().min()
        {
            self.xids.retain(|xid| *xid != lowest);
            self.below = self.below.max(lowest.saturating_add(1));
        }
    }

    fn admits(&self, snapshot: &Snapshot, read: Instant) -> bool {
        snapshot.sees_all_below(self.below)
            && self.flushed.is_none_or(|flushed| flushed < read)
            && self.xids.iter().all(|xid| snapshot.sees(*xid))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn tag(table: &str) -> Tag {
        Tag { company: None, table: table.into() }
    }

    fn admits(tags: &Tags, table: &str, snapshot: &str) -> bool {
        tags.admit(&[tag(table)], &Snapshot::parse(snapshot).unwrap(), Instant::now())
    }

    #[test]
    fn a_reading_counts_as_long_as_it_has_all_that_changed() {
        let mut tags = Tags::new(100);
        assert!(admits(&tags, "a", "5:5:"));
        tags.touch(tag("a"), 7);
        assert!(!admits(&tags, "a", "5:7:") && !admits(&tags, "a", "5:9:7") && admits(&tags, "a", "5:9:5") && admits(&tags, "b", "5:5:"));
        tags.touch(tag("a"), 6);
        assert!(!admits(&tags, "a", "5:9:6") && admits(&tags, "a", "8:8:"));
        tags.begin(20);
        assert!(!admits(&tags, "b", "19:30:") && admits(&tags, "a", "20:20:"));
    }

    #[test]
    fn what_is_not_remembered_one_by_one_refuses_more_and_never_less() {
        let mut tags = Tags::new(100);
        for xid in 100..150 {
            tags.touch(tag("a"), xid);
        }
        assert!(admits(&tags, "a", "150:150:") && !admits(&tags, "a", "140:149:"));
        assert!(!admits(&tags, "a", "110:150:"), "of old ones only the floor is known");
        let mut few = Tags::new(2);
        for (table, xid) in [("a", 10), ("b", 11), ("c", 12)] {
            few.touch(tag(table), xid);
        }
        assert_eq!(few.len(), 0);
        for table in ["a", "b", "c", "d"] {
            assert!(!admits(&few, table, "12:12:") && admits(&few, table, "13:13:"), "{table}");
        }
    }

    #[test]
    fn a_flush_names_a_table_and_whose() {
        let company: CompanyId = "01900000-0000-7000-8000-000000000001".parse().unwrap();
        assert_eq!(Flush::parse("*"), Some(Flush::Everything));
        assert_eq!(Flush::parse("customers:*"), Some(Flush::Table("customers", None)));
        assert_eq!(Flush::parse("customers:01900000-0000-7000-8000-000000000001"), Some(Flush::Table("customers", Some(company))));
        for nonsense in ["", "customers", "customers:", "customers:1"] {
            assert_eq!(Flush::parse(nonsense), None, "{nonsense}");
        }
    }

    #[test]
    fn everything_that_does_not_see_who_wanted_it_anew_is_read_anew() {
        let mut tags = Tags::new(100);
        tags.touch_all(7);
        assert!(!admits(&tags, "a", "5:7:") && !admits(&tags, "b", "5:9:7") && admits(&tags, "b", "5:9:5"));
        tags.begin(3);
        assert!(admits(&tags, "a", "5:7:"), "it is told anew");
    }

    #[test]
    fn what_was_flushed_is_read_anew() {
        let mut tags = Tags::new(100);
        let before = Instant::now();
        tags.flush(tag("a"), Instant::now());
        assert!(!tags.admit(&[tag("a")], &Snapshot::parse("5:5:").unwrap(), before));
        assert!(tags.admit(&[tag("b")], &Snapshot::parse("5:5:").unwrap(), before));
    }
}
