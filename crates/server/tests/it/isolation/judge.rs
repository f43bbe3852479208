//! What an answer tells: whatever stands in it that only rows of the other company say, and whether it is the same without them.

use aho_corasick::AhoCorasick;
use percent_encoding::percent_decode_str;

use super::asked::{Asked, MARK_B, WORD_B};
use super::house::{Answer, Caller};

/// Headers that are never the same twice, or tell how long something took or was kept.
const PASSING: [&str; 6] = ["date", "x-request-id", "server-timing", "content-length", "age", "cache-status"];

/// Who is of both companies is told by this which they are.
const OF_BOTH: &str = "rpc/my_companies";
/// A name that stands in addresses is one company's alone; whoever wants it learns that it is taken.
const TAKEN: &str = "company_slug_taken";

/// Finds what must not be told.
pub(crate) struct Judge {
    canaries: Vec<String>,
    finder: AhoCorasick,
    /// What requests wrote into rows of A by themselves.
    kept: String,
}

impl Judge {
    pub(crate) fn new(canaries: &[String], kept: &[Asked]) -> Self {
        // The marks find what the rows say in another form, too.
        let canaries: Vec<String> = canaries.iter().cloned().chain([MARK_B.to_owned(), WORD_B.to_owned()]).collect();
        let finder = AhoCorasick::new(&canaries).unwrap();
        let kept = kept.iter().map(Asked::written).collect::<Vec<_>>().join("\n");
        assert!(!kept.contains(WORD_B), "what says the word would be found by it");
        Self { canaries, finder, kept }
    }

    /// Returns what is wrong with an answer.
    pub(crate) fn judge(&self, caller: &Caller, asked: &Asked, answer: &Answer) -> Vec<String> {
        let headers = answer.headers.iter().map(|(name, value)| format!("{name}: {value}")).collect::<Vec<_>>().join("\n");
        // An address that is told says what the request said, each character in its own way.
        let told = format!("{headers}\n{}", answer.body);
        let told = percent_decode_str(&told).decode_utf8_lossy().into_owned();
        let mut found = Vec::new();
        for hit in self.finder.find_overlapping_iter(&told) {
            let canary = &self.canaries[hit.pattern().as_usize()];
            let around = word_around(&told, hit.start(), hit.end());
            let is_own = |said: &str| said.contains(around) || (canary != MARK_B && canary != WORD_B && said.contains(canary.as_str()));
            let is_his = caller.is_of_both && asked.about == OF_BOTH;
            if !is_his && !is_own(&asked.said) && !is_own(&self.kept) {
                found.push(format!("{}: {} tells {around}", caller.name, shown(asked)));
                break;
            }
        }
        if answer.status >= 500 {
            found.push(format!("{}: {} fails with {} {}", caller.name, shown(asked), answer.status, begin(&answer.body)));
        }
        found
    }
}

/// Tells whether an answer may change when the other company goes.
pub(crate) fn may_change(asked: &Asked, then: &Answer) -> bool {
    asked.about == "rpc/create_company_with_owner" && then.body.contains(TAKEN)
}

/// Shows a request in one line.
pub(crate) fn shown(asked: &Asked) -> String {
    asked.said.replace('\n', " ")
}

/// Returns what an answer says, but for what passes: moments, and where it is not exact also numbers and new ids.
pub(crate) fn lasting(asked: &Asked, answer: &Answer) -> String {
    let mut headers: Vec<String> = answer
        .headers
        .iter()
        .filter(|(name, _)| !PASSING.contains(&name.as_str()))
        .map(|(name, value)| format!("{name}: {value}"))
        .collect();
    headers.sort();
    let body = if asked.is_exact { answer.body.clone() } else { without_numbers(&answer.body) };
    format!("{} {}\n{}", answer.status, if asked.is_exact { headers.join("\n") } else { without_numbers(&headers.join("\n")) }, body)
}

/// Takes ids and numbers out.
fn without_numbers(text: &str) -> String {
    let mut rest = text;
    let mut kept = String::with_capacity(text.len());
    while let Some(first) = rest.chars().next() {
        let id = rest.get(..36).filter(|id| super::known::is_id(id));
        if let Some(id) = id {
            kept.push_str("ID");
            rest = &rest[id.len()..];
        } else if first.is_ascii_digit() {
            kept.push('0');
            rest = rest.trim_start_matches(|c: char| c.is_ascii_digit());
        } else {
            kept.push(first);
            rest = &rest[first.len_utf8()..];
        }
    }
    kept
}

/// Returns the whole word that a hit is in.
fn word_around(text: &str, start: usize, end: usize) -> &str {
    let is_edge = |c: char| c.is_whitespace() || "\"',;:()[]{}<>=&\\".contains(c);
    let begin = text[..start].rfind(is_edge).map_or(0, |at| at + text[at..].chars().next().map_or(1, char::len_utf8));
    let last = text[end..].find(is_edge).map_or(text.len(), |at| end + at);
    // Patterns are told as PostgreSQL writes them, and a place as a condition.
    text[begin.min(start)..last.max(end)].trim_start_matches("eq.").trim_matches(['%', '^', '*'])
}

fn begin(text: &str) -> String {
    text.chars().take(300).collect()
}
