//! The query string: its pairs, told apart by their names.
//!
//! Invariant: order and repetitions are kept; every pair is something known, a filter, or (for a function read by GET) an argument.
//! A function's pair whose value begins as a filter does is a filter, any other an argument.

use kernel::{Error, Kind, Result};
use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, percent_decode_str, utf8_percent_encode};

use super::cursor::Cursor;
use super::field::embedded_field;
use super::filter::{Ends, filter, looks_like_filter};
use super::range::{self, Bound};
use super::syntax::{Action, Condition, EmbedPath, Query, Range};
use super::{ParseLimits, logic, order, select};

/// What is said once, of the rows themselves.
const ONCE: [&str; 3] = ["select", "columns", "on_conflict"];

/// Reads the query string of a request.
pub(super) fn query(raw: &str, action: Action, limits: &ParseLimits) -> Result<Query> {
    if raw.len() > limits.query_bytes_max {
        return Err(Error::new(Kind::Status(414), "PGRST100", "The query string is too long")
            .with_details(format!("At most {} bytes are allowed", limits.query_bytes_max)));
    }
    let mut query = Query::default();
    let mut seen: Vec<&str> = Vec::new();
    // A name alone says nothing.
    for (name, value) in raw.split('&').filter_map(|pair| pair.split_once('=')) {
        let name = decoded(name)?;
        // Of those the first counts.
        if let Some(once) = ONCE.into_iter().find(|once| *once == name) {
            if seen.contains(&once) {
                continue;
            }
            seen.push(once);
        }
        read(&mut query, &name, decoded(value)?, action, limits)?;
    }
    let conditions = query.conditions.iter().map(|(_, condition)| size(condition)).sum::<usize>();
    if conditions > limits.conditions_max {
        return Err(Cursor::new("filter", "").too_much("conditions", limits.conditions_max));
    }
    Ok(query)
}

fn read(query: &mut Query, name: &str, value: String, action: Action, limits: &ParseLimits) -> Result<()> {
    let (path, last) = reserved(name);
    match last {
        "select" if path.is_empty() => query.select = select::select(&value, limits)?,
        "columns" if path.is_empty() => query.columns = Some(names("columns parameter", &value, limits)?),
        "on_conflict" if path.is_empty() => query.on_conflict = Some(names("on_conflict parameter", &value, limits)?),
        "order" => {
            let terms = order::order(&value, limits)?;
            query.orders.push((path, terms));
        }
        "limit" => bound(query, path, Bound::Limit, &value)?,
        "offset" => bound(query, path, Bound::Offset, &value)?,
        "and" | "or" => {
            let (path, negated) = match path.split_last() {
                Some((not, before)) if not == "not" => (before.to_vec(), true),
                _ => (path, false),
            };
            if let Some(operator) = logic::operator(last) {
                query.conditions.push((path, logic::tree(&value, operator, negated, limits)?));
            }
        }
        _ => {
            // A call by POST has its arguments in the body.
            if action != Action::CallRead || looks_like_filter(&value) {
                let (path, field) = embedded_field(&Cursor::new("tree path", name))?;
                let cursor = Cursor::new("filter", &value);
                let filter = filter(&cursor, field, Ends::WithTheText, limits.in_values_max)?;
                cursor.end()?;
                query.conditions.push((path, Condition::Filter(filter)));
            } else {
                query.arguments.push((name.to_owned(), value));
            }
        }
    }
    Ok(())
}

/// Splits a name into the embeds before its last dot and the word behind it.
fn reserved(name: &str) -> (EmbedPath, &str) {
    match name.rsplit_once('.') {
        // In quotes a dot is a part of the name.
        Some((before, last)) if !name.contains('"') => (before.split('.').map(str::to_owned).collect(), last),
        _ => (Vec::new(), name),
    }
}

fn bound(query: &mut Query, path: EmbedPath, bound: Bound, value: &str) -> Result<()> {
    let known = query.ranges.iter().position(|(known, _)| *known == path);
    let index = known.unwrap_or(query.ranges.len());
    if known.is_none() {
        query.ranges.push((path, Range::default()));
    }
    match query.ranges.get_mut(index) {
        Some((_, range)) => range::set(range, bound, value),
        None => Ok(()),
    }
}

/// Reads names between commas.
fn names(what: &'static str, text: &str, limits: &ParseLimits) -> Result<Vec<String>> {
    let cursor = Cursor::new(what, text);
    let mut names = Vec::new();
    if text.is_empty() {
        return Ok(names);
    }
    loop {
        if names.len() >= limits.select_items_max {
            return Err(cursor.too_much("names", limits.select_items_max));
        }
        cursor.skip_spaces();
        names.push(cursor.name()?);
        if cursor.at_end() {
            return Ok(names);
        }
        cursor.expect(",")?;
    }
}

fn size(condition: &Condition) -> usize {
    match condition {
        Condition::Filter(_) => 1,
        Condition::Logic { children, .. } => children.iter().map(size).sum::<usize>().saturating_add(1),
    }
}

/// What stands for itself.
const UNRESERVED: &AsciiSet = &NON_ALPHANUMERIC.remove(b'-').remove(b'.').remove(b'_').remove(b'~');

/// Writes a query string in the one way that all have which mean the same: by name, the values of one name in their order with commas.
pub(super) fn canonical(raw: &str) -> Result<String> {
    let mut pairs: Vec<(String, String)> = Vec::new();
    for pair in raw.split('&').filter(|pair| !pair.is_empty()) {
        let (name, value) = pair.split_once('=').unwrap_or((pair, ""));
        let (name, value) = (decoded(name)?, decoded(value)?);
        let value = utf8_percent_encode(&value, UNRESERVED);
        match pairs.iter_mut().find(|(known, _)| *known == name) {
            Some((_, values)) => {
                values.push(',');
                values.extend(value);
            }
            None => pairs.push((name, value.to_string())),
        }
    }
    pairs.sort_by(|left, right| left.0.cmp(&right.0));
    let written: Vec<String> = pairs.iter().map(|(name, value)| format!("{}={value}", utf8_percent_encode(name, UNRESERVED))).collect();
    Ok(written.join("&"))
}

/// Decodes `%41` and `+`.
pub(super) fn decoded(text: &str) -> Result<String> {
    let spaced = text.replace('+', " ");
    let bytes = percent_decode_str(&spaced)
        .decode_utf8()
        .map_err(|error| Error::new(Kind::BadRequest, "PGRST100", "The query string is not UTF-8").with_source(error))?;
    if bytes.contains('\0') {
        return Err(Error::new(Kind::BadRequest, "PGRST100", "The query string contains a zero byte"));
    }
    Ok(bytes.into_owned())
}

#[cfg(test)]
mod tests {
    use super::super::syntax::{Operation, Operator};
    use super::*;

    fn read(raw: &str) -> Result<Query> {
        query(raw, Action::Read, &ParseLimits::default())
    }

    #[test]
    fn what_means_the_same_is_written_alike() {
        for (raw, expected) in [
            ("", ""),
            ("b=eq.1&a=eq.1", "a=eq.1&b=eq.1"),
            ("select=*,x:a->>b&a=like.%2Ax+y", "a=like.%2Ax%20y&select=%2A%2Cx%3Aa-%3E%3Eb"),
            ("id=gt.1&&limit=5&id=lt.9", "id=gt.1,lt.9&limit=5"),
            ("%C3%A4=eq.%C3%B6", "%C3%A4=eq.%C3%B6"),
        ] {
            assert_eq!(canonical(raw).unwrap(), expected);
        }
    }

    #[test]
    fn pairs_are_told_apart_by_their_names() {
        let query = read("select=id&name=eq.a%26b+c&jobs.title=like.x*&not.or=(a.eq.1)&jobs.not.and=(b.eq.2)&order=id&jobs.limit=3&limit=5&offset=2&jobs.order=a")
            .unwrap();
        assert_eq!(query.select.len(), 1);
        let paths: Vec<_> = query.conditions.iter().map(|(path, _)| path.join(".")).collect();
        assert_eq!(paths, ["", "jobs", "", "jobs"]);
        let Condition::Filter(name) = &query.conditions[0].1 else { panic!() };
        assert_eq!(name.operation, Operation::Compare(Operator::Eq, "a&b c".to_owned()));
        for negated in [&query.conditions[2].1, &query.conditions[3].1] {
            assert!(matches!(negated, Condition::Logic { negated: true, .. }));
        }
        assert_eq!(query.ranges[0], (vec!["jobs".to_owned()], Range { limit: Some(3), offset: 0 }));
        assert_eq!(query.ranges[1], (vec![], Range { limit: Some(5), offset: 2 }));
        assert_eq!(query.orders.len(), 2);
    }

    #[test]
    fn a_quoted_name_may_contain_a_dot() {
        let query = read("%22a.order%22=eq.1").unwrap();
        let (path, Condition::Filter(filter)) = &query.conditions[0] else { panic!() };
        assert_eq!((path.len(), filter.field.name.as_str()), (0, "a.order"));
    }

    #[test]
    fn a_function_has_arguments_and_filters() {
        let query = query("name=Ann&id=gt.3&email=ann@example.com", Action::CallRead, &ParseLimits::default()).unwrap();
        assert_eq!(query.arguments.iter().map(|(name, _)| name.as_str()).collect::<Vec<_>>(), ["name", "email"]);
        assert_eq!(query.conditions.len(), 1);
    }

    #[test]
    fn lists_of_names_keep_their_order() {
        let query = read("columns=b,\"a,c\"&on_conflict=company_id,id").unwrap();
        assert_eq!(query.columns.unwrap(), ["b", "a,c"]);
        assert_eq!(query.on_conflict.unwrap(), ["company_id", "id"]);
    }

    #[test]
    fn what_cannot_be_read_is_an_error() {
        for bad in ["name=x", "name=", "=eq.1", "a=%ff", "a=eq.%00", "columns=a,", "order=a.b"] {
            assert_eq!(read(bad).unwrap_err().code(), "PGRST100", "{bad}");
        }
        assert_eq!(read(&format!("a=eq.{}", "x".repeat(1_000_000))).unwrap_err().status(), 414);
        let many = "a=eq.1&".repeat(ParseLimits::default().conditions_max + 1);
        assert_eq!(read(&many).unwrap_err().code(), "PGRST100");
    }
}
