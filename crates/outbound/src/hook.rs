//! Hooks: a function of the database or a signed call over HTTP that is asked, and may refuse.
//!
//! Invariant: an answer is limited in time and bytes; an error says nothing of what was sent. A call is signed with every secret that is
//! configured, so that one can be replaced.

use std::time::Duration;

use http::StatusCode;
use http::header::{CONTENT_TYPE, RETRY_AFTER};
use jiff::Timestamp;
use kernel::{Error, Kind, Result};
use postgres::{Sql, Tx};
use serde_json::{Map, Value};
use tokio::sync::{Semaphore, SemaphorePermit};
use url::Url;
use uuid::Uuid;

use crate::config::{HookConfig, HookLimits};
use crate::http::{Answer, Bounds, Call, Http, HttpFault, HttpOptions, NamedBy};
use crate::senders::unusable;
use crate::signing::{SigningKey, signed_headers};

/// PostgreSQL's code for a statement that ran out of time.
const QUERY_CANCELED: &str = "57014";

/// A hook that is configured.
#[derive(Debug)]
pub struct Hook {
    target: Target,
    limits: HookLimits,
    /// Calls that are under way at once.
    calls: Semaphore,
}

/// Where it is.
enum Target {
    Function { schema: String, name: String },
    Http { url: Url, keys: Vec<SigningKey>, http: Http },
}

impl std::fmt::Debug for Target {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Function { schema, name } => write!(f, "pg-functions://postgres/{schema}/{name}"),
            Self::Http { .. } => f.write_str("over HTTP"),
        }
    }
}

impl HookConfig {
    /// Tells whether it can be used: nothing at all, a function, or an address with secrets.
    pub fn is_usable(&self) -> bool {
        match self.uri.as_deref() {
            None => true,
            Some(uri) if function(uri).is_some() => true,
            Some(uri) => {
                is_called(uri) && !self.secrets.is_empty() && self.secrets.iter().all(|secret| SigningKey::parse(secret.expose()).is_some())
            }
        }
    }
}

impl Hook {
    /// Sets a hook up; none where none is configured. Calls nothing yet.
    pub fn new(config: &HookConfig, limits: &HookLimits) -> Result<Option<Self>> {
        let Some(uri) = config.uri.as_deref() else { return Ok(None) };
        let target = match function(uri) {
            Some((schema, name)) => Target::Function { schema: schema.to_owned(), name: name.to_owned() },
            None => Target::Http {
                url: Url::parse(uri).map_err(|error| unusable("outbound.hook", error))?,
                keys: config.secrets.iter().filter_map(|secret| SigningKey::parse(secret.expose())).collect(),
                http: Http::new(HttpOptions { bounds: bounds(limits), private_allowed: false })?,
            },
        };
        let calls = Semaphore::new(usize::try_from(limits.calls_max).unwrap_or(1));
        Ok(Some(Self { target, limits: limits.clone(), calls }))
    }

    /// Tells whether it is a function, which is asked in a transaction.
    pub fn is_function(&self) -> bool {
        matches!(self.target, Target::Function { .. })
    }

    /// Asks it. A function is asked in this transaction; where there is none it is our mistake.
    pub async fn ask(&self, tx: Option<&Tx>, payload: &Value, now: Timestamp) -> Result<Map<String, Value>> {
        let _call = self.place()?;
        let answer = match (&self.target, tx) {
            (Target::Function { schema, name }, Some(tx)) => self.run(tx, (schema, name), payload).await?,
            (Target::Function { .. }, None) => return Err(Error::internal("a hook's function needs a transaction")),
            (Target::Http { url, keys, http }, _) => {
                let time = bounds(&self.limits).time;
                let work = self.post(http, url, keys, (payload, now));
                tokio::time::timeout(time, work).await.map_err(|_elapsed| late(time))??
            }
        };
        judge(answer)
    }

    /// Does as if it were asked: takes a place among the calls, and this time, as far as an answer may take it.
    pub async fn pretend(&self, time: Duration) -> Result<()> {
        let _call = self.place()?;
        let millis = if self.is_function() { self.limits.function_time_ms } else { self.limits.http_time_ms };
        tokio::time::sleep(time.min(Duration::from_millis(millis.into()))).await;
        Ok(())
    }

    fn place(&self) -> Result<SemaphorePermit<'_>> {
        self.calls.try_acquire().map_err(|_none| {
            Error::new(Kind::TooManyRequests, "over_request_rate_limit", "Too many hooks are being asked at once").with_retry_after(1)
        })
    }

    async fn run(&self, tx: &Tx, (schema, name): (&str, &str), payload: &Value) -> Result<Value> {
        let before = tx.query_one(Sql::new("select current_setting('statement_timeout') as before")).await?;
        let before: String = before.try_get("before").map_err(Error::internal)?;
        set_time(tx, &self.limits.function_time_ms.to_string()).await?;
        let mut sql = Sql::new("select coalesce(");
        sql.qualified(schema, name).text("(").bind(payload.clone()).text("::jsonb)::jsonb, '{}'::jsonb) as answer");
        let row = tx.query_one(sql).await.map_err(|error| match error.code() {
            QUERY_CANCELED => late(Duration::from_millis(self.limits.function_time_ms.into())),
            _ => failed("Error running hook function").with_source(error),
        })?;
        set_time(tx, &before).await?;
        let answer: Value = row.try_get("answer").map_err(Error::internal)?;
        let is_small = answer.to_string().len() <= bounds(&self.limits).bytes_max;
        if is_small { Ok(answer) } else { Err(self.too_large()) }
    }

    /// Calls, and calls again where nobody was reached or it is told to come back.
    async fn post(&self, http: &Http, url: &Url, keys: &[SigningKey], (payload, now): (&Value, Timestamp)) -> Result<Value> {
        let (id, body) = (format!("msg_{}", Uuid::now_v7().simple()), payload.to_string());
        let headers = signed_headers(&id, now.as_second(), &body, keys)?;
        for attempt in 1..=self.limits.http_attempts_max {
            if attempt > 1 {
                tokio::time::sleep(Duration::from_millis(self.limits.http_retry_ms.into())).await;
            }
            match http.send(Call::post(url, NamedBy::Operator, headers.clone(), body.clone().into_bytes())).await {
                Ok(answer) if matches!(answer.status, StatusCode::TOO_MANY_REQUESTS | StatusCode::SERVICE_UNAVAILABLE) => {
                    if !answer.headers.contains_key(RETRY_AFTER) {
                        return Err(failed("Service currently unavailable due to hook"));
                    }
                }
                Ok(answer) => return read(&answer),
                Err(HttpFault::TooLarge) => return Err(self.too_large()),
                Err(HttpFault::Time) => return Err(late(bounds(&self.limits).time)),
                Err(error) => tracing::warn!(attempt, %error, "a hook was not reached"),
            }
        }
        Err(Error::new(Kind::Unprocessable, "hook_timeout_after_retry", "Failed to reach hook after maximum retries"))
    }

    fn too_large(&self) -> Error {
        let message = format!("Payload size exceeded size limit of {} bytes", self.limits.answer_bytes_max);
        Error::new(Kind::Unprocessable, "hook_payload_over_size_limit", message)
    }
}

fn bounds(limits: &HookLimits) -> Bounds {
    let bytes_max = usize::try_from(limits.answer_bytes_max).unwrap_or(usize::MAX);
    Bounds { bytes_max, time: Duration::from_millis(limits.http_time_ms.into()) }
}

async fn set_time(tx: &Tx, time: &str) -> Result<()> {
    let mut sql = Sql::new("select set_config('statement_timeout', ");
    sql.bind(time).text("::text, true) as time");
    tx.query_one(sql).await.map(|_row| ())
}

/// Reads `pg-functions://postgres/schema/function`.
fn function(uri: &str) -> Option<(&str, &str)> {
    let (schema, name) = uri.strip_prefix("pg-functions://postgres/")?.split_once('/')?;
    let is_name = |name: &str| (1..=63).contains(&name.len()) && name.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'_');
    (is_name(schema) && is_name(name)).then_some((schema, name))
}

/// Tells whether an address may be called: what is sent lets somebody in, so nobody between may read it.
fn is_called(uri: &str) -> bool {
    let is_here = |url: &Url| match url.host() {
        Some(url::Host::Domain(name)) => name == "localhost",
        Some(url::Host::Ipv4(address)) => address.is_loopback(),
        Some(url::Host::Ipv6(address)) => address.is_loopback(),
        None => false,
    };
    Url::parse(uri).is_ok_and(|url| url.has_host() && (url.scheme() == "https" || url.scheme() == "http" && is_here(&url)))
}

fn read(answer: &Answer) -> Result<Value> {
    match answer.status {
        StatusCode::NO_CONTENT => return Ok(Value::Null),
        StatusCode::OK | StatusCode::ACCEPTED if answer.body.is_empty() => return Ok(Value::Null),
        StatusCode::OK | StatusCode::ACCEPTED => {}
        StatusCode::BAD_REQUEST => return Err(failed("Invalid payload sent to hook")),
        StatusCode::UNAUTHORIZED => return Err(failed("Hook requires authorization token")),
        status => {
            return Err(Error::new(
                Kind::Internal,
                "unexpected_failure",
                format!("Unexpected status code returned from hook: {}", status.as_u16()),
            ));
        }
    }
    let sort = answer.headers.get(CONTENT_TYPE).and_then(|value| value.to_str().ok()).unwrap_or_default();
    if !sort.split(';').next().unwrap_or_default().trim().eq_ignore_ascii_case("application/json") {
        return Err(Error::new(
            Kind::BadRequest,
            "hook_payload_invalid_content_type",
            "Invalid JSON response of a hook: its content type is not application/json",
        ));
    }
    serde_json::from_slice(&answer.body).map_err(|error| failed("Error unmarshaling JSON output of a hook").with_source(error))
}

/// Returns what a hook said, unless it refused.
fn judge(answer: Value) -> Result<Map<String, Value>> {
    let answer = match answer {
        Value::Null => Map::new(),
        Value::Object(answer) => answer,
        _ => return Err(failed("The output of a hook is no object")),
    };
    let Some(error) = answer.get("error").and_then(Value::as_object) else { return Ok(answer) };
    let status = error.get("http_code").and_then(Value::as_u64).and_then(|status| u16::try_from(status).ok());
    // What it says is the client's fault is; anything else is ours.
    let kind = Kind::from_status(status.filter(|status| (400..=499).contains(status)).unwrap_or(500));
    let message = error.get("message").and_then(Value::as_str).filter(|message| !message.is_empty()).unwrap_or("Refused by a hook");
    Err(Error::new(kind, "hook_refused", message.chars().take(500).collect::<String>()))
}

fn late(time: Duration) -> Error {
    Error::new(
        Kind::Unprocessable,
        "hook_timeout",
        format!("Failed to reach hook within maximum time of {:.6} seconds", time.as_secs_f64()),
    )
}

fn failed(message: &'static str) -> Error {
    Error::new(Kind::Internal, "unexpected_failure", message)
}

#[cfg(test)]
mod tests {
    use kernel::Secret;
    use serde_json::json;

    use super::*;

    fn config(uri: &str, secrets: &[&str]) -> HookConfig {
        HookConfig { uri: Some(uri.to_owned()), secrets: secrets.iter().map(|secret| Secret::new((*secret).to_owned())).collect() }
    }

    const SECRET: &str = "v1,whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw";

    #[test]
    fn what_cannot_be_a_hook_is_refused() {
        assert!(HookConfig::default().is_usable());
        assert!(config("pg-functions://postgres/public/my_hook", &[]).is_usable());
        assert!(config("https://hooks.example.com/token", &[SECRET]).is_usable());
        assert!(config("http://127.0.0.1:8000/token", &[SECRET]).is_usable());
        for (uri, secrets) in [
            ("https://hooks.example.com/token", vec![]),
            ("https://hooks.example.com/token", vec!["v1,whsec_short"]),
            ("https://hooks.example.com/token", vec!["MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw"]),
            ("http://hooks.example.com/token", vec![SECRET]),
            ("ftp://hooks.example.com/token", vec![SECRET]),
            ("pg-functions://postgres/public", vec![]),
            ("pg-functions://postgres/public/f(1); drop", vec![]),
            ("pg-functions://other/public/f", vec![]),
        ] {
            assert!(!config(uri, &secrets).is_usable(), "{uri}");
        }
    }

    #[test]
    fn a_refusal_keeps_its_status_if_it_is_the_clients() {
        let refused = |error: Value| judge(json!({ "error": error })).unwrap_err();
        let error = refused(json!({ "http_code": 403, "message": "No" }));
        assert_eq!((error.status().as_u16(), error.code(), error.message()), (403, "hook_refused", "No"));
        assert_eq!(refused(json!({ "http_code": 503, "message": "No" })).status(), 500);
        assert_eq!(refused(json!({})).status(), 500);
        assert!(judge(Value::Null).unwrap().is_empty());
        assert!(judge(json!([])).is_err());
        assert_eq!(judge(json!({ "claims": {} })).unwrap()["claims"], json!({}));
    }
}
