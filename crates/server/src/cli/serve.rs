//! `thorbis serve`.

use std::net::SocketAddr;
use std::process::ExitCode;

use clap::Args;
use tokio::signal::unix::{SignalKind, signal};

use super::{CliError, keys, say};
use crate::config::Settings;
use crate::start::{self, RunningServer};

/// Run the server, with a private PostgreSQL cluster unless DATABASE_URL is set
#[derive(Debug, Args)]
#[command(after_help = "\
Examples:
  thorbis serve --env development
  thorbis serve --data ./data --listen 127.0.0.1:8000 --listen [::1]:8000")]
pub(super) struct Serve {
    /// Address and port to listen on; may be given several times [default: 127.0.0.1:54321 and [::1]:54321]
    #[arg(long, value_name = "ADDRESS:PORT")]
    pub(super) listen: Vec<SocketAddr>,
}

impl Serve {
    #[expect(clippy::unused_self, reason = "its options went into the settings")]
    pub(super) async fn run(self, settings: Settings) -> Result<ExitCode, CliError> {
        // Before the start, so that a signal during it is not lost.
        let mut terminate = signal(SignalKind::terminate())?;
        let mut interrupt = signal(SignalKind::interrupt())?;
        let development = settings.is_development();
        let starting = Box::pin(start::start(settings));
        let server = tokio::select! {
            started = starting => started?,
            _ = terminate.recv() => return Ok(ExitCode::SUCCESS),
            _ = interrupt.recv() => return Ok(ExitCode::SUCCESS),
        };
        // Whoever reads this may have gone; that is no reason to stop.
        if let Err(error) = say(&banner(&server, development)) {
            tracing::warn!(%error, "the addresses could not be printed");
        }
        tokio::select! {
            _ = terminate.recv() => {}
            _ = interrupt.recv() => {}
        }
        tracing::info!("stopping: requests in flight are finished");
        server.shutdown().await?;
        Ok(ExitCode::SUCCESS)
    }
}

fn banner(server: &RunningServer, development: bool) -> String {
    let mut text = format!("Thorbis {} answers at {}\n", crate::version::FULL, server.urls().join(" and "));
    text.push_str(&format!("data folder           {}\n", server.data_directory().display()));
    for sentence in server.degraded() {
        text.push_str(&format!("note                  {sentence}\n"));
    }
    if development || server.keys_are_new() {
        text.push_str(&keys::shown(&server.keys()));
    }
    if let Some(demo) = server.demo_login() {
        text.push_str(&format!("demo login            {}\ndemo password         {}\n", demo.email, demo.password.expose()));
    }
    if !development && server.keys_are_new() {
        text.push_str("These keys are shown once; `thorbis keys show` shows them again.\n");
    }
    text
}
