//! Objects of a JSON array, or of lines, cut out byte by byte, however they come in pieces.
//!
//! Invariant: no more than one object is in memory; one that is none is told by the line that it begins in.

/// An object's text, or what is wrong with it.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(super) struct Text {
    /// The line that it begins in, from 1.
    pub(super) line: u64,
    /// The text, or a code and a sentence.
    pub(super) text: Result<Vec<u8>, (&'static str, &'static str)>,
}

/// Cuts bytes into the objects of an array.
#[derive(Debug)]
#[expect(clippy::struct_excessive_bools, reason = "each is a state of its own of what was read")]
pub(super) struct Cutter {
    bytes_max: usize,
    text: Vec<u8>,
    depth: u32,
    is_begun: bool,
    is_ended: bool,
    in_text: bool,
    is_escaped: bool,
    is_too_long: bool,
    line: u64,
    begun: u64,
}

/// The file is no array of objects.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) struct NoArray(pub(super) u64);

impl Cutter {
    pub(super) fn new(bytes_max: usize) -> Self {
        Self {
            bytes_max,
            text: vec![],
            depth: 0,
            is_begun: false,
            is_ended: false,
            in_text: false,
            is_escaped: false,
            is_too_long: false,
            line: 1,
            begun: 1,
        }
    }

    /// Takes a byte, and returns the object that ends with it.
    pub(super) fn push(&mut self, byte: u8) -> Result<Option<Text>, NoArray> {
        if byte == b'\n' {
            self.line = self.line.saturating_add(1);
        }
        if self.depth == 0 {
            return self.between(byte);
        }
        if self.text.len() >= self.bytes_max {
            self.is_too_long = true;
        } else {
            self.text.push(byte);
        }
        match byte {
            _ if self.is_escaped => self.is_escaped = false,
            b'\\' if self.in_text => self.is_escaped = true,
            b'"' => self.in_text = !self.in_text,
            b'{' | b'[' if !self.in_text => self.depth = self.depth.saturating_add(1),
            b'}' | b']' if !self.in_text => self.depth -= 1,
            _ => {}
        }
        if self.depth > 0 {
            return Ok(None);
        }
        let text = std::mem::take(&mut self.text);
        let is_too_long = std::mem::take(&mut self.is_too_long);
        let text = if is_too_long { Err(("line_too_long", "The object has too many bytes")) } else { Ok(text) };
        Ok(Some(Text { line: self.begun, text }))
    }

    /// Says whether the array came to its end.
    pub(super) fn finish(&self) -> Result<(), NoArray> {
        if self.is_ended { Ok(()) } else { Err(NoArray(self.line)) }
    }

    fn between(&mut self, byte: u8) -> Result<Option<Text>, NoArray> {
        match byte {
            b' ' | b'\t' | b'\r' | b'\n' => {}
            b'[' if !self.is_begun => self.is_begun = true,
            b',' if self.is_begun && !self.is_ended => {}
            b']' if self.is_begun && !self.is_ended => self.is_ended = true,
            b'{' if self.is_begun && !self.is_ended => {
                self.depth = 1;
                self.begun = self.line;
                self.text.push(byte);
            }
            _ => return Err(NoArray(self.line)),
        }
        Ok(None)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    type Seen = Vec<(u64, Result<String, &'static str>)>;

    fn read(text: &str) -> (Seen, Result<(), NoArray>) {
        let mut cutter = Cutter::new(30);
        let mut found = vec![];
        for byte in text.bytes() {
            match cutter.push(byte) {
                Ok(None) => {}
                Ok(Some(object)) => {
                    found.push((object.line, object.text.map(|text| String::from_utf8(text).unwrap()).map_err(|(code, _)| code)));
                }
                Err(none) => return (found, Err(none)),
            }
        }
        let end = cutter.finish();
        (found, end)
    }

    #[test]
    fn objects_are_cut_where_they_end() {
        let (found, end) = read("[ {\"a\": \"]}\\\"\"},\n {\"b\":[{}]}\n]\n");
        assert_eq!(found, [(1, Ok("{\"a\": \"]}\\\"\"}".to_owned())), (2, Ok("{\"b\":[{}]}".to_owned()))]);
        assert_eq!(end, Ok(()));
        assert_eq!(read("[]"), (vec![], Ok(())));
        assert_eq!(read(&format!("[{{\"a\":\"{}\"}}]", "x".repeat(40))).0, [(1, Err("line_too_long"))]);
    }

    #[test]
    fn what_is_no_array_is_told() {
        for (text, line) in [("{}", 1), ("\n[1]", 2), ("[{}", 1), ("", 1), ("[] x", 1), ("\"x\"", 1)] {
            assert_eq!(read(text).1, Err(NoArray(line)), "{text}");
        }
    }
}
