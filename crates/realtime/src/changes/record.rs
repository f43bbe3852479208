//! A change as clients read it: JSON, once for all who see the same of it.
//!
//! Invariant: only the columns of its shape stand in it; what was too large to be told is not cut but left out, and the event says so.

use std::fmt::Write as _;
use std::sync::Arc;

use kernel::Cell;

use super::rights::Rights;
use super::tables::{Column, Layout, Table};

/// Bytes of a value that is told even where the row is too large.
const SHORT: usize = 64;

/// The columns that somebody is told of.
#[derive(Debug, PartialEq, Eq, Hash)]
pub(super) struct Shape {
    columns: Box<[usize]>,
    /// Their names and types as JSON.
    described: Box<str>,
}

/// What an event says that happened.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub(super) enum Form {
    Insert,
    Update,
    Delete,
}

/// A change that is written down.
pub(super) struct Written<'a> {
    pub(super) layout: &'a Layout,
    pub(super) form: Form,
    pub(super) new: Option<&'a [Cell]>,
    pub(super) old: Option<&'a [Cell]>,
    /// Whether the old row is told whole, and not its key alone.
    pub(super) is_old_whole: bool,
    /// When it was committed, in microseconds since 1970.
    pub(super) committed_at: i64,
    pub(super) bytes_max: usize,
}

impl Shape {
    /// The columns of a table that somebody reads, or those of them that were selected; by its key a row is known whatever was.
    pub(super) fn new(table: &Table, rights: &Rights, selected: Option<&[String]>) -> Self {
        let is_wanted = |column: &Column| column.is_key || selected.is_none_or(|names| names.iter().any(|name| **name == *column.name));
        let is_told = |column: &Column| rights.reads(table, column) && is_wanted(column);
        let columns: Box<[usize]> =
            table.columns.iter().enumerate().filter(|(_, column)| is_told(column)).map(|(number, _)| number).collect();
        let mut described = String::from("[");
        for column in columns.iter().filter_map(|number| table.columns.get(*number)) {
            described.push_str(if described.len() == 1 { "{\"name\":" } else { ",{\"name\":" });
            string(&mut described, &column.name);
            described.push_str(",\"type\":");
            string(&mut described, &column.type_name);
            described.push('}');
        }
        described.push(']');
        Self { columns, described: described.into() }
    }

    /// Writes a change.
    pub(super) fn write(&self, change: &Written<'_>) -> Arc<str> {
        let table = &change.layout.table;
        let size: usize = [change.new, change.old].into_iter().flatten().flat_map(<[Cell]>::iter).map(bytes).sum();
        let is_large = size > change.bytes_max;
        let mut out = String::with_capacity(512);
        out.push_str("{\"schema\":");
        string(&mut out, &table.schema);
        out.push_str(",\"table\":");
        string(&mut out, &table.name);
        out.push_str(",\"commit_timestamp\":");
        string(&mut out, &instant(change.committed_at));
        out.push_str(match change.form {
            Form::Insert => ",\"type\":\"INSERT\"",
            Form::Update => ",\"type\":\"UPDATE\"",
            Form::Delete => ",\"type\":\"DELETE\"",
        });
        out.push_str(",\"columns\":");
        out.push_str(&self.described);
        if let (Form::Insert | Form::Update, Some(new)) = (change.form, change.new) {
            out.push_str(",\"record\":");
            self.row(&mut out, change.layout, new, |_, cell| !is_large || bytes(cell) <= SHORT);
        }
        // A key that did not change stands in the new row alone.
        if let (Form::Update | Form::Delete, Some(old)) = (change.form, change.old.or(change.new)) {
            out.push_str(",\"old_record\":");
            let is_told = |column: &Column, cell: &Cell| (change.is_old_whole || column.is_key) && (!is_large || bytes(cell) <= SHORT);
            self.row(&mut out, change.layout, old, is_told);
        }
        out.push_str(if is_large { ",\"errors\":[\"Error 413: Payload Too Large\"]}" } else { ",\"errors\":null}" });
        out.into()
    }

    fn row(&self, out: &mut String, layout: &Layout, row: &[Cell], is_told: impl Fn(&Column, &Cell) -> bool) {
        out.push('{');
        let mut separator = "";
        for number in &self.columns {
            let Some(column) = layout.table.columns.get(*number) else { continue };
            let cell = layout.cell(row, *number);
            if *cell == Cell::Untold || !is_told(column, cell) {
                continue;
            }
            out.push_str(separator);
            separator = ",";
            string(out, &column.name);
            out.push(':');
            match cell {
                Cell::Text(text) => match &column.element {
                    Some(element) => array(out, element, text),
                    None => value(out, &column.base, text),
                },
                Cell::Null | Cell::Untold => out.push_str("null"),
            }
        }
        out.push('}');
    }
}

fn bytes(cell: &Cell) -> usize {
    match cell {
        Cell::Text(text) => text.len(),
        Cell::Null | Cell::Untold => 0,
    }
}

/// Writes a value as PostgreSQL makes JSON of it.
fn value(out: &mut String, base: &str, text: &str) {
    match base {
        "int2" | "int4" | "int8" | "oid" | "json" | "jsonb" => out.push_str(text),
        "numeric" | "float4" | "float8" if text.bytes().any(|byte| byte.is_ascii_digit()) => out.push_str(text),
        "bool" => out.push_str(if text == "t" { "true" } else { "false" }),
        "timestamptz" => string(out, &with_minutes(text.replacen(' ', "T", 1))),
        "timestamp" => string(out, &text.replacen(' ', "T", 1)),
        _ => string(out, text),
    }
}

/// An offset is written with its minutes.
fn with_minutes(text: String) -> String {
    let (moment, era) = text.strip_suffix(" BC").map_or((text.as_str(), ""), |moment| (moment, " BC"));
    let sign = moment.rfind(['+', '-']).filter(|place| moment.get(*place..).is_some_and(|zone| zone.len() == 3) && moment.contains('T'));
    if sign.is_some() { format!("{moment}:00{era}") } else { text }
}

/// Writes an array, which PostgreSQL writes `{1,NULL,"a b",{2}}`; one that is none of these as text.
fn array(out: &mut String, element: &str, text: &str) {
    let begun = out.len();
    // Where its numbers do not begin with 1 they stand before it.
    let inner = if text.starts_with('[') { text.split_once('=').map_or(text, |(_, inner)| inner) } else { text };
    let mut rest = inner.chars().peekable();
    let delimiter = if element == "box" { ';' } else { ',' };
    if rest.next() != Some('{') || items(out, element, delimiter, &mut rest, 0).is_none() || rest.next().is_some() {
        out.truncate(begun);
        string(out, text);
    }
}

/// Writes what is behind an opening brace. PostgreSQL knows six dimensions.
fn items(out: &mut String, element: &str, delimiter: char, rest: &mut std::iter::Peekable<std::str::Chars<'_>>, depth: u8) -> Option<()> {
    if depth > 6 {
        return None;
    }
    out.push('[');
    if rest.peek() == Some(&'}') {
        rest.next();
        out.push(']');
        return Some(());
    }
    loop {
        let mut item = String::new();
        match rest.next()? {
            '{' => {
                items(out, element, delimiter, rest, depth.saturating_add(1))?;
            }
            '"' => {
                loop {
                    match rest.next()? {
                        '"' => break,
                        '\\' => item.push(rest.next()?),
                        other => item.push(other),
                    }
                }
                value(out, element, &item);
            }
            first => {
                item.push(first);
                while let Some(c) = rest.next_if(|c| *c != delimiter && *c != '}') {
                    item.push(if c == '\\' { rest.next()? } else { c });
                }
                if item.eq_ignore_ascii_case("null") { out.push_str("null") } else { value(out, element, &item) }
            }
        }
        match rest.next()? {
            '}' => {
                out.push(']');
                return Some(());
            }
            c if c == delimiter => out.push(','),
            _ => return None,
        }
    }
}

/// Writes a text as JSON has it.
fn string(out: &mut String, text: &str) {
    out.push('"');
    for c in text.chars() {
        match c {
            '"' => out.push_str("\\\""),
            '\\' => out.push_str("\\\\"),
            '\n' => out.push_str("\\n"),
            '\r' => out.push_str("\\r"),
            '\t' => out.push_str("\\t"),
            c if c.is_control() && c.is_ascii() => {
                // Writing into a String cannot fail.
                let _infallible = write!(out, "\\u{:04x}", u32::from(c));
            }
            c => out.push(c),
        }
    }
    out.push('"');
}

/// Returns a moment to the millisecond.
fn instant(micros: i64) -> String {
    jiff::Timestamp::from_microsecond(micros).map_or_else(|_| String::new(), |at| format!("{at:.3}"))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn written(base: &str, text: &str) -> String {
        let mut out = String::new();
        value(&mut out, base, text);
        out
    }

    fn listed(element: &str, text: &str) -> String {
        let mut out = String::new();
        array(&mut out, element, text);
        out
    }

    #[test]
    fn values_are_what_the_data_api_would_write() {
        for (base, text, json) in [
            ("int8", "9007199254740993", "9007199254740993"),
            ("numeric", "12.50", "12.50"),
            ("numeric", "NaN", "\"NaN\""),
            ("float8", "-Infinity", "\"-Infinity\""),
            ("float8", "1e+20", "1e+20"),
            ("bool", "t", "true"),
            ("bool", "f", "false"),
            ("jsonb", "{\"a\": [1, null]}", "{\"a\": [1, null]}"),
            ("timestamptz", "2026-01-02 03:04:05.678+00", "\"2026-01-02T03:04:05.678+00:00\""),
            ("timestamptz", "2026-01-02 03:04:05+05:30", "\"2026-01-02T03:04:05+05:30\""),
            ("timestamptz", "0044-03-15 00:00:00+00 BC", "\"0044-03-15T00:00:00+00:00 BC\""),
            ("timestamptz", "infinity", "\"infinity\""),
            ("timestamp", "2026-01-02 03:04:05", "\"2026-01-02T03:04:05\""),
            ("date", "2026-01-02", "\"2026-01-02\""),
            ("text", "a \"b\"\n\u{1}\u{e9}\\", "\"a \\\"b\\\"\\n\\u0001\u{e9}\\\\\""),
        ] {
            assert_eq!(written(base, text), json, "{base} {text}");
            assert!(serde_json::from_str::<serde_json::Value>(&written(base, text)).is_ok());
        }
    }

    #[test]
    fn arrays_are_lists() {
        for (element, text, json) in [
            ("int4", "{1,NULL,3}", "[1,null,3]"),
            ("text", "{}", "[]"),
            ("text", "{a,\"b,c\",\"NULL\",\"q\\\"\\\\\"}", "[\"a\",\"b,c\",\"NULL\",\"q\\\"\\\\\"]"),
            ("int4", "{{1,2},{3,4}}", "[[1,2],[3,4]]"),
            ("int4", "[0:1]={1,2}", "[1,2]"),
            ("bool", "{t,f}", "[true,false]"),
            ("text", "{open", "\"{open\""),
        ] {
            assert_eq!(listed(element, text), json, "{text}");
        }
    }

    #[test]
    fn moments_have_milliseconds() {
        assert_eq!(instant(1_704_067_200_000_000), "2024-01-01T00:00:00.000Z");
        assert_eq!(instant(1_704_067_200_123_456), "2024-01-01T00:00:00.123Z");
    }
}
