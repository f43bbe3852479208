//! Sizes as they are said: numbers of bytes, or `1.5mb`, which is decimal.

use kernel::{Error, Kind, Result};
use serde_json::Value;

/// Reads a size; `null` is none.
pub(super) fn size(said: &Value) -> Result<Option<i64>> {
    let bytes = match said {
        Value::Null => return Ok(None),
        Value::Number(number) => number.as_i64(),
        Value::String(text) => parse(text),
        _ => None,
    };
    match bytes.filter(|bytes| *bytes >= 0) {
        Some(bytes) => Ok(Some(bytes)),
        None => Err(Error::new(Kind::BadRequest, "InvalidRequest", "Invalid file size format, hint: use 20GB / 20MB / 30KB / 3B")),
    }
}

/// Reads `1.5mb`: digits, at most one point between them, and a unit. What is left of a byte does not count.
fn parse(text: &str) -> Option<i64> {
    let text = text.trim().to_ascii_lowercase();
    let ends = text.find(|c: char| !c.is_ascii_digit() && c != '.').unwrap_or(text.len());
    let (number, unit) = text.split_at_checked(ends)?;
    let zeros = match unit.trim() {
        "" | "b" => 0,
        "kb" => 3,
        "mb" => 6,
        "gb" => 9,
        "tb" => 12,
        _ => return None,
    };
    let (whole, part) = number.split_once('.').unwrap_or((number, "0"));
    let is_digits = |digits: &str| !digits.is_empty() && digits.len() <= 30 && digits.bytes().all(|byte| byte.is_ascii_digit());
    if !is_digits(whole) || !is_digits(part) {
        return None;
    }
    let part: String = part.chars().chain(std::iter::repeat('0')).take(zeros).collect();
    format!("{whole}{part}").parse().ok()
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn a_size_is_decimal() {
        for (said, bytes) in [
            (json!(null), None),
            (json!(5), Some(5)),
            (json!("20mb"), Some(20_000_000)),
            (json!("1KB"), Some(1000)),
            (json!("7"), Some(7)),
            (json!(" 2 gb"), Some(2_000_000_000)),
            (json!("1.5mb"), Some(1_500_000)),
            (json!("0.0015 KB"), Some(1)),
            (json!("2.5"), Some(2)),
        ] {
            assert_eq!(size(&said).unwrap(), bytes, "{said}");
        }
        for bad in [
            json!("mb"),
            json!("1.5.0mb"),
            json!(".5mb"),
            json!("1."),
            json!("-1"),
            json!(-1),
            json!(true),
            json!("9999999999tb"),
            json!("1 pb"),
        ] {
            assert_eq!(size(&bad).unwrap_err().code(), "InvalidRequest", "{bad}");
        }
    }
}
