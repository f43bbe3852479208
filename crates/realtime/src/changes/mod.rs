//! Subscriptions to changed rows.
//!
//! Invariant: a subscriber hears of every change that he asked for and may see, once and in order, or is told that he has to read anew.

mod asking;
mod config;
mod desk;
mod ear;
mod eyes;
mod filter;
mod index;
mod judged;
mod kept;
mod place;
mod record;
mod rights;
mod subscriber;
mod tables;
mod teller;
mod wish;

use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use kernel::{Authority, ChangeListener, Error, Kind, Principal, RequestContext, Result};
use postgres::Database;
use tokio::sync::mpsc;

use asking::Asking;
pub use config::ChangesConfig;
use ear::Ear;
use tables::Tables;
use teller::{Newcomer, Order, Teller};
use wish::Wish;

/// What of which table somebody wants to hear, as a join says it.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Wanted {
    /// Which sorts of changes.
    pub event: Sort,
    /// Where the table is.
    pub schema: String,
    /// The table; all of the schema where there is none.
    pub table: Option<String>,
    /// Which rows, as clients write it (`status=eq.open`).
    pub filter: Option<String>,
    /// Which columns; all where there are none.
    pub select: Option<Vec<String>>,
}

/// Sorts of changes.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub enum Sort {
    /// All.
    All,
    /// New rows.
    Insert,
    /// Rows that became others.
    Update,
    /// Rows that are gone.
    Delete,
}

/// Who wants to hear: he is asked for his rights in transactions of his own.
#[derive(Clone, Debug)]
pub struct Viewer {
    /// The verified caller.
    pub principal: Principal,
    /// What SQL may know of his request.
    pub context: RequestContext,
}

/// A place in the order of changes, as text that a client gives back: `lsn:…` or `out:…`.
#[derive(Clone, PartialEq, Eq, Hash, Debug)]
pub struct Position(pub Arc<str>);

/// What a subscriber is told.
#[derive(Clone, Debug)]
pub enum Told {
    /// From here on (or from the position that was given) he hears everything.
    Live(Position),
    /// A change.
    Change {
        /// Which of what he wanted it fits, by the numbers that he gave.
        ids: Vec<u64>,
        /// The `data` of the event as JSON text, the same for all who see the same.
        data: Arc<str>,
        /// Where it stands.
        position: Position,
    },
    /// Changes may be missing: he is to read anew. He stays subscribed.
    Resync {
        /// Why, as a word.
        reason: &'static str,
        /// From where he hears everything again.
        position: Position,
    },
    /// He hears nothing any more.
    Ended(Arc<str>),
}

/// What the subscriptions are made of.
#[derive(Debug)]
pub struct ChangesOptions {
    /// The database.
    pub database: Database,
    /// The process's authority.
    pub authority: Arc<Authority>,
    /// The settings.
    pub config: ChangesConfig,
}

/// The subscriptions of this process. Cheap to clone. By default there are none, and whoever subscribes is refused.
#[derive(Clone, Debug, Default)]
pub struct Changes(Option<Arc<Inner>>);

/// Between two readings of the tables that unknown names cause.
const UNKNOWN_AGAIN: Duration = Duration::from_secs(1);

/// The tables as they were read.
struct Known {
    tables: Arc<Tables>,
    read: Instant,
    /// What the catalog looked like just before.
    mark: String,
}

struct Inner {
    asking: Asking,
    config: ChangesConfig,
    tables: Mutex<Option<Known>>,
    orders: mpsc::UnboundedSender<Order>,
    ear: Arc<Ear>,
    next: AtomicU64,
    count: AtomicUsize,
    /// How often rights changed, as far as that was heard.
    turns: AtomicU64,
    position: Mutex<Option<Position>>,
    teller: Mutex<Option<Teller>>,
}

/// A subscription; it ends when it is dropped.
#[derive(Debug)]
pub struct Subscription {
    id: u64,
    inner: Arc<Inner>,
}

impl Changes {
    /// Makes the subscriptions. They are told while [`Changes::run`] is waited for and [`Changes::listener`] listens to the feed.
    pub fn new(options: ChangesOptions) -> Self {
        let ChangesOptions { database, authority, config } = options;
        let (orders, ordered) = mpsc::unbounded_channel();
        let (events, heard) = mpsc::channel(config.queue_max);
        let asking = Asking::new(database, authority, &config);
        let teller = Teller::new(asking.clone(), config.clone(), ordered, heard);
        Self(Some(Arc::new(Inner {
            asking,
            config,
            tables: Mutex::default(),
            orders,
            ear: Arc::new(Ear::new(events)),
            next: AtomicU64::new(1),
            count: AtomicUsize::new(0),
            turns: AtomicU64::new(0),
            position: Mutex::default(),
            teller: Mutex::new(Some(teller)),
        })))
    }

    /// Returns who listens to the change feed.
    pub fn listener(&self) -> Option<Arc<dyn ChangeListener>> {
        let ear: Arc<dyn ChangeListener> = Arc::<Ear>::clone(&self.0.as_ref()?.ear);
        Some(ear)
    }

    /// Tells subscribers, for ever. Only the first call does.
    pub async fn run(&self) -> std::convert::Infallible {
        let teller = self.0.as_ref().and_then(|inner| Some((lock(&inner.teller).take()?, Arc::clone(inner))));
        match teller {
            Some((teller, inner)) => Box::pin(teller.run(inner)).await,
            None => std::future::pending().await,
        }
    }

    /// Returns up to where everything was told; nothing while changes do not come.
    pub fn position(&self) -> Option<Position> {
        lock(&self.0.as_ref()?.position).clone()
    }

    /// Returns how many subscriptions there are.
    pub fn count(&self) -> usize {
        self.0.as_ref().map_or(0, |inner| inner.count.load(Ordering::Relaxed))
    }

    /// Returns how many changes may wait for one subscriber.
    pub fn waiting_max(&self) -> usize {
        self.0.as_ref().map_or(1, |inner| inner.config.waiting_max)
    }

    /// Subscribes. Each wish has a number of the caller's, which is not 0. With a position everything after it is told first, or a resync.
    pub async fn subscribe(
        &self,
        viewer: Viewer,
        wanted: Vec<(u64, Wanted)>,
        since: Option<Position>,
        to: mpsc::Sender<Told>,
    ) -> Result<Subscription> {
        let closed = || Error::new(Kind::Unavailable, "changes_closed", "changes are not told");
        let inner = self.0.as_ref().ok_or_else(closed)?;
        if wanted.len() > inner.config.wishes_max {
            let message = format!("a subscription has at most {} tables with their filters", inner.config.wishes_max);
            return Err(Error::new(Kind::BadRequest, "realtime_too_many_changes", message));
        }
        // Counted from here on, also when it is refused below.
        let subscription = inner.enter()?;
        let turn = inner.turns.load(Ordering::SeqCst);
        let read_at = Instant::now();
        let rights = inner.asking.rights(&viewer, 0).await?;
        let mut tables = inner.tables().await?;
        let mut wishes = read_all(inner, &viewer, &wanted, &tables, &rights).await;
        if wishes.as_ref().is_err_and(|error| error.code() == "realtime_table_unknown") {
            let newer = inner.newer_tables().await?;
            if !Arc::ptr_eq(&newer, &tables) {
                tables = newer;
                wishes = read_all(inner, &viewer, &wanted, &tables, &rights).await;
            }
        }
        let wishes = wishes?.into();
        let newcomer = Newcomer { id: subscription.id, viewer, rights, turn, read_at, wishes, tables, since, to };
        inner.orders.send(Order::Add(Box::new(newcomer))).map_err(|_gone| closed())?;
        Ok(subscription)
    }
}

async fn read_all(inner: &Inner, viewer: &Viewer, wanted: &[(u64, Wanted)], tables: &Tables, rights: &rights::Rights) -> Result<Vec<Wish>> {
    let mut wishes = Vec::with_capacity(wanted.len());
    for one in wanted {
        wishes.push(Wish::read(one.clone(), tables, rights, (&inner.asking, viewer), &inner.config).await?);
    }
    Ok(wishes)
}

impl Inner {
    /// Makes room for one more.
    fn enter(self: &Arc<Self>) -> Result<Subscription> {
        let id = self.next.fetch_add(1, Ordering::Relaxed);
        let is_full = self.count.fetch_add(1, Ordering::Relaxed) >= self.config.subscriptions_max;
        let subscription = Subscription { id, inner: Arc::clone(self) };
        if is_full {
            return Err(Error::new(Kind::TooManyRequests, "realtime_full", "this server has as many subscriptions as it may"));
        }
        Ok(subscription)
    }

    /// Returns the tables; reads them where that was not done yet.
    async fn tables(&self) -> Result<Arc<Tables>> {
        let known = lock(&self.tables).as_ref().map(|known| Arc::clone(&known.tables));
        match known {
            Some(tables) => Ok(tables),
            None => self.read_tables().await,
        }
    }

    /// Returns the tables as they are now, unless they were read a moment ago.
    async fn newer_tables(&self) -> Result<Arc<Tables>> {
        let recent =
            lock(&self.tables).as_ref().filter(|known| known.read.elapsed() < UNKNOWN_AGAIN).map(|known| Arc::clone(&known.tables));
        match recent {
            Some(tables) => Ok(tables),
            None => self.read_tables().await,
        }
    }

    async fn read_tables(&self) -> Result<Arc<Tables>> {
        // The mark first: what changes behind it is found.
        let mark = self.asking.mark().await?;
        let tables = Arc::new(self.asking.tables().await?);
        *lock(&self.tables) = Some(Known { tables: Arc::clone(&tables), read: Instant::now(), mark });
        Ok(tables)
    }
}

impl Subscription {
    /// Says who hears from now on: his token is a new one.
    pub fn renew(&self, viewer: Viewer) {
        // Nobody takes the order where nothing is told any more.
        let _gone = self.inner.orders.send(Order::Renew(self.id, Box::new(viewer)));
    }
}

impl Drop for Subscription {
    fn drop(&mut self) {
        self.inner.count.fetch_sub(1, Ordering::Relaxed);
        let _gone = self.inner.orders.send(Order::Remove(self.id));
    }
}

fn lock<T>(mutex: &Mutex<T>) -> std::sync::MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

impl std::fmt::Debug for Inner {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Inner").field("count", &self.count).finish_non_exhaustive()
    }
}

#[cfg(test)]
mod sequences;
