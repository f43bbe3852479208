//! Which addresses are those of the public internet.
//!
//! Invariant: a name is resolved once, and a connection goes to an address that was looked at, so that a name which changes its mind
//! reaches nothing else.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};

use ipnet::IpNet;
use reqwest::dns::{Addrs, Name, Resolve, Resolving};

use crate::http::HttpFault;

/// Names, as far as they stand for public addresses.
pub(crate) struct PublicNames;

impl Resolve for PublicNames {
    fn resolve(&self, name: Name) -> Resolving {
        Box::pin(async move {
            let found = tokio::net::lookup_host((name.as_str(), 0)).await?;
            let public: Vec<SocketAddr> = found.filter(|address| is_public(address.ip())).collect();
            if public.is_empty() {
                return Err(HttpFault::Address.into());
            }
            let addresses: Addrs = Box::new(public.into_iter());
            Ok(addresses)
        })
    }
}

/// Names, as far as they stand for addresses of some networks.
pub(crate) struct ListedNames {
    pub(crate) networks: Vec<IpNet>,
    pub(crate) private_allowed: bool,
}

impl Resolve for ListedNames {
    fn resolve(&self, name: Name) -> Resolving {
        let (networks, private_allowed) = (self.networks.clone(), self.private_allowed);
        Box::pin(async move {
            let found = tokio::net::lookup_host((name.as_str(), 0)).await?;
            let allowed: Vec<SocketAddr> = found.filter(|address| private_allowed || is_public(address.ip())).collect();
            if allowed.is_empty() {
                return Err(HttpFault::Address.into());
            }
            let listed: Vec<SocketAddr> = allowed.into_iter().filter(|address| is_listed(&networks, address.ip())).collect();
            if listed.is_empty() {
                return Err(HttpFault::Unlisted.into());
            }
            let addresses: Addrs = Box::new(listed.into_iter());
            Ok(addresses)
        })
    }
}

/// Tells whether an address is of one of these networks.
pub(crate) fn is_listed(networks: &[IpNet], address: IpAddr) -> bool {
    networks.iter().any(|network| network.contains(&address.to_canonical()))
}

/// Tells whether an address is one of the public internet.
pub(crate) fn is_public(address: IpAddr) -> bool {
    match address {
        IpAddr::V4(address) => is_public_v4(address),
        IpAddr::V6(address) => match address.to_ipv4_mapped() {
            Some(mapped) => is_public_v4(mapped),
            None => is_public_v6(address),
        },
    }
}

fn is_public_v4(address: Ipv4Addr) -> bool {
    let [a, b, c, _] = address.octets();
    let is_special = match (a, b) {
        // Those of no network, of this machine, multicast and reserved ones; private ones.
        (0 | 10 | 127 | 224..=255, _) | (100, 64..=127) | (172, 16..=31) | (169, 254) | (192, 168) | (198, 18..=19) => true,
        (192, 0) => c == 0 || c == 2,
        (192, 88) => c == 99,
        (198, 51) => c == 100,
        (203, 0) => c == 113,
        _ => false,
    };
    !is_special
}

/// Of IPv6 only what is given out to the world (`2000::/3`), without the parts that stand for other addresses or for nothing.
fn is_public_v6(address: Ipv6Addr) -> bool {
    let [a, b, ..] = address.segments();
    let is_global = a & 0xe000 == 0x2000;
    // Teredo and others of 2001::/23, documentation, and 6to4, which carries an address of IPv4.
    let is_special = (a == 0x2001 && (b < 0x200 || b == 0xdb8)) || a == 0x2002 || (a == 0x3fff && b < 0x1000);
    is_global && !is_special
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_public_addresses_are_public() {
        for public in ["8.8.8.8", "1.1.1.1", "172.32.0.1", "2606:4700::1111", "::ffff:8.8.8.8"] {
            assert!(is_public(public.parse().unwrap()), "{public}");
        }
        for private in [
            "0.0.0.0",
            "127.0.0.1",
            "127.8.8.8",
            "10.0.0.1",
            "172.16.0.1",
            "172.31.255.255",
            "192.168.1.1",
            "169.254.169.254",
            "100.64.0.1",
            "192.0.0.170",
            "198.18.0.1",
            "203.0.113.1",
            "224.0.0.1",
            "255.255.255.255",
            "::",
            "::1",
            "::ffff:127.0.0.1",
            "::ffff:169.254.169.254",
            "::127.0.0.1",
            "64:ff9b::7f00:1",
            "fe80::1",
            "fc00::1",
            "fd12::1",
            "ff02::1",
            "2001:db8::1",
            "2002:7f00:1::",
        ] {
            assert!(!is_public(private.parse().unwrap()), "{private}");
        }
    }

    #[tokio::test]
    async fn a_name_that_stands_for_a_private_address_is_not_followed() {
        assert!(PublicNames.resolve("localhost".parse().unwrap()).await.is_err());
    }
}
