//! The command line. Each command is a file; each `--help` ends with examples that a test runs.
//!
//! Invariant: standard output has what was asked for and nothing else; everything else goes to standard error.

mod alerts;
mod audit;
mod backup;
mod cache;
mod companies;
mod company_archives;
mod completions;
mod cron;
mod doctor;
mod dumps;
mod import;
mod keys;
mod mail;
mod migrate;
mod notifications;
mod notify;
mod own;
mod place;
mod privacy;
mod psql;
mod realtime;
mod restore;
mod seed;
mod serve;
mod settings;
mod smoke;
mod status;
mod support;
mod tasks;
mod typescript;
mod upgrade_cluster;
mod users;
mod worker;

use std::io::Write;
use std::path::PathBuf;
use std::process::ExitCode;

use clap::{Args, Parser, Subcommand};

use crate::config::{self, Environment, Flags, Loaded, Settings, Sources};
use crate::start::StartError;
use crate::{logging, version};

/// The multi-tenant backend of a field-service business, on PostgreSQL.
#[derive(Debug, Parser)]
#[command(name = "thorbis", version = version::FULL, arg_required_else_help = true, after_help = "\
Examples:
  thorbis serve --env development
  thorbis status
  thorbis --version")]
pub struct Cli {
    #[command(flatten)]
    common: Common,
    #[command(subcommand)]
    command: Command,
}

/// What every command takes.
#[derive(Clone, Debug, Args)]
struct Common {
    /// TOML file with settings; also `THORBIS_CONFIG`
    #[arg(long, global = true, value_name = "FILE")]
    config: Option<PathBuf>,
    /// Folder of keys, state and the private PostgreSQL cluster
    #[arg(long, global = true, value_name = "DIR")]
    data: Option<PathBuf>,
    /// What the server is for (default: production)
    #[arg(long = "env", global = true, value_name = "ENVIRONMENT")]
    environment: Option<Environment>,
}

#[derive(Debug, Subcommand)]
enum Command {
    Serve(serve::Serve),
    Worker(worker::Worker),
    Status(status::Status),
    Smoke(smoke::Smoke),
    Migrate(migrate::Migrate),
    Seed(seed::Seed),
    Import(import::Import),
    Keys(keys::Keys),
    Users(users::Users),
    #[command(visible_alias = "company")]
    Companies(companies::Companies),
    Support(support::Support),
    Audit(audit::Audit),
    Privacy(privacy::Privacy),
    Doctor(doctor::Doctor),
    Alerts(alerts::Alerts),
    Mail(mail::Mail),
    Cache(cache::Cache),
    Realtime(realtime::Realtime),
    Tasks(tasks::Tasks),
    Notifications(notifications::Notifications),
    Cron(cron::Cron),
    Backup(backup::Backup),
    Restore(restore::Restore),
    UpgradeCluster(upgrade_cluster::UpgradeCluster),
    Psql(psql::Psql),
    Types(typescript::Types),
    Config(settings::Show),
    Completions(completions::Completions),
}

/// Why a command failed.
#[derive(Debug, thiserror::Error)]
pub(crate) enum CliError {
    /// What a start would fail with too.
    #[error(transparent)]
    Start(#[from] StartError),
    /// The command cannot do that here and now.
    #[error("{message} ({code})")]
    Refused {
        /// A stable code.
        code: &'static str,
        /// What and why.
        message: String,
    },
    /// The private cluster stays as it was.
    #[error("the cluster stays as it was ({}): {_0}", _0.code())]
    Upgrade(postgres::cluster::ClusterError),
    /// Standard output is gone.
    #[error("the answer could not be written: {0}")]
    Output(#[from] std::io::Error),
}

impl CliError {
    pub(crate) fn refused(code: &'static str, message: impl Into<String>) -> Self {
        Self::Refused { code, message: message.into() }
    }
}

impl From<kernel::Error> for CliError {
    fn from(error: kernel::Error) -> Self {
        Self::Start(error.into())
    }
}

impl From<auth::keys::store::StoreError> for CliError {
    fn from(error: auth::keys::store::StoreError) -> Self {
        Self::Start(error.into())
    }
}

impl From<crate::start::FolderError> for CliError {
    fn from(error: crate::start::FolderError) -> Self {
        Self::Start(error.into())
    }
}

impl From<postgres::cluster::ClusterError> for CliError {
    fn from(error: postgres::cluster::ClusterError) -> Self {
        Self::Start(error.into())
    }
}

/// Runs what the command line says.
pub fn run() -> ExitCode {
    // A process that draws a page of a document for a server is nothing else.
    if let Some(code) = storage::drawn_by_this_process() {
        return code;
    }
    let Cli { common, command } = Cli::parse();
    // Clients that are not told what does their cryptography ask the process, and end it where nothing was said.
    let _first = rustls::crypto::aws_lc_rs::default_provider().install_default().is_ok();
    let runtime = match tokio::runtime::Builder::new_multi_thread().enable_all().build() {
        Ok(runtime) => runtime,
        Err(error) => return fail(&error.to_string()),
    };
    match runtime.block_on(Box::pin(dispatch(common, command))) {
        Ok(code) => code,
        Err(error) => fail(&error.to_string()),
    }
}

async fn dispatch(common: Common, command: Command) -> Result<ExitCode, CliError> {
    if let Command::Completions(command) = command {
        return command.run();
    }
    let mut flags = Flags { config: common.config, environment: common.environment, data_directory: common.data, listen: Vec::new() };
    if let Command::Serve(serve) = &command {
        flags.listen.clone_from(&serve.listen);
    }
    let sources = Sources::of_process(flags);
    let loaded = config::load(&sources).map_err(StartError::Config)?;
    if let Command::Config(command) = command {
        return command.run(&loaded);
    }
    let Loaded { mut settings, .. } = loaded;
    let alone = match &command {
        Command::Serve(serve) => serve.alone(sources.variables, &mut settings)?,
        _ => None,
    };
    let otlp = logging::begin(&settings)?;
    let outcome = Box::pin(carry_out(command, alone, settings)).await;
    if let Some(otlp) = otlp {
        otlp.end().await;
    }
    outcome
}

async fn carry_out(command: Command, alone: Option<serve::AloneSources>, settings: Settings) -> Result<ExitCode, CliError> {
    match command {
        Command::Serve(command) => match alone {
            Some(alone) => command.run_alone(alone, settings).await,
            None => Box::pin(command.run(settings)).await,
        },
        Command::Worker(command) => Box::pin(command.run(&settings)).await,
        Command::Status(command) => command.run(&settings),
        Command::Smoke(command) => Box::pin(command.run(&settings)).await,
        Command::Migrate(command) => command.run(&settings).await,
        Command::Seed(command) => command.run(&settings).await,
        Command::Import(command) => Box::pin(command.run(&settings)).await,
        Command::Keys(command) => Box::pin(command.run(&settings)).await,
        Command::Users(command) => Box::pin(command.run(&settings)).await,
        Command::Companies(command) => Box::pin(command.run(&settings)).await,
        Command::Support(command) => Box::pin(command.run(&settings)).await,
        Command::Audit(command) => Box::pin(command.run(&settings)).await,
        Command::Privacy(command) => Box::pin(command.run(&settings)).await,
        Command::Doctor(command) => Box::pin(command.run(&settings)).await,
        Command::Alerts(command) => Box::pin(command.run(&settings)).await,
        Command::Mail(command) => Box::pin(command.run(&settings)).await,
        Command::Cache(command) => Box::pin(command.run(&settings)).await,
        Command::Realtime(command) => command.run(&settings),
        Command::Tasks(command) => Box::pin(command.run(&settings)).await,
        Command::Notifications(command) => Box::pin(command.run(&settings)).await,
        Command::Cron(command) => Box::pin(command.run(&settings)).await,
        Command::Backup(command) => Box::pin(command.run(&settings)).await,
        Command::Restore(command) => Box::pin(command.run(settings)).await,
        Command::UpgradeCluster(command) => Box::pin(command.run(settings)).await,
        Command::Psql(command) => command.run(&settings),
        Command::Types(command) => Box::pin(command.run(settings)).await,
        // Answered above.
        Command::Config(_) | Command::Completions(_) => Ok(ExitCode::SUCCESS),
    }
}

/// Writes an answer to standard output.
fn say(text: &str) -> Result<(), CliError> {
    let mut output = std::io::stdout().lock();
    output.write_all(text.as_bytes())?;
    if !text.ends_with('\n') {
        output.write_all(b"\n")?;
    }
    output.flush().map_err(CliError::from)
}

fn fail(reason: &str) -> ExitCode {
    // There is nobody left to tell if even this fails.
    let _told = writeln!(std::io::stderr(), "thorbis: {reason}").is_ok();
    ExitCode::FAILURE
}

#[cfg(test)]
mod tests {
    use super::*;
    use clap::CommandFactory;

    #[test]
    fn the_command_line_is_well_formed() {
        Cli::command().debug_assert();
    }
}
