//! A place in a text that is being read, and what is said when it cannot be read on.
//!
//! Invariant: the cursor never goes back but where a caller says so; names and quoted values are read in one way everywhere.

use std::cell::Cell;

use kernel::{Error, Kind, Result};

/// Reads a text from left to right.
#[derive(Debug)]
pub(super) struct Cursor<'a> {
    /// What is being read, for the error: `filter`, `select parameter`.
    what: &'static str,
    text: &'a str,
    at: Cell<usize>,
}

impl<'a> Cursor<'a> {
    pub(super) fn new(what: &'static str, text: &'a str) -> Self {
        Self { what, text, at: Cell::new(0) }
    }

    /// Returns what is left.
    pub(super) fn rest(&self) -> &'a str {
        self.text.get(self.at.get()..).unwrap_or_default()
    }

    pub(super) fn peek(&self) -> Option<char> {
        self.rest().chars().next()
    }

    pub(super) fn at_end(&self) -> bool {
        self.rest().is_empty()
    }

    /// Reads `token` if it comes next.
    pub(super) fn eat(&self, token: &str) -> bool {
        let comes = self.rest().starts_with(token);
        if comes {
            self.advance(token.len());
        }
        comes
    }

    /// Reads `token` or fails.
    pub(super) fn expect(&self, token: &'static str) -> Result<()> {
        if self.eat(token) { Ok(()) } else { Err(self.failed(&format!("\"{token}\""))) }
    }

    /// Reads as long as characters fit.
    pub(super) fn take_while(&self, fits: impl Fn(char) -> bool) -> &'a str {
        let rest = self.rest();
        let end = rest.find(|c| !fits(c)).unwrap_or(rest.len());
        self.advance(end);
        rest.get(..end).unwrap_or_default()
    }

    pub(super) fn skip_spaces(&self) {
        self.take_while(|c| c == ' ');
    }

    /// Returns the place, to come back to it.
    pub(super) fn mark(&self) -> usize {
        self.at.get()
    }

    pub(super) fn back_to(&self, mark: usize) {
        self.at.set(mark);
    }

    /// Returns what was read since then.
    pub(super) fn since(&self, mark: usize) -> &'a str {
        self.text.get(mark..self.at.get()).unwrap_or_default()
    }

    /// Reads the name of a column, table or key: in quotes with any characters, else letters, digits, `_`, `$`, spaces and dashes that
    /// begin no arrow.
    pub(super) fn name(&self) -> Result<String> {
        if self.peek() == Some('"') {
            return self.quoted();
        }
        let start = self.at.get();
        loop {
            self.take_while(is_name_character);
            let is_dash = self.rest().starts_with('-') && !self.rest().starts_with("->");
            // A dash stands between two parts of a name.
            if !is_dash || self.at.get() == start || !self.rest().chars().nth(1).is_some_and(is_name_character) {
                break;
            }
            self.advance(1);
        }
        let name = self.since(start).trim();
        if name.is_empty() { Err(self.failed("field name (* or [a..z0..9_$])")) } else { Ok(name.to_owned()) }
    }

    /// Reads a value in quotes; a backslash takes the meaning from what follows it.
    pub(super) fn quoted(&self) -> Result<String> {
        self.expect("\"")?;
        let mut value = String::new();
        let mut characters = self.rest().char_indices();
        while let Some((offset, c)) = characters.next() {
            match c {
                '"' => {
                    self.advance(offset.saturating_add(1));
                    return Ok(value);
                }
                '\\' => value.extend(characters.next().map(|(_, escaped)| escaped)),
                other => value.push(other),
            }
        }
        self.advance(self.rest().len());
        Err(self.failed("\"\\\"\""))
    }

    /// Fails unless everything was read.
    pub(super) fn end(&self) -> Result<()> {
        if self.at_end() { Ok(()) } else { Err(self.failed("end of input")) }
    }

    /// Makes the error of a text that does not go on as it must.
    pub(super) fn failed(&self, expected: &str) -> Error {
        let column = self.text.get(..self.at.get()).unwrap_or_default().chars().count().saturating_add(1);
        let found = self.peek().map_or_else(|| "end of input".to_owned(), |c| format!("\"{c}\""));
        Error::new(Kind::BadRequest, "PGRST100", format!("\"failed to parse {} ({})\" (line 1, column {column})", self.what, self.text))
            .with_details(format!("unexpected {found} expecting {expected}"))
    }

    /// Makes the error of a text that has too much of something.
    pub(super) fn too_much(&self, what: &str, limit: usize) -> Error {
        Error::new(Kind::BadRequest, "PGRST100", format!("\"failed to parse {}\": too many {what}", self.what))
            .with_details(format!("At most {limit} are allowed"))
    }

    fn advance(&self, bytes: usize) {
        self.at.set(self.at.get().saturating_add(bytes));
    }
}

fn is_name_character(c: char) -> bool {
    c.is_alphanumeric() || matches!(c, '_' | ' ' | '$')
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_end_where_something_else_begins() {
        for (text, name, rest) in [
            ("name,next", "name", ",next"),
            ("first-name::text", "first-name", "::text"),
            ("data->key", "data", "->key"),
            ("ünïcode.eq", "ünïcode", ".eq"),
            (r#""a.b",c"#, "a.b", ",c"),
            (r#""a\"b""#, "a\"b", ""),
            (" spaced name (", "spaced name", "("),
        ] {
            let cursor = Cursor::new("x", text);
            assert_eq!((cursor.name().unwrap().as_str(), cursor.rest()), (name, rest), "{text}");
        }
        assert!(Cursor::new("x", "").name().is_err());
        assert!(Cursor::new("x", "\"open").name().is_err());
    }

    #[test]
    fn an_error_says_where() {
        let cursor = Cursor::new("filter", "éx");
        assert!(cursor.eat("é"));
        let error = cursor.failed("operator");
        assert_eq!(error.message(), "\"failed to parse filter (éx)\" (line 1, column 2)");
        assert_eq!(error.details().unwrap(), "unexpected \"x\" expecting operator");
    }
}
