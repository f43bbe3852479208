//! `thorbis psql`: a session of the owner in the server's database.
//!
//! Invariant: the password goes by the environment, which only this user and root can read, and never by the command line.

use std::os::unix::process::CommandExt;
use std::process::{Command, ExitCode};

use clap::Args;
use postgres::Config;

use super::CliError;
use crate::config::Settings;
use crate::start::{State, database, variables};

/// Open a psql session as the owner of the database; the server must be running unless `DATABASE_URL` is set
#[derive(Debug, Args)]
#[command(after_help = "\
Examples:
  thorbis psql -- -c \"select count(*) from public.companies\"")]
pub(super) struct Psql {
    /// What psql itself takes
    #[arg(trailing_var_arg = true, allow_hyphen_values = true, value_name = "ARGUMENTS")]
    arguments: Vec<String>,
}

impl Psql {
    pub(super) fn run(&self, settings: &Settings) -> Result<ExitCode, CliError> {
        let (program, config) = if settings.uses_private_cluster() {
            let Some(state) = State::of_running(&settings.data_directory)? else {
                let message = format!("no server runs with the data folder {}; start it first", settings.data_directory.display());
                return Err(CliError::refused("server_not_running", message));
            };
            let program = state.cluster.as_ref().map(|cluster| cluster.programs_folder.join("psql"));
            (program, database::running_cluster(settings, &state)?)
        } else {
            (settings.database.programs_directory.as_ref().map(|folder| folder.join("psql")), database::external_config(settings)?)
        };
        // The client's package may put it elsewhere than the server's.
        let program = program.filter(|path| path.try_exists().unwrap_or(false)).unwrap_or_else(|| "psql".into());
        let mut command = Command::new(&program);
        command.args(&self.arguments);
        connect_by_environment(&mut command, settings, &config);
        let error = command.exec();
        Err(CliError::refused("psql_missing", format!("{} cannot be started: {error}", program.display())))
    }
}

fn connect_by_environment(command: &mut Command, settings: &Settings, config: &Config) {
    let url = settings.database.migrator_url.as_ref().or(settings.database.url.as_ref());
    command.envs(variables::of(settings, config, url.map_or("", |url| url.expose().as_str())));
}
