//! The server login's connections: made at need, kept for a bounded time, handed out for a bounded wait, to those first who asked first.
//!
//! Invariant: a connection is handed out to one caller, or to several for short reads that need no transaction of several statements. It
//! comes back only when everything on it was answered and no transaction is open; one that broke, or was left within a transaction, is
//! never handed out again.

use std::collections::VecDeque;
use std::ops::Deref;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use kernel::{Error, Result};
use tokio::sync::oneshot;

use crate::error;
use crate::options::{PoolOptions, PoolStatus, tls_config};
use crate::wire::{Connection, Dialer};

/// The pool. Cheap to clone.
#[derive(Clone)]
pub(crate) struct Pool(Arc<Inner>);

/// What a connection is wanted for.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Use {
    /// Anything: nobody else is on it.
    Alone,
    /// A read that is over soon, and needs nothing but its own batch: others may be under way on it.
    Together,
}

/// A connection that was handed out. Dropped, it goes back.
pub(crate) struct Lease {
    pool: Pool,
    connection: Arc<Connection>,
}

struct Inner {
    dialer: Dialer,
    limits: Limits,
    state: Mutex<State>,
}

struct Limits {
    size_max: usize,
    sharing: usize,
    lifetime: Duration,
    idle: Duration,
    acquire: Duration,
    abandoned: Duration,
}

#[derive(Default)]
struct State {
    /// Connections that are open, or being opened.
    size: usize,
    /// Those that nobody uses, and since when. The last one is used next.
    idle: Vec<(Arc<Connection>, Instant)>,
    /// Those that several may use, and how many do.
    shared: Vec<(Arc<Connection>, usize)>,
    waiting: VecDeque<Waiting>,
    is_closed: bool,
}

struct Waiting {
    purpose: Use,
    reply: oneshot::Sender<Turn>,
}

/// What somebody gets whose turn it is.
enum Turn {
    Ready(Lease),
    /// There is room for a connection: he makes it.
    Room(Room),
}

/// Room for a connection that is to be made. Dropped, somebody else has it.
struct Room {
    pool: Pool,
    is_used: bool,
}

impl Pool {
    /// Makes the pool. Connects to nothing yet.
    pub(crate) fn new(options: PoolOptions) -> Result<Self> {
        let tls = tls_config(&options.server, options.root_certificate_file.as_deref())?;
        let limits = Limits {
            size_max: options.size_max,
            sharing: options.sharing(),
            lifetime: options.lifetime,
            idle: options.idle,
            acquire: options.acquire,
            abandoned: options.abandoned,
        };
        let kept = options.kept();
        Ok(Self(Arc::new(Inner { dialer: Dialer::new(options.server, tls, kept), limits, state: Mutex::default() })))
    }

    /// Takes a connection, within the limit.
    pub(crate) async fn acquire(&self, purpose: Use) -> Result<Lease> {
        let acquire = self.0.limits.acquire;
        let turn = match self.now_or_later(purpose)? {
            Ok(turn) => turn,
            Err(later) => match tokio::time::timeout(acquire, later).await {
                Ok(turn) => turn.map_err(|_closed| closed())?,
                Err(_elapsed) => return Err(error::pool_timeout()),
            },
        };
        match turn {
            Turn::Ready(lease) => Ok(lease),
            Turn::Room(room) => {
                let made = tokio::time::timeout(acquire, self.0.dialer.connect()).await.map_err(error::unavailable)?;
                Ok(room.used(Arc::new(made.map_err(error::unavailable)?), purpose))
            }
        }
    }

    /// Returns how the pool is.
    pub(crate) fn status(&self) -> PoolStatus {
        let state = self.state();
        PoolStatus {
            size: state.size,
            size_max: self.0.limits.size_max,
            available: state.idle.len(),
            waiting: state.waiting.iter().filter(|waiting| !waiting.reply.is_closed()).count(),
        }
    }

    /// Closes what nobody used for too long.
    pub(crate) fn reap(&self) {
        let mut state = self.state();
        let before = state.idle.len();
        state.idle.retain(|(_, since)| since.elapsed() < self.0.limits.idle);
        state.size = state.size.saturating_sub(before.saturating_sub(state.idle.len()));
        self.serve(state);
    }

    /// Closes all connections; those in use when they come back. Later calls fail.
    pub(crate) fn close(&self) {
        let mut state = self.state();
        state.is_closed = true;
        state.size = state.size.saturating_sub(state.idle.len());
        state.idle.clear();
        state.waiting.clear();
    }

    /// Finds something, or a place among those who wait. Whoever came before is served before.
    fn now_or_later(&self, purpose: Use) -> Result<std::result::Result<Turn, oneshot::Receiver<Turn>>> {
        let mut state = self.state();
        if state.is_closed {
            return Err(closed());
        }
        let turn = if state.waiting.is_empty() { self.turn(&mut state, purpose) } else { None };
        Ok(turn.ok_or_else(|| {
            let (reply, turn) = oneshot::channel();
            state.waiting.push_back(Waiting { purpose, reply });
            turn
        }))
    }

    /// Finds something for somebody whose turn it is.
    fn turn(&self, state: &mut State, purpose: Use) -> Option<Turn> {
        while let Some((connection, since)) = state.idle.pop() {
            if connection.is_broken() || self.is_old(&connection) || since.elapsed() > self.0.limits.idle {
                state.size = state.size.saturating_sub(1);
                continue;
            }
            if purpose == Use::Together && self.0.limits.sharing > 1 {
                state.shared.push((Arc::clone(&connection), 1));
            }
            return Some(Turn::Ready(self.lease(connection)));
        }
        if state.size < self.0.limits.size_max {
            state.size = state.size.saturating_add(1);
            return Some(Turn::Room(Room { pool: self.clone(), is_used: false }));
        }
        if purpose == Use::Alone {
            return None;
        }
        let usable = state
            .shared
            .iter_mut()
            .filter(|(connection, users)| *users < self.0.limits.sharing && !connection.is_broken() && !self.is_old(connection));
        let (connection, users) = usable.min_by_key(|(_, users)| *users)?;
        *users = users.saturating_add(1);
        Some(Turn::Ready(self.lease(Arc::clone(connection))))
    }

    /// Serves those who wait, in their order, as far as there is something for them.
    fn serve(&self, mut state: MutexGuard<'_, State>) {
        let mut undelivered = Vec::new();
        while let Some(waiting) = state.waiting.pop_front() {
            if waiting.reply.is_closed() {
                continue;
            }
            let Some(turn) = self.turn(&mut state, waiting.purpose) else {
                state.waiting.push_front(waiting);
                break;
            };
            // Who went away in this moment gives it back when the lock is free again.
            undelivered.extend(waiting.reply.send(turn).err());
        }
        drop(state);
        drop(undelivered);
    }

    /// Takes a connection back from one of its users.
    fn take_back(&self, connection: Arc<Connection>) {
        let mut state = self.state();
        let shared = state.shared.iter().position(|(shared, _)| Arc::ptr_eq(shared, &connection));
        if let Some((_, users)) = shared.and_then(|index| state.shared.get_mut(index)) {
            *users = users.saturating_sub(1);
            if *users > 0 {
                return self.serve(state);
            }
        }
        if let Some(index) = shared {
            state.shared.swap_remove(index);
        }
        if connection.is_broken() || self.is_old(&connection) || state.is_closed {
            state.size = state.size.saturating_sub(1);
            return self.serve(state);
        }
        if connection.is_quiet() {
            if connection.is_idle() {
                state.idle.push((connection, Instant::now()));
            } else {
                state.size = state.size.saturating_sub(1);
            }
            return self.serve(state);
        }
        drop(state);
        self.calm(connection);
    }

    /// Somebody left before all was answered: what is over soon ends by itself, and what is not is given up.
    fn calm(&self, connection: Arc<Connection>) {
        let pool = self.clone();
        let calmed = async move {
            if tokio::time::timeout(pool.0.limits.abandoned, connection.quiet()).await.is_err() {
                // A pooler may have handed its connection to somebody else by then.
                if connection.prepares()
                    && let Err(cause) = connection.cancel().await
                {
                    tracing::debug!(%cause, "a statement that nobody waits for could not be cancelled");
                }
                // Its own time limit ends it where the request did not reach it.
                connection.quiet().await;
            }
            pool.take_back(connection);
        };
        match tokio::runtime::Handle::try_current() {
            Ok(runtime) => drop(runtime.spawn(calmed)),
            // The process ends: so does the connection.
            Err(_) => self.give_up(),
        }
    }

    /// A connection is no longer there.
    fn give_up(&self) {
        let mut state = self.state();
        state.size = state.size.saturating_sub(1);
        self.serve(state);
    }

    fn lease(&self, connection: Arc<Connection>) -> Lease {
        Lease { pool: self.clone(), connection }
    }

    fn is_old(&self, connection: &Connection) -> bool {
        connection.born().elapsed() > self.0.limits.lifetime
    }

    fn state(&self) -> MutexGuard<'_, State> {
        // Nothing that holds it can leave it half changed.
        self.0.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Room {
    fn used(mut self, connection: Arc<Connection>, purpose: Use) -> Lease {
        self.is_used = true;
        let pool = self.pool.clone();
        if purpose == Use::Together && pool.0.limits.sharing > 1 {
            let mut state = pool.state();
            state.shared.push((Arc::clone(&connection), 1));
            pool.serve(state);
        }
        pool.lease(connection)
    }
}

impl Drop for Room {
    fn drop(&mut self) {
        if !self.is_used {
            self.pool.give_up();
        }
    }
}

impl Lease {
    /// Returns the connection, for whoever wants to know when all on it is answered.
    pub(crate) fn shared(&self) -> Arc<Connection> {
        Arc::clone(&self.connection)
    }
}

impl Drop for Lease {
    fn drop(&mut self) {
        self.pool.take_back(Arc::clone(&self.connection));
    }
}

impl Deref for Lease {
    type Target = Connection;

    fn deref(&self) -> &Connection {
        &self.connection
    }
}

fn closed() -> Error {
    error::unavailable("the pool is closed")
}
