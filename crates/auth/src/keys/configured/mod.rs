//! The signing keys of a file that the operator keeps: JSON Web Keys, of which one signs and all verify.
//!
//! Invariant: a key verifies with its own algorithm alone; what is private, and a shared secret wholly, is never published nor printed,
//! and a file of which one key cannot be used is refused as a whole.

mod rsa;

use std::fmt;
use std::path::Path;

use aws_lc_rs::signature::{ECDSA_P256_SHA256_FIXED, ECDSA_P256_SHA256_FIXED_SIGNING, EcdsaKeyPair, KeyPair, ParsedPublicKey, RsaKeyPair};
use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use jsonwebtoken::{Algorithm, DecodingKey, EncodingKey, Header};
use serde::Deserialize;
use serde_json::{Map, Value, json};

use super::KeyFault;
use super::store::{StoreError, damaged, read_private};

const KEYS_MAX: usize = 16;
const KID_BYTES_MAX: usize = 128;
const SECRET_BYTES_MIN: usize = 32;

/// The keys of such a file.
#[derive(Clone, Debug)]
pub struct ConfiguredKeys {
    signing: ConfiguredKey,
    others: Vec<ConfiguredKey>,
}

/// One of them.
#[derive(Clone)]
pub(crate) struct ConfiguredKey {
    kid: String,
    pub(crate) algorithm: Algorithm,
    pub(crate) decoding: DecodingKey,
    encoding: Option<EncodingKey>,
    /// As everybody may see it; of a shared secret nothing.
    public: Option<Value>,
    /// Whether only this server signs with it. A secret that is there to be shared others have, too.
    pub(crate) is_own: bool,
}

/// What the halves of a key are made into.
struct Halves {
    algorithm: Algorithm,
    decoding: DecodingKey,
    encoding: Option<EncodingKey>,
    public: Option<Value>,
}

/// A key as it stands in the file. Without `Debug` on purpose.
#[derive(Default, Deserialize)]
#[serde(default)]
struct Jwk {
    kty: String,
    kid: String,
    alg: Option<String>,
    r#use: Option<String>,
    key_ops: Vec<String>,
    crv: String,
    x: String,
    y: String,
    d: String,
    n: String,
    e: String,
    p: String,
    q: String,
    dp: String,
    dq: String,
    qi: String,
    k: String,
    /// A private key as PKCS#8 or PKCS#1 text, in place of its numbers.
    pem: Option<String>,
}

/// Reads the file.
pub fn load(path: &Path) -> Result<ConfiguredKeys, StoreError> {
    let not_there = || StoreError::Io { path: path.to_owned(), doing: "opened", source: std::io::ErrorKind::NotFound.into() };
    let text = read_private(path)?.ok_or_else(not_there)?;
    ConfiguredKeys::parse(&text).map_err(|fault| damaged(path, Some(fault)))
}

impl ConfiguredKeys {
    /// Reads a list of keys, or an object with one under `keys`.
    pub fn parse(text: &str) -> Result<Self, KeyFault> {
        #[derive(Deserialize)]
        #[serde(untagged)]
        enum Document {
            List(Vec<Jwk>),
            Set { keys: Vec<Jwk> },
        }
        // The parser's message could quote a key.
        let document: Document = serde_json::from_str(text).map_err(|_quotes_the_file| KeyFault::invalid("no list of JSON Web Keys"))?;
        let (Document::List(list) | Document::Set { keys: list }) = document;
        if !(1..=KEYS_MAX).contains(&list.len()) {
            return Err(KeyFault::invalid("there must be 1 to 16 keys"));
        }
        let (mut signing, mut others) = (None, Vec::<ConfiguredKey>::new());
        for (number, jwk) in list.iter().enumerate() {
            let signs = jwk.key_ops.iter().any(|operation| operation == "sign");
            let key = ConfiguredKey::read(jwk, signs).map_err(|fault| KeyFault::invalid(format!("key {}: {fault}", number + 1)))?;
            if others.iter().chain(&signing).any(|other| other.kid == key.kid) {
                return Err(KeyFault::invalid("two keys have the same kid"));
            }
            match (signs, &signing) {
                (true, None) => signing = Some(key),
                (true, Some(_)) => return Err(KeyFault::invalid("more than one key has sign in key_ops")),
                (false, _) => others.push(key),
            }
        }
        let signing = signing.ok_or_else(|| KeyFault::invalid("no key has sign in key_ops"))?;
        Ok(Self { signing, others })
    }

    /// Returns the id of the key that signs.
    pub fn kid(&self) -> &str {
        &self.signing.kid
    }

    /// Returns the name of the algorithm that tokens are signed with.
    pub fn algorithm(&self) -> &'static str {
        name(self.signing.algorithm)
    }

    pub(super) fn find(&self, kid: &str) -> Option<&ConfiguredKey> {
        self.all().find(|key| key.kid == kid)
    }

    pub(super) fn published(&self) -> impl Iterator<Item = Value> {
        self.all().filter_map(|key| key.public.clone())
    }

    pub(super) fn sign(&self, claims: &Map<String, Value>) -> Result<String, KeyFault> {
        let encoding = self.signing.encoding.as_ref().ok_or_else(|| KeyFault::invalid("no private half"))?;
        let header = Header { kid: Some(self.signing.kid.clone()), ..Header::new(self.signing.algorithm) };
        jsonwebtoken::encode(&header, claims, encoding).map_err(KeyFault::invalid)
    }

    fn all(&self) -> impl Iterator<Item = &ConfiguredKey> {
        std::iter::once(&self.signing).chain(&self.others)
    }
}

impl ConfiguredKey {
    fn read(jwk: &Jwk, signs: bool) -> Result<Self, &'static str> {
        if jwk.kid.is_empty() || jwk.kid.len() > KID_BYTES_MAX {
            return Err("kid must have 1 to 128 bytes");
        }
        if jwk.r#use.as_deref().is_some_and(|purpose| purpose != "sig") {
            return Err("use must be sig");
        }
        let halves = match (&jwk.pem, jwk.kty.as_str()) {
            (Some(pem), _) => of_pem(pem)?,
            (None, "EC") => of_curve(jwk)?,
            (None, "RSA") => rsa::of_numbers(jwk)?,
            (None, "oct") => of_secret(jwk)?,
            _ => return Err("kty must be EC, RSA or oct"),
        };
        if jwk.alg.as_deref().is_some_and(|alg| alg != name(halves.algorithm)) {
            return Err("alg must be ES256 for EC, RS256 for RSA, HS256 for oct");
        }
        if signs && halves.encoding.is_none() {
            return Err("the key that signs needs its private half");
        }
        let public = halves.public.map(|mut public| {
            if let Some(members) = public.as_object_mut() {
                members.insert("kid".to_owned(), json!(jwk.kid));
                members.insert("alg".to_owned(), json!(name(halves.algorithm)));
                members.insert("use".to_owned(), json!("sig"));
                members.insert("key_ops".to_owned(), json!(["verify"]));
            }
            public
        });
        Ok(Self {
            kid: jwk.kid.clone(),
            algorithm: halves.algorithm,
            decoding: halves.decoding,
            encoding: halves.encoding,
            is_own: signs || public.is_some(),
            public,
        })
    }
}

fn name(algorithm: Algorithm) -> &'static str {
    match algorithm {
        Algorithm::ES256 => "ES256",
        Algorithm::RS256 => "RS256",
        _ => "HS256",
    }
}

fn of_secret(jwk: &Jwk) -> Result<Halves, &'static str> {
    let secret = decode(&jwk.k)?;
    if secret.len() < SECRET_BYTES_MIN {
        return Err("a shared secret must have at least 32 bytes");
    }
    let (decoding, encoding) = (DecodingKey::from_secret(&secret), Some(EncodingKey::from_secret(&secret)));
    Ok(Halves { algorithm: Algorithm::HS256, decoding, encoding, public: None })
}

fn of_curve(jwk: &Jwk) -> Result<Halves, &'static str> {
    if jwk.crv != "P-256" {
        return Err("crv must be P-256");
    }
    let point = [vec![4], decode(&jwk.x)?, decode(&jwk.y)?].concat();
    if jwk.d.is_empty() {
        return of_point(&point, None);
    }
    let pair = EcdsaKeyPair::from_private_key_and_public_key(&ECDSA_P256_SHA256_FIXED_SIGNING, &decode(&jwk.d)?, &point);
    of_pair(&pair.map_err(|_quotes_nothing| "d, x and y are no key of P-256")?)
}

fn of_pair(pair: &EcdsaKeyPair) -> Result<Halves, &'static str> {
    let document = pair.to_pkcs8v1().map_err(|_quotes_nothing| "the key cannot be used")?;
    of_point(pair.public_key().as_ref(), Some(EncodingKey::from_ec_der(document.as_ref())))
}

/// Takes an uncompressed point: the byte 4, then both coordinates.
fn of_point(point: &[u8], encoding: Option<EncodingKey>) -> Result<Halves, &'static str> {
    let no_point = "x and y are no point of P-256";
    ParsedPublicKey::new(&ECDSA_P256_SHA256_FIXED, point).map_err(|_quotes_nothing| no_point)?;
    let (Some(x), Some(y)) = (point.get(1..33), point.get(33..65)) else { return Err(no_point) };
    let (x, y) = (URL_SAFE_NO_PAD.encode(x), URL_SAFE_NO_PAD.encode(y));
    let decoding = DecodingKey::from_ec_components(&x, &y).map_err(|_quotes_nothing| no_point)?;
    let public = json!({ "kty": "EC", "crv": "P-256", "x": x, "y": y });
    Ok(Halves { algorithm: Algorithm::ES256, decoding, encoding, public: Some(public) })
}

fn of_pem(pem: &str) -> Result<Halves, &'static str> {
    let unusable = "pem must be a private key of P-256 (PKCS#8) or RSA (PKCS#8 or PKCS#1)";
    if let Ok(key) = EncodingKey::from_ec_pem(pem.as_bytes()) {
        let pair = EcdsaKeyPair::from_pkcs8(&ECDSA_P256_SHA256_FIXED_SIGNING, key.inner());
        return of_pair(&pair.map_err(|_quotes_nothing| unusable)?);
    }
    let key = EncodingKey::from_rsa_pem(pem.as_bytes()).map_err(|_may_quote| unusable)?;
    rsa::of_der(key.inner())
}

fn decode(text: &str) -> Result<Vec<u8>, &'static str> {
    URL_SAFE_NO_PAD.decode(text).map_err(|_quotes_the_key| "a number or secret is not base64url")
}

impl fmt::Debug for ConfiguredKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ConfiguredKey").field("kid", &self.kid).field("algorithm", &self.algorithm).finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests;
