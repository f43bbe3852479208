//! Address ranges as people write them: `203.0.113.7`, `203.0.113.0/24`, `2001:db8::/32`.
//!
//! Invariant: what comes out is the range itself, no address within it: PostgreSQL's `cidr` takes nothing else.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use kernel::Result;

use crate::errors::bad_request;

const RANGES_MAX: usize = 50;

/// Reads all of them.
pub(super) fn read(texts: &[String]) -> Result<Vec<String>> {
    if texts.len() > RANGES_MAX {
        return Err(bad_request("validation_failed", "allowed_addresses lists at most 50 ranges"));
    }
    let wrong = || bad_request("validation_failed", "allowed_addresses lists addresses and ranges, such as 203.0.113.7 or 203.0.113.0/24");
    texts.iter().map(|text| range(text.trim()).ok_or_else(wrong)).collect()
}

fn range(text: &str) -> Option<String> {
    let (address, bits) = match text.split_once('/') {
        Some((address, bits)) if bits.bytes().all(|byte| byte.is_ascii_digit()) => (address, Some(bits.parse::<u32>().ok()?)),
        Some(_) => return None,
        None => (text, None),
    };
    match address.parse().ok()? {
        IpAddr::V4(address) => {
            let bits = bits.unwrap_or(32);
            let mask = u32::MAX.checked_shl(32_u32.checked_sub(bits)?).unwrap_or(0);
            Some(format!("{}/{bits}", Ipv4Addr::from_bits(address.to_bits() & mask)))
        }
        IpAddr::V6(address) => {
            let bits = bits.unwrap_or(128);
            let mask = u128::MAX.checked_shl(128_u32.checked_sub(bits)?).unwrap_or(0);
            Some(format!("{}/{bits}", Ipv6Addr::from_bits(address.to_bits() & mask)))
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_range_is_what_its_addresses_have_in_common() {
        for (text, expected) in [
            ("203.0.113.7", "203.0.113.7/32"),
            ("203.0.113.7/24", "203.0.113.0/24"),
            ("10.1.2.3/0", "0.0.0.0/0"),
            ("2001:db8::1", "2001:db8::1/128"),
            ("2001:db8:ffff::/33", "2001:db8:8000::/33"),
            ("::/0", "::/0"),
        ] {
            assert_eq!(range(text).as_deref(), Some(expected));
        }
        for wrong in
            ["", "203.0.113", "203.0.113.7/33", "203.0.113.7/", "203.0.113.7/-1", "::/129", "example.com", "10.0.0.0/8/8", "1.2.3.4/+8"]
        {
            assert_eq!(range(wrong), None, "{wrong}");
        }
        assert!(read(&vec!["::1".to_owned(); 51]).is_err());
    }
}
