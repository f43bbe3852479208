//! Why a token is refused, in the words that each part of the product uses for it.
//!
//! Invariant: no variant carries anything of the token, so an answer or a log line cannot leak one.

use std::fmt;

use kernel::{Error, Kind};

/// Why a token, or the lack of one, is refused.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum TokenError {
    /// The header `Authorization` is there without a token.
    Empty,
    /// The header `Authorization` does not say `Bearer`, or stands there twice.
    Scheme,
    /// Larger than the limit.
    TooLarge,
    /// Not three parts with dots between them.
    Parts(usize),
    /// The first part is not a header that can be understood.
    Header,
    /// An algorithm that is not accepted, or not with this key.
    Algorithm,
    /// No key of ours has this id, or the opaque key is unknown.
    UnknownKey,
    /// The signature does not fit.
    Signature,
    /// The second part is no object of claims, or repeats a name.
    Claims,
    /// A claim has the wrong type: which one.
    ClaimType(&'static str),
    /// Past its end.
    Expired,
    /// Not valid yet.
    NotYetValid,
    /// Made in the future.
    IssuedInFuture,
    /// Made for somebody else.
    Audience,
    /// Signed by us, but not for this address.
    Issuer,
    /// The claim `role` is missing or names none of ours.
    Role,
    /// A user's token without a user or a session.
    Subject,
    /// No API key, or one that is a user's token.
    ApiKey,
    /// No token where one is needed.
    Missing,
}

impl TokenError {
    /// Returns the code on the data API: 301 for what cannot be verified, 302 for nothing there, 303 for claims that do not hold.
    pub fn data_api_code(self) -> &'static str {
        match self {
            Self::Empty
            | Self::Scheme
            | Self::TooLarge
            | Self::Parts(_)
            | Self::Header
            | Self::Algorithm
            | Self::UnknownKey
            | Self::Signature => "PGRST301",
            Self::ApiKey | Self::Missing => "PGRST302",
            Self::Claims
            | Self::ClaimType(_)
            | Self::Expired
            | Self::NotYetValid
            | Self::IssuedInFuture
            | Self::Audience
            | Self::Issuer
            | Self::Role
            | Self::Subject => "PGRST303",
        }
    }

    /// Returns the value of the header `WWW-Authenticate`.
    pub fn www_authenticate(self) -> String {
        match self {
            Self::ApiKey | Self::Missing => "Bearer".to_owned(),
            // No message holds a quotation mark or a backslash.
            told => format!("Bearer error=\"invalid_token\", error_description=\"{told}\""),
        }
    }

    /// Returns the error as the data API tells it: 401.
    pub fn for_data_api(self) -> Error {
        Error::new(Kind::Unauthenticated, self.data_api_code(), self.to_string())
    }

    /// Returns the error as /auth/v1 tells it: 403 `bad_jwt`, or 401 `no_authorization` without a token.
    pub fn for_auth_api(self) -> Error {
        match self {
            Self::Missing | Self::Empty | Self::Scheme => {
                Error::new(Kind::Unauthenticated, "no_authorization", "This endpoint requires a valid Bearer token")
            }
            Self::ApiKey => Error::new(Kind::Unauthenticated, "no_authorization", "This endpoint requires a valid API key"),
            told => Error::new(Kind::Forbidden, "bad_jwt", format!("invalid JWT: unable to parse or verify signature, {told}")),
        }
    }

    /// Returns the word that counts this error in the metrics.
    pub fn label(self) -> &'static str {
        match self {
            Self::Expired => "expired",
            Self::Missing | Self::ApiKey => "missing",
            Self::UnknownKey | Self::Signature | Self::Algorithm => "unverified",
            Self::Empty | Self::Scheme | Self::TooLarge | Self::Parts(_) | Self::Header => "malformed",
            Self::Claims
            | Self::ClaimType(_)
            | Self::NotYetValid
            | Self::IssuedInFuture
            | Self::Audience
            | Self::Issuer
            | Self::Role
            | Self::Subject => "claims",
        }
    }
}

impl fmt::Display for TokenError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let message = match self {
            Self::Parts(found) => return write!(f, "Expected 3 parts in JWT; got {found}"),
            Self::ClaimType(name) => return write!(f, "The JWT claim '{name}' has a wrong type"),
            Self::Empty => "Empty JWT is sent in Authorization header",
            Self::Scheme => "The Authorization header must hold one Bearer token",
            Self::TooLarge => "The JWT is too large",
            Self::Header => "The JWT header cannot be understood",
            Self::Algorithm => "Wrong or unsupported encoding algorithm",
            Self::UnknownKey => "No suitable key or wrong key type",
            Self::Signature => "JWT cryptographic operation failed",
            Self::Claims => "Parsing claims failed",
            Self::Expired => "JWT expired",
            Self::NotYetValid => "JWT not yet valid",
            Self::IssuedInFuture => "JWT issued at future",
            Self::Audience => "JWT not in audience",
            Self::Issuer => "JWT of another issuer",
            Self::Role => "The JWT role is none of anon, authenticated, service_role",
            Self::Subject => "The JWT names no user or no session",
            Self::ApiKey => "A valid API key is required",
            Self::Missing => "Anonymous access is disabled",
        };
        f.write_str(message)
    }
}

impl std::error::Error for TokenError {}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_data_api_names_the_code_and_the_header() {
        let error = TokenError::Expired.for_data_api();
        assert_eq!((error.status().as_u16(), error.code(), error.message()), (401, "PGRST303", "JWT expired"));
        assert_eq!(TokenError::Expired.www_authenticate(), r#"Bearer error="invalid_token", error_description="JWT expired""#);
        assert_eq!(TokenError::Signature.for_data_api().code(), "PGRST301");
        assert_eq!(TokenError::Missing.for_data_api().code(), "PGRST302");
        assert_eq!(TokenError::Missing.www_authenticate(), "Bearer");
    }

    #[test]
    fn the_auth_api_says_bad_jwt() {
        let error = TokenError::Parts(1).for_auth_api();
        assert_eq!(error.status(), 403);
        assert_eq!(error.code(), "bad_jwt");
        assert_eq!(error.message(), "invalid JWT: unable to parse or verify signature, Expected 3 parts in JWT; got 1");
        assert_eq!(TokenError::Missing.for_auth_api().status(), 401);
    }
}
