//! Parts of the rows: `limit`, `offset` and the header `Range`.

use http::HeaderMap;
use http::header::RANGE;
use kernel::{Error, Kind, Result};

use super::syntax::Range;

/// Which end of a range is said.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum Bound {
    /// `limit`.
    Limit,
    /// `offset`.
    Offset,
}

/// Sets one end of a range.
pub(super) fn set(range: &mut Range, bound: Bound, value: &str) -> Result<()> {
    let number: i64 = value.trim().parse().map_err(|error| {
        let message = format!("\"failed to parse limit or offset ({value})\" (line 1, column 1)");
        Error::new(Kind::BadRequest, "PGRST100", message).with_details("unexpected input expecting a number").with_source(error)
    })?;
    match bound {
        Bound::Limit if number < 0 => return Err(unsatisfiable("Limit should be greater than or equal to zero.")),
        Bound::Limit => range.limit = Some(number),
        // Nothing stands before the first row.
        Bound::Offset => range.offset = number.max(0),
    }
    Ok(())
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
    range.offset = offset;
    range.limit = end.map(|end| end.saturating_sub(offset).saturating_add(1).max(0));
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
    }

    #[test]
    fn a_limit_is_a_number_that_is_not_negative() {
        let mut range = Range::default();
        assert_eq!(set(&mut range, Bound::Limit, "-1").unwrap_err().code(), "PGRST103");
        assert_eq!(set(&mut range, Bound::Limit, "ten").unwrap_err().code(), "PGRST100");
        set(&mut range, Bound::Limit, "0").unwrap();
        set(&mut range, Bound::Offset, "-7").unwrap();
        assert_eq!(range, Range { limit: Some(0), offset: 0 });
    }
}
