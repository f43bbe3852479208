//! From a request's headers to a principal.
//!
//! Invariant: a request without credentials is anonymous, a request with bad ones is refused: never the one for the other.

use std::net::IpAddr;

use axum::extract::{Request, State};
use axum::middleware::Next;
use axum::response::{IntoResponse, Response};
use http::header::{AUTHORIZATION, WWW_AUTHENTICATE};
use http::request::Parts;
use http::{HeaderMap, HeaderValue};
use kernel::{AssuranceLevel, CompanyId, Error, Kind, PassKind, Principal, Subject};

use crate::input::address;
use crate::keys::KeyRole;
use crate::tokens::TokenError;
use crate::{Auth, passes};

const API_KEY: &str = "apikey";
const COMPANY: &str = "x-company-id";
/// How the opaque API keys begin.
const OPAQUE_PREFIX: &str = "sb_";

/// Why a request has no principal.
#[derive(Debug)]
pub enum Refusal {
    /// Its credentials are not good.
    Token(TokenError),
    /// It is not well formed otherwise.
    Request(Error),
}

impl Refusal {
    /// Returns the error as the data API tells it.
    pub fn for_data_api(self) -> Error {
        match self {
            Self::Token(refused) => refused.for_data_api(),
            Self::Request(error) => error,
        }
    }

    /// Returns the error as /auth/v1 tells it.
    pub fn for_auth_api(self) -> Error {
        match self {
            Self::Token(refused) => refused.for_auth_api(),
            Self::Request(error) => error,
        }
    }
}

impl From<TokenError> for Refusal {
    fn from(refused: TokenError) -> Self {
        metrics::counter!("auth_tokens_refused_total", "reason" => refused.label()).increment(1);
        Self::Token(refused)
    }
}

impl IntoResponse for Refusal {
    /// Answers in the form of the data API, with `WWW-Authenticate`.
    fn into_response(self) -> Response {
        let challenge = match &self {
            Self::Token(refused) => HeaderValue::try_from(refused.www_authenticate()).ok(),
            Self::Request(_) => None,
        };
        let mut response = self.for_data_api().into_response();
        if let Some(challenge) = challenge {
            response.headers_mut().insert(WWW_AUTHENTICATE, challenge);
        }
        response
    }
}

/// The middleware that lets a request through with its [`Principal`] in the extensions, or answers the refusal.
pub async fn layer(State(auth): State<Auth>, request: Request, next: Next) -> Response {
    let (mut parts, body) = request.into_parts();
    match auth.authenticate(&parts).await {
        Ok(principal) => {
            parts.extensions.insert(principal);
            next.run(Request::from_parts(parts, body)).await
        }
        Err(refusal) => refusal.into_response(),
    }
}

impl Auth {
    /// Returns who asks. `Authorization` counts before `apikey`; with neither the caller is anonymous, unless an API key is
    /// required.
    pub async fn authenticate(&self, parts: &Parts) -> Result<Principal, Refusal> {
        let company = requested_company(&parts.headers)?;
        let key = header(&parts.headers, API_KEY)?;
        let address = address(parts);
        let used = bearer(&parts.headers)?.or(key);
        if self.config().require_apikey {
            let presented = key.ok_or(TokenError::ApiKey)?;
            let holder = self.identify(presented, address).await?;
            if holder.user_id().is_some() {
                return Err(TokenError::ApiKey.into());
            }
            if used != Some(presented) {
                self.count(&holder).await?;
            }
        }
        let principal = match used {
            Some(credential) => self.identify(credential, address).await?,
            None => self.key_holder(KeyRole::Anon),
        };
        self.count(&principal).await?;
        let company = company.or(principal.requested_company());
        Ok(principal.in_company(company))
    }

    /// Returns whom a token, an opaque key or a pass stands for. Whether a pass is good, its row says.
    async fn identify(&self, credential: &str, address: Option<IpAddr>) -> Result<Principal, Refusal> {
        let keys = self.keys();
        if credential.starts_with(OPAQUE_PREFIX) {
            let role = keys.ring.opaque_role(credential).ok_or(TokenError::UnknownKey)?;
            return Ok(self.key_holder(role));
        }
        if passes::is_pass(credential) {
            let pass = passes::read(credential, address).ok_or(TokenError::UnknownKey)?;
            return Ok(Principal::vouch(self.authority(), Subject::Pass(pass), "{}"));
        }
        let verified = match self.verifier().verify(&keys, credential, self.now().as_second()).await {
            Ok(verified) => verified,
            Err(refused) => return Box::pin(self.identify_outside(credential, refused)).await,
        };
        let principal = Principal::vouch(self.authority(), verified.subject.clone(), verified.claims.clone());
        Ok(principal.with_assurance(verified.assurance).with_claimed_company(verified.company))
    }

    /// Returns the company that a caller's verified token names: good to count by, not to decide by.
    pub(crate) async fn claimed_company(&self, headers: &HeaderMap) -> Option<CompanyId> {
        let token = bearer(headers).ok()??;
        self.verifier().verify(&self.keys(), token, self.now().as_second()).await.ok()?.company
    }

    /// Counts a request of an API key, or refuses it.
    async fn count(&self, principal: &Principal) -> Result<(), Refusal> {
        match principal.subject() {
            Subject::Pass(pass) if pass.kind == PassKind::ApiKey => self.key_uses().take(self, pass).await.map_err(Refusal::Request),
            _ => Ok(()),
        }
    }

    fn key_holder(&self, role: KeyRole) -> Principal {
        let subject = match role {
            KeyRole::Anon => Subject::Anonymous,
            KeyRole::Service => Subject::Service,
        };
        Principal::vouch(self.authority(), subject, "{}").with_assurance(AssuranceLevel::One)
    }
}

/// Reads the token behind `Bearer`.
fn bearer(headers: &HeaderMap) -> Result<Option<&str>, TokenError> {
    let Some(value) = single(headers, AUTHORIZATION.as_str()).ok_or(TokenError::Scheme)? else { return Ok(None) };
    let value = value.to_str().ok().ok_or(TokenError::Scheme)?.trim();
    let (scheme, token) = value.split_once(' ').unwrap_or((value, ""));
    if !scheme.eq_ignore_ascii_case("bearer") {
        return Err(TokenError::Scheme);
    }
    match token.trim() {
        "" => Err(TokenError::Empty),
        token => Ok(Some(token)),
    }
}

fn header<'a>(headers: &'a HeaderMap, name: &str) -> Result<Option<&'a str>, TokenError> {
    let value = single(headers, name).ok_or(TokenError::ApiKey)?;
    let text = value.map(|value| value.to_str().ok().ok_or(TokenError::ApiKey)).transpose()?;
    Ok(text.map(str::trim).filter(|text| !text.is_empty()))
}

fn requested_company(headers: &HeaderMap) -> Result<Option<CompanyId>, Refusal> {
    let invalid = || Refusal::Request(Error::new(Kind::BadRequest, "invalid_company_id", "The header X-Company-Id must hold one UUID"));
    let Some(value) = single(headers, COMPANY).ok_or_else(invalid)? else { return Ok(None) };
    let parsed = value.to_str().ok().and_then(|text| text.trim().parse().ok());
    parsed.map(Some).ok_or_else(invalid)
}

/// Returns the only value of a header; nothing at all when it stands there more than once.
#[expect(clippy::option_option, reason = "absent and repeated are two different things")]
fn single<'a>(headers: &'a HeaderMap, name: &str) -> Option<Option<&'a HeaderValue>> {
    let mut values = headers.get_all(name).iter();
    let first = values.next();
    values.next().is_none().then_some(first)
}
