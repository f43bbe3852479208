//! ID tokens of providers (OpenID Connect Core 3.1.3.7).
//!
//! Invariant: the claims come out of here only if a key that the provider publishes signed them for this application, at a time that has
//! not passed, and for the sign-in that asked for them.

use aws_lc_rs::digest;
use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use jiff::Timestamp;
use serde_json::{Map, Value};
use subtle::ConstantTimeEq;

use super::discovery::{Document, Documents};
use super::fault::Fault;
use super::provider::Provider;
use crate::alone::JwtError;

/// How far the clocks of provider and server may be apart.
const SKEW_SECONDS: i64 = 60;
/// The largest ID token that is looked at.
const TOKEN_BYTES_MAX: usize = 16 * 1024;

/// What is wrong with a token that clients are told.
pub(super) const ANOTHER_NONCE: &str = "its nonce is another";
pub(super) const NONCE_OF_ONE: &str = "of nonce and nonce in the token there is only one";
pub(super) const ANOTHER_AUDIENCE: &str = "it is for another application";

/// What the nonce in a token has to be.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Nonce<'a> {
    /// This, since it was sent along.
    Exactly(&'a str),
    /// The SHA-256 of this in hexadecimal digits, as applications on telephones send it; none if there is none.
    HashOf(Option<&'a str>),
}

/// Returns the claims of a token that is good.
pub(crate) async fn verify(
    documents: &Documents,
    provider: &Provider,
    token: &str,
    nonce: Nonce<'_>,
    now: Timestamp,
) -> Result<Map<String, Value>, Fault> {
    if token.len() > TOKEN_BYTES_MAX {
        return Err(Fault::Token("it is too large"));
    }
    let document = documents.of(provider).await?;
    let claims = signed(documents, provider, &document, token).await?;
    check(&claims, &document, provider, now)?;
    if !provider.nonce_skipped {
        check_nonce(&claims, nonce)?;
    }
    Ok(claims)
}

/// Checks that an access token belongs to the ID token, where that says which one does.
pub(crate) fn check_access_token(claims: &Map<String, Value>, access_token: &str) -> Result<(), Fault> {
    let Some(hash) = claims.get("at_hash").and_then(Value::as_str) else { return Ok(()) };
    let of = |algorithm| {
        let digest = digest::digest(algorithm, access_token.as_bytes());
        URL_SAFE_NO_PAD.encode(digest.as_ref().split_at(digest.as_ref().len() / 2).0)
    };
    // By the length of the hash that the signature is made with; that was checked with the signature.
    let known = [of(&digest::SHA256), of(&digest::SHA384), of(&digest::SHA512)];
    known.iter().any(|known| known == hash).then_some(()).ok_or(Fault::Token("at_hash is of another access token"))
}

async fn signed(documents: &Documents, provider: &Provider, document: &Document, token: &str) -> Result<Map<String, Value>, Fault> {
    let url = document.endpoints.keys.as_ref().ok_or(Fault::Token("the provider has no keys"))?;
    let keys = documents.keys(url, provider.named_by, false).await?;
    match keys.set.open(token) {
        Ok(claims) => Ok(claims),
        // The provider may have others by now.
        Err(JwtError::Key(_)) => {
            let keys = documents.keys(url, provider.named_by, true).await?;
            keys.set.open(token).map_err(|_says_too_much| Fault::Token("no key of the provider signed it"))
        }
        Err(_says_too_much) => Err(Fault::Token("it is none")),
    }
}

fn check(claims: &Map<String, Value>, document: &Document, provider: &Provider, now: Timestamp) -> Result<(), Fault> {
    let text = |name: &str| claims.get(name).and_then(Value::as_str);
    let seconds = |name: &str| claims.get(name).and_then(Value::as_i64);
    if !text("iss").is_some_and(|issuer| document.issued(issuer, text("tid"))) {
        return Err(Fault::Token("another issuer made it"));
    }
    let audiences: Vec<&str> = match claims.get("aud") {
        Some(Value::String(audience)) => vec![audience],
        Some(Value::Array(list)) => list.iter().filter_map(Value::as_str).collect(),
        _ => Vec::new(),
    };
    if !audiences.iter().any(|audience| provider.takes_audience(audience)) {
        return Err(Fault::Token(ANOTHER_AUDIENCE));
    }
    // One for several must say to which of them it was given.
    if audiences.len() > 1 && !text("azp").is_some_and(|party| provider.takes_audience(party)) {
        return Err(Fault::Token("it was given to another application"));
    }
    let now = now.as_second();
    if seconds("exp").is_none_or(|expires| expires.saturating_add(SKEW_SECONDS) <= now) {
        return Err(Fault::Token("it is over"));
    }
    if seconds("iat").is_none_or(|issued| issued.saturating_sub(SKEW_SECONDS) > now)
        || seconds("nbf").is_some_and(|begins| begins.saturating_sub(SKEW_SECONDS) > now)
    {
        return Err(Fault::Token("it is of the future"));
    }
    text("sub").filter(|subject| !subject.is_empty()).map(|_| ()).ok_or(Fault::Token("it names nobody"))
}

fn check_nonce(claims: &Map<String, Value>, nonce: Nonce<'_>) -> Result<(), Fault> {
    let said = claims.get("nonce").and_then(Value::as_str).filter(|nonce| !nonce.is_empty());
    let expected = match nonce {
        Nonce::Exactly(nonce) => Some(nonce.to_owned()),
        Nonce::HashOf(nonce) => nonce.map(crate::one_time::secrets::token_hash),
    };
    match (said, expected) {
        (None, None) => Ok(()),
        (Some(said), Some(expected)) if bool::from(said.as_bytes().ct_eq(expected.as_bytes())) => Ok(()),
        (Some(_), Some(_)) => Err(Fault::Token(ANOTHER_NONCE)),
        _ => Err(Fault::Token(NONCE_OF_ONE)),
    }
}
