//! The id that ties an answer to its lines in the log.
//!
//! Invariant: it cannot forge a log line or a header: short, and only letters, digits, `.`, `_` and `-`.

use std::fmt;
use std::sync::Arc;

use http::{HeaderMap, HeaderName, HeaderValue};
use uuid::Uuid;

/// Where it comes in and goes out.
pub(super) const HEADER: HeaderName = HeaderName::from_static("x-request-id");
/// The longest one that we take from a client.
const BYTES_MAX: usize = 128;

/// The id of a request: the client's own, if it is sane, else a new one.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(crate) struct RequestId(Arc<str>);

impl RequestId {
    pub(crate) fn of(headers: &HeaderMap) -> Self {
        let given = headers.get(HEADER).and_then(|value| value.to_str().ok()).filter(|text| is_sane(text));
        match given {
            Some(text) => Self(text.into()),
            None => Self(Uuid::now_v7().to_string().into()),
        }
    }

    pub(super) fn header(&self) -> HeaderValue {
        HeaderValue::from_str(&self.0).unwrap_or_else(|_never_insane| HeaderValue::from_static("-"))
    }
}

impl fmt::Display for RequestId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

fn is_sane(text: &str) -> bool {
    (1..=BYTES_MAX).contains(&text.len()) && text.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"._-".contains(&byte))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_a_sane_id_is_taken_over() {
        let id = |text: &str| RequestId::of(&[(HEADER, text.parse().unwrap())].into_iter().collect()).to_string();
        for sane in ["a", "01-67.a_b", &"x".repeat(128)] {
            assert_eq!(id(sane), *sane);
        }
        for insane in ["", "a b", "a=b", "a\tb", &"x".repeat(129)] {
            let made = id(insane);
            assert_ne!(made, *insane);
            assert_eq!(made.parse::<Uuid>().unwrap().get_version_num(), 7);
        }
    }
}
