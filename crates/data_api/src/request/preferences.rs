//! `Prefer`: what the client would like, in one header or several.

use http::HeaderMap;
use kernel::{Error, Kind, Result};

/// What `Prefer` says.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub(crate) struct Preferences {
    /// `resolution=`.
    pub(crate) resolution: Option<Resolution>,
    /// `return=`.
    pub(crate) representation: Option<Representation>,
    /// `count=`.
    pub(crate) count: Option<Count>,
    /// `missing=default`.
    pub(crate) missing: Option<Missing>,
    /// `tx=`.
    pub(crate) transaction: Option<TransactionEnd>,
    /// `handling=`.
    pub(crate) handling: Option<Handling>,
    /// `timezone=`.
    pub(crate) timezone: Option<String>,
    /// `max-affected=`.
    pub(crate) max_affected: Option<i64>,
    /// `paging=cursor` and `after=`.
    pub(crate) page: Option<Page>,
    /// `deleted=include`: rows that are marked as deleted are wanted, too.
    pub(crate) deleted: bool,
    /// What nobody knows; an error where handling is strict.
    pub(crate) unknown: Vec<String>,
}

/// Which page is wanted of those that a cursor cuts.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(crate) enum Page {
    /// The one that nothing is before.
    First,
    /// The one behind this cursor.
    After(String),
}

impl Preferences {
    /// Returns how many rows may be touched: said in vain where handling is not strict.
    pub(crate) fn rows_max(&self) -> Option<i64> {
        self.max_affected.filter(|_| self.handling == Some(Handling::Strict))
    }
}

/// What happens to a row whose key is there already.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Resolution {
    /// It is updated.
    MergeDuplicates,
    /// It is left alone.
    IgnoreDuplicates,
}

/// What a write answers.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Representation {
    /// Nothing.
    Minimal,
    /// Nothing but the place of the row.
    HeadersOnly,
    /// The rows.
    Full,
}

/// How rows are counted.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Count {
    /// One by one.
    Exact,
    /// As the planner guesses.
    Planned,
    /// One by one as long as they are few.
    Estimated,
}

/// What a key that is missing in an object means.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Missing {
    /// The column's default.
    Default,
    /// Null.
    Null,
}

/// How the transaction ends.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum TransactionEnd {
    /// It is kept.
    Commit,
    /// It is undone.
    Rollback,
}

/// What happens to preferences that nobody knows.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Handling {
    /// They are an error.
    Strict,
    /// They are passed over.
    Lenient,
}

/// Reads all `Prefer` headers. Of two that say different things the first counts.
pub(crate) fn preferences(headers: &HeaderMap) -> Result<Preferences> {
    let mut preferences = Preferences::default();
    for header in headers.get_all("prefer") {
        let text = header.to_str().unwrap_or_default();
        for preference in text.split(',').map(str::trim).filter(|preference| !preference.is_empty()) {
            read(&mut preferences, preference);
        }
    }
    if preferences.handling == Some(Handling::Strict) && !preferences.unknown.is_empty() {
        return Err(Error::new(Kind::BadRequest, "PGRST122", "Invalid preferences given with handling=strict")
            .with_details(format!("Invalid preferences: {}", preferences.unknown.join(", "))));
    }
    Ok(preferences)
}

fn read(preferences: &mut Preferences, text: &str) {
    let (name, value) = text.split_once('=').map_or((text, ""), |(name, value)| (name.trim(), value.trim()));
    let known = match name {
        "resolution" => first(
            &mut preferences.resolution,
            match value {
                "merge-duplicates" => Some(Resolution::MergeDuplicates),
                "ignore-duplicates" => Some(Resolution::IgnoreDuplicates),
                _ => None,
            },
        ),
        "return" => first(
            &mut preferences.representation,
            match value {
                "minimal" => Some(Representation::Minimal),
                "headers-only" => Some(Representation::HeadersOnly),
                "representation" => Some(Representation::Full),
                _ => None,
            },
        ),
        "count" => first(
            &mut preferences.count,
            match value {
                "exact" => Some(Count::Exact),
                "planned" => Some(Count::Planned),
                "estimated" => Some(Count::Estimated),
                _ => None,
            },
        ),
        "missing" => first(
            &mut preferences.missing,
            match value {
                "default" => Some(Missing::Default),
                "null" => Some(Missing::Null),
                _ => None,
            },
        ),
        "tx" => first(
            &mut preferences.transaction,
            match value {
                "commit" => Some(TransactionEnd::Commit),
                "rollback" => Some(TransactionEnd::Rollback),
                _ => None,
            },
        ),
        "handling" => first(
            &mut preferences.handling,
            match value {
                "strict" => Some(Handling::Strict),
                "lenient" => Some(Handling::Lenient),
                _ => None,
            },
        ),
        "timezone" => first(&mut preferences.timezone, (!value.is_empty()).then(|| value.to_owned())),
        "max-affected" => {
            // What is no number bounds nothing, also where handling is strict.
            first(&mut preferences.max_affected, value.parse().ok().filter(|rows| *rows >= 0));
            true
        }
        "paging" | "after" => paged(preferences, name, value),
        "deleted" if value == "include" => {
            preferences.deleted = true;
            true
        }
        _ => false,
    };
    if !known {
        preferences.unknown.push(text.to_owned());
    }
}

/// A cursor says that there are pages, too.
fn paged(preferences: &mut Preferences, name: &str, value: &str) -> bool {
    match (name, value, &preferences.page) {
        ("paging", "cursor", None) => preferences.page = Some(Page::First),
        ("paging", "cursor", Some(_)) | ("after", _, Some(Page::After(_))) => {}
        ("after", cursor, _) if !cursor.is_empty() => preferences.page = Some(Page::After(cursor.to_owned())),
        _ => return false,
    }
    true
}

/// Keeps the first value. Tells whether there was one to keep.
fn first<T>(slot: &mut Option<T>, value: Option<T>) -> bool {
    let is_known = value.is_some();
    if slot.is_none() {
        *slot = value;
    }
    is_known
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(lines: &[&str]) -> Result<Preferences> {
        let mut headers = HeaderMap::new();
        for line in lines {
            headers.append("prefer", line.parse().unwrap());
        }
        preferences(&headers)
    }

    #[test]
    fn several_lines_and_several_preferences_in_one() {
        let read = read(&["return=representation, count=exact", "resolution=merge-duplicates,return=minimal", "deleted=include"]).unwrap();
        assert_eq!(read.representation, Some(Representation::Full), "the first counts");
        assert_eq!((read.count, read.resolution, read.deleted), (Some(Count::Exact), Some(Resolution::MergeDuplicates), true));
    }

    #[test]
    fn what_nobody_knows_is_an_error_only_when_handling_is_strict() {
        assert_eq!(read(&["foo=bar, return=everything"]).unwrap().unknown, ["foo=bar", "return=everything"]);
        let error = read(&["foo=bar, handling=strict, max-affected=x"]).unwrap_err();
        assert_eq!((error.status().as_u16(), error.code()), (400, "PGRST122"));
        assert_eq!(error.details().unwrap(), "Invalid preferences: foo=bar");
        assert_eq!(read(&["handling=strict, max-affected=x"]).unwrap().max_affected, None);
        assert_eq!(read(&["handling=strict, max-affected=10"]).unwrap().max_affected, Some(10));
    }
}
