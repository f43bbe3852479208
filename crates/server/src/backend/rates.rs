//! Who is counted for a request of the data API and of batches, as what, and what becomes of whoever asks too often.
//!
//! Invariant: whom a verified token names is counted as himself and for the company that the token names, so that no header moves the
//! counters of another company; whoever has no good token is counted by the address that the edge made out, and so are guesses at passes.

use std::sync::Arc;

use auth::{Auth, Refusal};
use axum::extract::{Request, State};
use axum::middleware::Next;
use axum::response::{IntoResponse, Response};
use http::request::Parts;
use http::{Extensions, HeaderMap, HeaderValue, Method, StatusCode, header};
use kernel::{ClientAddress, CompanyId, PassKind, Principal, Subject};
use limits::{Asker, Class, Limiter, Meter, Whom, network};
use serde_json::json;

use crate::metrics::OfTier;

/// Where functions are, below the mount of the data API.
const FUNCTIONS: &str = "/rpc/";

/// What storage has below its mount that only reads, whatever its method.
const LISTS: &[&str] = &["/object/list/", "/object/list-v2/", "/object/sign/"];

/// What every request passes.
#[derive(Clone, Debug)]
pub(super) struct Gate {
    pub(super) auth: Auth,
    pub(super) limiter: Limiter,
}

/// The middleware that finds out who asks, counts him, and lets the request through with its principal, or answers why not.
pub(super) async fn layer(State(gate): State<Gate>, request: Request, next: Next) -> Response {
    let (mut parts, body) = request.into_parts();
    let principal = match gate.auth.authenticate(&parts).await {
        Ok(principal) => principal,
        Err(refusal) => return gate.turn_away(&parts, refusal).await,
    };
    let Some(asker) = asker(&principal, &parts) else {
        parts.extensions.insert(principal);
        return next.run(Request::from_parts(parts, body)).await;
    };
    // Whether a guest's pass is good, only its row says.
    let guest = match principal.subject() {
        Subject::Pass(pass) if pass.kind != PassKind::ApiKey => visitor(&parts.extensions),
        _ => None,
    };
    if let Some(guest) = &guest
        && let Some(refused) = gate.limiter.look(guest, Class::Public).await.error()
    {
        return refused.into_response();
    }
    let class = class(&principal, &parts);
    let (claimed, requested) = (asker.company, requested(&principal));
    let also = operation(&gate.limiter, &parts);
    let decision = match also {
        Some(operation) => gate.limiter.take(&asker, &[operation, class], 1).await,
        None => gate.limiter.take(&asker, &[class], 1).await,
    };
    let mut response = if let Some(refused) = decision.error() {
        refused.into_response()
    } else {
        if parts.method != Method::GET {
            parts.extensions.insert(Meter::new(gate.limiter.clone(), asker, class));
        }
        parts.extensions.insert(principal);
        next.run(Request::from_parts(parts, body)).await
    };
    // Which company he is in is certain once he was let in.
    if let Some(company) = requested.filter(|_| response.status().is_success()).or(claimed) {
        let tier = gate.limiter.tier_of(company, true).unwrap_or_else(|| Arc::from("unknown"));
        response.extensions_mut().insert(OfTier(tier));
    }
    decision.write(response.headers_mut());
    if let (Some(guest), StatusCode::UNAUTHORIZED) = (&guest, response.status()) {
        // That he is refused he learns next time.
        let _counted = gate.limiter.take(guest, &[Class::Public], 1).await;
    }
    response
}

/// The middleware of directories, which know tokens of their own: whoever shows one that is not good is counted by his address, and is
/// answered as directories are.
pub(super) async fn guesses(State(limiter): State<Limiter>, request: Request, next: Next) -> Response {
    let Some(visitor) = visitor(request.extensions()) else { return next.run(request).await };
    if let Some(refused) = limiter.look(&visitor, Class::Public).await.error() {
        let schema = "urn:ietf:params:scim:api:messages:2.0:Error";
        let said = json!({ "schemas": [schema], "status": "429", "detail": refused.message() });
        let mut response = (StatusCode::TOO_MANY_REQUESTS, said.to_string()).into_response();
        let headers = response.headers_mut();
        headers.insert(header::CONTENT_TYPE, HeaderValue::from_static("application/scim+json"));
        headers.insert(header::RETRY_AFTER, HeaderValue::from(refused.retry_after_seconds().unwrap_or(1)));
        return response;
    }
    let response = next.run(request).await;
    if response.status() == StatusCode::UNAUTHORIZED {
        // That he is refused he learns next time.
        let _counted = limiter.take(&visitor, &[Class::Public], 1).await;
    }
    response
}

/// The middleware of links to files and of public files: whoever asks is known by his address alone, and a page shows many.
pub(super) async fn visits(State(limiter): State<Limiter>, request: Request, next: Next) -> Response {
    let Some(visitor) = visitor(request.extensions()) else { return next.run(request).await };
    let decision = limiter.take(&visitor, &[Class::Read], 1).await;
    let mut response = match decision.error() {
        Some(refused) => refused.into_response(),
        None => next.run(request).await,
    };
    decision.write(response.headers_mut());
    response
}

impl Gate {
    /// Answers whoever could not be made out. One whose token is not good is like one without: he is counted by his address.
    async fn turn_away(&self, parts: &Parts, refusal: Refusal) -> Response {
        let Some(visitor) = visitor(&parts.extensions).filter(|_| matches!(refusal, Refusal::Token(_))) else {
            return refusal.into_response();
        };
        let decision = self.limiter.take(&visitor, &[Class::Public], 1).await;
        let mut response = decision.error().map_or_else(|| refusal.into_response(), IntoResponse::into_response);
        decision.write(response.headers_mut());
        response
    }
}

/// Returns whom a request is counted for; nobody where there is nothing to count by.
fn asker(principal: &Principal, parts: &Parts) -> Option<Asker> {
    match principal.subject() {
        Subject::Anonymous => visitor(&parts.extensions),
        Subject::User { user_id, .. } => Some(Asker { whom: Whom::User(*user_id), company: principal.claimed_company() }),
        Subject::Service => Some(Asker { whom: Whom::Service(principal.claimed_company()), company: principal.claimed_company() }),
        Subject::Pass(pass) => {
            // An API key was checked before it came here; of another pass it is not known yet whether its company gave it.
            let company = (pass.kind == PassKind::ApiKey).then_some(pass.company_id);
            Some(Asker { whom: Whom::Pass(pass.digest.clone()), company })
        }
        Subject::Role { .. } | Subject::System { .. } => None,
    }
}

/// Returns the company that somebody says he wants to be in, where being let in means that he is of it.
fn requested(principal: &Principal) -> Option<CompanyId> {
    principal.requested_company().filter(|_| matches!(principal.subject(), Subject::User { .. }))
}

/// Returns whoever asks from the request's address.
fn visitor(extensions: &Extensions) -> Option<Asker> {
    let ClientAddress(address) = extensions.get::<ClientAddress>()?;
    Some(Asker { whom: Whom::Network(network(*address)), company: None })
}

fn class(principal: &Principal, parts: &Parts) -> Class {
    // Lists of files and links to them are asked for by a body.
    let asks = LISTS.iter().any(|path| parts.uri.path().starts_with(path));
    let only_reads = asks || [Method::GET, Method::HEAD, Method::OPTIONS].contains(&parts.method);
    match principal.subject() {
        Subject::Anonymous => Class::Public,
        Subject::Service => Class::Service,
        // What is done with a link is done once: an estimate is signed, an invoice is paid.
        Subject::Pass(pass) if pass.kind == PassKind::Link && !only_reads => Class::Strict,
        _ if only_reads => Class::Read,
        _ => Class::Write,
    }
}

/// Returns what a request is beside reading or writing.
fn operation(limiter: &Limiter, parts: &Parts) -> Option<Class> {
    let function = parts.uri.path().strip_prefix(FUNCTIONS);
    function.and_then(|name| limiter.operation(name)).or_else(|| asks_for_file(&parts.headers).then_some(Class::Export))
}

fn asks_for_file(headers: &HeaderMap) -> bool {
    headers.get(header::ACCEPT).is_some_and(|accepted| accepted.as_bytes().starts_with(b"text/csv"))
}
