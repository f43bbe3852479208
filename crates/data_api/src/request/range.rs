//! Parts of the rows: `limit`, `offset` and the header `Range`.

use http::HeaderMap;
use http::header::RANGE;
use kernel::{Error, Kind, Result};

use super::syntax::Range;

const NEGATIVE: &str = "Limit should be greater than or equal to zero.";

/// Which end of a range is said.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum Bound {
    /// `limit`.
    Limit,
    /// `offset`.
    Offset,
}

/// Sets one end of a range. What is no number says nothing; no number is too large to mean what it says.
pub(super) fn set(range: &mut Range, bound: Bound, value: &str) -> Result<()> {
    let Some(number) = number(value.trim()) else { return Ok(()) };
    match bound {
        Bound::Limit if number < 0 => return Err(unsatisfiable(NEGATIVE)),
        Bound::Limit => range.limit = Some(number),
        // Nothing stands before the first row.
        Bound::Offset => range.offset = number.max(0),
    }
    Ok(())
}

fn number(text: &str) -> Option<i64> {
    let digits = text.strip_prefix('-').unwrap_or(text);
    if digits.is_empty() || !digits.bytes().all(|byte| byte.is_ascii_digit()) {
        return None;
    }
    Some(text.parse().unwrap_or(if digits == text { i64::MAX } else { i64::MIN }))
}

/// Narrows a range by the header `Range`, whatever its unit is said to be: rows are all that is counted.
pub(super) fn narrow(range: &mut Range, headers: &HeaderMap) -> Result<()> {
    let Some(header) = headers.get(RANGE).and_then(|value| value.to_str().ok()) else { return Ok(()) };
    let Some((first, last)) = bounds(header) else { return Ok(()) };
    if last.is_some_and(|last| first > last) {
        return Err(unsatisfiable("The lower boundary must be lower than or equal to the upper boundary in the Range header."));
    }
    let own_last = range.limit.map(|limit| range.offset.saturating_add(limit).saturating_sub(1));
    let offset = range.offset.max(first);
    let end = match (own_last, last) {
        (Some(own), Some(last)) => Some(own.min(last)),
        (own, last) => own.or(last),
    };
    let rows = end.map(|end| end.saturating_sub(offset).saturating_add(1));
    // Both have nothing in common, and nothing was not what was asked for.
    if rows.is_some_and(|rows| rows <= 0) && range.limit != Some(0) {
        return Err(unsatisfiable(NEGATIVE));
    }
    range.offset = offset;
    range.limit = rows.map(|rows| rows.max(0));
    Ok(())
}

/// Reads `first-last` or `first-`, with or without `items=` before. What is no range is passed over, as HTTP has it.
fn bounds(header: &str) -> Option<(i64, Option<i64>)> {
    let (first, last) = header.trim().trim_start_matches("items=").split_once('-')?;
    let first = first.trim().parse().ok()?;
    match last.trim() {
        "" => Some((first, None)),
        last => Some((first, Some(last.parse().ok()?))),
    }
}

fn unsatisfiable(details: &'static str) -> Error {
    Error::new(Kind::Status(416), "PGRST103", "Requested range not satisfiable").with_details(details)
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    proptest! {
        /// No header makes more rows of what the query leaves, and none of them begins before it.
        #[test]
        fn a_header_only_narrows(limit in prop::option::of(0..i64::MAX), offset in 0..i64::MAX, header in "(items=)?[0-9]{0,20} ?-? ?[0-9]{0,20}") {
            if let Ok((first, rows)) = narrowed(limit, offset, &header) {
                prop_assert!(first >= offset);
                prop_assert!(limit.is_none_or(|limit| rows.is_some_and(|rows| (0..=limit).contains(&rows))));
            }
        }
    }

    fn narrowed(limit: Option<i64>, offset: i64, header: &str) -> Result<(i64, Option<i64>)> {
        let mut range = Range { limit, offset };
        let headers = HeaderMap::from_iter([(RANGE, header.parse().unwrap())]);
        narrow(&mut range, &headers)?;
        Ok((range.offset, range.limit))
    }

    #[test]
    fn the_header_and_the_query_meet() {
        assert_eq!(narrowed(None, 0, "0-9").unwrap(), (0, Some(10)));
        assert_eq!(narrowed(None, 0, "10-").unwrap(), (10, None));
        assert_eq!(narrowed(Some(5), 2, "0-3").unwrap(), (2, Some(2)));
        assert_eq!(narrowed(Some(5), 2, "items=4-20").unwrap(), (4, Some(3)));
        assert_eq!(narrowed(Some(5), 0, "bytes").unwrap(), (0, Some(5)));
        assert_eq!(narrowed(None, 0, "9-0").unwrap_err().status(), 416);
        assert_eq!(narrowed(Some(0), 0, "20-29").unwrap(), (20, Some(0)), "nothing was asked for");
        for (limit, offset) in [(Some(10), 0), (None, 30)] {
            let refused = narrowed(limit, offset, "20-29").unwrap_err();
            assert_eq!((refused.status().as_u16(), refused.details().unwrap()), (416, &serde_json::json!(NEGATIVE)));
        }
    }

    #[test]
    fn a_limit_is_a_number_that_is_not_negative() {
        let mut range = Range::default();
        assert_eq!(set(&mut range, Bound::Limit, "-1").unwrap_err().code(), "PGRST103");
        set(&mut range, Bound::Limit, "99999999999999999999").unwrap();
        assert_eq!(range.limit, Some(i64::MAX));
        for no_number in ["", "ten", "undefined", "null", "NaN", "1.5", "-"] {
            set(&mut range, Bound::Limit, no_number).unwrap();
            set(&mut range, Bound::Offset, no_number).unwrap();
        }
        assert_eq!(range, Range { limit: Some(i64::MAX), offset: 0 });
        set(&mut range, Bound::Limit, "0").unwrap();
        set(&mut range, Bound::Offset, "-7").unwrap();
        assert_eq!(range, Range { limit: Some(0), offset: 0 });
    }
}
