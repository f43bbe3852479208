//! What another protocol asks of sign-in that knows somebody by a signature and not by a token.
//!
//! Invariant: whoever is vouched for here is looked up by the next transaction like everybody else, and counted like everybody else.

use http::request::Parts;
use kernel::{CompanyId, Pass, PassKind, Principal, Result, Secret, Subject};
use uuid::Uuid;

use crate::Auth;
use crate::input::address;

impl Auth {
    /// Vouches for whoever proved to have what belongs to an API key, by the digest in its row, and counts him as it.
    pub async fn lend_api_key(&self, company_id: CompanyId, id: Uuid, digest: &str, parts: &Parts) -> Result<Principal> {
        let pass = Pass { kind: PassKind::ApiKey, company_id, id, digest: digest.into(), address: address(parts) };
        self.key_uses().take(self, &pass).await?;
        Ok(Principal::vouch(self.authority(), Subject::Pass(pass), "{}").in_company(Some(company_id)))
    }

    /// Returns the forms of the public key, with which a request is signed that shows whose it is by a token beside it.
    pub fn public_key_texts(&self) -> [Secret<String>; 2] {
        let keys = self.keys();
        [keys.ring.anon().token.clone(), keys.ring.anon().opaque.clone()]
    }
}
