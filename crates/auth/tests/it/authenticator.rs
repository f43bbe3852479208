//! A device in software that makes keys and signs with them: as it should, or as the test bends it.

use aws_lc_rs::digest::{SHA256, digest};
use aws_lc_rs::rand::SystemRandom;
use aws_lc_rs::signature::{ECDSA_P256_SHA256_ASN1_SIGNING, EcdsaKeyPair, KeyPair};
use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD as BASE64;
use serde_json::{Value, json};

/// Somebody is there.
pub(crate) const PRESENT: u8 = 0x01;
/// The device knows who it is.
pub(crate) const VERIFIED: u8 = 0x04;
/// A key's public part follows.
const ATTESTED: u8 = 0x40;

/// What makes a device do something else than it should.
pub(crate) type Bend = fn(&mut Authenticator);

/// A device with one key.
pub(crate) struct Authenticator {
    pair: EcdsaKeyPair,
    pub(crate) id: Vec<u8>,
    /// The page that asks.
    pub(crate) origin: &'static str,
    /// The domain that is signed for; that of the options if none.
    pub(crate) domain: Option<&'static str>,
    pub(crate) flags: u8,
    pub(crate) counter: u32,
    /// Whose key it is, as the options said when it was made.
    pub(crate) handle: String,
}

impl Authenticator {
    pub(crate) fn new() -> Self {
        let pair = EcdsaKeyPair::generate(&ECDSA_P256_SHA256_ASN1_SIGNING).unwrap();
        let id = digest(&SHA256, pair.public_key().as_ref()).as_ref().to_vec();
        let flags = PRESENT | VERIFIED;
        Self { pair, id, origin: "http://localhost:3000", domain: None, flags, counter: 0, handle: String::new() }
    }

    /// Answers `navigator.credentials.create`.
    pub(crate) fn create(&mut self, options: &Value) -> Value {
        self.handle = text(&options["user"]["id"]);
        let mut data = self.data(&text(&options["rp"]["id"]), self.flags | ATTESTED);
        data.extend([0; 16]);
        data.extend(u16::try_from(self.id.len()).unwrap().to_be_bytes());
        data.extend(&self.id);
        data.extend(self.public_key());
        // CBOR: {"fmt": "none", "attStmt": {}, "authData": the data}
        let mut object = b"\xa3\x63fmt\x64none\x67attStmt\xa0\x68authData\x59".to_vec();
        object.extend(u16::try_from(data.len()).unwrap().to_be_bytes());
        object.extend(data);
        let response = json!({
            "attestationObject": BASE64.encode(object),
            "clientDataJSON": BASE64.encode(self.client("webauthn.create", options)),
            "transports": ["internal", "smart-card"],
        });
        self.answer(&response)
    }

    /// Answers `navigator.credentials.get`.
    pub(crate) fn get(&mut self, options: &Value) -> Value {
        self.counter += 1;
        let data = self.data(&text(&options["rpId"]), self.flags);
        let client = self.client("webauthn.get", options);
        let signed = [data.as_slice(), digest(&SHA256, &client).as_ref()].concat();
        let signature = self.pair.sign(&SystemRandom::new(), &signed).unwrap();
        let response = json!({
            "authenticatorData": BASE64.encode(data),
            "clientDataJSON": BASE64.encode(client),
            "signature": BASE64.encode(signature),
            "userHandle": self.handle,
        });
        self.answer(&response)
    }

    fn answer(&self, response: &Value) -> Value {
        let id = BASE64.encode(&self.id);
        json!({
            "id": id,
            "rawId": id,
            "type": "public-key",
            "response": response,
            "clientExtensionResults": {},
            "authenticatorAttachment": "platform",
        })
    }

    fn data(&self, domain: &str, flags: u8) -> Vec<u8> {
        let domain = self.domain.unwrap_or(domain);
        [digest(&SHA256, domain.as_bytes()).as_ref(), &[flags], &self.counter.to_be_bytes()].concat()
    }

    fn client(&self, kind: &str, options: &Value) -> Vec<u8> {
        let said = json!({ "type": kind, "challenge": options["challenge"], "origin": self.origin, "crossOrigin": false });
        said.to_string().into_bytes()
    }

    /// COSE: an elliptic curve key (1: 2) for ES256 (3: -7) on P-256 (-1: 1), its x (-2) and y (-3).
    fn public_key(&self) -> Vec<u8> {
        let point = self.pair.public_key().as_ref();
        [b"\xa5\x01\x02\x03\x26\x20\x01\x21\x58\x20".as_slice(), &point[1..33], b"\x22\x58\x20", &point[33..]].concat()
    }
}

fn text(value: &Value) -> String {
    value.as_str().unwrap_or_else(|| panic!("{value}")).to_owned()
}
