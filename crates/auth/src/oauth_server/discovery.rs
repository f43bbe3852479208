//! What programs read first: where everything is and what is understood (RFC 8414, `OpenID` Connect Discovery).
//!
//! Invariant: the document names what this server does, and nothing else.

use axum::extract::State;
use axum::response::{IntoResponse, Response};
use axum::routing::get;
use axum::{Json, Router};
use http::header::CACHE_CONTROL;
use kernel::Result;
use serde_json::{Value, json};

use super::clients::{AUTH_METHODS, GRANTS};
use super::{SCOPES, required};
use crate::Auth;
use crate::errors;

/// Settings change with a restart, and a program that read the old document a while ago is not lost.
const CACHE: &str = "public, max-age=600";

/// Returns the same documents at the root of the host, where programs look for those of an issuer with a path. One without a path has
/// them there already.
pub fn router(auth: Auth) -> Router {
    let prefix = auth.config().prefix().to_owned();
    let prefixes = if prefix.is_empty() { vec![] } else { vec![String::new(), prefix] };
    let routes = prefixes.iter().fold(Router::new(), |routes, prefix| {
        routes
            .route(&format!("/.well-known/oauth-authorization-server{prefix}"), get(oauth))
            .route(&format!("/.well-known/openid-configuration{prefix}"), get(openid))
    });
    routes.layer(axum::middleware::from_fn(errors::shape)).with_state(auth)
}

pub(crate) async fn oauth(State(auth): State<Auth>) -> Result<Response> {
    required(&auth)?;
    Ok(answer(&auth))
}

/// Answered also where there is no OAuth server: others find the keys of our tokens by it.
pub(crate) async fn openid(State(auth): State<Auth>) -> Response {
    answer(&auth)
}

fn answer(auth: &Auth) -> Response {
    ([(CACHE_CONTROL, CACHE)], Json(document(auth))).into_response()
}

fn document(auth: &Auth) -> Value {
    let issuer = auth.issuer();
    let at = |path: &str| json!(format!("{issuer}{path}"));
    let mut document = json!({
        "issuer": issuer,
        "authorization_endpoint": at("/oauth/authorize"),
        "token_endpoint": at("/oauth/token"),
        "userinfo_endpoint": at("/oauth/userinfo"),
        "revocation_endpoint": at("/oauth/revoke"),
        "introspection_endpoint": at("/oauth/introspect"),
        "jwks_uri": at("/.well-known/jwks.json"),
        "scopes_supported": SCOPES,
        "response_types_supported": ["code"],
        "response_modes_supported": ["query"],
        "grant_types_supported": GRANTS,
        "subject_types_supported": ["public"],
        "id_token_signing_alg_values_supported": [auth.keys().ring.public_algorithm()],
        "token_endpoint_auth_methods_supported": AUTH_METHODS,
        "revocation_endpoint_auth_methods_supported": AUTH_METHODS,
        // Whoever has no secret is not told.
        "introspection_endpoint_auth_methods_supported": AUTH_METHODS.iter().filter(|method| **method != "none").collect::<Vec<_>>(),
        "code_challenge_methods_supported": ["S256"],
        "authorization_response_iss_parameter_supported": true,
        "request_parameter_supported": false,
        "request_uri_parameter_supported": false,
        "claims_supported": [
            "sub", "iss", "aud", "exp", "iat", "auth_time", "nonce", "email", "email_verified", "phone_number", "phone_number_verified",
            "name", "picture", "updated_at",
        ],
    });
    if let Some(document) = document.as_object_mut().filter(|_| auth.config().oauth_server.dynamic_registration) {
        document.insert("registration_endpoint".to_owned(), at("/oauth/register"));
    }
    document
}
