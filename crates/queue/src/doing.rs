//! Doing tasks: so many at the same time, out of those that this process holds.
//!
//! Invariant: a handler that panics, takes too long or does not stop ends its own task and nothing else. Of every task that was taken one
//! ending is told, unless the process dies.

use std::collections::{HashMap, HashSet};
use std::panic::AssertUnwindSafe;
use std::sync::atomic::{AtomicBool, AtomicU64, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use futures_util::FutureExt;
use kernel::trace;
use serde_json::Value;
use tokio::sync::{Notify, mpsc};
use tokio_util::sync::CancellationToken;
use tracing::field::Empty;
use tracing::{Instrument, Span};
use uuid::Uuid;

use crate::claims::Claimed;
use crate::kinds::{Kinds, Known};
use crate::queue::Queue;
use crate::running::{Failure, Retry, Running};
use crate::waiting::Waiting;

/// How long what is held beside what runs should last.
const AHEAD_MICROS: u64 = 25_000;
/// How long a task is thought to take before any was done.
const PACE_MICROS: u64 = 1_000_000;
/// After how long a task comes back whose kind this process does not know: another one may.
const UNKNOWN: Duration = Duration::from_secs(10);

/// How an attempt ended.
#[derive(Debug)]
pub(crate) struct Ending {
    pub(crate) company_id: Uuid,
    pub(crate) id: Uuid,
    pub(crate) attempt: i16,
    pub(crate) outcome: Outcome,
    /// Its handler ended it in a transaction of its own: nothing need be there any more.
    pub(crate) is_finished_within: bool,
}

#[derive(Debug)]
pub(crate) enum Outcome {
    Done(Value),
    Failed(String, Duration),
    Dead(String),
    Cancelled,
    Back(Duration),
}

/// What the parts of a worker share.
pub(crate) struct Bench {
    pub(crate) queue: Queue,
    pub(crate) kinds: Kinds,
    pub(crate) worker: Uuid,
    /// Taken and not begun.
    buffer: Mutex<Waiting>,
    filled: Notify,
    /// Nothing begins any more.
    is_closed: AtomicBool,
    /// Taken and not ended.
    held: AtomicUsize,
    /// Taken, and what became of it is not written.
    open: AtomicUsize,
    /// There is room, or nothing is open any more.
    pub(crate) freed: Notify,
    stops: Mutex<HashMap<Uuid, CancellationToken>>,
    /// Those that were told to stop by somebody, and not because the process stops.
    cancelled: Mutex<Vec<Uuid>>,
    /// Those of them that had not begun when it was said.
    unbegun: Mutex<HashSet<Uuid>>,
    /// Microseconds that a task takes, about.
    pace_micros: AtomicU64,
    /// The process stops, and what runs should end.
    pub(crate) hurry: CancellationToken,
}

impl Bench {
    pub(crate) fn new(queue: Queue, kinds: Kinds) -> Self {
        Self {
            queue,
            kinds,
            worker: Uuid::now_v7(),
            buffer: Mutex::default(),
            filled: Notify::new(),
            is_closed: AtomicBool::new(false),
            held: AtomicUsize::new(0),
            open: AtomicUsize::new(0),
            freed: Notify::new(),
            stops: Mutex::default(),
            cancelled: Mutex::default(),
            unbegun: Mutex::default(),
            pace_micros: AtomicU64::new(PACE_MICROS),
            hurry: CancellationToken::new(),
        }
    }

    /// How many more to take: so many as can begin at once, and of short tasks as many as are done soon. Nothing while enough lies there,
    /// so that many are taken at once.
    pub(crate) fn room(&self) -> usize {
        let config = self.queue.config();
        let ahead = self.ahead();
        if ahead > 0 && self.waiting() > ahead / 2 {
            return 0;
        }
        let room = config.running_max.saturating_add(ahead).saturating_sub(self.held.load(Ordering::Relaxed));
        room.min(config.claim_rows_max)
    }

    /// How many to take for companies that have nothing here and were just told of, although enough of others lies here. Nothing where tasks
    /// take long: what could not begin soon would only be kept from other processes.
    pub(crate) fn room_for_new(&self) -> usize {
        let config = self.queue.config();
        let ahead = self.ahead();
        if ahead < config.running_max {
            return 0;
        }
        let most = config.running_max.saturating_add(ahead).saturating_add(config.claim_new_rows_max);
        most.saturating_sub(self.held.load(Ordering::Relaxed)).min(config.claim_new_rows_max)
    }

    /// How many to take for companies that have nothing here although everything that runs is others': the places for them.
    pub(crate) fn room_for_absent(&self) -> usize {
        let config = self.queue.config();
        let most = config.running_max.saturating_add(config.running_spare_max).saturating_add(self.ahead());
        most.saturating_sub(self.held.load(Ordering::Relaxed)).min(config.running_spare_max)
    }

    /// Has a plan made by how many of a company wait or run here.
    pub(crate) fn by_held<T>(&self, plan: impl FnOnce(&dyn Fn(Uuid) -> usize) -> T) -> T {
        let buffer = locked(&self.buffer);
        plan(&|company_id| buffer.held(company_id))
    }

    /// Returns how many short tasks to hold beside those that run.
    fn ahead(&self) -> usize {
        let config = self.queue.config();
        let pace = self.pace_micros.load(Ordering::Relaxed).max(1);
        let ahead = u64::try_from(config.running_max).unwrap_or(u64::MAX).saturating_mul(AHEAD_MICROS) / pace;
        usize::try_from(ahead).unwrap_or(usize::MAX).min(config.claim_rows_max.saturating_mul(2))
    }

    fn waiting(&self) -> usize {
        locked(&self.buffer).len()
    }

    /// Tells whether everything that was taken is written.
    pub(crate) fn is_idle(&self) -> bool {
        self.open.load(Ordering::Acquire) == 0
    }

    pub(crate) fn fill(&self, claimed: Vec<Claimed>) {
        let count = claimed.len();
        self.held.fetch_add(count, Ordering::Relaxed);
        self.open.fetch_add(count, Ordering::AcqRel);
        locked(&self.buffer).add(claimed);
        let config = self.queue.config();
        for _ in 0..count.min(config.running_max.saturating_add(config.running_spare_max)) {
            self.filled.notify_one();
        }
    }

    /// Takes out what lay here too long, or everything: it goes back.
    pub(crate) fn unfill(&self, all: bool) -> Vec<Ending> {
        let patience = Duration::from_millis(self.queue.config().held_ms);
        let mut buffer = locked(&self.buffer);
        let is_stale = all || buffer.first().any(|first| first.since.elapsed() > patience);
        let taken_out = if is_stale { buffer.clear() } else { vec![] };
        let back: Vec<Ending> = taken_out.into_iter().map(|claimed| claimed.ended(Outcome::Back(Duration::ZERO))).collect();
        self.held.fetch_sub(back.len(), Ordering::Relaxed);
        back
    }

    pub(crate) fn written(&self, count: usize) {
        if self.open.fetch_sub(count, Ordering::AcqRel) == count {
            self.freed.notify_one();
        }
    }

    /// Tells the handlers of these to stop, and has those not begin that lie here. They are all that this process has and should stop.
    pub(crate) fn cancel(&self, ids: impl Iterator<Item = Uuid>) {
        let (stops, mut unbegun) = (locked(&self.stops), locked(&self.unbegun));
        unbegun.clear();
        for id in ids {
            let Some(stop) = stops.get(&id) else {
                unbegun.insert(id);
                continue;
            };
            if !stop.is_cancelled() {
                locked(&self.cancelled).push(id);
                stop.cancel();
            }
        }
    }

    /// Does one task after the other until nothing begins any more.
    pub(crate) async fn execute(self: Arc<Self>, endings: mpsc::Sender<Ending>) {
        let running_max = self.queue.config().running_max;
        while let Some(claimed) = self.next(running_max).await {
            let company_id = claimed.company_id;
            let ending = self.one(claimed).await;
            let is_told = endings.send(ending).await.is_ok();
            self.held.fetch_sub(1, Ordering::Relaxed);
            let (may_begin, waiting) = {
                let mut buffer = locked(&self.buffer);
                (buffer.ended(company_id, running_max), buffer.len())
            };
            if !is_told {
                return;
            }
            if may_begin {
                self.filled.notify_one();
            }
            if waiting <= self.ahead() / 2 {
                self.freed.notify_one();
            }
        }
    }

    /// Waits for a task that may begin.
    async fn next(&self, running_max: usize) -> Option<Claimed> {
        loop {
            let mut filled = std::pin::pin!(self.filled.notified());
            // Whatever is filled in from here on is not missed.
            filled.as_mut().enable();
            if self.is_closed.load(Ordering::Acquire) {
                return None;
            }
            let next = locked(&self.buffer).next(running_max);
            if next.is_some() {
                return next;
            }
            filled.await;
        }
    }

    /// Nothing begins any more.
    pub(crate) fn close(&self) {
        self.is_closed.store(true, Ordering::Release);
        self.filled.notify_waiters();
    }

    async fn one(&self, mut claimed: Claimed) -> Ending {
        let Some(known) = self.kinds.get(&claimed.kind) else {
            tracing::warn!(task_id = %claimed.id, kind = claimed.kind, "this process does not know how to do a task of this kind");
            return claimed.ended(Outcome::Back(UNKNOWN));
        };
        let begun = Instant::now();
        let stop = self.hurry.child_token();
        {
            let mut stops = locked(&self.stops);
            if locked(&self.unbegun).remove(&claimed.id) {
                return claimed.ended(Outcome::Cancelled);
            }
            stops.insert(claimed.id, stop.clone());
        }
        let running = Arc::new(Running {
            queue: self.queue.clone(),
            worker: self.worker,
            company_id: claimed.company_id,
            id: claimed.id,
            kind: known.name,
            attempt: claimed.attempt,
            asker: claimed.asker.take(),
            mark: claimed.mark.take(),
            stop,
            is_finished_within: AtomicBool::new(false),
            noted: Mutex::default(),
        });
        let payload = claimed.payload.take();
        let span = span(&claimed, known.name);
        let outcome = self.watched(known, &running, payload).instrument(span.clone()).await;
        if matches!(outcome, Outcome::Failed(..) | Outcome::Dead(_)) {
            span.record("code", outcome.name());
        }
        locked(&self.stops).remove(&claimed.id);
        // It may have ended by itself although somebody cancelled it.
        locked(&self.cancelled).retain(|id| *id != claimed.id);
        let took = begun.elapsed();
        self.note_pace(took);
        metrics::counter!("tasks_total", "kind" => known.name, "outcome" => outcome.name()).increment(1);
        metrics::histogram!("task_duration_seconds", "kind" => known.name).record(took.as_secs_f64());
        let mut ending = claimed.ended(outcome);
        ending.is_finished_within = running.is_finished_within.load(Ordering::Relaxed);
        if let (Outcome::Failed(reason, _) | Outcome::Dead(reason), false) = (&ending.outcome, ending.is_finished_within) {
            tracing::warn!(task_id = %ending.id, kind = known.name, attempt = ending.attempt, reason, "a task failed");
        }
        ending
    }

    /// Runs a handler within its time.
    async fn watched(&self, known: &Known, running: &Arc<Running>, payload: Value) -> Outcome {
        let work = AssertUnwindSafe(known.handler.run(Arc::clone(running), payload)).catch_unwind();
        let mut work = std::pin::pin!(work);
        let is_late = tokio::select! {
            biased;
            ended = &mut work => return self.judged(known, running, ended),
            () = running.stop.cancelled() => false,
            () = tokio::time::sleep(known.rules.timeout) => true,
        };
        running.stop.cancel();
        let grace = Duration::from_millis(self.queue.config().stop_grace_ms);
        match tokio::time::timeout(grace, &mut work).await {
            Ok(Ok(Ok(result))) => Outcome::Done(result),
            _ if is_late => {
                let reason = format!("it took longer than {} ms", known.rules.timeout.as_millis());
                Outcome::Failed(reason, known.rules.pause(running.attempt(), rand::random()))
            }
            _ => self.stopped(running.id),
        }
    }

    fn judged(&self, known: &Known, running: &Running, ended: std::thread::Result<Result<Value, Failure>>) -> Outcome {
        let failure = match ended {
            Ok(Ok(result)) => return Outcome::Done(result),
            Ok(Err(_)) if running.stop.is_cancelled() => return self.stopped(running.id),
            Ok(Err(failure)) => failure,
            Err(_) => Failure::again("its handler panicked"),
        };
        let reason = failure.reason.replace('\0', "");
        match failure.retry {
            Retry::Never => Outcome::Dead(reason),
            Retry::Postponed(pause) => Outcome::Back(pause.max(Duration::from_millis(1))),
            Retry::After(pause) => Outcome::Failed(reason, pause),
            Retry::Backoff => Outcome::Failed(reason, known.rules.pause(running.attempt(), rand::random())),
        }
    }

    /// What becomes of a task that was told to stop and did.
    fn stopped(&self, id: Uuid) -> Outcome {
        let mut cancelled = locked(&self.cancelled);
        match cancelled.iter().position(|one| *one == id) {
            Some(place) => {
                cancelled.swap_remove(place);
                Outcome::Cancelled
            }
            None => Outcome::Back(Duration::ZERO),
        }
    }

    fn note_pace(&self, took: Duration) {
        let took = u64::try_from(took.as_micros()).unwrap_or(u64::MAX).min(3_600_000_000);
        let pace = self.pace_micros.load(Ordering::Relaxed);
        // Others may note at the same time; it is an estimate.
        self.pace_micros.store((pace.saturating_mul(7) + took) / 8, Ordering::Relaxed);
    }
}

impl Claimed {
    fn ended(&self, outcome: Outcome) -> Ending {
        Ending { company_id: self.company_id, id: self.id, attempt: self.attempt, outcome, is_finished_within: false }
    }
}

impl Outcome {
    fn name(&self) -> &'static str {
        match self {
            Self::Done(_) => "done",
            Self::Failed(..) => "failed",
            Self::Dead(_) => "dead",
            Self::Cancelled => "cancelled",
            Self::Back(_) => "back",
        }
    }
}

/// Begins the span of a task, in the trace of whoever put it in.
fn span(claimed: &Claimed, kind: &'static str) -> Span {
    let company = (!claimed.company_id.is_nil()).then_some(claimed.company_id);
    let company_id = company.as_ref().map(tracing::field::display);
    let (task_id, attempt) = (claimed.id, claimed.attempt);
    let span = tracing::info_span!(target: trace::TARGET, parent: None, "task", kind, %task_id, company_id, attempt, code = Empty);
    let _place = trace::go_on(&span, claimed.trace, true);
    span
}

fn locked<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
