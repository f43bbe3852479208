//! How long a ban lasts, as clients write it: `24h`, `1h30m`, `1.5h`, `none`.

use jiff::{SignedDuration, Timestamp};
use kernel::{Error, Result};

use crate::errors::bad_request;

/// A hundred years.
const NANOSECONDS_MAX: i128 = 876_000 * HOUR;
const HOUR: i128 = 3600 * SECOND;
const SECOND: i128 = 1_000_000_000;
/// More than the units of one duration take.
const BYTES_MAX: usize = 64;
/// The longer names first: `ms` is no `m`.
const UNITS: [(&str, i128); 8] =
    [("ns", 1), ("us", 1_000), ("\u{b5}s", 1_000), ("\u{3bc}s", 1_000), ("ms", 1_000_000), ("s", SECOND), ("m", 60 * SECOND), ("h", HOUR)];

/// A ban, or the end of one. One that is over before it begins is none.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) struct BanDuration(Option<SignedDuration>);

impl BanDuration {
    pub(super) fn parse(text: &str) -> Result<Self> {
        if matches!(text, "none" | "0" | "+0" | "-0") {
            return Ok(Self(None));
        }
        let invalid = || bad_request("validation_failed", "ban_duration must be none or a duration like 24h or 1h30m");
        let (is_negative, mut rest) = match text.strip_prefix(['+', '-']) {
            Some(rest) => (text.starts_with('-'), rest),
            None => (false, text),
        };
        if rest.is_empty() || rest.len() > BYTES_MAX {
            return Err(invalid());
        }
        let mut sum: i128 = 0;
        while !rest.is_empty() {
            let (part, tail) = part(rest).ok_or_else(invalid)?;
            sum = sum.checked_add(part).filter(|sum| *sum <= NANOSECONDS_MAX).ok_or_else(invalid)?;
            rest = tail;
        }
        let sum = SignedDuration::from_nanos_i128(if is_negative { -sum } else { sum });
        Ok(Self((!sum.is_zero()).then_some(sum)))
    }

    /// Returns when the ban ends; nothing when there is to be none.
    pub(super) fn until(self, now: Timestamp) -> Result<Option<Timestamp>> {
        self.0.map(|long| now.checked_add(long)).transpose().map_err(Error::internal)
    }
}

/// Reads one number with its unit, in nanoseconds, and returns what is behind it.
fn part(text: &str) -> Option<(i128, &str)> {
    let end = text.find(|character: char| !character.is_ascii_digit() && character != '.')?;
    let (number, tail) = text.split_at_checked(end)?;
    let (unit, nanoseconds) = UNITS.into_iter().find(|(unit, _)| tail.starts_with(unit))?;
    let (whole, fraction) = number.split_once('.').unwrap_or((number, ""));
    if (whole.is_empty() && fraction.is_empty()) || fraction.contains('.') {
        return None;
    }
    let whole: i128 = if whole.is_empty() { 0 } else { whole.parse().ok()? };
    // What is finer than this is less than a nanosecond of any unit.
    let digits: String = fraction.chars().take(15).collect();
    let scale = 10_i128.checked_pow(u32::try_from(digits.len()).ok()?)?;
    let fraction: i128 = if digits.is_empty() { 0 } else { digits.parse().ok()? };
    let sum = whole.checked_mul(nanoseconds)?.checked_add(fraction.checked_mul(nanoseconds)? / scale)?;
    Some((sum, tail.get(unit.len()..)?))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn durations_are_read_as_clients_write_them() {
        for (text, milliseconds) in [
            ("24h", 86_400_000),
            ("1h30m5s", 5_405_000),
            ("876000h", 3_153_600_000_000),
            ("1.5h", 5_400_000),
            (".5s", 500),
            ("2.s", 2_000),
            ("500ms", 500),
            ("1m1ms", 60_001),
            ("1000us", 1),
            ("1000\u{b5}s", 1),
            ("-1h", -3_600_000),
            ("+1h", 3_600_000),
        ] {
            assert_eq!(BanDuration::parse(text).unwrap(), BanDuration(Some(SignedDuration::from_millis(milliseconds))), "{text}");
        }
        for none in ["none", "0s", "0", "-0h", "0.0000000001ns"] {
            assert_eq!(BanDuration::parse(none).unwrap(), BanDuration(None), "{none}");
        }
        for wrong in [
            "",
            "-",
            "24",
            "h",
            ".h",
            "1..5h",
            "1.5.5h",
            "1d",
            "1h 30m",
            "1H",
            "--1h",
            "876001h",
            "99999999999999999999h",
            "\u{e9}",
            "1e3s",
        ] {
            assert!(BanDuration::parse(wrong).is_err(), "{wrong}");
        }
    }
}
