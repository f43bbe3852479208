//! Resend, FCM and push services, as far as a sender sees them: what they take, and every way in which they do not.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex};

use aws_lc_rs::encoding::AsDer;
use aws_lc_rs::rsa::{KeyPair, KeySize};
use axum::Router;
use axum::extract::{Path, State};
use axum::response::{IntoResponse, Response};
use axum::routing::post;
use http::{HeaderMap, StatusCode};
use serde_json::{Value, json};
use tokio::net::TcpListener;

/// A request as it came: its headers and its body.
#[derive(Clone, Debug)]
pub(crate) struct Came {
    pub(crate) headers: HeaderMap,
    pub(crate) body: Vec<u8>,
}

impl Came {
    pub(crate) fn header(&self, name: &str) -> &str {
        self.headers.get(name).map_or("", |value| value.to_str().unwrap())
    }

    pub(crate) fn json(&self) -> Value {
        serde_json::from_slice(&self.body).unwrap()
    }
}

/// A status, `Retry-After` and a body.
type Said = (u16, Option<u32>, Value);

/// What came, and what is answered next, by path; taken where nothing is said.
#[derive(Clone, Default)]
pub(crate) struct Provider {
    came: Arc<Mutex<Vec<Came>>>,
    answers: Arc<Mutex<BTreeMap<String, Vec<Said>>>>,
}

impl Provider {
    pub(crate) fn came(&self) -> Vec<Came> {
        self.came.lock().unwrap().clone()
    }

    /// Says what is answered next at a path: a status, `Retry-After` and a body.
    pub(crate) fn answer(&self, path: &str, status: u16, retry_after: Option<u32>, body: Value) {
        self.answers.lock().unwrap().entry(path.to_owned()).or_default().push((status, retry_after, body));
    }

    fn hear(&self, path: &str, headers: HeaderMap, body: &[u8], otherwise: (u16, Value)) -> Response {
        self.came.lock().unwrap().push(Came { headers, body: body.to_vec() });
        let mut answers = self.answers.lock().unwrap();
        let said = answers.get_mut(path).filter(|said| !said.is_empty()).map(|said| said.remove(0));
        let (status, retry_after, body) = said.unwrap_or((otherwise.0, None, otherwise.1));
        let mut response = (StatusCode::from_u16(status).unwrap(), body.to_string()).into_response();
        if let Some(seconds) = retry_after {
            response.headers_mut().insert("retry-after", seconds.into());
        }
        response
    }
}

async fn serve(routes: Router) -> String {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("http://{}", listener.local_addr().unwrap());
    tokio::spawn(async move { axum::serve(listener, routes).await });
    url
}

/// Answers as Resend does; one request with one key is one mail.
pub(crate) async fn resend() -> (String, Provider) {
    async fn emails(State(provider): State<Provider>, headers: HeaderMap, body: axum::body::Bytes) -> Response {
        let id = format!("re_{}", provider.came().len() + 1);
        provider.hear("/emails", headers, &body, (200, json!({ "id": id })))
    }
    let provider = Provider::default();
    (serve(Router::new().route("/emails", post(emails)).with_state(provider.clone())).await, provider)
}

/// A push service: `/send/NAME` is a device.
pub(crate) async fn push_service() -> (String, Provider) {
    async fn send(State(provider): State<Provider>, Path(name): Path<String>, headers: HeaderMap, body: axum::body::Bytes) -> Response {
        let mut response = provider.hear(&name, headers, &body, (201, json!({})));
        response.headers_mut().insert("location", format!("/message/{name}-1").parse().unwrap());
        response
    }
    let provider = Provider::default();
    (serve(Router::new().route("/send/{name}", post(send)).with_state(provider.clone())).await, provider)
}

/// FCM with its endpoint for tokens, and the file of an account there.
pub(crate) async fn fcm() -> (String, Provider, tempfile::NamedTempFile) {
    async fn token(State(provider): State<Provider>, headers: HeaderMap, body: axum::body::Bytes) -> Response {
        provider.hear("/token", headers, &body, (200, json!({ "access_token": "ya29.token", "expires_in": 3600, "token_type": "Bearer" })))
    }
    async fn send(State(provider): State<Provider>, headers: HeaderMap, body: axum::body::Bytes) -> Response {
        provider.hear("/send", headers, &body, (200, json!({ "name": "projects/baker/messages/1" })))
    }
    let provider = Provider::default();
    let routes = Router::new().route("/token", post(token)).route("/v1/projects/baker/{send}", post(send)).with_state(provider.clone());
    let url = serve(routes).await;
    let file = tempfile::NamedTempFile::new().unwrap();
    let account = json!({ "type": "service_account", "project_id": "baker", "client_email": "push@baker.example", "private_key": private_key(),
                          "token_uri": format!("{url}/token") });
    std::fs::write(file.path(), account.to_string()).unwrap();
    (url, provider, file)
}

fn private_key() -> String {
    use base64::Engine;
    let pair = KeyPair::generate(KeySize::Rsa2048).unwrap();
    let der: aws_lc_rs::encoding::Pkcs8V1Der<'_> = pair.as_der().unwrap();
    let text = base64::engine::general_purpose::STANDARD.encode(der.as_ref());
    let lines: Vec<&str> = text.as_bytes().chunks(64).map(|line| std::str::from_utf8(line).unwrap()).collect();
    format!("-----BEGIN PRIVATE KEY-----\n{}\n-----END PRIVATE KEY-----\n", lines.join("\n"))
}
