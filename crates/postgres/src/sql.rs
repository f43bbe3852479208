//! The only builder of dynamic SQL: static text, quoted identifiers, bound values, and expressions of PostgreSQL's own catalog.
//!
//! Invariant: a value never becomes part of the text. Values travel in PostgreSQL's text format and take the type of the place where
//! they stand, or of an explicit cast; so the same shape of request gives the same text, and prepared statements are found again.

use std::borrow::Cow;
use std::fmt::Write as _;

use uuid::Uuid;

use crate::catalog::Expression;

/// A statement in the making: one text, and what is bound where in it.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Sql {
    text: String,
    /// What stands before which byte of the text.
    bound: Vec<(usize, Bound)>,
}

#[derive(Clone, Debug, PartialEq)]
enum Bound {
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

/// What stands in a text for what is bound.
enum Filling {
    Number(usize),
    Rows(i64),
}

/// A bound value in text form; `None` is SQL's null.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Param(Option<Cow<'static, str>>);

impl Sql {
    /// Begins with static text.
    pub fn new(text: &'static str) -> Self {
        // Most statements grow to about this.
        let mut begun = Self { text: String::with_capacity(512), bound: Vec::new() };
        begun.text.push_str(text);
        begun
    }

    /// Returns the text so far, without what is bound.
    pub(crate) fn as_text(&self) -> &str {
        &self.text
    }

    /// Adds static text.
    pub fn text(&mut self, text: &'static str) -> &mut Self {
        self.text.push_str(text);
        self
    }

    /// Adds an identifier, quoted.
    pub fn ident(&mut self, name: &str) -> &mut Self {
        quote_ident(name, &mut self.text);
        self
    }

    /// Adds `"schema"."name"`.
    pub fn qualified(&mut self, schema: &str, name: &str) -> &mut Self {
        self.ident(schema).text(".").ident(name)
    }

    /// Adds an expression that stands in the catalog.
    pub fn expression(&mut self, expression: &Expression) -> &mut Self {
        self.text.push_str(expression.as_str());
        self
    }

    /// Adds the number of a column in the list of what is selected, for `group by` and `order by`.
    pub fn position(&mut self, number: usize) -> &mut Self {
        // Writing into a String cannot fail.
        let _infallible = write!(self.text, "{number}");
        self
    }

    /// Adds a bound value.
    pub fn bind(&mut self, value: impl Into<Param>) -> &mut Self {
        self.bound.push((self.text.len(), Bound::Value(value.into())));
        self
    }

    /// Adds a bound number of rows that are wanted or left out.
    pub fn amount(&mut self, rows: i64) -> &mut Self {
        self.bound.push((self.text.len(), Bound::Amount(rows)));
        self
    }

    /// Adds another statement; its values are numbered on.
    pub fn append(&mut self, other: Self) -> &mut Self {
        let before = self.text.len();
        self.text.push_str(&other.text);
        self.bound.extend(other.bound.into_iter().map(|(place, bound)| (before.saturating_add(place), bound)));
        self
    }

    /// Tells whether nothing was added yet.
    pub fn is_empty(&self) -> bool {
        self.text.is_empty() && self.bound.is_empty()
    }

    /// Hands out what statements have in common that differ in their values alone.
    pub fn outline(&self, mut take: impl FnMut(&[u8])) {
        take(self.text.as_bytes());
        for (place, _) in &self.bound {
            take(&place.to_be_bytes());
        }
    }

    /// Returns the text with `$1`, `$2`, ... and the values in that order.
    pub fn render(mut self) -> (String, Vec<Param>) {
        let bound = std::mem::take(&mut self.bound);
        let mut values = Vec::with_capacity(bound.len());
        let text = self.filled(bound.into_iter().map(|(place, bound)| {
            values.push(match bound {
                Bound::Value(value) => value,
                Bound::Amount(rows) => Param::from(rows),
            });
            (place, Filling::Number(values.len()))
        }));
        (text, values)
    }

    /// Returns the shape: amounts stand in it as numbers, rounded up to the next power of two.
    pub fn shape(&self) -> Shape {
        let mut values = 0_usize;
        let text = self.filled(self.bound.iter().map(|(place, bound)| {
            let filling = match bound {
                Bound::Value(_) => {
                    values = values.saturating_add(1);
                    Filling::Number(values)
                }
                Bound::Amount(rows) => Filling::Rows(rounded_up(*rows)),
            };
            (*place, filling)
        }));
        Shape { text, values }
    }

    /// Returns the text with something at each place where a value is bound.
    fn filled(&self, fillings: impl Iterator<Item = (usize, Filling)>) -> String {
        let mut text = String::with_capacity(self.text.len().saturating_add(self.bound.len().saturating_mul(4)).saturating_add(64));
        let mut from = 0;
        for (place, filling) in fillings {
            text.push_str(self.text.get(from..place).unwrap_or_default());
            from = place;
            let _infallible = match filling {
                Filling::Number(number) => write!(text, "${number}"),
                Filling::Rows(rows) => write!(text, "{rows}"),
            };
        }
        text.push_str(self.text.get(from..).unwrap_or_default());
        text
    }

    /// Makes the statement that keeps a shape under a name.
    pub(crate) fn prepare(name: &str, shape: &Shape) -> Self {
        let mut sql = Self::new("prepare ");
        sql.ident(name).text(" as ");
        sql.text.push_str(&shape.text);
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
