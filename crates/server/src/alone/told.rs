//! Being told to read things anew: by `NOTIFY`, by a signal, or because the database is there again.
//!
//! Invariant: what is told many times at once is done once; what fails leaves the old in use and is said in the log.

use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use kernel::Result;
use postgres::Listener;
use tokio::signal::unix::{Signal, SignalKind, signal};
use tokio::sync::mpsc;

use super::serving::Serving;
use crate::start::told;

/// How long more of the same is waited for.
const GATHER: Duration = Duration::from_millis(100);
/// The pauses between two tries.
const PAUSE: Duration = Duration::from_millis(500);
const PAUSE_MAX: Duration = Duration::from_secs(32);

/// What is to be read anew.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum Anew {
    /// The configuration, and with it everything else.
    Config,
    /// The tables and functions.
    Schema,
}

/// Where to listen.
#[derive(Clone, Debug)]
pub(super) struct Place {
    pub(super) server: postgres::Config,
    pub(super) root_certificate_file: Option<PathBuf>,
    pub(super) channel: String,
}

impl Place {
    pub(super) async fn connect(&self) -> Result<Listener> {
        Listener::connect(&self.server, self.root_certificate_file.as_deref(), &self.channel).await
    }
}

/// Does what it is told. Until the configuration of the database has been read once, it goes on trying by itself.
pub(super) async fn obey(serving: Arc<Serving>, mut orders: mpsc::Receiver<Anew>, mut is_done: bool) {
    let mut pause = PAUSE;
    loop {
        let order =
            if is_done { orders.recv().await } else { tokio::time::timeout(pause, orders.recv()).await.unwrap_or(Some(Anew::Config)) };
        let Some(mut wanted) = order else { return };
        tokio::time::sleep(GATHER).await;
        while let Ok(more) = orders.try_recv() {
            wanted = if more == Anew::Config { more } else { wanted };
        }
        let outcome = match wanted {
            Anew::Schema if is_done => Box::pin(serving.reload_schema()).await,
            Anew::Config | Anew::Schema => Box::pin(serving.reload_config()).await,
        };
        match outcome {
            Ok(()) => is_done = true,
            Err(error) => {
                tracing::error!(error = told(&error), "what is new could not be put in use; the old stays");
                pause = pause.saturating_mul(2).min(PAUSE_MAX);
            }
        }
    }
}

/// Passes on what the channel says, for ever. A listener that was there before anything was read has missed nothing; after any other
/// beginning everything is read anew.
pub(super) async fn listen(place: Place, first: Option<Listener>, orders: mpsc::Sender<Anew>) {
    let (mut pause, mut first) = (PAUSE, first.map(Ok));
    loop {
        let has_missed = first.is_none();
        let listener = match first.take() {
            Some(listener) => listener,
            None => place.connect().await,
        };
        match listener {
            Ok(mut listener) => {
                tracing::info!(channel = place.channel, "listening to the database");
                pause = PAUSE;
                if has_missed && orders.send(Anew::Config).await.is_err() {
                    return;
                }
                while let Some(said) = listener.next().await {
                    let order = match said.as_str() {
                        "reload config" => Anew::Config,
                        "reload schema" | "" => Anew::Schema,
                        _ => continue,
                    };
                    if orders.send(order).await.is_err() {
                        return;
                    }
                }
            }
            Err(error) => tracing::warn!(error = told(&error), "the database cannot be listened to; trying again"),
        }
        tokio::time::sleep(pause).await;
        pause = pause.saturating_mul(2).min(PAUSE_MAX);
    }
}

/// Signals: SIGUSR1 for the tables and functions, SIGUSR2 for the configuration.
pub(super) struct Signals {
    schema: Signal,
    config: Signal,
}

impl Signals {
    pub(super) fn listen() -> std::io::Result<Self> {
        Ok(Self { schema: signal(SignalKind::user_defined1())?, config: signal(SignalKind::user_defined2())? })
    }

    /// Passes them on, for ever.
    pub(super) async fn pass_on(mut self, orders: mpsc::Sender<Anew>) {
        loop {
            let order = tokio::select! {
                _ = self.schema.recv() => Anew::Schema,
                _ = self.config.recv() => Anew::Config,
            };
            if orders.send(order).await.is_err() {
                return;
            }
        }
    }
}
