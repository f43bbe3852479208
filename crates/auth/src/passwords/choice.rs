//! Which passwords may be chosen: long enough, not one that everybody tries first, and not one that is known to be leaked.
//!
//! Invariant: a refusal never repeats the password, and says all that is wrong with it.

use std::collections::HashSet;
use std::fs::File;
use std::io;
use std::os::unix::fs::FileExt;
use std::path::Path;
use std::sync::LazyLock;

use aws_lc_rs::digest;
use kernel::{Error, Kind, Result};
use serde_json::json;

use crate::config::PasswordConfig;

/// What is tried first, in lower case.
static GUESSED_FIRST: LazyLock<HashSet<&str>> = LazyLock::new(|| include_str!("guessed_first.txt").lines().collect());

/// Hexadecimal digits of a SHA-1 digest.
const DIGITS: usize = 40;
/// More than two lines: a digest, a colon, a count, the line's end.
const READ_BYTES: usize = 256;
const EASY: &str = "Password is known to be weak and easy to guess, please choose a different one.";

/// A sort of characters.
#[derive(Clone, Copy)]
pub(crate) enum CharacterClass {
    Lower,
    Upper,
    Digit,
    Symbol,
}

impl CharacterClass {
    /// Reads its name in the settings.
    pub(crate) fn parse(name: &str) -> Option<Self> {
        match name {
            "lower" => Some(Self::Lower),
            "upper" => Some(Self::Upper),
            "digit" => Some(Self::Digit),
            "symbol" => Some(Self::Symbol),
            _ => None,
        }
    }

    fn holds(self, character: char) -> bool {
        match self {
            Self::Lower => character.is_lowercase(),
            Self::Upper => character.is_uppercase(),
            Self::Digit => character.is_numeric(),
            Self::Symbol => !character.is_alphanumeric() && !character.is_control(),
        }
    }

    /// Returns those of its characters that keyboards have, as clients list them.
    fn listed(self) -> &'static str {
        match self {
            Self::Lower => "abcdefghijklmnopqrstuvwxyz",
            Self::Upper => "ABCDEFGHIJKLMNOPQRSTUVWXYZ",
            Self::Digit => "0123456789",
            Self::Symbol => "!@#$%^&*()_+-=[]{};'\\:\"|<>?,./`~",
        }
    }
}

/// Checks what can be told without a file.
pub(super) fn check(config: &PasswordConfig, password: &str) -> Result<()> {
    if password.len() > config.bytes_max {
        let message = format!("Password cannot be longer than {} bytes", config.bytes_max);
        return Err(Error::new(Kind::BadRequest, "validation_failed", message));
    }
    let (mut reasons, mut messages) = (Vec::new(), Vec::new());
    if password.chars().count() < config.length_min {
        reasons.push("length");
        messages.push(format!("Password should be at least {} characters", config.length_min));
    }
    let wanted: Vec<CharacterClass> = config.required_characters.iter().filter_map(|class| CharacterClass::parse(class)).collect();
    if wanted.iter().any(|class| !password.chars().any(|one| class.holds(one))) {
        reasons.push("characters");
        let listed: Vec<&str> = wanted.into_iter().map(CharacterClass::listed).collect();
        messages.push(format!("Password should contain at least one character of each: {}.", listed.join(", ")));
    }
    if config.common_refused && GUESSED_FIRST.contains(password.to_lowercase().as_str()) {
        reasons.push("pwned");
        messages.push(EASY.to_owned());
    }
    // Clients know the first sentence without its full stop, where it stands alone.
    if let Some(first) = messages.first_mut().filter(|_| reasons.len() > 1).filter(|first| !first.ends_with('.')) {
        first.push('.');
    }
    if reasons.is_empty() { Ok(()) } else { Err(weak(&reasons, messages.join(" "))) }
}

/// Checks against the operator's file of leaked passwords. Reads from the disk.
pub(super) fn check_leaked(config: &PasswordConfig, password: &str) -> Result<()> {
    let Some(path) = &config.leaked_file else { return Ok(()) };
    let leaked = File::open(path).and_then(|file| contains(&file, password)).map_err(|error| unusable(path, &error))?;
    if leaked { Err(weak(&["pwned"], EASY.to_owned())) } else { Ok(()) }
}

/// Tells at the start that the file cannot be used, rather than at somebody's sign-up.
pub(super) fn check_file(config: &PasswordConfig) -> Result<()> {
    let Some(path) = &config.leaked_file else { return Ok(()) };
    let first = File::open(path).and_then(|file| line_from(&file, 0));
    first.map(|_is_one| ()).map_err(|error| unusable(path, &error))
}

fn weak(reasons: &[&str], message: String) -> Error {
    Error::new(Kind::Unprocessable, "weak_password", message).with_details(json!({ "reasons": reasons }))
}

fn unusable(path: &Path, error: &io::Error) -> Error {
    Error::internal(format!("auth.password.leaked_file: {} cannot be used: {error}", path.display()))
}

/// Looks a password up in a sorted list of SHA-1 digests, by halves: a list of a thousand million takes some thirty reads.
fn contains(file: &File, password: &str) -> io::Result<bool> {
    let digest = digest::digest(&digest::SHA1_FOR_LEGACY_USE_ONLY, password.as_bytes());
    let wanted: Vec<u8> = digest.as_ref().iter().flat_map(|byte| format!("{byte:02X}").into_bytes()).collect();
    // If there is a line with the digest, it begins in low..high.
    let (mut low, mut high) = (0, file.metadata()?.len());
    while low < high {
        let middle = low + (high - low) / 2;
        match line_from(file, middle)?.filter(|(start, _)| *start < high) {
            None => high = middle,
            Some((start, found)) => match found.as_slice().cmp(wanted.as_slice()) {
                std::cmp::Ordering::Equal => return Ok(true),
                std::cmp::Ordering::Less => low = start + 1,
                std::cmp::Ordering::Greater => high = middle,
            },
        }
    }
    Ok(false)
}

/// Returns where the first line begins at or behind a place, and its digest in capitals.
fn line_from(file: &File, place: u64) -> io::Result<Option<(u64, Vec<u8>)>> {
    let malformed = || io::Error::other("a line is not a SHA-1 digest, a colon and a count");
    // From the byte before: if that ends a line, the place begins one.
    let from = place.saturating_sub(1);
    let mut bytes = [0; READ_BYTES];
    let mut filled = 0;
    while let Some(rest) = bytes.get_mut(filled..).filter(|rest| !rest.is_empty()) {
        match file.read_at(rest, from + u64::try_from(filled).map_err(io::Error::other)?)? {
            0 => break,
            read => filled += read,
        }
    }
    let read = bytes.get(..filled).unwrap_or_default();
    let begins = if place == 0 { Some(0) } else { read.iter().position(|byte| *byte == b'\n').map(|end| end + 1) };
    let line = match begins {
        Some(begins) => read.get(begins..).unwrap_or_default(),
        None if filled < READ_BYTES => &[],
        None => return Err(malformed()),
    };
    if line.iter().all(u8::is_ascii_whitespace) {
        return Ok(None);
    }
    let found = line.get(..DIGITS).filter(|digits| digits.iter().all(u8::is_ascii_hexdigit)).ok_or_else(malformed)?;
    if !matches!(line.get(DIGITS), None | Some(b':' | b'\r' | b'\n')) {
        return Err(malformed());
    }
    let start = from + u64::try_from(begins.unwrap_or_default()).map_err(io::Error::other)?;
    Ok(Some((start, found.to_ascii_uppercase())))
}

#[cfg(test)]
mod tests {
    use std::io::Write;

    use super::*;

    fn reasons(config: &PasswordConfig, password: &str) -> Vec<String> {
        let Err(error) = check(config, password).and_then(|()| check_leaked(config, password)) else { return Vec::new() };
        assert_eq!((error.status().as_u16(), error.code()), (422, "weak_password"));
        serde_json::from_value(error.details().unwrap()["reasons"].clone()).unwrap()
    }

    #[test]
    fn what_everybody_tries_first_is_refused() {
        let config = PasswordConfig::default();
        for common in ["123456", "password", "Password1", "QWERTY", "iloveyou"] {
            assert_eq!(reasons(&config, common), ["pwned"], "{common}");
        }
        assert_eq!(reasons(&config, "12345"), ["length"]);
        let both = PasswordConfig { length_min: 8, ..PasswordConfig::default() };
        assert_eq!(reasons(&both, "123456"), ["length", "pwned"]);
        let message = format!("Password should be at least 8 characters. {EASY}");
        assert_eq!(check(&both, "123456").unwrap_err().message(), message);
        assert_eq!(reasons(&PasswordConfig { common_refused: false, ..PasswordConfig::default() }, "123456"), [""; 0]);
        assert_eq!(reasons(&config, "correct horse battery staple"), [""; 0]);
        assert!(GUESSED_FIRST.len() >= 7000 && GUESSED_FIRST.iter().all(|word| *word == word.to_lowercase() && word.trim() == *word));
    }

    #[test]
    fn what_sorts_of_characters_are_needed_is_the_operators_to_say() {
        let required_characters = ["lower", "upper", "digit", "symbol"].map(str::to_owned).to_vec();
        let config = PasswordConfig { required_characters, ..PasswordConfig::default() };
        let error = check(&config, "lovelace1815").unwrap_err();
        let sets = "abcdefghijklmnopqrstuvwxyz, ABCDEFGHIJKLMNOPQRSTUVWXYZ, 0123456789, !@#$%^&*()_+-=[]{};'\\:\"|<>?,./`~";
        let sentence = format!("Password should contain at least one character of each: {sets}.");
        assert_eq!(error.message(), sentence);
        assert_eq!(check(&config, "Ab1").unwrap_err().message(), format!("Password should be at least 6 characters. {sentence}"));
        assert_eq!(reasons(&config, "lovelace1815"), ["characters"]);
        assert_eq!(reasons(&config, "Ab1"), ["length", "characters"]);
        assert_eq!(reasons(&config, "Lovelace 1815"), [""; 0]);
        assert_eq!(reasons(&config, "Ölüm-büyük 7"), [""; 0], "letters of any script");
    }

    #[test]
    fn every_line_of_a_list_is_found_and_nothing_else() {
        let words: Vec<String> = (0..200).map(|number| format!("leaked password {number}")).collect();
        let digest = |word: &String| {
            let digest = digest::digest(&digest::SHA1_FOR_LEGACY_USE_ONLY, word.as_bytes());
            digest.as_ref().iter().map(|byte| format!("{byte:02X}")).collect::<Vec<_>>().concat()
        };
        let mut digests: Vec<String> = words.iter().map(digest).collect();
        digests.sort();
        for (end, count) in [("\n", ""), ("\r\n", ":7"), ("\n", ":1234567890")] {
            let mut file = tempfile::NamedTempFile::new().unwrap();
            write!(file, "{}", digests.iter().map(|digest| format!("{digest}{count}{end}")).collect::<Vec<_>>().concat()).unwrap();
            let config = PasswordConfig { leaked_file: Some(file.path().to_owned()), ..PasswordConfig::default() };
            check_file(&config).unwrap();
            for word in &words {
                assert_eq!(reasons(&config, word), ["pwned"], "{word}");
                assert_eq!(reasons(&config, &format!("{word}!")), [""; 0]);
            }
        }
    }

    #[test]
    fn a_file_of_something_else_is_told_and_lets_nothing_pass() {
        let mut file = tempfile::NamedTempFile::new().unwrap();
        writeln!(file, "hunter2").unwrap();
        let config = PasswordConfig { leaked_file: Some(file.path().to_owned()), ..PasswordConfig::default() };
        assert!(check_file(&config).is_err() && check_leaked(&config, "some password").is_err());
        let missing = PasswordConfig { leaked_file: Some("/nowhere/at/all".into()), ..PasswordConfig::default() };
        assert!(check_file(&missing).is_err() && check_leaked(&missing, "some password").is_err());
        let empty = tempfile::NamedTempFile::new().unwrap();
        let config = PasswordConfig { leaked_file: Some(empty.path().to_owned()), ..PasswordConfig::default() };
        assert!(check_file(&config).is_ok() && check_leaked(&config, "some password").is_ok());
    }
}
