//! A connection as those see it who ask on it.
//!
//! Invariant: what is encoded is queued under the same lock, so that frames stand on the wire in the order in which they were decided. A
//! connection that broke says so to whoever asks next.

use std::collections::VecDeque;
use std::io;
use std::num::NonZeroUsize;
use std::sync::atomic::{AtomicBool, AtomicU8, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Instant;

use bytes::BytesMut;
use futures_util::task::AtomicWaker;
use kernel::{Error, Kind};
use postgres_protocol::message::frontend;
use tokio::sync::{Notify, oneshot};

use super::batch::{self, Expected, Part, Step};
use super::dial::Address;
use super::driver::Driver;
use super::fault::Fault;
use super::flow::{Inlet, Rows, flow};
use super::startup::Session;
use super::statements::{Lesson, Statements};
use super::stream::Stream;
use crate::row::Column;

/// No transaction is open.
const IDLE: u8 = b'I';

/// One connection.
#[derive(Debug)]
pub(crate) struct Connection {
    shared: Arc<Shared>,
    key: (i32, i32),
    address: Address,
    prepares: bool,
    born: Instant,
}

/// What those who ask share with the one who reads and writes.
#[derive(Debug)]
pub(super) struct Shared {
    pub(super) outgoing: Mutex<Outgoing>,
    pub(super) waker: AtomicWaker,
    /// How the last answer left the connection: `I` idle, `T` in a transaction, `E` in a failed one.
    pub(super) status: AtomicU8,
    in_flight: AtomicUsize,
    quiet: Notify,
    is_broken: AtomicBool,
    is_abandoned: AtomicBool,
    is_read_only: AtomicBool,
}

/// What was queued and not yet taken to be written.
#[derive(Debug)]
pub(super) struct Outgoing {
    pub(super) bytes: BytesMut,
    pub(super) queued: VecDeque<Pending>,
    statements: Statements,
    is_closed: bool,
}

/// Somebody who waits for an answer.
#[derive(Debug)]
pub(super) struct Pending {
    pub(super) reply: Replies,
    pub(super) expected: Vec<Expected>,
}

/// How somebody is answered.
#[derive(Debug)]
pub(super) enum Replies {
    /// When all has come.
    Whole(oneshot::Sender<Result<Vec<Part>, Fault>>),
    /// Row by row; of one statement.
    Rows(Inlet),
}

impl Replies {
    /// Says how it ended. Nobody may wait for it any more.
    pub(super) fn end(self, outcome: Result<Vec<Part>, Fault>) {
        match self {
            Self::Whole(reply) => drop(reply.send(outcome)),
            Self::Rows(inlet) => inlet.end(outcome.map(drop)),
        }
    }
}

/// An answer that is on its way. What was sent is done whether anybody waits for it or not.
#[derive(Debug)]
pub(crate) struct Reply(oneshot::Receiver<Result<Vec<Part>, Fault>>);

impl Reply {
    /// Waits for the answer: a part a statement.
    pub(crate) async fn parts(self) -> Result<Vec<Part>, Fault> {
        self.0.await.unwrap_or_else(|_| Err(Fault::ended()))
    }
}

impl Connection {
    /// Takes a connection whose start is over, and begins to read and write on it.
    pub(super) fn new(session: Session, address: Address, statements_max: Option<NonZeroUsize>) -> Self {
        let shared = Arc::new(Shared {
            outgoing: Mutex::new(Outgoing {
                bytes: BytesMut::new(),
                queued: VecDeque::new(),
                statements: Statements::new(statements_max),
                is_closed: false,
            }),
            waker: AtomicWaker::new(),
            status: AtomicU8::new(IDLE),
            in_flight: AtomicUsize::new(0),
            quiet: Notify::new(),
            is_broken: AtomicBool::new(false),
            is_abandoned: AtomicBool::new(false),
            is_read_only: AtomicBool::new(false),
        });
        for (name, value) in &session.parameters {
            shared.parameter(name, value);
        }
        // Both end when the connection is dropped.
        match session.stream {
            Stream::Unix(stream) => drop(tokio::spawn(Driver::new(stream, session.read, Arc::clone(&shared)))),
            Stream::Tcp(stream) => drop(tokio::spawn(Driver::new(stream, session.read, Arc::clone(&shared)))),
            Stream::Tls(stream) => drop(tokio::spawn(Driver::new(*stream, session.read, Arc::clone(&shared)))),
        }
        Self { shared, key: session.key, address, prepares: statements_max.is_some(), born: Instant::now() }
    }

    /// Sends statements together: one transaction where none is open. They are on their way when this returns.
    pub(crate) fn ask(&self, steps: &[Step<'_>]) -> Result<Reply, Fault> {
        let (reply, answer) = oneshot::channel();
        self.queue(Replies::Whole(reply), |outgoing| batch::write(steps, &mut outgoing.statements, &mut outgoing.bytes))?;
        Ok(Reply(answer))
    }

    /// Sends one statement, whose rows are handed on as they come: no more are read than so many bytes ahead of who takes them.
    pub(crate) fn stream(&self, step: Step<'_>, bytes_max: usize) -> Result<Rows, Fault> {
        let (inlet, rows) = flow(&self.shared, bytes_max);
        self.queue(Replies::Rows(inlet), |outgoing| batch::write(&[step], &mut outgoing.statements, &mut outgoing.bytes))?;
        Ok(rows)
    }

    /// Sends a text of static SQL as it is.
    pub(crate) fn say(&self, text: &'static str) -> Result<Reply, Fault> {
        let (reply, answer) = oneshot::channel();
        self.queue(Replies::Whole(reply), |outgoing| frontend::query(text, &mut outgoing.bytes).map(|()| Vec::new()))?;
        Ok(Reply(answer))
    }

    /// Prepares a statement anew the next time: it is not what it was.
    pub(crate) fn forget(&self, role: &str, text: &str) {
        if let Ok(mut outgoing) = self.shared.outgoing.lock() {
            outgoing.statements.forget(role, text);
        }
    }

    /// Asks PostgreSQL to give up what it does on this connection. Returned, it has been told.
    pub(crate) async fn cancel(&self) -> io::Result<()> {
        self.address.cancel(self.key).await
    }

    /// Waits until everything has been answered.
    pub(crate) async fn quiet(&self) {
        loop {
            let change = self.shared.quiet.notified();
            if self.is_quiet() || self.is_broken() {
                return;
            }
            change.await;
        }
    }

    /// Tells whether everything has been answered.
    pub(crate) fn is_quiet(&self) -> bool {
        self.shared.in_flight.load(Ordering::Acquire) == 0
    }

    /// Tells whether no transaction is open, of all that was answered.
    pub(crate) fn is_idle(&self) -> bool {
        self.shared.status.load(Ordering::Acquire) == IDLE
    }

    /// Tells whether statements may be prepared on this connection.
    pub(crate) fn prepares(&self) -> bool {
        self.prepares
    }

    /// Tells whether PostgreSQL lets nobody write here who does not ask for it first.
    pub(crate) fn is_read_only(&self) -> bool {
        self.shared.is_read_only.load(Ordering::Relaxed)
    }

    /// Tells whether it can serve nobody any more.
    pub(crate) fn is_broken(&self) -> bool {
        self.shared.is_broken.load(Ordering::Acquire)
    }

    /// When it was made.
    pub(crate) fn born(&self) -> Instant {
        self.born
    }

    /// Looks at how something ended: a connection that broke is not handed out again.
    pub(crate) fn note(&self, error: &Error) {
        if error.kind() == Kind::Unavailable {
            self.shared.is_broken.store(true, Ordering::Release);
        }
    }

    fn queue(&self, reply: Replies, write: impl FnOnce(&mut Outgoing) -> io::Result<Vec<Expected>>) -> Result<(), Fault> {
        {
            let Ok(mut outgoing) = self.shared.outgoing.lock() else { return Err(Fault::ended()) };
            if outgoing.is_closed {
                return Err(Fault::ended());
            }
            let expected = write(&mut outgoing).map_err(Fault::Unsayable)?;
            outgoing.queued.push_back(Pending { reply, expected });
            self.shared.in_flight.fetch_add(1, Ordering::AcqRel);
        }
        self.shared.waker.wake();
        Ok(())
    }
}

impl Drop for Connection {
    fn drop(&mut self) {
        self.shared.is_abandoned.store(true, Ordering::Release);
        self.shared.waker.wake();
    }
}

impl Shared {
    /// Keeps what PostgreSQL says of the session by itself.
    pub(super) fn parameter(&self, name: &str, value: &str) {
        if name == "default_transaction_read_only" {
            self.is_read_only.store(value == "on", Ordering::Relaxed);
        }
    }

    /// Keeps what was learned of a statement.
    pub(super) fn learn(&self, lesson: &Lesson, is_prepared: bool, columns: Option<&Arc<[Column]>>) {
        let Ok(mut outgoing) = self.outgoing.lock() else { return };
        match columns.filter(|_| is_prepared) {
            Some(columns) => outgoing.statements.learned(lesson, columns),
            None => outgoing.statements.not_learned(lesson, is_prepared),
        }
    }

    /// One answer more is over.
    pub(super) fn answered(&self) {
        if self.in_flight.fetch_sub(1, Ordering::AcqRel) == 1 {
            self.quiet.notify_waiters();
        }
    }

    /// Nothing can be sent any more; returns who had queued something.
    pub(super) fn broke(&self) -> VecDeque<Pending> {
        self.is_broken.store(true, Ordering::Release);
        let queued = self.outgoing.lock().map(|mut outgoing| {
            outgoing.is_closed = true;
            std::mem::take(&mut outgoing.queued)
        });
        self.quiet.notify_waiters();
        queued.unwrap_or_default()
    }

    /// Tells whether nobody has the connection any more.
    pub(super) fn is_abandoned(&self) -> bool {
        self.is_abandoned.load(Ordering::Acquire)
    }
}
