//! Requests to other people's servers: bounded in time and size, never redirected.
//!
//! Invariant: an address that somebody gave over an API is only followed to the public internet. Its name is resolved once, and the
//! connection goes to an address that was looked at, so that a name which changes its mind reaches nothing else.

use std::fmt;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};
use std::sync::Arc;
use std::time::Duration;

use kernel::{Error, Result};
use reqwest::dns::{Addrs, Name, Resolve, Resolving};
use reqwest::redirect::Policy;
use url::{Host, Url};

use crate::tls;

/// How requests are made.
#[derive(Clone, Copy, Debug)]
pub struct HttpOptions {
    /// How long one may take in all.
    pub time_ms: u64,
    /// The largest answer that is read.
    pub answer_bytes_max: usize,
    /// Whether addresses that were given over an API may be private ones, and without TLS.
    pub private_allowed: bool,
}

/// Who named an address.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum NamedBy {
    /// The operator, in the configuration: he knows his network.
    Operator,
    /// Somebody over an API.
    Client,
}

/// What makes requests. Cheap to clone.
#[derive(Clone)]
pub struct Http {
    free: reqwest::Client,
    guarded: reqwest::Client,
    options: HttpOptions,
}

/// One request.
#[derive(Clone, Copy)]
pub struct Call<'a> {
    /// Where to.
    pub url: &'a Url,
    /// Who named it.
    pub named_by: NamedBy,
    /// Members of a form that is posted; without them something is fetched.
    pub form: Option<&'a [(&'a str, &'a str)]>,
    /// A token that lets in.
    pub bearer: Option<&'a str>,
}

/// An answer.
#[derive(Clone)]
pub struct Answer {
    /// Its status.
    pub status: u16,
    /// All of it.
    pub body: Vec<u8>,
}

/// Why there is no answer.
#[derive(Debug, thiserror::Error)]
pub enum HttpFault {
    /// The address is not one that a client may send this server to.
    #[error("the address is none of the public internet, or has no TLS")]
    Address,
    /// Nobody answered in time.
    #[error("no answer: {0}")]
    Unreachable(String),
    /// The answer is larger than what is read.
    #[error("the answer is too large")]
    TooLarge,
}

impl Http {
    /// Sets it up. Connects to nothing yet.
    pub fn new(options: HttpOptions) -> Result<Self> {
        let builder = || {
            let tls = tls::client().map_err(Error::internal)?;
            Ok::<_, Error>(
                reqwest::Client::builder()
                    .timeout(Duration::from_millis(options.time_ms))
                    .redirect(Policy::none())
                    .user_agent("Thorbis")
                    .use_preconfigured_tls(tls),
            )
        };
        let free = builder()?.build().map_err(Error::internal)?;
        // A proxy would resolve the name again.
        let guarded = if options.private_allowed { builder()? } else { builder()?.no_proxy().dns_resolver(Arc::new(PublicNames)) };
        Ok(Self { free, guarded: guarded.build().map_err(Error::internal)?, options })
    }

    /// Makes a request.
    pub async fn send(&self, call: Call<'_>) -> std::result::Result<Answer, HttpFault> {
        let client = match call.named_by {
            NamedBy::Operator => &self.free,
            NamedBy::Client if self.is_allowed(call.url) => &self.guarded,
            NamedBy::Client => return Err(HttpFault::Address),
        };
        let request = match call.form {
            Some(form) => client.post(call.url.clone()).form(form),
            None => client.get(call.url.clone()),
        };
        let request = match call.bearer {
            Some(token) => request.bearer_auth(token),
            None => request,
        };
        // What went wrong may name the address with its query; that is nobody's concern.
        let unreachable = |error: reqwest::Error| HttpFault::Unreachable(error.without_url().to_string());
        let mut answer = request.header("accept", "application/json").send().await.map_err(unreachable)?;
        let mut body = Vec::new();
        while let Some(chunk) = answer.chunk().await.map_err(unreachable)? {
            if body.len() + chunk.len() > self.options.answer_bytes_max {
                return Err(HttpFault::TooLarge);
            }
            body.extend_from_slice(&chunk);
        }
        Ok(Answer { status: answer.status().as_u16(), body })
    }

    /// Tells whether a client may send this server to an address, as far as its text says.
    pub fn is_allowed(&self, url: &Url) -> bool {
        let bare = url.username().is_empty() && url.password().is_none();
        if self.options.private_allowed {
            return bare && matches!(url.scheme(), "http" | "https") && url.has_host();
        }
        bare && url.scheme() == "https"
            && match url.host() {
                Some(Host::Ipv4(address)) => is_public(address.into()),
                Some(Host::Ipv6(address)) => is_public(address.into()),
                Some(Host::Domain(name)) => {
                    name.rsplit_once('.').is_some_and(|(_, last)| !matches!(last, "" | "localhost" | "local" | "internal"))
                }
                None => false,
            }
    }
}

impl fmt::Debug for Http {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Http").field("options", &self.options).finish_non_exhaustive()
    }
}

/// Names, as far as they stand for public addresses.
struct PublicNames;

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

/// Tells whether an address is one of the public internet.
fn is_public(address: IpAddr) -> bool {
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

    fn http(private_allowed: bool) -> Http {
        Http::new(HttpOptions { time_ms: 1000, answer_bytes_max: 1000, private_allowed }).unwrap()
    }

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

    #[test]
    fn a_client_sends_this_server_nowhere_else() {
        let guarded = http(false);
        assert!(guarded.is_allowed(&Url::parse("https://accounts.example.com/x?y").unwrap()));
        for url in [
            "http://accounts.example.com/",
            "https://localhost/",
            "https://metrics/",
            "https://printer.local/",
            "https://127.0.0.1/",
            "https://2130706433/",
            "https://0x7f.1/",
            "https://0177.0.0.1/",
            "https://[::1]/",
            "https://[::ffff:10.0.0.1]/",
            "https://169.254.169.254/latest",
            "https://a@accounts.example.com/",
            "file:///etc/passwd",
            "ftp://accounts.example.com/",
        ] {
            assert!(!guarded.is_allowed(&Url::parse(url).unwrap()), "{url}");
        }
        let open = http(true);
        assert!(open.is_allowed(&Url::parse("http://127.0.0.1:9/").unwrap()));
        assert!(!open.is_allowed(&Url::parse("file:///etc/passwd").unwrap()));
    }

    #[tokio::test]
    async fn a_name_that_stands_for_a_private_address_is_not_followed() {
        assert!(PublicNames.resolve("localhost".parse().unwrap()).await.is_err());
        let url = Url::parse("https://127.0.0.1/").unwrap();
        let call = Call { url: &url, named_by: NamedBy::Client, form: None, bearer: None };
        assert!(matches!(http(false).send(call).await, Err(HttpFault::Address)));
    }
}
