//! `thorbis doctor`.
//!
//! Invariant: the database is only read, and nothing of a URL is repeated in an answer or an error.

use std::fs::File;
use std::io::{IsTerminal, Read, Write};
use std::path::{Path, PathBuf};
use std::process::ExitCode;

use clap::{Args, ValueEnum};
use doctor::{Asked, Baseline, Diff, DoctorConfig, Format, Report, Severity, Wanted};
use kernel::{Error, Kind, Secret};
use postgres::{Config, VisitFault, Visitor};

use super::place::{self, Place};
use super::{CliError, say};
use crate::config::Settings;
use crate::start::{StartError, database};

/// The exit code where something at or above `--fail-on` was found; 1 is that the examination itself failed.
const FOUND: u8 = 3;

/// Examine any PostgreSQL database, 13 to 18: what leaks, what is slow, what will break. Nothing is changed
#[derive(Debug, Args)]
#[command(after_help = "\
Examples:
  thorbis doctor --fail-on none
  thorbis doctor --list
  thorbis doctor --explain row_security_off
  thorbis doctor --only row_security,policy_cost --format markdown

Ends with 0 where nothing at or above --fail-on was found, with 3 where something was, and with 1 where the database could not be examined.")]
pub(super) struct Doctor {
    /// The database: `postgres://login:password@host:5432/database` (default: that of the settings, or the private cluster)
    #[arg(value_name = "URL", value_parser = secret)]
    url: Option<Secret<String>>,
    /// Print every check, one on a line
    #[arg(long, conflicts_with_all = ["url", "explain"])]
    list: bool,
    /// Print what a check means and what to do
    #[arg(long, value_name = "CODE", conflicts_with = "url")]
    explain: Option<String>,
    /// Ask only these checks or groups
    #[arg(long, value_name = "CODE,...", value_delimiter = ',')]
    only: Vec<String>,
    /// Leave these checks or groups out
    #[arg(long, value_name = "CODE,...", value_delimiter = ',')]
    skip: Vec<String>,
    /// A role that callers work as (default: anon, authenticated, guest, or the logins that own nothing)
    #[arg(long, value_name = "ROLE")]
    api_role: Vec<String>,
    /// The column that tells companies apart (default: the most frequent of `company_id`, `tenant_id`, `org_id` and the like)
    #[arg(long, value_name = "COLUMN")]
    tenant_column: Vec<String>,
    /// How the report is written
    #[arg(long, value_enum, default_value = "text")]
    format: Form,
    /// A TOML file of what is accepted, each with a reason and a last day
    #[arg(long, value_name = "FILE")]
    baseline: Option<PathBuf>,
    /// A report in JSON to compare with
    #[arg(long, value_name = "EARLIER.json")]
    diff: Option<PathBuf>,
    /// Write changes that mend the findings into this folder, as migrations with a way back; nothing is applied
    #[arg(long, value_name = "FOLDER")]
    write: Option<PathBuf>,
    /// From which severity on the command ends with 3
    #[arg(long, value_enum, default_value = "high")]
    fail_on: FailOn,
}

#[derive(Clone, Copy, Debug, ValueEnum)]
enum Form {
    Text,
    Json,
    Sarif,
    Markdown,
}

#[derive(Clone, Copy, Debug, ValueEnum)]
enum FailOn {
    Low,
    Medium,
    High,
    Critical,
    None,
}

impl Doctor {
    pub(super) async fn run(self, settings: &Settings) -> Result<ExitCode, CliError> {
        if self.list {
            say(&doctor::list())?;
            return Ok(ExitCode::SUCCESS);
        }
        if let Some(code) = &self.explain {
            let check = doctor::find(code).ok_or_else(|| unknown_check(code))?;
            say(&doctor::explain(check))?;
            return Ok(ExitCode::SUCCESS);
        }
        let wanted = Wanted {
            only: self.only.clone(),
            skip: self.skip.clone(),
            asked: Asked { api_roles: self.api_role.clone(), tenant_columns: self.tenant_column.clone(), version: None },
        };
        if let Some(word) = wanted.unknown() {
            return Err(unknown_check(word));
        }
        // What was said is looked at before the database is.
        let config = &settings.doctor;
        let baseline = self.baseline.as_deref().map(|path| baseline(path, config)).transpose()?;
        let earlier = self.diff.as_deref().map(|path| earlier(path, config)).transpose()?;
        let mut report = Box::pin(self.visit(settings, &wanted)).await?;
        if let Some(baseline) = baseline {
            let today = jiff::Zoned::now().date();
            baseline.apply(&mut report, today).map_err(|fault| CliError::refused("baseline_invalid", fault.to_string()))?;
        }
        let diff = earlier.map(|earlier| Diff::between(&earlier, &report));
        if let Some(folder) = &self.write {
            write(&report, folder)?;
        }
        say(&doctor::write(&report, diff.as_ref(), self.form()))?;
        Ok(if self.fails(&report) { ExitCode::from(FOUND) } else { ExitCode::SUCCESS })
    }

    async fn visit(&self, settings: &Settings, wanted: &Wanted) -> Result<Report, CliError> {
        let (login, place): (Config, Option<Place>) = match &self.url {
            Some(url) => (database::named_database(url.expose(), "URL", settings)?.0, None),
            None => place::connect_as_owner(settings).await?,
        };
        let outcome = examine(&login, wanted, settings).await;
        if let Some(place) = place {
            place.leave().await?;
        }
        outcome
    }

    fn form(&self) -> Format {
        match self.format {
            Form::Text => Format::Text { colours: std::io::stdout().is_terminal() },
            Form::Json => Format::Json,
            Form::Sarif => Format::Sarif,
            Form::Markdown => Format::Markdown,
        }
    }

    fn fails(&self, report: &Report) -> bool {
        let least = match self.fail_on {
            FailOn::Low => Severity::Low,
            FailOn::Medium => Severity::Medium,
            FailOn::High => Severity::High,
            FailOn::Critical => Severity::Critical,
            FailOn::None => return false,
        };
        report.worst().is_some_and(|worst| worst >= least)
    }
}

async fn examine(login: &Config, wanted: &Wanted, settings: &Settings) -> Result<Report, CliError> {
    let config = &settings.doctor;
    let root_certificate_file = settings.database.root_certificate_file.as_deref();
    let visitor = Visitor::connect(login, root_certificate_file, doctor::visit_limits(config)).await?;
    let report = doctor::examine(&visitor, wanted, config).await;
    visitor.leave().await;
    report.map_err(lost)
}

fn lost(fault: VisitFault) -> CliError {
    CliError::from(Error::new(Kind::Unavailable, "examination_ended", "The examination could not be brought to its end").with_source(fault))
}

fn unknown_check(word: &str) -> CliError {
    CliError::refused("check_unknown", format!("there is no check or group {word}; see thorbis doctor --list"))
}

fn baseline(path: &Path, config: &DoctorConfig) -> Result<Baseline, CliError> {
    Baseline::parse(&read(path, config)?).map_err(|fault| CliError::refused("baseline_invalid", format!("{}: {fault}", path.display())))
}

fn earlier(path: &Path, config: &DoctorConfig) -> Result<Report, CliError> {
    Report::from_json(&read(path, config)?).map_err(|fault| CliError::refused("report_invalid", format!("{}: {fault}", path.display())))
}

fn read(path: &Path, config: &DoctorConfig) -> Result<String, CliError> {
    let at = |source| StartError::File { path: path.to_owned(), source };
    let mut text = String::new();
    let limit = config.file_bytes_max;
    let bytes = File::open(path).map_err(at)?.take(limit.saturating_add(1)).read_to_string(&mut text).map_err(at)?;
    if u64::try_from(bytes).unwrap_or(u64::MAX) > limit {
        return Err(CliError::refused("file_too_large", format!("{} is larger than doctor.file_bytes_max ({limit})", path.display())));
    }
    Ok(text)
}

/// Writes the changes; a file that is there is never written over.
fn write(report: &Report, folder: &Path) -> Result<(), CliError> {
    let at = |path: &Path| {
        let path = path.to_owned();
        move |source| StartError::File { path, source }
    };
    std::fs::create_dir_all(folder).map_err(at(folder))?;
    for change in doctor::changes(report, jiff::Timestamp::now()) {
        let path = folder.join(&change.name);
        let mut file = File::options().write(true).create_new(true).open(&path).map_err(at(&path))?;
        file.write_all(change.text.as_bytes()).map_err(at(&path))?;
        tracing::info!(file = %path.display(), "written");
    }
    Ok(())
}

#[expect(clippy::unnecessary_wraps, reason = "clap asks for a parser that can fail")]
fn secret(text: &str) -> Result<Secret<String>, std::convert::Infallible> {
    Ok(Secret::new(text.to_owned()))
}
