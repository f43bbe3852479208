//! What stands in a request of ACME: header, payload and signature, looked at as RFC 8555 demands of a directory (section 6.2).

use aws_lc_rs::digest::{SHA256, digest};
use aws_lc_rs::hmac;
use aws_lc_rs::signature::{ECDSA_P256_SHA256_FIXED, UnparsedPublicKey};
use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use serde_json::{Value, json};

/// Who signed.
pub(super) enum Signer {
    /// A key that stands in the request.
    Key(Key),
    /// An account.
    Account(String),
}

/// A public key on P-256.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(super) struct Key {
    x: String,
    y: String,
}

/// A request whose signature is still to be looked at.
pub(super) struct Jws {
    pub(super) signer: Signer,
    pub(super) nonce: String,
    pub(super) url: String,
    /// None where the payload is empty: a request to read.
    pub(super) payload: Option<Value>,
    signed: String,
    signature: Vec<u8>,
}

fn decoded(value: &Value) -> Vec<u8> {
    URL_SAFE_NO_PAD.decode(value.as_str().unwrap()).unwrap()
}

fn text(value: &Value) -> String {
    value.as_str().unwrap_or_else(|| panic!("{value} is no text")).to_owned()
}

impl Key {
    fn read(jwk: &Value) -> Self {
        assert_eq!((&jwk["kty"], &jwk["crv"]), (&json!("EC"), &json!("P-256")));
        assert!(jwk.get("d").is_none(), "the private part was sent");
        Self { x: text(&jwk["x"]), y: text(&jwk["y"]) }
    }

    /// Returns the thumbprint of RFC 7638.
    pub(super) fn thumbprint(&self) -> String {
        let Self { x, y } = self;
        let canonical = format!(r#"{{"crv":"P-256","kty":"EC","x":"{x}","y":"{y}"}}"#);
        URL_SAFE_NO_PAD.encode(digest(&SHA256, canonical.as_bytes()))
    }
}

impl Jws {
    pub(super) fn read(body: &[u8]) -> Self {
        let body: Value = serde_json::from_slice(body).unwrap();
        let protected: Value = serde_json::from_slice(&decoded(&body["protected"])).unwrap();
        assert_eq!(protected["alg"], "ES256");
        let signer = match (protected.get("jwk"), protected.get("kid")) {
            (Some(jwk), None) => Signer::Key(Key::read(jwk)),
            (None, Some(kid)) => Signer::Account(text(kid)),
            _ => panic!("one of jwk and kid is to be there: {protected}"),
        };
        let payload = decoded(&body["payload"]);
        Self {
            signer,
            nonce: text(&protected["nonce"]),
            url: text(&protected["url"]),
            payload: (!payload.is_empty()).then(|| serde_json::from_slice(&payload).unwrap()),
            signed: format!("{}.{}", text(&body["protected"]), text(&body["payload"])),
            signature: decoded(&body["signature"]),
        }
    }

    /// Tells whether this key signed it.
    pub(super) fn is_of(&self, key: &Key) -> bool {
        let part = |part: &str| URL_SAFE_NO_PAD.decode(part).unwrap();
        let point = [vec![4], part(&key.x), part(&key.y)].concat();
        UnparsedPublicKey::new(&ECDSA_P256_SHA256_FIXED, point).verify(self.signed.as_bytes(), &self.signature).is_ok()
    }
}

/// Looks at the binding to an account elsewhere (section 7.3.4): signed with the key of that account, of the account's own key.
pub(super) fn is_bound(binding: &Value, (id, secret): (&str, &[u8]), url: &str, key: &Key) -> bool {
    let protected: Value = serde_json::from_slice(&decoded(&binding["protected"])).unwrap();
    let jwk: Value = serde_json::from_slice(&decoded(&binding["payload"])).unwrap();
    let signed = format!("{}.{}", text(&binding["protected"]), text(&binding["payload"]));
    let secret = hmac::Key::new(hmac::HMAC_SHA256, secret);
    hmac::verify(&secret, signed.as_bytes(), &decoded(&binding["signature"])).is_ok()
        && protected == json!({ "alg": "HS256", "kid": id, "url": url })
        && Key::read(&jwk) == *key
}
