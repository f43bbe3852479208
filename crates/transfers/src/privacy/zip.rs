//! A ZIP that is made while it is sent: entries as they are, one after the other, each followed by its checksum and length.
//!
//! Invariant: nothing but the names, checksums and lengths of entries is kept. What is longer than a ZIP of the first kind can say ends with an error.

use bytes::{BufMut as _, Bytes, BytesMut};
use kernel::{Error, Result};

/// Lengths come behind the entry (bit 3), names are UTF-8 (bit 11).
const FLAGS: u16 = 0x0808;
/// The version that knows entries without a length.
const VERSION: u16 = 20;
/// The first of January 1980, with which times of ZIP begin: an entry says nothing of when it was made.
const DATE: u16 = 0x0021;
/// Entries that a ZIP of the first kind can have.
pub(super) const ENTRIES_MAX: usize = 65_000;

/// An entry that is over.
struct Entry {
    name: String,
    crc: u32,
    bytes: u32,
    at: u32,
}

/// A ZIP that goes on.
#[derive(Default)]
pub(super) struct Zip {
    at: u64,
    entries: Vec<Entry>,
    /// The entry that is written now.
    open: Option<(String, u64, crc32fast::Hasher, u64)>,
}

impl Zip {
    /// Begins an entry.
    pub(super) fn begin(&mut self, name: String) -> Result<Bytes> {
        let mut head = BytesMut::with_capacity(30 + name.len());
        head.put_slice(b"PK\x03\x04");
        for word in [VERSION, FLAGS, 0, 0, DATE] {
            head.put_u16_le(word);
        }
        // Checksum and lengths come behind it.
        head.put_bytes(0, 12);
        head.put_u16_le(u16::try_from(name.len()).map_err(Error::internal)?);
        head.put_u16_le(0);
        head.put_slice(name.as_bytes());
        self.open = Some((name, self.at, crc32fast::Hasher::new(), 0));
        self.passed(head)
    }

    /// Counts a piece of the entry, which is sent as it is.
    pub(super) fn put(&mut self, piece: &Bytes) {
        if let Some((_, _, crc, bytes)) = &mut self.open {
            crc.update(piece);
            let more = u64::try_from(piece.len()).unwrap_or(u64::MAX);
            *bytes = bytes.saturating_add(more);
            self.at = self.at.saturating_add(more);
        }
    }

    /// Ends the entry.
    pub(super) fn end(&mut self) -> Result<Bytes> {
        let (name, at, crc, bytes) = self.open.take().ok_or_else(|| Error::internal("no entry was begun"))?;
        let (crc, bytes, at) = (crc.finalize(), small(bytes)?, small(at)?);
        let mut tail = BytesMut::with_capacity(16);
        tail.put_slice(b"PK\x07\x08");
        for number in [crc, bytes, bytes] {
            tail.put_u32_le(number);
        }
        self.entries.push(Entry { name, crc, bytes, at });
        self.passed(tail)
    }

    /// Returns the list of entries, which is the end.
    pub(super) fn finish(&mut self) -> Result<Bytes> {
        let from = small(self.at)?;
        let mut list = BytesMut::new();
        for Entry { name, crc, bytes, at } in &self.entries {
            list.put_slice(b"PK\x01\x02");
            for word in [VERSION, VERSION, FLAGS, 0, 0, DATE] {
                list.put_u16_le(word);
            }
            for number in [*crc, *bytes, *bytes] {
                list.put_u32_le(number);
            }
            list.put_u16_le(u16::try_from(name.len()).map_err(Error::internal)?);
            // No extra field, no comment, the first disk, no attributes.
            list.put_bytes(0, 12);
            list.put_u32_le(*at);
            list.put_slice(name.as_bytes());
        }
        let (count, bytes) =
            (u16::try_from(self.entries.len()).map_err(Error::internal)?, u32::try_from(list.len()).map_err(Error::internal)?);
        list.put_slice(b"PK\x05\x06");
        list.put_u32_le(0);
        list.put_u16_le(count);
        list.put_u16_le(count);
        list.put_u32_le(bytes);
        list.put_u32_le(from);
        list.put_u16_le(0);
        self.passed(list)
    }

    fn passed(&mut self, piece: BytesMut) -> Result<Bytes> {
        self.at = self.at.saturating_add(u64::try_from(piece.len()).map_err(Error::internal)?);
        Ok(piece.freeze())
    }
}

fn small(number: u64) -> Result<u32> {
    u32::try_from(number).map_err(Error::internal)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_zip_is_what_its_format_says() {
        let mut zip = Zip::default();
        let mut bytes = vec![];
        bytes.extend(zip.begin("a".to_owned()).unwrap());
        let piece = Bytes::from_static(b"123456789");
        zip.put(&piece);
        bytes.extend(&piece);
        bytes.extend(zip.end().unwrap());
        bytes.extend(zip.finish().unwrap());
        // The checksum of these digits is known to be CBF43926.
        let expected: &[&[u8]] = &[
            b"PK\x03\x04\x14\0\x08\x08\0\0\0\0\x21\0\0\0\0\0\0\0\0\0\0\0\0\0\x01\0\0\0a",
            b"123456789",
            b"PK\x07\x08\x26\x39\xf4\xcb\x09\0\0\0\x09\0\0\0",
            b"PK\x01\x02\x14\0\x14\0\x08\x08\0\0\0\0\x21\0\x26\x39\xf4\xcb\x09\0\0\0\x09\0\0\0\x01\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0a",
            b"PK\x05\x06\0\0\0\0\x01\0\x01\0\x2f\0\0\0\x38\0\0\0\0\0",
        ];
        assert_eq!(bytes, expected.concat());
        assert_eq!(Zip::default().finish().unwrap().len(), 22);
        assert!(Zip::default().end().is_err());
    }
}
