//! Seals what webhooks keep with the key ring of sign-in.

use auth::Auth;
use auth::keys::WEBHOOK_SECRET;
use kernel::{Result, Secret};
use messaging::Vault;
use outbound::Seal;
use uuid::Uuid;

/// The key ring, as webhooks use it.
pub(super) struct RingVault(pub(super) Auth);

impl Vault for RingVault {
    fn seal(&self, row: Uuid, secret: &[u8]) -> Result<String> {
        self.0.seal_secret(WEBHOOK_SECRET, row, secret)
    }

    fn open(&self, row: Uuid, sealed: &str) -> Result<Secret<Vec<u8>>> {
        self.0.open_secret(WEBHOOK_SECRET, row, sealed)
    }

    fn outbox_seal(&self) -> Result<Seal> {
        self.0.seal()
    }
}
