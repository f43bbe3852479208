//! Values of a body as clients write them: numbers and booleans as texts, texts as `null`.
//!
//! Invariant: what is read means one thing; what could mean two is refused.

use serde::Deserialize as _;
use serde::de::{Deserializer, Error as _};
use serde_json::Value;

/// The largest number that a client without integers writes without losing any of it.
const EXACT_MAX: f64 = 9_007_199_254_740_992.0;

/// Reads a whole number: `3600`, `3600.0` or `"3600"`.
pub(crate) fn number<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Option<i64>, D::Error> {
    let said = Value::deserialize(deserializer)?;
    let read = match &said {
        Value::Null => return Ok(None),
        Value::Number(number) => number.as_i64().or_else(|| number.as_f64().and_then(whole)),
        Value::String(text) => text.trim().parse().ok().or_else(|| text.trim().parse().ok().and_then(whole)),
        _ => None,
    };
    read.map(Some).ok_or_else(|| D::Error::custom("a whole number is expected"))
}

/// Reads `true` and `false`, also as texts.
pub(crate) fn boolean<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Option<bool>, D::Error> {
    match Value::deserialize(deserializer)? {
        Value::Null => Ok(None),
        Value::Bool(said) => Ok(Some(said)),
        Value::String(text) if text == "true" => Ok(Some(true)),
        Value::String(text) if text == "false" => Ok(Some(false)),
        _ => Err(D::Error::custom("true or false is expected")),
    }
}

/// Reads a text; `null` is an empty one, and numbers and booleans are what they are written as.
pub(crate) fn text<'de, D: Deserializer<'de>>(deserializer: D) -> Result<String, D::Error> {
    match Value::deserialize(deserializer)? {
        Value::Null => Ok(String::new()),
        Value::String(text) => Ok(text),
        said @ (Value::Number(_) | Value::Bool(_)) => Ok(said.to_string()),
        _ => Err(D::Error::custom("a text is expected")),
    }
}

/// Reads a text where none may be said.
pub(crate) fn some_text<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Option<String>, D::Error> {
    text(deserializer).map(|text| Some(text).filter(|text| !text.is_empty()))
}

#[expect(clippy::as_conversions, clippy::cast_possible_truncation, reason = "it is whole, and no larger than what is exact")]
fn whole(number: f64) -> Option<i64> {
    (number.fract() == 0.0 && number.abs() <= EXACT_MAX).then_some(number as i64)
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn a_number_is_read_however_it_is_written() {
        for (said, expected) in [
            (json!(3600), Some(3600)),
            (json!(3600.0), Some(3600)),
            (json!("3600"), Some(3600)),
            (json!("3600.0"), Some(3600)),
            (json!("-1"), Some(-1)),
            (json!(null), None),
        ] {
            assert_eq!(number(&said).unwrap(), expected, "{said}");
        }
        for bad in [json!("1h"), json!(""), json!(1.5), json!("NaN"), json!("inf"), json!(1e300), json!([1]), json!(true)] {
            assert!(number(&bad).is_err(), "{bad}");
        }
    }

    #[test]
    fn a_boolean_may_be_a_text_and_a_text_may_be_null() {
        assert_eq!((boolean(&json!("true")).unwrap(), boolean(&json!(false)).unwrap()), (Some(true), Some(false)));
        assert!(boolean(&json!("yes")).is_err() && boolean(&json!(1)).is_err());
        assert_eq!((text(&json!(null)).unwrap(), text(&json!(5)).unwrap()), (String::new(), "5".to_owned()));
        assert!(text(&json!({})).is_err());
    }
}
