//! `thorbis status`: of the running server, or of the data folder without one.

use std::process::ExitCode;

use clap::Args;

use super::{CliError, say};
use crate::config::Settings;
use crate::start::{Look, State};
use crate::version;

/// The exit code where no server runs, as service managers use it.
const NOT_RUNNING: u8 = 3;

/// Show addresses, versions, the data folder and what is degraded
///
/// Exits with 0 when a server runs and is ready, 1 when it runs or starts and is not, 3 when none runs.
#[derive(Debug, Args)]
#[command(after_help = "\
Examples:
  thorbis status
  thorbis status --json")]
pub(super) struct Status {
    /// Print JSON
    #[arg(long)]
    json: bool,
}

impl Status {
    pub(super) fn run(&self, settings: &Settings) -> Result<ExitCode, CliError> {
        let (text, code) = match State::look(&settings.data_directory)? {
            Look::Running(state) => {
                let code = if state.ready { ExitCode::SUCCESS } else { ExitCode::FAILURE };
                (if self.json { json(settings, &state) } else { online(settings, &state) }, code)
            }
            Look::Busy(pid) => {
                let word = format!("process {pid} is starting, or at work on the database");
                (self.without_server(settings, &word), ExitCode::FAILURE)
            }
            Look::Nothing => (self.without_server(settings, "not running"), ExitCode::from(NOT_RUNNING)),
        };
        say(&text)?;
        Ok(code)
    }

    fn without_server(&self, settings: &Settings, word: &str) -> String {
        if self.json { "{\"running\": false}".to_owned() } else { offline(settings, word) }
    }
}

fn json(settings: &Settings, state: &State) -> String {
    let mut value = serde_json::to_value(state).unwrap_or_default();
    if let Some(members) = value.as_object_mut() {
        members.insert("running".to_owned(), true.into());
        members.insert("data_directory".to_owned(), settings.data_directory.display().to_string().into());
    }
    format!("{value:#}")
}

fn online(settings: &Settings, state: &State) -> String {
    let mut lines = vec![
        format!("thorbis      {} ({} since {}, process {})", state.version, word(state), state.started_at, state.pid),
        format!("addresses    {}", state.addresses.join(" ")),
        format!("public url   {}", state.public_url),
        format!("data folder  {}", settings.data_directory.display()),
    ];
    lines.push(match (&state.cluster, &state.database_version) {
        (Some(cluster), _) => format!(
            "postgresql   {} (private cluster, process {}, user {}, logs in {})",
            cluster.version,
            cluster.pid,
            cluster.os_user,
            cluster.log_folder.display()
        ),
        (None, Some(version)) => format!("postgresql   {version} (database.url)"),
        (None, None) => "postgresql   not reached yet (database.url)".to_owned(),
    });
    lines.extend(state.degraded.iter().map(|sentence| format!("degraded     {sentence}")));
    lines.join("\n")
}

fn word(state: &State) -> &'static str {
    if state.ready { "ready" } else { "not ready" }
}

fn offline(settings: &Settings, word: &str) -> String {
    let folder = &settings.data_directory;
    let cluster = match std::fs::read_to_string(folder.join("postgres/cluster/PG_VERSION")) {
        Ok(major) => format!("a private cluster of PostgreSQL {}", major.trim()),
        Err(_) if settings.uses_private_cluster() => "no private cluster yet".to_owned(),
        Err(_) => "database.url".to_owned(),
    };
    let keys = if settings.key_ring_file().try_exists().unwrap_or(false) { "there" } else { "not made yet" };
    format!("thorbis      {} ({word})\ndata folder  {}\npostgresql   {cluster}\nkeys         {keys}\n", version::FULL, folder.display())
}
