//! What a message says while it waits: sealed, so that neither the table nor a dump of it lets anybody in.
//!
//! Invariant: what was sealed for one row opens for no other; the newest key seals, all keys open.

use aws_lc_rs::aead::{AES_256_GCM, Aad, LessSafeKey, NONCE_LEN, Nonce, UnboundKey};
use aws_lc_rs::hmac;
use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use kernel::{Error, Result};
use uuid::Uuid;

/// Separates this use of a key from its others.
const PURPOSE: &[u8] = b"outbox/1";

/// Seals and opens messages.
pub struct Seal(Vec<LessSafeKey>);

impl Seal {
    /// Takes the keys of the installation, the newest first.
    pub fn new<'a>(secrets: impl Iterator<Item = &'a [u8]>) -> Result<Self> {
        let keys = secrets.map(|secret| {
            let derived = hmac::sign(&hmac::Key::new(hmac::HMAC_SHA256, secret), PURPOSE);
            UnboundKey::new(&AES_256_GCM, derived.as_ref()).map(LessSafeKey::new).map_err(Error::internal)
        });
        Ok(Self(keys.collect::<Result<_>>()?))
    }

    pub(crate) fn close(&self, row: Uuid, plain: &str) -> Result<String> {
        let key = self.0.first().ok_or_else(|| Error::internal("there is no key to seal with"))?;
        let mut nonce = [0_u8; NONCE_LEN];
        aws_lc_rs::rand::fill(&mut nonce).map_err(Error::internal)?;
        let mut bytes = plain.as_bytes().to_vec();
        let aad = Aad::from(row.as_bytes());
        key.seal_in_place_append_tag(Nonce::assume_unique_for_key(nonce), aad, &mut bytes).map_err(Error::internal)?;
        Ok(STANDARD.encode([nonce.as_slice(), &bytes].concat()))
    }

    pub(crate) fn open(&self, row: Uuid, sealed: &str) -> Option<String> {
        let bytes = STANDARD.decode(sealed).ok()?;
        let (nonce, sealed) = bytes.split_at_checked(NONCE_LEN)?;
        self.0.iter().find_map(|key| {
            let nonce = Nonce::try_assume_unique_for_key(nonce).ok()?;
            let mut bytes = sealed.to_vec();
            let plain = key.open_in_place(nonce, Aad::from(row.as_bytes()), &mut bytes).ok()?;
            String::from_utf8(plain.to_vec()).ok()
        })
    }
}

impl std::fmt::Debug for Seal {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Seal").field("keys", &self.0.len()).finish()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn seal(secrets: &[&'static [u8]]) -> Seal {
        Seal::new(secrets.iter().copied()).unwrap()
    }

    #[test]
    fn it_opens_with_its_key_and_its_row_alone() {
        let row = Uuid::from_u128(1);
        let old = seal(&[b"old"]);
        let sealed = old.close(row, "the code is 123456").unwrap();
        assert_eq!(old.open(row, &sealed).unwrap(), "the code is 123456");
        assert_eq!(seal(&[b"new", b"old"]).open(row, &sealed).unwrap(), "the code is 123456");
        assert_eq!(seal(&[b"new"]).open(row, &sealed), None);
        assert_eq!(old.open(Uuid::from_u128(2), &sealed), None);
        assert_eq!(old.open(row, "AAAA"), None);
        assert_ne!(sealed, old.close(row, "the code is 123456").unwrap());
        assert!(!STANDARD.decode(&sealed).unwrap().windows(6).any(|part| part == b"123456"));
    }
}
