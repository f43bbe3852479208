//! Texts that are shown as HTML, cleaned on their way in: of columns and arguments that say in their comment that they are such.
//!
//! Invariant: whatever form the body had, what is cleaned here is what is planned. A text that opens nothing stays as it is; so does
//! every text that is clean, and everything that is not labelled, byte for byte.

mod json;
mod tag;
mod text;

use std::borrow::Cow;
use std::collections::{HashMap, HashSet};

use kernel::Result;
use postgres::catalog::{Catalog, Column, TypeShape};

use crate::request::{ApiRequest, Payload, Target};
use text::cleaned;

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

/// Cleans what the request brings. A text that has more than so many elements is refused.
pub(crate) fn clean(request: &mut ApiRequest, catalog: &Catalog, elements_max: usize) -> Result<()> {
    if !may_open_something(request) {
        return Ok(());
    }
    let labels = labels(request, catalog);
    if labels.is_empty() {
        return Ok(());
    }
    if let Some(Payload::Json { text, .. }) = &mut request.body
        && let Ok(body) = std::str::from_utf8(text)
        && let Some(cleaned) = json::cleaned(body, &labels, elements_max)?
    {
        *text = cleaned.into();
    }
    let as_json = json_arguments(&request.schema, &request.target, catalog);
    for (name, value) in &mut request.query.arguments {
        let cleaned = match labels.contains_key(name.as_str()) {
            true if as_json.contains(name.as_str()) => of_json(value, elements_max)?,
            true => cleaned(value, elements_max).map(|cleaned| if let Cow::Owned(cleaned) = cleaned { Some(cleaned) } else { None })?,
            false => None,
        };
        if let Some(cleaned) = cleaned {
            *value = cleaned;
        }
    }
    Ok(())
}

/// Returns the arguments whose text is read as JSON, in which a `<` may be escaped.
fn json_arguments<'a>(schema: &str, target: &Target, catalog: &'a Catalog) -> HashSet<&'a str> {
    let Target::Function(name) = target else { return HashSet::new() };
    let arguments = catalog.functions(schema, name).iter().flat_map(|function| &function.arguments);
    arguments
        .filter(|argument| matches!(argument.data_type.base.as_str(), "json" | "jsonb"))
        .map(|argument| argument.name.as_str())
        .collect()
}

/// Cleans the texts of a JSON text; what is no JSON PostgreSQL refuses.
fn of_json(value: &str, elements_max: usize) -> Result<Option<String>> {
    if serde_json::from_str::<serde::de::IgnoredAny>(value).is_err() {
        return Ok(None);
    }
    let (begin, end) = ("{\"it\":", "}");
    let cleaned = json::cleaned(&format!("{begin}{value}{end}"), &HashMap::from([("it", Label::Texts)]), elements_max)?;
    Ok(cleaned.and_then(|whole| Some(whole.strip_prefix(begin)?.strip_suffix(end)?.to_owned())))
}

/// Tells whether anywhere in it is a `<`, as itself or escaped: of any other request the labels need not be known.
fn may_open_something(request: &ApiRequest) -> bool {
    let in_body = match &request.body {
        Some(Payload::Json { text, .. }) => text.contains(&b'<') || text.contains(&b'\\'),
        _ => false,
    };
    in_body || request.query.arguments.iter().any(|(_, value)| value.contains('<') || value.contains("\\u003"))
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
    fn a_comment_is_a_label_or_a_sentence() {
        assert_eq!(read("html"), Some(Label::Text));
        assert_eq!(read("pii:text html"), Some(Label::Text));
        assert_eq!(read("html(description,notes)"), Some(Label::Members(vec!["description".to_owned(), "notes".to_owned()])));
        for none in ["", "pii:text", "secret", "What is shown as html", "html and more"] {
            assert_eq!(read(none), None, "{none}");
        }
    }
}
