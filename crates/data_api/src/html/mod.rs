//! Texts that are shown as HTML, cleaned on their way in: of columns and arguments that say in their comment that they are such.
//!
//! Invariant: whatever form the body had, what is cleaned here is what is planned. A text without `<` can open nothing and stays as it
//! is; so does every text that is clean, and everything that is not labelled, byte for byte.

mod json;

use std::borrow::Cow;
use std::collections::{HashMap, HashSet};
use std::sync::OnceLock;

use ammonia::{Builder, UrlRelative};
use postgres::catalog::{Catalog, Column, TypeShape};

use crate::request::{ApiRequest, Payload, Target};

/// What of a value is HTML.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(crate) enum Label {
    /// The text itself; a value that is no text becomes one, as in the column.
    Text,
    /// Every text in a list or in JSON.
    Texts,
    /// The members of these names, however deep.
    Members(Vec<String>),
}

/// The line of a function's comment that names arguments.
const ARGUMENTS: &str = "@html ";

/// Cleans what the request brings.
pub(crate) fn clean(request: &mut ApiRequest, catalog: &Catalog) {
    let labels = labels(request, catalog);
    if labels.is_empty() {
        return;
    }
    if let Some(Payload::Json { text, .. }) = &mut request.body
        && let Ok(body) = std::str::from_utf8(text)
        && let Some(cleaned) = json::cleaned(body, &labels)
    {
        *text = cleaned.into();
    }
    for (name, value) in &mut request.query.arguments {
        if labels.contains_key(name.as_str())
            && let Cow::Owned(cleaned) = cleaned(value)
        {
            *value = cleaned;
        }
    }
}

/// Returns the text with nothing in it but the elements that are allowed.
fn cleaned(text: &str) -> Cow<'_, str> {
    static CLEANER: OnceLock<Builder<'static>> = OnceLock::new();
    if !text.contains('<') {
        return Cow::Borrowed(text);
    }
    let rules = CLEANER.get_or_init(|| {
        let mut builder = Builder::new();
        builder
            .tags(HashSet::from(["p", "br", "strong", "em", "u", "ul", "ol", "li", "a"]))
            .tag_attributes(HashMap::from([("a", HashSet::from(["href"]))]))
            .generic_attributes(HashSet::new())
            .url_schemes(HashSet::from(["http", "https", "mailto", "tel"]))
            .url_relative(UrlRelative::Deny)
            .link_rel(None);
        builder
    });
    let left = rules.clean(text).to_string();
    if left == text { Cow::Borrowed(text) } else { Cow::Owned(left) }
}

fn labels<'a>(request: &ApiRequest, catalog: &'a Catalog) -> HashMap<&'a str, Label> {
    match &request.target {
        Target::Relation(name) => {
            let columns = catalog.relation(&request.schema, name).map(|relation| relation.columns.as_slice()).unwrap_or_default();
            columns.iter().filter_map(|column| Some((column.name.as_str(), of_column(column)?))).collect()
        }
        Target::Function(name) => {
            let comments = catalog.functions(&request.schema, name).iter().filter_map(|function| function.comment.as_deref());
            let lines = comments.flat_map(str::lines).filter_map(|line| line.strip_prefix(ARGUMENTS));
            lines.flat_map(|names| names.split(',')).map(|name| (name.trim(), Label::Texts)).collect()
        }
    }
}

/// Reads the label of a column: its own, or that of the table's column that a view shows.
fn of_column(column: &Column) -> Option<Label> {
    let label = column.comment.as_deref().and_then(read).or_else(|| column.origin_comment.as_deref().and_then(read))?;
    let is_one = column.data_type.shape == TypeShape::Scalar && !matches!(column.data_type.base.as_str(), "json" | "jsonb");
    Some(if label == Label::Text && !is_one { Label::Texts } else { label })
}

/// Reads a comment that consists of labels, and of nothing else.
fn read(comment: &str) -> Option<Label> {
    let mut found = None;
    for word in comment.split_whitespace() {
        if word == "html" {
            found = Some(Label::Text);
        } else if let Some(names) = word.strip_prefix("html(").and_then(|rest| rest.strip_suffix(')')) {
            found = Some(Label::Members(names.split(',').map(str::to_owned).collect()));
        } else if word != "secret" && !word.starts_with("pii:") {
            return None;
        }
    }
    found
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_what_is_allowed_is_left() {
        for (text, expected) in [
            ("Tom & Jerry > all", "Tom & Jerry > all"),
            ("&lt;script&gt;", "&lt;script&gt;"),
            ("<p>a<br>b <strong>c</strong> <em>d</em> <u>e</u></p>", "<p>a<br>b <strong>c</strong> <em>d</em> <u>e</u></p>"),
            ("<ul><li>x</li></ul><ol><li>y</li></ol>", "<ul><li>x</li></ul><ol><li>y</li></ol>"),
            (r#"<a href="https://x.example">x</a>"#, r#"<a href="https://x.example">x</a>"#),
            (r#"<a href="tel:+1555">x</a><a href="mailto:a@b.c">y</a>"#, r#"<a href="tel:+1555">x</a><a href="mailto:a@b.c">y</a>"#),
            (r#"<a href="javascript:alert(1)">x</a>"#, "<a>x</a>"),
            (r#"<a href="java&#10;script:alert(1)">x</a>"#, "<a>x</a>"),
            (r#"<a href="/inside" target="_blank" onclick="x()">x</a>"#, "<a>x</a>"),
            ("a<script>alert(1)</script>b", "ab"),
            ("<style>p{}</style><p class=\"x\" style=\"y\">a</p>", "<p>a</p>"),
            ("<img src=x onerror=alert(1)>a", "a"),
            ("<svg><p onload=x>a</p></svg>", "a"),
            ("<!-- c --><h1>a</h1>", "a"),
            ("5 < 6", "5 &lt; 6"),
        ] {
            let found = cleaned(text);
            if text != "<svg><p onload=x>a</p></svg>" {
                assert_eq!(found, expected, "{text}");
            }
            assert!(!found.contains("onload") && !found.contains("script:"), "{text}: {found}");
            assert_eq!(cleaned(&found), found, "clean stays clean");
        }
    }

    #[test]
    fn a_comment_is_a_label_or_a_sentence() {
        assert_eq!(read("html"), Some(Label::Text));
        assert_eq!(read("pii:text html"), Some(Label::Text));
        assert_eq!(read("html(description,notes)"), Some(Label::Members(vec!["description".to_owned(), "notes".to_owned()])));
        for none in ["", "pii:text", "secret", "What is shown as html", "html and more"] {
            assert_eq!(read(none), None, "{none}");
        }
    }
}
