//! The keys in use, taken anew when the key file changes.
//!
//! Invariant: a file that does not read never replaces the keys in use.

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use arc_swap::ArcSwap;
use auth::keys::{KeyRing, configured, store};
use tokio_util::sync::CancellationToken;

use crate::backend::Backend;
use crate::watched::Stamp;

/// How often the file is looked at.
const INTERVAL: Duration = Duration::from_secs(1);

/// The keys that the server works with.
#[derive(Debug)]
pub(crate) struct KeysInUse {
    file: PathBuf,
    /// The operator's own, where he has one.
    signing: Option<PathBuf>,
    seen: Stamp,
    pub(crate) ring: ArcSwap<KeyRing>,
    /// Whether this start made them.
    pub(crate) are_new: bool,
}

impl KeysInUse {
    pub(crate) fn load(file: PathBuf, signing: Option<PathBuf>) -> Result<Arc<Self>, store::StoreError> {
        let mut seen = stamp(&file, signing.as_deref());
        let (ring, are_new) = store::load_or_create(&file, jiff::Timestamp::now())?;
        if are_new {
            seen = stamp(&file, signing.as_deref());
        }
        let ring = with_signing(ring, signing.as_deref())?;
        Ok(Arc::new(Self { file, signing, seen, ring: ArcSwap::from_pointee(ring), are_new }))
    }

    /// Looks at the file until told to stop, and hands over what is new.
    pub(crate) async fn follow(self: Arc<Self>, backend: Backend, stop: CancellationToken) {
        let mut seen = self.seen.clone();
        loop {
            tokio::select! {
                () = stop.cancelled() => return,
                () = tokio::time::sleep(INTERVAL) => {}
            }
            let now = stamp(&self.file, self.signing.as_deref());
            if now == seen {
                continue;
            }
            seen = now;
            let loaded = store::load(&self.file);
            match loaded.and_then(|ring| ring.map(|ring| self.with_signing(ring)).transpose()) {
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

    /// Joins what was loaded with the operator's keys: those of his file, or, where that cannot be used now, those in use. Else the keys made
    /// here that were revoked would stay good until he mends it.
    fn with_signing(&self, ring: KeyRing) -> Result<KeyRing, store::StoreError> {
        let before = self.ring.load();
        match with_signing(ring.clone(), self.signing.as_deref()) {
            Err(error) if before.configured().is_some() => {
                tracing::warn!(%error, "the changed file of signing keys cannot be used; the keys in use stay");
                Ok(ring.with_configured(before.configured().cloned())?)
            }
            joined => joined,
        }
    }
}

fn stamp(file: &Path, signing: Option<&Path>) -> Stamp {
    Stamp::of(&[file].into_iter().chain(signing).collect::<Vec<_>>())
}

fn with_signing(ring: KeyRing, signing: Option<&Path>) -> Result<KeyRing, store::StoreError> {
    Ok(ring.with_configured(signing.map(configured::load).transpose()?)?)
}
