//! `order`: `name.desc.nullslast,customer(name).asc`.

use kernel::Result;

use super::ParseLimits;
use super::cursor::Cursor;
use super::field::field;
use super::syntax::{Direction, NullsPosition, OrderTerm};

/// Reads the whole of `order`.
pub(super) fn order(text: &str, limits: &ParseLimits) -> Result<Vec<OrderTerm>> {
    let cursor = Cursor::new("order", text);
    let mut terms = Vec::new();
    if text.is_empty() {
        return Ok(terms);
    }
    loop {
        if terms.len() >= limits.order_terms_max {
            return Err(cursor.too_much("terms", limits.order_terms_max));
        }
        terms.push(term(&cursor)?);
        if cursor.at_end() {
            return Ok(terms);
        }
        cursor.expect(",")?;
    }
}

fn term(cursor: &Cursor<'_>) -> Result<OrderTerm> {
    cursor.skip_spaces();
    let mut named = field(cursor)?;
    let mut embed = None;
    if named.path.is_empty() && cursor.eat("(") {
        embed = Some(named.name);
        named = field(cursor)?;
        cursor.expect(")")?;
    }
    let (mut direction, mut nulls) = (None, None);
    while cursor.eat(".") {
        let mark = cursor.mark();
        match (cursor.take_while(|c| c.is_ascii_alphabetic()), direction, nulls) {
            ("asc", None, None) => direction = Some(Direction::Ascending),
            ("desc", None, None) => direction = Some(Direction::Descending),
            ("nullsfirst", _, None) => nulls = Some(NullsPosition::First),
            ("nullslast", _, None) => nulls = Some(NullsPosition::Last),
            _ => {
                cursor.back_to(mark);
                return Err(cursor.failed("order direction (asc, desc) or nulls position (nullsfirst, nullslast)"));
            }
        }
    }
    cursor.skip_spaces();
    Ok(OrderTerm { embed, field: named, direction, nulls })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn terms_have_directions_and_places_for_nulls() {
        let terms = order("a,b.desc.nullslast, c.nullsfirst,data->>x.asc,child(name).desc", &ParseLimits::default()).unwrap();
        let seen: Vec<_> = terms.iter().map(|term| (term.field.name.as_str(), term.direction, term.nulls)).collect();
        assert_eq!(
            seen,
            [
                ("a", None, None),
                ("b", Some(Direction::Descending), Some(NullsPosition::Last)),
                ("c", None, Some(NullsPosition::First)),
                ("data", Some(Direction::Ascending), None),
                ("name", Some(Direction::Descending), None),
            ]
        );
        assert_eq!(terms[3].field.path.len(), 1);
        assert_eq!(terms[4].embed.as_deref(), Some("child"));
    }

    #[test]
    fn what_is_no_order_is_an_error() {
        for bad in ["a.up", "a.asc.desc", "a,", "a.nullslast.asc", "a(b", ".asc"] {
            assert_eq!(order(bad, &ParseLimits::default()).unwrap_err().code(), "PGRST100", "{bad}");
        }
    }
}
