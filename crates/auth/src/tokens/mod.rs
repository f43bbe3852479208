//! Tokens: which are believed, and for how long that is remembered.
//!
//! Invariant: the algorithm follows from the key and never from the token: a key of the ring verifies ES256 alone, one of the operator's
//! file its own algorithm alone, the shared secret HS256 alone, and nothing in a token's header can bring a key along.

pub(crate) mod claims;
mod error;
pub(crate) mod strict_json;

use std::sync::Arc;
use std::time::{Duration, Instant};

use aws_lc_rs::digest;
use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use jsonwebtoken::{Algorithm, DecodingKey};
use kernel::Secret;
use moka::Expiry;
use moka::future::Cache;

use claims::{Expectation, Signer};

pub(crate) use claims::AUDIENCE;
pub use claims::Verified;
pub use error::TokenError;

use crate::keys::KeyRing;

/// No token is remembered longer, also when it never expires.
const REMEMBERED_SECONDS_MAX: i64 = 3600;
const KID_BYTES_MAX: usize = 128;

/// Verifies tokens and remembers those that were good.
pub(crate) struct Verifier {
    issuer: String,
    audiences: Vec<String>,
    shared_secret: Option<DecodingKey>,
    token_bytes_max: usize,
    remembered: Cache<[u8; 32], Arc<Verified>>,
}

/// How a [`Verifier`] is set up.
pub(crate) struct VerifierOptions<'a> {
    pub(crate) issuer: String,
    pub(crate) audiences: Vec<String>,
    pub(crate) shared_secret: Option<&'a Secret<String>>,
    pub(crate) token_bytes_max: usize,
    pub(crate) cache_bytes_max: u64,
}

/// The key ring as the verifier sees it. The generation is part of what is remembered: when keys change, nothing that the old
/// ones vouched for is remembered any more, also not by a verification under way.
#[derive(Debug)]
pub(crate) struct Keys {
    pub(crate) ring: KeyRing,
    pub(crate) generation: u64,
}

impl Verifier {
    pub(crate) fn new(options: VerifierOptions<'_>) -> Self {
        // The claims, the key, and what the cache itself needs for an entry.
        let weight = |_: &[u8; 32], verified: &Arc<Verified>| u32::try_from(verified.claims.len() + 256).unwrap_or(u32::MAX);
        Self {
            issuer: options.issuer,
            audiences: options.audiences,
            shared_secret: options.shared_secret.map(|secret| DecodingKey::from_secret(secret.expose().as_bytes())),
            token_bytes_max: options.token_bytes_max,
            remembered: Cache::builder().max_capacity(options.cache_bytes_max).weigher(weight).expire_after(RememberedFor).build(),
        }
    }

    /// Returns what a token says, or why it is refused.
    pub(crate) async fn verify(&self, keys: &Keys, token: &str, now_seconds: i64) -> Result<Arc<Verified>, TokenError> {
        if token.len() > self.token_bytes_max {
            return Err(TokenError::TooLarge);
        }
        let fingerprint = fingerprint(keys.generation, token);
        if let Some(verified) = self.remembered.get(&fingerprint).await {
            verified.check_time(now_seconds)?;
            return Ok(verified);
        }
        let verified = Arc::new(self.verify_afresh(&keys.ring, token, now_seconds)?);
        self.remembered.insert(fingerprint, Arc::clone(&verified)).await;
        Ok(verified)
    }

    fn verify_afresh(&self, ring: &KeyRing, token: &str, now_seconds: i64) -> Result<Verified, TokenError> {
        let parts: Vec<&str> = token.split('.').take(4).collect();
        let [header, payload, signature] = parts[..] else { return Err(TokenError::Parts(token.split('.').count())) };
        let Chosen { key, algorithm, signer } = self.key_for(ring, header)?;
        // Both parts stand together in the token, with one dot between them.
        let message = token.get(..header.len() + 1 + payload.len()).ok_or(TokenError::Header)?;
        let genuine = jsonwebtoken::crypto::verify(signature, message.as_bytes(), key, algorithm);
        if !genuine.unwrap_or(false) {
            return Err(TokenError::Signature);
        }
        let claims = URL_SAFE_NO_PAD.decode(payload).ok().and_then(|bytes| strict_json::object(&bytes));
        let expected = Expectation { now_seconds, issuer: &self.issuer, audiences: &self.audiences, signer };
        Verified::from_claims(&claims.ok_or(TokenError::Claims)?, &expected)
    }

    /// Chooses the key by `alg` and `kid`. Whatever else the header says (`jku`, `jwk`, `x5u`) is not looked at, and an extension
    /// that must be understood is refused.
    fn key_for<'a>(&'a self, ring: &'a KeyRing, header: &str) -> Result<Chosen<'a>, TokenError> {
        let header = URL_SAFE_NO_PAD.decode(header).ok().and_then(|bytes| strict_json::object(&bytes)).ok_or(TokenError::Header)?;
        if header.contains_key("crit") {
            return Err(TokenError::Header);
        }
        let kid = match header.get("kid") {
            None => None,
            Some(kid) => Some(kid.as_str().filter(|kid| kid.len() <= KID_BYTES_MAX).ok_or(TokenError::Header)?),
        };
        let alg = header.get("alg").and_then(|alg| alg.as_str());
        if let Some(key) = kid.and_then(|kid| ring.configured_key(kid)) {
            let signer = if key.is_own { Signer::Configured } else { Signer::Anybody };
            let (key, algorithm) = (&key.decoding, key.algorithm);
            let is_meant = alg.and_then(|alg| alg.parse().ok()) == Some(algorithm);
            return if is_meant { Ok(Chosen { key, algorithm, signer }) } else { Err(TokenError::Algorithm) };
        }
        let own = kid.and_then(|kid| ring.public_key(kid));
        match (alg, own) {
            (Some("ES256"), Some(key)) => Ok(Chosen { key: key.decoding(), algorithm: Algorithm::ES256, signer: Signer::Ring }),
            // RS256 has only a key of the operator's file, and this id is none of those.
            (Some("RS256" | "ES256"), None) => Err(TokenError::UnknownKey),
            // The id of one of our public keys with HS256 is the attempt to use that key as a secret.
            (Some("HS256"), None) => {
                let key = self.shared_secret.as_ref().ok_or(TokenError::UnknownKey)?;
                Ok(Chosen { key, algorithm: Algorithm::HS256, signer: Signer::Anybody })
            }
            _ => Err(TokenError::Algorithm),
        }
    }
}

/// What a token is verified with.
struct Chosen<'a> {
    key: &'a DecodingKey,
    algorithm: Algorithm,
    signer: Signer,
}

/// Returns by what a token is remembered: never the token itself.
pub(crate) fn fingerprint(generation: u64, token: &str) -> [u8; 32] {
    let mut context = digest::Context::new(&digest::SHA256);
    context.update(&generation.to_be_bytes());
    context.update(token.as_bytes());
    let mut fingerprint = [0; 32];
    fingerprint.copy_from_slice(context.finish().as_ref());
    fingerprint
}

/// Forgets unused entries. That a token has expired is seen at its use, by our own clock.
struct RememberedFor;

impl Expiry<[u8; 32], Arc<Verified>> for RememberedFor {
    fn expire_after_create(&self, _: &[u8; 32], _: &Arc<Verified>, _: Instant) -> Option<Duration> {
        Some(Duration::from_secs(REMEMBERED_SECONDS_MAX.unsigned_abs()))
    }
}

#[cfg(test)]
mod tests;
