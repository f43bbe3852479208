//! Answers in the XML of S3.
//!
//! Invariant: what somebody named is text in it and nothing else.

use axum::body::Body;
use axum::response::{IntoResponse as _, Response};
use http::{HeaderValue, StatusCode, header};
use kernel::Error;

/// A document that is being written.
#[derive(Debug)]
pub(super) struct Xml(String);

impl Xml {
    /// Begins a document with its outermost element.
    pub(super) fn document(name: &'static str, write: impl FnOnce(&mut Self)) -> Self {
        let mut xml =
            Self(format!("<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n<{name} xmlns=\"http://s3.amazonaws.com/doc/2006-03-01/\">"));
        write(&mut xml);
        xml.end(name);
        xml
    }

    /// Writes an element with a text.
    pub(super) fn text(&mut self, name: &'static str, text: impl AsRef<str>) -> &mut Self {
        self.begin(name);
        self.0.push_str(&escaped(text.as_ref()));
        self.end(name);
        self
    }

    /// Writes an element with others in it.
    pub(super) fn inside(&mut self, name: &'static str, write: impl FnOnce(&mut Self)) -> &mut Self {
        self.begin(name);
        write(self);
        self.end(name);
        self
    }

    /// Writes a text where an element is open.
    pub(super) fn said(&mut self, text: &str) {
        self.0.push_str(&escaped(text));
    }

    fn begin(&mut self, name: &str) {
        self.0.extend(["<", name, ">"]);
    }

    fn end(&mut self, name: &str) {
        self.0.extend(["</", name, ">"]);
    }

    /// Answers with it.
    pub(super) fn answer(self) -> Response {
        let mut response = Response::new(Body::from(self.0));
        response.headers_mut().insert(header::CONTENT_TYPE, HeaderValue::from_static("application/xml"));
        response
    }
}

/// Answers with an error in the words of S3, whose clients decide by its code.
pub(super) fn refused(error: Error, resource: &str, is_head: bool) -> Response {
    let mut answered = error.into_response();
    let Some(error) = answered.extensions().get::<std::sync::Arc<Error>>().cloned() else { return answered };
    let (code, status) = code(&error);
    *answered.status_mut() = status;
    let document = Xml::document("Error", |xml| {
        xml.text("Code", code).text("Message", error.message()).text("Resource", resource);
    });
    // An error has no namespace in S3, and some read it so.
    let text = document.0.replacen(" xmlns=\"http://s3.amazonaws.com/doc/2006-03-01/\"", "", 1);
    *answered.body_mut() = if is_head { Body::empty() } else { Body::from(text) };
    answered.headers_mut().remove(header::CONTENT_LENGTH);
    answered.headers_mut().insert(header::CONTENT_TYPE, HeaderValue::from_static("application/xml"));
    answered
}

fn code(error: &Error) -> (&str, StatusCode) {
    let status = error.status();
    match (error.code(), status.as_u16()) {
        ("upload_locked", _) => ("OperationAborted", StatusCode::CONFLICT),
        ("quota_exceeded" | "uploads_too_large", _) => ("QuotaExceeded", status),
        (code, _) if code.starts_with(|first: char| first.is_ascii_uppercase()) && !code.starts_with("PGRST") && !code.contains('_') => {
            (code, status)
        }
        (_, 401 | 403) => ("AccessDenied", StatusCode::FORBIDDEN),
        (_, 404) => ("NoSuchKey", status),
        (_, 409) => ("OperationAborted", status),
        (_, 429 | 503) => ("SlowDown", StatusCode::SERVICE_UNAVAILABLE),
        (_, 500..) => ("InternalError", status),
        _ => ("InvalidRequest", status),
    }
}

fn escaped(text: &str) -> String {
    let mut escaped = String::with_capacity(text.len());
    for letter in text.chars() {
        match letter {
            '&' => escaped.push_str("&amp;"),
            '<' => escaped.push_str("&lt;"),
            '>' => escaped.push_str("&gt;"),
            '"' => escaped.push_str("&quot;"),
            // What XML 1.0 does not have at all.
            letter if letter.is_control() && !matches!(letter, '\n' | '\r' | '\t') => escaped.push('\u{fffd}'),
            letter => escaped.push(letter),
        }
    }
    escaped
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_text() {
        let document = Xml::document("A", |xml| {
            xml.text("B", "</B><C>&\"\u{1}").inside("D", |xml| _ = xml.text("E", "x"));
        });
        let expected = "<B>&lt;/B&gt;&lt;C&gt;&amp;&quot;\u{fffd}</B><D><E>x</E></D></A>";
        assert!(document.0.ends_with(expected), "{}", document.0);
    }
}
