//! SQL that somebody scheduled, run as the role that scheduled it and for the company that was his.
//!
//! Invariant: a text of others never runs on a connection that anything else uses: whatever it does to its session ends with the one
//! connection that was made for it. What the service scheduled runs as `service_role`; what a project scheduled over a login that can become
//! `project_owner` and nobody else.

use std::sync::Arc;
use std::time::Duration;

use arc_swap::ArcSwap;
use kernel::{Authority, Error, Grant, RequestContext};
use postgres::{Access, Alone, Database, PoolOptions, Sql};
use queue::{Failure, Kind, Rules, Running};
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

/// Runs SQL.
#[derive(Clone)]
pub(crate) struct RunSql {
    /// Where the database is, and how connections to it are made.
    pub(crate) pool: PoolOptions,
    pub(crate) authority: Arc<Authority>,
    pub(crate) time: Duration,
}

/// Of which entry.
#[derive(Clone, Copy, Debug, Serialize, Deserialize)]
pub(crate) struct Command {
    entry_id: i64,
    #[serde(default)]
    run_id: Option<i64>,
}

/// A command that was read.
struct Text {
    maker: String,
    command: String,
}

impl Kind for RunSql {
    const NAME: &'static str = "run_sql";
    type Payload = Command;

    /// It is not tried again: nobody knows what a text did outside of its transaction. Of an entry one runs at a time.
    fn rules(&self) -> Rules {
        Rules { attempts_max: 1, timeout: self.time + Duration::from_secs(30), running_per_key_max: Some(1), ..Rules::default() }
    }

    async fn run(&self, task: Arc<Running>, command: Command) -> Result<Value, Failure> {
        let text = read(&task, command).await?;
        let project = match text.maker.as_str() {
            "project_owner" => Some(project_login(&task).await?),
            _ => None,
        };
        // As the run was begun, so that one that was taken back meanwhile is known to be that.
        let database = Database::new(self.options(project.as_ref()))?;
        let outcome = self.ran(&database, &task, &text.command, project.is_some()).await;
        database.close();
        match outcome {
            Ok(message) => Ok(json!({ "message": message })),
            Err(error) => Err(Failure::never(format!("{} ({})", error.message(), error.code()))),
        }
    }
}

impl RunSql {
    fn options(&self, project: Option<&(String, String)>) -> PoolOptions {
        let mut options = PoolOptions { size_max: 1, prepared_statements: false, statement_timeout: self.time, ..self.pool.clone() };
        if let Some((name, password)) = project {
            options.server.user(name).password(password);
            options.alone = Some(Arc::new(ArcSwap::from_pointee(Alone::default())));
        }
        options
    }

    /// Runs the text in a transaction. Returns what is told of it.
    async fn ran(&self, database: &Database, task: &Running, command: &str, is_of_project: bool) -> kernel::Result<String> {
        #[expect(clippy::disallowed_methods, reason = "a schedule runs for no caller")]
        let grant = Grant::system(&self.authority, task.company_id(), "runs SQL that was scheduled");
        let tx = database.begin(&grant, &RequestContext::default(), Access::Write).await?;
        if is_of_project {
            let mut opened = Sql::new("select set_config('search_path', 'public, extensions', true), set_config('statement_timeout', ");
            opened.bind(format!("{}ms", self.time.as_millis())).text("::text, true), set_config('app.company_id', ");
            opened.bind(task.company_id().map_or_else(String::new, |company| company.to_string())).text("::text, true), ");
            opened.text("set_config('role', 'project_owner', true)");
            tx.query(opened).await?;
        }
        let mut run = Sql::new("select app.run_text(");
        run.bind(command).text("::text) as rows");
        let rows: i64 = tx.query_one(run).await?.try_get("rows").map_err(Error::internal)?;
        tx.commit().await?;
        Ok(if rows == 1 { "1 row".to_owned() } else { format!("{rows} rows") })
    }
}

async fn read(task: &Running, command: Command) -> Result<Text, Failure> {
    let tx = task.begin("reads SQL that was scheduled").await?;
    let mut asked = Sql::new(
        "select e.maker, coalesce(r.what, e.command) as command from app.cron_entries e
           left join app.cron_runs r on r.company_id = e.company_id and r.entry_id = e.number and r.number = ",
    );
    asked
        .bind(command.run_id)
        .text("::bigint where e.command is not null and e.number = ")
        .bind(command.entry_id)
        .text("::bigint and e.works_for = ");
    asked.text("coalesce(app.company_id(), app.no_company())");
    let Some(row) = tx.query_opt(asked).await? else { return Err(Failure::never("its schedule was taken back")) };
    let (maker, command) = (row.try_get("maker").map_err(Error::internal)?, row.try_get("command").map_err(Error::internal)?);
    Ok(Text { maker, command })
}

async fn project_login(task: &Running) -> Result<(String, String), Failure> {
    let tx = task.begin("reads the login of a project").await?;
    let Some(row) = tx.query_opt(Sql::new("select l.name, l.password from app.project_logins l")).await? else {
        return Err(Failure::never("there is no login over which SQL of a project runs: bring the project again with migrate up --dir"));
    };
    Ok((row.try_get("name").map_err(Error::internal)?, row.try_get("password").map_err(Error::internal)?))
}
