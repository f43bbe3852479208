//! What does tasks.
//!
//! Invariant: a worker that is told to stop begins nothing any more, gives back what it had not begun, and writes how everything else ended.
//! One that is dropped is dead like a process that was killed: others do its tasks when its beat is too old.

use std::sync::Arc;
use std::time::Duration;

use kernel::Result;
use postgres::Sql;
use tokio::sync::{Mutex, mpsc};
use tokio::task::JoinSet;
use tokio::time::Instant;
use tokio_util::sync::CancellationToken;
use uuid::Uuid;

use crate::claims;
use crate::doing::{Bench, Ending};
use crate::finishing;
use crate::kinds::Kinds;
use crate::queue::Queue;
use crate::ring::Ring;

/// Batches of endings that are written at the same time.
const WRITERS: usize = 2;
/// How long to wait when the database is away.
const AWAY: Duration = Duration::from_millis(500);

/// Does tasks of these kinds.
#[derive(Clone, Debug)]
pub struct Worker {
    queue: Queue,
    kinds: Kinds,
}

/// When a worker ends by itself.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Until {
    Stopped,
    /// Nothing is ready any more.
    Idle,
}

impl Worker {
    /// Makes a worker. It does nothing yet.
    pub fn new(queue: Queue, kinds: Kinds) -> Self {
        Self { queue, kinds }
    }

    /// Does tasks until told to stop; returns when everything that it took is ended or given back.
    pub async fn run(&self, stop: CancellationToken) {
        self.work(stop, Until::Stopped).await;
    }

    /// Does what there is to do now, and what comes of it at once, and returns.
    pub async fn drain(&self) {
        self.work(CancellationToken::new(), Until::Idle).await;
    }

    /// Looks after tasks that were lost, are due or wait for a slot, once; a worker that runs does that by itself.
    pub async fn tend(&self) -> Result<u64> {
        Bench::new(self.queue.clone(), Kinds::default()).tend().await
    }

    async fn work(&self, stop: CancellationToken, until: Until) {
        let bench = Arc::new(Bench::new(self.queue.clone(), self.kinds.clone()));
        if stop.run_until_cancelled(self.enter(&bench)).await.is_none() {
            return;
        }
        // All of them end with this.
        let (mut aside, mut writers, mut hands) = (JoinSet::new(), JoinSet::new(), JoinSet::new());
        aside.spawn(Arc::clone(&bench).keep_beating());
        if until == Until::Stopped {
            aside.spawn(Arc::clone(&bench).keep_tending(stop.clone()));
            aside.spawn(Arc::clone(&bench).keep_up(stop.clone()));
        }
        aside.spawn(Arc::clone(&bench).keep_hearing(stop.clone()));
        let config = self.queue.config();
        let (endings, written) = mpsc::channel(config.finish_rows_max.saturating_mul(4));
        let written = Arc::new(Mutex::new(written));
        for _ in 0..WRITERS {
            writers.spawn(finishing::write_all(Arc::clone(&bench), Arc::clone(&written)));
        }
        for _ in 0..config.running_max {
            hands.spawn(Arc::clone(&bench).execute(endings.clone()));
        }
        Box::pin(take(&bench, &endings, &stop, until)).await;
        leave(&bench, endings, hands).await;
        while writers.join_next().await.is_some() {}
        retire(&bench).await;
    }

    /// Says what this worker does and that it lives, before it takes anything: what a process holds that never said so is taken for lost.
    async fn enter(&self, bench: &Bench) {
        loop {
            let entered = async {
                self.queue.declare(&self.kinds).await?;
                bench.beat().await
            };
            match entered.await {
                Ok(()) => return,
                Err(error) => tracing::debug!(code = error.code(), "the queue is not there yet: {}", error.message()),
            }
            tokio::time::sleep(AWAY).await;
        }
    }
}

/// Takes tasks whenever there is room and somebody has some.
async fn take(bench: &Arc<Bench>, endings: &mpsc::Sender<Ending>, stop: &CancellationToken, until: Until) {
    let queue = &bench.queue;
    let poll = Duration::from_millis(queue.config().poll_interval_ms);
    let (mut ring, mut after, mut looks) = (Ring::default(), Uuid::nil(), Instant::now());
    while !stop.is_cancelled() {
        for company_id in queue.bell().take_here() {
            ring.add(company_id, None);
        }
        if looks <= Instant::now() {
            ring.rewind();
            for ending in bench.unfill(false) {
                give_back(endings, ending).await;
            }
            match claims::look(queue, &mut ring, after).await {
                Ok(last) => after = last,
                Err(error) => tracing::debug!(code = error.code(), "tasks could not be looked for: {}", error.message()),
            }
            looks = Instant::now() + poll;
            if until == Until::Idle && ring.is_empty() && bench.is_idle() {
                return;
            }
        }
        let room = bench.room();
        if room > 0 && !ring.is_empty() {
            let wanted = ring.turn(room, queue.config().claim_companies_max);
            match claims::claim(queue, bench.worker, &mut ring, wanted).await {
                Ok(claimed) => {
                    bench.fill(claimed);
                    continue;
                }
                Err(error) => {
                    tracing::warn!(code = error.code(), "tasks could not be taken: {}", error.message());
                    let _stopped = stop.run_until_cancelled(tokio::time::sleep(AWAY)).await.is_none();
                }
            }
        }
        if until == Until::Idle && ring.is_empty() && bench.is_idle() {
            looks = Instant::now();
            continue;
        }
        tokio::select! {
            () = stop.cancelled() => {}
            () = queue.bell().here() => {}
            () = bench.freed.notified() => {}
            () = tokio::time::sleep_until(looks) => {}
        }
    }
}

/// Begins nothing any more, and lets what runs end.
async fn leave(bench: &Bench, endings: mpsc::Sender<Ending>, mut hands: JoinSet<()>) {
    bench.close();
    for ending in bench.unfill(true) {
        give_back(&endings, ending).await;
    }
    // The writers end when the last hand did.
    drop(endings);
    let grace = Duration::from_millis(bench.queue.config().stop_grace_ms);
    let mut all = async || while hands.join_next().await.is_some() {};
    if tokio::time::timeout(grace, all()).await.is_err() {
        bench.hurry.cancel();
        // A handler is dropped when it does not stop in its own grace.
        all().await;
    }
}

async fn give_back(endings: &mpsc::Sender<Ending>, ending: Ending) {
    // Where nobody writes any more, the process is at its end, and retiring gives it back.
    let _gone = endings.send(ending).await.is_err();
}

/// Goes. Should that not be heard, the others find out by its silence.
async fn retire(bench: &Bench) {
    let mut retire = Sql::new("select app.retire_worker(");
    retire.bind(bench.worker).text("::uuid)");
    if let Err(error) = bench.queue.ask("retires a worker", retire).await {
        tracing::debug!(code = error.code(), "a worker could not be retired: {}", error.message());
    }
}
