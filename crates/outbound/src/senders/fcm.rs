//! Messages to applications over Firebase Cloud Messaging, HTTP v1.
//!
//! Invariant: the private key of the account leaves the process only as signatures; a token is asked for once in an hour.

use std::time::Duration;

use futures_util::FutureExt;
use futures_util::future::BoxFuture;
use http::header::CONTENT_TYPE;
use http::{HeaderMap, HeaderValue};
use jiff::Timestamp;
use jsonwebtoken::{Algorithm, EncodingKey, Header, encode};
use kernel::{Result, Secret};
use serde::Deserialize;
use serde_json::{Map, Value, json};
use tokio::sync::Mutex;
use url::Url;

use super::refusal::{Fault, Lasting};
use super::{Letter, Receipt, Refusal, Sender, retry_after, unusable};
use crate::config::PushConfig;
use crate::http::{Answer, Bounds, Call, Http, HttpOptions, NamedBy};
use crate::message::Urgency;

const SCOPE: &str = "https://www.googleapis.com/auth/firebase.messaging";
const GRANT: &str = "urn:ietf:params:oauth:grant-type:jwt-bearer";
const ANSWER_BYTES_MAX: usize = 64 * 1024;
/// A token this near to its end is not used any more.
const MARGIN_SECONDS: i64 = 60;
const KEY: &str = "outbound.push.fcm_account_file";

pub(super) struct Fcm {
    http: Http,
    send_url: Url,
    token_url: Url,
    account: String,
    key: EncodingKey,
    token: Mutex<Option<(Secret<String>, Timestamp)>>,
}

/// What stands in the file of a service account.
#[derive(Deserialize)]
struct Account {
    project_id: String,
    client_email: String,
    private_key: Secret<String>,
    token_uri: String,
}

/// What an endpoint for tokens answers.
#[derive(Deserialize)]
struct Granted {
    access_token: Secret<String>,
    #[serde(default)]
    expires_in: i64,
}

impl Fcm {
    /// Sets up the way; none without an account. Connects to nothing yet.
    pub(super) fn new(config: &PushConfig) -> Result<Option<Self>> {
        let Some(file) = &config.fcm_account_file else { return Ok(None) };
        let text = std::fs::read_to_string(file).map_err(|error| unusable(KEY, error))?;
        // What is wrong with it may repeat a part of it.
        let account: Account = serde_json::from_str(&text).map_err(|_secret| unusable(KEY, "this is no file of a service account"))?;
        let key = EncodingKey::from_rsa_pem(account.private_key.expose().as_bytes());
        let key = key.map_err(|_secret| unusable(KEY, "its private_key is no RSA key in PEM"))?;
        if !account.project_id.bytes().all(|byte| byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b':' | b'.')) {
            return Err(unusable(KEY, "its project_id is none"));
        }
        let bounds = Bounds { bytes_max: ANSWER_BYTES_MAX, time: Duration::from_millis(config.time_ms) };
        let http = Http::new(HttpOptions { bounds, private_allowed: false })?;
        let send_url = format!("{}/v1/projects/{}/messages:send", config.fcm_url.trim_end_matches('/'), account.project_id);
        let send_url = Url::parse(&send_url).map_err(|error| unusable("outbound.push.fcm_url", error))?;
        let token_url = Url::parse(&account.token_uri).map_err(|error| unusable(KEY, error))?;
        Ok(Some(Self { http, send_url, token_url, account: account.client_email, key, token: Mutex::new(None) }))
    }

    async fn deliver(&self, letter: &Letter<'_>) -> std::result::Result<Receipt, Refusal> {
        let Some(device) = letter.device else { return Err(Refusal::lasting(&"there is no device")) };
        let token = self.token(letter.now).await?;
        let body = json!({ "message": message(letter, device.address.expose()) }).to_string().into_bytes();
        let headers = HeaderMap::from_iter([(CONTENT_TYPE, HeaderValue::from_static("application/json"))]);
        let call = Call::post(&self.send_url, NamedBy::Operator, headers, body).with_bearer(token.expose());
        let answer = self.http.send_and_cut(call).await;
        let answer = answer.map_err(|fault| Refusal::new(Fault::Provider(None), &format!("FCM: {fault}")).coded("unreachable"))?;
        let said: Value = serde_json::from_slice(&answer.body).unwrap_or_default();
        if answer.status.is_success() {
            return Ok(Receipt { key: said.get("name").and_then(Value::as_str).map(|name| name.chars().take(255).collect()) });
        }
        if answer.status.as_u16() == 401 {
            *self.token.lock().await = None;
        }
        Err(refusal(&answer, &said))
    }

    /// Returns a token that lets us send, a new one where the last is nearly over. One asks, the others wait for it.
    async fn token(&self, now: Timestamp) -> std::result::Result<Secret<String>, Refusal> {
        let mut kept = self.token.lock().await;
        if let Some((token, until)) = kept.as_ref()
            && now.as_second() + MARGIN_SECONDS < until.as_second()
        {
            return Ok(token.clone());
        }
        let not_granted = |why: String| Refusal::new(Fault::Provider(None), &format!("FCM: no token: {why}")).coded("token");
        let claims = json!({ "iss": self.account, "scope": SCOPE, "aud": self.token_url.as_str(), "iat": now.as_second(), "exp": now.as_second() + 3600 });
        let assertion = encode(&Header::new(Algorithm::RS256), &claims, &self.key).map_err(|error| not_granted(error.to_string()))?;
        let form = [("grant_type", GRANT), ("assertion", assertion.as_str())];
        let answer = self.http.send(Call::form(&self.token_url, NamedBy::Operator, &form)).await;
        let answer = answer.map_err(|fault| not_granted(fault.to_string()))?;
        if !answer.status.is_success() {
            return Err(not_granted(format!("status {}", answer.status.as_u16())));
        }
        let granted: Granted = serde_json::from_slice(&answer.body).map_err(|_secret| not_granted("the answer has none".to_owned()))?;
        let until = Timestamp::from_second(now.as_second().saturating_add(granted.expires_in.clamp(0, 86_400))).unwrap_or(now);
        *kept = Some((granted.access_token.clone(), until));
        Ok(granted.access_token)
    }
}

impl Sender for Fcm {
    fn name(&self) -> &'static str {
        "fcm"
    }

    fn carries(&self, letter: &Letter<'_>) -> bool {
        letter.device.is_some_and(|device| device.provider == self.name())
    }

    fn send<'a>(&'a self, letter: &'a Letter<'_>) -> BoxFuture<'a, std::result::Result<Receipt, Refusal>> {
        self.deliver(letter).boxed()
    }
}

fn message(letter: &Letter<'_>, token: &str) -> Value {
    let (said, push) = (letter.message, letter.push.cloned().unwrap_or_default());
    // Its values are texts alone.
    let as_text = |value: Value| if let Value::String(text) = value { text } else { value.to_string() };
    let mut data: Map<String, Value> = push.data.into_iter().map(|(name, value)| (name, json!(as_text(value)))).collect();
    data.insert("message_id".to_owned(), json!(letter.id));
    if let Some(url) = push.url {
        data.insert("url".to_owned(), json!(url));
    }
    let is_urgent = matches!(push.urgency, Urgency::High | Urgency::Normal);
    let mut android = Map::from_iter([("priority".to_owned(), json!(if is_urgent { "HIGH" } else { "NORMAL" }))]);
    let mut apns = Map::from_iter([("apns-priority".to_owned(), json!(if is_urgent { "10" } else { "5" }))]);
    if let Some(seconds) = push.ttl_seconds {
        android.insert("ttl".to_owned(), json!(format!("{seconds}s")));
        apns.insert("apns-expiration".to_owned(), json!((letter.now.as_second() + i64::from(seconds)).to_string()));
    }
    if let Some(key) = push.collapse_key {
        android.insert("collapse_key".to_owned(), json!(key));
        apns.insert("apns-collapse-id".to_owned(), json!(key));
    }
    let notification = json!({ "title": said.subject, "body": said.text });
    json!({ "token": token, "notification": notification, "data": data, "android": android, "apns": { "headers": apns } })
}

fn refusal(answer: &Answer, said: &Value) -> Refusal {
    let error = said.get("error");
    let details = error.and_then(|error| error.get("details")).and_then(Value::as_array);
    let code = details.into_iter().flatten().find_map(|detail| detail.get("errorCode")?.as_str());
    let code = code.or_else(|| error?.get("status")?.as_str()).unwrap_or_default();
    let code: String = code.chars().filter(|c| c.is_ascii_uppercase() || *c == '_').take(60).collect();
    let status = answer.status.as_u16();
    let fault = match (status, code.as_str()) {
        // The application is gone from it, or the token is another project's.
        (_, "UNREGISTERED" | "SENDER_ID_MISMATCH") => Fault::Recipient(Lasting::Device),
        (429, _) => Fault::Provider(Some(retry_after(&answer.headers).unwrap_or(Duration::from_mins(1)))),
        (400 | 413, _) => Fault::Message,
        _ => Fault::Provider(retry_after(&answer.headers)),
    };
    Refusal::new(fault, &format!("FCM answered {status} {code}")).coded(if code.is_empty() { status.to_string() } else { code })
}
