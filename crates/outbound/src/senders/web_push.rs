//! Messages to browsers: RFC 8030, in the envelope of RFC 8291, signed as RFC 8292 has it.
//!
//! Invariant: the address is one that a client gave, so it is only followed to the public internet, and whoever is there cannot keep
//! other people's messages back: what he answers counts for his own device alone.

use std::sync::{Arc, OnceLock};
use std::time::Duration;

use futures_util::FutureExt;
use futures_util::future::BoxFuture;
use http::header::{AUTHORIZATION, CONTENT_ENCODING, CONTENT_TYPE, LOCATION};
use http::{HeaderMap, HeaderName, HeaderValue};
use kernel::Result;
use serde_json::json;
use url::Url;

use super::refusal::{Fault, Lasting};
use super::{Letter, Receipt, Refusal, Sender, retry_after};
use crate::config::OutboundConfig;
use crate::http::{Answer, Bounds, Call, Http, HttpFault, HttpOptions, NamedBy};
use crate::push::{VapidKey, envelope};

const ANSWER_BYTES_MAX: usize = 4 * 1024;

pub(super) struct WebPush {
    http: Http,
    key: Arc<OnceLock<VapidKey>>,
    subject: String,
    ttl_seconds: u32,
}

impl WebPush {
    /// Sets up the way, which works as soon as there is a key. Connects to nothing yet.
    pub(super) fn new(config: &OutboundConfig, key: Arc<OnceLock<VapidKey>>) -> Result<Self> {
        let push = &config.push;
        let bounds = Bounds { bytes_max: ANSWER_BYTES_MAX, time: Duration::from_millis(push.time_ms) };
        let http = Http::new(HttpOptions { bounds, private_allowed: push.private_addresses_allowed })?;
        let own = format!("mailto:{}", config.mail.from_address);
        let subject = if push.contact.is_empty() { own } else { push.contact.clone() };
        Ok(Self { http, key, subject, ttl_seconds: push.ttl_seconds })
    }

    async fn deliver(&self, letter: &Letter<'_>) -> std::result::Result<Receipt, Refusal> {
        let Some(device) = letter.device else { return Err(Refusal::lasting(&"there is no device")) };
        let Some(key) = self.key.get() else { return Err(Refusal::passing(&"there is no key for push services yet")) };
        let url = Url::parse(device.address.expose()).map_err(|_secret| Refusal::lasting(&"the device's address is none"))?;
        let body = envelope::seal(device, &payload(letter)).map_err(|error| Refusal::lasting(&error))?;
        let headers = self.headers(letter, key, &url).map_err(|error| Refusal::lasting(&error))?;
        match self.http.send_and_cut(Call::post(&url, NamedBy::Client, headers, body)).await {
            Ok(answer) if answer.status.is_success() => Ok(Receipt { key: name_of(&answer) }),
            Ok(answer) => Err(refusal(&answer)),
            Err(HttpFault::Address) => Err(Refusal::lasting(&HttpFault::Address).coded("address")),
            Err(fault) => Err(Refusal::passing(&format!("the push service: {fault}")).coded("unreachable")),
        }
    }

    fn headers(&self, letter: &Letter<'_>, key: &VapidKey, url: &Url) -> std::result::Result<HeaderMap, String> {
        let push = letter.push.cloned().unwrap_or_default();
        let value = |text: String| HeaderValue::try_from(text).map_err(|error| error.to_string());
        let authorization = key.authorization(url, &self.subject, letter.now)?;
        let mut headers = HeaderMap::from_iter([
            (CONTENT_TYPE, HeaderValue::from_static("application/octet-stream")),
            (CONTENT_ENCODING, HeaderValue::from_static("aes128gcm")),
            (AUTHORIZATION, value(authorization)?),
            (HeaderName::from_static("ttl"), value(push.ttl_seconds.unwrap_or(self.ttl_seconds).to_string())?),
            (HeaderName::from_static("urgency"), HeaderValue::from_static(push.urgency.as_str())),
        ]);
        if let Some(key) = push.collapse_key {
            headers.insert(HeaderName::from_static("topic"), value(key)?);
        }
        Ok(headers)
    }
}

impl Sender for WebPush {
    fn name(&self) -> &'static str {
        "vapid"
    }

    fn carries(&self, letter: &Letter<'_>) -> bool {
        letter.device.is_some_and(|device| device.provider == self.name())
    }

    fn send<'a>(&'a self, letter: &'a Letter<'_>) -> BoxFuture<'a, std::result::Result<Receipt, Refusal>> {
        self.deliver(letter).boxed()
    }
}

/// What a service worker reads with `event.data.json()`.
fn payload(letter: &Letter<'_>) -> Vec<u8> {
    let push = letter.push.cloned().unwrap_or_default();
    let message = letter.message;
    json!({ "id": letter.id, "title": message.subject, "body": message.text, "url": push.url, "data": push.data, "tag": push.collapse_key })
        .to_string()
        .into_bytes()
}

/// The name that the push service gave it, as far as it is short: its address is a secret of the device's.
fn name_of(answer: &Answer) -> Option<String> {
    let location = answer.headers.get(LOCATION)?.to_str().ok()?;
    let name = location.rsplit('/').next()?;
    (1..=255).contains(&name.len()).then(|| name.to_owned())
}

fn refusal(answer: &Answer) -> Refusal {
    let status = answer.status.as_u16();
    let fault = match status {
        404 | 410 => Fault::Recipient(Lasting::Device),
        408 | 429 | 500..=599 => Fault::Passing(retry_after(&answer.headers)),
        _ => Fault::Message,
    };
    Refusal::new(fault, &format!("the push service answered {status}")).coded(status.to_string())
}
