//! What answers say of a limit: `RateLimit-Policy` and `RateLimit` (draft-ietf-httpapi-ratelimit-headers-10), and the three fields that
//! clients knew before them.

use http::{HeaderMap, HeaderName, HeaderValue};

use crate::class::Class;
use crate::rate::{Left, Rate};

const POLICY: HeaderName = HeaderName::from_static("ratelimit-policy");
const STATE: HeaderName = HeaderName::from_static("ratelimit");
const LIMIT: HeaderName = HeaderName::from_static("ratelimit-limit");
const REMAINING: HeaderName = HeaderName::from_static("ratelimit-remaining");
const RESET: HeaderName = HeaderName::from_static("ratelimit-reset");

/// What is said of a rate, made once for each.
#[derive(Clone, Debug)]
pub(crate) struct Policy {
    class: Class,
    quota: HeaderValue,
    limit: HeaderValue,
}

impl Policy {
    pub(crate) fn new(class: Class, rate: Rate) -> Self {
        let quota = format!("\"{class}\";q={};w={}", rate.max(), rate.seconds());
        // Words and numbers are always good for a header.
        let quota = HeaderValue::try_from(quota).unwrap_or_else(|_| HeaderValue::from_static(""));
        Self { class, quota, limit: HeaderValue::from(rate.max()) }
    }

    /// Writes what there is after a request.
    pub(crate) fn write(&self, left: Left, headers: &mut HeaderMap) {
        let Left { remaining, full_in_seconds } = left;
        headers.insert(POLICY, self.quota.clone());
        if let Ok(state) = HeaderValue::try_from(format!("\"{}\";r={remaining};t={full_in_seconds}", self.class)) {
            headers.insert(STATE, state);
        }
        headers.insert(LIMIT, self.limit.clone());
        headers.insert(REMAINING, HeaderValue::from(remaining));
        headers.insert(RESET, HeaderValue::from(full_in_seconds));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn both_forms_say_the_same() {
        let mut headers = HeaderMap::new();
        Policy::new(Class::Read, Rate::new(1200, 60)).write(Left { remaining: 1199, full_in_seconds: 1 }, &mut headers);
        let found: Vec<_> = headers.iter().map(|(name, value)| (name.as_str(), value.to_str().unwrap())).collect();
        let expected = [
            ("ratelimit-policy", "\"read\";q=1200;w=60"),
            ("ratelimit", "\"read\";r=1199;t=1"),
            ("ratelimit-limit", "1200"),
            ("ratelimit-remaining", "1199"),
            ("ratelimit-reset", "1"),
        ];
        assert_eq!(found, expected);
    }
}
