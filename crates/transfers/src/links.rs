//! Links to files that are good without a token, for a while.
//!
//! Invariant: a link is of one file of one company and ends when it says; whoever changes a letter of it has none. What it opens must still be
//! there, so that a link is taken back by taking the row of its file away.

use aws_lc_rs::hmac;
use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use jiff::Timestamp;
use kernel::{CompanyId, Error, Kind, Result};
use uuid::Uuid;

/// What the keys of links are derived for.
pub(crate) const PURPOSE: &str = "links to files";
/// Company, end and signature.
const BYTES: usize = 16 + 8 + 32;

/// Which file a link is to.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) struct Linked {
    /// What it is: `export`, `import errors`.
    pub(crate) what: &'static str,
    /// Whose.
    pub(crate) company: CompanyId,
    /// Its row.
    pub(crate) id: Uuid,
}

/// Signs a link, and returns its token.
pub(crate) fn sign(keys: &[[u8; 32]], linked: Linked, until: Timestamp) -> Result<String> {
    let key = keys.first().ok_or_else(|| Error::internal("there is no key for links"))?;
    let end = until.as_second().to_be_bytes();
    let tag = hmac::sign(&hmac::Key::new(hmac::HMAC_SHA256, key), &signed(linked, end));
    Ok(URL_SAFE_NO_PAD.encode([linked.company.0.as_bytes().as_slice(), &end, tag.as_ref()].concat()))
}

/// Reads a token that was shown for a row, and returns the company of the file.
pub(crate) fn verify(keys: &[[u8; 32]], what: &'static str, id: Uuid, token: &str, now: Timestamp) -> Result<CompanyId> {
    let bytes = URL_SAFE_NO_PAD.decode(token).map_err(|error| not_valid().with_source(error))?;
    if bytes.len() != BYTES {
        return Err(not_valid());
    }
    let (company, rest) = bytes.split_at(16);
    let (end, tag) = rest.split_at(8);
    let company = CompanyId(Uuid::from_slice(company).map_err(|error| not_valid().with_source(error))?);
    let end: [u8; 8] = end.try_into().map_err(|error: std::array::TryFromSliceError| not_valid().with_source(error))?;
    let signed = signed(Linked { what, company, id }, end);
    if !keys.iter().any(|key| hmac::verify(&hmac::Key::new(hmac::HMAC_SHA256, key), &signed, tag).is_ok()) {
        return Err(not_valid());
    }
    if i64::from_be_bytes(end) <= now.as_second() {
        return Err(Error::new(Kind::Status(410), "file_link_over", "This link is over").with_hint("Make another file."));
    }
    Ok(company)
}

fn signed(linked: Linked, end: [u8; 8]) -> Vec<u8> {
    [linked.what.as_bytes(), b"\0", linked.company.0.as_bytes(), linked.id.as_bytes(), &end].concat()
}

fn not_valid() -> Error {
    Error::new(Kind::Forbidden, "file_link_not_valid", "This link is not one of ours")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_link_is_of_one_file_and_for_a_while() {
        let (old, new) = ([1; 32], [2; 32]);
        let (now, end) = (Timestamp::from_second(1000).unwrap(), Timestamp::from_second(1001).unwrap());
        let (company, id) = (CompanyId(Uuid::from_u128(7)), Uuid::from_u128(8));
        let linked = Linked { what: "export", company, id };
        let token = sign(&[old], linked, end).unwrap();
        let code =
            |keys: &[[u8; 32]], what, id, token: &str, now| verify(keys, what, id, token, now).map_err(|error| error.code().to_owned());
        assert_eq!(code(&[new, old], "export", id, &token, now), Ok(company), "keys may be replaced meanwhile");
        assert_eq!(code(&[old], "export", id, &token, end), Err("file_link_over".to_owned()));
        let refused = Err("file_link_not_valid".to_owned());
        assert_eq!(code(&[new], "export", id, &token, now), refused);
        assert_eq!(code(&[old], "import errors", id, &token, now), refused);
        assert_eq!(code(&[old], "export", Uuid::from_u128(9), &token, now), refused);
        for bad in ["", "x", "ä", &token[1..], &format!("{token}AAAA"), &token.replace(&token[30..34], "AAAA")] {
            assert_eq!(code(&[old], "export", id, bad, now), refused, "{bad}");
        }
        // Neither the company nor the end can be others.
        let bytes = URL_SAFE_NO_PAD.decode(&token).unwrap();
        for place in 0..bytes.len() {
            let mut changed = bytes.clone();
            changed[place] ^= 1;
            assert_eq!(code(&[old], "export", id, &URL_SAFE_NO_PAD.encode(changed), now), refused, "{place}");
        }
    }
}
