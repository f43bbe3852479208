//! Which bucket: what is counted and for whom, hashed.

use aws_lc_rs::{digest, rand};
use kernel::{Error, Result};

/// The name of a bucket.
pub type Key = [u8; 16];

/// What makes keys: their hash is made with a secret.
pub struct Keys([u8; 32]);

impl Keys {
    /// Makes keys that mean something in this process alone.
    pub fn of_this_process() -> Result<Self> {
        let mut secret = [0; 32];
        rand::fill(&mut secret).map_err(Error::internal)?;
        Ok(Self(secret))
    }

    /// Makes keys that are the same wherever this secret is known.
    pub fn shared(secret: [u8; 32]) -> Self {
        Self(secret)
    }

    /// Returns the key of what is counted, for these.
    pub fn key(&self, what: &str, whom: &[&[u8]]) -> Key {
        let mut context = digest::Context::new(&digest::SHA256);
        context.update(&self.0);
        for part in [what.as_bytes()].iter().chain(whom) {
            // With its length, so that no two lists of parts are one text.
            context.update(&part.len().to_be_bytes());
            context.update(part);
        }
        let mut key = [0; 16];
        key.iter_mut().zip(context.finish().as_ref()).for_each(|(byte, hashed)| *byte = *hashed);
        key
    }
}

impl std::fmt::Debug for Keys {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Keys")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn keys_differ_by_every_part_and_by_secret() {
        let keys = Keys::of_this_process().unwrap();
        assert_eq!(keys.key("a", &[b"bc", b"d"]), keys.key("a", &[b"bc", b"d"]));
        assert_ne!(keys.key("a", &[b"bc", b"d"]), keys.key("a", &[b"b", b"cd"]));
        assert_ne!(keys.key("a", &[b"b"]), keys.key("b", &[b"b"]));
        assert_ne!(keys.key("a", &[b"b"]), Keys::of_this_process().unwrap().key("a", &[b"b"]));
        assert_eq!(Keys::shared([7; 32]).key("a", &[b"b"]), Keys::shared([7; 32]).key("a", &[b"b"]));
        assert_ne!(Keys::shared([7; 32]).key("a", &[b"b"]), Keys::shared([8; 32]).key("a", &[b"b"]));
    }
}
