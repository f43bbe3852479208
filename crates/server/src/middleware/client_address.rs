//! Where a request comes from: the one place that reads what proxies say.
//!
//! Invariant: whatever a client writes itself changes nothing. Only the last hop's word counts, if it is a configured proxy, then that of
//! the hop before it, and so on: the first address from the right that is no configured proxy is the client.

use std::net::IpAddr;

use http::HeaderMap;
use ipnet::IpNet;

use crate::config::{self, ForwardedHeader};

/// The proxies that are believed; none by default.
#[derive(Clone, Debug, Default)]
pub(crate) struct Proxies {
    trusted: Vec<IpNet>,
    header: ForwardedHeader,
}

/// Reads an address or a range of addresses.
pub(crate) fn range(text: &str) -> Option<IpNet> {
    let address = || text.parse::<IpAddr>().ok().map(|address| IpNet::from(address.to_canonical()));
    text.parse().ok().or_else(address)
}

impl Proxies {
    pub(crate) fn new(config: &config::Proxies) -> Self {
        Self { trusted: config.trusted.iter().filter_map(|text| range(text)).collect(), header: config.header }
    }

    /// Returns the address of whoever is asked for.
    pub(super) fn client(&self, peer: IpAddr, headers: &HeaderMap) -> IpAddr {
        let mut client = peer.to_canonical();
        if !self.trusts(client) {
            return client;
        }
        let name = match self.header {
            ForwardedHeader::XForwardedFor => "x-forwarded-for",
            ForwardedHeader::Forwarded => "forwarded",
        };
        // Several headers of one name are one list.
        for value in headers.get_all(name).iter().rev() {
            // What is no text was not written by a proxy of ours.
            let Ok(text) = value.to_str() else { return client };
            for hop in text.rsplit(',') {
                // A hop that hides, or that cannot be read: the proxy before it is the last that is known.
                let Some(address) = self.hop(hop.trim()) else { return client };
                client = address;
                if !self.trusts(client) {
                    return client;
                }
            }
        }
        client
    }

    pub(super) fn trusts(&self, address: IpAddr) -> bool {
        self.trusted.iter().any(|range| range.contains(&address))
    }

    /// Returns which header they write.
    pub(super) fn header(&self) -> ForwardedHeader {
        self.header
    }

    fn hop(&self, text: &str) -> Option<IpAddr> {
        match self.header {
            ForwardedHeader::XForwardedFor => address(text),
            ForwardedHeader::Forwarded => {
                let mut pairs = text.split(';').filter_map(|pair| pair.trim().split_once('='));
                let (_, value) = pairs.find(|(name, _)| name.eq_ignore_ascii_case("for"))?;
                address(value.strip_prefix('"').and_then(|value| value.strip_suffix('"')).unwrap_or(value))
            }
        }
    }
}

/// Reads an address, with a port or without: `192.0.2.1`, `192.0.2.1:80`, `2001:db8::1`, `[2001:db8::1]`, `[2001:db8::1]:80`.
fn address(text: &str) -> Option<IpAddr> {
    let bare = match text.strip_prefix('[') {
        Some(rest) => {
            let (inside, behind) = rest.split_once(']')?;
            (behind.is_empty() || behind.strip_prefix(':').is_some_and(is_port)).then_some(inside)?
        }
        None => match text.split_once(':') {
            Some((before, port)) if !port.contains(':') => is_port(port).then_some(before)?,
            _ => text,
        },
    };
    bare.parse::<IpAddr>().ok().map(|address| address.to_canonical())
}

fn is_port(text: &str) -> bool {
    text.parse::<u16>().is_ok()
}

#[cfg(test)]
mod tests {
    use http::{HeaderName, HeaderValue};

    use super::*;

    fn client(header: ForwardedHeader, peer: &str, lines: &[(&'static str, &'static str)]) -> String {
        let trusted = ["10.0.0.0/8", "192.0.2.7", "2001:db8:1::/48"].map(str::to_owned).to_vec();
        let proxies = Proxies::new(&config::Proxies { trusted, header });
        let mut headers = HeaderMap::new();
        for (name, value) in lines {
            headers.append(HeaderName::from_static(name), HeaderValue::from_static(value));
        }
        proxies.client(peer.parse().unwrap(), &headers).to_string()
    }

    #[test]
    fn nobody_is_believed_who_is_not_configured() {
        let lines = [("x-forwarded-for", "203.0.113.9"), ("forwarded", "for=203.0.113.9"), ("x-real-ip", "203.0.113.9")];
        assert_eq!(client(ForwardedHeader::XForwardedFor, "198.51.100.1", &lines), "198.51.100.1");
        assert_eq!(client(ForwardedHeader::Forwarded, "198.51.100.1", &lines), "198.51.100.1");
        assert_eq!(client(ForwardedHeader::XForwardedFor, "::ffff:198.51.100.1", &lines), "198.51.100.1");
        let nobody = Proxies::default().client("10.1.1.1".parse().unwrap(), &HeaderMap::new());
        assert_eq!(nobody.to_string(), "10.1.1.1");
    }

    #[test]
    fn the_first_from_the_right_that_is_no_proxy_is_the_client() {
        let by_list = |peer: &str, value: &'static str| client(ForwardedHeader::XForwardedFor, peer, &[("x-forwarded-for", value)]);
        assert_eq!(by_list("10.0.0.1", "203.0.113.9"), "203.0.113.9");
        // What the client wrote himself stands at the left.
        assert_eq!(by_list("10.0.0.1", "1.2.3.4, 203.0.113.9, 10.9.9.9"), "203.0.113.9");
        assert_eq!(by_list("192.0.2.7", "10.0.0.5, 10.0.0.4"), "10.0.0.5", "all are proxies");
        assert_eq!(by_list("::ffff:10.0.0.1", "203.0.113.9:4711"), "203.0.113.9");
        assert_eq!(by_list("2001:db8:1::5", "2001:db8:2::9, [2001:db8:1::4]:443"), "2001:db8:2::9");
        let two = [("x-forwarded-for", "1.2.3.4"), ("x-forwarded-for", "203.0.113.9")];
        assert_eq!(client(ForwardedHeader::XForwardedFor, "10.0.0.1", &two), "203.0.113.9", "two headers are one list");
    }

    #[test]
    fn what_cannot_be_read_hides_nobody_behind_another() {
        let by_list = |value: &'static str| client(ForwardedHeader::XForwardedFor, "10.0.0.1", &[("x-forwarded-for", value)]);
        for odd in ["", "unknown", "203.0.113.9, _hidden", "203.0.113.9,", "1.2.3.4, 203.0.113.9:x", "[2001:db8::1", "203.0.113.9.1"] {
            assert_eq!(by_list(odd), "10.0.0.1", "{odd}");
        }
        assert_eq!(by_list("unknown, 10.0.0.3"), "10.0.0.3");
    }

    #[test]
    fn the_other_header_is_not_looked_at() {
        let lines = [("x-forwarded-for", "203.0.113.9"), ("forwarded", "for=1.2.3.4")];
        assert_eq!(client(ForwardedHeader::XForwardedFor, "10.0.0.1", &lines), "203.0.113.9");
        let standard = r#"for=192.0.2.43, For="[2001:db8:cafe::17]:4711";proto=https;by=203.0.113.43"#;
        assert_eq!(client(ForwardedHeader::Forwarded, "10.0.0.1", &[("forwarded", standard)]), "2001:db8:cafe::17");
        assert_eq!(client(ForwardedHeader::Forwarded, "10.0.0.1", &[("forwarded", "proto=https")]), "10.0.0.1");
    }
}
