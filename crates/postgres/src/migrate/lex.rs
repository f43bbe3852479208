//! Cuts SQL text into tokens: what is a word, a string, a comment. Everything that reads a migration stands on it.
//!
//! Invariant: every byte of the input lies in exactly one token or is white space, whatever the input is; it never fails.

/// What a token is.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum Kind {
    /// A keyword or an unquoted name.
    Word,
    /// A name in double quotes.
    Quoted,
    /// A string in single quotes.
    Text,
    /// A string between dollar quotes: mostly the body of a function.
    Dollar,
    /// `$1`.
    Parameter,
    /// A number.
    Number,
    /// One character of punctuation.
    Symbol,
    /// A comment of either form.
    Comment,
}

/// A piece of SQL and where it stands.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) struct Token<'a> {
    pub(super) kind: Kind,
    pub(super) text: &'a str,
    pub(super) start: usize,
}

impl Token<'_> {
    /// Whether it is this keyword or name, in any case.
    pub(super) fn is(&self, word: &str) -> bool {
        self.kind == Kind::Word && self.text.eq_ignore_ascii_case(word)
    }

    /// Whether it is this character of punctuation.
    pub(super) fn is_symbol(&self, symbol: &str) -> bool {
        self.kind == Kind::Symbol && self.text == symbol
    }

    /// Where it ends.
    pub(super) fn end(&self) -> usize {
        self.start + self.text.len()
    }
}

/// Returns all tokens of a text, comments included.
pub(super) fn tokens(sql: &str) -> Vec<Token<'_>> {
    let bytes = Bytes(sql.as_bytes());
    let mut found = Vec::new();
    let mut at = 0;
    while at < sql.len() {
        if bytes.at(at).is_ascii_whitespace() {
            at += 1;
            continue;
        }
        let (kind, end) = bytes.token(at);
        found.push(Token { kind, text: sql.get(at..end).unwrap_or_default(), start: at });
        at = end;
    }
    found
}

/// Returns the tokens without the comments.
pub(super) fn code(sql: &str) -> Vec<Token<'_>> {
    tokens(sql).into_iter().filter(|token| token.kind != Kind::Comment).collect()
}

/// Returns what stands between the dollar quotes of a token, and where it begins.
pub(super) fn dollar_body<'a>(token: &Token<'a>) -> Option<(&'a str, usize)> {
    let tag = token.text.get(1..)?.find('$')? + 2;
    let body = token.text.get(tag..token.text.len().checked_sub(tag)?)?;
    Some((body, token.start + tag))
}

struct Bytes<'a>(&'a [u8]);

impl Bytes<'_> {
    /// The byte there; 0 behind the end.
    fn at(&self, position: usize) -> u8 {
        self.0.get(position).copied().unwrap_or(0)
    }

    fn token(&self, at: usize) -> (Kind, usize) {
        match (self.at(at), self.at(at + 1)) {
            (b'-', b'-') => (Kind::Comment, self.until(at, |byte| byte == b'\n')),
            (b'/', b'*') => (Kind::Comment, self.block_comment(at)),
            (b'\'', _) => (Kind::Text, self.quoted(at + 1, b'\'', false)),
            (b'e' | b'E', b'\'') => (Kind::Text, self.quoted(at + 2, b'\'', true)),
            (b'"', _) => (Kind::Quoted, self.quoted(at + 1, b'"', false)),
            (b'$', next) if next.is_ascii_digit() => (Kind::Parameter, self.until(at + 1, |byte| !byte.is_ascii_digit())),
            (b'$', _) => self.dollar(at),
            (first, _) if starts_word(first) => (Kind::Word, self.until(at, |byte| !continues_word(byte))),
            (first, _) if first.is_ascii_digit() => {
                (Kind::Number, self.until(at, |byte| !(byte.is_ascii_alphanumeric() || byte == b'.' || byte == b'_')))
            }
            _ => (Kind::Symbol, at + 1),
        }
    }

    fn until(&self, from: usize, stop: impl Fn(u8) -> bool) -> usize {
        let rest = self.0.get(from..).unwrap_or_default();
        rest.iter().position(|byte| stop(*byte)).map_or(self.0.len(), |length| from + length)
    }

    /// Comments of this form nest.
    fn block_comment(&self, start: usize) -> usize {
        let mut depth = 0_usize;
        let mut at = start;
        while at < self.0.len() {
            match (self.at(at), self.at(at + 1)) {
                (b'/', b'*') => (depth, at) = (depth + 1, at + 2),
                (b'*', b'/') => {
                    (depth, at) = (depth - 1, at + 2);
                    if depth == 0 {
                        return at;
                    }
                }
                _ => at += 1,
            }
        }
        self.0.len()
    }

    /// A doubled quote stands for itself; a backslash hides what follows it in the escape form only.
    fn quoted(&self, from: usize, quote: u8, backslash: bool) -> usize {
        let mut at = from;
        while at < self.0.len() {
            match (self.at(at), self.at(at + 1)) {
                (b'\\', _) if backslash => at += 2,
                (first, second) if first == quote && second == quote => at += 2,
                (first, _) if first == quote => return at + 1,
                _ => at += 1,
            }
        }
        self.0.len()
    }

    fn dollar(&self, start: usize) -> (Kind, usize) {
        let tag_end = self.until(start + 1, |byte| !continues_word(byte) || byte == b'$');
        if self.at(tag_end) != b'$' {
            return (Kind::Symbol, start + 1);
        }
        let tag = self.0.get(start..=tag_end).unwrap_or_default();
        let body = self.0.get(tag_end + 1..).unwrap_or_default();
        let length = body.windows(tag.len()).position(|window| window == tag);
        (Kind::Dollar, length.map_or(self.0.len(), |length| tag_end + 1 + length + tag.len()))
    }
}

fn starts_word(byte: u8) -> bool {
    byte.is_ascii_alphabetic() || byte == b'_' || byte >= 0x80
}

fn continues_word(byte: u8) -> bool {
    starts_word(byte) || byte.is_ascii_digit() || byte == b'$'
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn kinds(sql: &str) -> Vec<(Kind, &str)> {
        tokens(sql).into_iter().map(|token| (token.kind, token.text)).collect()
    }

    #[test]
    fn strings_comments_and_bodies_are_one_token_each() {
        assert_eq!(
            kinds("select 'it''s; --no' -- yes;\n, E'a\\';b', \"o;\"\"k\" /* a /* b; */ c */ $x$ ; $y$ $x$ $1 a$b$c 1.5e3"),
            vec![
                (Kind::Word, "select"),
                (Kind::Text, "'it''s; --no'"),
                (Kind::Comment, "-- yes;"),
                (Kind::Symbol, ","),
                (Kind::Text, "E'a\\';b'"),
                (Kind::Symbol, ","),
                (Kind::Quoted, "\"o;\"\"k\""),
                (Kind::Comment, "/* a /* b; */ c */"),
                (Kind::Dollar, "$x$ ; $y$ $x$"),
                (Kind::Parameter, "$1"),
                (Kind::Word, "a$b$c"),
                (Kind::Number, "1.5e3"),
            ]
        );
    }

    #[test]
    fn the_body_of_a_dollar_quote_is_found_with_its_place() {
        let sql = "do $f$ begin end $f$";
        let token = tokens(sql).pop().unwrap();
        assert_eq!(dollar_body(&token), Some((" begin end ", 6)));
        assert_eq!(dollar_body(&tokens("$$x").pop().unwrap()), None);
    }

    proptest! {
        #[test]
        fn nothing_is_lost_whatever_the_text(sql in "[-a-z0-9$'\"/*; \n\\\\éE(]{0,60}") {
            let mut at = 0;
            for token in tokens(&sql) {
                prop_assert!(sql[at..token.start].bytes().all(|byte| byte.is_ascii_whitespace()));
                prop_assert!(!token.text.is_empty());
                at = token.end();
            }
            prop_assert!(sql[at..].bytes().all(|byte| byte.is_ascii_whitespace()));
        }
    }
}
