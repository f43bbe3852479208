//! The challenge that an application sends first, and the verifier that it proves itself with later.

use aws_lc_rs::digest;
use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use kernel::Result;
use percent_encoding::percent_decode_str;
use subtle::ConstantTimeEq;

use crate::errors::bad_request;

/// How the challenge is made of the verifier.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Method {
    S256,
    Plain,
}

/// A challenge.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(crate) struct Challenge {
    pub(crate) text: String,
    pub(crate) method: Method,
}

impl Method {
    /// Returns its name in the table and on the wire.
    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::S256 => "s256",
            Self::Plain => "plain",
        }
    }

    pub(super) fn parse(name: &str) -> Option<Self> {
        [Self::S256, Self::Plain].into_iter().find(|method| method.name().eq_ignore_ascii_case(name))
    }
}

impl Challenge {
    /// Reads what a request has of a challenge: both parts or neither.
    pub(crate) fn read(challenge: Option<&str>, method: Option<&str>) -> Result<Option<Self>> {
        let present = |text: Option<&str>| text.filter(|text| !text.is_empty()).map(str::to_owned);
        match (present(challenge), present(method)) {
            (None, None) => Ok(None),
            (Some(text), Some(method)) => {
                let invalid = || bad_request("validation_failed", "invalid code_challenge_method: use s256 or plain");
                let method = Method::parse(&decoded(&method)).ok_or_else(invalid)?;
                let text = decoded(&text);
                let is_unreserved = |byte: u8| byte.is_ascii_alphanumeric() || b"-._~".contains(&byte);
                if !(43..=128).contains(&text.len()) {
                    return Err(bad_request("validation_failed", "code challenge has to be between 43 and 128 characters"));
                }
                if !text.bytes().all(is_unreserved) {
                    return Err(bad_request("validation_failed", "code challenge can only contain alphanumeric characters, -._~"));
                }
                Ok(Some(Self { text, method }))
            }
            _ => Err(bad_request("validation_failed", "PKCE flow requires code_challenge_method and code_challenge")),
        }
    }

    /// Tells whether the challenge was made of this verifier, in the same time for any.
    pub(super) fn is_met(&self, verifier: &str) -> bool {
        let made = match self.method {
            Method::S256 => s256(verifier),
            Method::Plain => verifier.to_owned(),
        };
        made.as_bytes().ct_eq(self.text.as_bytes()).into()
    }
}

/// Makes the challenge of a verifier.
pub(crate) fn s256(verifier: &str) -> String {
    URL_SAFE_NO_PAD.encode(digest::digest(&digest::SHA256, verifier.as_bytes()))
}

/// Clients encode what goes into an address twice. No character of a challenge needs it once.
fn decoded(text: &str) -> String {
    percent_decode_str(text).decode_utf8_lossy().into_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    // From the appendix of RFC 7636.
    const VERIFIER: &str = "dBjftJeZ4CVP-mB92K27uhbUJU1p1r_wW1gFWFOEjXk";
    const CHALLENGE: &str = "E9Melhoa2OwvFrEMTJguCHaoeK1t8URWbuGJSstw-cM";

    #[test]
    fn a_verifier_meets_its_challenge_and_no_other() {
        let challenge = Challenge::read(Some(CHALLENGE), Some("S256")).unwrap().unwrap();
        assert!(challenge.is_met(VERIFIER));
        for wrong in ["", CHALLENGE, &VERIFIER.to_lowercase(), &format!("{VERIFIER} ")] {
            assert!(!challenge.is_met(wrong), "{wrong}");
        }
        let plain = Challenge::read(Some(VERIFIER), Some("plain")).unwrap().unwrap();
        assert!(plain.is_met(VERIFIER) && !plain.is_met(CHALLENGE));
    }

    #[test]
    fn a_challenge_may_be_encoded_twice() {
        let twice = CHALLENGE.replace('-', "%2D").replace('_', "%5F");
        assert_eq!(Challenge::read(Some(&twice), Some("s256")).unwrap().unwrap().text, CHALLENGE);
    }

    #[test]
    fn half_a_challenge_and_a_strange_one_are_refused() {
        assert_eq!(Challenge::read(None, Some("")).unwrap(), None);
        let long = "a".repeat(129);
        for (challenge, method) in [
            (Some(CHALLENGE), None),
            (None, Some("s256")),
            (Some(CHALLENGE), Some("md5")),
            (Some("short"), Some("s256")),
            (Some(long.as_str()), Some("s256")),
            (Some("E9Melhoa2OwvFrEMTJguCHaoeK1t8URWbuGJSstw cM"), Some("s256")),
        ] {
            let error = Challenge::read(challenge, method).unwrap_err();
            assert_eq!((error.status().as_u16(), error.code()), (400, "validation_failed"), "{challenge:?} {method:?}");
        }
    }
}
