//! The only builder of dynamic SQL: static text, quoted identifiers, bound values, and expressions of PostgreSQL's own catalog.
//!
//! Invariant: a value never becomes part of the text. Values travel in PostgreSQL's text format and take the type of the place where
//! they stand, or of an explicit cast; so the same shape of request gives the same text, and prepared statements are found again.

use std::borrow::Cow;
use std::fmt::Write as _;

use uuid::Uuid;

use crate::catalog::Expression;

/// A statement in the making.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Sql {
    pieces: Vec<Piece>,
}

#[derive(Clone, Debug, PartialEq)]
enum Piece {
    Text(Cow<'static, str>),
    Value(Param),
    Amount(i64),
}

/// What the generic plan of a statement depends on: its text, and the order of magnitude of the rows that are wanted. Other values do not
/// count, so that none of them makes a shape look cheaper than it is.
#[derive(Clone, PartialEq, Eq, Hash, Debug)]
pub struct Shape {
    text: String,
    values: usize,
}

/// A bound value in text form; `None` is SQL's null.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Param(Option<Cow<'static, str>>);

impl Sql {
    /// Begins with static text.
    pub fn new(text: &'static str) -> Self {
        Self { pieces: vec![Piece::Text(Cow::Borrowed(text))] }
    }

    /// Adds static text.
    pub fn text(&mut self, text: &'static str) -> &mut Self {
        self.pieces.push(Piece::Text(Cow::Borrowed(text)));
        self
    }

    /// Adds an identifier, quoted.
    pub fn ident(&mut self, name: &str) -> &mut Self {
        let mut quoted = String::with_capacity(name.len().saturating_add(2));
        quote_ident(name, &mut quoted);
        self.pieces.push(Piece::Text(Cow::Owned(quoted)));
        self
    }

    /// Adds `"schema"."name"`.
    pub fn qualified(&mut self, schema: &str, name: &str) -> &mut Self {
        self.ident(schema).text(".").ident(name)
    }

    /// Adds an expression that stands in the catalog.
    pub fn expression(&mut self, expression: &Expression) -> &mut Self {
        self.pieces.push(Piece::Text(Cow::Owned(expression.as_str().to_owned())));
        self
    }

    /// Adds the number of a column in the list of what is selected, for `group by` and `order by`.
    pub fn position(&mut self, number: usize) -> &mut Self {
        self.pieces.push(Piece::Text(Cow::Owned(number.to_string())));
        self
    }

    /// Adds a bound value.
    pub fn bind(&mut self, value: impl Into<Param>) -> &mut Self {
        self.pieces.push(Piece::Value(value.into()));
        self
    }

    /// Adds a bound number of rows that are wanted or left out.
    pub fn amount(&mut self, rows: i64) -> &mut Self {
        self.pieces.push(Piece::Amount(rows));
        self
    }

    /// Adds another statement's pieces; its values are numbered on.
    pub fn append(&mut self, other: Self) -> &mut Self {
        self.pieces.extend(other.pieces);
        self
    }

    /// Tells whether nothing was added yet.
    pub fn is_empty(&self) -> bool {
        self.pieces.is_empty()
    }

    /// Returns the text with `$1`, `$2`, ... and the values in that order.
    pub fn render(self) -> (String, Vec<Param>) {
        let mut text = String::with_capacity(256);
        let mut values = Vec::new();
        for piece in self.pieces {
            match piece {
                Piece::Text(part) => text.push_str(&part),
                Piece::Value(value) => {
                    values.push(value);
                    // Writing into a String cannot fail.
                    let _infallible = write!(text, "${}", values.len());
                }
                Piece::Amount(rows) => {
                    values.push(Param::from(rows));
                    let _infallible = write!(text, "${}", values.len());
                }
            }
        }
        (text, values)
    }

    /// Returns the shape: amounts stand in it as numbers, rounded up to the next power of two.
    pub fn shape(&self) -> Shape {
        let mut text = String::with_capacity(256);
        let mut values = 0_usize;
        for piece in &self.pieces {
            match piece {
                Piece::Text(part) => text.push_str(part),
                Piece::Value(_) => {
                    values = values.saturating_add(1);
                    let _infallible = write!(text, "${values}");
                }
                Piece::Amount(rows) => {
                    let _infallible = write!(text, "{}", rounded_up(*rows));
                }
            }
        }
        Shape { text, values }
    }

    /// Makes the statement that keeps a shape under a name.
    pub(crate) fn prepare(name: &str, shape: &Shape) -> Self {
        let mut sql = Self::new("prepare ");
        sql.ident(name).text(" as ");
        sql.pieces.push(Piece::Text(Cow::Owned(shape.text.clone())));
        sql
    }

    /// Makes the statement that tells how a shape that was kept is executed, whatever its values are.
    pub(crate) fn explain_prepared(name: &str, shape: &Shape) -> Self {
        let mut sql = Self::new("explain (format json) execute ");
        sql.ident(name);
        for number in 0..shape.values {
            sql.text(if number == 0 { "(null" } else { ", null" });
        }
        if shape.values > 0 {
            sql.text(")");
        }
        sql
    }
}

impl Param {
    /// Returns the value in text form.
    pub fn as_str(&self) -> Option<&str> {
        self.0.as_deref()
    }
}

impl From<&str> for Param {
    fn from(value: &str) -> Self {
        Self(Some(Cow::Owned(value.to_owned())))
    }
}

impl From<String> for Param {
    fn from(value: String) -> Self {
        Self(Some(Cow::Owned(value)))
    }
}

impl From<bool> for Param {
    fn from(value: bool) -> Self {
        Self(Some(Cow::Borrowed(if value { "true" } else { "false" })))
    }
}

macro_rules! by_display {
    ($($from:ty),*) => {$(
        impl From<$from> for Param {
            fn from(value: $from) -> Self {
                Self(Some(Cow::Owned(value.to_string())))
            }
        }
    )*};
}
by_display!(
    i32,
    i64,
    u32,
    u64,
    Uuid,
    serde_json::Value,
    &serde_json::Value,
    jiff::Timestamp,
    kernel::CompanyId,
    kernel::UserId,
    kernel::SessionId
);

impl<T: Into<Self>> From<Option<T>> for Param {
    fn from(value: Option<T>) -> Self {
        value.map_or(Self(None), Into::into)
    }
}

fn rounded_up(rows: i64) -> i64 {
    let rounded = u64::try_from(rows).ok().and_then(u64::checked_next_power_of_two);
    rounded.filter(|_| rows > 0).map_or(rows, |rounded| i64::try_from(rounded).unwrap_or(i64::MAX))
}

fn quote_ident(name: &str, out: &mut String) {
    out.push('"');
    for c in name.chars().filter(|c| *c != '\0') {
        if c == '"' {
            out.push('"');
        }
        out.push(c);
    }
    out.push('"');
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn values_never_reach_the_text() {
        let mut inner = Sql::new("name = ");
        inner.bind("'; drop table x; --");
        let mut sql = Sql::new("select ");
        sql.ident("we\"ird").text(" from ").qualified("public", "jobs").text(" where id = ").bind(7_i64).text(" and ").append(inner);
        let (text, values) = sql.render();
        assert_eq!(text, r#"select "we""ird" from "public"."jobs" where id = $1 and name = $2"#);
        assert_eq!(values, [Param::from(7_i64), Param::from("'; drop table x; --")]);
    }

    #[test]
    fn a_shape_has_the_magnitude_of_its_rows_and_no_other_value() {
        let read = |name: &str, limit: i64, offset: i64| {
            let mut sql = Sql::new("select a from b where c = ");
            sql.bind(name).text(" limit ").amount(limit).text(" offset ").amount(offset);
            sql
        };
        let (text, values) = read("x", 100, 0).render();
        assert_eq!((text.as_str(), values.len()), ("select a from b where c = $1 limit $2 offset $3", 3));
        let shape = read("x", 100, 0).shape();
        assert_eq!(shape, Shape { text: "select a from b where c = $1 limit 128 offset 0".to_owned(), values: 1 });
        assert_eq!(shape, read("y", 65, 0).shape());
        assert_ne!(shape, read("x", 129, 0).shape());
        assert_eq!([0, 1, 2, 3, i64::MAX - 1, -4].map(rounded_up), [0, 1, 2, 4, i64::MAX, -4]);
        assert_eq!(Sql::prepare("n", &shape).render().0, "prepare \"n\" as select a from b where c = $1 limit 128 offset 0");
        assert_eq!(Sql::explain_prepared("n", &shape).render().0, "explain (format json) execute \"n\"(null)");
        assert_eq!(Sql::explain_prepared("n", &Sql::new("select 1").shape()).render().0, "explain (format json) execute \"n\"");
    }

    #[test]
    fn an_absent_value_is_null() {
        let (_, values) = Sql::new("select ").bind(None::<String>).clone().render();
        assert_eq!(values[0].as_str(), None);
    }
}
