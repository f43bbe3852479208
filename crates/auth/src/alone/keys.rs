//! What signatures are checked with: a shared secret, a key (JWK), or a set of keys (JWKS).
//!
//! Invariant: the algorithm follows from the key and never from the token: a key verifies the algorithms of its kind, and where it names
//! one, that one alone; nothing in a token's header can bring a key along.

use aws_lc_rs::signature::{ECDSA_P521_SHA512_FIXED, UnparsedPublicKey};
use base64::Engine;
use base64::engine::general_purpose::{STANDARD, URL_SAFE_NO_PAD};
use jsonwebtoken::jwk::{AlgorithmParameters, EllipticCurve, Jwk, KeyAlgorithm, PublicKeyUse};
use jsonwebtoken::{Algorithm, DecodingKey};
use serde_json::{Map, Value};

use super::JwtError;
use crate::tokens::strict_json;

/// The shortest shared secret.
const SECRET_BYTES_MIN: usize = 32;
/// Keys that are read of a set that somebody else publishes.
const PUBLISHED_MAX: usize = 100;
const ES512: &str = "ES512";
/// Bytes of a coordinate on its curve.
const P521_BYTES: usize = 66;
const SHARED: &[Algorithm] = &[Algorithm::HS256, Algorithm::HS384, Algorithm::HS512];
const RSA: &[Algorithm] = &[Algorithm::RS256, Algorithm::RS384, Algorithm::RS512, Algorithm::PS256, Algorithm::PS384, Algorithm::PS512];

/// Why a secret cannot be used.
#[derive(Clone, Copy, PartialEq, Eq, Debug, thiserror::Error)]
pub enum SecretError {
    /// Too short to be guessed at.
    #[error("The JWT secret must be at least 32 characters long.")]
    TooShort,
    /// Meant to be base64.
    #[error("The JWT secret is not base64, as jwt-secret-is-base64 says it is")]
    NotBase64,
    /// JSON without a key that can check a signature.
    #[error(
        "The JWT secret is JSON, and no key in it can check a signature: allowed are oct, RSA, EC (P-256, P-384, P-521) and OKP (Ed25519)"
    )]
    NoKey,
}

/// Keys. Their secrets are shown nowhere.
#[derive(Clone)]
pub struct KeySet {
    keys: Vec<Key>,
}

#[derive(Clone)]
struct Key {
    id: Named,
    check: Check,
}

/// How a key checks signatures.
#[derive(Clone)]
enum Check {
    /// By one of these algorithms.
    Usual(Vec<Algorithm>, DecodingKey),
    /// By ES512, which the library does not know: a point of the curve.
    P521(Vec<u8>),
}

/// How a token says that it is signed.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Signed {
    Usual(Algorithm),
    Es512,
}

/// Which tokens a key is tried for.
#[derive(Clone, PartialEq, Eq)]
enum Named {
    /// A plain secret can have no name: those of any name.
    Anyhow,
    /// Those that name no key.
    Not,
    /// Those that name this one, or none.
    As(String),
}

impl KeySet {
    /// Reads what the operator configured: JSON of a key or of a set of keys, otherwise a secret.
    pub fn read(text: &str, is_base64: bool) -> Result<Self, SecretError> {
        let bytes = if is_base64 { from_base64(text).ok_or(SecretError::NotBase64)? } else { text.as_bytes().to_vec() };
        if let Ok(Value::Object(json)) = serde_json::from_slice::<Value>(&bytes) {
            let listed = match json.get("keys") {
                Some(Value::Array(listed)) => listed.clone(),
                _ => vec![Value::Object(json)],
            };
            let keys: Vec<Key> = listed.into_iter().filter_map(Key::of_json).collect();
            return if keys.is_empty() { Err(SecretError::NoKey) } else { Ok(Self { keys }) };
        }
        if bytes.len() < SECRET_BYTES_MIN {
            return Err(SecretError::TooShort);
        }
        Ok(Self { keys: vec![Key { id: Named::Anyhow, check: Check::Usual(SHARED.to_vec(), DecodingKey::from_secret(&bytes)) }] })
    }

    /// Reads the keys that a provider publishes: no secrets, and not without end. Nothing if there is none that can check a signature.
    pub(crate) fn published(json: &Value) -> Option<Self> {
        let listed = json.get("keys")?.as_array()?.iter().take(PUBLISHED_MAX);
        let public = listed.filter(|key| key.get("kty").and_then(Value::as_str) != Some("oct"));
        let keys: Vec<Key> = public.cloned().filter_map(Key::of_json).collect();
        (!keys.is_empty()).then_some(Self { keys })
    }

    /// Returns the claims of a token that one of the keys signed.
    pub(crate) fn open(&self, token: &str) -> Result<Map<String, Value>, JwtError> {
        if token.is_empty() {
            return Err(JwtError::Empty);
        }
        let parts: Vec<&str> = token.split('.').collect();
        let [header, payload, signature] = parts[..] else { return Err(JwtError::Parts(parts.len())) };
        let head = URL_SAFE_NO_PAD.decode(header).map_err(|_not_base64| JwtError::Crypto)?;
        let head = strict_json::object(&head).ok_or(JwtError::Header)?;
        let algorithm = match head.get("alg").and_then(Value::as_str) {
            Some("none") => return Err(JwtError::Unsigned),
            // An extension that must be understood is not.
            Some(_) if head.contains_key("crit") => return Err(JwtError::Header),
            Some(ES512) => Signed::Es512,
            Some(name) => Signed::Usual(name.parse().map_err(|_unknown| JwtError::Header)?),
            None => return Err(JwtError::Header),
        };
        let id = head.get("kid").map(|id| id.as_str().ok_or(JwtError::Header)).transpose()?;
        let mut fitting = self.keys.iter().filter(|key| key.fits(id, algorithm)).peekable();
        if fitting.peek().is_none() {
            return Err(JwtError::NO_KEY);
        }
        // Both parts stand together in the token, with one dot between them.
        let message = token.get(..header.len() + 1 + payload.len()).ok_or(JwtError::Crypto)?;
        if !fitting.any(|key| key.verifies(message, signature, algorithm)) {
            return Err(JwtError::WRONG_KEY);
        }
        let claims = URL_SAFE_NO_PAD.decode(payload).map_err(|_not_base64| JwtError::Crypto)?;
        strict_json::object(&claims).ok_or(JwtError::Claims)
    }
}

impl std::fmt::Debug for KeySet {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("KeySet").field("keys", &self.keys.len()).finish()
    }
}

impl Key {
    /// Returns a key that can check signatures; nothing for one of another kind.
    fn of_json(json: Value) -> Option<Self> {
        if json.get("crv").and_then(Value::as_str) == Some("P-521") {
            return Self::of_p521(&json);
        }
        let jwk: Jwk = serde_json::from_value(json).ok()?;
        if jwk.common.public_key_use == Some(PublicKeyUse::Encryption) {
            return None;
        }
        let mut algorithms: Vec<Algorithm> = match &jwk.algorithm {
            AlgorithmParameters::OctetKey(_) => SHARED.to_vec(),
            AlgorithmParameters::RSA(_) => RSA.to_vec(),
            AlgorithmParameters::EllipticCurve(curve) => match curve.curve {
                EllipticCurve::P256 => vec![Algorithm::ES256],
                EllipticCurve::P384 => vec![Algorithm::ES384],
                EllipticCurve::P521 | EllipticCurve::Ed25519 => return None,
            },
            AlgorithmParameters::OctetKeyPair(pair) if pair.curve == EllipticCurve::Ed25519 => vec![Algorithm::EdDSA],
            AlgorithmParameters::OctetKeyPair(_) => return None,
        };
        if let Some(only) = jwk.common.key_algorithm {
            algorithms.retain(|algorithm| is_same(only, *algorithm));
        }
        let id = jwk.common.key_id.clone().map_or(Named::Not, Named::As);
        (!algorithms.is_empty()).then_some(())?;
        Some(Self { id, check: Check::Usual(algorithms, DecodingKey::from_jwk(&jwk).ok()?) })
    }

    fn of_p521(json: &Value) -> Option<Self> {
        let text = |name: &str| json.get(name).and_then(Value::as_str);
        let is_for_this = text("kty") == Some("EC") && text("use") != Some("enc") && text("alg").is_none_or(|only| only == ES512);
        let coordinate = |name: &str| URL_SAFE_NO_PAD.decode(text(name)?).ok().filter(|bytes| bytes.len() == P521_BYTES);
        let (x, y) = (coordinate("x").filter(|_| is_for_this)?, coordinate("y")?);
        // As it stands in certificates: not compressed.
        let point = [vec![4], x, y].concat();
        Some(Self { id: text("kid").map_or(Named::Not, |id| Named::As(id.to_owned())), check: Check::P521(point) })
    }

    fn verifies(&self, message: &str, signature: &str, algorithm: Signed) -> bool {
        match (&self.check, algorithm) {
            (Check::Usual(_, key), Signed::Usual(algorithm)) => {
                jsonwebtoken::crypto::verify(signature, message.as_bytes(), key, algorithm).unwrap_or(false)
            }
            (Check::P521(point), Signed::Es512) => URL_SAFE_NO_PAD.decode(signature).is_ok_and(|signature| {
                UnparsedPublicKey::new(&ECDSA_P521_SHA512_FIXED, point).verify(message.as_bytes(), &signature).is_ok()
            }),
            _ => false,
        }
    }

    fn fits(&self, id: Option<&str>, algorithm: Signed) -> bool {
        let is_meant = match (id, &self.id) {
            (None, _) | (Some(_), Named::Anyhow) => true,
            (Some(_), Named::Not) => false,
            (Some(id), Named::As(own)) => id == own,
        };
        is_meant
            && match (&self.check, algorithm) {
                (Check::Usual(algorithms, _), Signed::Usual(algorithm)) => algorithms.contains(&algorithm),
                (Check::P521(_), Signed::Es512) => true,
                _ => false,
            }
    }
}

fn is_same(named: KeyAlgorithm, algorithm: Algorithm) -> bool {
    named.to_string() == format!("{algorithm:?}")
}

/// Reads base64 in either alphabet, as programs for tokens write it.
fn from_base64(text: &str) -> Option<Vec<u8>> {
    let usual: String = text
        .trim()
        .chars()
        .map(|c| {
            if c == '_' {
                '/'
            } else if c == '-' {
                '+'
            } else if c == '.' {
                '='
            } else {
                c
            }
        })
        .collect();
    let bare = usual.trim_end_matches('=');
    let padding = "=".repeat(bare.len().next_multiple_of(4).saturating_sub(bare.len()));
    STANDARD.decode(format!("{bare}{padding}")).ok()
}
