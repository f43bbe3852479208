//! Lines of CSV (RFC 4180), byte by byte, however they are cut into pieces.
//!
//! Invariant: a line that is wrong is told by its number and costs nothing but itself; no more than one line is in memory. What is not RFC 4180 is
//! not guessed at: a quote inside of a value has to be doubled.

/// A line, or what is wrong with it.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(super) struct Line {
    /// Where it begins, from 1.
    pub(super) line: u64,
    /// Its values, or a code and a sentence.
    pub(super) cells: Result<Vec<Vec<u8>>, (&'static str, &'static str)>,
}

/// What comes next.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum Place {
    /// The first letter of a value.
    First,
    /// More of a value without quotes.
    Plain,
    /// More of a value in quotes.
    Quoted,
    /// What stands behind a quote: another one, or the end of the value.
    Behind,
}

/// Cuts bytes into lines.
#[derive(Debug)]
pub(super) struct Cutter {
    delimiter: u8,
    bytes_max: usize,
    cells_max: usize,
    place: Place,
    cell: Vec<u8>,
    cells: Vec<Vec<u8>>,
    bytes: usize,
    line: u64,
    begun: u64,
    fault: Option<(&'static str, &'static str)>,
}

impl Cutter {
    pub(super) fn new(delimiter: u8, bytes_max: usize, cells_max: usize) -> Self {
        Self { delimiter, bytes_max, cells_max, place: Place::First, cell: vec![], cells: vec![], bytes: 0, line: 1, begun: 1, fault: None }
    }

    /// Takes a byte, and returns the line that ends with it.
    pub(super) fn push(&mut self, byte: u8) -> Option<Line> {
        self.bytes = self.bytes.saturating_add(1);
        if self.bytes > self.bytes_max && self.fault.is_none() {
            self.wrong("line_too_long", "The line has too many bytes");
            // Where a quote is never closed this ends at the end of the line all the same.
            self.place = Place::Plain;
        }
        if byte == b'\n' {
            self.line = self.line.saturating_add(1);
            if self.place != Place::Quoted {
                return self.end();
            }
        }
        if self.fault.is_some() {
            return None;
        }
        match (self.place, byte) {
            (Place::First, b'"') => self.place = Place::Quoted,
            (Place::First | Place::Plain | Place::Behind, byte) if byte == self.delimiter => self.end_cell(),
            (Place::Plain, b'"') => self.wrong("quote_inside", "A quote stands inside of a value that does not begin with one"),
            (Place::First | Place::Plain, byte) => {
                self.place = Place::Plain;
                self.cell.push(byte);
            }
            (Place::Quoted, b'"') => self.place = Place::Behind,
            (Place::Quoted, byte) => self.cell.push(byte),
            (Place::Behind, b'"') => {
                self.place = Place::Quoted;
                self.cell.push(b'"');
            }
            (Place::Behind, b'\r') => {}
            (Place::Behind, _) => self.wrong("quote_inside", "Something stands behind the quote that ends a value"),
        }
        None
    }

    /// The same for lines in which nothing but their end means anything.
    pub(super) fn push_plain(&mut self, byte: u8) -> Option<Line> {
        if matches!(byte, b'\n') || self.fault.is_some() || self.bytes >= self.bytes_max {
            return self.push(byte);
        }
        self.bytes = self.bytes.saturating_add(1);
        self.place = Place::Plain;
        self.cell.push(byte);
        None
    }

    /// Returns the last line, where it does not end with a line's end.
    pub(super) fn finish(&mut self) -> Option<Line> {
        if self.place == Place::Quoted && self.fault.is_none() {
            self.wrong("quote_open", "A quote is never closed");
        }
        self.end()
    }

    fn wrong(&mut self, code: &'static str, message: &'static str) {
        self.fault = Some((code, message));
        self.cell = vec![];
        self.cells = vec![];
    }

    fn end_cell(&mut self) {
        if self.cells.len() >= self.cells_max {
            return self.wrong("line_too_wide", "The line has too many values");
        }
        self.place = Place::First;
        self.cells.push(std::mem::take(&mut self.cell));
    }

    fn end(&mut self) -> Option<Line> {
        if self.place == Place::Plain && self.cell.last() == Some(&b'\r') {
            self.cell.pop();
        }
        let is_empty = self.cells.is_empty() && self.cell.is_empty() && matches!(self.place, Place::First | Place::Plain);
        if self.fault.is_none() && !is_empty {
            self.end_cell();
        }
        let line = std::mem::replace(&mut self.begun, self.line);
        self.place = Place::First;
        self.bytes = 0;
        let cells = std::mem::take(&mut self.cells);
        match self.fault.take() {
            Some(fault) => Some(Line { line, cells: Err(fault) }),
            None if is_empty => None,
            None => Some(Line { line, cells: Ok(cells) }),
        }
    }
}

/// Returns what values are parted by, by what stands most often in the line of names.
pub(super) fn delimiter(first_line: &[u8]) -> u8 {
    let mut is_quoted = false;
    let mut counts = [(b',', 0_usize), (b';', 0), (b'\t', 0), (b'|', 0)];
    for byte in first_line {
        match byte {
            b'"' => is_quoted = !is_quoted,
            byte if !is_quoted => counts.iter_mut().filter(|(known, _)| known == byte).for_each(|(_, count)| *count += 1),
            _ => {}
        }
    }
    // Of equals the first.
    counts.iter().rev().max_by_key(|(_, count)| *count).map_or(b',', |(byte, _)| *byte)
}

#[cfg(test)]
mod tests {
    use super::*;

    type Seen = Vec<(u64, Result<Vec<String>, &'static str>)>;

    fn read(text: &str) -> Seen {
        let mut cutter = Cutter::new(b',', 20, 3);
        let lines: Vec<Line> = text.bytes().filter_map(|byte| cutter.push(byte)).collect();
        let last = cutter.finish();
        let cells = |cells: Vec<Vec<u8>>| cells.into_iter().map(|cell| String::from_utf8(cell).unwrap()).collect();
        lines.into_iter().chain(last).map(|line| (line.line, line.cells.map(cells).map_err(|(code, _)| code))).collect()
    }

    fn good(line: u64, cells: &[&str]) -> (u64, Result<Vec<String>, &'static str>) {
        (line, Ok(cells.iter().map(|cell| (*cell).to_owned()).collect()))
    }

    #[test]
    fn values_are_as_they_were_meant() {
        assert_eq!(read("a,b\r\n1,2"), [good(1, &["a", "b"]), good(2, &["1", "2"])]);
        assert_eq!(read("\"x, \"\"y\"\"\nz\",\r\n,\n"), [good(1, &["x, \"y\"\nz", ""]), good(3, &["", ""])]);
        assert_eq!(read("\n\r\na\n\n\"\"\n"), [good(3, &["a"]), good(5, &[""])], "empty lines are none, and are counted");
        assert_eq!(read(""), []);
    }

    #[test]
    fn a_wrong_line_is_told_and_the_next_is_read() {
        assert_eq!(read("a\"b,c\nd"), [(1, Err("quote_inside")), good(2, &["d"])]);
        assert_eq!(read("\"a\"b\nd"), [(1, Err("quote_inside")), good(2, &["d"])]);
        assert_eq!(read("a\n\"open"), [good(1, &["a"]), (2, Err("quote_open"))]);
        assert_eq!(read("1,2,3,4\nd"), [(1, Err("line_too_wide")), good(2, &["d"])]);
        assert_eq!(read("123456789012345678901234\nd"), [(1, Err("line_too_long")), good(2, &["d"])]);
        assert_eq!(read("\"1234567890123456\n78901234\n1\nd"), [(1, Err("line_too_long")), good(3, &["1"]), good(4, &["d"])]);
    }

    #[test]
    fn what_parts_values_is_found() {
        for (line, found) in [("a,b", b','), ("a;b;c,d", b';'), ("a\tb", b'\t'), ("\"x;y;z\",b", b','), ("a", b','), ("a|b", b'|')] {
            assert_eq!(delimiter(line.as_bytes()), found, "{line}");
        }
    }
}
