//! A task that runs, as its handler sees it.
//!
//! Invariant: what a handler writes with [`Running::finish_within`] is committed together with the end of the task or not at all, and only
//! while the task is this process's.

use std::borrow::Cow;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant};

use kernel::{Capability, CompanyId, Error, Grant, Kind, RequestContext, Result, UserId};
use postgres::{Access, Sql, Tx};
use serde_json::{Value, json};
use tokio_util::sync::CancellationToken;
use uuid::Uuid;

use crate::queue::Queue;

/// How often at most progress is written.
const PROGRESS: Duration = Duration::from_millis(500);

/// A task that runs.
#[derive(Debug)]
pub struct Running {
    pub(crate) queue: Queue,
    pub(crate) worker: Uuid,
    pub(crate) company_id: Uuid,
    pub(crate) id: Uuid,
    pub(crate) kind: &'static str,
    pub(crate) attempt: i16,
    pub(crate) asker: Option<Asker>,
    pub(crate) mark: Option<Value>,
    pub(crate) stop: CancellationToken,
    pub(crate) is_finished_within: AtomicBool,
    pub(crate) noted: Mutex<Option<Instant>>,
}

/// Who put a task in that runs with his rights.
#[derive(Clone, Debug)]
pub(crate) struct Asker {
    pub(crate) user_id: UserId,
    /// What he came with, but for what the database says of him.
    pub(crate) claims: Value,
}

/// Why an attempt failed, and what is done about it.
#[derive(Debug)]
pub struct Failure {
    pub(crate) reason: Cow<'static, str>,
    pub(crate) retry: Retry,
}

/// When a task that failed is tried again.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Retry {
    /// As its kind says.
    Backoff,
    /// After so long.
    After(Duration),
    /// After so long, and this attempt does not count.
    Postponed(Duration),
    /// Never.
    Never,
}

impl Failure {
    /// It is tried again as its kind says.
    pub fn again(reason: impl Into<Cow<'static, str>>) -> Self {
        Self { reason: reason.into(), retry: Retry::Backoff }
    }

    /// It is tried again after so long, as somebody asked for.
    pub fn again_after(pause: Duration, reason: impl Into<Cow<'static, str>>) -> Self {
        Self { reason: reason.into(), retry: Retry::After(pause) }
    }

    /// It is not its time yet: it comes back after so long, and this attempt does not count.
    pub fn not_yet(pause: Duration) -> Self {
        Self { reason: Cow::Borrowed(""), retry: Retry::Postponed(pause) }
    }

    /// Trying again will not help: it is dead.
    pub fn never(reason: impl Into<Cow<'static, str>>) -> Self {
        Self { reason: reason.into(), retry: Retry::Never }
    }
}

impl From<Error> for Failure {
    fn from(error: Error) -> Self {
        Self::again(format!("{} ({})", error.message(), error.code()))
    }
}

impl Running {
    /// Returns its id: the same in every attempt, to be shown to others as the key by which they know a repetition.
    pub fn id(&self) -> Uuid {
        self.id
    }

    /// Returns whose it is.
    pub fn company_id(&self) -> Option<CompanyId> {
        (!self.company_id.is_nil()).then_some(CompanyId(self.company_id))
    }

    /// Returns the name of its kind.
    pub fn kind(&self) -> &'static str {
        self.kind
    }

    /// Returns which attempt it is, from 1.
    pub fn attempt(&self) -> u16 {
        u16::try_from(self.attempt).unwrap_or(1)
    }

    /// Returns what is cancelled when somebody cancels the task, when it took too long, and when the process stops: the handler should end
    /// soon, and is dropped if it does not.
    pub fn stop(&self) -> &CancellationToken {
        &self.stop
    }

    /// Returns the queue, to put further tasks in.
    pub fn queue(&self) -> &Queue {
        &self.queue
    }

    /// Opens a transaction of the service, in the task's company.
    pub async fn begin(&self, reason: &'static str) -> Result<Tx> {
        self.queue.begin(self.company_id(), reason).await
    }

    /// Returns who put it in, where it runs with his rights.
    pub fn asker(&self) -> Option<UserId> {
        self.asker.as_ref().map(|asker| asker.user_id)
    }

    /// Returns what opens transactions of whoever put it in, in the task's company: what he may do there is read anew by each of them, and
    /// whoever lost the right since then is refused.
    pub fn grant_of_asker<C: Capability>(&self) -> Result<Grant> {
        let (Some(asker), Some(company)) = (&self.asker, self.company_id()) else {
            return Err(Error::new(Kind::Forbidden, "task_asker_missing", "A task of this kind is put in by a member of a company."));
        };
        self.queue.grant_as::<C>(asker, company)
    }

    /// Opens a transaction of whoever put it in.
    pub async fn begin_as_asker<C: Capability>(&self, access: Access) -> Result<Tx> {
        let grant = self.grant_of_asker::<C>()?.needing_company();
        self.queue.options().database.begin(&grant, &RequestContext::default(), access).await
    }

    /// Returns what an attempt before this one noted with [`Self::mark`].
    pub fn marked(&self) -> Option<&Value> {
        self.mark.as_ref()
    }

    /// Notes in a transaction, which the caller commits, how far the task is with it: an attempt after a crash finds the mark of what was
    /// committed. Refused with `task_lost` when the task is another process's by now. From here to the commit nothing else may be said of
    /// the task, not even progress.
    pub async fn mark(&self, tx: &Tx, mark: &Value) -> Result<()> {
        let mut sql = Sql::new("select app.mark_task(");
        sql.bind(self.worker).text("::uuid, ").bind(self.company_id).text("::uuid, ").bind(self.id).text("::uuid, ");
        sql.bind(i32::from(self.attempt)).text("::smallint, ").bind(mark).text("::jsonb) as is_mine");
        let is_mine: bool = tx.query_one(sql).await?.try_get("is_mine").map_err(Error::internal)?;
        if is_mine { Ok(()) } else { Err(lost()) }
    }

    /// Says how far it is. Written at most twice a second, and not waited for by anything: of several in between only the first is seen.
    pub async fn progress(&self, percent: u8, message: &str) -> Result<()> {
        if self.noted.lock().unwrap_or_else(PoisonError::into_inner).is_some_and(|noted| noted.elapsed() < PROGRESS) {
            return Ok(());
        }
        self.stage(percent, message).await
    }

    /// Says that something new begins, or how it ended, however short a time ago it said anything: for the few of a task that are to be seen.
    pub async fn stage(&self, percent: u8, message: &str) -> Result<()> {
        *self.noted.lock().unwrap_or_else(PoisonError::into_inner) = Some(Instant::now());
        let mut note = Sql::new("select app.note_task_progress(");
        note.bind(self.worker).text("::uuid, ").bind(self.company_id).text("::uuid, ").bind(self.id).text("::uuid, ");
        note.bind(i32::from(self.attempt)).text("::smallint, ").bind(i32::from(percent.min(100))).text("::integer, ");
        note.bind(message).text("::text)");
        self.queue.ask("notes how far a task is", note).await.map(drop)
    }

    /// Ends the task in this transaction, which the caller commits: what it wrote is there if and only if the task is done. Refused with
    /// `task_lost` when the task is another process's by now.
    pub async fn finish_within(&self, tx: &Tx, result: Value) -> Result<()> {
        let end = json!([{ "company_id": self.company_id, "id": self.id, "attempt": self.attempt, "outcome": "done", "result": result }]);
        let mut settle = Sql::new("with e as materialized (select cardinality(app.settle_tasks(");
        settle.bind(self.worker).text("::uuid, ").bind(end).text("::jsonb)) = 1 as is_mine)");
        settle.text(" select e.is_mine, app.woken_companies() as woken from e");
        let row = tx.query_one(settle).await?;
        let is_mine: bool = row.try_get("is_mine").map_err(Error::internal)?;
        if !is_mine {
            return Err(lost());
        }
        if let Some(woken) = row.try_get::<_, Option<Vec<Uuid>>>("woken").map_err(Error::internal)? {
            let queue = self.queue.clone();
            tx.afterwards(move || queue.bell().ring(woken.into_iter().map(|company_id| (company_id, true))));
        }
        self.is_finished_within.store(true, Ordering::Relaxed);
        Ok(())
    }
}

fn lost() -> Error {
    Error::new(Kind::Conflict, "task_lost", "This task is done by another process by now.")
}
