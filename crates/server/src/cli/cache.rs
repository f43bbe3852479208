//! `thorbis cache`.

use std::process::ExitCode;

use ::cache::{Flush, Stats};
use clap::{Args, Subcommand};
use postgres::Sql;

use super::own::Own;
use super::{CliError, say};
use crate::config::Settings;
use crate::start::State;

/// See what the server keeps of what it read, or have it read anew
#[derive(Debug, Args)]
#[command(after_help = "\
Examples:
  thorbis cache stats
  thorbis cache flush customers:*")]
pub(super) struct Cache {
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// Print the numbers of the server that runs on this machine
    #[command(after_help = "\
Examples:
  thorbis cache stats")]
    Stats,
    /// Have every server read a table anew, for all companies or one
    #[command(after_help = "\
Examples:
  thorbis cache flush customers:*
  thorbis cache flush team_members:01900000-0000-7000-8000-000000000001
  thorbis cache flush *")]
    Flush {
        /// A table and a company's id, or `*` for all
        tag: String,
    },
}

impl Cache {
    pub(super) async fn run(&self, settings: &Settings) -> Result<ExitCode, CliError> {
        match &self.command {
            Command::Stats => stats(settings),
            Command::Flush { tag } => flush(settings, tag).await,
        }
    }
}

fn stats(settings: &Settings) -> Result<ExitCode, CliError> {
    let Some(state) = State::of_running(&settings.data_directory)? else {
        return Err(CliError::refused("server_not_running", "no server runs in this data folder"));
    };
    let Some(Stats { hits, misses, bypasses, entries, bytes, tags }) = state.cache else {
        say("nothing is kept: data_api.cache.enabled is false")?;
        return Ok(ExitCode::SUCCESS);
    };
    say(&format!(
        "hits      {hits}\nmisses    {misses}\nbypasses  {bypasses}\nentries   {entries}\nbytes     {bytes}\nchanged   {tags} tables of companies"
    ))?;
    Ok(ExitCode::SUCCESS)
}

async fn flush(settings: &Settings, tag: &str) -> Result<ExitCode, CliError> {
    let mut kept = settings.data_api.cache.lives().map(|(table, _)| table);
    match Flush::parse(tag) {
        Some(Flush::Everything) => {}
        Some(Flush::Table(table, _)) if kept.any(|known| known == table) => {}
        _ => {
            let message = format!("`{tag}` is no tag: a table of data_api.cache.tables with `:*` or a company's id, or `*`");
            return Err(CliError::refused("tag_unknown", message));
        }
    }
    let own = Own::connect(settings).await?;
    let outcome = Box::pin(tell(&own, tag)).await;
    own.leave().await?;
    outcome?;
    say(&format!("every server reads {tag} anew"))?;
    Ok(ExitCode::SUCCESS)
}

/// Writes it where every server hears of it.
async fn tell(own: &Own, tag: &str) -> kernel::Result<()> {
    let mut sql = Sql::new(
        "with old as (delete from app.cache_flushes where created_at < now() - interval '1 hour')
         insert into app.cache_flushes (tag) values (",
    );
    sql.bind(tag).text(")");
    own.run(None, "has servers read anew", sql).await.map(drop)
}
