//! Why a token of somebody else's is refused, in the dialect's words.
//!
//! Invariant: no variant carries anything of the token, so an answer or a log line cannot leak one.

use std::fmt;

use axum::response::{IntoResponse, Response};
use http::header::WWW_AUTHENTICATE;
use http::{HeaderName, HeaderValue};
use kernel::{Error, Kind};

const PROXY_STATUS: HeaderName = HeaderName::from_static("proxy-status");

/// Why a token, or the lack of one, is refused.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum JwtError {
    /// There is nothing to check signatures with.
    SecretMissing,
    /// `Bearer` without a token.
    Empty,
    /// Not three parts with dots between them.
    Parts(usize),
    /// A key that fits the header is not there, or none that fits made the signature: which.
    Key(&'static str),
    /// Not signed at all.
    Unsigned,
    /// What should be base64 is not.
    Crypto,
    /// A header that cannot be understood.
    Header,
    /// No token, and no role for those without.
    TokenRequired,
    /// The second part is no object, or repeats a name.
    Claims,
    /// A claim that must be a number: which.
    NotNumber(&'static str),
    /// `aud` is neither a text nor a list of texts.
    AudienceKind,
    /// Past its end.
    Expired,
    /// Not valid yet.
    NotYetValid,
    /// Made in the future.
    IssuedInFuture,
    /// Made for somebody else.
    Audience,
}

impl JwtError {
    /// No key could be tried.
    pub(crate) const NO_KEY: Self = Self::Key("No suitable key was found to decode the JWT");
    /// Those that were tried did not make the signature.
    pub(super) const WRONG_KEY: Self = Self::Key("None of the keys was able to decode the JWT");

    fn code(self) -> &'static str {
        match self {
            Self::SecretMissing => "PGRST300",
            Self::Empty | Self::Parts(_) | Self::Key(_) | Self::Unsigned | Self::Crypto | Self::Header => "PGRST301",
            Self::TokenRequired => "PGRST302",
            _ => "PGRST303",
        }
    }

    fn details(self) -> Option<&'static str> {
        match self {
            Self::Key(why) => Some(why),
            Self::Unsigned => Some("JWT is unsecured but expected 'alg' was not 'none'"),
            _ => None,
        }
    }

    /// Returns the error as the dialect tells it.
    pub fn to_error(self) -> Error {
        let kind = if self == Self::SecretMissing { Kind::Internal } else { Kind::Unauthenticated };
        let error = Error::new(kind, self.code(), self.to_string());
        match self.details() {
            Some(details) => error.with_details(details),
            None => error,
        }
    }

    /// Returns how the client is asked for another token.
    pub fn challenge(self) -> Option<String> {
        match self {
            Self::SecretMissing => None,
            Self::TokenRequired => Some("Bearer".to_owned()),
            // No message holds a quotation mark or a backslash.
            told => Some(format!("Bearer error=\"invalid_token\", error_description=\"{told}\"")),
        }
    }

    pub(super) fn to_response(self) -> Response {
        let mut response = self.to_error().into_response();
        let headers = response.headers_mut();
        if let Some(challenge) = self.challenge().and_then(|text| HeaderValue::try_from(text).ok()) {
            headers.insert(WWW_AUTHENTICATE, challenge);
        }
        if let Ok(status) = HeaderValue::try_from(format!("PostgREST; error={}", self.code())) {
            headers.insert(PROXY_STATUS, status);
        }
        response
    }
}

impl fmt::Display for JwtError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Parts(found) => return write!(f, "Expected 3 parts in JWT; got {found}"),
            Self::NotNumber(claim) => return write!(f, "The JWT '{claim}' claim must be a number"),
            Self::SecretMissing => "Server lacks JWT secret",
            Self::Empty => "Empty JWT is sent in Authorization header",
            Self::Key(_) => "No suitable key or wrong key type",
            Self::Unsigned => "Wrong or unsupported encoding algorithm",
            Self::Crypto => "JWT cryptographic operation failed",
            Self::Header => "JWT couldn't be decoded",
            Self::TokenRequired => "Anonymous access is disabled",
            Self::Claims => "Parsing claims failed",
            Self::AudienceKind => "The JWT 'aud' claim must be a string or an array of strings",
            Self::Expired => "JWT expired",
            Self::NotYetValid => "JWT not yet valid",
            Self::IssuedInFuture => "JWT issued at future",
            Self::Audience => "JWT not in audience",
        })
    }
}

impl std::error::Error for JwtError {}
