//! What a directory's token is made of.
//!
//! Invariant: it is random enough that its plain digest hides it, and the digest is all that is kept.

use aws_lc_rs::{digest, rand};
use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use kernel::{Error, Result, Secret};

/// How every token begins, so that scanners of source code know one.
pub(super) const PREFIX: &str = "scim_";
const BYTES: usize = 32;
/// How much of it is shown afterwards.
const SHOWN: usize = 10;

/// Makes a token.
pub(super) fn make() -> Result<Secret<String>> {
    let mut bytes = [0_u8; BYTES];
    rand::fill(&mut bytes).map_err(Error::internal)?;
    Ok(Secret::new(format!("{PREFIX}{}", URL_SAFE_NO_PAD.encode(bytes))))
}

/// Returns what is kept of a token.
pub(super) fn hash(token: &str) -> String {
    hex(digest::digest(&digest::SHA256, token.as_bytes()).as_ref())
}

/// Returns how a token begins.
pub(super) fn beginning(token: &str) -> String {
    token.chars().take(SHOWN).collect()
}

fn hex(bytes: &[u8]) -> String {
    let digit = |value: u8| char::from_digit(u32::from(value), 16).unwrap_or('0');
    bytes.iter().flat_map(|byte| [digit(byte >> 4), digit(byte & 15)]).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_token_is_kept_by_its_digest() {
        let token = make().unwrap();
        assert_eq!((token.expose().len(), token.expose().starts_with("scim_")), (48, true));
        assert_ne!(token.expose(), make().unwrap().expose());
        assert_eq!(beginning(token.expose()).len(), 10);
        // SHA-256 of "abc", as FIPS 180-2 has it.
        assert_eq!(hash("abc"), "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad");
    }
}
