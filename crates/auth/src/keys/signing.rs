//! One ES256 key: the private half signs, the public half is shown to everybody.
//!
//! Invariant: the private half leaves this file only towards the key file, never through `Debug`. The id is the RFC 7638
//! thumbprint, so that two keys never share one.

use std::fmt;

use aws_lc_rs::digest;
use aws_lc_rs::signature::{ECDSA_P256_SHA256_FIXED_SIGNING, EcdsaKeyPair, KeyPair};
use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use jsonwebtoken::{Algorithm, DecodingKey, EncodingKey, Header};
use kernel::Secret;
use serde_json::{Map, Value, json};

use super::KeyFault;

/// The public half: verifies, and is listed in the JWKS.
#[derive(Clone)]
pub struct PublicKey {
    kid: String,
    x: String,
    y: String,
    decoding: DecodingKey,
}

/// Both halves.
#[derive(Clone)]
pub struct SigningKey {
    public: PublicKey,
    pkcs8: Secret<Vec<u8>>,
    encoding: EncodingKey,
}

impl PublicKey {
    /// Takes a public key by its coordinates, base64url as in a JWK.
    pub(super) fn from_coordinates(x: String, y: String) -> Result<Self, KeyFault> {
        let decoding = DecodingKey::from_ec_components(&x, &y).map_err(KeyFault::invalid)?;
        let canonical = format!(r#"{{"crv":"P-256","kty":"EC","x":"{x}","y":"{y}"}}"#);
        let kid = URL_SAFE_NO_PAD.encode(digest::digest(&digest::SHA256, canonical.as_bytes()));
        Ok(Self { kid, x, y, decoding })
    }

    /// Returns the key's id, as the header `kid` of a token names it.
    pub fn kid(&self) -> &str {
        &self.kid
    }

    /// Returns the key as the JWKS shows it.
    pub fn jwk(&self) -> Value {
        json!({
            "kty": "EC", "crv": "P-256", "alg": "ES256", "use": "sig", "key_ops": ["verify"],
            "kid": self.kid, "x": self.x, "y": self.y,
        })
    }

    pub(crate) fn decoding(&self) -> &DecodingKey {
        &self.decoding
    }

    pub(super) fn coordinates(&self) -> (&str, &str) {
        (&self.x, &self.y)
    }
}

impl SigningKey {
    /// Makes a new key.
    pub(super) fn generate() -> Result<Self, KeyFault> {
        let pair = EcdsaKeyPair::generate(&ECDSA_P256_SHA256_FIXED_SIGNING).map_err(KeyFault::invalid)?;
        let document = pair.to_pkcs8v1().map_err(KeyFault::invalid)?;
        Self::from_pkcs8(document.as_ref())
    }

    /// Reads a key from its PKCS#8 form.
    pub(super) fn from_pkcs8(pkcs8: &[u8]) -> Result<Self, KeyFault> {
        let pair = EcdsaKeyPair::from_pkcs8(&ECDSA_P256_SHA256_FIXED_SIGNING, pkcs8).map_err(KeyFault::invalid)?;
        // An uncompressed point: the byte 4, then both coordinates.
        let point = pair.public_key().as_ref();
        let (Some(x), Some(y)) = (point.get(1..33), point.get(33..65)) else {
            return Err(KeyFault::invalid("the public key is not a point of P-256"));
        };
        Ok(Self {
            public: PublicKey::from_coordinates(URL_SAFE_NO_PAD.encode(x), URL_SAFE_NO_PAD.encode(y))?,
            pkcs8: Secret::new(pkcs8.to_vec()),
            encoding: EncodingKey::from_ec_der(pkcs8),
        })
    }

    /// Returns the public half.
    pub fn public(&self) -> &PublicKey {
        &self.public
    }

    /// Signs claims as a compact JWT with this key's id in the header.
    pub(crate) fn sign(&self, claims: &Map<String, Value>) -> Result<String, KeyFault> {
        let header = Header { kid: Some(self.public.kid.clone()), ..Header::new(Algorithm::ES256) };
        jsonwebtoken::encode(&header, claims, &self.encoding).map_err(KeyFault::invalid)
    }

    pub(super) fn pkcs8(&self) -> &Secret<Vec<u8>> {
        &self.pkcs8
    }
}

impl fmt::Debug for PublicKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("PublicKey").field("kid", &self.kid).finish_non_exhaustive()
    }
}

impl fmt::Debug for SigningKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("SigningKey").field("kid", &self.public.kid).finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_id_is_the_thumbprint_of_the_standard() {
        // Computed apart from this code, by jsonwebtoken's own JWK type.
        let key = SigningKey::generate().unwrap();
        let jwk = jsonwebtoken::jwk::Jwk::from_encoding_key(&key.encoding, Algorithm::ES256).unwrap();
        assert_eq!(jwk.thumbprint(jsonwebtoken::jwk::ThumbprintHash::SHA256), key.public.kid);
    }

    #[test]
    fn a_key_survives_its_file_form() {
        let key = SigningKey::generate().unwrap();
        let again = SigningKey::from_pkcs8(key.pkcs8.expose()).unwrap();
        assert_eq!(again.public.kid, key.public.kid);
        assert!(SigningKey::from_pkcs8(b"nonsense").is_err());
    }
}
