//! Subscriptions to changed rows.
//!
//! Invariant: a subscriber hears of every change that he asked for and may see, once and in order, or is told that he has to read anew.

use std::sync::Arc;

use kernel::{Error, Kind, Principal, RequestContext, Result};
use tokio::sync::mpsc;

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
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
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

/// A place in the order of changes, as text that a client gives back: `lsn:N` or `out:N`.
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

/// The subscriptions of this process. Cheap to clone.
#[derive(Clone, Debug, Default)]
pub struct Changes;

/// A subscription; it ends when it is dropped.
#[derive(Debug)]
pub struct Subscription;

impl Changes {
    /// Subscribes. Each wish has a number of the caller's, which is not 0. With a position everything after it is told first, or a resync.
    pub async fn subscribe(
        &self,
        _viewer: Viewer,
        _wanted: Vec<(u64, Wanted)>,
        _since: Option<Position>,
        _to: mpsc::Sender<Told>,
    ) -> Result<Subscription> {
        Err(Error::new(Kind::Unavailable, "changes_closed", "changes are not told"))
    }
}

impl Subscription {
    /// Says who hears from now on: his token is a new one.
    pub fn renew(&self, _viewer: Viewer) {}
}
