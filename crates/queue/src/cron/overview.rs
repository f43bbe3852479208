//! Schedules as the operator sees and changes them.

use kernel::{Error, Result};
use postgres::{Row, RowError, Sql};

use crate::queue::Queue;

/// An entry.
#[derive(Clone, Debug)]
pub struct Scheduled {
    /// Its number.
    pub id: i64,
    /// Its name, where it has one.
    pub name: Option<String>,
    /// Who made it.
    pub maker: String,
    /// When it comes.
    pub schedule: String,
    /// On the clock of which zone.
    pub time_zone: String,
    /// The kind of its task, `run_sql` for SQL.
    pub kind: String,
    /// Whether it comes at all.
    pub is_active: bool,
    /// When it comes next.
    pub next_run_at: Option<String>,
    /// Why it does not.
    pub fault: Option<String>,
}

/// What became of one time of an entry.
#[derive(Clone, Debug)]
pub struct ScheduledRun {
    /// The entry's name, where it has one.
    pub name: Option<String>,
    /// The entry's number.
    pub entry_id: i64,
    /// Its time.
    pub fire_at: String,
    /// How it is.
    pub status: String,
    /// What was said at its end.
    pub message: Option<String>,
}

impl Queue {
    /// Returns entries: those of the program itself first.
    pub async fn schedules(&self, limit: i64) -> Result<Vec<Scheduled>> {
        let mut list = Sql::new(
            "select e.number as id, e.name, e.maker, e.schedule, e.time_zone, coalesce(e.kind, 'run_sql') as kind, e.is_active,
                    case when isfinite(s.next_run_at) then s.next_run_at::text end as next_run_at, s.fault
               from app.cron_entries e left join app.cron_states s on s.company_id = e.company_id and s.entry_id = e.number
              order by e.maker <> 'system', e.company_id, e.name, e.number limit ",
        );
        list.bind(limit);
        let rows = self.ask("lists schedules", list).await?;
        rows.iter().map(Scheduled::read).collect::<Result<_, _>>().map_err(Error::internal)
    }

    /// Returns what became of entries, the last first: of one, by its name or number, or of all.
    pub async fn scheduled_runs(&self, which: Option<&str>, limit: i64) -> Result<Vec<ScheduledRun>> {
        let mut list = Sql::new(
            "select r.name, r.entry_id, r.fire_at::text as fire_at, r.status, r.message from app.cron_runs r
              where ",
        );
        list.bind(which).text("::text is null or r.name = ").bind(which).text("::text or r.entry_id::text = ").bind(which);
        list.text("::text order by r.number desc limit ").bind(limit);
        let rows = self.ask("lists runs of schedules", list).await?;
        rows.iter().map(ScheduledRun::read).collect::<Result<_, _>>().map_err(Error::internal)
    }

    /// Pauses or resumes an entry, or gives it another schedule or zone. Returns whether there is one.
    pub async fn operate_schedule(
        &self,
        which: &str,
        is_active: Option<bool>,
        schedule: Option<&str>,
        time_zone: Option<&str>,
    ) -> Result<bool> {
        let mut operate = Sql::new("select app.operate_schedule(");
        operate.bind(which).text("::text, ").bind(is_active).text("::boolean, ").bind(schedule).text("::text, ");
        operate.bind(time_zone).text("::text) > 0 as is_there");
        let rows = self.ask("changes a schedule", operate).await?;
        rows.first().ok_or_else(|| Error::internal("no answer came"))?.try_get("is_there").map_err(Error::internal)
    }

    /// Begins a run of an entry now. Returns it, if there is such an entry.
    pub async fn run_schedule(&self, which: &str) -> Result<Option<ScheduledRun>> {
        let mut run = Sql::new("select r.name, r.entry_id, r.fire_at::text as fire_at, r.status, r.message from app.run_schedule_now(");
        run.bind(which).text("::text) r where r.number is not null");
        let rows = self.ask("begins a run of a schedule", run).await?;
        rows.first().map(ScheduledRun::read).transpose().map_err(Error::internal)
    }
}

impl Scheduled {
    fn read(row: &Row) -> Result<Self, RowError> {
        Ok(Self {
            id: row.try_get("id")?,
            name: row.try_get("name")?,
            maker: row.try_get("maker")?,
            schedule: row.try_get("schedule")?,
            time_zone: row.try_get("time_zone")?,
            kind: row.try_get("kind")?,
            is_active: row.try_get("is_active")?,
            next_run_at: row.try_get("next_run_at")?,
            fault: row.try_get("fault")?,
        })
    }
}

impl ScheduledRun {
    fn read(row: &Row) -> Result<Self, RowError> {
        Ok(Self {
            name: row.try_get("name")?,
            entry_id: row.try_get("entry_id")?,
            fire_at: row.try_get("fire_at")?,
            status: row.try_get("status")?,
            message: row.try_get("message")?,
        })
    }
}
