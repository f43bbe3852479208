//! Where a program takes its answer: the addresses it may be registered with.
//!
//! Invariant: none is one that a browser would run, and only the person's own machine is reached without TLS (RFC 8252).

use url::{Host, Url};

const BYTES_MAX: usize = 2048;
/// What a browser would run, read or send rather than hand to an app.
const NEVER: &[&str] =
    &["javascript", "data", "blob", "file", "filesystem", "vbscript", "about", "mailto", "ws", "wss", "ftp", "view-source"];

/// Returns what is wrong with an address that a program is to be registered with.
pub(super) fn fault(text: &str, schemes: &[String]) -> Option<&'static str> {
    if text.is_empty() || text.len() > BYTES_MAX || !text.bytes().all(|byte| byte.is_ascii_graphic() && byte != b'\\') {
        return Some("redirect_uris must be addresses of at most 2048 characters of ASCII");
    }
    let Ok(uri) = Url::parse(text) else { return Some("redirect_uris must be whole addresses") };
    if uri.fragment().is_some() || !uri.username().is_empty() || uri.password().is_some() {
        return Some("redirect_uris have neither a fragment nor a name in front of the host");
    }
    match uri.scheme() {
        "https" => None,
        "http" if is_own_machine(&uri) => None,
        "http" => Some("redirect_uris with http are for the person's own machine: localhost, 127.0.0.1 or [::1]"),
        scheme if NEVER.contains(&scheme) => Some("redirect_uris of this scheme are not taken"),
        scheme if scheme.contains('.') || schemes.iter().any(|known| known == scheme) => None,
        _ => Some("redirect_uris of apps have a scheme with a dot, such as com.example.app, or one that the operator listed"),
    }
}

fn is_own_machine(uri: &Url) -> bool {
    match uri.host() {
        Some(Host::Domain(name)) => name == "localhost",
        Some(Host::Ipv4(address)) => address == std::net::Ipv4Addr::LOCALHOST,
        Some(Host::Ipv6(address)) => address == std::net::Ipv6Addr::LOCALHOST,
        None => false,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_a_program_may_be_registered_with() {
        let schemes = ["cursor".to_owned()];
        for (uri, good) in [
            ("https://app.example.com/callback?tenant=1", true),
            ("http://localhost:3000/callback", true),
            ("http://127.0.0.1/callback", true),
            ("http://[::1]:1/", true),
            ("com.example.app:/callback", true),
            ("cursor://anysphere.cursor-mcp/oauth/callback", true),
            ("http://app.example.com/callback", false),
            ("http://localhost.example.com/", false),
            ("http://127.0.0.2/", false),
            ("https://app.example.com/#x", false),
            ("https://app.example.com/#", false),
            ("https://app@evil.example.com/", false),
            ("https://app.example.com\\@evil.example.com/", false),
            ("https://app.example.com/\u{e4}", false),
            ("https:// app.example.com/", false),
            ("javascript:alert(1)//a.b", false),
            ("data:text/html,a.b", false),
            ("myapp://callback", false),
            ("/callback", false),
            ("", false),
        ] {
            assert_eq!(fault(uri, &schemes).is_none(), good, "{uri}");
        }
        assert!(fault(&format!("https://a.example.com/{}", "x".repeat(2048)), &schemes).is_some());
    }
}
