//! The keys of an installation: what signs tokens, what signed them before, what guards refresh tokens, what seals secrets at rest,
//! and the two API keys.
//!
//! Invariant: the ring is never without a signing key, and a token of a key that left the ring is refused. Private parts are
//! never printed and leave the process only into the key file (see [`store`]).

pub mod configured;
pub mod reseal;
mod sealing;
mod signing;
pub mod store;

use std::error::Error as StdError;
use std::fmt;
use std::sync::Arc;

use aws_lc_rs::hmac;
use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use jiff::Timestamp;
use kernel::Secret;
use serde_json::{Map, Value, json};
use subtle::ConstantTimeEq;

pub(crate) use configured::ConfiguredKey;
pub use configured::ConfiguredKeys;
use sealing::SealingKey;
pub use sealing::{
    CUSTOM_PROVIDER_SECRET, FACTOR_SECRET, FLOW_SECRETS, PUSH_SECRET, Place, S3_SECRET, SIGN_ON_SECRET, SUPPLIER_SECRET, WEBHOOK_SECRET,
};
pub use signing::{PublicKey, SigningKey};

/// Who issued the API keys. It does not change with the address of the server, so the keys outlive a move.
pub const KEY_ISSUER: &str = "thorbis";
const API_KEY_YEARS: i64 = 10;
const SECONDS_PER_YEAR: i64 = 31_556_952;

/// Everything that signs or is compared.
#[derive(Clone, Debug)]
pub struct KeyRing {
    current: SigningKey,
    /// What the operator's file has; signs in place of the current one.
    configured: Option<Arc<ConfiguredKeys>>,
    previous: Vec<PublicKey>,
    refresh: Vec<Secret<Vec<u8>>>,
    anon: ApiKey,
    service: ApiKey,
    previous_opaque: Vec<(KeyRole, Secret<String>)>,
    /// The first one seals, all of them open.
    sealing: Vec<SealingKey>,
}

/// One API key in its two forms; both mean the same.
#[derive(Clone, Debug)]
pub struct ApiKey {
    /// A signed token, which also works where only a token is understood.
    pub token: Secret<String>,
    /// The opaque form, `sb_publishable_…` or `sb_secret_…`.
    pub opaque: Secret<String>,
}

/// Whom an API key stands for.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum KeyRole {
    /// The public key.
    Anon,
    /// The key that may do everything.
    Service,
}

impl KeyRole {
    /// Returns the claim `role` of this key's tokens.
    pub fn name(self) -> &'static str {
        match self {
            Self::Anon => "anon",
            Self::Service => "service_role",
        }
    }

    fn opaque_prefix(self) -> &'static str {
        match self {
            Self::Anon => "sb_publishable_",
            Self::Service => "sb_secret_",
        }
    }
}

impl KeyRing {
    /// Makes a ring of new keys.
    pub fn generate(now: Timestamp) -> Result<Self, KeyFault> {
        let current = SigningKey::generate()?;
        Ok(Self {
            anon: ApiKey::generate(KeyRole::Anon, &current, now)?,
            service: ApiKey::generate(KeyRole::Service, &current, now)?,
            refresh: vec![Secret::new(random(32)?)],
            current,
            configured: None,
            previous: Vec::new(),
            previous_opaque: Vec::new(),
            sealing: vec![SealingKey::generate(now)?],
        })
    }

    /// Returns a ring with new keys. What the old ones signed is accepted until [`KeyRing::without_previous`].
    pub fn rotated(&self, now: Timestamp) -> Result<Self, KeyFault> {
        let mut next = Self::generate(now)?;
        next.previous.push(self.current.public().clone());
        next.previous.extend(self.previous.iter().cloned());
        next.refresh.extend(self.refresh.iter().cloned());
        next.previous_opaque.push((KeyRole::Anon, self.anon.opaque.clone()));
        next.previous_opaque.push((KeyRole::Service, self.service.opaque.clone()));
        next.previous_opaque.extend(self.previous_opaque.iter().cloned());
        next.sealing.extend(self.sealing.iter().cloned());
        Ok(next)
    }

    /// Returns the ring without the keys before the current ones: what they signed is refused from then on, so that everybody
    /// whose session was not refreshed since the rotation has to sign in again. What they sealed still opens.
    #[must_use]
    pub fn without_previous(mut self) -> Self {
        self.previous.clear();
        self.previous_opaque.clear();
        self.refresh.truncate(1);
        self
    }

    /// Returns the ring with the keys of the operator's file, which sign from then on. The API keys stay signed by the ring's own.
    pub fn with_configured(mut self, configured: Option<ConfiguredKeys>) -> Result<Self, KeyFault> {
        if self.public_keys().any(|key| configured.as_ref().is_some_and(|configured| configured.find(key.kid()).is_some())) {
            return Err(KeyFault::invalid("a kid of the signing-key file is that of a key made here"));
        }
        self.configured = configured.map(Arc::new);
        Ok(self)
    }

    /// Signs what a token says.
    pub(crate) fn sign(&self, claims: &Map<String, Value>) -> Result<String, KeyFault> {
        match &self.configured {
            Some(configured) => configured.sign(claims),
            None => self.current.sign(claims),
        }
    }

    /// Returns the algorithm that tokens are signed with.
    pub(crate) fn algorithm(&self) -> &'static str {
        self.configured.as_ref().map_or("ES256", |configured| configured.algorithm())
    }

    /// Signs what a program verifies that knows no secret of ours: by the key that other tokens are signed with, or, where that is a shared
    /// secret, by the key that was made here.
    pub(crate) fn sign_publicly(&self, claims: &Map<String, Value>) -> Result<String, KeyFault> {
        if self.algorithm() == self.public_algorithm() { self.sign(claims) } else { self.current.sign(claims) }
    }

    /// Returns the algorithm of [`KeyRing::sign_publicly`].
    pub(crate) fn public_algorithm(&self) -> &'static str {
        match self.algorithm() {
            "HS256" => "ES256",
            other => other,
        }
    }

    /// Returns the keys of the operator's file.
    pub fn configured(&self) -> Option<&ConfiguredKeys> {
        self.configured.as_deref()
    }

    /// Returns the key of the operator's file that has this id.
    pub(crate) fn configured_key(&self, kid: &str) -> Option<&ConfiguredKey> {
        self.configured.as_ref()?.find(kid)
    }

    /// Returns the key that signs where the operator has no file of his own.
    pub fn current(&self) -> &SigningKey {
        &self.current
    }

    /// Returns the public key of an id, if its tokens are still accepted.
    pub fn public_key(&self, kid: &str) -> Option<&PublicKey> {
        self.public_keys().find(|key| key.kid() == kid)
    }

    /// Returns the public API key.
    pub fn anon(&self) -> &ApiKey {
        &self.anon
    }

    /// Returns the service key.
    pub fn service(&self) -> &ApiKey {
        &self.service
    }

    /// Returns the JWKS document.
    pub fn jwks(&self) -> Value {
        let configured = self.configured.iter().flat_map(|configured| configured.published());
        json!({ "keys": configured.chain(self.public_keys().map(PublicKey::jwk)).collect::<Vec<_>>() })
    }

    /// Returns whom an opaque API key stands for. Every key of the ring is compared, in constant time.
    pub fn opaque_role(&self, key: &str) -> Option<KeyRole> {
        let current = [(KeyRole::Anon, &self.anon.opaque), (KeyRole::Service, &self.service.opaque)];
        let previous = self.previous_opaque.iter().map(|(role, opaque)| (*role, opaque));
        let mut found = None;
        for (role, opaque) in current.into_iter().chain(previous) {
            if bool::from(opaque.expose().as_bytes().ct_eq(key.as_bytes())) {
                found = Some(role);
            }
        }
        found
    }

    /// Returns the keys of refresh tokens, the current one first.
    pub(crate) fn refresh_keys(&self) -> impl Iterator<Item = &Secret<Vec<u8>>> {
        self.refresh.iter()
    }

    /// Returns a secret for one purpose that everybody has who has the current keys, and from which nobody finds them.
    pub fn derived(&self, purpose: &str) -> [u8; 32] {
        derive(self.refresh.first().map_or(&[][..], |key| key.expose()), purpose)
    }

    /// Returns such secrets of all keys that are still good, that of [`Self::derived`] first: what was made with one before a rotation can
    /// be checked after it.
    pub fn all_derived(&self, purpose: &str) -> Vec<[u8; 32]> {
        self.refresh.iter().map(|key| derive(key.expose(), purpose)).collect()
    }

    fn public_keys(&self) -> impl Iterator<Item = &PublicKey> {
        std::iter::once(self.current.public()).chain(&self.previous)
    }
}

impl ApiKey {
    fn generate(role: KeyRole, key: &SigningKey, now: Timestamp) -> Result<Self, KeyFault> {
        let issued_at = now.as_second();
        let claims: Map<String, Value> = [
            ("iss".to_owned(), json!(KEY_ISSUER)),
            ("role".to_owned(), json!(role.name())),
            ("iat".to_owned(), json!(issued_at)),
            ("exp".to_owned(), json!(issued_at + API_KEY_YEARS * SECONDS_PER_YEAR)),
        ]
        .into_iter()
        .collect();
        let opaque = format!("{}{}", role.opaque_prefix(), URL_SAFE_NO_PAD.encode(random(24)?));
        Ok(Self { token: Secret::new(key.sign(&claims)?), opaque: Secret::new(opaque) })
    }
}

/// Returns random bytes of the operating system's quality.
pub(crate) fn random(length: usize) -> Result<Vec<u8>, KeyFault> {
    let mut bytes = vec![0; length];
    aws_lc_rs::rand::fill(&mut bytes).map_err(KeyFault::invalid)?;
    Ok(bytes)
}

/// Why a key cannot be made, read or used. Says nothing of the key itself.
#[derive(Debug)]
pub struct KeyFault(Box<dyn StdError + Send + Sync>);

impl KeyFault {
    pub(crate) fn invalid(source: impl Into<Box<dyn StdError + Send + Sync>>) -> Self {
        Self(source.into())
    }
}

impl fmt::Display for KeyFault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "a key cannot be used: {}", self.0)
    }
}

impl StdError for KeyFault {
    fn source(&self) -> Option<&(dyn StdError + 'static)> {
        self.0.source()
    }
}

fn derive(key: &[u8], purpose: &str) -> [u8; 32] {
    let mut context = hmac::Context::with_key(&hmac::Key::new(hmac::HMAC_SHA256, key));
    context.update(b"thorbis derives: ");
    context.update(purpose.as_bytes());
    let tag = context.sign();
    let mut secret = [0; 32];
    secret.iter_mut().zip(tag.as_ref()).for_each(|(byte, derived)| *byte = *derived);
    secret
}

#[cfg(test)]
mod tests {
    use super::*;

    fn now() -> Timestamp {
        "2026-11-21T12:00:00Z".parse().unwrap()
    }

    #[test]
    fn a_rotation_keeps_what_was_until_it_is_revoked() {
        let first = KeyRing::generate(now()).unwrap();
        let second = first.rotated(now()).unwrap();
        let old_kid = first.current().public().kid();
        assert_ne!(second.current().public().kid(), old_kid);
        assert!(second.public_key(old_kid).is_some());
        assert_eq!(second.opaque_role(first.service().opaque.expose()), Some(KeyRole::Service));
        assert_eq!(second.opaque_role(second.anon().opaque.expose()), Some(KeyRole::Anon));
        assert_eq!(second.jwks()["keys"].as_array().unwrap().len(), 2);

        let third = second.without_previous();
        assert!(third.public_key(old_kid).is_none());
        assert_eq!(third.opaque_role(first.service().opaque.expose()), None);
        assert_eq!(third.refresh_keys().count(), 1);
    }

    #[test]
    fn nothing_private_is_printed_or_published() {
        let ring = KeyRing::generate(now()).unwrap().rotated(now()).unwrap();
        let printed = format!("{ring:?}");
        for secret in [&ring.service.token, &ring.service.opaque, &ring.anon.opaque] {
            assert!(!printed.contains(secret.expose().as_str()));
        }
        assert!(printed.contains("[redacted]"));
        for key in ring.jwks()["keys"].as_array().unwrap() {
            let mut members: Vec<_> = key.as_object().unwrap().keys().map(String::as_str).collect();
            members.sort_unstable();
            assert_eq!(members, ["alg", "crv", "key_ops", "kid", "kty", "use", "x", "y"]);
        }
    }

    #[test]
    fn the_api_keys_say_what_they_are() {
        let ring = KeyRing::generate(now()).unwrap();
        assert!(ring.anon().opaque.expose().starts_with("sb_publishable_"));
        assert!(ring.service().opaque.expose().starts_with("sb_secret_"));
        let payload = ring.service().token.expose().split('.').nth(1).unwrap().to_owned();
        let claims: Value = serde_json::from_slice(&URL_SAFE_NO_PAD.decode(payload).unwrap()).unwrap();
        assert_eq!(claims["role"], "service_role");
        assert_eq!(claims["iss"], "thorbis");
        assert_eq!(claims["iat"], 1_795_262_400);
        // Ten years of 365.2425 days later.
        assert_eq!(claims["exp"], 1_795_262_400_i64 + 315_569_520);
    }
}
