//! `thorbis seed`.

use std::io::{BufRead, IsTerminal, Write};
use std::process::ExitCode;

use clap::Args;
use postgres::migrate::scale::Plan;
use postgres::migrate::{Options, Seeds};

use super::place::Place;
use super::{CliError, say};
use crate::config::Settings;

/// Put the rows that every installation needs into the database; with --env development the demo company too
#[derive(Debug, Args)]
#[command(after_help = "\
Examples:
  thorbis seed
  thorbis seed --env development
  thorbis seed --env development --scale 0.01")]
pub(super) struct Seed {
    /// A folder laid out like db/, instead of what is built in
    #[arg(long, value_name = "DIR")]
    source: Option<std::path::PathBuf>,
    /// Also write companies to measure against: 1.0 is a thousand with 1.2 million customers. Only where there are no companies yet
    #[arg(long, value_name = "FACTOR")]
    scale: Option<f64>,
    /// Do not ask, however much of the disk it takes; outside of development --scale needs it
    #[arg(long, requires = "scale")]
    yes: bool,
    /// Connections that write at a time
    #[arg(long, value_name = "COUNT", default_value_t = 4, requires = "scale")]
    connections: usize,
}

impl Seed {
    pub(super) async fn run(&self, settings: &Settings) -> Result<ExitCode, CliError> {
        let plan = self.scale.map(Plan::of).transpose()?;
        if let Some(plan) = &plan {
            self.may_scale(settings, plan)?;
        }
        let seeds = if settings.is_development() { Seeds::Development } else { Seeds::System };
        let source = super::migrate::source(self.source.as_deref());
        let place = Place::find(settings).await?;
        let result = async {
            let report = place.migrator().seed(&source, seeds, &Options::default()).await?.to_string();
            let Some(plan) = &plan else { return Ok(report) };
            let scaled = Box::pin(place.migrator().scale(plan, self.connections, settings.is_development(), &progress)).await?;
            Ok::<_, kernel::Error>(format!("{report}{scaled}"))
        };
        let result = Box::pin(result).await;
        place.leave().await?;
        say(result?.trim_end())?;
        Ok(ExitCode::SUCCESS)
    }

    /// Refuses where nobody said yes and somebody has to.
    fn may_scale(&self, settings: &Settings, plan: &Plan) -> Result<(), CliError> {
        if self.yes {
            return Ok(());
        }
        if !settings.is_development() {
            let message = "a scale seed is for measuring: use --env development, or say --yes on an installation without companies";
            return Err(CliError::refused("scale_not_confirmed", message));
        }
        let free = settings.uses_private_cluster().then(|| free_bytes(settings)).flatten();
        if !fills(plan.bytes(), free) {
            return Ok(());
        }
        let free = free.map_or_else(|| "an unknown number of".to_owned(), gigabytes);
        let question = format!("{} customers take about {} GB; {free} GB are free.", plan.customers(), gigabytes(plan.bytes()));
        let input = std::io::stdin();
        let mut error = std::io::stderr().lock();
        if input.is_terminal() {
            write!(error, "{question} Go on? [y/N] ")?;
            error.flush()?;
            let mut answer = String::new();
            input.lock().read_line(&mut answer)?;
            if matches!(answer.trim(), "y" | "Y" | "yes") {
                return Ok(());
            }
        }
        Err(CliError::refused("scale_not_confirmed", format!("{question} Say --yes to go on")))
    }
}

/// Whether somebody should be asked first: it takes more than half of what is free, or more than 1 GB where nobody knows.
fn fills(needed: u64, free: Option<u64>) -> bool {
    free.map_or(needed > 1_000_000_000, |free| needed > free / 2)
}

/// What is free where the private cluster keeps its data.
fn free_bytes(settings: &Settings) -> Option<u64> {
    // The folder may not be there yet; what is above it then says the same.
    let folder = settings.data_directory.ancestors().find(|folder| folder.is_dir()).unwrap_or(std::path::Path::new("."));
    let found = nix::sys::statvfs::statvfs(folder).ok()?;
    Some(found.blocks_available().saturating_mul(found.fragment_size()))
}

fn gigabytes(bytes: u64) -> String {
    format!("{}.{}", bytes / 1_000_000_000, bytes / 100_000_000 % 10)
}

/// Progress is no answer: it goes to standard error, and nothing depends on it.
fn progress(line: &str) {
    let _told = writeln!(std::io::stderr(), "{line}").is_ok();
}

#[cfg(test)]
mod tests {
    use super::{fills, gigabytes};

    #[test]
    fn whoever_would_fill_the_disk_is_asked() {
        assert!(!fills(10, Some(20)) && fills(11, Some(20)));
        assert!(!fills(1_000_000_000, None) && fills(1_000_000_001, None));
        assert_eq!(gigabytes(39_567_000_000), "39.5");
    }
}
