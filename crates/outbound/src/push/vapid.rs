//! By what push services know this installation: RFC 8292.
//!
//! Invariant: the private part is made here, sealed by whoever keeps it, and never printed.

use aws_lc_rs::rand::SystemRandom;
use aws_lc_rs::signature::{ECDSA_P256_SHA256_FIXED_SIGNING, EcdsaKeyPair, KeyPair};
use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use jiff::Timestamp;
use kernel::{Error, Result, Secret};
use serde_json::json;
use url::Url;

/// For how long what is shown is good; a day is the longest that is taken.
const GOOD_SECONDS: i64 = 12 * 3600;

/// The key of an installation.
pub struct VapidKey {
    pair: EcdsaKeyPair,
    public: String,
}

impl VapidKey {
    /// Makes one; returns it as it is kept.
    pub fn generate() -> Result<Secret<Vec<u8>>> {
        let made = EcdsaKeyPair::generate_pkcs8(&ECDSA_P256_SHA256_FIXED_SIGNING, &SystemRandom::new()).map_err(Error::internal)?;
        Ok(Secret::new(made.as_ref().to_vec()))
    }

    /// Takes one as it was kept.
    pub fn open(kept: &Secret<Vec<u8>>) -> Result<Self> {
        let pair = EcdsaKeyPair::from_pkcs8(&ECDSA_P256_SHA256_FIXED_SIGNING, kept.expose());
        let pair = pair.map_err(|_secret| Error::internal("the key for push services cannot be read"))?;
        let public = URL_SAFE_NO_PAD.encode(pair.public_key().as_ref());
        Ok(Self { pair, public })
    }

    /// Returns what a browser is given as `applicationServerKey`.
    pub fn public(&self) -> &str {
        &self.public
    }

    /// Returns what the push service of an address is shown.
    pub(crate) fn authorization(&self, address: &Url, subject: &str, now: Timestamp) -> std::result::Result<String, String> {
        let claims = json!({ "aud": address.origin().ascii_serialization(), "exp": now.as_second() + GOOD_SECONDS, "sub": subject });
        let part = |text: &str| URL_SAFE_NO_PAD.encode(text);
        let signed = format!("{}.{}", part(r#"{"typ":"JWT","alg":"ES256"}"#), part(&claims.to_string()));
        let signature = self.pair.sign(&SystemRandom::new(), signed.as_bytes()).map_err(|error| error.to_string())?;
        Ok(format!("vapid t={signed}.{}, k={}", URL_SAFE_NO_PAD.encode(signature.as_ref()), self.public))
    }
}

impl std::fmt::Debug for VapidKey {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("VapidKey").field("public", &self.public).finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests {
    use aws_lc_rs::signature::{ECDSA_P256_SHA256_FIXED, UnparsedPublicKey};
    use serde_json::Value;

    use super::*;

    #[test]
    fn what_is_shown_is_signed_for_the_origin_of_the_address() {
        let kept = VapidKey::generate().unwrap();
        let key = VapidKey::open(&kept).unwrap();
        assert_eq!(key.public(), VapidKey::open(&kept).unwrap().public());
        assert_eq!(key.public().len(), 87);
        let address = Url::parse("https://push.example.net:8443/send/abc?x=1").unwrap();
        let shown = key.authorization(&address, "mailto:ops@example.com", Timestamp::from_second(1_000_000).unwrap()).unwrap();
        let (token, public) = shown.strip_prefix("vapid t=").unwrap().split_once(", k=").unwrap();
        assert_eq!(public, key.public());
        let (signed, signature) = token.rsplit_once('.').unwrap();
        let bytes = |text: &str| URL_SAFE_NO_PAD.decode(text).unwrap();
        UnparsedPublicKey::new(&ECDSA_P256_SHA256_FIXED, bytes(public)).verify(signed.as_bytes(), &bytes(signature)).unwrap();
        let claims: Value = serde_json::from_slice(&bytes(signed.split_once('.').unwrap().1)).unwrap();
        assert_eq!(claims, json!({ "aud": "https://push.example.net:8443", "exp": 1_043_200, "sub": "mailto:ops@example.com" }));
        assert!(VapidKey::open(&Secret::new(vec![1, 2, 3])).is_err());
    }
}
