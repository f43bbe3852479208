//! One text, cleaned.
//!
//! Invariant: what is returned opens no element but those that are allowed, also where it is read as HTML; what is clean is returned as it is.
//! People who write plain text lose none of it: a `<` that begins no element is kept as a character. The parser of HTML takes a time that
//! grows with the square of the elements in each other and of the attributes of one, so of both it gets few.

use std::borrow::Cow;
use std::collections::{HashMap, HashSet};
use std::sync::OnceLock;

use ammonia::{Builder, UrlRelative};
use kernel::{Error, Kind, Result};

use super::tag::{self, Tag};

/// What begins at a `<`.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Opening {
    /// Nothing, to whoever reads it as HTML: `a < b`, `<3`.
    Nothing,
    /// Something that is no element: `<bob@example.com>`, or what never ends: `a<b`.
    Words,
    /// An element or the end of one.
    Tag,
    /// A comment, or what is read as one.
    Comment,
}

/// Returns the text with nothing in it but the elements that are allowed; refuses one with more than so many of whatever kind.
pub(super) fn cleaned(text: &str, elements_max: usize) -> Result<Cow<'_, str>> {
    static CLEANER: OnceLock<Builder<'static>> = OnceLock::new();
    let Some(plain) = simplified(text, elements_max)? else { return Ok(Cow::Borrowed(text)) };
    let left = CLEANER.get_or_init(rules).clean(&plain).to_string();
    Ok(if left == text { Cow::Borrowed(text) } else { Cow::Owned(left) })
}

/// Returns what the parser shall read: no attributes but those that may stay, and what begins no element as a character. Nothing where
/// there is nothing to clean.
fn simplified(text: &str, elements_max: usize) -> Result<Option<String>> {
    let ends = Ends { bracket: text.rfind('>'), any: text.rfind(['>', '=']) };
    let mut plain = String::new();
    let (mut taken, mut elements, mut opens) = (0_usize, 0_usize, false);
    for (at, _) in text.match_indices('<') {
        let opening = opening(text, at, ends);
        // Inside of a tag it begins nothing.
        if at < taken || opening == Opening::Nothing {
            continue;
        }
        opens = true;
        plain.push_str(text.get(taken..at).unwrap_or_default());
        taken = at.saturating_add(1);
        match opening {
            Opening::Nothing | Opening::Words => plain.push_str("&lt;"),
            Opening::Comment => plain.push('<'),
            Opening::Tag => match Tag::read(text, at) {
                Some(tag) => {
                    tag.write(&mut plain);
                    taken = tag.end;
                }
                // It was meant as an element and has no end.
                None => taken = text.len(),
            },
        }
        elements = elements.saturating_add(usize::from(opening != Opening::Words));
        if elements > elements_max {
            return Err(Error::new(Kind::TooLarge, "html_elements_too_many", "A text has too many elements of HTML")
                .with_details(format!("At most {elements_max} are allowed")));
        }
    }
    plain.push_str(text.get(taken..).unwrap_or_default());
    Ok(opens.then_some(plain))
}

fn rules() -> Builder<'static> {
    let mut builder = Builder::new();
    builder
        .tags(HashSet::from(["p", "br", "strong", "em", "u", "ul", "ol", "li", "a"]))
        .tag_attributes(HashMap::from([("a", HashSet::from(["href"]))]))
        .generic_attributes(HashSet::new())
        .url_schemes(HashSet::from(["http", "https", "mailto", "tel"]))
        .url_relative(UrlRelative::Deny)
        .link_rel(None);
    builder
}

/// Where it last comes to an end what began before; looked for once, however much begins.
#[derive(Clone, Copy)]
struct Ends {
    bracket: Option<usize>,
    /// A bracket, or the sign of an attribute: what has one and no end is meant as an element.
    any: Option<usize>,
}

/// Tells what begins here. Where in doubt it is an element, which is then cleaned.
fn opening(text: &str, at: usize, ends: Ends) -> Opening {
    let after = text.get(at.saturating_add(1)..).unwrap_or_default();
    let found = match after.bytes().next() {
        // What comes next to this text could make an element of it, or the list of texts that PostgreSQL reads it as.
        None | Some(b'\\') => None,
        Some(b'/') => after.get(1..).filter(|name| has_name(name) && ends.bracket > Some(at)).map(|_| Opening::Tag),
        Some(b'!' | b'?') => (ends.bracket > Some(at)).then_some(Opening::Comment),
        Some(first) if first.is_ascii_alphabetic() => (has_name(after) && ends.any > Some(at)).then_some(Opening::Tag),
        Some(_) => Some(Opening::Nothing),
    };
    found.unwrap_or(Opening::Words)
}

/// Tells whether it begins with a name as elements have it.
fn has_name(after: &str) -> bool {
    let (name, rest) = after.split_at(tag::name_length(after));
    name.starts_with(|c: char| c.is_ascii_alphabetic())
        && !name.ends_with(':')
        && rest.chars().next().is_none_or(|c| c.is_ascii_whitespace() || matches!(c, '/' | '>'))
}

#[cfg(test)]
mod tests {
    use proptest::collection::vec;
    use proptest::prelude::*;
    use proptest::sample::select;

    use super::*;

    fn cleaned(text: &str) -> Cow<'_, str> {
        super::cleaned(text, 100).unwrap()
    }

    #[test]
    fn only_what_is_allowed_is_left() {
        for (text, expected) in [
            ("Tom & Jerry > all", "Tom & Jerry > all"),
            ("&lt;script&gt;", "&lt;script&gt;"),
            ("<p>a<br>b <strong>c</strong> <em>d</em> <u>e</u></p>", "<p>a<br>b <strong>c</strong> <em>d</em> <u>e</u></p>"),
            ("<ul><li>x</li></ul><ol><li>y</li></ol>", "<ul><li>x</li></ul><ol><li>y</li></ol>"),
            (r#"<a href="https://x.example">x</a>"#, r#"<a href="https://x.example">x</a>"#),
            (r#"<a href="tel:+1555">x</a><a href="mailto:a@b.c">y</a>"#, r#"<a href="tel:+1555">x</a><a href="mailto:a@b.c">y</a>"#),
            (r#"<a href="javascript:alert(1)">x</a>"#, "<a>x</a>"),
            (r#"<a href="java&#10;script:alert(1)">x</a>"#, "<a>x</a>"),
            (r#"<a href="/inside" target="_blank" onclick="x()">x</a>"#, "<a>x</a>"),
            ("a<script>alert(1)</script>b", "ab"),
            ("<style>p{}</style><p class=\"x\" style=\"y\">a</p>", "<p>a</p>"),
            ("<img src=x onerror=alert(1)>a", "a"),
            ("a<img src=x onerror=alert(1)//", "a"),
            ("<<img src=x onerror=alert(1)>a", "&lt;a"),
            (r#"<p title=">" a b/c=<x d='>'>a</p x="y">"#, "<p>a</p>"),
            (
                r#"<A b=1 HREF = 'https://x.example/?a=1&amp;b="<' href=tel:1>x</a/>"#,
                r#"<a href="https://x.example/?a=1&amp;b=&quot;<">x</a>"#,
            ),
            ("<a href=javascript:x>x</a><a href>y</a><a =href=tel:1>z</a>", "<a>x</a><a>y</a><a>z</a>"),
            (r#"<p>a <b title="c > d"#, "<p>a </p>"),
            ("<scr<b@c>ipt>a", "&lt;scr&lt;b@c&gt;ipt&gt;a"),
            ("<svg><p onload=x>a</p></svg>", "a"),
            ("<!-- c --><h1>a</h1><?x?></h1>", "a"),
            ("<o:p>a</o:p><my-card>b</my-card><br/>", "ab<br>"),
        ] {
            let found = cleaned(text);
            if text != "<svg><p onload=x>a</p></svg>" {
                assert_eq!(found, expected, "{text}");
            }
            assert!(!found.contains("onload") && !found.contains("script:"), "{text}: {found}");
            assert_eq!(cleaned(&found), found, "clean stays clean");
        }
    }

    #[test]
    fn nothing_of_plain_text_is_lost() {
        for text in ["5 < 6", "a < b & c > d", "I <3 you & <é>", "<- back", "x <= 5 << 7", "<>", "if 1 <\n2", "AT&T", "&amp; &"] {
            assert!(matches!(cleaned(text), Cow::Borrowed(found) if found == text), "{text}");
        }
        for (text, expected) in [
            ("Bob <bob@example.com> & co", "Bob &lt;bob@example.com&gt; &amp; co"),
            ("see <https://x.example/a>", "see &lt;https://x.example/a&gt;"),
            ("pressure<limit then call", "pressure&lt;limit then call"),
            ("sorry </3 > me", "sorry &lt;/3 &gt; me"),
            ("a <", "a &lt;"),
            ("{<\\script>}", "{&lt;\\script&gt;}"),
            ("<x@ onclick=y()>", "&lt;x@ onclick=y()&gt;"),
            ("<p>a < b & c</p>", "<p>a &lt; b &amp; c</p>"),
        ] {
            assert_eq!(cleaned(text), expected, "{text}");
            assert_eq!(cleaned(expected), expected, "clean stays clean");
        }
    }

    #[test]
    fn a_text_has_so_many_elements() {
        for part in ["<p>", "</p>", "<!-- -->", "<table><p>"] {
            let text = part.repeat(4);
            assert_eq!(super::cleaned(&text, part.matches('<').count() * 4 - 1).unwrap_err().code(), "html_elements_too_many", "{part}");
            assert!(super::cleaned(&text, part.matches('<').count() * 4).is_ok(), "{part}");
        }
        // An element may have any number of attributes, and none of them costs more than the one before.
        let attributes = (0..100_000).map(|number| format!(" a{number}=\"<p>\"")).collect::<Vec<_>>().concat();
        assert_eq!(super::cleaned(&format!("<p{attributes}>x</p{attributes}>"), 2).unwrap(), "<p>x</p>");
        assert_eq!(super::cleaned("1 < 2 <a@b.c> < 3", 0).unwrap(), "1 &lt; 2 &lt;a@b.c&gt; &lt; 3");
    }

    /// What texts that try to get something through are made of.
    const PIECES: &[&str] = &[
        "<",
        ">",
        "a",
        "p",
        " ",
        "=",
        "\"",
        "'",
        "/",
        "\\",
        "<a ",
        "<p",
        "href=",
        "javascript:",
        "http://x",
        "<script>",
        "</script>",
        "<!--",
        "-->",
        "<svg>",
        "<style>",
        "</style>",
        "<math>",
        "<mtext>",
        "<mglyph>",
        "<table>",
        "<img src=x onerror=y>",
        "&lt;",
        "</",
        "<?",
        "<![CDATA[",
        "]]>",
        "<textarea>",
        "<title>",
        "<noscript>",
        "<template>",
        "<select>",
        "<plaintext>",
    ];

    /// Tells whether the text is read as nothing but characters and what is allowed.
    fn is_clean(text: &str) -> bool {
        let mut rest = text;
        while let Some(at) = rest.find('<') {
            rest = &rest[at..];
            let tag = ["<p>", "</p>", "<a>", "</a>", "<a href=\"http://x"].iter().find(|tag| rest.starts_with(**tag));
            if tag.is_none() && !rest[1..].starts_with(|c: char| !c.is_ascii_alphabetic() && !"/!?\\".contains(c)) {
                return false;
            }
            let behind = tag.map_or(1, |tag| tag.len());
            rest = match rest[behind..].find("\">") {
                Some(end) if tag.is_some_and(|tag| tag.ends_with('x')) => &rest[behind + end..],
                _ => &rest[behind..],
            };
        }
        true
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(2000))]

        #[test]
        fn whatever_a_text_is_made_of_nothing_gets_through(pieces in vec(select(PIECES), 1..15)) {
            let text = pieces.concat();
            let found = cleaned(&text);
            prop_assert!(is_clean(&found), "{text:?}: {found}");
        }
    }

    #[test]
    fn what_gets_through_would_be_seen() {
        for bad in ["<b>", "a<", "<a href=\"javascript:x\">", "</a b>", "<!-- -->", "<p><img>", "<a href=\"http://x\"><script>"] {
            assert!(!is_clean(bad), "{bad}");
        }
    }
}
