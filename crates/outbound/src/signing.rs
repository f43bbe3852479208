//! Signatures as Standard Webhooks 1.0.0 has them (<https://www.standardwebhooks.com>): HMAC-SHA256 over id, time and body.
//!
//! Invariant: what is signed are the bytes that are sent. A comparison takes as long whatever it compares.

use std::fmt;

use aws_lc_rs::hmac;
use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use http::header::{ACCEPT, CONTENT_TYPE};
use http::{HeaderMap, HeaderName, HeaderValue};
use kernel::{Error, Result, Secret};

/// What secrets begin with.
const PREFIX: &str = "whsec_";
/// Bytes of a secret that is made here.
const SECRET_BYTES: usize = 32;
/// Bytes that a secret may have.
const SECRET_BYTES_ALLOWED: std::ops::RangeInclusive<usize> = 24..=64;

/// What signs.
#[derive(Clone)]
pub struct SigningKey(hmac::Key);

impl SigningKey {
    /// Reads a secret: `whsec_` and base64 of 24 to 64 bytes, also with `v1,` before it.
    pub fn parse(secret: &str) -> Option<Self> {
        let encoded = secret.trim().strip_prefix("v1,").unwrap_or(secret.trim()).strip_prefix(PREFIX)?;
        let bytes = STANDARD.decode(encoded).ok().filter(|bytes| SECRET_BYTES_ALLOWED.contains(&bytes.len()))?;
        Some(Self(hmac::Key::new(hmac::HMAC_SHA256, &bytes)))
    }

    /// Makes a secret, as its receiver is told it.
    pub fn generate() -> Result<Secret<String>> {
        let mut bytes = [0_u8; SECRET_BYTES];
        aws_lc_rs::rand::fill(&mut bytes).map_err(Error::internal)?;
        Ok(Secret::new(format!("{PREFIX}{}", STANDARD.encode(bytes))))
    }

    /// Tells whether one of these signatures, which stand apart by spaces, is of this key.
    pub fn vouches(&self, signatures: &str, id: &str, timestamp: &str, body: &[u8]) -> bool {
        let message = message(id, timestamp, body);
        let mut given = signatures.split(' ').filter_map(|signature| STANDARD.decode(signature.strip_prefix("v1,")?).ok());
        given.any(|signature| hmac::verify(&self.0, &message, &signature).is_ok())
    }

    fn sign(&self, message: &[u8]) -> String {
        format!("v1,{}", STANDARD.encode(hmac::sign(&self.0, message)))
    }
}

impl fmt::Debug for SigningKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("SigningKey")
    }
}

/// Returns the headers of a signed call with JSON: a signature by each of the keys, so that one can be replaced.
pub fn signed_headers(id: &str, seconds: i64, body: &str, keys: &[SigningKey]) -> Result<HeaderMap> {
    let seconds = seconds.to_string();
    let message = message(id, &seconds, body.as_bytes());
    let signatures: Vec<String> = keys.iter().map(|key| key.sign(&message)).collect();
    let mut headers = HeaderMap::new();
    headers.insert(CONTENT_TYPE, HeaderValue::from_static("application/json"));
    headers.insert(ACCEPT, HeaderValue::from_static("application/json"));
    for (name, value) in [("webhook-id", id), ("webhook-timestamp", &seconds), ("webhook-signature", &signatures.join(" "))] {
        headers.insert(HeaderName::from_static(name), HeaderValue::from_str(value).map_err(Error::internal)?);
    }
    Ok(headers)
}

fn message(id: &str, timestamp: &str, body: &[u8]) -> Vec<u8> {
    [id.as_bytes(), b".", timestamp.as_bytes(), b".", body].concat()
}

#[cfg(test)]
mod tests {
    use super::*;

    const SECRET: &str = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw";
    const SIGNATURE: &str = "v1,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE=";
    const ID: &str = "msg_p5jXN8AQM9LWM0D4loKWxJek";
    const BODY: &str = r#"{"test": 2432232314}"#;

    #[test]
    fn a_call_is_signed_as_the_standard_has_it() {
        // The example that the standard's libraries are tested with.
        let headers = signed_headers(ID, 1_614_265_330, BODY, &[SigningKey::parse(SECRET).unwrap()]).unwrap();
        assert_eq!(headers["webhook-signature"], SIGNATURE);
        assert_eq!(headers["webhook-timestamp"], "1614265330");
        assert_eq!(headers["webhook-id"], ID);
        let two = [SECRET, "v1,whsec_c2VjcmV0LXRoYXQtaXMtbmV3LWVub3VnaA=="].map(|secret| SigningKey::parse(secret).unwrap());
        let both = signed_headers("m", 1, "{}", &two).unwrap();
        assert_eq!(both["webhook-signature"].to_str().unwrap().split(' ').count(), 2);
    }

    #[test]
    fn a_signature_is_of_one_key_and_one_message() {
        let key = SigningKey::parse(SECRET).unwrap();
        let holds = |signatures: &str, id: &str, at: &str, body: &str| key.vouches(signatures, id, at, body.as_bytes());
        assert!(holds(SIGNATURE, ID, "1614265330", BODY));
        assert!(holds(&format!("v1a,AAAA v1,AAAA {SIGNATURE}"), ID, "1614265330", BODY), "one of several");
        for (signatures, id, at, body) in [
            (SIGNATURE, "msg_other", "1614265330", BODY),
            (SIGNATURE, ID, "1614265331", BODY),
            (SIGNATURE, ID, "1614265330", "{\"test\":2432232314}"),
            (&SIGNATURE[3..], ID, "1614265330", BODY),
            ("v1,", ID, "1614265330", BODY),
            ("", ID, "1614265330", BODY),
        ] {
            assert!(!holds(signatures, id, at, body), "{signatures} {id} {at} {body}");
        }
        assert!(!SigningKey::parse(SigningKey::generate().unwrap().expose()).unwrap().vouches(
            SIGNATURE,
            ID,
            "1614265330",
            BODY.as_bytes()
        ));
    }

    #[test]
    fn a_secret_has_24_to_64_bytes() {
        for odd in ["whsec_c2hvcnQ=", "MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw", "whsec_***", "", &format!("whsec_{}", "A".repeat(88))] {
            assert!(SigningKey::parse(odd).is_none(), "{odd}");
        }
        let made = SigningKey::generate().unwrap();
        assert!(SigningKey::parse(made.expose()).is_some() && *made.expose() != *SigningKey::generate().unwrap().expose());
    }
}
