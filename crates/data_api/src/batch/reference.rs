//! What a request of a batch takes from the answers of earlier ones: `{"$result": "id/pointer"}` in a body, `${id/pointer}` in a path.
//!
//! Invariant: a value goes in as a JSON value or percent-encoded, so that it cannot become anything but a value.

use std::collections::HashMap;

use kernel::{Error, Kind, Result};
use percent_encoding::{NON_ALPHANUMERIC, utf8_percent_encode};
use serde_json::Value;
use serde_json::value::RawValue;

/// The one member of an object that stands for an earlier answer's value.
const RESULT: &str = "$result";

/// The answers of the requests before, by their ids.
#[derive(Debug, Default)]
pub(super) struct Answers(HashMap<String, Value>);

impl Answers {
    /// Adds an answer; what is no JSON cannot be pointed into.
    pub(super) fn add(&mut self, id: &str, body: Option<&RawValue>) {
        let body = body.and_then(|body| serde_json::from_str(body.get()).ok()).unwrap_or(Value::Null);
        self.0.insert(id.to_owned(), body);
    }

    /// Returns the body with all references replaced: the very same text where there is none.
    pub(super) fn body(&self, body: &str) -> Result<String> {
        if !body.contains(RESULT) {
            return Ok(body.to_owned());
        }
        let mut value: Value = serde_json::from_str(body).map_err(Error::internal)?;
        self.replace(&mut value)?;
        Ok(value.to_string())
    }

    /// Returns the path with all references replaced.
    pub(super) fn path(&self, path: &str) -> Result<String> {
        let mut replaced = String::with_capacity(path.len());
        let mut rest = path;
        while let Some((before, behind)) = rest.split_once("${") {
            replaced.push_str(before);
            let (reference, after) = behind.split_once('}').ok_or_else(|| unknown(behind))?;
            let text = match self.find(reference)? {
                Value::String(text) => text.clone(),
                Value::Null | Value::Array(_) | Value::Object(_) => return Err(unknown(reference)),
                other => other.to_string(),
            };
            replaced.extend(utf8_percent_encode(&text, NON_ALPHANUMERIC));
            rest = after;
        }
        replaced.push_str(rest);
        Ok(replaced)
    }

    fn replace(&self, value: &mut Value) -> Result<()> {
        match value {
            Value::Object(members) => {
                if let (1, Some(Value::String(reference))) = (members.len(), members.get(RESULT)) {
                    *value = self.find(reference)?.clone();
                    return Ok(());
                }
                members.values_mut().try_for_each(|member| self.replace(member))
            }
            Value::Array(elements) => elements.iter_mut().try_for_each(|element| self.replace(element)),
            Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) => Ok(()),
        }
    }

    /// Finds `id/pointer`, or `id` alone for the whole answer.
    fn find(&self, reference: &str) -> Result<&Value> {
        let (id, pointer) = reference.find('/').map_or((reference, ""), |at| reference.split_at(at));
        self.0.get(id).and_then(|answer| answer.pointer(pointer)).ok_or_else(|| unknown(reference))
    }
}

fn unknown(reference: &str) -> Error {
    let shown: String = reference.chars().take(100).collect();
    Error::new(Kind::BadRequest, "batch_reference_unknown", format!("No earlier answer has the value {shown}"))
        .with_hint("A reference is the id of an earlier request and a JSON pointer into its answer, as customer/0/id.")
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;
    use serde_json::json;

    proptest! {
        /// A reference gives its value, encoded; what surrounds it stays, and nothing else gets in.
        #[test]
        fn a_value_stays_a_value(text in "\\PC{0,12}", before in "[a-z=&?.,()]{0,6}", reference in "\\PC{0,8}") {
            let mut answers = Answers::default();
            answers.add("s", Some(&serde_json::value::to_raw_value(&json!([{ "a": text }])).unwrap()));
            let encoded = utf8_percent_encode(&text, NON_ALPHANUMERIC).to_string();
            prop_assert_eq!(answers.path(&format!("{before}${{s/0/a}}{before}")).unwrap(), format!("{before}{encoded}{before}"));
            for path in [format!("{before}${{{reference}}}"), format!("{before}${{{reference}"), reference.clone()] {
                if let Err(error) = answers.path(&path) {
                    prop_assert_eq!(error.code(), "batch_reference_unknown");
                }
            }
            let body = json!({ "x": { RESULT: "s/0/a" }, "y": before }).to_string();
            prop_assert_eq!(answers.body(&body).unwrap(), json!({ "x": text, "y": before }).to_string());
            if let Err(error) = answers.body(&json!([{ RESULT: reference }]).to_string()) {
                prop_assert_eq!(error.code(), "batch_reference_unknown");
            }
        }
    }

    fn answers() -> Answers {
        let mut answers = Answers::default();
        let body = json!([{ "id": "a b/&", "number": 7, "tags": ["x"] }]);
        answers.add("first", Some(&serde_json::value::to_raw_value(&body).unwrap()));
        answers.add("empty", None);
        answers
    }

    #[test]
    fn values_are_found_in_bodies() {
        let answers = answers();
        let body = r#"{"a": {"$result": "first/0/id"}, "b": [{"$result": "first/0/tags"}], "c": {"$result": 1}, "d": 1.00}"#;
        let replaced: Value = serde_json::from_str(&answers.body(body).unwrap()).unwrap();
        assert_eq!(replaced, json!({ "a": "a b/&", "b": [["x"]], "c": { "$result": 1 }, "d": 1.0 }));
        assert_eq!(answers.body(r#"{"d": 1.00}"#).unwrap(), r#"{"d": 1.00}"#);
        for wrong in ["first/1/id", "second", "empty/0", "first/0/id/x"] {
            let body = json!({ "a": { "$result": wrong } }).to_string();
            assert_eq!(answers.body(&body).unwrap_err().code(), "batch_reference_unknown", "{wrong}");
        }
        assert_eq!(answers.body(r#"{"$result": "empty"}"#).unwrap(), "null");
    }

    #[test]
    fn values_are_found_in_paths_and_stay_values() {
        let answers = answers();
        assert_eq!(answers.path("/jobs?id=eq.${first/0/id}&n=${first/0/number}").unwrap(), "/jobs?id=eq.a%20b%2F%26&n=7");
        assert_eq!(answers.path("/jobs?a=cs.{1,2}&b=$1").unwrap(), "/jobs?a=cs.{1,2}&b=$1");
        for wrong in ["/a?b=${first/0/tags}", "/a?b=${first/0/id", "/a?b=${empty}", "/a?b=${}"] {
            assert_eq!(answers.path(wrong).unwrap_err().code(), "batch_reference_unknown", "{wrong}");
        }
    }
}
