//! The lines of a file that is imported, whatever its form.
//!
//! Invariant: a line has a number, and either values by the names of the file or what is wrong with it; the file is read as it comes.

use bytes::Bytes;
use futures_util::StreamExt as _;
use kernel::{BlobStream, Error, Kind, Result};
use serde_json::{Map, Value};

use super::{csv, json};
use crate::config::TransfersConfig;

/// What stands for a value that is missing, as the data API writes it.
const MISSING: &str = "NULL";
/// Bytes in which the names of a file have to end.
const NAMES_BYTES_MAX: usize = 65_536;

/// The form of a file.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Form {
    Csv,
    Json,
    Ndjson,
}

/// A line, or what is wrong with it.
#[derive(Clone, PartialEq, Debug)]
pub(crate) struct Record {
    pub(crate) line: u64,
    pub(crate) values: std::result::Result<Map<String, Value>, Fault>,
}

/// What is wrong with a line.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(crate) struct Fault {
    pub(crate) column: Option<String>,
    pub(crate) code: String,
    pub(crate) message: String,
}

/// Reads a file.
pub(crate) struct Reader {
    content: BlobStream,
    piece: Bytes,
    cutter: Cutter,
    names: Vec<String>,
    is_over: bool,
}

enum Cutter {
    Csv(csv::Cutter),
    Array(json::Cutter),
    /// A line of its own for each object: no value and no quote parts it.
    Lines(csv::Cutter),
}

impl Form {
    pub(crate) fn parse(word: &str) -> Result<Self> {
        match word {
            "csv" => Ok(Self::Csv),
            "json" => Ok(Self::Json),
            "ndjson" => Ok(Self::Ndjson),
            _ => {
                Err(Error::new(Kind::BadRequest, "format_unknown", "There is no such form of a file")
                    .with_hint("One of: csv, json, ndjson."))
            }
        }
    }
}

impl Fault {
    pub(crate) fn new(column: Option<&str>, code: &str, message: impl Into<String>) -> Self {
        Self { column: column.map(str::to_owned), code: code.to_owned(), message: message.into() }
    }
}

impl Reader {
    /// Begins to read, up to the names of the columns.
    pub(crate) async fn open(form: Form, content: BlobStream, config: &TransfersConfig) -> Result<Self> {
        let mut content = content.fuse().boxed();
        let mut head = Vec::new();
        while head.len() < NAMES_BYTES_MAX {
            let Some(piece) = content.next().await else { break };
            head.extend_from_slice(&piece?);
        }
        if head.starts_with(&[0xff, 0xfe]) || head.starts_with(&[0xfe, 0xff]) {
            return Err(not_utf8());
        }
        let body = head.strip_prefix(&[0xef, 0xbb, 0xbf]).unwrap_or(&head);
        let (bytes_max, columns_max) = (config.import_line_bytes_max, config.import_columns_max);
        let first_line = body.split(|byte| *byte == b'\n').next().unwrap_or_default();
        let cutter = match form {
            Form::Csv => Cutter::Csv(csv::Cutter::new(csv::delimiter(first_line), bytes_max, columns_max)),
            Form::Json => Cutter::Array(json::Cutter::new(bytes_max)),
            Form::Ndjson => Cutter::Lines(csv::Cutter::new(b'\n', bytes_max, 1)),
        };
        let mut reader = Self { content, piece: Bytes::copy_from_slice(body), cutter, names: vec![], is_over: false };
        if form == Form::Csv {
            reader.names = reader.first_line().await?;
        }
        Ok(reader)
    }

    /// Returns the names that the first line gives; none where each object has its own.
    pub(crate) fn names(&self) -> &[String] {
        &self.names
    }

    /// Reads the next line that is not empty.
    pub(crate) async fn next(&mut self) -> Result<Option<Record>> {
        loop {
            if let Some(record) = self.cut()? {
                return Ok(Some(record));
            }
            if self.is_over {
                return Ok(None);
            }
            if let Some(piece) = self.content.next().await {
                self.piece = piece?;
            } else {
                self.is_over = true;
                if let Some(last) = self.last()? {
                    return Ok(Some(last));
                }
            }
        }
    }

    /// Cuts a line out of what has come.
    fn cut(&mut self) -> Result<Option<Record>> {
        let mut taken = 0;
        let mut found = None;
        for byte in &self.piece {
            taken += 1;
            let came = match &mut self.cutter {
                Cutter::Csv(cutter) => cutter.push(*byte).map(|line| of_line(&self.names, line)),
                Cutter::Array(cutter) => cutter.push(*byte).map_err(no_array)?.map(of_text),
                Cutter::Lines(cutter) => lines_byte(cutter, *byte),
            };
            if came.is_some() {
                found = came;
                break;
            }
        }
        let _cut = self.piece.split_to(taken);
        Ok(found)
    }

    fn last(&mut self) -> Result<Option<Record>> {
        match &mut self.cutter {
            Cutter::Csv(cutter) => Ok(cutter.finish().map(|line| of_line(&self.names, line))),
            Cutter::Array(cutter) => cutter.finish().map_err(no_array).map(|()| None),
            Cutter::Lines(cutter) => Ok(cutter.finish().map(of_object_line)),
        }
    }

    async fn first_line(&mut self) -> Result<Vec<String>> {
        let line = loop {
            if let Some(line) = self.cut_names() {
                break line;
            }
            if let Some(piece) = self.content.next().await {
                self.piece = piece?;
            } else {
                self.is_over = true;
                let Cutter::Csv(cutter) = &mut self.cutter else { return Err(no_names()) };
                break cutter.finish().ok_or_else(no_names)?;
            }
        };
        let cells = line.cells.map_err(|(code, message)| Error::new(Kind::BadRequest, "names_unreadable", message).with_details(code))?;
        let names: Vec<String> =
            cells.into_iter().map(|cell| String::from_utf8(cell).map_err(|error| not_utf8().with_source(error))).collect::<Result<_>>()?;
        let names: Vec<String> = names.into_iter().map(|name| name.trim().to_owned()).collect();
        let is_twice = names.iter().enumerate().any(|(place, name)| names.iter().skip(place + 1).any(|other| other == name));
        if is_twice || names.iter().any(|name| name.is_empty() || name.len() > 200) {
            return Err(Error::new(Kind::BadRequest, "names_unreadable", "The first line names each column, and no two alike"));
        }
        Ok(names)
    }

    fn cut_names(&mut self) -> Option<csv::Line> {
        let Cutter::Csv(cutter) = &mut self.cutter else { return None };
        let mut taken = 0;
        let mut found = None;
        for byte in &self.piece {
            taken += 1;
            found = cutter.push(*byte);
            if found.is_some() {
                break;
            }
        }
        let _cut = self.piece.split_to(taken);
        found
    }
}

/// A line of JSON is cut by its end alone: quotes are the cutter's and not the line's.
fn lines_byte(cutter: &mut csv::Cutter, byte: u8) -> Option<Record> {
    cutter.push_plain(byte).map(of_object_line)
}

fn of_object_line(line: csv::Line) -> Record {
    let text = line.cells.map(|cells| cells.into_iter().next().unwrap_or_default());
    of_text(json::Text { line: line.line, text })
}

fn of_text(json::Text { line, text }: json::Text) -> Record {
    let values = text.map_err(|(code, message)| Fault::new(None, code, message)).and_then(|text| {
        serde_json::from_slice(&text).map_err(|error| Fault::new(None, "json_malformed", format!("That is no object of JSON: {error}")))
    });
    Record { line, values }
}

fn of_line(names: &[String], csv::Line { line, cells }: csv::Line) -> Record {
    let values = cells.map_err(|(code, message)| Fault::new(None, code, message)).and_then(|cells| {
        if cells.len() != names.len() {
            let message = format!("The line has {} values, and there are {} columns", cells.len(), names.len());
            return Err(Fault::new(None, "line_uneven", message));
        }
        let mut values = Map::new();
        for (name, cell) in names.iter().zip(cells) {
            let Ok(text) = String::from_utf8(cell) else {
                return Err(Fault::new(Some(name), "value_not_utf8", "The value is not UTF-8"));
            };
            match text.as_str() {
                // Nothing is said.
                "" => {}
                MISSING => _ = values.insert(name.clone(), Value::Null),
                text if text.contains('\0') => return Err(Fault::new(Some(name), "value_invalid", "The value has a zero character")),
                text => _ = values.insert(name.clone(), Value::String(plain(text).to_owned())),
            }
        }
        Ok(values)
    });
    Record { line, values }
}

/// Takes away the apostrophe that an export puts before what would calculate.
fn plain(text: &str) -> &str {
    text.strip_prefix('\'').filter(|rest| rest.starts_with(['=', '+', '-', '@', '\t', '\r'])).unwrap_or(text)
}

fn no_names() -> Error {
    Error::new(Kind::BadRequest, "names_unreadable", "The file is empty")
}

fn no_array(json::NoArray(line): json::NoArray) -> Error {
    Error::new(Kind::BadRequest, "json_no_array", format!("The file is no array of objects: line {line}"))
}

fn not_utf8() -> Error {
    Error::new(Kind::BadRequest, "file_not_utf8", "The file is not UTF-8").with_hint("Save it as UTF-8.")
}

#[cfg(test)]
mod tests {
    use super::*;
    use futures_util::stream;
    use serde_json::json;

    async fn read(form: Form, bytes: &[u8], piece: usize) -> Result<Vec<(u64, Result<Value, String>)>> {
        let pieces: Vec<Result<Bytes>> = bytes.chunks(piece).map(|piece| Ok(Bytes::copy_from_slice(piece))).collect();
        let mut reader = Reader::open(form, stream::iter(pieces).boxed(), &TransfersConfig::default()).await?;
        let mut found = vec![];
        while let Some(Record { line, values }) = reader.next().await? {
            found.push((line, values.map(Value::Object).map_err(|fault| fault.code)));
        }
        Ok(found)
    }

    #[tokio::test]
    async fn a_file_is_the_same_however_it_is_cut() {
        let csv = "\u{feff}name;note\r\nÄnn;\"a;b\"\r\n\r\nBob;\r\nCid;NULL;x\r\nDan;'=1\r\n".as_bytes();
        let ndjson = b"{\"name\":\"Ann\"}\n\n[1]\n{\"name\": \"say \\\"hi\\\"\", \"n\": 1.50}";
        let array = b"[{\"name\":\"Ann\"},\n{\"name\":1}]";
        for piece in [1, 2, 7, 1000] {
            let expected = [
                (2, Ok(json!({ "name": "Änn", "note": "a;b" }))),
                (4, Ok(json!({ "name": "Bob" }))),
                (5, Err("line_uneven".to_owned())),
                (6, Ok(json!({ "name": "Dan", "note": "=1" }))),
            ];
            assert_eq!(read(Form::Csv, csv, piece).await.unwrap(), expected);
            let expected = [
                (1, Ok(json!({ "name": "Ann" }))),
                (3, Err("json_malformed".to_owned())),
                (4, Ok(json!({ "name": "say \"hi\"", "n": 1.5 }))),
            ];
            assert_eq!(read(Form::Ndjson, ndjson, piece).await.unwrap(), expected);
            let expected = [(1, Ok(json!({ "name": "Ann" }))), (2, Ok(json!({ "name": 1 })))];
            assert_eq!(read(Form::Json, array, piece).await.unwrap(), expected);
        }
    }

    #[tokio::test]
    async fn a_file_that_is_none_is_refused_as_a_whole() {
        let code = async |form, bytes: &[u8]| read(form, bytes, 5).await.unwrap_err().code().to_owned();
        assert_eq!(code(Form::Csv, b"").await, "names_unreadable");
        assert_eq!(code(Form::Csv, b"a,a\n1,2").await, "names_unreadable");
        assert_eq!(code(Form::Csv, b"a,\n1,2").await, "names_unreadable");
        assert_eq!(code(Form::Csv, b"a\"b\n1").await, "names_unreadable");
        assert_eq!(code(Form::Csv, b"\xff\xfea\0").await, "file_not_utf8");
        assert_eq!(code(Form::Csv, b"n\xe4me\n1").await, "file_not_utf8");
        assert_eq!(code(Form::Json, b"{\"a\":1}").await, "json_no_array");
        assert_eq!(read(Form::Csv, b"a,b\n\xe4,1\n", 3).await.unwrap(), [(2, Err("value_not_utf8".to_owned()))]);
    }
}
