//! Where tasks are put in.
//!
//! Invariant: [`Queue::put`] writes in the caller's transaction and nowhere else, so that a task is there when its reason is.

use std::fmt;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use kernel::{Authority, Capability, CompanyId, Error, Grant, Principal, RequestContext, Result, Subject};
use postgres::{Access, Database, Row, Sql, Tx};
use tokio_util::sync::CancellationToken;
use uuid::Uuid;

use crate::bell::{Bell, CHANNEL};
use crate::coalesce::Coalescer;
use crate::config::QueueConfig;
use crate::kinds::Kinds;
use crate::running::Asker;
use crate::task::NewTask;

/// The queue. Cheap to clone.
#[derive(Clone)]
pub struct Queue(Arc<Inner>);

/// What it is made of.
pub struct QueueOptions {
    /// Where the tasks are.
    pub database: Database,
    /// The right to work for no caller.
    pub authority: Arc<Authority>,
    /// The settings.
    pub config: QueueConfig,
    /// How this process is called where it is named beside others.
    pub node: String,
    /// Where the database tells of new tasks; nowhere behind a pooler, where they are found by looking.
    pub listen: Option<(postgres::Config, Option<PathBuf>)>,
}

struct Inner {
    options: QueueOptions,
    /// Which queue of which process it is.
    id: Uuid,
    bell: Bell,
    coalescer: Coalescer,
}

impl Queue {
    /// Sets everything up. Connects to nothing yet.
    pub fn new(options: QueueOptions) -> Result<Self> {
        if let Some((key, allowed)) = options.config.faults().first() {
            return Err(Error::internal(format!("queue.{key}: allowed is {allowed}")));
        }
        let coalescer = Coalescer::new(&options.config);
        Ok(Self(Arc::new(Inner { options, id: Uuid::now_v7(), bell: Bell::default(), coalescer })))
    }

    /// Says which kinds there are. To be called at the start, before any task is put in.
    pub async fn declare(&self, kinds: &Kinds) -> Result<()> {
        let mut declare = Sql::new("select app.declare_task_kinds(");
        declare.bind(kinds.to_json()).text("::jsonb)");
        self.ask("declares kinds of tasks", declare).await.map(drop)
    }

    /// Puts a task in, in this transaction of the service; workers are told when it is committed. Returns its id, or that of the unfinished
    /// one with the same unique key.
    pub async fn put(&self, tx: &Tx, task: NewTask) -> Result<Uuid> {
        let company_id = task.company();
        let row = tx.query_one(self.enqueue_one(&task)?).await?;
        self.ring_after(tx, vec![company_id]);
        row.try_get("id").map_err(Error::internal)
    }

    /// Puts many tasks in, in one statement but for those with unique keys; workers are told when they are committed.
    pub async fn put_all(&self, tx: &Tx, tasks: Vec<NewTask>) -> Result<()> {
        let (unique, plain): (Vec<NewTask>, Vec<NewTask>) = tasks.into_iter().partition(|task| task.unique.is_some());
        for task in unique {
            self.put(tx, task).await?;
        }
        for tasks in plain.chunks(self.config().enqueue_rows_max) {
            let rows = tasks.iter().map(|task| task.to_json(self.config().payload_bytes_max)).collect::<Result<_>>()?;
            tx.query(enqueue_many(&serde_json::Value::Array(rows))).await?;
            self.ring_after(tx, tasks.iter().map(NewTask::company).collect());
        }
        Ok(())
    }

    /// Puts a task in, in a transaction of its own, which it may share with others that are put in at the same time.
    pub async fn enqueue(&self, task: NewTask) -> Result<Uuid> {
        let (id, company_id) = (task.id, task.company());
        let id = if task.unique.is_some() {
            let rows = self.ask("puts a task in", self.enqueue_one(&task)?).await?;
            rows.first().ok_or_else(|| Error::internal("no id came"))?.try_get("id").map_err(Error::internal)?
        } else {
            self.0.coalescer.enqueue(self, task.to_json(self.config().payload_bytes_max)?).await?;
            id
        };
        self.0.bell.ring([(company_id, false)]);
        Ok(id)
    }

    /// Says that what was put in by other statements for a company, or for none, is committed.
    pub fn ring(&self, company_id: Option<CompanyId>) {
        self.0.bell.ring([(company_id.map_or(Uuid::nil(), |company_id| company_id.0), false)]);
    }

    fn ring_after(&self, tx: &Tx, mut companies: Vec<Uuid>) {
        let queue = self.clone();
        companies.sort_unstable();
        companies.dedup();
        tx.afterwards(move || queue.0.bell.ring(companies.into_iter().map(|company_id| (company_id, false))));
    }

    /// Cancels a task: one that has not begun is over, one that runs is told. Returns whether there was one to cancel.
    pub async fn cancel(&self, company_id: Option<CompanyId>, id: Uuid) -> Result<bool> {
        let mut cancel = Sql::new("select app.cancel_task(");
        cancel.bind(company_id).text("::uuid, ").bind(id).text("::uuid) <> 'finished' as is_there");
        let rows = self.ask("cancels a task", cancel).await?;
        rows.first().ok_or_else(|| Error::internal("no answer came"))?.try_get("is_there").map_err(Error::internal)
    }

    /// Tells other processes of new tasks, until told to stop.
    pub async fn follow(&self, stop: CancellationToken) {
        let pause = Duration::from_millis(self.config().bell_interval_ms);
        while let Some(said) = stop.run_until_cancelled(self.0.bell.elsewhere(self.0.id)).await {
            let mut notify = Sql::new("select set_config('synchronous_commit', 'off', true), pg_notify(");
            notify.bind(CHANNEL).text("::text, ").bind(said).text("::text)");
            if let Err(error) = self.ask("tells of new tasks", notify).await {
                tracing::debug!(code = error.code(), "other processes could not be told of new tasks");
            }
            tokio::time::sleep(pause).await;
        }
    }

    /// Returns the settings.
    pub fn config(&self) -> &QueueConfig {
        &self.0.options.config
    }

    pub(crate) fn options(&self) -> &QueueOptions {
        &self.0.options
    }

    pub(crate) fn id(&self) -> Uuid {
        self.0.id
    }

    pub(crate) fn bell(&self) -> &Bell {
        &self.0.bell
    }

    /// Opens a transaction of the server's own.
    pub(crate) async fn begin(&self, company_id: Option<CompanyId>, reason: &'static str) -> Result<Tx> {
        self.0.options.database.begin(&self.grant(company_id, reason), &RequestContext::default(), Access::Write).await
    }

    /// Runs a statement of the server's own in a transaction of its own.
    pub(crate) async fn ask(&self, reason: &'static str, statement: Sql) -> Result<Vec<Row>> {
        let grant = self.grant(None, reason);
        Ok(self.0.options.database.run(&grant, &RequestContext::default(), Access::Write, statement).await?.rows)
    }

    fn grant(&self, company_id: Option<CompanyId>, reason: &'static str) -> Grant {
        #[expect(clippy::disallowed_methods, reason = "tasks are done for no caller")]
        Grant::system(&self.0.options.authority, company_id, reason)
    }

    /// Returns what opens transactions of a member who put a task in.
    pub(crate) fn grant_as<C: Capability>(&self, asker: &Asker, company: CompanyId) -> Result<Grant> {
        let claims = asker.claims.to_string();
        let subject = Subject::User { user_id: asker.user_id, session_id: None };
        Principal::vouch(&self.0.options.authority, subject, claims).in_company(Some(company)).require::<C>()
    }

    fn enqueue_one(&self, task: &NewTask) -> Result<Sql> {
        let payload = task.payload(self.config().payload_bytes_max)?;
        let unique = task.unique.as_ref();
        let mut sql = Sql::new("select app.enqueue_task(");
        sql.bind(task.kind).text("::text, ").bind(payload).text("::jsonb, ").bind(task.company_id).text("::uuid, ");
        sql.bind(task.run_at).text("::timestamptz, ").bind(task.priority).text("::integer, ");
        sql.bind(unique.map(|(key, _)| key.as_str())).text("::text, ");
        sql.bind(unique.map_or("skip", |(_, on_conflict)| on_conflict.as_str())).text("::text, ");
        sql.bind(task.limit_key.as_deref()).text("::text, ").bind(task.id).text("::uuid) as id");
        if let Some(trace) = kernel::trace::current() {
            sql.text(" from (select set_config('app.traceparent', ").bind(trace.to_string()).text("::text, true) offset 0) t");
        }
        Ok(sql)
    }
}

/// Makes the statement that puts many in.
pub(crate) fn enqueue_many(rows: &serde_json::Value) -> Sql {
    let mut sql = Sql::new("select app.enqueue_tasks(");
    sql.bind(rows).text("::jsonb)");
    sql
}

impl fmt::Debug for Queue {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Queue").field("id", &self.0.id).field("node", &self.0.options.node).finish_non_exhaustive()
    }
}
