//! Looking for viruses, before anybody can read a file.
//!
//! Invariant: with a scanner, no object gets content that the scanner found infected; what it could not look at says so, and is looked at
//! when it is back.

mod clamd;
mod config;
mod judging;

use kernel::BlobStream;
use tokio::sync::Semaphore;

pub use config::{Away, ScanConfig};

use clamd::{Failure, Place};

/// What was found in a file.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(crate) enum Found {
    /// Nothing.
    Clean,
    /// A virus of this name.
    Infected(String),
}

/// The scanner, where there is one.
#[derive(Debug)]
pub(crate) struct Scanner {
    place: Option<Place>,
    turns: Semaphore,
    config: ScanConfig,
}

impl Scanner {
    pub(crate) fn new(config: &ScanConfig) -> Self {
        let place = config.address.as_deref().and_then(Place::read);
        Self { place, turns: Semaphore::new(config.at_once), config: config.clone() }
    }

    /// Has a file looked at, when it is its turn.
    async fn look(&self, place: &Place, content: BlobStream) -> Result<Found, Failure> {
        let _turn = self.turns.acquire().await.map_err(|error| Failure::Away(error.to_string()))?;
        place.look(&self.config, content).await
    }
}
