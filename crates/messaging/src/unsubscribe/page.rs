//! The page that somebody sees who follows the link: a sentence and a button.
//!
//! Invariant: what a company or a mail wrote is escaped; the page runs nothing, loads nothing and is kept by nobody.

use axum::response::Response;
use http::header::{CACHE_CONTROL, CONTENT_SECURITY_POLICY, CONTENT_TYPE, REFERRER_POLICY};
use kernel::{Error, Result};
use outbound::unsubscribe::Refused;

const POLICY: &str = "default-src 'none'; style-src 'unsafe-inline'; form-action 'self'; base-uri 'none'; frame-ancestors 'none'";
const STYLE: &str = "body{font:16px/1.5 system-ui,sans-serif;margin:15vh auto;max-width:32rem;padding:0 1rem;color:#1f2937}\
button{font:inherit;padding:.6rem 1.2rem;border:0;border-radius:.4rem;background:#1f2937;color:#fff;cursor:pointer}";

/// What is shown.
#[derive(Clone, Copy)]
pub(super) enum Show {
    Question,
    Refused,
    Again,
}

/// Of what.
pub(super) struct Page<'a> {
    pub(super) company: &'a str,
    pub(super) refused: &'a Refused,
    pub(super) token: &'a str,
    pub(super) language: &'a str,
}

/// The words of one language: `{who}` writes to `{address}` about `{topic}`.
struct Words {
    language: &'static str,
    question: &'static str,
    refuse: &'static str,
    refused: &'static str,
    undo: &'static str,
    again: &'static str,
}

const ENGLISH: Words = Words {
    language: "en",
    question: "{who} writes to {address} about “{topic}”.",
    refuse: "Unsubscribe",
    refused: "{who} will not write to {address} about “{topic}” any more.",
    undo: "Subscribe again",
    again: "{who} will write to {address} about “{topic}” again.",
};

const SPANISH: Words = Words {
    language: "es",
    question: "{who} escribe a {address} sobre «{topic}».",
    refuse: "Cancelar la suscripción",
    refused: "{who} ya no escribirá a {address} sobre «{topic}».",
    undo: "Volver a suscribirse",
    again: "{who} volverá a escribir a {address} sobre «{topic}».",
};

impl Page<'_> {
    pub(super) fn render(&self, show: Show) -> Result<Response> {
        let words = if self.language.trim_start().starts_with("es") { SPANISH } else { ENGLISH };
        // Below the mount, so that it leads back here whatever stands before it.
        let token = self.token;
        let (sentence, action, button) = match show {
            Show::Question => (words.question, format!("/api/v1/unsubscribe/{token}"), words.refuse),
            Show::Refused => (words.refused, format!("/api/v1/unsubscribe/{token}/again"), words.undo),
            Show::Again => (words.again, format!("/api/v1/unsubscribe/{token}"), words.refuse),
        };
        let who = if self.company.is_empty() { "—" } else { self.company };
        // Each in its own turn, so that what one of them says is no place for the next.
        let sentence: String = sentence
            .split_inclusive('}')
            .map(|part| match part.rsplit_once('{') {
                Some((before, "who}")) => format!("{before}<b>{}</b>", escaped(who)),
                Some((before, "address}")) => format!("{before}{}", escaped(&self.refused.address)),
                Some((before, "topic}")) => format!("{before}{}", escaped(&self.refused.topic.replace(['_', '.', '-'], " "))),
                _ => part.to_owned(),
            })
            .collect();
        let html = format!(
            "<!doctype html><html lang=\"{}\"><meta charset=\"utf-8\"><meta name=\"viewport\" content=\"width=device-width\">\
             <meta name=\"robots\" content=\"noindex\"><title>{button}</title><style>{STYLE}</style><p>{sentence}</p>\
             <form method=\"post\" action=\"{action}\"><button>{button}</button></form></html>",
            words.language
        );
        Response::builder()
            .header(CONTENT_TYPE, "text/html; charset=utf-8")
            .header(CONTENT_SECURITY_POLICY, POLICY)
            .header(CACHE_CONTROL, "no-store")
            .header(REFERRER_POLICY, "no-referrer")
            .body(html.into())
            .map_err(Error::internal)
    }
}

fn escaped(text: &str) -> String {
    text.chars().fold(String::with_capacity(text.len()), |mut escaped, c| {
        match c {
            '&' => escaped.push_str("&amp;"),
            '<' => escaped.push_str("&lt;"),
            '>' => escaped.push_str("&gt;"),
            '"' => escaped.push_str("&quot;"),
            '\'' => escaped.push_str("&#39;"),
            c if c.is_control() => escaped.push(' '),
            c => escaped.push(c),
        }
        escaped
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_somebody_wrote_is_text_and_no_page() {
        assert_eq!(escaped("<b onclick='x'>\"A&B\"\n"), "&lt;b onclick=&#39;x&#39;&gt;&quot;A&amp;B&quot; ");
    }
}
