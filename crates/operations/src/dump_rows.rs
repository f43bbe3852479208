//! Counts the rows in a dump while it passes by.
//!
//! Invariant: what is counted is what the dump has, not what the database said: a block that does not end is no block.

use std::collections::BTreeMap;
use std::io::{self, Write};

use kernel::{Error, Result};

/// Bytes of a line that are looked at: more than a table's name and all of its columns have.
const LINE_MAX: usize = 1_048_576;

/// Rows of each table in a dump in plain text.
#[derive(Debug, Default)]
pub(crate) struct Rows {
    line: Vec<u8>,
    open: Option<(String, i64)>,
    ended: BTreeMap<String, i64>,
}

impl Rows {
    fn take(&mut self, bytes: &[u8]) {
        for piece in bytes.split_inclusive(|byte| *byte == b'\n') {
            let room = LINE_MAX.saturating_sub(self.line.len()).min(piece.len());
            self.line.extend_from_slice(piece.get(..room).unwrap_or_default());
            if piece.ends_with(b"\n") {
                self.end_line();
                self.line.clear();
            }
        }
    }

    fn end_line(&mut self) {
        let line = self.line.strip_suffix(b"\n").unwrap_or(&self.line);
        match self.open.take() {
            Some((table, rows)) if line == b"\\." => {
                self.ended.insert(table, rows);
            }
            Some((table, rows)) => self.open = Some((table, rows + 1)),
            None => self.open = table(line).map(|table| (table, 0)),
        }
    }

    /// Returns the rows of every table whose block ended.
    pub(crate) fn end(self) -> Result<BTreeMap<String, i64>> {
        match self.open {
            Some((table, _)) => Err(Error::internal(format!("the dump ends in the middle of {table}"))),
            None => Ok(self.ended),
        }
    }
}

/// Passes on what is written, and counts.
pub(crate) struct Counting<'a> {
    pub(crate) to: &'a mut dyn Write,
    pub(crate) rows: Rows,
}

impl Write for Counting<'_> {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        let written = self.to.write(bytes)?;
        self.rows.take(bytes.get(..written).unwrap_or_default());
        Ok(written)
    }

    fn flush(&mut self) -> io::Result<()> {
        self.to.flush()
    }
}

/// Returns the table whose rows begin after this line.
fn table(line: &[u8]) -> Option<String> {
    let text = std::str::from_utf8(line).ok()?.strip_prefix("COPY ")?.strip_suffix(" FROM stdin;")?;
    let mut quoted = false;
    let end = text.find(|letter| {
        quoted ^= letter == '"';
        letter == ' ' && !quoted
    });
    Some(text.get(..end.unwrap_or(text.len()))?.to_owned())
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "tests")]
    use super::*;

    const DUMP: &str = "SET row_security = on;\nCOPY public.jobs (id, title) FROM stdin;\n1\ta\n2\tCOPY x FROM stdin;\n\\.\n\n\
                        COPY public.\"Odd \"\"name\" (id) FROM stdin;\n\\.\nCOPY app.one  FROM stdin;\n\\\\.\n\\.\n-- complete\n";

    #[test]
    fn rows_are_counted_however_the_dump_is_cut() {
        let hand = BTreeMap::from([("public.jobs".into(), 2), ("public.\"Odd \"\"name\"".into(), 0), ("app.one".into(), 1)]);
        for size in [1, 7, DUMP.len()] {
            let mut passed = vec![];
            let mut counting = Counting { to: &mut passed, rows: Rows::default() };
            for piece in DUMP.as_bytes().chunks(size) {
                counting.write_all(piece).unwrap();
            }
            assert_eq!(counting.rows.end().unwrap(), hand, "pieces of {size}");
            assert_eq!(passed, DUMP.as_bytes());
        }
    }

    #[test]
    fn a_dump_that_breaks_off_has_no_counts() {
        let mut rows = Rows::default();
        rows.take(b"COPY public.jobs (id) FROM stdin;\n1\n");
        rows.end().unwrap_err();
    }
}
