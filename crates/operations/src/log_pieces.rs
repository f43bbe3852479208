//! Names of the pieces of PostgreSQL's log, and positions in it.
//!
//! Invariant: a piece has 16 MiB, which is what the private cluster is made with; its name says timeline and place.

/// Bytes of a piece.
pub(crate) const BYTES: u64 = 16 * 1024 * 1024;
/// Pieces of 4 GiB.
const IN_FOUR_GB: u64 = 256;
/// Digits of a name.
const DIGITS: usize = 24;

/// Returns the name of a piece of a timeline.
pub(crate) fn name(timeline: u32, number: u64) -> String {
    format!("{timeline:08X}{:08X}{:08X}", number / IN_FOUR_GB, number % IN_FOUR_GB)
}

/// Returns the number of a piece, whatever its timeline; nothing for what is no piece.
pub(crate) fn place(name: &str) -> Option<u64> {
    if name.len() != DIGITS || !name.bytes().all(|byte| byte.is_ascii_hexdigit()) {
        return None;
    }
    let (high, low) = (name.get(8..16)?, name.get(16..24)?);
    Some(u64::from_str_radix(high, 16).ok()? * IN_FOUR_GB + u64::from_str_radix(low, 16).ok()?)
}

/// Returns the timeline of a piece.
pub(crate) fn timeline(name: &str) -> Option<u32> {
    place(name)?;
    u32::from_str_radix(name.get(..8)?, 16).ok()
}

/// Reads a position such as `0/3000028`.
pub(crate) fn position(text: &str) -> Option<u64> {
    let (high, low) = text.trim().split_once('/')?;
    Some((u64::from_str_radix(high, 16).ok()? << 32) | u64::from_str_radix(low, 16).ok()?)
}

/// Returns the number of the piece that a position is in.
pub(crate) fn piece_of(position: u64) -> u64 {
    position / BYTES
}

/// Tells whether a name is that of a file of the log: a piece, a timeline's history, the last piece of a timeline that was left, or a backup's label.
pub(crate) fn is_of_log(name: &str) -> bool {
    let stem = [".history", ".backup", ".partial"].iter().find_map(|end| name.strip_suffix(end)).unwrap_or(name);
    name.len() <= 64 && stem.bytes().all(|byte| byte.is_ascii_hexdigit() || byte == b'.')
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "tests")]
    use super::*;

    #[test]
    fn names_and_positions_are_those_of_postgresql() {
        let at = position("1/2A000060").unwrap();
        assert_eq!(name(3, piece_of(at)), "00000003000000010000002A");
        assert_eq!(place("00000003000000010000002A"), Some(298));
        assert_eq!(timeline("00000003000000010000002A"), Some(3));
        assert_eq!(place("00000003.history"), None);
        assert!(position("x").is_none() && position("1/xyz").is_none());
        assert!(is_of_log("00000003.history") && is_of_log("000000010000000000000002.00000028.backup"));
        assert!(!is_of_log("../x") && !is_of_log("a b"));
    }
}
