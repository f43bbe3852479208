//! Requests to other people's servers: bounded in time and size, never redirected.
//!
//! Invariant: an address that somebody gave over an API is only followed to the public internet, whatever its name stands for when the
//! connection is made. No error repeats an address, a header or a body, which may hold a secret.

use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use http::header::{ACCEPT, HeaderValue};
use http::{HeaderMap, HeaderName, Method, StatusCode};
use ipnet::IpNet;
use kernel::trace::TARGET;
use kernel::{Error, Result};
use reqwest::redirect::Policy;
use tracing::field::Empty;
use tracing::{Instrument, Span};
use url::{Host, Url};

use crate::addresses::{ListedNames, PublicNames, is_listed, is_public};
use crate::tls;

/// The longest that anybody is waited for.
pub const TIME_MAX: Duration = Duration::from_secs(30);

/// What tells a host of our own to which trace a request belongs.
const TRACE_PARENT: HeaderName = HeaderName::from_static("traceparent");

/// How requests are made.
#[derive(Clone, Copy, Debug)]
pub struct HttpOptions {
    /// What one may take that says nothing of its own.
    pub bounds: Bounds,
    /// Whether addresses that were given over an API may be private ones, and without TLS.
    pub private_allowed: bool,
}

/// How much an answer may take.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Bounds {
    /// Bytes of its body.
    pub bytes_max: usize,
    /// From the connection to the last byte; [`TIME_MAX`] at most.
    pub time: Duration,
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
pub struct Call<'a> {
    url: &'a Url,
    method: Option<Method>,
    named_by: NamedBy,
    content: Content<'a>,
    headers: HeaderMap,
    shown: Option<Shown<'a>>,
    bounds: Option<Bounds>,
    only: Option<&'a [IpNet]>,
}

enum Content<'a> {
    None,
    Form(&'a [(&'a str, &'a str)]),
    Body(Vec<u8>),
}

/// What lets in.
enum Shown<'a> {
    Token(&'a str),
    Password(&'a str, &'a str),
}

/// An answer that was read to its end.
#[derive(Clone, Debug)]
pub struct Answer {
    /// Its status.
    pub status: StatusCode,
    /// Its headers.
    pub headers: HeaderMap,
    /// Its body.
    pub body: Vec<u8>,
    /// Whether more came than is kept of it, which was not read.
    pub is_cut: bool,
}

/// Why there is no answer.
#[derive(Clone, PartialEq, Eq, Debug, thiserror::Error)]
pub enum HttpFault {
    /// The address is not one that a client may send this server to.
    #[error("the address is none of the public internet, or has no TLS")]
    Address,
    /// The address is none of those that it is to be.
    #[error("the address is none of those that are listed")]
    Unlisted,
    /// Not within the time.
    #[error("no answer in time")]
    Time,
    /// Not reached, or broken off.
    #[error("no answer: {0}")]
    Unreachable(String),
    /// The answer is larger than what is read.
    #[error("the answer is too large")]
    TooLarge,
}

impl HttpFault {
    /// Returns the word for it.
    fn name(&self) -> &'static str {
        match self {
            Self::Address => "address",
            Self::Unlisted => "unlisted",
            Self::Time => "time",
            Self::Unreachable(_) => "unreachable",
            Self::TooLarge => "too_large",
        }
    }
}

impl<'a> Call<'a> {
    /// Fetches something.
    pub fn get(url: &'a Url, named_by: NamedBy) -> Self {
        Self { url, method: None, named_by, content: Content::None, headers: HeaderMap::new(), shown: None, bounds: None, only: None }
    }

    /// Posts the members of a form.
    pub fn form(url: &'a Url, named_by: NamedBy, form: &'a [(&'a str, &'a str)]) -> Self {
        Self { content: Content::Form(form), ..Self::get(url, named_by) }
    }

    /// Posts a body, of the type that the headers say.
    pub fn post(url: &'a Url, named_by: NamedBy, headers: HeaderMap, body: Vec<u8>) -> Self {
        Self { content: Content::Body(body), headers, ..Self::get(url, named_by) }
    }

    /// Asks with headers and no body.
    pub fn bare(url: &'a Url, named_by: NamedBy, headers: HeaderMap) -> Self {
        Self { headers, ..Self::get(url, named_by) }
    }

    /// Asks by another method.
    #[must_use]
    pub fn with_method(self, method: Method) -> Self {
        Self { method: Some(method), ..self }
    }

    /// Shows a token that lets in.
    #[must_use]
    pub fn with_bearer(self, token: &'a str) -> Self {
        Self { shown: Some(Shown::Token(token)), ..self }
    }

    /// Shows a name and a password.
    #[must_use]
    pub fn with_password(self, name: &'a str, password: &'a str) -> Self {
        Self { shown: Some(Shown::Password(name, password)), ..self }
    }

    /// Takes no more than this.
    #[must_use]
    pub fn within(self, bounds: Bounds) -> Self {
        Self { bounds: Some(bounds), ..self }
    }

    /// Begins its span. Where to a client sends this server is that client's business.
    fn span(&self) -> Span {
        let host = self.url.host_str().filter(|_| self.named_by == NamedBy::Operator);
        let posts = !matches!(self.content, Content::None);
        let method = self.method.as_ref().map_or(if posts { "POST" } else { "GET" }, Method::as_str);
        tracing::info_span!(target: TARGET, "call", method, host, status = Empty, code = Empty)
    }

    /// Goes to an address of these networks, or nowhere.
    #[must_use]
    pub fn only_to(self, networks: &'a [IpNet]) -> Self {
        Self { only: Some(networks), ..self }
    }
}

impl Http {
    /// Sets it up. Connects to nothing yet.
    pub fn new(options: HttpOptions) -> Result<Self> {
        let free = builder()?.build().map_err(Error::internal)?;
        // A proxy would resolve the name again.
        let guarded = if options.private_allowed { builder()? } else { builder()?.no_proxy().dns_resolver(Arc::new(PublicNames)) };
        Ok(Self { free, guarded: guarded.build().map_err(Error::internal)?, options })
    }

    /// Makes a request; an answer that is too large is none.
    pub async fn send(&self, call: Call<'_>) -> std::result::Result<Answer, HttpFault> {
        let answer = self.send_and_cut(call).await?;
        if answer.is_cut { Err(HttpFault::TooLarge) } else { Ok(answer) }
    }

    /// Makes a request, and reads the answer as far as it may go.
    pub async fn send_and_cut(&self, call: Call<'_>) -> std::result::Result<Answer, HttpFault> {
        let span = call.span();
        let outcome = self.sent(call).instrument(span.clone()).await;
        match &outcome {
            Ok(answer) => span.record("status", answer.status.as_u16()),
            Err(fault) => span.record("code", fault.name()),
        };
        outcome
    }

    async fn sent(&self, call: Call<'_>) -> std::result::Result<Answer, HttpFault> {
        let bounds = call.bounds.unwrap_or(self.options.bounds);
        let request = self.request(call)?;
        let work = async {
            let mut answer = request.send().await.map_err(unreachable)?;
            let (mut body, mut is_cut) = (Vec::new(), false);
            while let Some(chunk) = answer.chunk().await.map_err(unreachable)? {
                let room = bounds.bytes_max.saturating_sub(body.len());
                body.extend(chunk.iter().take(room));
                if chunk.len() > room {
                    is_cut = true;
                    break;
                }
            }
            Ok(Answer { status: answer.status(), headers: answer.headers().clone(), body, is_cut })
        };
        tokio::time::timeout(bounds.time.min(TIME_MAX), work).await.unwrap_or(Err(HttpFault::Time))
    }

    fn request(&self, call: Call<'_>) -> std::result::Result<reqwest::RequestBuilder, HttpFault> {
        let client = match call.named_by {
            NamedBy::Operator => &self.free,
            NamedBy::Client if self.is_allowed(call.url) => &self.guarded,
            NamedBy::Client => return Err(HttpFault::Address),
        };
        let listed = call.only.map(|networks| self.listed(call.url, networks)).transpose()?;
        let client = listed.as_ref().unwrap_or(client);
        let mut headers = call.headers;
        if let Some(trace) = call.url.host_str().and_then(kernel::trace::carried_to)
            && let Ok(value) = HeaderValue::try_from(trace.to_string())
        {
            headers.insert(TRACE_PARENT, value);
        }
        headers.entry(ACCEPT).or_insert(HeaderValue::from_static("application/json"));
        let request = match call.content {
            Content::None => client.request(call.method.unwrap_or(Method::GET), call.url.clone()),
            Content::Form(form) => client.request(call.method.unwrap_or(Method::POST), call.url.clone()).form(form),
            Content::Body(body) => client.request(call.method.unwrap_or(Method::POST), call.url.clone()).body(body),
        };
        let request = request.headers(headers);
        Ok(match call.shown {
            Some(Shown::Token(token)) => request.bearer_auth(token),
            Some(Shown::Password(name, password)) => request.basic_auth(name, Some(password)),
            None => request,
        })
    }

    /// Returns what connects to addresses of these networks alone, once: a connection that is kept open would outlive the list.
    fn listed(&self, url: &Url, networks: &[IpNet]) -> std::result::Result<reqwest::Client, HttpFault> {
        let literal = match url.host() {
            Some(Host::Ipv4(address)) => Some(address.into()),
            Some(Host::Ipv6(address)) => Some(address.into()),
            _ => None,
        };
        if literal.is_some_and(|address| !is_listed(networks, address)) {
            return Err(HttpFault::Unlisted);
        }
        let names = ListedNames { networks: networks.to_vec(), private_allowed: self.options.private_allowed };
        let refused = |_| HttpFault::Unreachable("no connection can be made".to_owned());
        builder().map_err(refused)?.no_proxy().dns_resolver(Arc::new(names)).build().map_err(unreachable)
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
                    let name = name.strip_suffix('.').unwrap_or(name);
                    name.rsplit_once('.').is_some_and(|(_, last)| !matches!(last, "" | "localhost" | "local" | "internal"))
                }
                None => false,
            }
    }
}

fn builder() -> Result<reqwest::ClientBuilder> {
    let tls = tls::client().map_err(Error::internal)?;
    Ok(reqwest::Client::builder().redirect(Policy::none()).user_agent("Thorbis").use_preconfigured_tls(tls))
}

impl fmt::Debug for Http {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Http").field("options", &self.options).finish_non_exhaustive()
    }
}

/// Says what broke, with its causes: the address may hold a secret and is left out.
fn unreachable(error: reqwest::Error) -> HttpFault {
    let error = error.without_url();
    let mut text = error.to_string();
    let mut next = std::error::Error::source(&error);
    while let Some(source) = next {
        if let Some(fault @ (HttpFault::Address | HttpFault::Unlisted)) = source.downcast_ref::<HttpFault>() {
            return fault.clone();
        }
        text.push_str(": ");
        text.push_str(&source.to_string());
        next = source.source();
    }
    HttpFault::Unreachable(text)
}

#[cfg(test)]
mod tests {
    use tokio::io::{AsyncReadExt, AsyncWriteExt};
    use tokio::net::TcpListener;

    use super::*;

    const BOUNDS: Bounds = Bounds { bytes_max: 1000, time: Duration::from_secs(10) };

    fn http(private_allowed: bool) -> Http {
        Http::new(HttpOptions { bounds: BOUNDS, private_allowed }).unwrap()
    }

    /// Answers one request with these bytes and hangs up; returns where, and what it was sent.
    async fn server(answer: &'static [u8]) -> (Url, tokio::task::JoinHandle<String>) {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let url = Url::parse(&format!("http://{}/in?key=hidden", listener.local_addr().unwrap())).unwrap();
        let told = tokio::spawn(async move {
            let (mut stream, _) = listener.accept().await.unwrap();
            let mut heard = Vec::new();
            while !(heard.ends_with(b"!") || heard.starts_with(b"GET") && heard.ends_with(b"\r\n\r\n")) {
                if stream.read_buf(&mut heard).await.unwrap() == 0 {
                    break;
                }
            }
            stream.write_all(answer).await.unwrap();
            String::from_utf8(heard).unwrap()
        });
        (url, told)
    }

    #[test]
    fn a_client_sends_this_server_nowhere_else() {
        let guarded = http(false);
        for url in ["https://accounts.example.com/x?y", "https://accounts.example.com./"] {
            assert!(guarded.is_allowed(&Url::parse(url).unwrap()), "{url}");
        }
        for url in [
            "http://accounts.example.com/",
            "https://localhost/",
            "https://localhost./",
            "https://metrics/",
            "https://printer.local/",
            "https://printer.local./",
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
    async fn what_is_not_allowed_is_not_connected_to() {
        let url = Url::parse("https://127.0.0.1/").unwrap();
        assert_eq!(http(false).send(Call::get(&url, NamedBy::Client)).await.unwrap_err(), HttpFault::Address);
    }

    #[tokio::test]
    async fn only_a_listed_address_is_connected_to() {
        let networks = |texts: &[&str]| texts.iter().map(|text| text.parse().unwrap()).collect::<Vec<IpNet>>();
        for (listed, host, is_there) in [
            (&["127.0.0.0/8", "203.0.113.7/32"][..], "127.0.0.1", true),
            (&["127.0.0.0/8"], "localhost", true),
            (&["203.0.113.7/32"], "127.0.0.1", false),
            (&["203.0.113.7/32", "2001:db8::/32"], "localhost", false),
            (&[], "127.0.0.1", false),
        ] {
            let (mut url, _told) = server(b"HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\nok").await;
            url.set_host(Some(host)).unwrap();
            let answer = http(true).send(Call::get(&url, NamedBy::Client).only_to(&networks(listed))).await;
            assert_eq!(answer.map(|answer| answer.status.as_u16()).ok(), is_there.then_some(200), "{listed:?} {host}");
        }
        let url = Url::parse("http://127.0.0.1:9/").unwrap();
        let fault = http(true).send(Call::get(&url, NamedBy::Client).only_to(&[])).await.unwrap_err();
        assert_eq!(fault, HttpFault::Unlisted);
    }

    #[tokio::test]
    async fn headers_and_body_go_out_and_come_back() {
        let (url, told) = server(b"HTTP/1.1 302 Found\r\nlocation: /other\r\nretry-after: 7\r\ncontent-length: 2\r\n\r\nno").await;
        let headers = HeaderMap::from_iter([(http::header::CONTENT_TYPE, HeaderValue::from_static("application/json"))]);
        let answer = http(true).send(Call::post(&url, NamedBy::Client, headers, b"{}!".to_vec())).await.unwrap();
        assert_eq!((answer.status.as_u16(), answer.body.as_slice()), (302, &b"no"[..]));
        assert_eq!(answer.headers["retry-after"], "7");
        let heard = told.await.unwrap();
        assert!(heard.starts_with("POST /in?key=hidden HTTP/1.1\r\n") && heard.contains("content-type: application/json\r\n"), "{heard}");
        assert!(heard.ends_with("\r\n\r\n{}!"), "{heard}");
    }

    #[tokio::test]
    async fn an_answer_is_cut_where_it_may_go_no_further() {
        const LARGE: &[u8] = b"HTTP/1.1 200 OK\r\ncontent-length: 9\r\n\r\nabcdefghi";
        let bounds = Bounds { bytes_max: 4, ..BOUNDS };
        let (url, _told) = server(LARGE).await;
        let fault = http(true).send(Call::get(&url, NamedBy::Operator).within(bounds)).await.unwrap_err();
        assert_eq!(fault, HttpFault::TooLarge);
        let (url, _told) = server(LARGE).await;
        let answer = http(true).send_and_cut(Call::get(&url, NamedBy::Operator).within(bounds)).await.unwrap();
        assert_eq!((answer.body.as_slice(), answer.is_cut), (&b"abcd"[..], true));
    }

    #[tokio::test]
    async fn who_does_not_answer_is_not_waited_for_and_no_address_is_repeated() {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let url = Url::parse(&format!("http://{}/in?key=hidden", listener.local_addr().unwrap())).unwrap();
        let bounds = Bounds { time: Duration::from_millis(50), ..BOUNDS };
        assert_eq!(http(true).send(Call::get(&url, NamedBy::Operator).within(bounds)).await.unwrap_err(), HttpFault::Time);
        drop(listener);
        let fault = http(true).send(Call::get(&url, NamedBy::Operator)).await.unwrap_err();
        assert!(matches!(&fault, HttpFault::Unreachable(text) if !text.contains("hidden")), "{fault:?}");
    }
}
