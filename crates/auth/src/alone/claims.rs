//! Whether what a verified token says holds at this moment and for us.

use serde_json::{Map, Value};

use super::JwtError;

/// How far the clocks of issuer and server may be apart.
const SKEW_SECONDS: i64 = 30;

/// Checks times and audience, in the dialect's order. A claim that is null is none.
pub(super) fn check(claims: &Map<String, Value>, audience: Option<&str>, now_seconds: i64) -> Result<(), JwtError> {
    if seconds(claims, "exp")?.is_some_and(|end| now_seconds.saturating_sub(SKEW_SECONDS) > end) {
        return Err(JwtError::Expired);
    }
    let latest = now_seconds.saturating_add(SKEW_SECONDS);
    if seconds(claims, "nbf")?.is_some_and(|begin| latest < begin) {
        return Err(JwtError::NotYetValid);
    }
    if seconds(claims, "iat")?.is_some_and(|issued| latest < issued) {
        return Err(JwtError::IssuedInFuture);
    }
    match claims.get("aud") {
        None | Some(Value::Null) => Ok(()),
        Some(Value::String(one)) => held_against(audience, &[one]),
        Some(Value::Array(several)) => {
            let named: Option<Vec<&str>> = several.iter().map(Value::as_str).collect();
            let named = named.ok_or(JwtError::AudienceKind)?;
            if named.is_empty() { Ok(()) } else { held_against(audience, &named) }
        }
        Some(_) => Err(JwtError::AudienceKind),
    }
}

fn held_against(audience: Option<&str>, named: &[&str]) -> Result<(), JwtError> {
    if audience.is_none_or(|audience| named.contains(&audience)) { Ok(()) } else { Err(JwtError::Audience) }
}

/// Reads a moment. Fractions are cut off; what no clock can show is as far away as a clock can tell.
fn seconds(claims: &Map<String, Value>, name: &'static str) -> Result<Option<i64>, JwtError> {
    let Some(value) = claims.get(name).filter(|value| !value.is_null()) else { return Ok(None) };
    if let Some(whole) = value.as_i64() {
        return Ok(Some(whole));
    }
    let fraction = value.as_f64().ok_or(JwtError::NotNumber(name))?;
    let far = if fraction.is_sign_negative() { i64::MIN } else { i64::MAX };
    Ok(Some(format!("{:.0}", fraction.trunc()).parse().unwrap_or(far)))
}
