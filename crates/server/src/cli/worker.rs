//! `thorbis worker`.
//!
//! Invariant: where `quiet` is set it does nothing at all, like a server.

use std::process::ExitCode;

use auth::keys::store;
use clap::Args;
use tokio_util::sync::CancellationToken;

use super::serve::Signals;
use super::{CliError, place, say};
use crate::backend::{Backend, BackendOptions};
use crate::config::Settings;

/// Do background work beside the servers, without answering requests
#[derive(Debug, Args)]
#[command(after_help = "\
Examples:
  thorbis worker --until-idle")]
pub(super) struct Worker {
    /// End when there is nothing to do any more
    #[arg(long)]
    until_idle: bool,
}

impl Worker {
    pub(super) async fn run(&self, settings: &Settings) -> Result<ExitCode, CliError> {
        let mut signals = Signals::listen()?;
        if settings.quiet {
            return self.wait(&mut signals).await;
        }
        let file = settings.key_ring_file();
        let missing = || CliError::refused("keys_missing", format!("there are no keys at {} yet", file.display()));
        let keys = store::load(&file)?.ok_or_else(missing)?;
        let (server, place) = place::connect(settings).await?;
        // No token leaves this process, but links in messages do.
        let public_url = settings.public_url.as_deref().unwrap_or("http://localhost");
        let backend = Backend::new(BackendOptions { settings, server, keys, public_url })?;
        let outcome = self.work(&backend, &mut signals).await;
        backend.close();
        if let Some(place) = place {
            place.leave().await?;
        }
        outcome
    }

    /// Does nothing, as `quiet` says, until told to stop; whoever started it by a unit wants it not to begin again and again.
    async fn wait(&self, signals: &mut Signals) -> Result<ExitCode, CliError> {
        if self.until_idle {
            return Err(CliError::refused("quiet", "quiet is set: no task is done, and all of them wait"));
        }
        say("quiet is set: no task is done, and all of them wait")?;
        signals.stop().await;
        Ok(ExitCode::SUCCESS)
    }

    async fn work(&self, backend: &Backend, signals: &mut Signals) -> Result<ExitCode, CliError> {
        let stop = CancellationToken::new();
        if self.until_idle {
            tokio::select! {
                () = backend.work_until_idle() => {}
                () = signals.stop() => return Ok(ExitCode::FAILURE),
            }
            say("nothing is left to do")?;
            return Ok(ExitCode::SUCCESS);
        }
        say("tasks are done until this process is told to stop")?;
        let work = async { tokio::join!(backend.clone().work(stop.clone()), backend.clone().follow_queue(stop.clone())) };
        let mut work = std::pin::pin!(work);
        tokio::select! {
            _ended = &mut work => return Ok(ExitCode::SUCCESS),
            () = signals.stop() => stop.cancel(),
        }
        tracing::info!("stopping: tasks that run are finished; a second signal cuts them off");
        tokio::select! {
            _ended = &mut work => Ok(ExitCode::SUCCESS),
            () = signals.stop() => Ok(ExitCode::FAILURE),
        }
    }
}
