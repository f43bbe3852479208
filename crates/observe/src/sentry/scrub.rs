//! What must not leave with an error: addresses, numbers of telephones, secrets, what stands behind a question mark.
//!
//! Invariant: rather too much is taken out than too little. Ids stay, since they say nothing to anybody else.

use uuid::Uuid;

/// Longer words of letters and digits are keys.
const WORD_MAX: usize = 31;
/// Letters of a text that are kept.
const TEXT_MAX: usize = 2000;

/// Returns a text without what is nobody else's business.
pub(crate) fn text(said: &str) -> String {
    let mut clean = String::new();
    for word in said.split_inclusive(|c: char| c.is_whitespace() || "\"'`,;()<>[]{}".contains(c)) {
        let end =
            word.char_indices().last().filter(|(_, c)| c.is_whitespace() || "\"'`,;()<>[]{}".contains(*c)).map_or(word.len(), |(at, _)| at);
        let (bare, rest) = word.split_at(end);
        clean.push_str(&cleaned(bare));
        clean.push_str(rest);
        if clean.len() > TEXT_MAX {
            break;
        }
    }
    clean.chars().take(TEXT_MAX).collect()
}

fn cleaned(word: &str) -> String {
    if Uuid::try_parse(word).is_ok() {
        return word.to_owned();
    }
    if word.contains('@') {
        return "[address]".to_owned();
    }
    if let Some((path, _)) = word.split_once('?') {
        return format!("{}?[query]", cleaned(path));
    }
    if let Some((name, value)) = word.split_once('=').filter(|(_, value)| !value.is_empty()) {
        let is_secret =
            ["password", "secret", "token", "key", "code", "authorization"].iter().any(|what| name.to_ascii_lowercase().contains(what));
        return if is_secret { format!("{name}=[secret]") } else { format!("{name}={}", cleaned(value)) };
    }
    let is_phone =
        word.bytes().filter(u8::is_ascii_digit).count() >= 7 && word.bytes().all(|byte| byte.is_ascii_digit() || b"+-./".contains(&byte));
    if is_phone {
        return "[number]".to_owned();
    }
    if word.split(['/', ':']).any(is_key) { "[secret]".to_owned() } else { word.to_owned() }
}

fn is_key(part: &str) -> bool {
    let is_token = part.starts_with("eyJ") || part.starts_with("sk_") || part.starts_with("whsec_");
    let is_long = part.len() > WORD_MAX && part.bytes().any(|byte| byte.is_ascii_digit()) && Uuid::try_parse(part).is_err();
    is_token || is_long
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_nobody_elses_business_is_taken_out() {
        for (said, left) in [
            ("mail to ann@example.com failed", "mail to [address] failed"),
            ("call +1-555-010-0199, now", "call [number], now"),
            ("GET /rest/v1/customers?email=eq.x gone", "GET /rest/v1/customers?[query] gone"),
            ("Bearer eyJhbGciOi.x.y", "Bearer [secret]"),
            ("connecting to postgres://u:hunter2@db/x", "connecting to [address]"),
            ("password=hunter2 retries=3", "password=[secret] retries=3"),
            ("key 0123456789abcdef0123456789abcdef01 bad", "key [secret] bad"),
            ("job 01900000-0000-7000-8000-0000000000aa is gone", "job 01900000-0000-7000-8000-0000000000aa is gone"),
            ("the pool has 20 connections", "the pool has 20 connections"),
        ] {
            assert_eq!(text(said), left);
        }
        assert_eq!(text(&"a ".repeat(5000)).chars().count(), TEXT_MAX);
    }
}
