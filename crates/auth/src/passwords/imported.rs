//! Hashes that an account was brought with: bcrypt, argon2 of any kind, and the scrypt of Firebase.
//!
//! Invariant: a hash that would cost more than the settings allow is compared with nothing; the right password gets a hash of ours.

use argon2::password_hash::PasswordHash;
use aws_lc_rs::cipher::{AES_256, EncryptingKey, EncryptionContext, UnboundCipherKey};
use aws_lc_rs::iv::FixedLength;
use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use kernel::Result;
use subtle::ConstantTimeEq;

use crate::config::PasswordConfig;
use crate::errors::bad_request;

const LANES_MAX: u32 = 16;
const ITERATIONS_MAX: u32 = 16;
const SCRYPT: &str = "$fbscrypt$";
const KEY_BYTES: usize = 32;
const HASH_BYTES_MAX: usize = 1024;

/// Checks that a hash is one that can be compared.
pub(super) fn check(config: &PasswordConfig, hash: &str) -> Result<()> {
    let known = if let Some(cost) = bcrypt_cost(hash) {
        hash.len() == 60 && (4..=config.bcrypt_cost_max).contains(&cost)
    } else if hash.starts_with(SCRYPT) {
        Scrypt::parse(hash).is_some_and(|scrypt| scrypt.is_bearable(config))
    } else {
        PasswordHash::new(hash).is_ok_and(|parsed| parsed.hash.is_some() && is_bearable(config, &parsed))
    };
    let refused = "password_hash must be a hash of bcrypt, argon2 or fbscrypt, within the limits that are set for them";
    if known && hash.len() <= HASH_BYTES_MAX { Ok(()) } else { Err(bad_request("validation_failed", refused)) }
}

/// Compares a password with a hash of bcrypt or Firebase; nothing if it is neither.
pub(super) fn verify(config: &PasswordConfig, password: &[u8], hash: &str) -> Option<bool> {
    if let Some(cost) = bcrypt_cost(hash) {
        // As where it came from, what is longer than 72 bytes is compared by its first 72.
        return Some(cost <= config.bcrypt_cost_max && bcrypt::verify(password, hash).unwrap_or(false));
    }
    let scrypt = hash.starts_with(SCRYPT).then(|| Scrypt::parse(hash))?;
    Some(scrypt.is_some_and(|scrypt| scrypt.is_bearable(config) && scrypt.verify(password).unwrap_or(false)))
}

/// Tells whether a hash of argon2 costs no more than is allowed.
pub(super) fn is_bearable(config: &PasswordConfig, hash: &PasswordHash<'_>) -> bool {
    let argon2 = hash.algorithm.as_str().starts_with("argon2");
    let most = config.imported_memory_kib_max.max(config.memory_kib);
    let costs = argon2::Params::try_from(hash);
    argon2 && costs.is_ok_and(|cost| cost.m_cost() <= most && cost.t_cost() <= ITERATIONS_MAX && cost.p_cost() <= LANES_MAX)
}

/// Returns the cost of a bcrypt hash; nothing if it is none.
fn bcrypt_cost(hash: &str) -> Option<u32> {
    let rest = ["$2a$", "$2b$", "$2y$", "$2x$"].iter().find_map(|prefix| hash.strip_prefix(prefix))?;
    rest.split_once('$')?.0.parse().ok()
}

/// `$fbscrypt$v=1,n=14,r=8,p=1,ss=…,sk=…$salt$hash`: the project's parameters, then the account's.
struct Scrypt {
    log_n: u8,
    r: u32,
    p: u32,
    separator: Vec<u8>,
    signer: Vec<u8>,
    salt: Vec<u8>,
    hash: Vec<u8>,
}

impl Scrypt {
    fn parse(text: &str) -> Option<Self> {
        let mut parts = text.strip_prefix(SCRYPT)?.split('$');
        let (parameters, salt, hash) = (parts.next()?, parts.next()?, parts.next()?);
        let named = |name: &str| parameters.split(',').find_map(|pair| pair.strip_prefix(name)?.strip_prefix('='));
        let bytes = |text: &str| STANDARD.decode(text).ok();
        if parts.next().is_some() || named("v")? != "1" {
            return None;
        }
        let read = Self {
            log_n: named("n")?.parse().ok()?,
            r: named("r")?.parse().ok()?,
            p: named("p")?.parse().ok()?,
            separator: named("ss").map_or(Some(Vec::new()), bytes)?,
            signer: bytes(named("sk")?)?,
            salt: bytes(salt)?,
            hash: bytes(hash)?,
        };
        (!read.signer.is_empty() && read.hash.len() == read.signer.len()).then_some(read)
    }

    fn is_bearable(&self, config: &PasswordConfig) -> bool {
        let memory_bytes = 1_u64.checked_shl(self.log_n.into()).and_then(|n| n.checked_mul(u64::from(self.r))?.checked_mul(128));
        let most = u64::from(config.imported_memory_kib_max) * 1024;
        self.log_n < 32 && self.r > 0 && (1..=4).contains(&self.p) && memory_bytes.is_some_and(|bytes| bytes <= most)
    }

    /// Encrypts the project's key with one that is derived from the password: the result is the hash.
    fn verify(&self, password: &[u8]) -> Option<bool> {
        let params = scrypt::Params::new(self.log_n, self.r, self.p, KEY_BYTES).ok()?;
        let salt = [self.salt.as_slice(), &self.separator].concat();
        let mut key = [0; KEY_BYTES];
        scrypt::scrypt(password, &salt, &params, &mut key).ok()?;
        let mut signed = self.signer.clone();
        let cipher = EncryptingKey::ctr(UnboundCipherKey::new(&AES_256, &key).ok()?).ok()?;
        cipher.less_safe_encrypt(&mut signed, EncryptionContext::Iv128(FixedLength::from([0; 16]))).ok()?;
        Some(signed.ct_eq(&self.hash).into())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The example that Firebase publishes with its variant.
    pub(crate) const FIREBASE: &str = "$fbscrypt$v=1,n=14,r=8,p=1,ss=Bw==,sk=jxspr8Ki0RYycVU8zykbdLGjFQ3McFUH0uiiTvC8pVMXAn210wjLNmdZJzxUECKbm0QsEmYUSDzZvpjeJ9WmXA==$42xEC+ixf3L2lw==$lSrfV15cpx95/sZS2W9c9Kp6i/LVgQNDNC/qzrCnh1SAyZvqmZqAjTdn3aoItz+VHjoZilo78198JAdRuid5lQ==";
    const ARGON2I: &str = "$argon2i$v=19$m=64,t=2,p=1$c29tZXNhbHRzb21lc2FsdA$AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA";

    #[test]
    fn the_published_example_of_firebase_fits() {
        let config = PasswordConfig::default();
        assert_eq!(verify(&config, b"user1password", FIREBASE), Some(true));
        assert_eq!(verify(&config, b"user1passwore", FIREBASE), Some(false));
        assert_eq!(verify(&config, b"user1password", "$argon2id$v=19$"), None);
    }

    #[test]
    fn what_can_be_compared_may_be_imported() {
        let config = PasswordConfig::default();
        let bcrypt = "$2a$06$If6bvum7DFjUnE9p2uDeDu0YHzrHM6tf.iqN8.yx.jNN1ILEf7h0i";
        for hash in [FIREBASE, bcrypt, ARGON2I] {
            assert!(check(&config, hash).is_ok(), "{hash}");
        }
        let (costly, cut) = (bcrypt.replace("$06$", "$15$"), &bcrypt[..59]);
        let large = ARGON2I.replace("m=64", "m=4194304");
        let (long, wide) = (ARGON2I.replace("t=2", "t=1000"), FIREBASE.replace("n=14", "n=30"));
        let (version, odd) = (FIREBASE.replace("v=1,", "v=2,"), FIREBASE.replace("sk=j", "sk="));
        for hash in
            ["", "plain", "$fbscrypt$", "$argon2id$", cut, &costly, &large, &long, &wide, &version, &odd, "$scrypt$ln=1,r=8,p=1$aaaa$bbbb"]
        {
            assert_eq!(check(&config, hash).unwrap_err().code(), "validation_failed", "{hash}");
            assert_ne!(verify(&config, b"", hash), Some(true));
        }
    }
}
