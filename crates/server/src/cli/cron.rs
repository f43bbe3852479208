//! `thorbis cron`.

use std::process::ExitCode;

use clap::{Args, Subcommand};
use queue::Queue;
use queue::cron::{Scheduled, ScheduledRun};

use super::own::Own;
use super::{CliError, say};
use crate::config::Settings;

/// Schedules that are listed at most.
const ROWS_MAX: i64 = 1000;

/// See and change what comes again and again
#[derive(Debug, Args)]
#[command(after_help = "\
Examples:
  thorbis cron list
  thorbis cron pause daily-customer-report")]
pub(super) struct Cron {
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// Print schedules: those of the server first, then those that others made
    #[command(after_help = "\
Examples:
  thorbis cron list")]
    List,
    /// Let one come no more, until it is resumed
    #[command(after_help = "\
Examples:
  thorbis cron pause daily-customer-report")]
    Pause {
        /// The name of one of the server's, or any one's number
        which: String,
    },
    /// Let one come again
    #[command(after_help = "\
Examples:
  thorbis cron resume daily-customer-report")]
    Resume {
        /// The name of one of the server's, or any one's number
        which: String,
    },
    /// Give one another schedule or zone; of the server's own it stays when the server is renewed
    #[command(after_help = "\
Examples:
  thorbis cron change daily-customer-report --schedule \"30 7 * * 1-5\" --zone America/New_York")]
    Change {
        /// The name of one of the server's, or any one's number
        which: String,
        /// Five fields, or a name as @daily
        #[arg(long, required_unless_present = "zone")]
        schedule: Option<String>,
        /// The zone on whose clock it comes
        #[arg(long)]
        zone: Option<String>,
    },
    /// Begin one now, beside its times
    #[command(after_help = "\
Examples:
  thorbis cron run refresh-kpis")]
    Run {
        /// The name of one of the server's, or any one's number
        which: String,
    },
    /// Print what became of their times, the last first
    #[command(after_help = "\
Examples:
  thorbis cron history
  thorbis cron history refresh-kpis --limit 5")]
    History {
        /// Of the one with this name or number
        which: Option<String>,
        /// How many at most
        #[arg(long, default_value_t = 20, value_parser = clap::value_parser!(i64).range(1..=ROWS_MAX))]
        limit: i64,
    },
}

impl Cron {
    pub(super) async fn run(&self, settings: &Settings) -> Result<ExitCode, CliError> {
        let own = Own::connect(settings).await?;
        let outcome = match own.queue(settings, "thorbis cron") {
            Ok(queue) => Box::pin(self.said(&queue)).await,
            Err(error) => Err(error),
        };
        own.leave().await?;
        say(&outcome?)?;
        Ok(ExitCode::SUCCESS)
    }

    async fn said(&self, queue: &Queue) -> Result<String, CliError> {
        match &self.command {
            Command::List => Ok(listed(&queue.schedules(ROWS_MAX).await?)),
            Command::Pause { which } => operate(queue, which, (Some(false), None, None), "it comes no more until it is resumed").await,
            Command::Resume { which } => operate(queue, which, (Some(true), None, None), "it comes again").await,
            Command::Change { which, schedule, zone } => {
                operate(queue, which, (None, schedule.as_deref(), zone.as_deref()), "it comes by the new schedule").await
            }
            Command::Run { which } => {
                let run = queue.run_schedule(which).await?.ok_or_else(unknown)?;
                Ok(format!("its run has begun\n{}", line(&run)))
            }
            Command::History { which, limit } => {
                let runs = queue.scheduled_runs(which.as_deref(), *limit).await?;
                Ok(if runs.is_empty() { "nothing has come yet".to_owned() } else { runs.iter().map(line).collect::<Vec<_>>().join("\n") })
            }
        }
    }
}

async fn operate(
    queue: &Queue,
    which: &str,
    (is_active, schedule, zone): (Option<bool>, Option<&str>, Option<&str>),
    done: &str,
) -> Result<String, CliError> {
    if queue.operate_schedule(which, is_active, schedule, zone).await? { Ok(done.to_owned()) } else { Err(unknown()) }
}

fn unknown() -> CliError {
    CliError::refused("schedule_not_found", "there is no such schedule: thorbis cron list names them")
}

fn listed(schedules: &[Scheduled]) -> String {
    let lines = schedules.iter().map(|entry| {
        let name = entry.name.as_deref().unwrap_or("-");
        let next = match (&entry.fault, &entry.next_run_at) {
            (Some(fault), _) => format!("never: {fault}"),
            (None, _) if !entry.is_active => "paused".to_owned(),
            (None, next) => format!("next {}", next.as_deref().unwrap_or("not known yet")),
        };
        format!("{:5}  {name:28}  {:16}  {:14}  {}  {}  {next}", entry.id, entry.schedule, entry.kind, entry.time_zone, entry.maker)
    });
    if schedules.is_empty() { "no schedules: no server has started here yet".to_owned() } else { lines.collect::<Vec<_>>().join("\n") }
}

fn line(run: &ScheduledRun) -> String {
    let name = run.name.as_deref().unwrap_or("-");
    let message = run.message.as_deref().map(|message| format!("  {message}")).unwrap_or_default();
    format!("{:5}  {name:28}  {}  {:9}{message}", run.entry_id, run.fire_at, run.status)
}
