//! Where a browser may be sent after a link.
//!
//! Invariant: only the site itself and what the operator listed: a link of ours never carries a session to somebody else's page.

use axum::response::{IntoResponse, Response};
use http::header::LOCATION;
use http::{HeaderValue, StatusCode};
use kernel::{Error, Result};
use url::Url;
use url::form_urlencoded::Serializer;

use crate::Auth;

/// Returns where to go: what was asked for if that is allowed, the site itself otherwise.
pub(crate) fn target(auth: &Auth, wanted: Option<&str>) -> Url {
    let site = auth.site();
    let wanted = wanted.filter(|wanted| !wanted.is_empty()).and_then(|wanted| Url::parse(wanted).ok());
    wanted.filter(|wanted| is_allowed(&site, &auth.config().one_time.redirect_urls, wanted)).unwrap_or(site)
}

/// Sends a browser there.
pub(crate) fn see_other(target: &Url) -> Result<Response> {
    let location = HeaderValue::try_from(target.as_str()).map_err(Error::internal)?;
    Ok((StatusCode::SEE_OTHER, [(LOCATION, location)]).into_response())
}

/// Sends a browser there with what went wrong: an error of OAuth if there is one, our code and words for it. An application that waits for a code in the
/// query looks there.
pub(crate) fn refuse(mut target: Url, error: Option<&str>, said: (&str, &str), in_query: bool) -> Result<Response> {
    let error = error.map(|error| ("error", error));
    let pairs = || error.into_iter().chain([("error_code", said.0), ("error_description", said.1)]);
    if in_query {
        target.query_pairs_mut().extend_pairs(pairs());
    }
    let fragment = Serializer::new(String::new()).extend_pairs(pairs()).append_pair("sb", "").finish();
    target.set_fragment(Some(&fragment));
    see_other(&target)
}

fn is_allowed(site: &Url, patterns: &[String], wanted: &Url) -> bool {
    // What a browser would run rather than go to.
    if matches!(wanted.scheme(), "javascript" | "data" | "blob" | "file" | "vbscript" | "about") {
        return false;
    }
    // Somebody else's page may look like an address of ours with a name in front.
    if !wanted.username().is_empty() || wanted.password().is_some() {
        return false;
    }
    if wanted.origin().is_tuple() && wanted.origin() == site.origin() {
        return true;
    }
    let mut bare = wanted.clone();
    bare.set_fragment(None);
    let text = bare.as_str();
    patterns
        .iter()
        .any(|pattern| matches(pattern.as_bytes(), text.as_bytes()) || matches(pattern.as_bytes(), text.trim_end_matches('/').as_bytes()))
}

/// Matches as lists of addresses for sign-in do: `*` is anything but `.` and `/`, `**` anything, `?` one character but these.
fn matches(pattern: &[u8], text: &[u8]) -> bool {
    let is_part = |byte: &u8| !matches!(byte, b'.' | b'/');
    match pattern {
        [] => text.is_empty(),
        [b'*', b'*', rest @ ..] => (0..=text.len()).any(|at| text.get(at..).is_some_and(|text| matches(rest, text))),
        [b'*', rest @ ..] => {
            let longest = text.iter().take_while(|byte| is_part(byte)).count();
            (0..=longest).any(|at| text.get(at..).is_some_and(|text| matches(rest, text)))
        }
        [b'?', rest @ ..] => text.split_first().is_some_and(|(first, text)| is_part(first) && matches(rest, text)),
        [one, rest @ ..] => text.split_first().is_some_and(|(first, text)| first == one && matches(rest, text)),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_the_site_and_what_is_listed() {
        let site = Url::parse("https://app.example.com/start").unwrap();
        let patterns = ["https://*.preview.example.com/**", "myapp://**", "http://localhost:3000", "https://exact.example.com/in?next=*"];
        let patterns = patterns.map(str::to_owned);
        for (wanted, allowed) in [
            ("https://app.example.com/welcome?x=1", true),
            ("https://app.example.com:8443/", false),
            ("http://app.example.com/", false),
            ("https://one.preview.example.com/a/b", true),
            ("https://one.two.preview.example.com/a", false),
            ("https://evil.com/.preview.example.com/", false),
            ("https://evil.com#.preview.example.com/", false),
            ("https://app.example.com@evil.com/", false),
            ("https://app.example.com.evil.com/", false),
            ("myapp://signed-in", true),
            ("http://localhost:3000", true),
            ("http://localhost:3000/", true),
            ("http://localhost:30001/", false),
            ("javascript:alert(1)", false),
            ("data:text/html,x", false),
        ] {
            assert_eq!(is_allowed(&site, &patterns, &Url::parse(wanted).unwrap()), allowed, "{wanted}");
        }
    }
}
