//! Many callers that each put one task in outside of a transaction share statements and commits.
//!
//! Invariant: nobody is answered before what he put in is committed. A statement that one task spoils is tried with each alone, so that
//! nobody is refused for another's fault.

use std::collections::VecDeque;
use std::sync::{Arc, Mutex, PoisonError};

use kernel::{Error, Kind, Result};
use serde_json::Value;
use tokio::sync::oneshot;

use crate::config::QueueConfig;
use crate::queue::{Queue, enqueue_many};

/// Statements that are under way at the same time.
const WRITERS: usize = 3;

/// Who waits for his task to be put in.
#[derive(Clone)]
pub(crate) struct Coalescer {
    line: Arc<Mutex<Line>>,
    waiting_max: usize,
    rows_max: usize,
}

#[derive(Default)]
struct Line {
    waiting: VecDeque<Waiting>,
    writers: usize,
}

struct Waiting {
    row: Value,
    answer: oneshot::Sender<Result<()>>,
}

impl Coalescer {
    pub(crate) fn new(config: &QueueConfig) -> Self {
        Self { line: Arc::default(), waiting_max: config.enqueue_waiting_max, rows_max: config.enqueue_rows_max }
    }

    /// Returns when the task is committed.
    pub(crate) async fn enqueue(&self, queue: &Queue, row: Value) -> Result<()> {
        let (answer, answered) = oneshot::channel();
        if self.join(Waiting { row, answer })? {
            // A caller that goes away takes nobody's task with him.
            tokio::spawn(self.clone().write(queue.clone()));
        }
        answered.await.unwrap_or_else(|_| Err(Error::internal("the writer of tasks ended")))
    }

    /// Stands in line. Returns whether a writer is missing.
    fn join(&self, waiting: Waiting) -> Result<bool> {
        let mut line = self.line.lock().unwrap_or_else(PoisonError::into_inner);
        if line.waiting.len() >= self.waiting_max {
            metrics::counter!("tasks_refused_total").increment(1);
            let error = Error::new(Kind::Unavailable, "tasks_full", "Too many tasks are being put in. Try again later");
            return Err(error.with_retry_after(1));
        }
        line.waiting.push_back(waiting);
        let is_missing = line.writers < WRITERS;
        line.writers += usize::from(is_missing);
        Ok(is_missing)
    }

    fn next(&self) -> Vec<Waiting> {
        let mut line = self.line.lock().unwrap_or_else(PoisonError::into_inner);
        let count = line.waiting.len().min(self.rows_max);
        let batch: Vec<Waiting> = line.waiting.drain(..count).collect();
        line.writers -= usize::from(batch.is_empty());
        batch
    }

    async fn write(self, queue: Queue) {
        loop {
            let mut batch = self.next();
            if batch.is_empty() {
                return;
            }
            let rows: Value = batch.iter_mut().map(|waiting| waiting.row.take()).collect();
            match queue.ask("puts tasks in", enqueue_many(&rows)).await {
                Ok(_) => batch.into_iter().for_each(|waiting| waiting.say(Ok(()))),
                Err(error) if batch.len() > 1 && error.status().is_client_error() => each(&queue, rows, batch).await,
                Err(error) => batch.into_iter().for_each(|waiting| waiting.say(Err(again(&error)))),
            }
        }
    }
}

async fn each(queue: &Queue, rows: Value, batch: Vec<Waiting>) {
    let Value::Array(rows) = rows else { return };
    for (row, waiting) in rows.into_iter().zip(batch) {
        let written = queue.ask("puts a task in", enqueue_many(&Value::Array(vec![row]))).await;
        waiting.say(written.map(drop));
    }
}

impl Waiting {
    fn say(self, outcome: Result<()>) {
        // Whoever does not wait any more need not know.
        let _gone = self.answer.send(outcome).is_err();
    }
}

/// The same error for one more.
fn again(error: &Error) -> Error {
    let kind = error.kind();
    Error::new(kind, error.code().to_owned(), error.message().to_owned())
}
