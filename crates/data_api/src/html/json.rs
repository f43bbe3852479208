//! The labelled texts of a JSON body.
//!
//! Invariant: the body was read before and is JSON; whatever is not changed is taken over byte for byte. A body in which nothing can
//! change is not copied, any other once, however many texts of it change.

use std::borrow::Cow;
use std::collections::HashMap;

use kernel::{Error, Result};

use super::Label;
use super::text::cleaned as clean_text;

/// Returns the body with its labelled texts cleaned; nothing where it stays as it is.
pub(super) fn cleaned(body: &str, labels: &HashMap<&str, Label>, elements_max: usize) -> Result<Option<String>> {
    // `<` as itself or escaped; without it there is nothing to look for.
    if !body.contains('<') && !body.contains("\\u003c") && !body.contains("\\u003C") {
        return Ok(None);
    }
    let mut cleaner = Cleaner { body, at: 0, taken: 0, out: String::new(), elements_max, refused: None };
    cleaner.rows(labels);
    if let Some(refused) = cleaner.refused {
        return Err(refused);
    }
    if cleaner.taken == 0 {
        return Ok(None);
    }
    let rest = body.get(cleaner.taken..).unwrap_or_default();
    cleaner.out.push_str(rest);
    Ok(Some(cleaner.out))
}

struct Cleaner<'a> {
    body: &'a str,
    at: usize,
    /// Up to here the body is in `out`.
    taken: usize,
    out: String,
    elements_max: usize,
    /// The first text that has more of them.
    refused: Option<Error>,
}

/// What is known of an object or list that the cleaner is in.
#[derive(Clone, Copy)]
struct Level {
    /// Whether all in it is cleaned.
    whole: bool,
    /// Whether the value that comes is.
    value: bool,
}

impl<'a> Cleaner<'a> {
    fn peek(&self) -> Option<u8> {
        self.body.as_bytes().get(self.at).copied()
    }

    fn step(&mut self) {
        self.at = self.at.saturating_add(1);
    }

    /// Goes on to the next byte that means something.
    fn next(&mut self) -> Option<u8> {
        while self.peek().is_some_and(|byte| byte.is_ascii_whitespace() || byte == b',' || byte == b':') {
            self.step();
        }
        self.peek()
    }

    /// Reads a string with its quotes.
    fn string(&mut self) -> &'a str {
        let from = self.at;
        self.step();
        while let Some(byte) = self.peek() {
            self.step();
            match byte {
                b'\\' => self.step(),
                b'"' => break,
                _ => {}
            }
        }
        self.body.get(from..self.at).unwrap_or_default()
    }

    /// Goes over a value of any kind.
    fn value(&mut self) -> &'a str {
        let from = self.at;
        let mut depth = 0_usize;
        while let Some(byte) = self.peek() {
            match byte {
                b'"' => {
                    self.string();
                }
                b'{' | b'[' => {
                    depth = depth.saturating_add(1);
                    self.step();
                }
                b'}' | b']' | b',' if depth == 0 => break,
                b'}' | b']' => {
                    depth = depth.saturating_sub(1);
                    self.step();
                }
                _ => self.step(),
            }
            if depth == 0 && matches!(byte, b'"' | b'}' | b']') {
                break;
            }
        }
        self.body.get(from..self.at).unwrap_or_default()
    }

    /// The body is a row or a list of rows.
    fn rows(&mut self, labels: &HashMap<&str, Label>) {
        while let Some(byte) = self.next() {
            self.step();
            if byte == b'{' {
                self.row(labels);
            }
        }
    }

    fn row(&mut self, labels: &HashMap<&str, Label>) {
        while let Some(byte) = self.next() {
            if byte != b'"' {
                self.step();
                return;
            }
            let key = unescaped(self.string());
            let Some(first) = self.next() else { return };
            match key.as_deref().and_then(|key| labels.get(key)) {
                None => {
                    self.value();
                }
                Some(Label::Text) if first == b'"' => self.text(),
                Some(Label::Text) => {
                    let from = self.at;
                    let raw = self.value();
                    self.replace(from, raw, raw);
                }
                Some(Label::Texts) => self.inside(&[], true),
                Some(Label::Members(names)) => self.inside(names, false),
            }
        }
    }

    /// Cleans one string.
    fn text(&mut self) {
        let from = self.at;
        let written = self.string();
        if let Some(text) = unescaped(written) {
            self.replace(from, written, &text);
        }
    }

    /// Cleans the strings in a value: all of them, or those of the named members.
    fn inside(&mut self, names: &[String], whole: bool) {
        let mut levels = vec![Level { whole, value: whole }];
        let mut in_object = vec![false];
        let mut wants_key = false;
        while let Some(byte) = self.next() {
            let level = levels.last().copied().unwrap_or(Level { whole, value: whole });
            match byte {
                b'"' if wants_key => {
                    let key = unescaped(self.string()).unwrap_or_default();
                    if let Some(last) = levels.last_mut() {
                        last.value = last.whole || names.contains(&key);
                    }
                    wants_key = false;
                    continue;
                }
                b'"' if level.value => self.text(),
                b'"' => {
                    self.string();
                }
                b'{' | b'[' => {
                    levels.push(Level { whole: level.value, value: level.value });
                    in_object.push(byte == b'{');
                    self.step();
                }
                b'}' | b']' => {
                    levels.pop();
                    in_object.pop();
                    self.step();
                }
                _ => {
                    self.value();
                }
            }
            if levels.len() <= 1 {
                return;
            }
            wants_key = in_object.last() == Some(&true);
        }
    }

    /// Writes what a text becomes, where it becomes another.
    fn replace(&mut self, from: usize, written: &str, text: &str) {
        if self.refused.is_some() {
            return;
        }
        let cleaned = match clean_text(text, self.elements_max) {
            Ok(Cow::Borrowed(_)) => return,
            Ok(Cow::Owned(cleaned)) => cleaned,
            Err(error) => {
                self.refused = Some(error);
                return;
            }
        };
        if self.taken == 0 {
            self.out.reserve(self.body.len());
        }
        self.out.push_str(self.body.get(self.taken..from).unwrap_or_default());
        self.out.push_str(&serde_json::Value::String(cleaned).to_string());
        self.taken = from.saturating_add(written.len());
    }
}

fn unescaped(written: &str) -> Option<String> {
    serde_json::from_str(written).ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn labels() -> HashMap<&'static str, Label> {
        HashMap::from([("notes", Label::Text), ("list", Label::Texts), ("lines", Label::Members(vec!["description".to_owned()]))])
    }

    #[test]
    fn labelled_texts_change_and_nothing_else() {
        for (body, expected) in [
            (r#"{"notes":"<b>a</b>","other":"<b>a</b>"}"#, r#"{"notes":"a","other":"<b>a</b>"}"#),
            (
                r#" [ {"x" : 1.00 , "notes" : "<i>é\n</i>" } , {"notes":null} ] "#,
                r#" [ {"x" : 1.00 , "notes" : "é\n" } , {"notes":null} ] "#,
            ),
            (r#"{"n\u006ftes":"\u003cb>a"}"#, r#"{"n\u006ftes":"a"}"#),
            (r#"{"notes":"<b>1","notes":"<b>2"}"#, r#"{"notes":"1","notes":"2"}"#),
            (r#"{"o":{"notes":"<b>a"},"notes":"<b>b"}"#, r#"{"o":{"notes":"<b>a"},"notes":"b"}"#),
            (r#"{"notes":{"<script>x</script>":1},"o":7}"#, r#"{"notes":"{\"\":1}","o":7}"#),
            (r#"{"list":["<b>a",["<b>b"],{"c":"<b>d"}],"o":"<b>"}"#, r#"{"list":["a",["b"],{"c":"d"}],"o":"<b>"}"#),
            (
                r#"{"lines":[{"sku":"<b>","description":"<b>a"},{"x":{"description":["<b>b"]},"y":"<b>"}],"o":"<b>"}"#,
                r#"{"lines":[{"sku":"<b>","description":"a"},{"x":{"description":["b"]},"y":"<b>"}],"o":"<b>"}"#,
            ),
            (r#"{"lines":[],"list":null,"notes":"<b>a"}"#, r#"{"lines":[],"list":null,"notes":"a"}"#),
            (r#"{"list":"<b>a","lines":7,"o":[1,2],"notes":true}"#, r#"{"list":"a","lines":7,"o":[1,2],"notes":true}"#),
        ] {
            assert_eq!(cleaned(body, &labels(), 100).unwrap().as_deref(), Some(expected), "{body}");
        }
    }

    #[test]
    fn what_is_clean_is_not_copied() {
        for body in [r#"{"notes":"a & b > c"}"#, r#"{"notes":"<p>a</p>","other":"<b>"}"#, "[]", "{}", r#"[{"notes":"a\u0026b"}]"#] {
            assert_eq!(cleaned(body, &labels(), 100).unwrap(), None, "{body}");
        }
        assert!(cleaned(r#"[{"notes":"<b>"},{"notes":"<b><b>"}]"#, &labels(), 1).is_err());
        assert!(cleaned(r#"[{"notes":"<b>"},{"other":"<b><b>"}]"#, &labels(), 1).is_ok());
    }
}
