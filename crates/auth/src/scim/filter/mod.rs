//! The filter language of RFC 7644 section 3.4.2.2, as a tree.
//!
//! Invariant: printed, a tree reads as the same tree again; brackets and conditions are limited wherever one is read, filters and paths
//! alike, so that no tree is deep enough to exhaust the stack.

mod parser;

use std::fmt;

pub(super) use parser::{parse, parse_path};

/// The name of an attribute as somebody wrote it; whether there is one is not known here.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(super) struct Name {
    /// The URN before the last colon.
    pub(super) schema: Option<String>,
    pub(super) attribute: String,
    pub(super) sub: Option<String>,
}

/// How two values are compared.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum Operator {
    Equal,
    NotEqual,
    Contains,
    StartsWith,
    EndsWith,
    Greater,
    GreaterOrEqual,
    Less,
    LessOrEqual,
}

/// What an attribute is compared with.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(super) enum Literal {
    Text(String),
    Boolean(bool),
    Number(serde_json::Number),
    Null,
}

/// A condition.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(super) enum Filter {
    And(Box<Filter>, Box<Filter>),
    Or(Box<Filter>, Box<Filter>),
    Not(Box<Filter>),
    /// There is a value.
    Present(Name),
    Compare(Name, Operator, Literal),
    /// One and the same element of a list fulfils the condition.
    Within(Name, Box<Filter>),
}

/// What a change is aimed at: an attribute, those elements of a list that fulfil a condition, or an attribute of these.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(super) struct Target {
    pub(super) name: Name,
    pub(super) within: Option<Filter>,
    /// Behind the brackets; without brackets it stands in the name.
    pub(super) sub: Option<String>,
}

pub(super) const OPERATORS: [(&str, Operator); 9] = [
    ("eq", Operator::Equal),
    ("ne", Operator::NotEqual),
    ("co", Operator::Contains),
    ("sw", Operator::StartsWith),
    ("ew", Operator::EndsWith),
    ("gt", Operator::Greater),
    ("ge", Operator::GreaterOrEqual),
    ("lt", Operator::Less),
    ("le", Operator::LessOrEqual),
];

impl fmt::Display for Operator {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let word = OPERATORS.iter().find(|(_, operator)| operator == self).map_or("", |(word, _)| word);
        f.write_str(word)
    }
}

impl fmt::Display for Name {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if let Some(schema) = &self.schema {
            write!(f, "{schema}:")?;
        }
        f.write_str(&self.attribute)?;
        self.sub.as_ref().map_or(Ok(()), |sub| write!(f, ".{sub}"))
    }
}

impl fmt::Display for Literal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Text(text) => write!(f, "{}", serde_json::Value::String(text.clone())),
            Self::Boolean(boolean) => write!(f, "{boolean}"),
            Self::Number(number) => write!(f, "{number}"),
            Self::Null => f.write_str("null"),
        }
    }
}

impl fmt::Display for Filter {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            // Both read from the left: what stands at the right was in brackets.
            Self::And(left, right) => {
                left.print(f, matches!(**left, Self::Or(..)))?;
                f.write_str(" and ")?;
                right.print(f, matches!(**right, Self::Or(..) | Self::And(..)))
            }
            Self::Or(left, right) => {
                left.print(f, false)?;
                f.write_str(" or ")?;
                right.print(f, matches!(**right, Self::Or(..)))
            }
            Self::Not(inner) => write!(f, "not ({inner})"),
            Self::Present(name) => write!(f, "{name} pr"),
            Self::Compare(name, operator, literal) => write!(f, "{name} {operator} {literal}"),
            Self::Within(name, inner) => write!(f, "{name}[{inner}]"),
        }
    }
}

impl Filter {
    /// Returns of how many conditions it is made.
    pub(super) fn conditions(&self) -> usize {
        match self {
            Self::And(left, right) | Self::Or(left, right) => left.conditions().saturating_add(right.conditions()),
            Self::Not(inner) | Self::Within(_, inner) => inner.conditions(),
            Self::Present(_) | Self::Compare(..) => 1,
        }
    }

    /// Returns about how many bytes the longest text has that something is compared with.
    pub(super) fn weight(&self) -> usize {
        match self {
            Self::And(left, right) | Self::Or(left, right) => left.weight().max(right.weight()),
            Self::Not(inner) | Self::Within(_, inner) => inner.weight(),
            Self::Compare(_, _, Literal::Text(text)) => text.len(),
            Self::Present(_) | Self::Compare(..) => 0,
        }
    }

    fn print(&self, f: &mut fmt::Formatter<'_>, grouped: bool) -> fmt::Result {
        if grouped { write!(f, "({self})") } else { write!(f, "{self}") }
    }
}

#[cfg(test)]
mod tests;
