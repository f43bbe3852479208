//! What clients say that the bytes of an upload come out as.
//!
//! Invariant: what is said is held against what came, before anything is kept.

use aws_lc_rs::digest::{Context, SHA1_FOR_LEGACY_USE_ONLY, SHA256};
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use md5::{Digest as _, Md5};

/// A way to digest bytes.
pub(super) enum Sum {
    Sha(Context),
    Md5(Md5),
    /// A reflected polynomial with what has come, and how many bytes the outcome has.
    Crc {
        table: &'static [u64; 256],
        state: u64,
        bytes: usize,
    },
}

/// Polynomials, reflected: of CRC32, CRC32C and CRC64NVME.
static CRC32: [u64; 256] = table(0xedb8_8320);
static CRC32C: [u64; 256] = table(0x82f6_3b78);
static CRC64NVME: [u64; 256] = table(0x9a6c_9329_ac4b_c9b5);

const fn table(polynomial: u64) -> [u64; 256] {
    let mut table = [0; 256];
    let mut index = 0;
    let mut byte: u64 = 0;
    while index < 256 {
        let mut value = byte;
        let mut bit = 0;
        while bit < 8 {
            value = if value & 1 == 1 { (value >> 1) ^ polynomial } else { value >> 1 };
            bit += 1;
        }
        #[expect(clippy::indexing_slicing, reason = "below 256, by the loop, when the program is compiled")]
        {
            table[index] = value;
        }
        index += 1;
        byte += 1;
    }
    table
}

impl Sum {
    /// Returns the way of a header such as `x-amz-checksum-crc32`, or of `content-md5`.
    pub(super) fn of_header(name: &str) -> Option<Self> {
        Some(match name {
            "content-md5" => Self::md5(),
            "x-amz-checksum-sha1" => Self::Sha(Context::new(&SHA1_FOR_LEGACY_USE_ONLY)),
            "x-amz-checksum-sha256" => Self::sha256(),
            "x-amz-checksum-crc32" => Self::Crc { table: &CRC32, state: 0xffff_ffff, bytes: 4 },
            "x-amz-checksum-crc32c" => Self::Crc { table: &CRC32C, state: 0xffff_ffff, bytes: 4 },
            "x-amz-checksum-crc64nvme" => Self::Crc { table: &CRC64NVME, state: u64::MAX, bytes: 8 },
            _ => return None,
        })
    }

    pub(super) fn md5() -> Self {
        Self::Md5(Md5::new())
    }

    pub(super) fn sha256() -> Self {
        Self::Sha(Context::new(&SHA256))
    }

    pub(super) fn update(&mut self, piece: &[u8]) {
        match self {
            Self::Sha(context) => context.update(piece),
            Self::Md5(md5) => md5.update(piece),
            Self::Crc { table, state, .. } => {
                for byte in piece {
                    let index = usize::try_from((*state ^ u64::from(*byte)) & 0xff).unwrap_or_default();
                    *state = table.get(index).copied().unwrap_or_default() ^ (*state >> 8);
                }
            }
        }
    }

    pub(super) fn finish(self) -> Vec<u8> {
        match self {
            Self::Sha(context) => context.finish().as_ref().to_vec(),
            Self::Md5(md5) => md5.finalize().to_vec(),
            Self::Crc { state, bytes, .. } => {
                let all = (!state).to_be_bytes();
                all.get(all.len().saturating_sub(bytes)..).unwrap_or_default().to_vec()
            }
        }
    }

    pub(super) fn base64(self) -> String {
        STANDARD.encode(self.finish())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::s3::signature::hex;

    #[test]
    fn nine_digits_come_out_as_the_catalogue_says() {
        // The check values of the catalogue of parametrised CRC algorithms, and those of md5sum and sha1sum.
        for (name, expected) in [
            ("x-amz-checksum-crc32", "cbf43926"),
            ("x-amz-checksum-crc32c", "e3069283"),
            ("x-amz-checksum-crc64nvme", "ae8b14860a799888"),
            ("content-md5", "25f9e794323b453885f5181f1b624d0b"),
            ("x-amz-checksum-sha1", "f7c3bc1d808e04732adf679965ccc34ca7ae3441"),
        ] {
            let mut sum = Sum::of_header(name).unwrap();
            sum.update(b"1234");
            sum.update(b"56789");
            assert_eq!(hex(&sum.finish()), expected, "{name}");
        }
        assert!(Sum::of_header("x-amz-checksum-type").is_none());
    }
}
