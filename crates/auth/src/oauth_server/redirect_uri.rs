//! Where a program takes its answer: the addresses it may be registered with, and which of them a request names.
//!
//! Invariant: an answer goes only to an address that was registered, letter by letter; only the port of a program on the person's own
//! machine may be another one, since such a program takes one that is free (RFC 8252).

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

/// Tells whether a request names an address that is registered.
pub(super) fn is_registered(registered: &[String], wanted: &str) -> bool {
    registered.iter().any(|known| known == wanted || differs_by_port(known, wanted))
}

/// Tells whether whoever takes the answer is known for sure: a site is, by its certificate; a program on the person's machine is not.
pub(super) fn is_assured(uri: &str) -> bool {
    uri.starts_with("https://")
}

/// Returns the address with the answer in its query.
pub(super) fn answered(uri: &str, answer: &[(&str, Option<&str>)]) -> Option<Url> {
    let mut url = Url::parse(uri).ok()?;
    let given = answer.iter().filter_map(|(name, value)| value.map(|value| (name, value)));
    url.query_pairs_mut().extend_pairs(given);
    Some(url)
}

fn differs_by_port(known: &str, wanted: &str) -> bool {
    let without_port = |text: &str| {
        let mut uri = Url::parse(text).ok().filter(|uri| uri.scheme() == "http" && is_own_machine(uri))?;
        uri.set_port(None).ok()?;
        Some(uri)
    };
    let plain = wanted.bytes().all(|byte| byte.is_ascii_graphic() && byte != b'\\') && !wanted.contains(['@', '#']);
    plain && without_port(known).is_some_and(|known| without_port(wanted) == Some(known))
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

    #[test]
    fn letter_by_letter_but_for_the_port_of_ones_own_machine() {
        let site = ["https://app.example.com/callback".to_owned(), "com.example.app:/callback".to_owned()];
        assert!(is_registered(&site, "https://app.example.com/callback"));
        assert!(is_registered(&site, "com.example.app:/callback"));
        for wrong in [
            "https://app.example.com/callback/",
            "https://app.example.com/callback?x=1",
            "https://app.example.com/callback#x",
            "https://APP.example.com/callback",
            "https://app.example.com:443/callback",
            "https://app.example.com/a/../callback",
            "http://app.example.com/callback",
            "https://app.example.com.evil.com/callback",
            "com.example.app:/callback2",
            "",
        ] {
            assert!(!is_registered(&site, wrong), "{wrong}");
        }
        let own = ["http://127.0.0.1/callback".to_owned(), "http://localhost:8000/callback".to_owned()];
        for right in ["http://127.0.0.1/callback", "http://127.0.0.1:51004/callback", "http://localhost:51004/callback"] {
            assert!(is_registered(&own, right), "{right}");
        }
        for wrong in [
            "http://[::1]:51004/callback",
            "http://127.0.0.1:51004/other",
            "http://127.0.0.1:51004/callback?x=1",
            "http://127.0.0.1:51004@evil.com/callback",
            "http://x@127.0.0.1:51004/callback",
            "http://127.0.0.1:51004/callback#x",
            "https://127.0.0.1:51004/callback",
            "http://127.0.0.1.evil.com:51004/callback",
        ] {
            assert!(!is_registered(&own, wrong), "{wrong}");
        }
    }

    #[test]
    fn an_answer_stands_in_the_query() {
        let answer = [("code", Some("a b&c")), ("state", None), ("iss", Some("https://x.example.com"))];
        let with = |uri: &str| answered(uri, &answer).unwrap().to_string();
        assert_eq!(with("https://a.example.com/cb?x=1"), "https://a.example.com/cb?x=1&code=a+b%26c&iss=https%3A%2F%2Fx.example.com");
        assert_eq!(with("com.example.app:/cb"), "com.example.app:/cb?code=a+b%26c&iss=https%3A%2F%2Fx.example.com");
    }
}
