//! What is sent, and what is kept of it.
//!
//! Invariant: a link's token is random enough that its plain hash hides it; a code is one of a million, so its hash is made with a key
//! of the server, and only a few are tried.

use aws_lc_rs::{digest, hmac, rand};
use kernel::{Error, Result, Secret};
use subtle::ConstantTimeEq;
use uuid::Uuid;

use crate::keys::KeyRing;

const TOKEN_BYTES: usize = 32;
/// How a link's token begins that leads to a code and not to a session.
const PKCE: &str = "pkce_";
/// The purpose, so that this key's signatures mean nothing elsewhere.
const CODES: &[u8] = b"one-time-code/1:";

/// A link's token and a code, just made.
pub(crate) struct Secrets {
    pub(crate) id: Uuid,
    pub(super) token: Secret<String>,
    pub(crate) code: Secret<String>,
    pub(super) token_hash: String,
    pub(crate) code_hash: String,
}

impl Secrets {
    /// Makes them; the code is `fixed` where an operator said so.
    pub(crate) fn make(ring: &KeyRing, digits: u32, fixed: Option<&str>) -> Result<Self> {
        let mut bytes = [0_u8; TOKEN_BYTES + 8];
        rand::fill(&mut bytes).map_err(Error::internal)?;
        let (token, number) = bytes.split_at(TOKEN_BYTES);
        let number = u64::from_be_bytes(number.try_into().map_err(Error::internal)?) % 10_u64.pow(digits);
        let width = usize::try_from(digits).map_err(Error::internal)?;
        let code = fixed.map_or_else(|| format!("{number:0width$}"), str::to_owned);
        let (id, token) = (Uuid::now_v7(), hex(token));
        let key = ring.refresh_keys().next().ok_or_else(|| Error::internal("the key ring has no key for codes"))?;
        let code_hash = hex(code_tag(key.expose(), id, &code).as_ref());
        Ok(Self { id, token_hash: token_hash(&token), code_hash, token: Secret::new(token), code: Secret::new(code) })
    }

    /// Marks the link as one that leads to a code.
    pub(super) fn with_code_at_the_end(mut self) -> Self {
        self.token = Secret::new(format!("{PKCE}{}", self.token.expose()));
        self.token_hash = token_hash(self.token.expose());
        self
    }
}

/// Tells whether a link's token says that it leads to a code.
pub(super) fn leads_to_code(token: &str) -> bool {
    token.starts_with(PKCE)
}

/// Makes a token for a link, and what is kept of it.
pub(crate) fn link_token() -> Result<(Secret<String>, String)> {
    let mut bytes = [0_u8; TOKEN_BYTES];
    rand::fill(&mut bytes).map_err(Error::internal)?;
    let token = hex(&bytes);
    let kept = token_hash(&token);
    Ok((Secret::new(token), kept))
}

/// Returns what is kept of a link's token, or of another text that is random enough.
pub(crate) fn token_hash(token: &str) -> String {
    hex(digest_of(token).as_ref())
}

/// The same, to be compared with what is kept.
pub(crate) fn digest_of(token: &str) -> digest::Digest {
    digest::digest(&digest::SHA256, token.as_bytes())
}

/// Makes a text that nobody guesses.
pub(crate) fn random() -> Result<Secret<String>> {
    let mut bytes = [0_u8; TOKEN_BYTES];
    rand::fill(&mut bytes).map_err(Error::internal)?;
    Ok(Secret::new(hex(&bytes)))
}

/// Tells whether a code is the one whose hash is kept, in the same time for any.
pub(crate) fn is_code(ring: &KeyRing, id: Uuid, code: &str, kept: &[u8]) -> bool {
    ring.refresh_keys().fold(false, |found, key| found | bool::from(code_tag(key.expose(), id, code).as_ref().ct_eq(kept)))
}

fn code_tag(key: &[u8], id: Uuid, code: &str) -> hmac::Tag {
    let mut context = hmac::Context::with_key(&hmac::Key::new(hmac::HMAC_SHA256, key));
    context.update(CODES);
    context.update(id.as_bytes());
    context.update(code.as_bytes());
    context.sign()
}

/// Writes bytes as digits, as PostgreSQL reads them.
pub(crate) fn hex(bytes: &[u8]) -> String {
    const DIGITS: [char; 16] = ['0', '1', '2', '3', '4', '5', '6', '7', '8', '9', 'a', 'b', 'c', 'd', 'e', 'f'];
    let digit = |value: u8| DIGITS.get(usize::from(value)).copied().unwrap_or('0');
    bytes.iter().flat_map(|byte| [digit(byte >> 4), digit(byte & 15)]).collect()
}

#[cfg(test)]
mod tests {
    use jiff::Timestamp;

    use super::*;

    #[test]
    fn a_code_is_known_by_its_row_and_a_key_of_the_ring() {
        let ring = KeyRing::generate(Timestamp::UNIX_EPOCH).unwrap();
        let secrets = Secrets::make(&ring, 6, None).unwrap();
        assert_eq!((secrets.code.expose().len(), secrets.token.expose().len()), (6, 64));
        let kept: Vec<u8> = (0..64).step_by(2).map(|at| u8::from_str_radix(&secrets.code_hash[at..at + 2], 16).unwrap()).collect();
        assert!(is_code(&ring, secrets.id, secrets.code.expose(), &kept));
        assert!(is_code(&ring.rotated(Timestamp::UNIX_EPOCH).unwrap(), secrets.id, secrets.code.expose(), &kept));
        assert!(!is_code(&ring, Uuid::now_v7(), secrets.code.expose(), &kept));
        assert!(!is_code(&ring, secrets.id, "", &kept));
        assert!(!is_code(&KeyRing::generate(Timestamp::UNIX_EPOCH).unwrap(), secrets.id, secrets.code.expose(), &kept));
        assert_eq!(Secrets::make(&ring, 6, Some("123456")).unwrap().code.expose(), "123456");
    }
}
