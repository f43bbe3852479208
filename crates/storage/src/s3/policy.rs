//! The policy of a form: what whoever signed it lets others send with it.
//!
//! Invariant: every field of the form is one that the policy speaks of, and is as it says; bucket and key are always among them.

use std::ops::RangeInclusive;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use jiff::Timestamp;
use kernel::{Error, Kind, Result};
use serde::Deserialize;
use serde_json::{Map, Value};

/// Conditions that a policy may have.
const CONDITIONS_MAX: usize = 100;
/// Fields that no policy speaks of: what it is signed with, and itself.
const UNSPOKEN: [&str; 2] = ["policy", "x-amz-signature"];
/// How a field begins that is for somebody else.
const IGNORED: &str = "x-ignore-";

/// What a form may be.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(super) struct Policy {
    expires_at: Timestamp,
    conditions: Vec<Condition>,
    /// How many bytes the file has.
    pub(super) bytes: RangeInclusive<u64>,
}

#[derive(Clone, PartialEq, Eq, Debug)]
struct Condition {
    /// In small letters.
    field: String,
    value: String,
    is_prefix: bool,
}

#[derive(Deserialize)]
struct Written {
    expiration: String,
    conditions: Vec<Value>,
}

impl Policy {
    /// Reads a policy as a form has it.
    pub(super) fn read(encoded: &str) -> Result<Self> {
        let document = STANDARD.decode(encoded.trim()).map_err(|error| invalid("it is no base64").with_source(error))?;
        let written: Written =
            serde_json::from_slice(&document).map_err(|error| invalid("it has an expiration and conditions").with_source(error))?;
        let expires_at = written.expiration.parse().map_err(|error: jiff::Error| invalid("expiration is a time").with_source(error))?;
        if written.conditions.len() > CONDITIONS_MAX {
            return Err(invalid("it has at most 100 conditions"));
        }
        let mut policy = Self { expires_at, conditions: Vec::new(), bytes: 0..=u64::MAX };
        for condition in &written.conditions {
            match condition {
                Value::Object(fields) => policy.add_fields(fields)?,
                Value::Array(words) => policy.add_words(words)?,
                _ => return Err(invalid("a condition is an object or a list")),
            }
        }
        Ok(policy)
    }

    fn add_fields(&mut self, fields: &Map<String, Value>) -> Result<()> {
        for (field, value) in fields {
            let value = value.as_str().ok_or_else(|| invalid("the value of a condition is a text"))?.to_owned();
            self.conditions.push(Condition { field: field.to_ascii_lowercase(), value, is_prefix: false });
        }
        Ok(())
    }

    fn add_words(&mut self, words: &[Value]) -> Result<()> {
        let [word, first, second] = words else { return Err(invalid("a condition has three words")) };
        match word.as_str().map(str::to_ascii_lowercase).as_deref() {
            Some("content-length-range") => {
                let (least, most) = (number(first)?, number(second)?);
                // Of several all hold.
                self.bytes = least.max(*self.bytes.start())..=most.min(*self.bytes.end());
            }
            Some(word @ ("eq" | "starts-with")) => {
                let field = first.as_str().and_then(|field| field.strip_prefix('$')).ok_or_else(|| invalid("a field is $name"))?;
                let value = second.as_str().ok_or_else(|| invalid("the value of a condition is a text"))?.to_owned();
                self.conditions.push(Condition { field: field.to_ascii_lowercase(), value, is_prefix: word == "starts-with" });
            }
            _ => return Err(invalid("a condition is eq, starts-with or content-length-range")),
        }
        Ok(())
    }

    /// Holds a form to it. The names of the fields are in small letters, each there once.
    pub(super) fn check(&self, fields: &[(String, String)], now: Timestamp) -> Result<()> {
        if self.expires_at <= now {
            return Err(refused("Policy expired."));
        }
        for condition in &self.conditions {
            let said = fields.iter().find(|(name, _)| *name == condition.field).map_or("", |(_, value)| value.as_str());
            if !condition.holds(said) {
                let word = if condition.is_prefix { "starts-with" } else { "eq" };
                return Err(refused(&format!("Policy Condition failed: [\"{word}\", \"${}\", …]", condition.field)));
            }
        }
        let is_spoken_of = |name: &str| self.conditions.iter().any(|condition| condition.field == name);
        let extra = fields
            .iter()
            .map(|(name, _)| name.as_str())
            .find(|name| !UNSPOKEN.contains(name) && !name.starts_with(IGNORED) && !is_spoken_of(name));
        match extra {
            Some(name) => Err(refused(&format!("Extra input fields: {name}"))),
            None => Ok(()),
        }
    }
}

impl Condition {
    fn holds(&self, said: &str) -> bool {
        match (self.is_prefix, self.field.as_str()) {
            // A list of types: each of them.
            (true, "content-type") => said.split(',').all(|said| said.trim().starts_with(&self.value)),
            (true, _) => said.starts_with(&self.value),
            (false, _) => said == self.value,
        }
    }
}

fn number(value: &Value) -> Result<u64> {
    let number = value.as_u64().or_else(|| value.as_str()?.parse().ok());
    number.ok_or_else(|| invalid("content-length-range has two numbers"))
}

fn invalid(what: &'static str) -> Error {
    Error::new(Kind::BadRequest, "InvalidPolicyDocument", format!("Invalid Policy: {what}"))
}

fn refused(what: &str) -> Error {
    Error::new(Kind::Forbidden, "AccessDenied", format!("Invalid according to Policy: {what}"))
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn read(document: &Value) -> Result<Policy> {
        Policy::read(&STANDARD.encode(document.to_string()))
    }

    fn told(policy: &Policy, fields: &[(&str, &str)]) -> String {
        let mut form = vec![("bucket".to_owned(), "b".to_owned()), ("policy".to_owned(), "x".to_owned())];
        form.extend(fields.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())));
        policy.check(&form, "2026-11-23T00:00:00Z".parse().unwrap()).map_or_else(|error| error.message().to_owned(), |()| String::new())
    }

    #[test]
    fn a_form_is_what_its_policy_says() {
        let conditions =
            json!([{ "bucket": "b" }, ["starts-with", "$key", "u/"], ["eq", "$Content-Type", "a/b"], ["content-length-range", 1, "9"]]);
        let policy = read(&json!({ "expiration": "2026-11-23T00:00:01.000Z", "conditions": conditions })).unwrap();
        assert_eq!(policy.bytes, 1..=9);
        assert_eq!(told(&policy, &[("key", "u/x"), ("content-type", "a/b"), ("x-ignore-me", "y"), ("x-amz-signature", "z")]), "");
        for (fields, expected) in [
            (&[("key", "v/x"), ("content-type", "a/b")][..], "Policy Condition failed: [\"starts-with\", \"$key\", …]"),
            (&[("content-type", "a/b")], "Policy Condition failed: [\"starts-with\", \"$key\", …]"),
            (&[("key", "u/x"), ("content-type", "a/bc")], "Policy Condition failed: [\"eq\", \"$content-type\", …]"),
            (&[("key", "u/x")], "Policy Condition failed: [\"eq\", \"$content-type\", …]"),
            (&[("key", "u/x"), ("content-type", "a/b"), ("acl", "public-read")], "Extra input fields: acl"),
        ] {
            assert_eq!(told(&policy, fields), format!("Invalid according to Policy: {expected}"));
        }
        let over = read(&json!({ "expiration": "2026-11-23T00:00:00Z", "conditions": [] })).unwrap();
        assert_eq!(told(&over, &[]), "Invalid according to Policy: Policy expired.");
        // What no condition names may be anything but is not: there is none without a bucket and a key that are named.
        let empty = read(&json!({ "expiration": "2027-01-01T00:00:00Z", "conditions": [] })).unwrap();
        assert_eq!(told(&empty, &[]), "Invalid according to Policy: Extra input fields: bucket");
    }

    #[test]
    fn a_policy_that_cannot_be_read_is_refused() {
        let at = "2027-01-01T00:00:00Z";
        for document in [
            json!([]),
            json!({ "expiration": at }),
            json!({ "expiration": "soon", "conditions": [] }),
            json!({ "expiration": at, "conditions": ["eq"] }),
            json!({ "expiration": at, "conditions": [["eq", "$key"]] }),
            json!({ "expiration": at, "conditions": [["eq", "key", "x"]] }),
            json!({ "expiration": at, "conditions": [["like", "$key", "x"]] }),
            json!({ "expiration": at, "conditions": [["content-length-range", -1, 5]] }),
            json!({ "expiration": at, "conditions": [{ "key": 5 }] }),
            json!({ "expiration": at, "conditions": vec![json!({ "key": "x" }); 101] }),
        ] {
            assert_eq!(read(&document).unwrap_err().code(), "InvalidPolicyDocument", "{document}");
        }
        assert_eq!(Policy::read("{}").unwrap_err().code(), "InvalidPolicyDocument");
    }
}
