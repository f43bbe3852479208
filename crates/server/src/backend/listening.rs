//! Hearing from the database that tables or functions changed: `NOTIFY pgrst`, by the event trigger of `db/bootstrap` or by whoever likes.
//!
//! Invariant: what is heard only makes the server look now and not half a second later; whatever was missed is found by the next look.

use std::path::PathBuf;
use std::time::Duration;

use data_api::DataApi;
use postgres::{Config, Listener};

use crate::config::Settings;
use crate::start::told;

/// The channel that the dialect's users know.
const CHANNEL: &str = "pgrst";
/// How long more of the same is waited for.
const GATHER: Duration = Duration::from_millis(50);
/// The pauses between two tries to listen.
const PAUSE: Duration = Duration::from_millis(500);
const PAUSE_MAX: Duration = Duration::from_secs(32);

/// Where to listen.
#[derive(Clone, Debug)]
pub(super) struct Listening {
    server: Config,
    root_certificate_file: Option<PathBuf>,
}

impl Listening {
    pub(super) fn new(settings: &Settings, server: Config) -> Self {
        Self { server, root_certificate_file: settings.database.root_certificate_file.clone() }
    }

    /// Looks at tables and functions whenever the database says that they changed, for ever.
    pub(super) async fn hear(&self, api: &DataApi) {
        let mut pause = PAUSE;
        loop {
            match Listener::connect(&self.server, self.root_certificate_file.as_deref(), CHANNEL).await {
                Ok(mut listener) => {
                    pause = PAUSE;
                    while let Some(said) = listener.next().await {
                        if matches!(said.as_str(), "reload schema" | "reload config" | "") {
                            while tokio::time::timeout(GATHER, listener.next()).await.is_ok_and(|more| more.is_some()) {}
                            api.look().await;
                        }
                    }
                }
                Err(error) => tracing::debug!(error = told(&error), "the database cannot be listened to; trying again"),
            }
            tokio::time::sleep(pause).await;
            pause = pause.saturating_mul(2).min(PAUSE_MAX);
        }
    }
}
