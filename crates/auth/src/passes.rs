//! The text of a pass: what a program or a person shows who has no account here.
//!
//! Invariant: a text is a word for its kind, then company, row and 32 random bytes, so that the row is found by its key and not by a
//! search; what is kept is the SHA-256 of the whole text, which of that many random bytes hides them.

use std::net::IpAddr;
use std::sync::Arc;

use aws_lc_rs::rand;
use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use kernel::{CompanyId, Error, Pass, PassKind, Result, Secret};
use uuid::Uuid;

use crate::one_time::token_hash;

const SECRET_BYTES: usize = 32;
const ID_BYTES: usize = 16;
/// Characters of a text by which people tell one from another: its word and the beginning of its row's id.
const SHOWN_CHARACTERS: usize = 18;

/// The kinds and the words that their texts begin with.
const WORDS: [(PassKind, &str); 3] = [(PassKind::ApiKey, "thk_"), (PassKind::Portal, "thp_"), (PassKind::Link, "thl_")];

/// A pass that was just made.
pub(crate) struct NewPass {
    /// What is given to whoever shows it from now on.
    pub(crate) text: Secret<String>,
    pub(crate) id: Uuid,
    /// What is kept.
    pub(crate) digest: String,
    /// What it is known by.
    pub(crate) prefix: String,
}

impl NewPass {
    /// Makes one of a company.
    pub(crate) fn make(kind: PassKind, company: CompanyId) -> Result<Self> {
        Self::of(kind, company, Uuid::now_v7())
    }

    /// Makes another text for the same row.
    pub(crate) fn again(pass: &Pass) -> Result<Self> {
        Self::of(pass.kind, pass.company_id, pass.id)
    }

    fn of(kind: PassKind, company: CompanyId, id: Uuid) -> Result<Self> {
        let mut bytes = [0_u8; ID_BYTES * 2 + SECRET_BYTES];
        let (row, rest) = bytes.split_at_mut(ID_BYTES);
        let (owner, secret) = rest.split_at_mut(ID_BYTES);
        row.copy_from_slice(id.as_bytes());
        owner.copy_from_slice(company.0.as_bytes());
        rand::fill(secret).map_err(Error::internal)?;
        let word = WORDS.iter().find(|(known, _)| *known == kind).map_or("", |(_, word)| word);
        let text = format!("{word}{}", URL_SAFE_NO_PAD.encode(bytes));
        let prefix = text.chars().take(SHOWN_CHARACTERS).collect();
        Ok(Self { digest: token_hash(&text), prefix, id, text: Secret::new(text) })
    }
}

/// Tells whether a text begins as one of ours does.
pub(crate) fn is_pass(text: &str) -> bool {
    WORDS.iter().any(|(_, word)| text.starts_with(word))
}

/// Reads the text of a pass. Whether it is good, its row says.
pub(crate) fn read(text: &str, address: Option<IpAddr>) -> Option<Pass> {
    let (kind, rest) = WORDS.iter().find_map(|(kind, word)| Some((*kind, text.strip_prefix(word)?)))?;
    let bytes = URL_SAFE_NO_PAD.decode(rest).ok().filter(|bytes| bytes.len() == ID_BYTES * 2 + SECRET_BYTES)?;
    let id = |at: usize| Uuid::from_slice(bytes.get(at..at + ID_BYTES)?).ok();
    Some(Pass { kind, id: id(0)?, company_id: CompanyId(id(ID_BYTES)?), digest: Arc::from(token_hash(text)), address })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_text_says_its_row_and_company_and_is_known_by_its_digest() {
        let company = CompanyId(Uuid::now_v7());
        let made = NewPass::make(PassKind::ApiKey, company).unwrap();
        let text = made.text.expose();
        assert!(text.starts_with("thk_") && text.len() == 90 && is_pass(text), "{text}");
        assert!(text.starts_with(&made.prefix) && made.prefix.len() == 18);
        let pass = read(text, None).unwrap();
        assert_eq!((pass.kind, pass.id, pass.company_id, pass.digest.as_ref()), (PassKind::ApiKey, made.id, company, made.digest.as_str()));
        let other = NewPass::make(PassKind::ApiKey, company).unwrap();
        assert_ne!(other.text.expose(), text);
    }

    #[test]
    fn what_is_no_pass_is_none() {
        let text = NewPass::make(PassKind::ApiKey, CompanyId(Uuid::now_v7())).unwrap().text.expose().clone();
        let (short, long) = (&text[..text.len() - 2], format!("{text}AA"));
        for wrong in ["", "thk_", "thk_!", "sb_secret_x", &text[4..], &text.replace("thk_", "thx_"), short, &long, &format!("{text}=")] {
            assert_eq!(read(wrong, None), None, "{wrong}");
        }
    }

    #[test]
    fn the_digest_is_sha_256() {
        // Of "abc", as FIPS 180-4 has it.
        assert_eq!(token_hash("abc"), "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad");
    }
}
