//! Any sequence of commits, gaps, lost connections, changes of server and restores gives a subscriber every row once, or tells him to read anew.

use std::collections::{BTreeSet, HashSet};
use std::sync::Arc;
use std::time::{Duration, Instant};

use kernel::{Cell, Change, ChangeKind, ChangedColumn, ChangedRows, ChangedTable, FeedEvent, GapCause, Place};
use proptest::prelude::*;
use tokio::sync::mpsc;

use super::desk::Desk;
use super::judged::Answers;
use super::kept::{Kept, Told as Transaction};
use super::place::Heard;
use super::rights::Rights;
use super::tables::Tables;
use super::wish::Wish;
use super::{Position, Sort, Told, Wanted};

const TABLES: &str = r#"[{"schema": "public", "name": "things", "is_whole": false, "has_parent": false, "soft_delete": false,
  "columns": [{"name": "id", "type": "int8", "type_schema": "pg_catalog", "base": "int8", "sort": "b", "is_key": true}], "names": ["id"],
  "reaches": {"service_role": {"sight": "all", "columns": null}}}]"#;
const NODES: usize = 2;

/// What happens.
#[derive(Clone, Debug)]
enum Act {
    /// A transaction begins to write, so many rows.
    Begin(usize),
    /// One of those that were begun is committed.
    Commit(usize),
    /// A server hears of what was committed, up to so many transactions.
    Hear(usize, usize),
    /// A server loses some of it.
    Gap(usize),
    /// The subscriber reads so many words.
    Read(usize),
    /// The subscriber comes anew, to this server, with his position or without.
    Come(usize, bool),
    /// The database is again as it was so many transactions ago.
    Restore(usize),
}

fn act() -> impl Strategy<Value = Act> {
    prop_oneof![
        3 => (1..4_usize).prop_map(Act::Begin),
        4 => (0..4_usize).prop_map(Act::Commit),
        4 => (0..NODES, 1..4_usize).prop_map(|(node, count)| Act::Hear(node, count)),
        1 => (0..NODES).prop_map(Act::Gap),
        3 => (1..8_usize).prop_map(Act::Read),
        2 => (0..NODES, any::<bool>()).prop_map(|(node, knows)| Act::Come(node, knows)),
        1 => (0..4_usize).prop_map(Act::Restore),
    ]
}

/// Where the log stands behind so many transactions.
fn log_end(transactions: usize) -> u64 {
    10 + u64::try_from(transactions).unwrap()
}

/// Everything that there is.
struct Run {
    is_log: bool,
    history: Arc<str>,
    table: Arc<ChangedTable>,
    tables: Arc<Tables>,
    nodes: Vec<Node>,
    next_xid: u64,
    open: Vec<(u64, usize)>,
    /// In the order of their commits: transaction and number of rows.
    committed: Vec<(u64, usize)>,
    subscriber: Option<(usize, u64, mpsc::Receiver<Told>)>,
    next_id: u64,
    room: usize,
    /// The rows that the subscriber knows of.
    known: BTreeSet<(u64, usize)>,
    position: Option<Position>,
    /// Whether he came with his position and has not heard anything since.
    comes_back: bool,
}

struct Node {
    desk: Desk,
    heard: usize,
    before: Arc<str>,
}

impl Run {
    fn new(is_log: bool, kept: usize, room: usize) -> Self {
        let tables = Arc::new(Tables::of(TABLES).unwrap());
        let columns = Box::from([ChangedColumn { name: "id".into(), is_key: true }]);
        let table = Arc::new(ChangedTable { schema: "public".into(), name: "things".into(), columns });
        let node = || Node {
            desk: Desk::new(Arc::clone(&tables), Kept::new(kept, Duration::from_mins(1)), 1000),
            heard: 0,
            before: "1:1:".into(),
        };
        let nodes = std::iter::repeat_with(node).take(NODES).collect();
        let mut run = Self {
            is_log,
            history: "0".into(),
            table,
            tables,
            nodes,
            next_xid: 1,
            open: Vec::new(),
            committed: Vec::new(),
            subscriber: None,
            next_id: 1,
            room,
            known: BTreeSet::new(),
            position: None,
            comes_back: false,
        };
        (0..NODES).for_each(|node| run.open_feed(node));
        run
    }

    fn snapshot(&self, upto: usize) -> Arc<str> {
        let seen: HashSet<u64> = self.committed[..upto].iter().map(|(xid, _)| *xid).collect();
        let open: Vec<String> = (1..self.next_xid).filter(|xid| !seen.contains(xid)).map(|xid| xid.to_string()).collect();
        let low = open.first().map_or(self.next_xid.to_string(), Clone::clone);
        format!("{low}:{}:{}", self.next_xid, open.join(",")).into()
    }

    fn open_feed(&mut self, number: usize) {
        let end = self.committed.len();
        let after = self.snapshot(end);
        let place =
            if self.is_log { Place::Log(log_end(end)) } else { Place::Outbox { before: Arc::clone(&after), after: Arc::clone(&after) } };
        let node = &mut self.nodes[number];
        (node.heard, node.before) = (end, after);
        node.desk.hear(&FeedEvent::Opened { floor: 0, tables: Arc::default(), place, history: Arc::clone(&self.history) });
        for id in node.desk.behind() {
            let missed = node.desk.missed(id);
            node.desk.catch_up(id, missed.as_deref(), &Answers::new());
        }
    }

    /// What comes from now on has the numbers and places of what is gone.
    fn restore(&mut self, count: usize) {
        self.committed.truncate(self.committed.len().saturating_sub(count));
        self.open.clear();
        self.next_xid = self.committed.iter().map(|(xid, _)| *xid).max().unwrap_or(0) + 1;
        self.history = format!("{}x", self.history).into();
        for number in 0..NODES {
            self.nodes[number].desk.hear(&FeedEvent::Gap(GapCause::Disconnected));
            self.open_feed(number);
        }
    }

    fn hear(&mut self, number: usize, count: usize) {
        let from = self.nodes[number].heard;
        let upto = (from + count).min(self.committed.len());
        let (before, after) = (Arc::clone(&self.nodes[number].before), self.snapshot(upto));
        let mut told: Vec<(usize, (u64, usize))> = self.committed[from..upto].iter().copied().enumerate().collect();
        if !self.is_log {
            told.sort_by_key(|(_, (xid, _))| *xid);
        }
        for (place, (xid, rows)) in told {
            let end = log_end(from + place + 1);
            let place =
                if self.is_log { Place::Log(end) } else { Place::Outbox { before: Arc::clone(&before), after: Arc::clone(&after) } };
            let change = |row: usize| Change {
                table: Arc::clone(&self.table),
                kind: ChangeKind::Insert,
                company_id: None,
                new: Some(Box::from([Cell::Text(format!("{xid}{row}").into())])),
                old: None,
            };
            let rows = Arc::new(ChangedRows { xid, place, committed_at: None, changes: (1..=rows).map(change).collect() });
            self.nodes[number].desk.commit(Transaction { rows, at: Instant::now(), committed_at: 0 }, &Answers::new());
        }
        (self.nodes[number].heard, self.nodes[number].before) = (upto, after);
    }

    /// The rows that count as heard by a position.
    fn heard_by(&self, position: &Position) -> BTreeSet<(u64, usize)> {
        // What was said before a restore is followed by a resync.
        let Some(heard) = Heard::read(position, &self.history) else { return BTreeSet::new() };
        let of = |(place, (xid, rows)): (usize, &(u64, usize))| {
            let (xid, rows) = (*xid, *rows);
            let any: Arc<str> = "1:1:".into();
            let place = if self.is_log { Place::Log(log_end(place + 1)) } else { Place::Outbox { before: Arc::clone(&any), after: any } };
            let heard = &heard;
            (1..=rows).filter(move |row| heard.has(xid, &place, *row)).map(move |row| (xid, row)).collect::<Vec<_>>()
        };
        self.committed.iter().enumerate().flat_map(of).collect()
    }

    fn come(&mut self, number: usize, knows: bool) {
        if let Some((node, id, _)) = self.subscriber.take() {
            self.nodes[node].desk.remove(id);
        }
        let (to, told) = mpsc::channel(self.room);
        let wanted = Wanted { event: Sort::All, schema: "public".to_owned(), table: Some("things".to_owned()), filter: None, select: None };
        let rights = Rights::of_test("service_role");
        let wish = Wish::of_test(1, wanted, &self.tables, &rights);
        let since = self.position.clone().filter(|_| knows);
        let (id, desk) = (self.next_id, &mut self.nodes[number].desk);
        self.next_id += 1;
        desk.add(id, (to, Arc::from([wish])), &rights, since.as_ref());
        let missed = desk.missed(id);
        desk.catch_up(id, missed.as_deref(), &Answers::new());
        self.comes_back = since.is_some();
        self.subscriber = Some((number, id, told));
    }

    fn read(&mut self, count: usize) {
        for _ in 0..count {
            let Some((node, _, told)) = &mut self.subscriber else { return };
            let told = told.try_recv();
            self.nodes[*node].desk.tidy();
            match told {
                // He goes on with what he knows; should he be cut off now, nothing more may count as heard.
                Ok(Told::Live(position)) if std::mem::take(&mut self.comes_back) => {
                    assert!(self.heard_by(&position).is_subset(&self.known), "{position:?} counts what was not told");
                    self.position = Some(position);
                }
                // From here on, whatever came before: he reads it himself.
                Ok(Told::Live(position) | Told::Resync { position, .. }) => {
                    self.known = self.heard_by(&position);
                    self.position = Some(position);
                }
                Ok(Told::Change { data, position, .. }) => {
                    let data: serde_json::Value = serde_json::from_str(&data).unwrap();
                    let id = data["record"]["id"].as_u64().unwrap();
                    let row = (id / 10, usize::try_from(id % 10).unwrap());
                    assert!(self.known.insert(row), "{row:?} is told twice");
                    if Heard::read(&position, &self.history).is_some() {
                        assert_eq!(self.heard_by(&position), self.known, "a position counts what was told and nothing else");
                    }
                    self.position = Some(position);
                }
                Ok(Told::Ended(why)) => panic!("{why}"),
                Err(_) => return,
            }
        }
    }

    fn act(&mut self, act: &Act) {
        match *act {
            Act::Begin(rows) => {
                self.open.push((self.next_xid, rows));
                self.next_xid += 1;
            }
            Act::Commit(number) => {
                if !self.open.is_empty() {
                    let one = self.open.remove(number % self.open.len());
                    self.committed.push(one);
                }
            }
            Act::Hear(node, count) => self.hear(node, count),
            Act::Gap(node) => {
                self.nodes[node].desk.hear(&FeedEvent::Gap(GapCause::Disconnected));
                self.open_feed(node);
            }
            Act::Read(count) => self.read(count),
            Act::Come(node, knows) => self.come(node, knows),
            Act::Restore(count) => self.restore(count),
        }
    }

    /// When all is heard and read, the subscriber knows of everything.
    fn end(&mut self) {
        (0..NODES).for_each(|node| self.hear(node, usize::MAX / 2));
        for _ in 0..3 {
            self.read(10_000);
        }
        if self.subscriber.is_some() {
            let all = self.committed.iter().flat_map(|(xid, rows)| (1..=*rows).map(|row| (*xid, row))).collect();
            assert_eq!(self.known, all, "nothing is lost in silence");
        }
    }
}

proptest! {
    #[test]
    fn every_row_is_told_once_or_a_resync(
        is_log: bool,
        kept in prop_oneof![Just(0_usize), Just(1_000), Just(1_000_000)],
        room in prop_oneof![Just(2_usize), Just(5), Just(1000)],
        acts in prop::collection::vec(act(), 1..120),
    ) {
        let mut run = Run::new(is_log, kept, room);
        run.come(0, false);
        for act in &acts {
            run.act(act);
        }
        run.end();
    }
}
