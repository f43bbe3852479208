//! A place in the database's log, as PostgreSQL writes it: `16/B374D848`.
//!
//! Invariant: of two places of one history the greater one has everything that was committed before the smaller one.

use std::fmt;
use std::str::FromStr;

use kernel::{Error, Kind};

/// A place in the log.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug, Default)]
pub struct LogPosition(pub u64);

impl FromStr for LogPosition {
    type Err = Error;

    fn from_str(text: &str) -> Result<Self, Error> {
        let part = |text: &str| {
            let is_hex = (1..=8).contains(&text.len()) && text.bytes().all(|byte| byte.is_ascii_hexdigit());
            is_hex.then(|| u64::from_str_radix(text, 16).ok()).flatten()
        };
        let parts = text.split_once('/').and_then(|(high, low)| Some((part(high)?, part(low)?)));
        let (high, low) = parts.ok_or_else(|| {
            Error::new(Kind::BadRequest, "position_invalid", "This is no position of a write")
                .with_hint("Send back what stood in the header Database-Position of the answer to the write, such as 16/B374D848.")
        })?;
        Ok(Self(high << 32 | low))
    }
}

impl fmt::Display for LogPosition {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:X}/{:X}", self.0 >> 32, self.0 & 0xFFFF_FFFF)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn is_read_as_it_is_written() {
        for (text, position) in [("0/0", 0), ("16/B374D848", 0x16_B374_D848), ("FFFFFFFF/FFFFFFFF", u64::MAX)] {
            assert_eq!(text.parse::<LogPosition>().unwrap(), LogPosition(position));
            assert_eq!(LogPosition(position).to_string(), text);
        }
        for text in ["", "/", "1", "1/", "/1", "1/G", "123456789/0", "+1/2", "1/2/3", " 1/2"] {
            assert_eq!(text.parse::<LogPosition>().unwrap_err().code(), "position_invalid", "{text}");
        }
    }
}
