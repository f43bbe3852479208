//! Reading filters and the paths of changes.
//!
//! Words are read in whatever letters: `Eq`, `AND` and `username` are common.

use super::{Filter, Literal, Name, OPERATORS, Operator, Target};
use crate::scim::error::{Outcome, Refused};

/// Brackets and negations inside each other.
const DEPTH_MAX: u32 = 32;
/// Conditions of one filter. A chain of them is a tree as deep as it is long, on which everything that reads it goes down.
const CONDITIONS_MAX: u32 = 256;
const NAME_BYTES_MAX: usize = 256;
/// The longest path, and the longest name that is read as one.
const PATH_BYTES_MAX: usize = 4096;

/// Reads a filter.
pub(in crate::scim) fn parse(text: &str) -> Outcome<Filter> {
    let mut parser = Parser { text, at: 0, depth: 0, conditions: 0 };
    let filter = parser.either(false)?;
    parser.skip();
    if parser.rest().is_empty() { Ok(filter) } else { Err(parser.unexpected()) }
}

/// Reads the path of a change.
pub(in crate::scim) fn parse_path(text: &str) -> Outcome<Target> {
    if text.len() > PATH_BYTES_MAX {
        return Err(Refused::path(format!("A path has at most {PATH_BYTES_MAX} bytes")));
    }
    let mut parser = Parser { text: text.trim(), at: 0, depth: 0, conditions: 0 };
    let target = parser.target();
    target.ok().filter(|_| parser.rest().is_empty()).ok_or_else(|| {
        let shown: String = text.chars().take(100).collect();
        Refused::path(format!("The path {shown} cannot be read"))
    })
}

struct Parser<'a> {
    text: &'a str,
    at: usize,
    depth: u32,
    conditions: u32,
}

impl Parser<'_> {
    /// A condition, or several of which one is enough.
    fn either(&mut self, inside: bool) -> Outcome<Filter> {
        self.depth = self.depth.saturating_add(1);
        if self.depth > DEPTH_MAX {
            return Err(Refused::filter(format!("A filter has at most {DEPTH_MAX} brackets inside each other")));
        }
        let mut left = self.both(inside)?;
        while self.word("or") {
            left = Filter::Or(Box::new(left), Box::new(self.both(inside)?));
        }
        self.depth = self.depth.saturating_sub(1);
        Ok(left)
    }

    /// A condition, or several that all hold.
    fn both(&mut self, inside: bool) -> Outcome<Filter> {
        let mut left = self.one(inside)?;
        while self.word("and") {
            left = Filter::And(Box::new(left), Box::new(self.one(inside)?));
        }
        Ok(left)
    }

    fn one(&mut self, inside: bool) -> Outcome<Filter> {
        self.conditions = self.conditions.saturating_add(1);
        if self.conditions > CONDITIONS_MAX {
            return Err(Refused::filter(format!("A filter has at most {CONDITIONS_MAX} conditions")));
        }
        let before = self.at;
        if self.symbol('(') {
            return self.grouped(inside);
        }
        if self.word("not") {
            if self.symbol('(') {
                return Ok(Filter::Not(Box::new(self.grouped(inside)?)));
            }
            self.at = before;
        }
        let name = self.name()?;
        if self.rest().starts_with('[') {
            if inside || name.sub.is_some() {
                return Err(self.unexpected());
            }
            return self.within(name);
        }
        self.comparison(name)
    }

    fn grouped(&mut self, inside: bool) -> Outcome<Filter> {
        let inner = self.either(inside)?;
        if self.symbol(')') { Ok(inner) } else { Err(self.unexpected()) }
    }

    /// `emails[type eq "work"]`, and `emails[type eq "work"].value eq "a@b.c"`, which is no RFC's but common.
    fn within(&mut self, name: Name) -> Outcome<Filter> {
        let inner = self.bracketed()?;
        if !self.rest().starts_with('.') {
            return Ok(Filter::Within(name, Box::new(inner)));
        }
        self.at = self.at.saturating_add(1);
        let sub = Name { schema: None, attribute: self.part()?, sub: None };
        let compared = self.comparison(sub)?;
        Ok(Filter::Within(name, Box::new(Filter::And(Box::new(inner), Box::new(compared)))))
    }

    fn bracketed(&mut self) -> Outcome<Filter> {
        if !self.symbol('[') {
            return Err(self.unexpected());
        }
        let inner = self.either(true)?;
        if self.symbol(']') { Ok(inner) } else { Err(self.unexpected()) }
    }

    fn comparison(&mut self, name: Name) -> Outcome<Filter> {
        if self.word("pr") {
            return Ok(Filter::Present(name));
        }
        let found = OPERATORS.iter().find(|(word, _)| self.word(word)).map(|(_, operator)| *operator);
        let operator: Operator = found.ok_or_else(|| self.unexpected())?;
        Ok(Filter::Compare(name, operator, self.literal()?))
    }

    /// A value as JSON writes it.
    fn literal(&mut self) -> Outcome<Literal> {
        self.skip();
        if self.rest().starts_with('"') {
            let mut texts = serde_json::Deserializer::from_str(self.rest()).into_iter::<String>();
            let text = texts.next().and_then(Result::ok).filter(|text| !text.contains('\0')).ok_or_else(|| self.unexpected())?;
            self.at = self.at.saturating_add(texts.byte_offset());
            return Ok(Literal::Text(text));
        }
        if self.rest().starts_with(|first: char| first == '-' || first.is_ascii_digit()) {
            let number = self.run(|c| c.is_ascii_alphanumeric() || matches!(c, '+' | '-' | '.'));
            return serde_json::from_str(&number).ok().map(Literal::Number).ok_or_else(|| self.unexpected());
        }
        let words = [("true", Literal::Boolean(true)), ("false", Literal::Boolean(false)), ("null", Literal::Null)];
        let found = words.into_iter().find(|(word, _)| self.word(word));
        found.map(|(_, literal)| literal).ok_or_else(|| self.unexpected())
    }

    fn target(&mut self) -> Outcome<Target> {
        let name = self.name()?;
        if !self.rest().starts_with('[') {
            return Ok(Target { name, within: None, sub: None });
        }
        if name.sub.is_some() {
            return Err(self.unexpected());
        }
        let within = Some(self.bracketed()?);
        let sub = if self.rest().starts_with('.') {
            self.at = self.at.saturating_add(1);
            Some(self.part()?)
        } else {
            None
        };
        Ok(Target { name, within, sub })
    }

    fn name(&mut self) -> Outcome<Name> {
        self.skip();
        let text = self.run(|c| c.is_ascii_alphanumeric() || matches!(c, ':' | '.' | '_' | '-' | '$'));
        let (schema, rest) = match text.rsplit_once(':') {
            Some((schema, rest))
                if schema.len() >= 4 && schema.as_bytes().get(..4).is_some_and(|urn| urn.eq_ignore_ascii_case(b"urn:")) =>
            {
                (Some(schema.to_owned()), rest.to_owned())
            }
            Some(_) => return Err(self.unexpected()),
            None => (None, text),
        };
        let (attribute, sub) = match rest.split_once('.') {
            Some((attribute, sub)) => (attribute.to_owned(), Some(sub.to_owned())),
            None => (rest, None),
        };
        let parts = std::iter::once(&attribute).chain(&sub);
        // `manager.value` of an extension has no more dots than that either.
        if parts.into_iter().all(|part| is_name(part)) && schema.as_ref().is_none_or(|schema| schema.len() <= NAME_BYTES_MAX) {
            Ok(Name { schema, attribute, sub })
        } else {
            Err(self.unexpected())
        }
    }

    fn part(&mut self) -> Outcome<String> {
        let part = self.run(|c| c.is_ascii_alphanumeric() || matches!(c, '_' | '-' | '$'));
        if is_name(&part) { Ok(part) } else { Err(self.unexpected()) }
    }

    /// Takes characters as long as they are wanted.
    fn run(&mut self, wanted: impl Fn(char) -> bool) -> String {
        let run: String = self.rest().chars().take_while(|c| wanted(*c)).collect();
        self.at = self.at.saturating_add(run.len());
        run
    }

    /// Takes a word, if it is the next one.
    fn word(&mut self, word: &str) -> bool {
        self.skip();
        let rest = self.rest();
        let is_word = rest.get(..word.len()).is_some_and(|next| next.eq_ignore_ascii_case(word));
        let ends =
            rest.get(word.len()..).is_some_and(|after| !after.starts_with(|c: char| c.is_ascii_alphanumeric() || ":._-$".contains(c)));
        if is_word && ends {
            self.at = self.at.saturating_add(word.len());
        }
        is_word && ends
    }

    fn symbol(&mut self, symbol: char) -> bool {
        self.skip();
        let is_next = self.rest().starts_with(symbol);
        if is_next {
            self.at = self.at.saturating_add(symbol.len_utf8());
        }
        is_next
    }

    fn skip(&mut self) {
        self.run(|c| c == ' ');
    }

    fn rest(&self) -> &str {
        self.text.get(self.at..).unwrap_or_default()
    }

    fn unexpected(&self) -> Refused {
        Refused::filter(format!("The filter cannot be read at character {}", self.text.get(..self.at).unwrap_or_default().chars().count()))
    }
}

fn is_name(text: &str) -> bool {
    text.len() <= NAME_BYTES_MAX
        && text.strip_prefix('$').unwrap_or(text).starts_with(|first: char| first.is_ascii_alphabetic())
        && !text.get(1..).is_some_and(|rest| rest.contains(['$', ':', '.']))
}
