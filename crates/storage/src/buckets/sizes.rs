//! Sizes as they are said: numbers of bytes, or `20mb`, which is decimal.

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
        None => Err(Error::new(
            Kind::BadRequest,
            "InvalidRequest",
            "file_size_limit: allowed is a number of bytes, or one with b, kb, mb, gb or tb",
        )),
    }
}

fn parse(text: &str) -> Option<i64> {
    let text = text.trim().to_ascii_lowercase();
    let digits = text.find(|c: char| !c.is_ascii_digit()).unwrap_or(text.len());
    let (number, unit) = text.split_at_checked(digits)?;
    let factor: i64 = match unit.trim() {
        "" | "b" => 1,
        "kb" => 1000,
        "mb" => 1_000_000,
        "gb" => 1_000_000_000,
        "tb" => 1_000_000_000_000,
        _ => return None,
    };
    number.parse::<i64>().ok()?.checked_mul(factor)
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
        ] {
            assert_eq!(size(&said).unwrap(), bytes, "{said}");
        }
        for bad in [json!("mb"), json!("1.5mb"), json!("-1"), json!(-1), json!(true), json!("9999999999tb"), json!("1 pb")] {
            assert_eq!(size(&bad).unwrap_err().code(), "InvalidRequest", "{bad}");
        }
    }
}
