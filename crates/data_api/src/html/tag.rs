//! One tag of HTML, as the parser would read it.
//!
//! Invariant: what is written has no attribute but an `href`, in quotes that nothing in it can end.

/// The beginning or end of an element.
#[derive(Debug)]
pub(super) struct Tag<'a> {
    /// From `<` to the end of the name.
    head: &'a str,
    href: Option<&'a str>,
    /// Where the text goes on.
    pub(super) end: usize,
}

/// Returns how long the name is that the text begins with.
pub(super) fn name_length(text: &str) -> usize {
    text.find(|c: char| !(c.is_ascii_alphanumeric() || matches!(c, '-' | '_' | ':'))).unwrap_or(text.len())
}

impl<'a> Tag<'a> {
    /// Reads the tag that begins here, with a name; nothing where it has no end.
    pub(super) fn read(text: &'a str, at: usize) -> Option<Self> {
        let slash = usize::from(text.get(at..)?.starts_with("</"));
        let name = at.saturating_add(1).saturating_add(slash);
        let mut reader = Reader { text, at: name.saturating_add(name_length(text.get(name..)?)) };
        let head = text.get(at..reader.at)?;
        let mut href = None;
        while let Some((attribute, value)) = reader.attribute()? {
            if href.is_none() && attribute.eq_ignore_ascii_case("href") {
                href = value;
            }
        }
        let is_link = head.eq_ignore_ascii_case("<a");
        Some(Self { head, href: href.filter(|_| is_link), end: reader.at })
    }

    pub(super) fn write(&self, out: &mut String) {
        out.push_str(self.head);
        if let Some(href) = self.href {
            out.push_str(" href=\"");
            out.push_str(&href.replace('"', "&quot;").replace('<', "&lt;").replace('>', "&gt;"));
            out.push('"');
        }
        out.push('>');
    }
}

struct Reader<'a> {
    text: &'a str,
    at: usize,
}

impl<'a> Reader<'a> {
    /// Reads up to where a byte ends it; nothing where none does.
    fn until(&mut self, ends: impl Fn(u8) -> bool) -> Option<&'a str> {
        let rest = self.text.get(self.at..)?;
        let found = rest.get(..rest.bytes().position(ends)?)?;
        self.at = self.at.saturating_add(found.len());
        Some(found)
    }

    fn skip(&mut self, what: impl Fn(u8) -> bool) -> Option<u8> {
        self.until(|byte| !what(byte))?;
        self.text.as_bytes().get(self.at).copied()
    }

    fn step(&mut self) {
        self.at = self.at.saturating_add(1);
    }

    /// Reads the next attribute and its value. The inner nothing is the tag's end, the outer one the text's.
    #[expect(clippy::option_option, reason = "the text's end is told by `?`")]
    fn attribute(&mut self) -> Option<Option<(&'a str, Option<&'a str>)>> {
        if self.skip(|byte| byte.is_ascii_whitespace() || byte == b'/')? == b'>' {
            self.step();
            return Some(None);
        }
        let from = self.at;
        // A name may begin with an equals sign and not have one.
        if self.text.as_bytes().get(self.at) == Some(&b'=') {
            self.step();
        }
        self.until(|byte| byte.is_ascii_whitespace() || matches!(byte, b'/' | b'>' | b'='))?;
        let name = self.text.get(from..self.at)?;
        if self.skip(|byte| byte.is_ascii_whitespace())? != b'=' {
            return Some(Some((name, None)));
        }
        self.step();
        let value = match self.skip(|byte| byte.is_ascii_whitespace())? {
            quote @ (b'"' | b'\'') => {
                self.step();
                let value = self.until(|byte| byte == quote)?;
                self.step();
                value
            }
            _ => self.until(|byte| byte.is_ascii_whitespace() || byte == b'>')?,
        };
        Some(Some((name, Some(value))))
    }
}
