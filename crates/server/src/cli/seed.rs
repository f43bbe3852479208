//! `thorbis seed`.

use std::process::ExitCode;

use clap::Args;
use postgres::migrate::{Options, Seeds};

use super::place::Place;
use super::{CliError, say};
use crate::config::Settings;

/// Put the rows that every installation needs into the database; with --env development the demo company too
#[derive(Debug, Args)]
#[command(after_help = "\
Examples:
  thorbis seed
  thorbis seed --env development")]
pub(super) struct Seed {
    /// A folder laid out like db/, instead of what is built in
    #[arg(long, value_name = "DIR")]
    source: Option<std::path::PathBuf>,
}

impl Seed {
    pub(super) async fn run(&self, settings: &Settings) -> Result<ExitCode, CliError> {
        let seeds = if settings.is_development() { Seeds::Development } else { Seeds::System };
        let source = super::migrate::source(self.source.as_deref());
        let place = Place::find(settings).await?;
        let result = place.migrator().seed(&source, seeds, &Options::default()).await;
        place.leave().await?;
        say(&result?.to_string())?;
        Ok(ExitCode::SUCCESS)
    }
}
