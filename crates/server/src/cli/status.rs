//! `thorbis status`: of the running server, or of the data folder without one.

use std::process::ExitCode;

use clap::Args;

use super::{CliError, say};
use crate::config::Settings;
use crate::start::{KEY_FILE, State};
use crate::version;

/// The exit code where no server runs, as service managers use it.
const NOT_RUNNING: u8 = 3;

/// Show addresses, versions, the data folder and what is degraded
///
/// Exits with 0 when a server runs and is ready, 1 when it runs and is not, 3 when none runs.
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
        let folder = &settings.data_directory;
        let Some(state) = State::of_running(folder) else {
            say(&if self.json { "{\"running\": false}".to_owned() } else { offline(settings) })?;
            return Ok(ExitCode::from(NOT_RUNNING));
        };
        let text = if self.json {
            let mut value = serde_json::to_value(&state).unwrap_or_default();
            value["running"] = true.into();
            value["data_directory"] = folder.display().to_string().into();
            format!("{value:#}")
        } else {
            online(settings, &state)
        };
        say(&text)?;
        Ok(if state.ready { ExitCode::SUCCESS } else { ExitCode::FAILURE })
    }
}

fn online(settings: &Settings, state: &State) -> String {
    let mut text = format!("thorbis      {} ({} since {}, process {})\n", state.version, word(state), state.started_at, state.pid);
    text.push_str(&format!("addresses    {}\n", state.addresses.join(" ")));
    text.push_str(&format!("public url   {}\n", state.public_url));
    text.push_str(&format!("data folder  {}\n", settings.data_directory.display()));
    match (&state.cluster, &state.database_version) {
        (Some(cluster), _) => text.push_str(&format!(
            "postgresql   {} (private cluster, process {}, user {}, logs in {})\n",
            cluster.version,
            cluster.pid,
            cluster.os_user,
            cluster.log_folder.display()
        )),
        (None, Some(version)) => text.push_str(&format!("postgresql   {version} (database.url)\n")),
        (None, None) => text.push_str("postgresql   not reached yet (database.url)\n"),
    }
    for sentence in &state.degraded {
        text.push_str(&format!("degraded     {sentence}\n"));
    }
    text
}

fn word(state: &State) -> &'static str {
    if state.ready { "ready" } else { "not ready" }
}

fn offline(settings: &Settings) -> String {
    let folder = &settings.data_directory;
    let has = |name: &str| folder.join(name).try_exists().unwrap_or(false);
    let cluster = match std::fs::read_to_string(folder.join("postgres/cluster/PG_VERSION")) {
        Ok(major) => format!("a private cluster of PostgreSQL {}", major.trim()),
        Err(_) if settings.uses_private_cluster() => "no private cluster yet".to_owned(),
        Err(_) => "database.url".to_owned(),
    };
    let keys = if has(KEY_FILE) { "there" } else { "not made yet" };
    format!(
        "thorbis      {} (not running)\ndata folder  {}\npostgresql   {cluster}\nkeys         {keys}\n",
        version::FULL,
        folder.display()
    )
}
