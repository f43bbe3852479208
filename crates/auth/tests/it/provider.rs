//! A provider of the tests' own: discovery, tokens, keys, GitHub's API, and what can go wrong with each.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard};

use aws_lc_rs::digest;
use aws_lc_rs::signature::{ECDSA_P256_SHA256_FIXED_SIGNING, EcdsaKeyPair};
use axum::extract::State;
use axum::response::{IntoResponse, Response};
use axum::routing::{get, post};
use axum::{Json, Router};
use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use http::{HeaderMap, StatusCode};
use jsonwebtoken::jwk::Jwk;
use jsonwebtoken::{Algorithm, EncodingKey, Header};
use serde_json::{Value, json};
use url::Url;
use url::form_urlencoded::parse;

use crate::server::START;

pub(crate) const CLIENT: &str = "client-1";
pub(crate) const SECRET: &str = "planted-client-secret";

/// The provider, and what it does next.
#[derive(Clone)]
pub(crate) struct Provider {
    pub(crate) url: String,
    inner: Arc<Mutex<Inner>>,
}

pub(crate) struct Inner {
    url: String,
    /// Who signs in: what the ID token says beside what it must.
    pub(crate) person: Value,
    /// What the token's claims are overwritten with.
    pub(crate) lies: Value,
    /// What it says of itself beside the usual.
    pub(crate) document: Value,
    /// With what `/token` is answered instead.
    pub(crate) broken: Option<(u16, String)>,
    /// What was asked of `/token`, one form each.
    pub(crate) asked: Vec<HashMap<String, String>>,
    key: EncodingKey,
    kid: String,
    codes: HashMap<String, HashMap<String, String>>,
    /// How often keys were asked for.
    pub(crate) keys_read: usize,
}

impl Provider {
    pub(crate) async fn start() -> Self {
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
        let url = format!("http://{}", listener.local_addr().unwrap());
        let inner = Inner {
            url: url.clone(),
            person: json!({ "sub": "1001", "email": "Ann@example.com", "email_verified": true, "name": "Ann Lee", "picture": "https://p/a.png" }),
            lies: json!({}),
            document: json!({}),
            broken: None,
            asked: Vec::new(),
            key: new_key(),
            kid: "key-1".to_owned(),
            codes: HashMap::new(),
            keys_read: 0,
        };
        let provider = Self { url, inner: Arc::new(Mutex::new(inner)) };
        let routes = Router::new()
            .route("/.well-known/openid-configuration", get(document))
            .route("/common/v2.0/.well-known/openid-configuration", get(document))
            .route("/keys", get(keys))
            .route("/token", post(token))
            .route("/login/oauth/access_token", post(token))
            .route("/userinfo", get(userinfo))
            .route("/user", get(userinfo))
            .route("/user/emails", get(emails))
            .with_state(provider.clone());
        tokio::spawn(async move { axum::serve(listener, routes).await });
        provider
    }

    pub(crate) fn inner(&self) -> MutexGuard<'_, Inner> {
        self.inner.lock().unwrap()
    }

    /// Somebody else signs in next.
    pub(crate) fn person(&self, person: Value) {
        self.inner().person = person;
    }

    /// Signs with another key from now on.
    pub(crate) fn change_key(&self) {
        let mut inner = self.inner();
        inner.key = new_key();
        inner.kid = "key-2".to_owned();
    }

    /// Somebody follows the page and agrees: returns the way back, as path and query below our server's /auth/v1.
    pub(crate) fn agree(&self, page: &str) -> String {
        let page = Url::parse(page).unwrap();
        let asked: HashMap<String, String> = page.query_pairs().into_owned().collect();
        let mut inner = self.inner();
        let code = format!("code-{}", inner.codes.len());
        let path = asked["redirect_uri"].strip_prefix("http://localhost:54321/auth/v1").unwrap();
        let back = format!("{path}?code={code}&state={}", asked["state"]);
        inner.codes.insert(code, asked);
        back
    }

    /// An ID token as an application gets one.
    pub(crate) fn id_token(&self, nonce: Option<&str>) -> String {
        self.inner().id_token(nonce, CLIENT)
    }
}

impl Inner {
    fn id_token(&self, nonce: Option<&str>, client: &str) -> String {
        let mut claims = json!({ "iss": self.url, "aud": client, "iat": START, "exp": START + 86_400 });
        if let Some(nonce) = nonce {
            claims["nonce"] = json!(nonce);
        }
        for more in [&self.person, &self.lies] {
            for (name, value) in more.as_object().unwrap() {
                claims[name] = value.clone();
            }
        }
        let header = Header { kid: Some(self.kid.clone()), ..Header::new(Algorithm::ES256) };
        jsonwebtoken::encode(&header, &claims, &self.key).unwrap()
    }
}

pub(crate) fn new_key() -> EncodingKey {
    let pair = EcdsaKeyPair::generate(&ECDSA_P256_SHA256_FIXED_SIGNING).unwrap();
    EncodingKey::from_ec_der(pair.to_pkcs8v1().unwrap().as_ref())
}

async fn document(State(provider): State<Provider>) -> Json<Value> {
    let inner = provider.inner();
    let url = &inner.url;
    let mut document = json!({
        "issuer": url,
        "authorization_endpoint": format!("{url}/authorize?kept=1"),
        "token_endpoint": format!("{url}/token"),
        "userinfo_endpoint": format!("{url}/userinfo"),
        "jwks_uri": format!("{url}/keys"),
        "response_types_supported": ["code", "id_token"],
        "subject_types_supported": ["public"],
        "id_token_signing_alg_values_supported": ["ES256"],
    });
    for (name, value) in inner.document.as_object().unwrap() {
        document[name] = value.clone();
    }
    Json(document)
}

async fn keys(State(provider): State<Provider>) -> Json<Value> {
    let mut inner = provider.inner();
    inner.keys_read += 1;
    let mut jwk = serde_json::to_value(Jwk::from_encoding_key(&inner.key, Algorithm::ES256).unwrap()).unwrap();
    jwk["kid"] = json!(inner.kid);
    // A secret among public keys is none of a provider's keys.
    let oct = json!({ "kty": "oct", "k": URL_SAFE_NO_PAD.encode("k".repeat(32)), "alg": "HS256", "kid": "shared" });
    Json(json!({ "keys": [oct, jwk] }))
}

async fn token(State(provider): State<Provider>, body: String) -> Response {
    let form: HashMap<String, String> = parse(body.as_bytes()).into_owned().collect();
    let mut inner = provider.inner();
    inner.asked.push(form.clone());
    if let Some((status, text)) = inner.broken.clone() {
        return (StatusCode::from_u16(status).unwrap(), text).into_response();
    }
    let refused = |error: &str| (StatusCode::BAD_REQUEST, Json(json!({ "error": error }))).into_response();
    let Some(begun) = inner.codes.remove(&form["code"]) else { return refused("invalid_grant") };
    if form["grant_type"] != "authorization_code"
        || form["client_id"] != begun["client_id"]
        || form["redirect_uri"] != begun["redirect_uri"]
    {
        return refused("invalid_request");
    }
    let proved = form.get("client_secret").is_some_and(|secret| secret == SECRET || secret.split('.').count() == 3);
    let met = begun.get("code_challenge").is_none_or(|challenge| {
        let made = URL_SAFE_NO_PAD.encode(digest::digest(&digest::SHA256, form["code_verifier"].as_bytes()));
        begun["code_challenge_method"] == "S256" && made == *challenge
    });
    if !proved || !met {
        return refused("invalid_client");
    }
    let id_token = inner.id_token(begun.get("nonce").map(String::as_str), &begun["client_id"]);
    let tokens = json!({ "access_token": "planted-access-token", "refresh_token": "planted-refresh-token", "token_type": "Bearer",
                         "expires_in": 3600, "scope": begun["scope"], "id_token": id_token });
    Json(tokens).into_response()
}

async fn userinfo(State(provider): State<Provider>, headers: HeaderMap) -> Response {
    if headers.get("authorization").is_none_or(|token| token != "Bearer planted-access-token") {
        return StatusCode::UNAUTHORIZED.into_response();
    }
    let inner = provider.inner();
    Json(inner.person.get("userinfo").unwrap_or(&inner.person).clone()).into_response()
}

async fn emails(State(provider): State<Provider>) -> Json<Value> {
    Json(provider.inner().person["emails"].clone())
}
