//! What there is to do, for whoever looks after it, and what he does about it.
//!
//! Invariant: it is read from the same view that members see; nothing of a payload is shown but for one task that is named.

use jiff::Timestamp;
use kernel::{CompanyId, Error, Result};
use postgres::{Row, Sql};
use serde_json::Value;
use uuid::Uuid;

use crate::queue::Queue;

/// Which tasks are meant; nothing is every one.
#[derive(Clone, Debug, Default)]
pub struct Chosen {
    /// Of this kind.
    pub kind: Option<String>,
    /// Of this company.
    pub company_id: Option<CompanyId>,
    /// `pending`, `running`, `completed`, `failed` or `cancelled`.
    pub status: Option<String>,
}

/// A task in a list.
#[derive(Clone, Debug)]
pub struct Listed {
    /// Its id, which is unique in its company.
    pub id: Uuid,
    /// Whose it is.
    pub company_id: Option<CompanyId>,
    /// Its kind.
    pub kind: String,
    /// How it is.
    pub status: String,
    /// When it is or was to be done.
    pub run_at: Timestamp,
    /// How often it was tried again.
    pub retries: i32,
    /// Why the last attempt failed.
    pub error: Option<String>,
}

/// A limit that there is.
#[derive(Clone, Debug)]
pub struct Limit {
    /// Of which kind; of every one.
    pub kind: Option<String>,
    /// Of which company; of all together.
    pub company_id: Option<CompanyId>,
    /// `running`, `per_company`, `per_key` or `weight`.
    pub limited: String,
    /// How many.
    pub value: i32,
    /// How many run, where that is counted in one place.
    pub running: Option<i32>,
}

/// How a kind is.
#[derive(Clone, Debug)]
pub struct KindState {
    /// Its name.
    pub name: String,
    /// Tasks that can begin.
    pub ready: i64,
    /// Tasks that run.
    pub running: i64,
    /// Tasks that are put off.
    pub later: i64,
    /// Tasks that wait for a slot.
    pub waiting: i64,
    /// Tasks that nobody tries any more.
    pub dead: i64,
    /// Until when it is paused.
    pub paused_until: Option<String>,
    /// Whether it takes nothing new.
    pub is_draining: bool,
}

impl Queue {
    /// Returns so many tasks, those first that something happened to last.
    pub async fn list(&self, chosen: &Chosen, rows_max: i64) -> Result<Vec<Listed>> {
        let mut list = Sql::new(
            "select b.id, b.company_id, b.job_type, b.status, b.scheduled_for, b.retry_count, b.error_message from public.background_jobs b where (",
        );
        list.bind(chosen.status.as_deref()).text("::text is null or b.status = ").bind(chosen.status.as_deref()).text(") and (");
        list.bind(chosen.kind.as_deref()).text("::text is null or b.job_type = ").bind(chosen.kind.as_deref()).text(") and (");
        list.bind(chosen.company_id).text("::uuid is null or b.company_id = ").bind(chosen.company_id);
        list.text(") order by b.updated_at desc, b.id limit ").amount(rows_max);
        self.ask("lists tasks", list).await?.iter().map(listed).collect()
    }

    /// Returns everything that is known of the tasks with this id: one, unless companies share it.
    pub async fn show(&self, id: Uuid) -> Result<Vec<Value>> {
        let mut show = Sql::new("select to_jsonb(b) from public.background_jobs b where b.id = ");
        show.bind(id);
        self.ask("shows a task", show).await?.iter().map(|row| get(row, 0)).collect()
    }

    /// Returns how all kinds are.
    pub async fn kinds(&self) -> Result<Vec<KindState>> {
        let kinds = Sql::new(
            "select k.name, coalesce(t.ready, 0), coalesce(t.running, 0), coalesce(t.later, 0), coalesce(t.waiting, 0), coalesce(d.dead, 0),
                    case when k.paused_until > now() then k.paused_until::text end, k.is_draining
               from app.task_kinds k
               left join (select t.kind, count(*) filter (where t.state = 'ready') as ready, count(*) filter (where t.state = 'running') as running,
                                 count(*) filter (where t.state = 'later') as later, count(*) filter (where t.state = 'waiting') as waiting
                            from app.tasks t group by t.kind) t on t.kind = k.name
               left join (select d.kind, count(*) as dead from app.dead_tasks d where d.redriven_as is null group by d.kind) d on d.kind = k.name
              order by k.name",
        );
        let rows = self.ask("shows kinds of tasks", kinds).await?;
        rows.iter()
            .map(|row| {
                Ok(KindState {
                    name: get(row, 0)?,
                    ready: get(row, 1)?,
                    running: get(row, 2)?,
                    later: get(row, 3)?,
                    waiting: get(row, 4)?,
                    dead: get(row, 5)?,
                    paused_until: get(row, 6)?,
                    is_draining: get(row, 7)?,
                })
            })
            .collect()
    }

    /// Cancels up to so many unfinished tasks of a kind, of one company or of all. Returns how many.
    pub async fn cancel_kind(&self, kind: &str, company_id: Option<CompanyId>, rows_max: i64) -> Result<i64> {
        let mut cancel = Sql::new(
            "select count(*) filter (where app.cancel_task(c.company_id, c.id) <> 'finished')
               from (select t.company_id, t.id from app.tasks t where not t.is_cancelled and t.kind = ",
        );
        cancel.bind(kind).text(" and (").bind(company_id).text("::uuid is null or t.company_id = ").bind(company_id);
        cancel.text(") order by t.company_id, t.id limit ").amount(rows_max).text(") c");
        self.number("cancels tasks", cancel).await
    }

    /// Puts up to so many dead tasks of a kind in again, of one company or of all. Returns how many.
    pub async fn redrive(&self, kind: &str, company_id: Option<CompanyId>, rows_max: i64) -> Result<i64> {
        let mut redrive = Sql::new("select app.redrive_tasks(");
        redrive.bind(kind).text("::text, ").bind(company_id).text("::uuid, null, ").amount(rows_max).text("::integer)");
        let count = self.number("puts dead tasks in again", redrive).await?;
        if company_id.is_some() {
            self.ring(company_id);
        }
        Ok(count)
    }

    /// Pauses a kind, a company or a kind of a company until a moment in PostgreSQL's words (`infinity` is one), or resumes it. What drains
    /// takes nothing new.
    pub async fn pause(&self, chosen: &Chosen, until: Option<&str>, is_draining: bool) -> Result<()> {
        let mut pause = Sql::new("select app.pause_tasks(");
        pause.bind(chosen.kind.as_deref()).text("::text, ").bind(chosen.company_id).text("::uuid, ");
        pause.bind(until).text("::timestamptz, ").bind(is_draining).text("::boolean)");
        self.ask("pauses tasks", pause).await.map(drop)
    }

    /// Returns the limits that there are.
    pub async fn limits(&self) -> Result<Vec<Limit>> {
        let limits = Sql::new("select l.kind, l.company_id, l.limited, l.value, l.running from public.task_limits() l");
        let rows = self.ask("shows limits of tasks", limits).await?;
        let limit = |row: &Row| {
            let company_id: Option<Uuid> = get(row, 1)?;
            let (kind, limited, value, running) = (get(row, 0)?, get(row, 2)?, get(row, 3)?, get(row, 4)?);
            Ok(Limit { kind, company_id: company_id.map(CompanyId), limited, value, running })
        };
        rows.iter().map(limit).collect()
    }

    /// Limits how many of a kind, a company or a kind of a company run, or gives a company its weight; without a value there is no limit.
    pub async fn limit(&self, chosen: &Chosen, limited: &str, value: Option<i32>) -> Result<()> {
        let mut limit = Sql::new("select public.set_task_limit(");
        limit.bind(limited).text("::text, ").bind(chosen.kind.as_deref()).text("::text, ").bind(chosen.company_id).text("::uuid, ");
        limit.bind(value).text("::integer)");
        self.ask("limits tasks", limit).await.map(drop)
    }

    async fn number(&self, reason: &'static str, statement: Sql) -> Result<i64> {
        let rows = self.ask(reason, statement).await?;
        get(rows.first().ok_or_else(|| Error::internal("no answer came"))?, 0)
    }
}

fn listed(row: &Row) -> Result<Listed> {
    let company: Uuid = get(row, 1)?;
    Ok(Listed {
        id: get(row, 0)?,
        company_id: (!company.is_nil()).then_some(CompanyId(company)),
        kind: get(row, 2)?,
        status: get(row, 3)?,
        run_at: get(row, 4)?,
        retries: get(row, 5)?,
        error: get(row, 6)?,
    })
}

fn get<'a, T: postgres::FromSql<'a>>(row: &'a Row, column: usize) -> Result<T> {
    row.try_get(column).map_err(Error::internal)
}
