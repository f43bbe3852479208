//! Who a socket or one of its channels speaks for.
//!
//! Invariant: whoever is vouched for was vouched for by the auth layer, from the token that he showed; what he may do is asked elsewhere,
//! each time anew or until something changes.

use std::hash::{BuildHasher, RandomState};
use std::net::{IpAddr, Ipv6Addr};
use std::sync::{Arc, LazyLock};

use auth::{Auth, Refusal};
use http::header::AUTHORIZATION;
use http::request::Parts;
use http::{HeaderMap, HeaderValue};
use kernel::{ClientAddress, CompanyId, Error, Kind, Principal, RequestContext, Result, Subject};
use serde::Deserialize;
use uuid::Uuid;

const API_KEY: &str = "apikey";
const COMPANY: &str = "x-company-id";
/// How opaque keys begin, which are no tokens of anybody.
const OPAQUE_PREFIX: &str = "sb_";

/// Tokens are compared by this, and kept nowhere.
static FINGERPRINTS: LazyLock<RandomState> = LazyLock::new(RandomState::new);

/// What a connection showed when it came.
#[derive(Clone, Debug)]
pub(crate) struct Entrance {
    key: Option<HeaderValue>,
    company: Option<HeaderValue>,
    address: Option<ClientAddress>,
    context: RequestContext,
}

/// Somebody.
#[derive(Debug)]
pub(crate) struct Caller {
    pub(crate) principal: Principal,
    pub(crate) context: RequestContext,
    /// When his token is over, in seconds; never where it does not say.
    pub(crate) expires: Option<i64>,
    /// Whom his messages are counted for.
    pub(crate) tenant: Tenant,
    fingerprint: u64,
}

/// Whom messages and sockets are counted for.
#[derive(Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Debug)]
pub(crate) enum Tenant {
    /// A company.
    Company(CompanyId),
    /// Whoever works in none, by where he comes from.
    Network(Option<IpAddr>),
    /// The operator's own programs.
    Service,
}

/// What can be asked for in the address, since browsers add no headers to a socket.
#[derive(Debug, Default, Deserialize)]
pub(crate) struct Shown {
    pub(crate) apikey: Option<String>,
    pub(crate) vsn: Option<String>,
    pub(crate) company: Option<String>,
}

impl Entrance {
    /// Looks at what a request shows. Nothing where it shows no key.
    pub(crate) fn of(parts: &Parts, shown: &Shown) -> Result<Self> {
        let said =
            |text: &Option<String>| text.as_deref().filter(|text| !text.is_empty()).and_then(|text| HeaderValue::from_str(text).ok());
        let headers = &parts.headers;
        let bearer = headers.get(AUTHORIZATION).and_then(|value| value.to_str().ok()).and_then(|text| text.split_once(' '));
        let bearer = bearer.and_then(|(_, token)| HeaderValue::from_str(token.trim()).ok());
        let key = said(&shown.apikey).or_else(|| headers.get(API_KEY).cloned()).or_else(|| headers.get("x-api-key").cloned()).or(bearer);
        if key.is_none() {
            return Err(Error::new(Kind::Unauthenticated, "realtime_key_missing", "An API key is needed, as apikey"));
        }
        let company = said(&shown.company).or_else(|| headers.get(COMPANY).cloned());
        let address = parts.extensions.get::<ClientAddress>().copied();
        let context = parts.extensions.get::<RequestContext>().cloned().unwrap_or_default();
        Ok(Self { key, company, address, context })
    }

    /// Returns whom a token stands for; the key that came with the connection where there is none.
    pub(crate) async fn caller(&self, auth: &Auth, token: Option<&str>) -> Result<Arc<Caller>, Refusal> {
        let token = token.filter(|token| !is_key(token));
        let mut headers = HeaderMap::new();
        if let Some(key) = &self.key {
            headers.insert(API_KEY, key.clone());
        }
        if let Some(company) = &self.company {
            headers.insert(COMPANY, company.clone());
        }
        if let Some(token) = token {
            let bearer = HeaderValue::from_str(&format!("Bearer {token}"));
            headers.insert(AUTHORIZATION, bearer.unwrap_or_else(|_unprintable| HeaderValue::from_static("Bearer -")));
        }
        let (mut parts, ()) = http::Request::new(()).into_parts();
        parts.headers = headers;
        if let Some(address) = self.address {
            parts.extensions.insert(address);
        }
        let principal = auth.authenticate(&parts).await?;
        let shown = token.or_else(|| self.key.as_ref().and_then(|key| key.to_str().ok())).unwrap_or_default();
        Ok(Arc::new(Caller {
            expires: expiry(principal.claims()),
            tenant: self.tenant(&principal),
            principal,
            context: self.context.clone(),
            fingerprint: fingerprint(shown),
        }))
    }

    fn tenant(&self, principal: &Principal) -> Tenant {
        let company = match principal.subject() {
            Subject::Service | Subject::System { .. } => return Tenant::Service,
            Subject::Pass(pass) => Some(pass.company_id),
            // A header moves nobody's counters but those of whoever is in the company that he names.
            Subject::User { .. } | Subject::Anonymous | Subject::Role { .. } => principal.claimed_company(),
        };
        company.map_or_else(|| Tenant::Network(self.address.map(|ClientAddress(address)| network(address))), Tenant::Company)
    }
}

impl Caller {
    /// Tells whether a token says nothing new.
    pub(crate) fn showed(&self, token: &str) -> bool {
        self.fingerprint == fingerprint(token)
    }

    /// Returns what tells callers apart by all that policies may ask of them.
    pub(crate) fn key(&self) -> String {
        let principal = &self.principal;
        let pass = match principal.subject() {
            Subject::Pass(pass) => format!("{} {} {}", pass.company_id, pass.id, pass.digest),
            _ => String::new(),
        };
        let company = principal.requested_company().map(|company| company.to_string()).unwrap_or_default();
        format!("{}|{pass}|{company}|{}", principal.database_role(), principal.claims())
    }

    /// Tells whether something that changed may be about him.
    pub(crate) fn is_touched_by(&self, touched: &Touched) -> bool {
        let principal = &self.principal;
        match touched {
            Touched::Everybody => !matches!(principal.subject(), Subject::Anonymous | Subject::Service | Subject::System { .. }),
            Touched::User(id) => principal.user_id().is_some_and(|user| user.0 == *id),
            Touched::Session(id) => principal.session_id().is_some_and(|session| session.0 == *id),
            Touched::Pass(id) => matches!(principal.subject(), Subject::Pass(pass) if pass.id == *id),
            Touched::Passes(id) => matches!(principal.subject(), Subject::Pass(pass) if pass.company_id.0 == *id),
            Touched::Company(id) => match principal.subject() {
                Subject::User { .. } => {
                    principal.requested_company().or(principal.claimed_company()).is_none_or(|company| company.0 == *id)
                }
                Subject::Pass(pass) => pass.company_id.0 == *id,
                Subject::Anonymous | Subject::Service | Subject::System { .. } | Subject::Role { .. } => false,
            },
        }
    }
}

/// Of whom it has to be asked anew what he may.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Touched {
    User(Uuid),
    Session(Uuid),
    Pass(Uuid),
    /// All passes of a company.
    Passes(Uuid),
    Company(Uuid),
    Everybody,
}

impl Touched {
    /// What touches one caller.
    pub(crate) fn of(caller: &Caller) -> Self {
        match caller.principal.subject() {
            Subject::Pass(pass) => Self::Pass(pass.id),
            _ => caller.principal.user_id().map_or(Self::Everybody, |user| Self::User(user.0)),
        }
    }
}

/// Tells whether a text is a key and no token.
pub(crate) fn is_key(token: &str) -> bool {
    token.starts_with(OPAQUE_PREFIX)
}

/// Of IPv6 whoever has one address has 64 bits of them.
fn network(address: IpAddr) -> IpAddr {
    match address.to_canonical() {
        IpAddr::V6(address) => Ipv6Addr::from_bits(address.to_bits() & !u128::from(u64::MAX)).into(),
        address @ IpAddr::V4(_) => address,
    }
}

fn fingerprint(token: &str) -> u64 {
    FINGERPRINTS.hash_one(token)
}

fn expiry(claims: &str) -> Option<i64> {
    #[derive(Deserialize)]
    struct Claims {
        exp: Option<f64>,
    }
    let said: Claims = serde_json::from_str(claims).ok()?;
    let seconds = format!("{:.0}", said.exp?.floor());
    seconds.parse().ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_token_says_when_it_ends() {
        assert_eq!(expiry(r#"{"exp":1790000000,"sub":"x"}"#), Some(1_790_000_000));
        assert_eq!((expiry("{}"), expiry(r#"{"exp":"soon"}"#)), (None, None));
    }

    #[test]
    fn a_socket_without_a_key_is_refused() {
        let (parts, ()) = http::Request::new(()).into_parts();
        let refused = Entrance::of(&parts, &Shown::default()).unwrap_err();
        assert_eq!((refused.status().as_u16(), refused.code()), (401, "realtime_key_missing"));
        assert!(Entrance::of(&parts, &Shown { apikey: Some("sb_publishable_x".to_owned()), ..Shown::default() }).is_ok());
    }
}
