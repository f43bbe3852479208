//! What comes in, parsed once: bodies, e-mail addresses, metadata, and the caller of a route.
//!
//! Invariant: a message about bad input never repeats the input, which may be a password.

use std::marker::PhantomData;
use std::net::IpAddr;

use axum::body::Bytes;
use axum::extract::{FromRequest, FromRequestParts, OptionalFromRequest, OptionalFromRequestParts, Query, Request};
use http::StatusCode;
use http::header::{AUTHORIZATION, USER_AGENT};
use http::request::Parts;
use kernel::{
    AssuranceLevel, Capability, ClientAddress, Error, Grant, Kind, Pass, Principal, Result, ServiceOnly, SessionId, Subject, UserId,
};
use serde::de::{DeserializeOwned, Error as _};
use serde::{Deserialize, Deserializer};
use serde_json::{Map, Value};

use crate::errors::{bad_request, session_not_found};
use crate::sessions::{self, is_held};
use crate::tokens::TokenError;
use crate::{Auth, Refusal, support};

const EMAIL_BYTES_MAX: usize = 254;
const LOCAL_BYTES_MAX: usize = 64;
const USER_AGENT_CHARACTERS_MAX: usize = 1000;
const BAD_QUERY: &str = "The query of the address cannot be understood";

/// A JSON body.
pub(crate) struct Body<T>(pub(crate) T);

impl<S: Send + Sync, T: DeserializeOwned> FromRequest<S> for Body<T> {
    type Rejection = Error;

    async fn from_request(request: Request, state: &S) -> Result<Self> {
        Self::parse(&read(request, state).await?)
    }
}

impl<S: Send + Sync, T: DeserializeOwned> OptionalFromRequest<S> for Body<T> {
    type Rejection = Error;

    async fn from_request(request: Request, state: &S) -> Result<Option<Self>> {
        let bytes = read(request, state).await?;
        if bytes.is_empty() { Ok(None) } else { Self::parse(&bytes).map(Some) }
    }
}

/// A JSON body of which it is not known yet what it has to be.
pub(crate) struct Unread(Bytes);

impl<S: Send + Sync> FromRequest<S> for Unread {
    type Rejection = Error;

    async fn from_request(request: Request, state: &S) -> Result<Self> {
        read(request, state).await.map(Self)
    }
}

impl Unread {
    pub(crate) fn read<T: DeserializeOwned>(&self) -> Result<T> {
        Body::parse(&self.0).map(|Body(body)| body)
    }
}

impl<T: DeserializeOwned> Body<T> {
    fn parse(bytes: &[u8]) -> Result<Self> {
        serde_json::from_slice(bytes).map(Self).map_err(|error| {
            let message = format!("Could not parse request body as JSON: line {} column {}", error.line(), error.column());
            Error::new(Kind::BadRequest, "bad_json", message)
        })
    }
}

async fn read<S: Send + Sync>(request: Request, state: &S) -> Result<Bytes> {
    Bytes::from_request(request, state).await.map_err(|rejection| {
        if rejection.status() == StatusCode::PAYLOAD_TOO_LARGE {
            Error::new(Kind::TooLarge, "request_entity_too_large", "The request body is too large")
        } else {
            bad_request("bad_json", "The request body could not be read").with_source(rejection)
        }
    })
}

/// The members of a query.
pub(crate) struct Params<T>(pub(crate) T);

impl<S: Send + Sync, T: DeserializeOwned> FromRequestParts<S> for Params<T> {
    type Rejection = Error;

    async fn from_request_parts(parts: &mut Parts, _: &S) -> Result<Self> {
        let parsed = Query::try_from_uri(&parts.uri);
        parsed.map(|Query(params)| Self(params)).map_err(|error| bad_request("validation_failed", BAD_QUERY).with_source(error))
    }
}

/// Reads a number of a query; one that is there without a value was not chosen by anybody.
pub(crate) fn optional_number<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Option<i64>, D::Error> {
    let text = Option::<String>::deserialize(deserializer)?.filter(|text| !text.is_empty());
    text.map(|text| text.parse().map_err(|_quotes_the_input| D::Error::custom("not a number"))).transpose()
}

/// A signed-in user who asks for himself. That his session is live is checked by the statement that does the work.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Caller {
    pub(crate) user_id: UserId,
    /// Absent in tokens that another issuer made.
    pub(crate) session_id: Option<SessionId>,
    /// Whether his token is from after a second factor was proved. One from before stays what it was.
    pub(crate) is_assured: bool,
}

impl Caller {
    /// Returns the session, for what cannot be done without one.
    pub(crate) fn session(self) -> Result<SessionId> {
        self.session_id.ok_or_else(session_not_found)
    }
}

impl FromRequestParts<Auth> for Caller {
    type Rejection = Error;

    /// Refuses a program that acts for somebody: his account is his own.
    async fn from_request_parts(parts: &mut Parts, auth: &Auth) -> Result<Self> {
        Holding::from_request_parts(parts, auth).await?.person()
    }
}

/// A signed-in user, or a program of others that acts for him: for the few routes of an account that both reach.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Holding {
    caller: Caller,
    by_program: bool,
}

impl Holding {
    /// Returns who asks, whichever it is.
    pub(crate) fn anybody(self) -> Caller {
        self.caller
    }

    /// Returns the person, and refuses a program that acts for him.
    pub(crate) fn person(self) -> Result<Caller> {
        if self.by_program { Err(program_refused()) } else { Ok(self.caller) }
    }
}

impl FromRequestParts<Auth> for Holding {
    type Rejection = Error;

    async fn from_request_parts(parts: &mut Parts, auth: &Auth) -> Result<Self> {
        let principal = presented(parts, auth).await?;
        match *principal.subject() {
            Subject::User { user_id, session_id } => {
                let by_program = session_id.is_some_and(is_held);
                let company_id = auth.claimed_company(&parts.headers).await;
                auth.limits().signed_in(user_id, company_id, auth.now()).await?;
                let is_assured = principal.assurance() == AssuranceLevel::Two;
                Ok(Self { caller: Caller { user_id, session_id, is_assured }, by_program })
            }
            Subject::Anonymous | Subject::Service | Subject::Pass(_) | Subject::Role { .. } | Subject::System { .. } => {
                Err(Error::new(Kind::Forbidden, "bad_jwt", "invalid claim: missing sub claim"))
            }
        }
    }
}

/// Whoever is nobody in particular asks, too: with the public key, or with nothing.
impl OptionalFromRequestParts<Auth> for Caller {
    type Rejection = Error;

    async fn from_request_parts(parts: &mut Parts, auth: &Auth) -> Result<Option<Self>> {
        let principal = authenticate(parts, auth).await?;
        match *principal.subject() {
            Subject::User { user_id, session_id } => {
                let by_program = session_id.is_some_and(is_held);
                let is_assured = principal.assurance() == AssuranceLevel::Two;
                Holding { caller: Self { user_id, session_id, is_assured }, by_program }.person().map(Some)
            }
            Subject::Anonymous | Subject::Service | Subject::Pass(_) | Subject::Role { .. } | Subject::System { .. } => Ok(None),
        }
    }
}

/// The service key.
#[derive(Debug)]
pub(crate) struct Administrator(pub(crate) Grant);

impl FromRequestParts<Auth> for Administrator {
    type Rejection = Error;

    async fn from_request_parts(parts: &mut Parts, auth: &Auth) -> Result<Self> {
        let grant = presented(parts, auth).await?.require::<ServiceOnly>();
        grant.map(Self).map_err(|refused| Error::new(Kind::Forbidden, "not_admin", "User not allowed").with_source(refused))
    }
}

/// A member of the company that the request is for, or a pass of it, and no program that acts for him: what these routes make outlives
/// what it was allowed. That he holds what `C` demands, the transaction finds.
#[derive(Debug)]
pub(crate) struct Holder<C> {
    grant: Grant,
    capability: PhantomData<fn() -> C>,
}

impl<C> Holder<C> {
    pub(crate) fn grant(&self) -> &Grant {
        &self.grant
    }
}

impl<C: Capability> FromRequestParts<Auth> for Holder<C> {
    type Rejection = Error;

    async fn from_request_parts(parts: &mut Parts, auth: &Auth) -> Result<Self> {
        Ok(Self { grant: principal(parts, auth).await?.require::<C>()?, capability: PhantomData })
    }
}

/// Whoever shows something, whatever it is.
#[derive(Debug)]
pub(crate) struct Shown {
    pub(crate) principal: Principal,
}

impl Shown {
    /// Returns the pass, if it is one.
    pub(crate) fn pass(&self) -> Option<&Pass> {
        match self.principal.subject() {
            Subject::Pass(pass) => Some(pass),
            _ => None,
        }
    }
}

impl FromRequestParts<Auth> for Shown {
    type Rejection = Error;

    async fn from_request_parts(parts: &mut Parts, auth: &Auth) -> Result<Self> {
        Ok(Self { principal: principal(parts, auth).await? })
    }
}

/// Returns the address that a request came from.
pub(crate) fn address(parts: &Parts) -> Option<IpAddr> {
    parts.extensions.get::<ClientAddress>().map(|ClientAddress(address)| address.to_canonical())
}

/// Authenticates whoever asks, for every extractor of a caller: here support is refused what is not its to do, whatever a route takes.
async fn authenticate(parts: &Parts, auth: &Auth) -> Result<Principal> {
    let principal = auth.authenticate(parts).await.map_err(Refusal::for_auth_api)?;
    if let Subject::User { user_id, .. } = *principal.subject() {
        sessions::note(parts, user_id);
    }
    support::check(&principal, parts)?;
    Ok(principal)
}

/// Authenticates the caller of a route that needs one, whoever he is. The public key is somebody, though nobody in particular.
async fn presented(parts: &Parts, auth: &Auth) -> Result<Principal> {
    let principal = authenticate(parts, auth).await?;
    let presented = parts.headers.contains_key(AUTHORIZATION) || parts.headers.contains_key("apikey");
    if presented { Ok(principal) } else { Err(TokenError::Missing.for_auth_api()) }
}

/// The same, and no program that acts for somebody: a route is for those alone unless it says otherwise.
async fn principal(parts: &Parts, auth: &Auth) -> Result<Principal> {
    let principal = presented(parts, auth).await?;
    match *principal.subject() {
        Subject::User { session_id: Some(session_id), .. } if is_held(session_id) => Err(program_refused()),
        _ => Ok(principal),
    }
}

fn program_refused() -> Error {
    let message = "A program that acts for somebody does not reach his account";
    Error::new(Kind::Forbidden, "oauth_client_not_allowed", message)
}

/// Where a sign-in comes from, as the session remembers it.
#[derive(Clone, Default, Debug)]
pub(crate) struct Device {
    pub(crate) user_agent: Option<String>,
    pub(crate) address: Option<String>,
}

impl<S: Send + Sync> FromRequestParts<S> for Device {
    type Rejection = Error;

    async fn from_request_parts(parts: &mut Parts, _: &S) -> Result<Self> {
        let user_agent = parts.headers.get(USER_AGENT).and_then(|value| value.to_str().ok());
        let address = parts.extensions.get::<ClientAddress>();
        Ok(Self {
            user_agent: user_agent.map(|text| text.chars().take(USER_AGENT_CHARACTERS_MAX).collect()),
            address: address.map(|ClientAddress(address)| address.to_string()),
        })
    }
}

impl Device {
    /// Returns the network by which this device is counted: its address, of IPv6 the first half of it.
    pub(crate) fn network(&self) -> Option<String> {
        self.address.as_deref().and_then(|address| address.parse().ok()).map(limits::network)
    }
}

/// An e-mail address in the form in which it is compared.
#[derive(Clone, PartialEq, Eq)]
pub(crate) struct Email(String);

impl Email {
    /// Reads an address.
    pub(crate) fn parse(text: &str) -> Result<Self> {
        let address = text.trim().to_ascii_lowercase();
        let valid = address.len() <= EMAIL_BYTES_MAX
            && address.split_once('@').is_some_and(|(local, domain)| is_local_part(local) && is_domain(domain));
        if valid { Ok(Self(address)) } else { Err(bad_request("validation_failed", "Unable to validate email address: invalid format")) }
    }

    pub(crate) fn as_str(&self) -> &str {
        &self.0
    }
}

/// A telephone number as E.164 without its plus, as clients of this API read it.
#[derive(Clone, PartialEq, Eq)]
pub(crate) struct Phone(String);

impl Phone {
    /// Reads a number.
    pub(crate) fn parse(text: &str) -> Result<Self> {
        let number: String = text.trim().trim_start_matches('+').chars().filter(|c| *c != ' ').collect();
        let valid = (3..=15).contains(&number.len()) && !number.starts_with('0') && number.bytes().all(|byte| byte.is_ascii_digit());
        if valid { Ok(Self(number)) } else { Err(bad_request("validation_failed", "Invalid phone number format (E.164 required)")) }
    }

    pub(crate) fn as_str(&self) -> &str {
        &self.0
    }
}

fn is_local_part(local: &str) -> bool {
    let allowed = |byte: u8| byte.is_ascii_alphanumeric() || b".!#$%&'*+/=?^_`{|}~-".contains(&byte);
    (1..=LOCAL_BYTES_MAX).contains(&local.len()) && local.bytes().all(allowed)
}

fn is_domain(domain: &str) -> bool {
    let is_label = |label: &str| {
        (1..=63).contains(&label.len())
            && label.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'-')
            && !label.starts_with('-')
            && !label.ends_with('-')
    };
    domain.split('.').all(is_label)
}

/// Checks metadata that a client sent: what PostgreSQL cannot hold is refused here, with a clear error.
pub(crate) fn check_metadata(metadata: &Map<String, Value>, bytes_max: u32) -> Result<()> {
    let text = serde_json::to_string(metadata).map_err(Error::internal)?;
    if text.len() > usize::try_from(bytes_max).unwrap_or(usize::MAX) {
        return Err(metadata_too_large(bytes_max));
    }
    if metadata.iter().any(|(name, value)| name.contains('\0') || holds_zero(value)) {
        return Err(bad_request("validation_failed", "The character U+0000 cannot be stored"));
    }
    Ok(())
}

/// Returns the error for metadata that would not fit into a token.
pub(crate) fn metadata_too_large(bytes_max: u32) -> Error {
    Error::new(Kind::Unprocessable, "validation_failed", format!("The metadata cannot be larger than {bytes_max} bytes"))
}

fn holds_zero(value: &Value) -> bool {
    match value {
        Value::String(text) => text.contains('\0'),
        Value::Array(list) => list.iter().any(holds_zero),
        Value::Object(object) => object.iter().any(|(name, value)| name.contains('\0') || holds_zero(value)),
        Value::Null | Value::Bool(_) | Value::Number(_) => false,
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn addresses_are_compared_in_one_form() {
        assert_eq!(Email::parse("  Ann.Lee+x@Example.COM ").unwrap().as_str(), "ann.lee+x@example.com");
        assert!(Email::parse("a@localhost").is_ok());
    }

    #[test]
    fn what_is_no_address_is_refused() {
        let long = format!("{}@example.com", "a".repeat(65));
        for wrong in ["", "@", "a@", "@b", "a b@c.de", "a@b@c.de", "a@-b.de", "a@b..de", "a@b.de\0", "ä@b.de", "a@b.de\r\nBcc: x", &long] {
            let error = Email::parse(wrong).err().unwrap_or_else(|| panic!("{wrong:?} was taken"));
            assert_eq!((error.status().as_u16(), error.code()), (400, "validation_failed"));
        }
    }

    #[test]
    fn numbers_have_a_country_and_digits() {
        assert_eq!(Phone::parse(" +1 555 0100 ").unwrap().as_str(), "15550100");
        assert_eq!(Phone::parse("15550100").unwrap().as_str(), "15550100");
        for wrong in ["", "+", "+0155501", "12", "+1555x", "+1234567890123456", "1;2345"] {
            let error = Phone::parse(wrong).err().unwrap_or_else(|| panic!("{wrong:?} was taken"));
            assert_eq!(error.message(), "Invalid phone number format (E.164 required)");
        }
    }

    #[test]
    fn metadata_must_be_storable_and_small() {
        let check = |value: Value| check_metadata(value.as_object().unwrap(), 100);
        assert!(check(json!({ "name": "Ann", "nested": [{ "a": null }] })).is_ok());
        assert_eq!(check(json!({ "name": "x".repeat(100) })).unwrap_err().status(), 422);
        assert_eq!(check(json!({ "a": [{ "b": "\u{0}" }] })).unwrap_err().status(), 400);
        assert_eq!(check(json!({ "a\u{0}": 1 })).unwrap_err().status(), 400);
    }
}
