//! Requests of a visit: bounded, and told of without what they carried.

use std::time::Duration;

use http::header::{AUTHORIZATION, CONTENT_TYPE};
use http::{HeaderMap, HeaderName, HeaderValue, Method};
use kernel::Secret;
use outbound::http::{Answer, Bounds, Call, Http, HttpOptions, NamedBy};
use serde_json::Value;
use url::Url;

use super::{Fault, Wanted, wrong};

/// What is read of one answer.
const ANSWER_BYTES_MAX: usize = 1 << 20;
/// What is told of a message that is not ours: a proxy in front may say anything.
const TOLD_MAX: usize = 160;

/// Asks the installation.
pub(super) struct Caller {
    http: Http,
    url: Url,
    anon_key: Option<Secret<String>>,
    bounds: Bounds,
}

/// A request of a visit.
#[derive(Default)]
pub(super) struct Ask<'a> {
    pub(super) method: Method,
    pub(super) path: &'a str,
    /// What is shown beside the public key.
    pub(super) bearer: Option<&'a str>,
    /// The type of the body, and the body.
    pub(super) body: Option<(&'static str, Vec<u8>)>,
    /// Whether the public key is left out.
    pub(super) without_key: bool,
}

impl<'a> Ask<'a> {
    pub(super) fn get(path: &'a str) -> Self {
        Self { path, ..Self::default() }
    }

    pub(super) fn json(path: &'a str, body: &Value) -> Self {
        Self { method: Method::POST, path, body: Some(("application/json", body.to_string().into_bytes())), ..Self::default() }
    }

    pub(super) fn delete(path: &'a str) -> Self {
        Self { method: Method::DELETE, path, ..Self::default() }
    }

    pub(super) fn with(self, bearer: &'a str) -> Self {
        Self { bearer: Some(bearer), ..self }
    }

    pub(super) fn without_key(self) -> Self {
        Self { without_key: true, ..self }
    }
}

impl Caller {
    pub(super) fn new(wanted: &Wanted) -> kernel::Result<Self> {
        let bounds = Bounds { bytes_max: ANSWER_BYTES_MAX, time: wanted.time };
        let http = Http::new(HttpOptions { bounds, private_allowed: true })?;
        Ok(Self { http, url: wanted.url.clone(), anon_key: wanted.anon_key.clone(), bounds })
    }

    pub(super) fn anon_key(&self) -> Result<&str, Fault> {
        self.anon_key.as_ref().map(|key| key.expose().as_str()).ok_or(Fault::Nothing("no anon key was given"))
    }

    pub(super) fn time(&self) -> Duration {
        self.bounds.time
    }

    /// Returns the address of a path, below the path that the installation itself may have.
    pub(super) fn address(&self, path: &str) -> Result<Url, Fault> {
        let text = format!("{}{path}", self.url.as_str().trim_end_matches('/'));
        Url::parse(&text).map_err(|error| Fault::Wrong(format!("the address cannot be put together: {error}")))
    }

    /// Returns the answer, whatever it is.
    pub(super) async fn ask(&self, ask: Ask<'_>) -> Result<Answer, Fault> {
        let url = self.address(ask.path)?;
        let mut headers = HeaderMap::new();
        if let (Some(key), false) = (&self.anon_key, ask.without_key) {
            headers.insert(HeaderName::from_static("apikey"), header(key.expose())?);
        }
        if let Some(bearer) = ask.bearer {
            headers.insert(AUTHORIZATION, header(&format!("Bearer {bearer}"))?);
        }
        let call = match ask.body {
            Some((kind, body)) => {
                headers.insert(CONTENT_TYPE, HeaderValue::from_static(kind));
                Call::post(&url, NamedBy::Operator, headers, body)
            }
            None => Call::bare(&url, NamedBy::Operator, headers),
        };
        let sent = self.http.send(call.with_method(ask.method).within(self.bounds)).await;
        sent.map_err(|fault| Fault::Wrong(format!("{}: {fault}", ask.path)))
    }

    /// Returns the JSON of an answer that has to be a success.
    pub(super) async fn json(&self, ask: Ask<'_>) -> Result<Value, Fault> {
        let path = ask.path.to_owned();
        let answer = self.ask(ask).await?;
        if answer.status.is_success() { body(&path, &answer) } else { wrong(told(&path, &answer)) }
    }

    /// The answer has to be one of these statuses.
    pub(super) async fn refused(&self, ask: Ask<'_>, statuses: &[u16]) -> Result<Answer, Fault> {
        let path = ask.path.to_owned();
        let answer = self.ask(ask).await?;
        if statuses.contains(&answer.status.as_u16()) { Ok(answer) } else { wrong(format!("{}, not refused", told(&path, &answer))) }
    }
}

/// Reads an answer's JSON.
pub(super) fn body(path: &str, answer: &Answer) -> Result<Value, Fault> {
    if answer.body.is_empty() {
        return Ok(Value::Null);
    }
    let without = |error| Fault::Wrong(format!("{} is answered {} without JSON: {error}", bare(path), answer.status));
    serde_json::from_slice(&answer.body).map_err(without)
}

/// Tells status, code and message of an answer.
pub(super) fn told(path: &str, answer: &Answer) -> String {
    let body: Value = serde_json::from_slice(&answer.body).unwrap_or_default();
    let member = |names: &[&str]| names.iter().find_map(|name| body.get(name).and_then(Value::as_str)).map(str::to_owned);
    let code = member(&["error_code", "code", "error"]).map(|code| format!(" {code}")).unwrap_or_default();
    let message = member(&["message", "msg", "error_description"]).map(|text| format!(": {text}")).unwrap_or_default();
    let text: String = format!("{code}{message}").chars().filter(|sign| !sign.is_control()).take(TOLD_MAX).collect();
    format!("{} is answered {}{text}", bare(path), answer.status.as_u16())
}

/// A query may hold what is nobody's business.
fn bare(path: &str) -> &str {
    path.split('?').next().unwrap_or(path)
}

fn header(text: &str) -> Result<HeaderValue, Fault> {
    let mut value = HeaderValue::from_str(text).map_err(|error| Fault::Wrong(format!("a key cannot be sent: {error}")))?;
    value.set_sensitive(true);
    Ok(value)
}
