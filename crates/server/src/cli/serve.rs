//! `thorbis serve`.

use std::ffi::OsString;
use std::net::SocketAddr;
use std::path::PathBuf;
use std::process::ExitCode;

use clap::Args;
use nix::sys::resource::{Resource, getrlimit, setrlimit};
use tokio::signal::unix::{Signal, SignalKind, signal};

use super::{CliError, keys, notify, say};
use crate::alone::values::{Sources, Values};
use crate::alone::{self, Given};
use crate::config::Settings;
use crate::start::{self, RunningServer, StartError};

/// Files that are open besides the connections of clients: to PostgreSQL, logs, sockets.
const FILES_BESIDE: u64 = 500;

/// Run the server, with a private PostgreSQL cluster unless `DATABASE_URL` is set
#[derive(Debug, Args)]
#[command(after_help = "\
Examples:
  thorbis serve --env development
  thorbis serve --data ./data --listen 127.0.0.1:8000 --listen [::1]:8000
  thorbis serve --only auth
  thorbis serve --only data-api ./postgrest.conf")]
pub(super) struct Serve {
    /// Address and port to listen on; may be given several times (default: port 54321 of both loopback addresses)
    #[arg(long, value_name = "ADDRESS:PORT")]
    pub(super) listen: Vec<SocketAddr>,
    /// Serve nothing but this
    #[arg(long, value_name = "SERVICE")]
    only: Option<Only>,
    /// With `--only data-api`: a PostgREST configuration file; `PGRST_` variables and the database go before it
    #[arg(value_name = "FILE", requires = "only")]
    file: Option<PathBuf>,
}

/// A service that runs without the others.
#[derive(Clone, Copy, PartialEq, Eq, Debug, clap::ValueEnum)]
enum Only {
    /// Sign-in, on our own database
    Auth,
    /// Tables, views and functions over HTTP, as PostgREST serves them, on any database: its login, roles and tables are its owner's
    DataApi,
}

/// What the configuration of the data API alone says.
pub(super) struct AloneSources {
    sources: Sources,
    values: Values,
}

impl Serve {
    /// Reads the configuration of the data API, where that is all to be served, and lets it say what is logged.
    pub(super) fn alone(&self, variables: Vec<(OsString, OsString)>, settings: &mut Settings) -> Result<Option<AloneSources>, CliError> {
        if self.only == Some(Only::Auth) {
            if self.file.is_some() {
                return Err(CliError::refused(
                    "file_unexpected",
                    "a file is read with --only data-api alone; settings are named by --config",
                ));
            }
            settings.auth_alone = true;
        }
        let Some(Only::DataApi) = self.only else { return Ok(None) };
        let sources = Sources { file: self.file.clone(), variables };
        let values = sources.read().map_err(StartError::Config)?;
        if let Some(filter) = alone::config::log_filter(&values) {
            filter.clone_into(&mut settings.log.filter);
        }
        Ok(Some(AloneSources { sources, values }))
    }

    /// Serves the data API alone.
    pub(super) async fn run_alone(self, given: AloneSources, settings: Settings) -> Result<ExitCode, CliError> {
        raise_file_limit(settings.limits.connections_max);
        let mut signals = Signals::listen()?;
        let given = Given { sources: given.sources, values: given.values, settings, listen: self.listen };
        let starting = Box::pin(alone::start(given));
        let server = tokio::select! {
            started = starting => started?,
            () = signals.stop() => return Ok(ExitCode::SUCCESS),
        };
        if let Err(error) = say(&alone_banner(server.places())) {
            tracing::warn!(%error, "the addresses could not be printed");
        }
        signals.stop().await;
        tracing::info!("stopping: requests in flight are finished; a second signal cuts them off");
        tokio::select! {
            () = server.shutdown() => Ok(ExitCode::SUCCESS),
            () = signals.stop() => Ok(ExitCode::FAILURE),
        }
    }

    pub(super) async fn run(self, settings: Settings) -> Result<ExitCode, CliError> {
        raise_file_limit(settings.limits.connections_max);
        // Before the start, so that a signal during it is not lost.
        let mut signals = Signals::listen()?;
        let development = settings.is_development();
        let starting = Box::pin(start::start(settings));
        let server = tokio::select! {
            started = starting => started?,
            () = signals.stop() => return Ok(ExitCode::SUCCESS),
        };
        // Whoever reads this may have gone; that is no reason to stop.
        if let Err(error) = say(&banner(&server, development)) {
            tracing::warn!(%error, "the addresses could not be printed");
        }
        notify::ready(&format!("answers at {}", server.urls().join(" and ")));
        signals.stop().await;
        notify::stopping();
        tracing::info!("stopping: requests in flight are finished; a second signal cuts them off");
        tokio::select! {
            stopped = server.shutdown() => stopped?,
            () = signals.stop() => return Ok(ExitCode::FAILURE),
        }
        Ok(ExitCode::SUCCESS)
    }
}

/// Lets the process have as many files open as its connections need, as far as the system allows.
fn raise_file_limit(connections_max: usize) {
    let wanted = u64::try_from(connections_max).unwrap_or(u64::MAX).saturating_add(FILES_BESIDE);
    let raised = getrlimit(Resource::RLIMIT_NOFILE).and_then(|(soft, hard)| {
        let target = wanted.min(hard);
        if soft < target { setrlimit(Resource::RLIMIT_NOFILE, target, hard).map(|()| target) } else { Ok(soft) }
    });
    match raised {
        Ok(files) if files < wanted => {
            tracing::warn!(files, wanted, "the system allows fewer open files than limits.connections_max needs (ulimit -n)");
        }
        Ok(_) => {}
        Err(error) => tracing::warn!(%error, "the limit of open files could not be raised"),
    }
}

/// What tells a process to stop.
pub(super) struct Signals {
    terminate: Signal,
    interrupt: Signal,
    hangup: Signal,
}

impl Signals {
    pub(super) fn listen() -> std::io::Result<Self> {
        Ok(Self {
            terminate: signal(SignalKind::terminate())?,
            interrupt: signal(SignalKind::interrupt())?,
            hangup: signal(SignalKind::hangup())?,
        })
    }

    /// Returns when the server is told to stop. A hangup is no reason: keys and certificates are taken anew by themselves.
    pub(super) async fn stop(&mut self) {
        loop {
            tokio::select! {
                _ = self.terminate.recv() => return,
                _ = self.interrupt.recv() => return,
                _ = self.hangup.recv() => tracing::info!("hangup: changed keys and certificates are taken within seconds"),
            }
        }
    }
}

fn alone_banner(places: &[String]) -> String {
    let place = places.join(" and ");
    format!("Thorbis {} answers at {place}\ndata folder           none: the data API alone, on somebody's database", crate::version::FULL)
}

fn banner(server: &RunningServer, development: bool) -> String {
    let mut lines = vec![
        format!("Thorbis {} answers at {}", crate::version::FULL, server.urls().join(" and ")),
        format!("data folder           {}", server.data_directory().display()),
    ];
    lines.extend(server.degraded().iter().map(|sentence| format!("note                  {sentence}")));
    if development || server.keys_are_new() {
        lines.push(keys::shown(&server.keys()));
    }
    if let Some(demo) = server.demo_login() {
        lines.push(format!("demo login            {}\ndemo password         {}", demo.email, demo.password.expose()));
    }
    if let Some(key) = server.new_recovery_key() {
        lines.push(format!("recovery key          {}", key.expose()));
        lines.push("Keep it away from this machine: without it no backup can be restored. `thorbis backup key` shows it again.".to_owned());
    }
    if !development && server.keys_are_new() {
        lines.push("These keys are shown once; `thorbis keys show` shows them again.".to_owned());
    }
    lines.join("\n")
}
