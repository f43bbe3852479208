//! Refresh tokens: a session's id, how often it was refreshed, and our signature over both.
//!
//! Invariant: nothing is stored per token; a token that this server did not make is refused before the database is asked.

use aws_lc_rs::hmac;
use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use kernel::SessionId;
use subtle::ConstantTimeEq;
use uuid::Uuid;

use crate::keys::KeyRing;

const ID_BYTES: usize = 16;
const BODY_BYTES: usize = 24;
const TAG_BYTES: usize = 16;

/// What a refresh token stands for.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) struct RefreshToken {
    pub(crate) session_id: SessionId,
    pub(crate) counter: i64,
}

impl RefreshToken {
    /// Writes the token with the current key; the same content gives the same token.
    pub(crate) fn encode(self, ring: &KeyRing) -> Option<String> {
        let body = self.body();
        let tag = tag(ring.refresh_keys().next()?.expose(), &body);
        Some(URL_SAFE_NO_PAD.encode([body.as_slice(), &tag].concat()))
    }

    /// Reads a token that one of the ring's keys signed.
    pub(crate) fn decode(ring: &KeyRing, text: &str) -> Option<Self> {
        if text.len() != (BODY_BYTES + TAG_BYTES) * 8 / 6 + 1 {
            return None;
        }
        let bytes = URL_SAFE_NO_PAD.decode(text).ok()?;
        let (body, presented) = bytes.split_at_checked(BODY_BYTES)?;
        if !ring.refresh_keys().any(|key| bool::from(tag(key.expose(), body).ct_eq(presented))) {
            return None;
        }
        let (id, counter) = body.split_at_checked(ID_BYTES)?;
        Some(Self { session_id: SessionId(Uuid::from_slice(id).ok()?), counter: i64::from_be_bytes(counter.try_into().ok()?) })
    }

    fn body(self) -> Vec<u8> {
        [self.session_id.0.as_bytes().as_slice(), &self.counter.to_be_bytes()].concat()
    }
}

fn tag(key: &[u8], body: &[u8]) -> Vec<u8> {
    let mut context = hmac::Context::with_key(&hmac::Key::new(hmac::HMAC_SHA256, key));
    // The purpose, so that this key's signatures mean nothing elsewhere.
    context.update(b"refresh-token/1:");
    context.update(body);
    context.sign().as_ref().iter().take(TAG_BYTES).copied().collect()
}

#[cfg(test)]
mod tests {
    use jiff::Timestamp;

    use super::*;

    fn ring() -> KeyRing {
        KeyRing::generate(Timestamp::UNIX_EPOCH).unwrap()
    }

    fn token(counter: i64) -> RefreshToken {
        RefreshToken { session_id: SessionId::new_v7(), counter }
    }

    #[test]
    fn what_was_written_is_read() {
        let ring = ring();
        for counter in [0, 1, i64::MAX] {
            let token = token(counter);
            let text = token.encode(&ring).unwrap();
            assert_eq!(text.len(), 54);
            assert_eq!(RefreshToken::decode(&ring, &text), Some(token));
            assert_eq!(token.encode(&ring).unwrap(), text);
        }
    }

    #[test]
    fn every_changed_bit_is_seen() {
        let ring = ring();
        let bytes = URL_SAFE_NO_PAD.decode(token(7).encode(&ring).unwrap()).unwrap();
        for bit in 0..bytes.len() * 8 {
            let mut changed = bytes.clone();
            changed[bit / 8] ^= 1 << (bit % 8);
            assert_eq!(RefreshToken::decode(&ring, &URL_SAFE_NO_PAD.encode(changed)), None, "bit {bit}");
        }
    }

    #[test]
    fn foreign_and_malformed_tokens_are_refused() {
        let ring = ring();
        let text = token(7).encode(&ring).unwrap();
        assert_eq!(RefreshToken::decode(&self::ring(), &text), None);
        let (long, end, padded) = (format!("{text}A"), format!("{}_", &text[..53]), format!("{}=", &text[..53]));
        for wrong in ["", "v", &text[..53], &long, &end, &padded, &"é".repeat(27), &"A".repeat(54), &"A".repeat(1_000_000)] {
            assert_eq!(RefreshToken::decode(&ring, wrong), None, "{wrong:.60}");
        }
    }

    #[test]
    fn a_rotated_ring_reads_the_tokens_before_it() {
        let old = ring();
        let token = token(7);
        let text = token.encode(&old).unwrap();
        let rotated = old.rotated(Timestamp::UNIX_EPOCH).unwrap();
        assert_eq!(RefreshToken::decode(&rotated, &text), Some(token));
        assert_ne!(token.encode(&rotated).unwrap(), text);
        assert_eq!(RefreshToken::decode(&rotated.without_previous(), &text), None);
    }
}
