//! How long a ban lasts, as clients write it: `24h`, `1h30m`, `none`.

use jiff::{SignedDuration, Timestamp};
use kernel::{Error, Result};

use crate::errors::bad_request;

/// A hundred years.
const HOURS_MAX: i64 = 876_000;

/// A ban, or the end of one.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) struct BanDuration(Option<i64>);

impl BanDuration {
    pub(super) fn parse(text: &str) -> Result<Self> {
        if text == "none" {
            return Ok(Self(None));
        }
        let invalid = || bad_request("validation_failed", "ban_duration must be none or a duration like 24h or 1h30m");
        let mut seconds: i64 = 0;
        let mut rest = text;
        while !rest.is_empty() {
            let digits = rest.find(|character: char| !character.is_ascii_digit()).ok_or_else(invalid)?;
            let (number, tail) = rest.split_at_checked(digits).ok_or_else(invalid)?;
            let mut tail = tail.chars();
            let unit = match tail.next() {
                Some('h') => 3600,
                Some('m') => 60,
                Some('s') => 1,
                _ => return Err(invalid()),
            };
            let number: i64 = number.parse().ok().filter(|number| *number <= HOURS_MAX * 3600).ok_or_else(invalid)?;
            seconds = number.checked_mul(unit).and_then(|more| seconds.checked_add(more)).ok_or_else(invalid)?;
            rest = tail.as_str();
        }
        if (1..=HOURS_MAX * 3600).contains(&seconds) { Ok(Self(Some(seconds))) } else { Err(invalid()) }
    }

    /// Returns when the ban ends; nothing when there is to be none.
    pub(super) fn until(self, now: Timestamp) -> Result<Option<Timestamp>> {
        let end = self.0.map(|seconds| now.checked_add(SignedDuration::from_secs(seconds)));
        end.transpose().map_err(Error::internal)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn durations_are_read_as_clients_write_them() {
        assert_eq!(BanDuration::parse("none").unwrap(), BanDuration(None));
        assert_eq!(BanDuration::parse("24h").unwrap(), BanDuration(Some(86_400)));
        assert_eq!(BanDuration::parse("1h30m5s").unwrap(), BanDuration(Some(5405)));
        assert_eq!(BanDuration::parse("876000h").unwrap(), BanDuration(Some(3_153_600_000)));
        for wrong in ["", "0h", "24", "h", "-1h", "1d", "1h 30m", "876001h", "99999999999999999999h", "é", "1ms"] {
            assert!(BanDuration::parse(wrong).is_err(), "{wrong}");
        }
    }
}
