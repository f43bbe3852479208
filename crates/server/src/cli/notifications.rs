//! `thorbis notifications`.

use std::fmt::Write as _;
use std::process::ExitCode;

use clap::{Args, Subcommand};
use kernel::Error;
use postgres::Sql;
use uuid::Uuid;

use super::own::Own;
use super::{CliError, say};
use crate::config::Settings;

/// Rows that one answer has.
const ROWS_MAX: i32 = 1000;

/// See why members were told of something, or were not
#[derive(Debug, Args)]
#[command(after_help = "\
Examples:
  thorbis notifications why 01900000-0000-7000-8000-000000000001")]
pub(super) struct Notifications {
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// Print what was decided about a row or an event: of whom, by which way, and why
    #[command(after_help = "\
Examples:
  thorbis notifications why 01900000-0000-7000-8000-000000000001
  thorbis notifications why 01900000-0000-7000-8000-000000000001 --user 01900000-0000-7000-8000-000000000002")]
    Why {
        /// The id of the row or of the event
        id: Uuid,
        /// Of this person alone
        #[arg(long)]
        user: Option<Uuid>,
    },
}

impl Notifications {
    pub(super) async fn run(&self, settings: &Settings) -> Result<ExitCode, CliError> {
        let Command::Why { id, user } = self.command;
        let own = Own::connect(settings).await?;
        let answer = Box::pin(why(&own, id, user)).await;
        own.leave().await?;
        say(&answer?)?;
        Ok(ExitCode::SUCCESS)
    }
}

/// Reads the decisions, the oldest first, and whether there is something that is not decided yet.
async fn why(own: &Own, id: Uuid, user: Option<Uuid>) -> kernel::Result<String> {
    let mut sql = Sql::new(
        "select to_char(d.created_at at time zone 'UTC', 'YYYY-MM-DD HH24:MI:SS') as at, d.user_id::text as who,
                concat_ws(' ', d.event, d.topic, coalesce(d.channel, 'every way')) as what, d.decision || ' ' || d.reason as decided
           from app.notification_decisions d where (d.entity_id = ",
    );
    sql.bind(id).text("::uuid or d.event_id = ").bind(id).text("::uuid) and (");
    sql.bind(user).text("::uuid is null or d.user_id = ").bind(user).text(
        "::uuid)
         union all
         select to_char(e.created_at at time zone 'UTC', 'YYYY-MM-DD HH24:MI:SS'), '-', e.names[1], coalesce('waiting: ' || e.error, 'waiting')
           from app.notification_events e where e.done_at is null and (e.entity_id = ",
    );
    sql.bind(id).text("::uuid or e.id = ").bind(id).text("::uuid) order by at limit ").bind(ROWS_MAX).text("::integer");
    let rows = own.run(None, "tells why somebody was told of something", sql).await?;
    let mut said = String::new();
    for row in &rows {
        let text = |name: &str| row.try_get::<_, String>(name).map_err(Error::internal);
        let _written = writeln!(said, "{}  {}  {}  {}", text("at")?, text("who")?, text("what")?, text("decided")?);
    }
    Ok(if said.is_empty() { "nobody was to be told of it".to_owned() } else { said.trim_end().to_owned() })
}
