//! Rows as bytes of a file: CSV (RFC 4180, UTF-8), JSON, and JSON by the line.
//!
//! Invariant: what a row says is in the file as it was, with two exceptions that are said in the guide: a text that a spreadsheet would take
//! for a formula begins with an apostrophe in CSV, and a value that is hidden from whoever asks is three stars.

use bytes::{BufMut as _, Bytes, BytesMut};
use indexmap::IndexMap;
use kernel::{Error, Kind, Result};
use serde_json::value::RawValue;

/// What stands for a value that is hidden.
const HIDDEN: &str = "\"***\"";

/// The form of a file.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Format {
    /// Lines of values behind one of names.
    Csv,
    /// An array of objects.
    Json,
    /// An object a line.
    Ndjson,
    /// A page to be read by people.
    Html,
}

impl Format {
    /// Reads its word.
    pub(crate) fn parse(word: &str, allowed: &[Self]) -> Result<Self> {
        [Self::Csv, Self::Json, Self::Ndjson, Self::Html]
            .into_iter()
            .find(|format| format.word() == word && allowed.contains(format))
            .ok_or_else(|| {
                let words: Vec<&str> = allowed.iter().map(|format| format.word()).collect();
                Error::new(Kind::BadRequest, "format_unknown", "There is no such form of a file")
                    .with_hint(format!("One of: {}.", words.join(", ")))
            })
    }

    /// Returns its word, which is also the end of a file's name.
    pub(crate) fn word(self) -> &'static str {
        match self {
            Self::Csv => "csv",
            Self::Json => "json",
            Self::Ndjson => "ndjson",
            Self::Html => "html",
        }
    }
}

/// Writes rows behind each other.
#[derive(Debug)]
pub(crate) struct Writer {
    format: Format,
    columns: Vec<String>,
    hidden: Vec<String>,
    rows: u64,
    out: BytesMut,
}

impl Writer {
    pub(crate) fn new(format: Format, columns: Vec<String>, hidden: Vec<String>) -> Self {
        let mut out = BytesMut::new();
        match format {
            Format::Csv => line(&mut out, columns.iter().map(String::as_str)),
            Format::Json => out.put_u8(b'['),
            Format::Ndjson | Format::Html => {}
        }
        Self { format, columns, hidden, rows: 0, out }
    }

    /// Returns how many rows were written.
    pub(crate) fn rows(&self) -> u64 {
        self.rows
    }

    /// Writes a row, which is a JSON object as PostgreSQL made it.
    pub(crate) fn row(&mut self, row: &[u8]) -> Result<()> {
        match self.format {
            Format::Csv => {
                let values = read(row)?;
                let cells: Vec<String> = self.columns.iter().map(|column| cell(self.value(&values, column))).collect::<Result<_>>()?;
                line(&mut self.out, cells.iter().map(String::as_str));
            }
            Format::Json | Format::Ndjson | Format::Html => {
                match (self.format, self.rows) {
                    (Format::Json, 0) => self.out.put_u8(b'\n'),
                    (Format::Json, _) => self.out.put_slice(b",\n"),
                    _ => {}
                }
                if self.hidden.is_empty() {
                    self.out.put_slice(row);
                } else {
                    let values = read(row)?;
                    let shown: IndexMap<&str, &str> =
                        values.keys().map(|column| (column.as_str(), self.value(&values, column).unwrap_or("null"))).collect();
                    object(&mut self.out, &shown)?;
                }
                if self.format != Format::Json {
                    self.out.put_u8(b'\n');
                }
            }
        }
        self.rows = self.rows.saturating_add(1);
        Ok(())
    }

    /// Writes what stands behind the last row.
    pub(crate) fn end(&mut self) {
        if self.format == Format::Json {
            self.out.put_slice(b"\n]\n");
        }
    }

    /// Returns what was written since the last time.
    pub(crate) fn take(&mut self) -> Bytes {
        self.out.split().freeze()
    }

    fn value<'v>(&self, values: &'v IndexMap<String, Box<RawValue>>, column: &str) -> Option<&'v str> {
        let value = values.get(column).map(|value| value.get()).filter(|value| *value != "null")?;
        Some(if self.hidden.iter().any(|hidden| hidden == column) { HIDDEN } else { value })
    }
}

fn read(row: &[u8]) -> Result<IndexMap<String, Box<RawValue>>> {
    serde_json::from_slice(row).map_err(Error::internal)
}

fn object(out: &mut BytesMut, values: &IndexMap<&str, &str>) -> Result<()> {
    let mut separator = "{";
    for (name, value) in values {
        out.put_slice(separator.as_bytes());
        out.put_slice(serde_json::to_string(name).map_err(Error::internal)?.as_bytes());
        out.put_u8(b':');
        out.put_slice(value.as_bytes());
        separator = ",";
    }
    out.put_slice(if values.is_empty() { b"{}" } else { b"}" });
    Ok(())
}

/// Returns a value as it stands in a line: nothing for null, the text of a text, and JSON for lists and objects.
fn cell(value: Option<&str>) -> Result<String> {
    match value {
        None => Ok(String::new()),
        Some(text) if text.starts_with('"') => serde_json::from_str(text).map(defused).map_err(Error::internal),
        Some(other) => Ok(other.to_owned()),
    }
}

/// Keeps spreadsheets from calculating with a text that somebody typed. Telephone numbers and negative amounts are none.
fn defused(text: String) -> String {
    let is_formula = match text.chars().next() {
        Some('=' | '@' | '\t' | '\r') => true,
        Some('+' | '-') => !text.chars().skip(1).all(|c| c.is_ascii_digit() || " ().-/".contains(c)),
        _ => false,
    };
    if is_formula { format!("'{text}") } else { text }
}

/// Writes a line of CSV.
pub(crate) fn line<'a>(out: &mut BytesMut, cells: impl Iterator<Item = &'a str>) {
    for (place, cell) in cells.enumerate() {
        if place > 0 {
            out.put_u8(b',');
        }
        if cell.contains(['"', ',', '\r', '\n']) || cell.starts_with(' ') || cell.ends_with(' ') {
            out.put_u8(b'"');
            out.put_slice(cell.replace('"', "\"\"").as_bytes());
            out.put_u8(b'"');
        } else {
            out.put_slice(cell.as_bytes());
        }
    }
    out.put_slice(b"\r\n");
}

#[cfg(test)]
mod tests {
    use super::*;

    const ROW: &[u8] =
        br#"{"id":7,"name":"a \"b\", c\nd","price":12.30,"tags":["x","y"],"gone":null,"note":"=1+1","phone":"+1 (202) 555-0101"}"#;

    fn written(format: Format, columns: &[&str], hidden: &[&str]) -> String {
        let owned = |names: &[&str]| names.iter().map(|name| (*name).to_owned()).collect::<Vec<_>>();
        let mut writer = Writer::new(format, owned(columns), owned(hidden));
        writer.row(ROW).unwrap();
        writer.row(br#"{"id":8,"name":"","price":-3}"#).unwrap();
        writer.end();
        assert_eq!(writer.rows(), 2);
        String::from_utf8(writer.take().to_vec()).unwrap()
    }

    #[test]
    fn lines_quote_what_they_must_and_defuse_what_would_calculate() {
        let text = written(Format::Csv, &["id", "name", "price", "tags", "gone", "note", "phone"], &[]);
        assert_eq!(
            text,
            "id,name,price,tags,gone,note,phone\r\n7,\"a \"\"b\"\", c\nd\",12.30,\"[\"\"x\"\",\"\"y\"\"]\",,'=1+1,+1 (202) 555-0101\r\n8,,-3,,,,\r\n"
        );
        for (text, expected) in
            [("-2+3*cmd|' /C calc'!A0", true), ("@SUM(A1)", true), ("+1+1", true), ("\t=1", true), ("-12.50", false), ("a=b", false)]
        {
            assert_eq!(defused(text.to_owned()).starts_with('\''), expected, "{text}");
        }
    }

    #[test]
    fn json_is_as_postgresql_made_it() {
        let row = std::str::from_utf8(ROW).unwrap();
        assert_eq!(written(Format::Ndjson, &[], &[]), format!("{row}\n{{\"id\":8,\"name\":\"\",\"price\":-3}}\n"));
        let array: serde_json::Value = serde_json::from_str(&written(Format::Json, &[], &[])).unwrap();
        assert_eq!(array.as_array().unwrap().len(), 2);
        let mut empty = Writer::new(Format::Json, vec![], vec![]);
        empty.end();
        assert_eq!(empty.take(), "[\n]\n");
    }

    #[test]
    fn what_is_hidden_is_three_stars() {
        let text = written(Format::Csv, &["id", "name", "gone"], &["name", "gone"]);
        assert_eq!(text, "id,name,gone\r\n7,***,\r\n8,***,\r\n");
        let text = written(Format::Ndjson, &[], &["name", "phone"]);
        assert!(text.starts_with(r#"{"id":7,"name":"***","price":12.30"#) && text.contains(r#""phone":"***"}"#), "{text}");
    }

    #[test]
    fn a_format_is_one_of_those_that_there_are() {
        assert_eq!(Format::parse("csv", &[Format::Csv, Format::Json]).unwrap(), Format::Csv);
        let refused = Format::parse("pdf", &[Format::Csv, Format::Json]).unwrap_err();
        assert_eq!((refused.code(), refused.hint()), ("format_unknown", Some("One of: csv, json.")));
        assert!(Format::parse("html", &[Format::Csv]).is_err());
    }
}
