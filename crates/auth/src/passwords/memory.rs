//! The memory in which hashes of argon2 are computed, kept from one hash to the next while there are more.
//!
//! Invariant: what comes out is what comes out of fresh memory. Each page of fresh memory is asked of the kernel, which locks what all threads
//! of the process share; a storm of sign-ins has every other thread wait there for threads that make way to all. None is kept while nobody's
//! password is looked at.

use std::sync::{Mutex, PoisonError};

use argon2::password_hash::rand_core::OsRng;
use argon2::password_hash::{Output, ParamsString, PasswordHash, SaltString};
use argon2::{Algorithm, Argon2, Block, Params, Version};
use kernel::{Error, Result};

/// What is not in use just now.
#[derive(Default)]
pub(super) struct Memory(Mutex<Vec<Vec<Block>>>);

impl Memory {
    /// Hashes a password with a new salt.
    pub(super) fn hash(&self, params: Params, password: &[u8]) -> Result<String> {
        let salt = SaltString::generate(&mut OsRng);
        let (algorithm, version) = (Algorithm::Argon2id, Version::V0x13);
        let mut bytes = [0; 64];
        let decoded = salt.decode_b64(&mut bytes).map_err(Error::internal)?;
        let written = ParamsString::try_from(&params).map_err(Error::internal)?;
        let hash = self.compute(&Argon2::new(algorithm, version, params), password, decoded).map_err(Error::internal)?;
        let whole = PasswordHash {
            algorithm: algorithm.ident(),
            version: Some(version.into()),
            params: written,
            salt: Some(salt.as_salt()),
            hash: Some(hash),
        };
        Ok(whole.to_string())
    }

    /// Tells whether a password is the one of a hash, in the same time for any. What is no whole hash is nobody's.
    pub(super) fn fits(&self, password: &[u8], hash: &PasswordHash<'_>) -> bool {
        let compare = || -> argon2::password_hash::Result<bool> {
            let (Some(salt), Some(expected)) = (&hash.salt, &hash.hash) else { return Ok(false) };
            let (algorithm, params) = (Algorithm::try_from(hash.algorithm)?, Params::try_from(hash)?);
            // The first version named none.
            let version = hash.version.map(Version::try_from).transpose()?.unwrap_or(Version::V0x10);
            let mut bytes = [0; 64];
            Ok(self.compute(&Argon2::new(algorithm, version, params), password, salt.decode_b64(&mut bytes)?)? == *expected)
        };
        compare().unwrap_or(false)
    }

    /// Gives back what is kept.
    pub(super) fn give_back(&self) {
        let kept = std::mem::take(&mut *self.0.lock().unwrap_or_else(PoisonError::into_inner));
        drop(kept);
    }

    fn compute(&self, argon2: &Argon2<'_>, password: &[u8], salt: &[u8]) -> argon2::password_hash::Result<Output> {
        let kept = self.0.lock().unwrap_or_else(PoisonError::into_inner).pop();
        let (mut blocks, wanted) = (kept.unwrap_or_default(), argon2.params().block_count());
        if blocks.len() < wanted {
            blocks = vec![Block::default(); wanted];
        }
        let length = argon2.params().output_len().unwrap_or(Params::DEFAULT_OUTPUT_LEN);
        let output = Output::init_with(length, |out| {
            let place = blocks.get_mut(..wanted).unwrap_or_default();
            Ok(argon2.hash_password_into_with_memory(password, salt, out, place)?)
        });
        self.0.lock().unwrap_or_else(PoisonError::into_inner).push(blocks);
        output
    }
}

#[cfg(test)]
mod tests {
    use argon2::PasswordVerifier as _;

    use super::*;

    fn params(memory_kib: u32) -> Params {
        Params::new(memory_kib, 2, 1, None).unwrap()
    }

    #[test]
    fn used_memory_changes_no_hash() {
        let memory = Memory::default();
        for (kib, password) in [(64, "one"), (256, "two"), (64, "three"), (128, "four")] {
            let text = memory.hash(params(kib), password.as_bytes()).unwrap();
            assert!(text.starts_with(&format!("$argon2id$v=19$m={kib},t=2,p=1$")), "{text}");
            let hash = PasswordHash::new(&text).unwrap();
            assert!(Argon2::default().verify_password(password.as_bytes(), &hash).is_ok(), "{text}");
            assert!(memory.fits(password.as_bytes(), &hash) && !memory.fits(b"another", &hash), "{text}");
        }
        assert_eq!(memory.0.lock().unwrap().len(), 1);
        memory.give_back();
        assert!(memory.0.lock().unwrap().is_empty());
    }

    /// From the tests of the reference implementation of argon2: version 1.3, argon2i and argon2id, and version 1.0.
    #[test]
    fn what_others_hashed_is_recognized() {
        let memory = Memory::default();
        for hash in [
            "$argon2i$v=19$m=256,t=2,p=1$c29tZXNhbHQ$iekCn0Y3spW+sCcFanM2xBT63UP2sghkUoHLIUpWRS8",
            "$argon2id$v=19$m=256,t=2,p=1$c29tZXNhbHQ$nf65EOgLrQMR/uIPnA4rEsF5h7TKyQwu9U1bMCHGi/4",
            "$argon2i$m=256,t=2,p=1$c29tZXNhbHQ$/U3YPXYsSb3q9XxHvc0MLxur+GP960kN9j7emXX8zwY",
        ] {
            let parsed = PasswordHash::new(hash).unwrap();
            assert_eq!((memory.fits(b"password", &parsed), memory.fits(b"differentpassword", &parsed)), (true, false), "{hash}");
        }
        assert!(!memory.fits(b"password", &PasswordHash::new("$argon2id$v=19$m=256,t=2,p=1$c29tZXNhbHQ").unwrap()));
    }
}
