//! Who asks where the database knows none of our users: the role that a token of somebody else's names.
//!
//! Invariant: a request without a token has the role for those, or is refused; one whose token does not hold is refused. Nothing but a
//! verified token names a role, and whether the server's login may become it is PostgreSQL's to say.

mod claims;
mod error;
mod keys;
mod role_path;

use std::sync::Arc;
use std::time::{Duration, Instant};

use aws_lc_rs::digest;
use axum::extract::{Request, State};
use axum::middleware::Next;
use axum::response::Response;
use http::HeaderMap;
use http::header::AUTHORIZATION;
use kernel::{Authority, Clock, Principal, Subject};
use moka::future::Cache;
use serde_json::{Map, Value};

pub use error::JwtError;
pub use keys::{KeySet, SecretError};
pub use role_path::{PathError, RolePath};

/// What a gate is made of.
pub struct GateOptions {
    /// The right to vouch for callers.
    pub authority: Arc<Authority>,
    /// What tells the time.
    pub clock: Arc<dyn Clock>,
    /// What signatures are checked with; without it every token is refused.
    pub keys: Option<KeySet>,
    /// Whom tokens must be for, where they say it.
    pub audience: Option<String>,
    /// Where in a token the role is.
    pub role_path: RolePath,
    /// The role of those without a token; without it they are refused.
    pub anonymous_role: Option<String>,
    /// How many verified tokens are remembered.
    pub remembered_max: u64,
}

/// Tells who asks. Cheap to clone.
#[derive(Clone)]
pub struct Gate(Arc<Inner>);

struct Inner {
    options: GateOptions,
    /// Claims of tokens whose signature was good. Whether they hold is looked at each time.
    remembered: Cache<[u8; 32], Arc<Map<String, Value>>>,
}

/// How long it took to find out who asks; stands in the answer's extensions.
#[derive(Clone, Copy, Debug)]
pub struct Took(pub Duration);

/// The middleware that lets a request through with its [`Principal`] in the extensions, or answers the refusal.
pub async fn layer(State(gate): State<Gate>, mut request: Request, next: Next) -> Response {
    let started = Instant::now();
    let mut response = match gate.authenticate(request.headers()).await {
        Ok(principal) => {
            let took = Took(started.elapsed());
            request.extensions_mut().insert(principal);
            let mut response = next.run(request).await;
            response.extensions_mut().insert(took);
            return response;
        }
        Err(refusal) => refusal.to_response(),
    };
    response.extensions_mut().insert(Took(started.elapsed()));
    response
}

impl Gate {
    /// Makes it.
    pub fn new(options: GateOptions) -> Self {
        metrics::describe_counter!("pgrst_jwt_cache_requests_total", "Tokens that were looked for among the remembered ones.");
        metrics::describe_counter!("pgrst_jwt_cache_hits_total", "Tokens that were found there.");
        metrics::describe_counter!("pgrst_jwt_cache_evictions_total", "Tokens that were forgotten for others.");
        let remembered = Cache::builder().max_capacity(options.remembered_max).eviction_listener(|_, _, cause| {
            if cause.was_evicted() {
                metrics::counter!("pgrst_jwt_cache_evictions_total").increment(1);
            }
        });
        Self(Arc::new(Inner { options, remembered: remembered.build() }))
    }

    /// Returns who asks.
    pub async fn authenticate(&self, headers: &HeaderMap) -> Result<Principal, JwtError> {
        let GateOptions { authority, audience, role_path, anonymous_role, clock, .. } = &self.0.options;
        let anonymous = anonymous_role.as_deref();
        let Some(token) = bearer(headers) else {
            let role = anonymous.ok_or(JwtError::TokenRequired)?;
            return Ok(principal(authority, role, Map::new(), anonymous));
        };
        let said = self.verified(&token).await?;
        claims::check(&said, audience.as_deref(), clock.now().as_second())?;
        let said = Value::Object((*said).clone());
        let role = role_path.find(&said).or_else(|| anonymous.map(str::to_owned)).ok_or(JwtError::TokenRequired)?;
        let Value::Object(said) = said else { return Err(JwtError::Claims) };
        Ok(principal(authority, &role, said, anonymous))
    }

    /// Returns what a token says whose signature is good.
    async fn verified(&self, token: &str) -> Result<Arc<Map<String, Value>>, JwtError> {
        let keys = self.0.options.keys.as_ref().ok_or(JwtError::SecretMissing)?;
        if self.0.options.remembered_max == 0 {
            return Ok(Arc::new(keys.open(token)?));
        }
        let fingerprint = fingerprint(token);
        metrics::counter!("pgrst_jwt_cache_requests_total").increment(1);
        if let Some(said) = self.0.remembered.get(&fingerprint).await {
            metrics::counter!("pgrst_jwt_cache_hits_total").increment(1);
            return Ok(said);
        }
        let said = Arc::new(keys.open(token)?);
        self.0.remembered.insert(fingerprint, Arc::clone(&said)).await;
        Ok(said)
    }
}

impl std::fmt::Debug for Gate {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Gate").field("anonymous_role", &self.0.options.anonymous_role).finish_non_exhaustive()
    }
}

/// Vouches for a role. SQL sees the claims with the role in its usual place, wherever the token had it.
fn principal(authority: &Authority, role: &str, mut said: Map<String, Value>, anonymous: Option<&str>) -> Principal {
    said.insert("role".to_owned(), Value::String(role.to_owned()));
    let subject = Subject::Role { name: role.into(), is_anonymous: anonymous == Some(role) };
    Principal::vouch(authority, subject, Value::Object(said).to_string())
}

/// Returns the token behind `Bearer`. Another scheme is nothing of ours: whoever stands before us may have asked for it.
fn bearer(headers: &HeaderMap) -> Option<String> {
    let value = String::from_utf8_lossy(headers.get(AUTHORIZATION)?.as_bytes()).into_owned();
    let (scheme, token) = value.split_once(char::is_whitespace).unwrap_or((&value, ""));
    scheme.eq_ignore_ascii_case("bearer").then(|| token.trim_start().to_owned())
}

/// Returns by what a token is remembered: never the token itself.
fn fingerprint(token: &str) -> [u8; 32] {
    let mut fingerprint = [0; 32];
    fingerprint.copy_from_slice(digest::digest(&digest::SHA256, token.as_bytes()).as_ref());
    fingerprint
}

#[cfg(test)]
mod tests;
