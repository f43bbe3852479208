//! What is wrong with a configuration: the key, where it was written, and what is allowed there.
//!
//! Invariant: never shows a value that could be a secret; only the type of what was found, or a value of a key that is none.

use std::fmt;

use figment::error::{Actual, Kind};
use figment::{Figment, Metadata, Source};

/// One thing that is wrong.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Fault {
    /// The key with dots, `limits.body_bytes_max`. Empty where the file as a whole is meant.
    pub key: String,
    /// Where it was written.
    pub origin: String,
    /// What is wrong and what is allowed.
    pub reason: String,
}

/// All that is wrong: at least one.
#[derive(Clone, Debug)]
pub struct Faults(pub Vec<Fault>);

impl fmt::Display for Fault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if !self.key.is_empty() {
            write!(f, "`{}` ", self.key)?;
        }
        write!(f, "({}): {}", self.origin, self.reason)
    }
}

impl fmt::Display for Faults {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("the configuration cannot be used (config_invalid)")?;
        for fault in &self.0 {
            write!(f, "\n  {fault}")?;
        }
        Ok(())
    }
}

impl std::error::Error for Faults {}

impl Faults {
    pub(super) fn from_figment(error: figment::Error, figment: &Figment) -> Self {
        Self(error.into_iter().map(|error| fault(&error, figment)).collect())
    }
}

/// Returns where the value of a key was written.
pub(super) fn origin_of(figment: &Figment, key: &str) -> String {
    figment.find_metadata(key).map_or_else(|| super::load::DEFAULT.to_owned(), |metadata| describe(metadata, key))
}

fn fault(error: &figment::Error, figment: &Figment) -> Fault {
    let mut path = error.path.clone();
    if let Kind::UnknownField(name, _) = &error.kind
        && path.last() != Some(name)
    {
        path.push(name.clone());
    }
    let key = path.join(".");
    let origin = match error.metadata.as_ref().or_else(|| figment.find_metadata(&key)) {
        Some(metadata) => describe(metadata, &key),
        None => super::load::DEFAULT.to_owned(),
    };
    Fault { key, origin, reason: reason(&error.kind) }
}

fn describe(metadata: &Metadata, key: &str) -> String {
    match &metadata.source {
        _ if metadata.name == super::load::DEFAULT => super::load::DEFAULT.to_owned(),
        Some(Source::File(path)) => format!("in {}", path.display()),
        _ if metadata.name == super::load::ENVIRONMENT => match key {
            "database.url" | "database.migrator_url" => format!("from the environment, {} or its short name", variable(key)),
            _ => format!("from the environment, {}", variable(key)),
        },
        _ => format!("from {}", metadata.name),
    }
}

fn variable(key: &str) -> String {
    format!("{}{}", super::load::PREFIX, key.replace('.', "__").to_uppercase())
}

fn reason(kind: &Kind) -> String {
    match kind {
        Kind::UnknownField(_, allowed) => format!("no such key; allowed here: {}", allowed.join(", ")),
        Kind::UnknownVariant(found, allowed) => format!("{found:?} is not allowed; allowed: {}", allowed.join(", ")),
        Kind::InvalidType(found, wanted) | Kind::InvalidValue(found, wanted) => {
            format!("found {}, allowed: {}", sort_of(found), in_words(wanted))
        }
        other => other.to_string(),
    }
}

/// Returns what a type of Rust's takes, for people.
fn in_words(wanted: &str) -> String {
    match wanted {
        "u16" => format!("a whole number, 0 to {}", u16::MAX),
        "u32" => format!("a whole number, 0 to {}", u32::MAX),
        "u64" | "usize" => "a whole number, 0 or more".to_owned(),
        "a boolean" => "true or false".to_owned(),
        "a string" | "path string" => "a text".to_owned(),
        other => other.to_owned(),
    }
}

/// Returns the sort of a value without the value: it could be a secret in the wrong place.
fn sort_of(found: &Actual) -> String {
    match found {
        Actual::Str(_) => "a text".to_owned(),
        Actual::Bytes(_) => "bytes".to_owned(),
        Actual::Bool(_) => "true or false".to_owned(),
        Actual::Unsigned(_) | Actual::Signed(_) | Actual::Float(_) => "a number".to_owned(),
        other => other.to_string(),
    }
}
