//! By which address a client asks for this server: what he is told as a place of ours begins with it, so that he reaches it by the name
//! that he knows.
//!
//! Invariant: what stands before the server is heard if it is a configured proxy. Where the name that was asked for cannot be that of a
//! client outside, it is the address that the operator named.

use std::net::IpAddr;
use std::sync::Arc;

use http::uri::Authority;
use http::{HeaderMap, Request, header};
use url::Url;

use super::Proxies;
use crate::config::ForwardedHeader;

/// What only something between the client and this server writes.
const BETWEEN: [&str; 4] = ["forwarded", "x-forwarded-for", "x-real-ip", "via"];

/// The address that others have of this server, and whether it speaks TLS itself.
#[derive(Clone, Debug, Default)]
pub(crate) struct OwnAddress {
    whole: Arc<str>,
    authority: Option<Authority>,
    scheme: String,
    path: String,
    tls: bool,
}

impl OwnAddress {
    pub(crate) fn new(public_url: &str, tls: bool) -> Self {
        let whole: Arc<str> = public_url.trim_end_matches('/').into();
        let authority = whole.split_once("://").and_then(|(_, rest)| rest.split('/').next()?.parse().ok());
        let url = Url::parse(&whole).ok();
        let scheme = url.as_ref().map_or("http", Url::scheme).to_owned();
        let path = url.as_ref().map_or("", |url| url.path().trim_end_matches('/')).to_owned();
        Self { whole, authority, scheme, path, tls }
    }

    /// Returns the address by which somebody asks, without a slash at its end.
    pub(super) fn asked<B>(&self, proxies: &Proxies, peer: IpAddr, request: &Request<B>) -> Arc<str> {
        self.named(proxies, peer, request).unwrap_or_else(|| Arc::clone(&self.whole))
    }

    fn named<B>(&self, proxies: &Proxies, peer: IpAddr, request: &Request<B>) -> Option<Arc<str>> {
        let headers = request.headers();
        let host = last(headers, header::HOST.as_str()).map(str::to_owned).or_else(|| request.uri().authority().map(ToString::to_string));
        let (host, scheme) = if proxies.trusts(peer.to_canonical()) {
            let told = Told::read(headers, proxies.header());
            let host = told
                .host
                .or(host)
                .map(|host| told.port.map_or_else(|| host.clone(), |port| with_port(&host, port, told.scheme.as_deref())));
            (host, told.scheme.unwrap_or_else(|| self.scheme.clone()))
        } else if BETWEEN.iter().any(|name| headers.contains_key(*name)) {
            return None;
        } else {
            (host, if self.tls { "https" } else { "http" }.to_owned())
        };
        let authority: Authority =
            host?.parse().ok().filter(|authority: &Authority| !authority.host().is_empty() && !authority.as_str().contains('@'))?;
        match &self.authority {
            // A proxy may leave the port out that the operator named.
            Some(own)
                if own.host().eq_ignore_ascii_case(authority.host()) && (authority.port().is_none() || own.port() == authority.port()) =>
            {
                None
            }
            // A proxy that asks by its own name for this machine.
            Some(own) if is_local(authority.host()) && !is_local(own.host()) => None,
            _ => Some(format!("{scheme}://{authority}{}", self.path).into()),
        }
    }
}

/// What a proxy says of the address that it was asked by.
struct Told {
    host: Option<String>,
    scheme: Option<String>,
    port: Option<u16>,
}

impl Told {
    fn read(headers: &HeaderMap, header: ForwardedHeader) -> Self {
        let (host, scheme, port) = match header {
            ForwardedHeader::XForwardedFor => {
                let said = |name: &str| last(headers, name).map(str::to_owned);
                (said("x-forwarded-host"), said("x-forwarded-proto"), said("x-forwarded-port").and_then(|port| port.parse().ok()))
            }
            ForwardedHeader::Forwarded => {
                let pairs = last(headers, "forwarded").unwrap_or_default();
                let said = |wanted: &str| {
                    let mut pairs = pairs.split(';').filter_map(|pair| pair.trim().split_once('='));
                    pairs.find(|(name, _)| name.eq_ignore_ascii_case(wanted)).map(|(_, value)| value.trim_matches('"').to_owned())
                };
                (said("host"), said("proto"), None)
            }
        };
        let scheme = scheme.map(|scheme| scheme.to_ascii_lowercase()).filter(|scheme| matches!(scheme.as_str(), "http" | "https"));
        Self { host, scheme, port }
    }
}

/// The last word of a list: what the hop before us wrote.
fn last<'a>(headers: &'a HeaderMap, name: &str) -> Option<&'a str> {
    let text = headers.get_all(name).iter().next_back()?.to_str().ok()?;
    text.rsplit(',').next().map(str::trim).filter(|word| !word.is_empty())
}

/// A host with a port, where it has none and the port is not that of its scheme.
fn with_port(host: &str, port: u16, scheme: Option<&str>) -> String {
    let has_one = host.parse::<Authority>().is_ok_and(|authority| authority.port().is_some());
    let is_usual = matches!((scheme, port), (Some("https"), 443) | (Some("http") | None, 80));
    if has_one || is_usual { host.to_owned() } else { format!("{host}:{port}") }
}

fn is_local(host: &str) -> bool {
    let address = host.trim_start_matches('[').trim_end_matches(']').parse::<IpAddr>();
    host.eq_ignore_ascii_case("localhost") || address.is_ok_and(|address| address.to_canonical().is_loopback())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config;

    fn asked(public_url: &str, header: ForwardedHeader, peer: &str, lines: &[(&str, &str)]) -> String {
        let proxies = Proxies::new(&config::Proxies { trusted: vec!["10.0.0.0/8".to_owned()], header });
        let mut request = Request::builder().uri("/x");
        for (name, value) in lines {
            request = request.header(*name, *value);
        }
        OwnAddress::new(public_url, false).asked(&proxies, peer.parse().unwrap(), &request.body(()).unwrap()).to_string()
    }

    #[test]
    fn whoever_asks_himself_is_told_the_name_that_he_knows() {
        let asked = |own: &str, host: &str| asked(own, ForwardedHeader::XForwardedFor, "198.51.100.1", &[("host", host)]);
        assert_eq!(asked("http://127.0.0.1:54321", "localhost:54321"), "http://localhost:54321");
        assert_eq!(asked("https://api.example.com/x", "files.example.com"), "http://files.example.com/x");
        assert_eq!(asked("https://api.example.com", "API.example.com"), "https://api.example.com");
        assert_eq!(asked("https://api.example.com:8443", "api.example.com"), "https://api.example.com:8443");
        assert_eq!(asked("http://localhost:1", "192.0.2.5:54321"), "http://192.0.2.5:54321");
        for odd in ["127.0.0.1:8080", "[::1]:8080", "localhost", "a b", "evil@example.com", "example.com/x", ""] {
            assert_eq!(asked("https://api.example.com", odd), "https://api.example.com", "{odd}");
        }
    }

    #[test]
    fn a_proxy_is_heard_if_it_is_one_of_ours() {
        let lines = [("host", "inside:8080"), ("x-forwarded-host", "evil.example, files.example.com"), ("x-forwarded-proto", "https")];
        let plain = |peer: &str, lines: &[(&str, &str)]| asked("https://api.example.com", ForwardedHeader::XForwardedFor, peer, lines);
        assert_eq!(plain("10.0.0.1", &lines), "https://files.example.com");
        assert_eq!(plain("198.51.100.1", &lines), "http://inside:8080", "he says himself by which name he asks");
        let through = [("host", "inside:8080"), ("x-forwarded-for", "192.0.2.1")];
        assert_eq!(plain("198.51.100.1", &through), "https://api.example.com", "who stands between is not known");
        let port = [("host", "files.example.com"), ("x-forwarded-proto", "https"), ("x-forwarded-port", "8443")];
        assert_eq!(plain("10.0.0.1", &port), "https://files.example.com:8443");
        let usual = [("host", "files.example.com"), ("x-forwarded-proto", "https"), ("x-forwarded-port", "443")];
        assert_eq!(plain("10.0.0.1", &usual), "https://files.example.com");
        let odd = [("host", "files.example.com"), ("x-forwarded-proto", "javascript")];
        assert_eq!(plain("10.0.0.1", &odd), "https://files.example.com", "as the operator named it");
        let standard = [
            ("host", "inside"),
            ("forwarded", "for=192.0.2.1, for=192.0.2.2;host=\"files.example.com\";proto=http"),
            ("x-forwarded-host", "evil.example"),
        ];
        assert_eq!(asked("https://api.example.com", ForwardedHeader::Forwarded, "10.0.0.1", &standard), "http://files.example.com");
    }
}
