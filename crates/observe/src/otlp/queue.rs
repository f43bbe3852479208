//! What waits for the collector, and how what came of it is counted.
//!
//! Invariant: whoever puts something in never waits. What was put in is counted once: as sent, rejected, failed, dropped or given up.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use tokio::sync::mpsc::{Receiver, Sender, channel};

use super::messages::{Line, Span};

/// What is sent.
#[derive(Debug)]
pub(crate) enum Item {
    Span(Span),
    Line(Line),
}

/// What an item tells of.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Signal {
    Traces,
    Logs,
}

impl Signal {
    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::Traces => "traces",
            Self::Logs => "logs",
        }
    }
}

/// Where items are put in.
#[derive(Clone, Debug)]
pub(crate) struct Queue {
    sender: Sender<Item>,
    pending: Arc<Pending>,
}

/// How many items were put in of which nobody knows yet what comes of them.
#[derive(Debug, Default)]
pub(crate) struct Pending {
    traces: AtomicUsize,
    logs: AtomicUsize,
}

impl Queue {
    /// Makes one of so many places, and what is taken out of it.
    pub(crate) fn new(places: usize) -> (Self, Receiver<Item>) {
        let (sender, waiting) = channel(places);
        (Self { sender, pending: Arc::default() }, waiting)
    }

    /// Puts something in, if there is room.
    pub(crate) fn put(&self, item: Item) {
        let signal = match item {
            Item::Span(_) => Signal::Traces,
            Item::Line(_) => Signal::Logs,
        };
        // Before it can be taken out: what came of it is taken off again.
        let pending = self.pending.of(signal);
        pending.fetch_add(1, Ordering::Relaxed);
        if self.sender.try_send(item).is_err() {
            pending.fetch_sub(1, Ordering::Relaxed);
            count(signal, "dropped", 1);
        }
    }

    pub(crate) fn pending(&self) -> Arc<Pending> {
        Arc::clone(&self.pending)
    }
}

impl Pending {
    /// Counts what came of items.
    pub(crate) fn came(&self, signal: Signal, result: &'static str, items: usize) {
        self.of(signal).fetch_sub(items, Ordering::Relaxed);
        count(signal, result, items);
    }

    /// Counts whatever is still there as given up.
    pub(crate) fn give_up(&self) {
        for signal in [Signal::Traces, Signal::Logs] {
            count(signal, "given_up", self.of(signal).swap(0, Ordering::Relaxed));
        }
    }

    fn of(&self, signal: Signal) -> &AtomicUsize {
        match signal {
            Signal::Traces => &self.traces,
            Signal::Logs => &self.logs,
        }
    }
}

fn count(signal: Signal, result: &'static str, items: usize) {
    if items > 0 {
        let items = u64::try_from(items).unwrap_or(u64::MAX);
        metrics::counter!("otlp_items_total", "signal" => signal.name(), "result" => result).increment(items);
    }
}
