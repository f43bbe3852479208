//! The way of a browser to a provider, and what its code is exchanged for there.

use jiff::Timestamp;
use jsonwebtoken::{Algorithm, Header};
use kernel::{Result, Secret};
use outbound::http::Call;
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value, json};
use url::Url;

use super::discovery::{Document, Documents};
use super::fault::Fault;
use super::provider::{AppleKey, Dialect, Proof, Provider};
use crate::flows::s256;
use crate::one_time::secrets::random;

/// How long a token that stands for a secret is good.
const APPLE_SECONDS: i64 = 300;
/// The largest token of a provider that is handed on.
const TOKEN_BYTES_MAX: usize = 8 * 1024;

/// What a trip needs when it ends; sealed until then.
#[derive(Serialize, Deserialize)]
pub(crate) struct Luggage {
    pub(super) verifier: String,
    pub(super) nonce: String,
}

/// What a provider gave for a code.
#[derive(Clone, Default)]
pub(crate) struct Tokens {
    pub(super) access: Option<Secret<String>>,
    pub(super) refresh: Option<Secret<String>>,
    pub(super) id: Option<Secret<String>>,
}

impl Luggage {
    pub(super) fn pack() -> Result<Self> {
        Ok(Self { verifier: random()?.expose().clone(), nonce: random()?.expose().clone() })
    }
}

/// What of the query of `/authorize` is handed on to a provider. Nothing of it decides where the answer goes or whom it is for.
const HANDED_ON: &[&str] = &[
    "access_type",
    "acr_values",
    "allow_signup",
    "claims_locales",
    "connection",
    "display",
    "domain_hint",
    "hd",
    "include_granted_scopes",
    "login",
    "login_hint",
    "max_age",
    "organization",
    "prompt",
    "screen_hint",
    "ui_locales",
];

/// What a sign-in adds to the way.
pub(super) struct Wishes<'a> {
    pub(super) scopes: Option<&'a str>,
    pub(super) query: &'a [(String, String)],
}

/// Returns the page of the provider that the browser goes to.
pub(super) fn page((provider, document): (&Provider, &Document), back: &str, state: &str, luggage: &Luggage, wishes: &Wishes<'_>) -> Url {
    let mut scopes = provider.scopes.clone();
    for scope in wishes.scopes.unwrap_or_default().split_whitespace() {
        if !scopes.iter().any(|known| known == scope) {
            scopes.push(scope.to_owned());
        }
    }
    let mut page = document.endpoints.authorization.clone();
    {
        let mut query = page.query_pairs_mut();
        query.append_pair("client_id", &provider.client_id).append_pair("redirect_uri", back).append_pair("response_type", "code");
        query.append_pair("scope", &scopes.join(" ")).append_pair("state", state);
        if provider.dialect == Dialect::OpenId {
            query.append_pair("nonce", &luggage.nonce);
        }
        if provider.pkce {
            query.append_pair("code_challenge", &s256(&luggage.verifier)).append_pair("code_challenge_method", "S256");
        }
        for (name, value) in &provider.parameters {
            query.append_pair(name, value);
        }
        for (name, value) in wishes.query.iter().filter(|(name, _)| HANDED_ON.contains(&name.as_str())) {
            query.append_pair(name, value);
        }
    }
    page
}

/// Exchanges a provider's code for its tokens.
pub(super) async fn exchange(
    documents: &Documents,
    (provider, document): (&Provider, &Document),
    back: &str,
    (code, verifier): (&str, &str),
    now: Timestamp,
) -> std::result::Result<Tokens, Fault> {
    let mut form = vec![("grant_type", "authorization_code"), ("code", code), ("redirect_uri", back), ("client_id", &provider.client_id)];
    if provider.pkce {
        form.push(("code_verifier", verifier));
    }
    let made;
    match &provider.proof {
        Proof::Nothing => {}
        Proof::Secret(secret) => form.push(("client_secret", secret.expose())),
        Proof::Apple(key) => {
            made = apple_secret(key, provider, now)?;
            form.push(("client_secret", made.expose()));
        }
    }
    let call = Call::form(&document.endpoints.token, provider.named_by, &form);
    let answer = documents.http.send(call).await.map_err(|fault| Fault::broken(&fault))?;
    let body: Map<String, Value> = serde_json::from_slice(&answer.body).unwrap_or_default();
    // GitHub answers errors with 200.
    if answer.status != 200 || body.contains_key("error") {
        let error = body.get("error").and_then(Value::as_str).filter(|error| is_word(error)).unwrap_or("no error");
        return Err(Fault::Provider(format!("the code was answered with {} and {error}", answer.status.as_u16())));
    }
    let token = |name: &str| {
        let text = body.get(name).and_then(Value::as_str).filter(|text| !text.is_empty() && text.len() <= TOKEN_BYTES_MAX);
        text.map(|text| Secret::new(text.to_owned()))
    };
    Ok(Tokens { access: token("access_token"), refresh: token("refresh_token"), id: token("id_token") })
}

/// Makes the token that Apple takes for a secret.
fn apple_secret(key: &AppleKey, provider: &Provider, now: Timestamp) -> std::result::Result<Secret<String>, Fault> {
    let header = Header { kid: Some(key.key_id.clone()), ..Header::new(Algorithm::ES256) };
    let now = now.as_second();
    let claims = json!({ "iss": key.team_id, "iat": now, "exp": now + APPLE_SECONDS, "aud": provider.issuer, "sub": provider.client_id });
    let token = jsonwebtoken::encode(&header, &claims, &key.key).map_err(|error| Fault::broken(&error))?;
    Ok(Secret::new(token))
}

/// Tells whether a provider's error is one word, as they are; anything else is not repeated.
pub(super) fn is_word(text: &str) -> bool {
    (1..=64).contains(&text.len()) && text.bytes().all(|byte| byte.is_ascii_lowercase() || byte == b'_')
}
