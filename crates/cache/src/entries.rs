//! The entries: found, kept, refused and forgotten.

use std::collections::HashSet;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use kernel::{Change, ChangeKind, ChangeListener, ChangedRows, CompanyId, FeedEvent};
use moka::future::Cache as Kept;
use serde::{Deserialize, Serialize};

use crate::config::CacheConfig;
use crate::flights::{Flight, Flights};
use crate::snapshot::Snapshot;
use crate::tags::{Flush, Tag, Tags};

/// A hash of everything that an answer depends on.
pub type Key = [u8; 32];

/// Whoever wants something read anew on every server writes it here.
const FLUSHES: (&str, &str) = ("app", "cache_flushes");
/// Bytes that an entry takes beside its value.
const ENTRY_BYTES: usize = 256;

/// What is kept in this process. Cheap to clone.
pub struct Cache<V>(Arc<Inner<V>>);

struct Inner<V> {
    kept: Kept<Key, Arc<Entry<V>>>,
    state: Mutex<State>,
    flights: Flights,
    lag_max: Duration,
    stale: Duration,
    wait_max: Duration,
    entry_bytes_max: usize,
    hits: AtomicU64,
    misses: AtomicU64,
    bypasses: AtomicU64,
}

struct State {
    /// The tables whose changes are told, while they are.
    open: Option<HashSet<Box<str>>>,
    /// Everything that was committed before this was told.
    told_until: Option<Instant>,
    /// How often changes began to be told.
    openings: u64,
    tags: Tags,
}

/// Something that was read.
#[derive(Debug)]
pub struct Entry<V> {
    /// What.
    pub value: V,
    read: Instant,
    snapshot: Snapshot,
    tags: Box<[Tag]>,
    life: Duration,
    bytes: u32,
}

/// What is to be kept.
#[derive(Debug)]
pub struct Reading<V> {
    /// What was read.
    pub value: V,
    /// How large it is.
    pub bytes: usize,
    /// What it was read in: a snapshot that was taken in the same statement.
    pub snapshot: Snapshot,
    /// Where it was read.
    pub tags: Vec<Tag>,
    /// When it was asked for.
    pub read: Instant,
    /// For how long it is good.
    pub life: Duration,
}

/// What was found.
#[derive(Debug)]
pub enum Found<V> {
    /// It counts.
    Fresh(Arc<Entry<V>>),
    /// It counts and is old: whoever asks while another reads it anew may have it.
    Stale(Arc<Entry<V>>),
    /// Nothing.
    Nothing,
    /// Nothing that is kept counts at this moment.
    Bypassed(Why),
}

/// Why nothing that is kept counts.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Why {
    /// Changes are not told, or not of this table.
    Closed,
    /// They are told too late.
    Lag,
    /// What this server wrote itself was not told yet.
    OwnWrite,
}

/// Numbers of a cache.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default, Serialize, Deserialize)]
pub struct Stats {
    /// Answers that were kept.
    pub hits: u64,
    /// Answers that were read.
    pub misses: u64,
    /// Answers that were read although they may have been kept.
    pub bypasses: u64,
    /// What is kept.
    pub entries: u64,
    /// How large that is, in bytes.
    pub bytes: u64,
    /// Tables of companies that changed.
    pub tags: usize,
}

impl<V: Send + Sync + 'static> Cache<V> {
    /// Makes it, empty. Nothing is kept before the change feed opens.
    pub fn new(config: &CacheConfig) -> Self {
        let kept = Kept::builder().max_capacity(config.bytes_max).weigher(|_, entry: &Arc<Entry<V>>| entry.bytes).build();
        let state = State { open: None, told_until: None, openings: 0, tags: Tags::new(config.tags_max) };
        Self(Arc::new(Inner {
            kept,
            state: Mutex::new(state),
            flights: Flights::default(),
            lag_max: Duration::from_millis(config.lag_max_ms),
            stale: Duration::from_secs(config.stale_s),
            wait_max: Duration::from_millis(config.wait_max_ms),
            entry_bytes_max: config.entry_bytes_max,
            hits: AtomicU64::new(0),
            misses: AtomicU64::new(0),
            bypasses: AtomicU64::new(0),
        }))
    }

    /// Returns what the change feed tells.
    pub fn listener(&self) -> Arc<dyn ChangeListener> {
        Arc::new(self.clone())
    }

    /// Tells whether something of these tables may be kept: their changes are told.
    pub fn is_open(&self, tables: &[Arc<str>]) -> bool {
        self.state().tells_of(tables)
    }

    /// Returns a number that is another one whenever changes began to be told anew; nothing while they are not told.
    pub fn opening(&self) -> Option<u64> {
        let state = self.state();
        state.open.is_some().then_some(state.openings)
    }

    /// Looks for an entry of these tables. What this server wrote for the company at a moment must have been told.
    pub async fn find(&self, key: &Key, tables: &[Arc<str>], written: Option<Instant>) -> Found<V> {
        if let Some(why) = self.refuses(tables, written) {
            return Found::Bypassed(why);
        }
        let Some(entry) = self.0.kept.get(key).await else { return Found::Nothing };
        if !self.state().tags.admit(&entry.tags, &entry.snapshot, entry.read) {
            self.0.kept.invalidate(key).await;
            return Found::Nothing;
        }
        match entry.age().checked_sub(entry.life) {
            None => Found::Fresh(entry),
            Some(over) if over < self.0.stale => Found::Stale(entry),
            Some(_) => Found::Nothing,
        }
    }

    /// Keeps what was read. Whether it counts is asked when it is looked for.
    pub async fn keep(&self, key: Key, reading: Reading<V>) {
        let Reading { value, bytes, snapshot, tags, read, life } = reading;
        if bytes > self.0.entry_bytes_max || self.state().open.is_none() {
            return;
        }
        let bytes = u32::try_from(bytes.saturating_add(ENTRY_BYTES)).unwrap_or(u32::MAX);
        let entry = Entry { value, read, snapshot, tags: tags.into(), life, bytes };
        self.0.kept.insert(key, Arc::new(entry)).await;
    }

    /// Begins to read, if nobody reads the same.
    pub fn try_read(&self, key: Key) -> Option<Flight> {
        self.0.flights.try_begin(key)
    }

    /// Begins to read when nobody else reads the same, or when the wait was long enough.
    pub async fn read(&self, key: Key) -> Flight {
        self.0.flights.begin(key, self.0.wait_max).await
    }

    /// Counts how a request was answered.
    pub fn count(&self, table: &str, how: &'static str) {
        let counter = match how {
            "hit" | "stale" => &self.0.hits,
            "miss" => &self.0.misses,
            _ => &self.0.bypasses,
        };
        counter.fetch_add(1, Ordering::Relaxed);
        metrics::counter!("cache_requests_total", "table" => table.to_owned(), "how" => how).increment(1);
    }

    /// Has what was read until now read anew.
    pub fn flush(&self, flush: &Flush<'_>) {
        match flush {
            Flush::Everything => self.0.kept.invalidate_all(),
            Flush::Table(table, company) => {
                self.state().tags.flush(Tag { company: *company, table: Arc::from(*table) }, Instant::now());
            }
        }
    }

    /// Returns the numbers.
    pub async fn stats(&self) -> Stats {
        self.0.kept.run_pending_tasks().await;
        let load = |counter: &AtomicU64| counter.load(Ordering::Relaxed);
        Stats {
            hits: load(&self.0.hits),
            misses: load(&self.0.misses),
            bypasses: load(&self.0.bypasses),
            entries: self.0.kept.entry_count(),
            bytes: self.0.kept.weighted_size(),
            tags: self.state().tags.len(),
        }
    }

    fn refuses(&self, tables: &[Arc<str>], written: Option<Instant>) -> Option<Why> {
        let state = self.state();
        if !state.tells_of(tables) {
            return Some(Why::Closed);
        }
        match state.told_until {
            Some(told) if written.is_some_and(|written| written >= told) => Some(Why::OwnWrite),
            Some(told) if told.elapsed() <= self.0.lag_max => None,
            _ => Some(Why::Lag),
        }
    }

    fn touch(&self, rows: &ChangedRows) {
        let is_flush = |change: &&Change| (&*change.table.schema, &*change.table.name) == FLUSHES && change.kind == ChangeKind::Insert;
        let flushes: Vec<Flush<'_>> =
            rows.changes.iter().filter(is_flush).filter_map(|change| Flush::parse(change.value("tag")?)).collect();
        for flush in &flushes {
            self.flush(flush);
        }
        let mut state = self.state();
        // What others read before, and is found later, does not see who wanted it anew.
        for flush in flushes {
            match flush {
                Flush::Everything => state.tags.touch_all(rows.xid),
                Flush::Table(table, company) => state.tags.touch(Tag { company, table: Arc::from(table) }, rows.xid),
            }
        }
        for change in &rows.changes {
            let table: Arc<str> = Arc::from(&*change.table.name);
            let was = change.old.as_deref().and_then(|row| change.table.company_of(row));
            let companies: HashSet<CompanyId> = change.company_id.into_iter().chain(was).collect();
            if companies.is_empty() {
                state.tags.touch(Tag { company: None, table: Arc::clone(&table) }, rows.xid);
            }
            for company in companies {
                state.tags.touch(Tag { company: Some(company), table: Arc::clone(&table) }, rows.xid);
            }
        }
    }

    fn state(&self) -> MutexGuard<'_, State> {
        // Nothing that holds it can leave it half changed.
        self.0.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl<V: Send + Sync + 'static> ChangeListener for Cache<V> {
    fn hear(&self, event: &FeedEvent) {
        match event {
            FeedEvent::Opened { floor, tables, .. } => {
                let mut state = self.state();
                state.tags.begin(*floor);
                state.openings = state.openings.wrapping_add(1);
                state.open = Some(tables.iter().filter(|(schema, _)| &**schema == "public").map(|(_, name)| name.clone()).collect());
                state.told_until = None;
            }
            FeedEvent::Committed(rows) => self.touch(rows),
            FeedEvent::Beat(sent) => self.state().told_until = Some(*sent),
            FeedEvent::Gap(_) => {
                let mut state = self.state();
                state.open = None;
                state.told_until = None;
                drop(state);
                self.0.kept.invalidate_all();
            }
        }
    }
}

impl State {
    fn tells_of(&self, tables: &[Arc<str>]) -> bool {
        self.open.as_ref().is_some_and(|told| tables.iter().all(|table| told.contains(&**table)))
    }
}

impl<V> Entry<V> {
    /// Returns how long ago it was asked for.
    pub fn age(&self) -> Duration {
        self.read.elapsed()
    }
}

impl Why {
    /// Returns it in a word.
    pub fn name(self) -> &'static str {
        match self {
            Self::Closed => "closed",
            Self::Lag => "lag",
            Self::OwnWrite => "own-write",
        }
    }
}

impl<V> Clone for Cache<V> {
    fn clone(&self) -> Self {
        Self(Arc::clone(&self.0))
    }
}

impl<V> std::fmt::Debug for Cache<V> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Cache").field("entries", &self.0.kept.entry_count()).finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests {
    use kernel::{Cell, ChangedColumn, ChangedTable, GapCause};

    use super::*;

    const KEY: Key = [7; 32];

    fn company(last: u8) -> CompanyId {
        CompanyId(uuid::Uuid::from_bytes([last; 16]))
    }

    fn opened(floor: u64) -> FeedEvent {
        FeedEvent::Opened {
            floor,
            tables: Arc::new(HashSet::from([("public".into(), "customers".into())])),
            place: kernel::Place::Log(0),
            history: "h".into(),
        }
    }

    fn changed(xid: u64, company: CompanyId) -> FeedEvent {
        let columns = Box::from([ChangedColumn { name: "company_id".into(), is_key: true }]);
        let table = Arc::new(ChangedTable { schema: "public".into(), name: "customers".into(), columns });
        let new: Option<Box<[Cell]>> = Some(Box::from([Cell::Text(company.to_string().into())]));
        let change = Change { table, kind: ChangeKind::Update, company_id: Some(company), new, old: None };
        FeedEvent::Committed(Arc::new(ChangedRows { xid, place: kernel::Place::Log(0), committed_at: None, changes: vec![change] }))
    }

    fn reading(snapshot: &str, life: Duration) -> Reading<u32> {
        let tags = vec![Tag { company: Some(company(1)), table: "customers".into() }, Tag { company: None, table: "customers".into() }];
        Reading { value: 42, bytes: 4, snapshot: Snapshot::parse(snapshot).unwrap(), tags, read: Instant::now(), life }
    }

    async fn said(cache: &Cache<u32>, written: Option<Instant>) -> String {
        match cache.find(&KEY, &["customers".into()], written).await {
            Found::Fresh(entry) => entry.value.to_string(),
            Found::Stale(entry) => format!("old {}", entry.value),
            Found::Nothing => "nothing".to_owned(),
            Found::Bypassed(why) => why.name().to_owned(),
        }
    }

    #[tokio::test]
    async fn an_entry_counts_until_what_it_does_not_see_is_told() {
        let cache: Cache<u32> = Cache::new(&CacheConfig::default());
        assert_eq!(said(&cache, None).await, "closed");
        cache.hear(&opened(5));
        assert_eq!(said(&cache, None).await, "lag", "no beat came yet");
        cache.hear(&FeedEvent::Beat(Instant::now()));
        cache.keep(KEY, reading("4:9:", Duration::from_mins(1))).await;
        assert_eq!(said(&cache, None).await, "nothing", "it was read in a snapshot that is too old");
        cache.keep(KEY, reading("8:12:9", Duration::from_mins(1))).await;
        assert_eq!(said(&cache, None).await, "42");
        cache.hear(&changed(9, company(2)));
        assert_eq!(said(&cache, None).await, "42", "another company's change is nothing to it");
        cache.hear(&changed(11, company(1)));
        assert_eq!(said(&cache, None).await, "42", "what it sees does not hurt it");
        cache.hear(&changed(9, company(1)));
        assert_eq!(said(&cache, None).await, "nothing");
        // A reader that was slow comes late with what it read before.
        cache.keep(KEY, reading("8:12:9", Duration::from_mins(1))).await;
        assert_eq!(said(&cache, None).await, "nothing");
    }

    #[tokio::test]
    async fn after_a_gap_and_after_an_own_write_nothing_counts_until_it_is_told() {
        let cache: Cache<u32> = Cache::new(&CacheConfig::default());
        cache.hear(&opened(5));
        cache.hear(&FeedEvent::Beat(Instant::now()));
        cache.keep(KEY, reading("8:8:", Duration::from_mins(1))).await;
        let written = Instant::now();
        assert_eq!((said(&cache, Some(written)).await, said(&cache, None).await), ("own-write".to_owned(), "42".to_owned()));
        cache.hear(&FeedEvent::Beat(Instant::now()));
        assert_eq!(said(&cache, Some(written)).await, "42");
        cache.hear(&FeedEvent::Gap(GapCause::Disconnected));
        cache.keep(KEY, reading("8:8:", Duration::from_mins(1))).await;
        assert_eq!(said(&cache, None).await, "closed");
        cache.hear(&opened(9));
        cache.hear(&FeedEvent::Beat(Instant::now()));
        assert_eq!(said(&cache, None).await, "nothing");
        cache.keep(KEY, reading("8:8:", Duration::from_mins(1))).await;
        assert_eq!(said(&cache, None).await, "nothing", "nor what was read before");
        cache.keep(KEY, reading("9:9:", Duration::ZERO)).await;
        assert_eq!(said(&cache, None).await, "old 42");
        cache.flush(&Flush::Table("customers", Some(company(1))));
        assert_eq!(said(&cache, None).await, "nothing");
    }
}
