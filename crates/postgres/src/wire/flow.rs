//! Rows that are handed on as they come, no faster than somebody takes them.
//!
//! Invariant: of what was read and not taken there is never more than the bound and one read beyond it: the connection reads nothing
//! while it is reached. Where nobody takes anything any more, what comes is read and thrown away, so that the connection gets free.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use bytes::Bytes;
use tokio::sync::mpsc;

use super::connection::Shared;
use super::fault::Fault;
use crate::row::{Column, Row};

/// What comes of a statement.
#[derive(Debug)]
pub(super) enum Coming {
    /// Rows that came together.
    Rows(Vec<Row>),
    /// PostgreSQL is ready again, or why there is no more.
    Over(Result<(), Fault>),
}

/// The end where rows are put in.
#[derive(Debug)]
pub(super) struct Inlet {
    rows: mpsc::UnboundedSender<Coming>,
    held: Arc<Held>,
}

/// The end where rows are taken.
#[derive(Debug)]
pub(crate) struct Rows {
    coming: mpsc::UnboundedReceiver<Coming>,
    held: Arc<Held>,
    shared: Arc<Shared>,
    is_over: bool,
}

/// What was put in and not taken.
#[derive(Debug)]
struct Held {
    bytes: AtomicUsize,
    bytes_max: usize,
}

/// Makes both ends, with room for so many bytes between them.
pub(super) fn flow(shared: &Arc<Shared>, bytes_max: usize) -> (Inlet, Rows) {
    let (inlet, coming) = mpsc::unbounded_channel();
    let held = Arc::new(Held { bytes: AtomicUsize::new(0), bytes_max });
    let rows = Rows { coming, held: Arc::clone(&held), shared: Arc::clone(shared), is_over: false };
    (Inlet { rows: inlet, held }, rows)
}

impl Inlet {
    /// Tells whether nothing more is to be read for now.
    pub(super) fn is_full(&self) -> bool {
        self.held.bytes.load(Ordering::Acquire) >= self.held.bytes_max && !self.rows.is_closed()
    }

    /// Hands rows on. Those that nobody takes are gone.
    pub(super) fn put(&self, columns: &Arc<[Column]>, values: Vec<Bytes>) {
        let bytes: usize = values.iter().map(Bytes::len).sum();
        self.held.bytes.fetch_add(bytes, Ordering::AcqRel);
        let rows = values.into_iter().map(|values| Row::new(Arc::clone(columns), values)).collect();
        let _is_taken = self.rows.send(Coming::Rows(rows)).is_ok();
    }

    pub(super) fn end(self, outcome: Result<(), Fault>) {
        let _is_taken = self.rows.send(Coming::Over(outcome)).is_ok();
    }
}

impl Rows {
    /// Waits for rows; none when the statement is over and PostgreSQL is ready again.
    pub(crate) async fn next(&mut self) -> Result<Option<Vec<Row>>, Fault> {
        if self.is_over {
            return Ok(None);
        }
        match self.coming.recv().await {
            Some(Coming::Rows(rows)) => {
                let bytes = rows.iter().map(Row::bytes).sum();
                self.held.bytes.fetch_sub(bytes, Ordering::AcqRel);
                self.shared.waker.wake();
                Ok(Some(rows))
            }
            Some(Coming::Over(outcome)) => {
                self.is_over = true;
                outcome.map(|()| None)
            }
            None => {
                self.is_over = true;
                Err(Fault::ended())
            }
        }
    }
}

impl Drop for Rows {
    fn drop(&mut self) {
        self.coming.close();
        // The connection may be waiting for room that nobody will make.
        self.shared.waker.wake();
    }
}
