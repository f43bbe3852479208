//! The keys in use, taken anew when the key file changes.
//!
//! Invariant: a file that does not read never replaces the keys in use.

use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use arc_swap::ArcSwap;
use auth::keys::{KeyRing, store};
use tokio_util::sync::CancellationToken;

use crate::backend::Backend;
use crate::watched::Stamp;

/// How often the file is looked at.
const INTERVAL: Duration = Duration::from_secs(1);

/// The keys that the server works with.
#[derive(Debug)]
pub(crate) struct KeysInUse {
    file: PathBuf,
    seen: Stamp,
    pub(crate) ring: ArcSwap<KeyRing>,
    /// Whether this start made them.
    pub(crate) are_new: bool,
}

impl KeysInUse {
    pub(crate) fn load(file: PathBuf) -> Result<Arc<Self>, store::StoreError> {
        let mut seen = Stamp::of(&[&file]);
        let (ring, are_new) = store::load_or_create(&file, jiff::Timestamp::now())?;
        if are_new {
            seen = Stamp::of(&[&file]);
        }
        Ok(Arc::new(Self { file, seen, ring: ArcSwap::from_pointee(ring), are_new }))
    }

    /// Looks at the file until told to stop, and hands over what is new.
    pub(crate) async fn follow(self: Arc<Self>, backend: Backend, stop: CancellationToken) {
        let mut seen = self.seen.clone();
        loop {
            tokio::select! {
                () = stop.cancelled() => return,
                () = tokio::time::sleep(INTERVAL) => {}
            }
            let now = Stamp::of(&[&self.file]);
            if now == seen {
                continue;
            }
            seen = now;
            match store::load(&self.file) {
                Ok(Some(ring)) => {
                    backend.replace_keys(&ring);
                    self.ring.store(Arc::new(ring));
                    tracing::info!("the new keys are in use");
                }
                Ok(None) => tracing::warn!(file = %self.file.display(), "the key file is gone; the keys in use stay"),
                Err(error) => tracing::warn!(%error, "the changed key file cannot be used; the keys in use stay"),
            }
        }
    }
}
