//! Secrets at rest: what the database keeps of them is ciphertext, and only a key of the ring opens it.
//!
//! Invariant: a sealed text opens only in the table, column and row that it was sealed for, since these are part of what its tag
//! vouches for. A key leaves the ring only when no row needs it any more.

use std::fmt;

use aws_lc_rs::aead::{AES_256_GCM, Aad, LessSafeKey, NONCE_LEN, Nonce, UnboundKey};
use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use jiff::Timestamp;
use kernel::Secret;
use uuid::Uuid;

use super::{KeyFault, KeyRing, random};

/// What a sealed text begins with: how it is made.
const FORMAT: &str = "1";
const KEY_BYTES: usize = 32;
const ID_BYTES: usize = 4;

/// A column that holds sealed texts, in a table whose rows have an `id`.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Place {
    /// The schema of the table.
    pub schema: &'static str,
    /// The table.
    pub table: &'static str,
    /// The column.
    pub column: &'static str,
    /// The schema and the table that its texts are bound to, where they were sealed first in another one.
    pub bound_to: Option<[&'static str; 2]>,
}

/// The secrets of second factors.
pub const FACTOR_SECRET: Place = Place { schema: "auth", table: "mfa_factors", column: "secret", bound_to: None };

/// What a sign-in under way keeps: first what the trip to a provider needs, then the provider's tokens.
pub const FLOW_SECRETS: Place = Place { schema: "auth", table: "flow_states", column: "secrets", bound_to: None };

/// What this server proves itself with to providers that were added over the API.
pub const CUSTOM_PROVIDER_SECRET: Place = Place { schema: "auth", table: "custom_providers", column: "client_secret", bound_to: None };

/// What this server proves itself with to the providers of companies.
pub const SIGN_ON_SECRET: Place =
    Place { schema: "auth", table: "sign_on_secrets", column: "client_secret", bound_to: Some(["public", "sign_on_providers"]) };

/// What deliveries of webhooks are signed with, and the values of their own headers.
pub const WEBHOOK_SECRET: Place = Place { schema: "app", table: "webhook_secrets", column: "secret", bound_to: None };

/// The key by which push services know this installation.
pub const PUSH_SECRET: Place = Place { schema: "app", table: "channel_settings", column: "push_secret", bound_to: None };

/// What this server proves itself with to a company's suppliers.
pub const SUPPLIER_SECRET: Place = Place { schema: "app", table: "supplier_secrets", column: "secret", bound_to: None };

/// What programs of S3 sign with, who work with an API key.
pub const S3_SECRET: Place = Place { schema: "app", table: "s3_keys", column: "secret", bound_to: None };

/// A key that seals.
#[derive(Clone)]
pub(super) struct SealingKey {
    /// Eight hexadecimal digits, which say which key opens a text.
    pub(super) id: String,
    pub(super) key: Secret<Vec<u8>>,
    pub(super) made_at: Timestamp,
}

impl SealingKey {
    pub(super) fn generate(now: Timestamp) -> Result<Self, KeyFault> {
        let mut id = [0; ID_BYTES];
        id.copy_from_slice(&random(ID_BYTES)?);
        Self::new(format!("{:08x}", u32::from_be_bytes(id)), random(KEY_BYTES)?, now)
    }

    /// Takes a key as it was kept.
    pub(super) fn new(id: String, key: Vec<u8>, made_at: Timestamp) -> Result<Self, KeyFault> {
        let is_id = id.len() == 2 * ID_BYTES && id.bytes().all(|byte| byte.is_ascii_digit() || (b'a'..=b'f').contains(&byte));
        if !is_id || key.len() != KEY_BYTES {
            return Err(KeyFault::invalid("no sealing key"));
        }
        Ok(Self { id, key: Secret::new(key), made_at })
    }

    /// Returns what every text begins with that this key sealed.
    fn mark(&self) -> String {
        format!("{FORMAT}.{}.", self.id)
    }

    fn cipher(&self) -> Result<LessSafeKey, KeyFault> {
        UnboundKey::new(&AES_256_GCM, self.key.expose()).map(LessSafeKey::new).map_err(KeyFault::invalid)
    }
}

impl KeyRing {
    /// Seals a secret for one row.
    pub fn seal(&self, place: Place, row: Uuid, secret: &[u8]) -> Result<String, KeyFault> {
        let key = self.sealing.first().ok_or_else(|| KeyFault::invalid("the ring has no sealing key"))?;
        let mut nonce = [0; NONCE_LEN];
        nonce.copy_from_slice(&random(NONCE_LEN)?);
        let mark = key.mark();
        let mut sealed = secret.to_vec();
        let bound = Aad::from(bound(&mark, place, row));
        key.cipher()?.seal_in_place_append_tag(Nonce::assume_unique_for_key(nonce), bound, &mut sealed).map_err(KeyFault::invalid)?;
        Ok(format!("{mark}{}", URL_SAFE_NO_PAD.encode([nonce.as_slice(), &sealed].concat())))
    }

    /// Opens what was sealed for this row.
    pub fn unseal(&self, place: Place, row: Uuid, sealed: &str) -> Result<Secret<Vec<u8>>, KeyFault> {
        let key = self.sealing.iter().find(|key| sealed.starts_with(&key.mark()));
        let key = key.ok_or_else(|| KeyFault::invalid("no key of the ring sealed this"))?;
        let mark = key.mark();
        let text = sealed.strip_prefix(&mark).unwrap_or_default();
        let damaged = || KeyFault::invalid("a sealed text is damaged, or of another row");
        let bytes = URL_SAFE_NO_PAD.decode(text).map_err(KeyFault::invalid)?;
        let (nonce, rest) = bytes.split_at_checked(NONCE_LEN).ok_or_else(damaged)?;
        let nonce = Nonce::try_assume_unique_for_key(nonce).map_err(KeyFault::invalid)?;
        let mut rest = rest.to_vec();
        let bound = Aad::from(bound(&mark, place, row));
        let opened = key.cipher()?.open_in_place(nonce, bound, &mut rest).map_err(|_says_nothing| damaged())?;
        Ok(Secret::new(opened.to_vec()))
    }

    /// Returns how every text begins that is sealed from now on.
    pub fn sealing_mark(&self) -> Option<String> {
        self.sealing.first().map(SealingKey::mark)
    }

    /// Returns when the key was made that seals from now on.
    pub fn sealing_since(&self) -> Option<Timestamp> {
        self.sealing.first().map(|key| key.made_at)
    }

    /// Returns the marks of all keys that open, the one that seals first.
    pub fn sealing_marks(&self) -> impl Iterator<Item = String> {
        self.sealing.iter().map(SealingKey::mark)
    }

    /// Returns the ring with a new key that seals; what the others sealed still opens.
    pub(super) fn with_new_sealing_key(mut self, now: Timestamp) -> Result<Self, KeyFault> {
        self.sealing.insert(0, SealingKey::generate(now)?);
        Ok(self)
    }

    /// Returns the ring without the sealing keys before the current one whose marks are not among these.
    pub(super) fn keeping_sealing_keys(mut self, marks: &[String]) -> Self {
        let mut number = 0;
        self.sealing.retain(|key| {
            number += 1;
            number == 1 || marks.contains(&key.mark())
        });
        self
    }
}

/// What a tag vouches for beside the secret. Each part has its length before it, so that no two places look the same.
fn bound(mark: &str, place: Place, row: Uuid) -> Vec<u8> {
    let Place { schema, table, column, bound_to } = place;
    let [schema, table] = bound_to.unwrap_or([schema, table]);
    let mut bytes = Vec::new();
    for part in ["thorbis/sealed", mark, schema, table, column] {
        // Names are far shorter than what a u32 counts.
        bytes.extend(u32::try_from(part.len()).unwrap_or(u32::MAX).to_be_bytes());
        bytes.extend(part.as_bytes());
    }
    bytes.extend(row.as_bytes());
    bytes
}

impl fmt::Debug for SealingKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("SealingKey").field("id", &self.id).finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const PLACE: Place = FACTOR_SECRET;

    fn ring() -> KeyRing {
        KeyRing::generate(Timestamp::UNIX_EPOCH).unwrap()
    }

    #[test]
    fn what_was_sealed_opens_in_its_place_alone() {
        let (ring, row) = (ring(), Uuid::now_v7());
        let sealed = ring.seal(PLACE, row, b"planted").unwrap();
        assert!(sealed.starts_with(&ring.sealing_mark().unwrap()));
        assert_eq!(ring.unseal(PLACE, row, &sealed).unwrap().expose(), b"planted");
        assert_ne!(ring.seal(PLACE, row, b"planted").unwrap(), sealed, "no two texts are the same");
        assert!(ring.unseal(PLACE, Uuid::now_v7(), &sealed).is_err(), "another row");
        for other in [Place { schema: "public", ..PLACE }, Place { table: "mfa_factor", ..PLACE }, Place { column: "ssecret", ..PLACE }] {
            assert!(ring.unseal(other, row, &sealed).is_err(), "{other:?}");
        }
        assert!(self::ring().unseal(PLACE, row, &sealed).is_err(), "another ring");
        assert_eq!(ring.unseal(PLACE, row, &ring.seal(PLACE, row, b"").unwrap()).unwrap().expose(), b"");
    }

    #[test]
    fn parts_do_not_run_into_each_other() {
        let row = Uuid::nil();
        let place = |table, column| Place { schema: "auth", table, column, bound_to: None };
        assert_ne!(bound("1.a.", place("ab", "c"), row), bound("1.a.", place("a", "bc"), row));
        let moved = Place { schema: "public", bound_to: Some(["auth", "ab"]), ..place("x", "c") };
        assert_eq!(bound("1.a.", moved, row), bound("1.a.", place("ab", "c"), row));
    }

    #[test]
    fn every_changed_bit_is_seen() {
        let (ring, row) = (ring(), Uuid::now_v7());
        let mark = ring.sealing_mark().unwrap();
        let sealed = ring.seal(PLACE, row, b"planted").unwrap();
        let bytes = URL_SAFE_NO_PAD.decode(&sealed[mark.len()..]).unwrap();
        for bit in 0..bytes.len() * 8 {
            let mut changed = bytes.clone();
            changed[bit / 8] ^= 1 << (bit % 8);
            assert!(ring.unseal(PLACE, row, &format!("{mark}{}", URL_SAFE_NO_PAD.encode(changed))).is_err(), "bit {bit}");
        }
        for wrong in ["", "1.", &mark, &mark[2..], &sealed[..mark.len() + 10], "plain text", &sealed.replacen('1', "2", 1)] {
            assert!(ring.unseal(PLACE, row, wrong).is_err(), "{wrong}");
        }
    }

    #[test]
    fn a_rotated_ring_opens_what_was_sealed_before() {
        let (old, row) = (ring(), Uuid::now_v7());
        let sealed = old.seal(PLACE, row, b"planted").unwrap();
        let new = old.rotated(Timestamp::UNIX_EPOCH).unwrap().without_previous();
        assert_eq!(new.unseal(PLACE, row, &sealed).unwrap().expose(), b"planted", "refusing old tokens loses no secret");
        assert!(!sealed.starts_with(&new.sealing_mark().unwrap()));
        let again = new.seal(PLACE, row, b"planted").unwrap();
        let kept = new.clone().keeping_sealing_keys(&[old.sealing_mark().unwrap()]);
        assert!(kept.unseal(PLACE, row, &sealed).is_ok());
        let alone = new.keeping_sealing_keys(&[]);
        assert!(alone.unseal(PLACE, row, &sealed).is_err());
        assert_eq!(alone.unseal(PLACE, row, &again).unwrap().expose(), b"planted");
    }

    #[test]
    fn a_key_is_never_printed() {
        let key = SealingKey::generate(Timestamp::UNIX_EPOCH).unwrap();
        assert_eq!(format!("{key:?}"), format!("SealingKey {{ id: {:?}, .. }}", key.id));
        assert!(SealingKey::new("0123456G".to_owned(), vec![0; 32], Timestamp::UNIX_EPOCH).is_err());
        assert!(SealingKey::new("01234567".to_owned(), vec![0; 16], Timestamp::UNIX_EPOCH).is_err());
    }
}
