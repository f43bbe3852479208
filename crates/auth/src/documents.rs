//! What everybody may read: the settings, the public keys, and that the service is there.

use axum::Json;
use axum::extract::State;
use axum::response::{IntoResponse, Response};
use http::header::CACHE_CONTROL;
use serde_json::{Map, Value, json};

use crate::{Auth, one_time};

/// How long others may keep the public keys: a rotation keeps the old ones accepted far longer.
const JWKS_CACHE: &str = "public, max-age=600";

/// The ways to sign in that clients ask about.
const PROVIDERS: &[&str] = &[
    "email",
    "phone",
    "anonymous_users",
    "apple",
    "azure",
    "bitbucket",
    "discord",
    "facebook",
    "figma",
    "fly",
    "github",
    "gitlab",
    "google",
    "kakao",
    "keycloak",
    "linkedin",
    "linkedin_oidc",
    "notion",
    "slack",
    "slack_oidc",
    "snapchat",
    "spotify",
    "twitch",
    "twitter",
    "workos",
    "x",
    "zoom",
];

pub(crate) async fn settings(State(auth): State<Auth>) -> Json<Value> {
    let phone = one_time::takes_phones(&auth);
    let is_on = |name: &str| match name {
        "email" => true,
        "phone" => phone,
        "anonymous_users" => auth.config().anonymous.enabled,
        _ => false,
    };
    let external: Map<String, Value> = PROVIDERS.iter().map(|name| ((*name).to_owned(), json!(is_on(name)))).collect();
    Json(json!({
        "external": external,
        "disable_signup": !auth.config().signup_enabled,
        "mailer_autoconfirm": auth.config().autoconfirm,
        "phone_autoconfirm": auth.config().one_time.phone_autoconfirm,
        "sms_provider": if phone { "twilio" } else { "" },
        "saml_enabled": false,
        "passkeys_enabled": false,
    }))
}

pub(crate) async fn jwks(State(auth): State<Auth>) -> Response {
    ([(CACHE_CONTROL, JWKS_CACHE)], Json(auth.keys().ring.jwks())).into_response()
}

pub(crate) async fn health() -> Json<Value> {
    Json(json!({
        "version": env!("CARGO_PKG_VERSION"),
        "name": "Thorbis Auth",
        "description": "Users, sessions and companies",
    }))
}
