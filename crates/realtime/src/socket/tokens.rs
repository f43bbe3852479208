//! Why a token is none that a channel can be joined with, in the words that clients know.
//!
//! Invariant: of a token that is not verified nothing is said but what whoever shows it wrote there himself.

use auth::Refusal;
use auth::tokens::TokenError;
use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use serde_json::Value;

const MALFORMED: &str = "MalformedJWT: The token provided is not a valid JWT";
const SIGNATURE: &str = "JwtSignatureError: Failed to validate JWT signature";
const CLAIMS: &str = "InvalidJWTToken: Fields `role` and `exp` are required in JWT";

/// Returns why a token was refused.
pub(super) fn refused(refusal: Refusal, token: Option<&str>) -> String {
    let error = match refusal {
        Refusal::Token(error) => error,
        Refusal::Request(error) => return format!("InvalidJWTToken: {}", error.message()),
    };
    let claim = |name: &str| token.and_then(claims).and_then(|claims| claims.get(name).cloned()).filter(|said| !said.is_null());
    match error {
        TokenError::Expired => {
            expired(claim("exp").and_then(|exp| exp.as_f64().map(|exp| format!("{:.0}", exp.floor()))).and_then(|exp| exp.parse().ok()))
        }
        TokenError::Empty | TokenError::Scheme | TokenError::TooLarge | TokenError::Parts(_) | TokenError::Header | TokenError::Claims => {
            MALFORMED.to_owned()
        }
        TokenError::Signature | TokenError::UnknownKey | TokenError::Algorithm => SIGNATURE.to_owned(),
        _ if token.is_some() && (claim("role").is_none() || claim("exp").is_none()) => CLAIMS.to_owned(),
        other => format!("InvalidJWTToken: {other}"),
    }
}

/// The words for a token that is over.
pub(super) fn expired(expires: Option<i64>) -> String {
    let now = jiff::Timestamp::now().as_second();
    let seconds = expires.map_or(0, |expires| now.saturating_sub(expires).max(0));
    format!("InvalidJWTToken: Token has expired {seconds} seconds ago")
}

/// The words for a token that does not say when it ends.
pub(super) fn endless() -> String {
    CLAIMS.to_owned()
}

/// What a channel that is closed says of the same: the code stands only in answers.
pub(super) fn without_code(reason: &str) -> &str {
    match reason.split_once(": ") {
        Some(("InvalidJWTToken" | "MalformedJWT" | "JwtSignatureError", rest)) => rest,
        _ => reason,
    }
}

fn claims(token: &str) -> Option<Value> {
    let part = token.split('.').nth(1)?;
    serde_json::from_slice(&URL_SAFE_NO_PAD.decode(part.trim_end_matches('=')).ok()?).ok()
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn refusals_have_the_words_that_clients_know() {
        let said = |error, claims: Value| {
            let token = format!("e30.{}.x", URL_SAFE_NO_PAD.encode(claims.to_string()));
            refused(Refusal::Token(error), Some(&token))
        };
        let ago = jiff::Timestamp::now().as_second() - 1000;
        let words = said(TokenError::Expired, json!({ "exp": ago }));
        assert!(words.starts_with("InvalidJWTToken: Token has expired 100") && words.ends_with(" seconds ago"), "{words}");
        assert_eq!(said(TokenError::Parts(2), json!({})), MALFORMED);
        assert_eq!(said(TokenError::Signature, json!({})), SIGNATURE);
        assert_eq!(said(TokenError::Role, json!({ "exp": 1 })), CLAIMS);
        assert!(said(TokenError::Audience, json!({ "exp": 1, "role": "x" })).starts_with("InvalidJWTToken: "));
        assert_eq!(without_code(MALFORMED), "The token provided is not a valid JWT");
        assert_eq!(without_code("Unauthorized: no"), "Unauthorized: no");
    }
}
