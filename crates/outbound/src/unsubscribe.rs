//! What the link in a mail says by which somebody refuses a topic.
//!
//! Invariant: only this installation makes one, and whoever reads it on its way learns neither address nor company. It names one topic of
//! one company for one address, and lets in nowhere.

use kernel::{CompanyId, Error, Result};
use postgres::{Sql, Tx};
use serde::{Deserialize, Serialize};
use uuid::Uuid;

use crate::{Channel, Seal};

/// What such links are sealed for, and nothing else is.
const PLACE: Uuid = Uuid::from_bytes(*b"unsubscribe by 1");
/// Longer than any that is made.
const TOKEN_BYTES_MAX: usize = 1024;

/// What somebody refuses.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct Refused {
    /// Whose messages.
    #[serde(rename = "c")]
    pub company_id: CompanyId,
    /// To which address.
    #[serde(rename = "a")]
    pub address: String,
    /// About what.
    #[serde(rename = "t")]
    pub topic: String,
}

impl Refused {
    /// Makes the token of a link.
    pub fn seal(&self, seal: &Seal) -> Result<String> {
        let plain = serde_json::to_string(self).map_err(Error::internal)?;
        let sealed = seal.close(PLACE, &plain)?;
        Ok(sealed.trim_end_matches('=').replace('+', "-").replace('/', "_"))
    }

    /// Reads the token of a link; nothing for what is none of ours.
    pub fn open(seal: &Seal, token: &str) -> Option<Self> {
        if token.len() > TOKEN_BYTES_MAX || token.contains(['+', '/', '=']) {
            return None;
        }
        let mut sealed = token.replace('-', "+").replace('_', "/");
        while !sealed.len().is_multiple_of(4) {
            sealed.push('=');
        }
        serde_json::from_str(&seal.open(PLACE, &sealed)?).ok()
    }

    /// Refuses it, or asks for it again.
    pub async fn apply(&self, tx: &Tx, is_refused: bool) -> Result<()> {
        let mut sql = Sql::new("select app.unsubscribe(");
        sql.bind(self.company_id).text("::uuid, ").bind(Channel::Mail.as_str()).text("::text, ").bind(self.address.as_str());
        sql.text("::text, ").bind(self.topic.as_str()).text("::text, ").bind(is_refused).text("::boolean)");
        tx.query_one(sql).await.map(|_row| ())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_token_is_read_by_its_installation_alone_and_says_nothing_to_others() {
        let seal = Seal::new([b"a key".as_slice()].into_iter()).unwrap();
        let refused =
            Refused { company_id: CompanyId(Uuid::from_u128(7)), address: "ann+offers@example.com".to_owned(), topic: "offers".to_owned() };
        let token = refused.seal(&seal).unwrap();
        assert_eq!(Refused::open(&seal, &token).unwrap(), refused);
        assert!(token.bytes().all(|byte| byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'_')) && !token.contains("ann"));
        let other = Seal::new([b"another".as_slice()].into_iter()).unwrap();
        let rotated = Seal::new([b"another".as_slice(), b"a key"].into_iter()).unwrap();
        assert_eq!(Refused::open(&other, &token), None);
        assert_eq!(Refused::open(&rotated, &token).unwrap(), refused);
        let message = seal.close(Uuid::from_u128(1), &serde_json::to_string(&refused).unwrap()).unwrap();
        for odd in ["", "x", &token[1..], &format!("{token}="), &message, &"A".repeat(2000)] {
            assert_eq!(Refused::open(&seal, odd), None, "{odd}");
        }
    }
}
