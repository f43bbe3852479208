//! What buckets and objects may be called.
//!
//! Invariant: a name leads nowhere but to itself: no part of it means another folder, and no letter of it is unseen or turns others around.

use kernel::{Error, Kind, Result};

/// Bytes of an object's name.
const NAME_MAX: usize = 1024;
/// Letters of a bucket's name.
const BUCKET_MAX: usize = 100;
/// What may stand in a name beside letters and digits.
const MARKS: &str = "_!-.*'() &$@=;:+,?";

/// Looks at an object's name.
pub(crate) fn check_name(name: &str) -> Result<()> {
    let is_part = |part: &str| !part.is_empty() && part != "." && part != ".." && part.chars().all(is_letter) && part.trim() == part;
    if name.len() <= NAME_MAX && name.split('/').all(is_part) { Ok(()) } else { Err(invalid_key(name)) }
}

/// Tells whether a name is of what clients put into an empty folder, so that it is there.
pub(crate) fn is_placeholder(name: &str) -> bool {
    name.ends_with(".emptyFolderPlaceholder")
}

/// Looks at a bucket's name.
pub(crate) fn check_bucket(name: &str) -> Result<()> {
    let is_name = !name.is_empty()
        && name.chars().count() <= BUCKET_MAX
        && !matches!(name, "." | "..")
        && name.trim() == name
        && name.chars().all(|c| is_letter(c) && (c.is_ascii() || c.is_alphanumeric()));
    if is_name { Ok(()) } else { Err(Error::new(Kind::BadRequest, "InvalidBucketName", "Bucket name invalid")) }
}

/// Tells whether a letter may stand in a name: of ASCII those that no system reads as something else, of others those that are seen.
fn is_letter(c: char) -> bool {
    if c.is_ascii() {
        return c.is_ascii_alphanumeric() || MARKS.contains(c);
    }
    let is_unseen = c.is_control()
        || matches!(c,
            '\u{ad}' | '\u{34f}' | '\u{61c}' | '\u{115f}' | '\u{1160}' | '\u{17b4}' | '\u{17b5}' | '\u{180b}'..='\u{180f}'
            | '\u{200b}'..='\u{200f}' | '\u{2024}'..='\u{2026}' | '\u{2028}'..='\u{202e}' | '\u{2044}' | '\u{2060}'..='\u{206f}'
            | '\u{2215}' | '\u{29f8}' | '\u{3164}' | '\u{e000}'..='\u{f8ff}' | '\u{fe00}'..='\u{fe0f}' | '\u{feff}' | '\u{ff0e}' | '\u{ff0f}'
            | '\u{ff3c}' | '\u{ffa0}' | '\u{fff0}'..='\u{ffff}' | '\u{e0000}'..='\u{10ffff}');
    !is_unseen && !c.is_whitespace()
}

/// The name is none.
pub(crate) fn invalid_key(name: &str) -> Error {
    let shown: String = name.chars().filter(|c| !c.is_control()).take(100).collect();
    Error::new(Kind::BadRequest, "InvalidKey", format!("Invalid key: {shown}"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_leads_nowhere_else() {
        let long = "x".repeat(1025);
        for bad in [
            "",
            "/",
            "/a",
            "a/",
            "a//b",
            ".",
            "..",
            "../a",
            "a/../b",
            "a/./b",
            "a\0b",
            "a\\b",
            "a\nb",
            "a%2e",
            "a#b",
            "a\u{202e}b",
            "a\u{200b}",
            "a\u{2215}b",
            "a\u{ff0f}b",
            "\u{feff}a",
            "a\u{2025}",
            "a/ b",
            " a",
            &long,
            "a\u{e0041}b",
            "a<b",
            "a\"b",
        ] {
            assert_eq!(check_name(bad).unwrap_err().code(), "InvalidKey", "{bad:?}");
        }
        for good in ["a", "a/b.png", "folder (1)/Rechnung Müller & Söhne.pdf", "写真/一.jpg", "...a", "a..b", "été.txt", &"x".repeat(1024)]
        {
            assert!(check_name(good).is_ok(), "{good}");
        }
    }

    #[test]
    fn a_buckets_name_has_no_folder() {
        for bad in ["", "a/b", "..", " a", "a\0", "a\u{202e}", &"x".repeat(101)] {
            assert_eq!(check_bucket(bad).unwrap_err().code(), "InvalidBucketName", "{bad:?}");
        }
        for good in ["avatars", "company-files", "my bucket", "Bücher", "new.bucket_1"] {
            assert!(check_bucket(good).is_ok(), "{good}");
        }
    }
}
