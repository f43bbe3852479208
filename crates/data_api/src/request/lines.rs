//! A body of lines (`text/csv`, RFC 4180): a line of names, then a line for each row, made into the JSON that every other write is.
//!
//! Invariant: every row has every name, no more rows come out than may be in a body, and a value is a text or, written `NULL`, nothing.

use bytes::Bytes;
use csv::{ErrorKind, ReaderBuilder, StringRecord};
use kernel::{Error, Kind, Result};

use super::ParseLimits;
use super::body::too_many_rows;
use super::syntax::Payload;

/// How the dialect writes a value that is missing; an empty text is an empty text.
const MISSING: &str = "NULL";

/// Reads the lines. What they are is decided by the names: PostgreSQL makes its own types of the texts.
pub(super) fn lines(bytes: &Bytes, limits: &ParseLimits) -> Result<Payload> {
    let mut reader = ReaderBuilder::new().from_reader(bytes.as_ref());
    let names = reader.headers().map_err(unreadable)?.clone();
    if names.is_empty() {
        return Err(Error::new(Kind::BadRequest, "PGRST102", "parse error (not enough input) at \"\""));
    }
    let mut text = String::from("[");
    let (mut line, mut objects) = (StringRecord::new(), 0_usize);
    while reader.read_record(&mut line).map_err(unreadable)? {
        objects = objects.saturating_add(1);
        if objects > limits.rows_max_in_body {
            return Err(too_many_rows(limits));
        }
        if objects > 1 {
            text.push(',');
        }
        object(&mut text, &names, &line);
    }
    text.push(']');
    let keys: indexmap::IndexSet<String> = names.iter().map(str::to_owned).collect();
    Ok(Payload::Json { text: text.into(), keys: keys.into_iter().collect(), is_array: true, objects })
}

fn object(text: &mut String, names: &StringRecord, line: &StringRecord) {
    text.push('{');
    for (position, (name, value)) in names.iter().zip(line).enumerate() {
        if position > 0 {
            text.push(',');
        }
        let value = if value == MISSING { serde_json::Value::Null } else { value.into() };
        text.push_str(&serde_json::Value::from(name).to_string());
        text.push(':');
        text.push_str(&value.to_string());
    }
    text.push('}');
}

fn unreadable(error: csv::Error) -> Error {
    let message = match error.kind() {
        ErrorKind::UnequalLengths { .. } => "All lines must have same number of fields",
        _ => "The lines could not be read",
    };
    Error::new(Kind::BadRequest, "PGRST102", message).with_source(error)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn limits() -> ParseLimits {
        ParseLimits { rows_max_in_body: 3, ..ParseLimits::default() }
    }

    fn read(body: &'static str) -> std::result::Result<(String, Vec<String>, usize), (u16, String)> {
        match lines(&Bytes::from_static(body.as_bytes()), &limits()) {
            Ok(Payload::Json { text, keys, is_array: true, objects }) => Ok((String::from_utf8(text.to_vec()).unwrap(), keys, objects)),
            Ok(other) => panic!("{other:?}"),
            Err(error) => Err((error.status().as_u16(), error.message().to_owned())),
        }
    }

    #[test]
    fn lines_become_objects() {
        let names = || vec!["a".to_owned(), "b".to_owned()];
        for (body, text, objects) in [
            ("a,b\nbar,baz\nNULL,foo\n", r#"[{"a":"bar","b":"baz"},{"a":null,"b":"foo"}]"#, 2),
            ("a,b\r\n\"x, \"\"y\"\"\nz\",\r\n", r#"[{"a":"x, \"y\"\nz","b":""}]"#, 1),
            ("\"a\",\"b\"\n\n1,2", r#"[{"a":"1","b":"2"}]"#, 1),
            ("a,b\nnull, NULL", r#"[{"a":"null","b":" NULL"}]"#, 1),
            ("a,b\n", "[]", 0),
            ("a,b", "[]", 0),
        ] {
            assert_eq!(read(body), Ok((text.to_owned(), names(), objects)), "{body:?}");
        }
    }

    #[test]
    fn what_is_no_table_is_refused() {
        for (body, status, message) in [
            ("", 400, "parse error (not enough input) at \"\""),
            ("a,b\nfoo,bar\nbaz", 400, "All lines must have same number of fields"),
            ("a,b\nfoo,bar,baz", 400, "All lines must have same number of fields"),
            ("a\n1\n2\n3\n4", 413, "The body has too many rows"),
        ] {
            assert_eq!(read(body), Err((status, message.to_owned())), "{body:?}");
        }
        let bytes = Bytes::from_static(b"a\n\xff");
        assert_eq!(lines(&bytes, &limits()).unwrap_err().code(), "PGRST102");
    }
}
