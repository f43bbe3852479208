//! Mail over Resend's API.

use std::time::Duration;

use futures_util::FutureExt;
use futures_util::future::BoxFuture;
use http::header::CONTENT_TYPE;
use http::{HeaderMap, HeaderName, HeaderValue};
use kernel::{Result, Secret};
use lettre::Address;
use lettre::message::Mailbox;
use serde_json::{Map, Value, json};
use url::Url;

use super::refusal::Fault;
use super::smtp::unsubscribe_headers;
use super::{Letter, Receipt, Refusal, Sender, retry_after, unusable};
use crate::config::MailConfig;
use crate::http::{Answer, Bounds, Call, Http, HttpOptions, NamedBy};

const ANSWER_BYTES_MAX: usize = 64 * 1024;
/// How long a month's quota that is used up is respected before it is tried again.
const QUOTA: Duration = Duration::from_hours(1);

pub(super) struct Resend {
    http: Http,
    url: Url,
    key: Secret<String>,
    from: Address,
}

impl Resend {
    /// Sets up the way; none without a key. Connects to nothing yet.
    pub(super) fn new(config: &MailConfig) -> Result<Option<Self>> {
        let Some(key) = &config.resend_key else { return Ok(None) };
        let bounds = Bounds { bytes_max: ANSWER_BYTES_MAX, time: Duration::from_millis(config.resend_time_ms) };
        let http = Http::new(HttpOptions { bounds, private_allowed: false })?;
        let url = format!("{}/emails", config.resend_url.trim_end_matches('/'));
        let url = Url::parse(&url).map_err(|error| unusable("outbound.mail.resend_url", error))?;
        let from = config.from_address.parse().map_err(|error| unusable("outbound.mail.from_address", error))?;
        Ok(Some(Self { http, url, key: key.clone(), from }))
    }

    async fn deliver(&self, letter: &Letter<'_>) -> std::result::Result<Receipt, Refusal> {
        let body = self.body(letter).to_string().into_bytes();
        // The same in every attempt, so that one whose answer was lost is not sent twice.
        let key = HeaderValue::from_str(&letter.id.to_string()).map_err(|error| Refusal::lasting(&error))?;
        let headers = HeaderMap::from_iter([
            (CONTENT_TYPE, HeaderValue::from_static("application/json")),
            (HeaderName::from_static("idempotency-key"), key),
        ]);
        let call = Call::post(&self.url, NamedBy::Operator, headers, body).with_bearer(self.key.expose());
        let answer = self.http.send_and_cut(call).await;
        let answer = answer.map_err(|fault| Refusal::new(Fault::Provider(None), &format!("Resend: {fault}")).coded("unreachable"))?;
        if answer.status.is_success() {
            return Ok(Receipt { key: text(&answer, "id").filter(|id| id.len() <= 255) });
        }
        Err(refusal(&answer))
    }

    fn body(&self, letter: &Letter<'_>) -> Value {
        let message = letter.message;
        let from = Mailbox::new(Some(message.sender_name.clone()), self.from.clone()).to_string();
        // By them its events are known as ours, in whatever order they come.
        let mut tags = vec![json!({ "name": "message_id", "value": letter.id }), json!({ "name": "purpose", "value": letter.purpose })];
        tags.extend(letter.company_id.map(|id| json!({ "name": "company_id", "value": id })));
        let headers: Map<String, Value> =
            letter.unsubscribe.into_iter().flat_map(unsubscribe_headers).map(|(name, value)| (name.to_owned(), json!(value))).collect();
        let body = json!({ "from": from, "to": [letter.recipient], "subject": message.subject, "text": message.text });
        let more = [
            ("html", (!message.html.is_empty()).then(|| json!(message.html))),
            ("headers", (!headers.is_empty()).then(|| Value::Object(headers))),
            ("tags", Some(Value::Array(tags))),
        ];
        let more = more.into_iter().filter_map(|(name, value)| Some((name.to_owned(), value?)));
        Value::Object(body.as_object().cloned().unwrap_or_default().into_iter().chain(more).collect())
    }
}

impl Sender for Resend {
    fn name(&self) -> &'static str {
        "resend"
    }

    fn send<'a>(&'a self, letter: &'a Letter<'_>) -> BoxFuture<'a, std::result::Result<Receipt, Refusal>> {
        self.deliver(letter).boxed()
    }
}

fn text(answer: &Answer, name: &str) -> Option<String> {
    serde_json::from_slice::<Value>(&answer.body).ok()?.get(name)?.as_str().map(str::to_owned)
}

/// Its errors have names. What stands in their messages may repeat ours, and is left out.
fn refusal(answer: &Answer) -> Refusal {
    let name = text(answer, "name").unwrap_or_default();
    let name: String = name.chars().filter(|c| c.is_ascii_lowercase() || *c == '_').take(60).collect();
    let fault = match (answer.status.as_u16(), name.as_str()) {
        (_, "daily_quota_exceeded" | "monthly_quota_exceeded") => Fault::Provider(Some(retry_after(&answer.headers).unwrap_or(QUOTA))),
        (429, _) => Fault::Provider(Some(retry_after(&answer.headers).unwrap_or(Duration::from_secs(1)))),
        // The key, its rights, or the domain that mail comes from: nothing leaves this way until somebody mends it.
        (401 | 403 | 404 | 405, _) | (_, "invalid_from_address" | "invalid_access" | "invalid_region") => Fault::Provider(None),
        (409, "invalid_idempotent_request") | (400 | 413 | 422 | 451, _) => Fault::Message,
        (408 | 409, _) => Fault::Passing(retry_after(&answer.headers)),
        _ => Fault::Provider(retry_after(&answer.headers)),
    };
    let reason = format!("Resend answered {} {name}", answer.status.as_u16());
    Refusal::new(fault, &reason).coded(if name.is_empty() { answer.status.as_u16().to_string() } else { name })
}
