//! Sums over rows: one that depends on their order and one that does not.
//!
//! Invariant: the second is the sum, modulo 2^256, of the SHA-256 of each line. New ids change the order in which rows are read back, and
//! not this.

use aws_lc_rs::digest::{Context, SHA256, digest};
use memchr::memchr_iter;

/// A running SHA-256.
pub(crate) struct Sha256(Context);

/// Sums over lines.
pub(crate) struct Sums {
    pub(crate) rows: u64,
    in_order: Sha256,
    total: [u8; 32],
}

impl Sha256 {
    pub(crate) fn new() -> Self {
        Self(Context::new(&SHA256))
    }

    pub(crate) fn add(&mut self, bytes: &[u8]) {
        self.0.update(bytes);
    }

    pub(crate) fn end(self) -> String {
        hex(self.0.finish().as_ref())
    }
}

impl Sums {
    pub(crate) fn new() -> Self {
        Self { rows: 0, in_order: Sha256::new(), total: [0; 32] }
    }

    /// Adds whole lines.
    pub(crate) fn add(&mut self, lines: &[u8]) {
        self.in_order.add(lines);
        let mut begin = 0;
        for end in memchr_iter(b'\n', lines) {
            let line = digest(&SHA256, lines.get(begin..end).unwrap_or_default());
            let mut carry = 0;
            for (here, there) in self.total.iter_mut().rev().zip(line.as_ref().iter().rev()) {
                let (sum, first) = here.overflowing_add(*there);
                let (sum, second) = sum.overflowing_add(carry);
                *here = sum;
                carry = u8::from(first || second);
            }
            self.rows += 1;
            begin = end + 1;
        }
    }

    /// Returns the SHA-256 in order, and the sum.
    pub(crate) fn end(self) -> (String, String) {
        (self.in_order.end(), hex(&self.total))
    }
}

/// Returns the SHA-256 of bytes.
pub(crate) fn sha256(bytes: &[u8]) -> String {
    hex(digest(&SHA256, bytes).as_ref())
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().flat_map(|byte| [byte >> 4, byte & 15]).filter_map(|half| char::from_digit(u32::from(half), 16)).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_order_of_lines_counts_for_one_sum_alone() {
        let of = |lines: &[u8]| {
            let mut sums = Sums::new();
            sums.add(lines);
            (sums.rows, sums.end())
        };
        let (one, other) = (of(b"a\nb\nc\n"), of(b"c\na\nb\n"));
        assert_eq!((one.0, other.0), (3, 3));
        assert_ne!(one.1.0, other.1.0);
        assert_eq!(one.1.1, other.1.1);
        assert_ne!(one.1.1, of(b"a\nb\nb\n").1.1);
        // The digest of "a", as sha256sum prints it.
        assert_eq!(of(b"a\n").1.1, "ca978112ca1bbdcafac231b39a23dc4da786eff8147c4e72b9807785afee48bb");
    }
}
