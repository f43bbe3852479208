//! `thorbis tasks`.

use std::process::ExitCode;

use clap::{Args, Subcommand};
use kernel::CompanyId;
use queue::{Chosen, Queue};
use uuid::Uuid;

use super::own::Own;
use super::{CliError, say};
use crate::config::Settings;

/// Tasks that one call cancels or puts in again.
const ROWS_MAX: i64 = 10_000;

/// What can be limited.
const LIMITED: [&str; 4] = ["running", "per_company", "per_key", "weight"];

/// See and look after background work
#[derive(Debug, Args)]
#[command(after_help = "\
Examples:
  thorbis tasks list --status failed
  thorbis tasks show")]
pub(super) struct Tasks {
    #[command(subcommand)]
    command: Command,
}

/// Which tasks.
#[derive(Debug, Args)]
struct Which {
    /// Of this kind
    #[arg(long)]
    kind: Option<String>,
    /// Of the company with this id
    #[arg(long)]
    company: Option<Uuid>,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// Print tasks, those first that something happened to last
    #[command(after_help = "\
Examples:
  thorbis tasks list
  thorbis tasks list --status pending --kind refresh_reports --limit 5")]
    List {
        #[command(flatten)]
        which: Which,
        /// How they are
        #[arg(long, value_parser = ["pending", "running", "completed", "failed", "cancelled"])]
        status: Option<String>,
        /// How many at most
        #[arg(long, default_value_t = 20, value_parser = clap::value_parser!(i64).range(1..=1000))]
        limit: i64,
    },
    /// Print how many tasks of each kind there are, or everything about one task
    #[command(after_help = "\
Examples:
  thorbis tasks show")]
    Show {
        /// The task's id
        id: Option<Uuid>,
    },
    /// Cancel a task, or all unfinished ones of a kind: what runs is told to stop
    #[command(after_help = "\
Examples:
  thorbis tasks cancel --kind refresh_reports")]
    Cancel {
        /// The task's id; `--company` says whose it is
        #[arg(required_unless_present = "kind", conflicts_with = "kind")]
        id: Option<Uuid>,
        #[command(flatten)]
        which: Which,
    },
    /// Put tasks that died in again
    #[command(after_help = "\
Examples:
  thorbis tasks redrive refresh_reports")]
    Redrive {
        /// Their kind
        kind: String,
        /// Of the company with this id
        #[arg(long)]
        company: Option<Uuid>,
        /// How many at most
        #[arg(long, default_value_t = 1000, value_parser = clap::value_parser!(i64).range(1..=ROWS_MAX))]
        limit: i64,
    },
    /// Let nothing of a kind, of a company, or of a kind of a company begin
    #[command(after_help = "\
Examples:
  thorbis tasks pause --kind refresh_reports --until \"2026-12-24 18:00+01\"
  thorbis tasks pause --kind refresh_reports --drain")]
    Pause {
        #[command(flatten)]
        which: Which,
        /// Until this moment and not until somebody resumes it
        #[arg(long)]
        until: Option<String>,
        /// Finish what is there and take nothing new instead
        #[arg(long, conflicts_with = "until")]
        drain: bool,
    },
    /// See and change how many run at the same time, while everything runs
    #[command(after_help = "\
Examples:
  thorbis tasks limits list
  thorbis tasks limits set running 2 --kind generate_report")]
    Limits {
        #[command(subcommand)]
        command: Limits,
    },
    /// Let it begin again
    #[command(after_help = "\
Examples:
  thorbis tasks resume --kind refresh_reports")]
    Resume {
        #[command(flatten)]
        which: Which,
    },
}

#[derive(Debug, Subcommand)]
enum Limits {
    /// Print the limits that there are, and how many run
    #[command(after_help = "\
Examples:
  thorbis tasks limits list")]
    List,
    /// Limit how many run: of a kind, of a company, of a kind of a company; or give a company its share beside others
    #[command(after_help = "\
Examples:
  thorbis tasks limits set running 2 --kind generate_report
  thorbis tasks limits set per_company 1 --kind data_export
  thorbis tasks limits set weight 3 --company 01900000-0000-7000-8000-000000000001")]
    Set {
        /// What is limited; `per_company` and `per_key` are of a kind, `weight` is of a company
        #[arg(value_parser = LIMITED)]
        limited: String,
        /// How many at the same time; a weight is 1 to 100
        #[arg(value_parser = clap::value_parser!(i32).range(1..=1_000_000))]
        value: i32,
        #[command(flatten)]
        which: Which,
    },
    /// Take a limit away; a company's weight is 1 then
    #[command(after_help = "\
Examples:
  thorbis tasks limits unset running --kind generate_report")]
    Unset {
        /// What is limited
        #[arg(value_parser = LIMITED)]
        limited: String,
        #[command(flatten)]
        which: Which,
    },
}

impl Tasks {
    pub(super) async fn run(&self, settings: &Settings) -> Result<ExitCode, CliError> {
        let own = Own::connect(settings).await?;
        let outcome = match own.queue(settings, "thorbis tasks") {
            Ok(queue) => Box::pin(self.said(&queue)).await,
            Err(error) => Err(error),
        };
        own.leave().await?;
        say(&outcome?)?;
        Ok(ExitCode::SUCCESS)
    }

    async fn said(&self, queue: &Queue) -> Result<String, CliError> {
        match &self.command {
            Command::List { which, status, limit } => list(queue, &which.chosen(status.as_deref()), *limit).await,
            Command::Show { id: None } => kinds(queue).await,
            Command::Show { id: Some(id) } => show(queue, *id).await,
            Command::Cancel { id, which } => {
                let company = which.company.map(CompanyId);
                let count = match (id, &which.kind) {
                    (Some(id), _) => i64::from(queue.cancel(company, *id).await?),
                    (None, Some(kind)) => queue.cancel_kind(kind, company, ROWS_MAX).await?,
                    (None, None) => 0,
                };
                if id.is_some() && count == 0 {
                    return Err(CliError::refused(
                        "task_not_found",
                        "no unfinished task of that company has this id (--company says whose it is)",
                    ));
                }
                Ok(format!("{count} tasks are cancelled, or told to stop where they run"))
            }
            Command::Redrive { kind, company, limit } => {
                let count = queue.redrive(kind, company.map(CompanyId), *limit).await?;
                Ok(format!("{count} tasks are put in again"))
            }
            Command::Pause { which, until, drain } => {
                let until = (!drain).then(|| until.as_deref().unwrap_or("infinity"));
                queue.pause(&which.chosen(None), until, *drain).await?;
                Ok(if *drain { "what is there is finished, and nothing new is taken" } else { "nothing more begins; what runs goes on" }
                    .to_owned())
            }
            Command::Limits { command } => limits(queue, command).await,
            Command::Resume { which } => {
                queue.pause(&which.chosen(None), None, false).await?;
                Ok("tasks begin again".to_owned())
            }
        }
    }
}

impl Which {
    fn chosen(&self, status: Option<&str>) -> Chosen {
        Chosen { kind: self.kind.clone(), company_id: self.company.map(CompanyId), status: status.map(str::to_owned) }
    }
}

async fn list(queue: &Queue, chosen: &Chosen, limit: i64) -> Result<String, CliError> {
    let tasks = queue.list(chosen, limit).await?;
    let lines = tasks.iter().map(|task| {
        let company = task.company_id.map_or_else(|| "-".to_owned(), |company| company.to_string());
        let error = task.error.as_deref().map(|error| format!("  {error}")).unwrap_or_default();
        format!("{}  {:9}  {}  {}  {}  tried again {} times{error}", task.id, task.status, task.kind, task.run_at, company, task.retries)
    });
    Ok(if tasks.is_empty() { "no tasks".to_owned() } else { lines.collect::<Vec<_>>().join("\n") })
}

async fn kinds(queue: &Queue) -> Result<String, CliError> {
    let kinds = queue.kinds().await?;
    let lines = kinds.iter().map(|kind| {
        let paused = kind.paused_until.as_deref().map(|until| format!("  paused until {until}")).unwrap_or_default();
        let draining = if kind.is_draining { "  draining" } else { "" };
        let (ready, running, later, waiting, dead) = (kind.ready, kind.running, kind.later, kind.waiting, kind.dead);
        format!("{:24}  ready {ready}  running {running}  later {later}  waiting {waiting}  dead {dead}{paused}{draining}", kind.name)
    });
    Ok(if kinds.is_empty() { "no kinds of tasks: no server has started here yet".to_owned() } else { lines.collect::<Vec<_>>().join("\n") })
}

async fn limits(queue: &Queue, command: &Limits) -> Result<String, CliError> {
    let (limited, value, which) = match command {
        Limits::List => {
            let limits = queue.limits().await?;
            let lines = limits.iter().map(|limit| {
                let kind = limit.kind.as_deref().unwrap_or("every kind");
                let company = limit.company_id.map(|company| format!("  company {company}")).unwrap_or_default();
                let running = limit.running.map(|running| format!("  running {running}")).unwrap_or_default();
                format!("{kind:24}  {:11}  {}{running}{company}", limit.limited, limit.value)
            });
            return Ok(if limits.is_empty() { "no limits".to_owned() } else { lines.collect::<Vec<_>>().join("\n") });
        }
        Limits::Set { limited, value, which } => (limited, Some(*value), which),
        Limits::Unset { limited, which } => (limited, None, which),
    };
    queue.limit(&which.chosen(None), limited, value).await?;
    Ok(if value.is_some() { "limited; what runs goes on" } else { "not limited any more" }.to_owned())
}

async fn show(queue: &Queue, id: Uuid) -> Result<String, CliError> {
    let tasks = queue.show(id).await?;
    if tasks.is_empty() {
        return Err(CliError::refused("task_not_found", "there is no task with this id"));
    }
    let shown =
        tasks.iter().map(|task| serde_json::to_string_pretty(task).map_err(kernel::Error::internal)).collect::<kernel::Result<Vec<_>>>()?;
    Ok(shown.join("\n"))
}
