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

use crate::claims::{self, Came};
use crate::doing::{Bench, Ending};
use crate::figures::Unfinished;
use crate::finishing;
use crate::kinds::Kinds;
use crate::queue::Queue;
use crate::ring::{Ring, Wanted};

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

    /// Counts the tasks that are not finished, once; a worker that runs does that by itself.
    pub async fn measure(&self) -> Result<Unfinished> {
        Bench::new(self.queue.clone(), Kinds::default()).measure().await
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
            aside.spawn(Arc::clone(&bench).keep_measuring(stop.clone()));
        }
        aside.spawn(Arc::clone(&bench).keep_hearing(stop.clone()));
        let config = self.queue.config();
        let (endings, written) = mpsc::channel(config.finish_rows_max.saturating_mul(4));
        let written = Arc::new(Mutex::new(written));
        for _ in 0..WRITERS {
            writers.spawn(finishing::write_all(Arc::clone(&bench), Arc::clone(&written)));
        }
        for _ in 0..config.running_max.saturating_add(config.running_spare_max) {
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

/// Claims that are under way. Those for companies that just put something in do not wait for the large ones.
#[derive(Default)]
struct UnderWay {
    claims: JoinSet<(Which, Came)>,
    usual: bool,
    of_new: bool,
}

/// What a claim is for.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Which {
    /// Whoever's turn it is.
    Usual,
    /// Companies that were just told of, or have nothing here.
    OfNew,
}

impl UnderWay {
    /// Begins what there is room for.
    fn begin(&mut self, bench: &Bench, ring: &mut Ring) {
        let companies_max = bench.queue.config().claim_companies_max;
        let room = if self.usual { 0 } else { bench.room() };
        if room > 0 && !ring.is_empty() {
            self.usual = true;
            let wanted = bench.by_held(|held| ring.turn(room, companies_max, held));
            self.ask(Which::Usual, bench, wanted);
        }
        if !self.of_new && (ring.has_new() || room == 0 && !ring.is_empty()) {
            let wanted = bench.by_held(|held| {
                let wanted = ring.turn_of_new(bench.room_for_new(), companies_max, held);
                if wanted.is_empty() { ring.turn_of_absent(bench.room_for_absent(), companies_max, held) } else { wanted }
            });
            if !wanted.is_empty() {
                self.of_new = true;
                self.ask(Which::OfNew, bench, wanted);
            }
        }
    }

    fn ask(&mut self, which: Which, bench: &Bench, wanted: Vec<Wanted>) {
        let (queue, worker) = (bench.queue.clone(), bench.worker);
        self.claims.spawn(async move { (which, claims::ask(queue, worker, wanted).await) });
    }

    /// Takes what a claim brought. Says whether the database was there.
    fn end(&mut self, bench: &Bench, ring: &mut Ring, (which, came): (Which, Came)) -> bool {
        match which {
            Which::Usual => self.usual = false,
            Which::OfNew => self.of_new = false,
        }
        match claims::take(ring, came) {
            Ok(claimed) => {
                bench.fill(claimed);
                true
            }
            Err(error) => {
                tracing::warn!(code = error.code(), "tasks could not be taken: {}", error.message());
                false
            }
        }
    }
}

/// Takes tasks whenever there is room and somebody has some.
async fn take(bench: &Arc<Bench>, endings: &mpsc::Sender<Ending>, stop: &CancellationToken, until: Until) {
    let queue = &bench.queue;
    let poll = Duration::from_millis(queue.config().poll_interval_ms);
    let (mut ring, mut after, mut looks) = (Ring::default(), Uuid::nil(), Instant::now());
    let mut under_way = UnderWay::default();
    while !stop.is_cancelled() {
        for (company_id, anew) in queue.bell().take_here() {
            if anew {
                ring.look_anew(company_id);
            } else {
                ring.add(company_id, None);
            }
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
            if until == Until::Idle && under_way.claims.is_empty() && ring.is_empty() && bench.is_idle() {
                break;
            }
        }
        under_way.begin(bench, &mut ring);
        if until == Until::Idle && under_way.claims.is_empty() && ring.is_empty() && bench.is_idle() {
            looks = Instant::now();
            continue;
        }
        tokio::select! {
            () = stop.cancelled() => {}
            Some(came) = under_way.claims.join_next() => {
                if let Ok(came) = came
                    && !under_way.end(bench, &mut ring, came)
                {
                    let _stopped = stop.run_until_cancelled(tokio::time::sleep(AWAY)).await.is_none();
                }
            }
            () = queue.bell().here() => {}
            () = bench.freed.notified() => {}
            () = tokio::time::sleep_until(looks) => {}
        }
    }
    // What was asked for is this process's, to be given back.
    while let Some(came) = under_way.claims.join_next().await {
        if let Ok(came) = came {
            under_way.end(bench, &mut ring, came);
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
